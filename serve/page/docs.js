// Shows /openapi.json: every route with its fields and a curl command. (FastAPI's own pages load scripts from other hosts.)
const api = await (await fetch("/openapi.json")).json();
const place = document.querySelector("#routes");
place.replaceChildren();

const resolve = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema);
const put = (parent, name, text) => {
  const element = parent.appendChild(document.createElement(name));
  if (text) element.textContent = text;
  return element;
};

for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, route] of Object.entries(methods)) {
    const section = put(place, "section");
    put(section, "h2", `${method.toUpperCase()} ${path}`);
    put(section, "p", [route.summary, route.description].filter(Boolean).join(". "));
    const schema = resolve(route.requestBody?.content?.["application/json"]?.schema);
    if (!schema) continue;
    const list = put(section, "dl");
    for (const [name, field] of Object.entries(schema.properties ?? {})) {
      put(list, "dt", schema.required?.includes(name) ? `${name} (required)` : name);
      put(list, "dd", field.description ?? resolve(field)?.description ?? field.type ?? "see /openapi.json");
    }
    for (const example of schema.examples ?? []) {
      const body = JSON.stringify(example).replaceAll("'", "'\\''");
      const box = put(section, "pre");
      box.tabIndex = 0;
      put(box, "code", `curl -s ${location.origin}${path} -H 'Content-Type: application/json' -d '${body}'`);
    }
  }
}
