// Shows /openapi.json: every route with its fields, curl commands and replies. (FastAPI's own pages load scripts from other hosts.)
const api = await (await fetch("/openapi.json")).json();
const place = document.querySelector("#routes");
const contents = document.querySelector("#contents").appendChild(document.createElement("ul"));
place.replaceChildren();

const resolve = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema);
// A text in which `this` is code.
const write = (element, text) => {
  text.split("`").forEach((part, i) => {
    if (i % 2) element.appendChild(document.createElement("code")).textContent = part;
    else element.append(part);
  });
};
const put = (parent, name, text) => {
  const element = parent.appendChild(document.createElement(name));
  if (text) write(element, text);
  return element;
};
const code = (parent, text) => {
  const box = put(parent, "pre");
  box.tabIndex = 0;
  box.appendChild(document.createElement("code")).textContent = text;
};
const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
const typeOf = (field) => field.type ?? field.anyOf?.map((one) => resolve(one).type).filter((t) => t && t !== "null").join(" or ");
const fields = (section, entries) => {
  if (!entries.length) return;
  const list = put(section, "dl");
  for (const [name, field, required] of entries) {
    const term = list.appendChild(document.createElement("dt"));
    term.textContent = required ? `${name} (required)` : name;
    put(list, "dd", field.description ?? resolve(field)?.description ?? typeOf(field) ?? "see /openapi.json");
  }
};

for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, route] of Object.entries(methods)) {
    const section = put(place, "section");
    const title = `${method.toUpperCase()} ${path}`;
    section.id = title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    put(section, "h2", title);
    const link = put(put(contents, "li"), "a", title);
    link.href = `#${section.id}`;
    if (route.summary) put(section, "p", `${route.summary}.`);
    for (const paragraph of (route.description ?? "").split("\n\n")) if (paragraph) put(section, "p", paragraph);

    const parameters = route.parameters ?? [];
    fields(section, parameters.map((p) => [p.name, { description: p.description, ...p.schema }, p.required]));
    const schema = resolve(route.requestBody?.content?.["application/json"]?.schema);
    fields(section, Object.entries(schema?.properties ?? {}).map(([name, field]) => [name, field, schema.required?.includes(name)]));

    const examples = schema?.examples ?? [];
    for (const example of examples) {
      code(section, `curl -s ${location.origin}${path} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(example))}`);
    }
    if (!schema) {
      const filled = path.replace("{model}", "cricket");
      const given = parameters.filter((p) => p.in === "query" && p.schema.examples);
      const query = given.map((p) => ` --data-urlencode ${quoted(`${p.name}=${p.schema.examples[0]}`)}`).join("");
      code(section, `curl -s${query && " -G"} ${location.origin}${filled}${query}`);
    }
    const replies = route.responses?.["200"]?.content?.["application/json"]?.examples ?? {};
    for (const [name, reply] of Object.entries(replies)) {
      put(section, "h3", reply.summary ?? name);
      code(section, JSON.stringify(reply.value, null, 2));
    }
  }
}
