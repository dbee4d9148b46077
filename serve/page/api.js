// Requests to the service: JSON posts with the API key, and server-sent events as they arrive.

export const keyOf = () => sessionStorage.getItem("key");

/** POST `body` to `path`. Raises an Error with the problem's detail; a 401 has `needsKey`. */
export async function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  if (keyOf()) headers.Authorization = `Bearer ${keyOf()}`;
  return checked(() => fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal }));
}

/** GET `path` as JSON, or null where the service has no such route (an older one). */
export async function getIfThere(path) {
  try {
    const response = await fetch(path, { headers: keyOf() ? { Authorization: `Bearer ${keyOf()}` } : {} });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

async function checked(request) {
  let response;
  try {
    response = await request();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service does not answer. Is it running?");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const error = new Error(problem.detail || `The service answered ${response.status}.`);
  error.needsKey = response.status === 401;
  throw error;
}

/** The server-sent events of a response: { name, data }. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    let end;
    while ((end = buffer.indexOf("\n\n")) >= 0) {
      const lines = buffer.slice(0, end).split("\n");
      buffer = buffer.slice(end + 2);
      const name = lines.find((l) => l.startsWith("event: "));
      const data = lines.find((l) => l.startsWith("data: "));
      if (name && data) yield { name: name.slice(7), data: JSON.parse(data.slice(6)) };
    }
  }
}
