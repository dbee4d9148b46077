// The page: asks POST /infer as a stream, shows answer, table, chart; runs edited query lines by POST /stats.
// All texts of replies are set as text, never as markup.
import { chart } from "./chart.js";

const $ = (selector, root = document) => root.querySelector(selector);
const form = $("#ask"), input = $("#question"), stop = $("#stop"), answers = $("#answers");
let conversation = null, running = null;

async function post(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  const key = sessionStorage.getItem("key");
  if (key) headers.Authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service does not answer. Is it running?");
  }
  if (response.ok) return response;
  if (response.status === 401) {
    $("#key-row").hidden = false;
    $("#key").focus();
  }
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail || `The service answered ${response.status}.`);
}

async function* events(response) {
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

async function ask(question) {
  running?.abort();
  const mine = (running = new AbortController());
  const card = newCard(question);
  const text = $(".text", card);
  text.setAttribute("aria-busy", "true");
  stop.hidden = false;
  let reply = null;
  try {
    const response = await post("/infer", { question, stream: true, ...(conversation && { conversation_id: conversation }) }, mine.signal);
    for await (const { name, data } of events(response)) {
      if (name === "plan") showLine(card, data.query);
      if (name === "table") showTables(card, data.tables);
      if (name === "token") text.textContent += data.text;
      if (name === "error") throw new Error(data.detail);
      if (name === "done") reply = data;
    }
    if (!reply) throw new Error("The connection ended before the answer did.");
    conversation = reply.conversation_id;
    $("#again").hidden = false;
    finish(card, question, reply);
  } catch (error) {
    fail(card, error.name === "AbortError" ? "Stopped." : error.message, () => { card.remove(); ask(question); });
  } finally {
    text.removeAttribute("aria-busy");
    if (running === mine) { running = null; stop.hidden = true; }
  }
}

function newCard(question) {
  const card = $("#answer").content.firstElementChild.cloneNode(true);
  $("h2", card).textContent = question;
  $(".line", card).addEventListener("submit", (event) => {
    event.preventDefault();
    rerun(card, event.target.query.value.trim());
  });
  answers.prepend(card);
  while (answers.children.length > 20) answers.lastElementChild.remove();
  return card;
}

function finish(card, question, reply) {
  $(".text", card).textContent = reply.answer;
  if (reply.query) showLine(card, reply.query);
  showTables(card, reply.tables);
  const candidates = $(".candidates", card);
  for (const name of reply.candidates) {
    const button = candidates.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => ask(`what about ${name}`));
  }
  candidates.hidden = !reply.candidates.length;
  const ms = reply.latency_ms, by = reply.worded_by === "model" ? "worded by the model" : "worded plainly from the table";
  const model = [reply.model.name, reply.model.quantisation].filter(Boolean).join(" ");
  $(".meta", card).textContent = [
    `${Math.round(ms.total)} ms (plan ${Math.round(ms.plan ?? 0)}, table ${Math.round(ms.retrieve ?? 0)}, answer ${Math.round(ms.answer ?? 0)})`,
    reply.outcome === "answered" ? by : reply.outcome === "ask_back" ? "asked back" : "declined",
    model,
  ].join(" · ");
  $(".actions", card).hidden = false;
  $(".copy", card).addEventListener("click", async (event) => {
    const done = await copy(reply.answer);
    event.target.textContent = done ? "Copied" : "Could not copy";
  });
  for (const button of card.querySelectorAll("[data-verdict]")) {
    button.addEventListener("click", () => judge(card, button.dataset.verdict, question, reply));
  }
  $("#announce").textContent = `Answer: ${reply.answer}`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

async function judge(card, verdict, question, reply) {
  const place = $(".judge", card);
  try {
    await post("/feedback", { request_id: reply.request_id, verdict, question, answer: reply.answer.slice(0, 2000), query: reply.query });
    place.textContent = "Thank you; question, answer and your judgement are stored.";
  } catch (error) {
    place.textContent = error.message;
  }
}

function fail(card, message, retry) {
  const place = $(".error", card);
  place.textContent = `${message} `;
  if (retry) {
    const button = place.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = "Try again";
    button.addEventListener("click", retry);
  }
  place.hidden = false;
}

async function rerun(card, query) {
  $(".error", card).hidden = true;
  try {
    const began = performance.now();
    const result = await (await post("/stats", { query })).json();
    showLine(card, result.query);
    showTables(card, result.tables);
    $(".text", card).textContent = "";
    $(".candidates", card).hidden = $(".actions", card).hidden = true;
    $(".meta", card).textContent = `${Math.round(performance.now() - began)} ms · computed from the query line, without the model`;
    $("#announce").textContent = "The table was computed again.";
  } catch (error) {
    fail(card, error.message);
  }
}

function showLine(card, query) {
  $(".line", card).hidden = false;
  $(".line input", card).value = query;
}

function showTables(card, tables) {
  $(".tables", card).replaceChildren(...tables.flatMap((table) => [chart(table), tableOf(table)].filter(Boolean)));
}

export function shown(value, column) {
  if (value === null) return "–";
  return typeof value === "number" && column.decimals ? value.toFixed(column.decimals) : String(value);
}

function tableOf(table) {
  const frame = document.createElement("div");
  frame.className = "scroll";
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", `Table: ${table.columns.map((c) => c.label).join(", ")}`);
  const element = frame.appendChild(document.createElement("table"));
  const notes = [table.qualification, table.more_tied && "more share the last place"].filter(Boolean);
  if (notes.length) element.createCaption().textContent = notes.join("; ");
  const head = element.createTHead().insertRow();
  const numeric = table.columns.map((_, i) => table.rows.every((r) => r[i] === null || typeof r[i] === "number"));
  table.columns.forEach((column, i) => {
    const cell = head.appendChild(document.createElement("th"));
    cell.scope = "col";
    cell.textContent = column.label;
    cell.className = numeric[i] ? "number" : "";
  });
  const body = element.createTBody();
  for (const row of table.rows) {
    const line = body.insertRow();
    row.forEach((value, i) => {
      const cell = line.insertCell();
      cell.textContent = shown(value, table.columns[i]);
      cell.className = `${numeric[i] ? "number" : ""} ${table.columns[i].role}`.trim();
    });
  }
  return frame;
}

async function state() {
  let wait = 1000;
  try {
    const reply = await (await fetch("/readyz")).json();
    const model = reply.model && [reply.model.name, reply.model.quantisation].filter(Boolean).join(" ");
    $("#state").textContent = reply.ready ? `${reply.season_title} · ${model}` : `Not ready yet: ${reply.reason}`;
    if (reply.ready) {
      document.title = `${reply.season_title}: cricket questions`;
      wait = 30000;
    }
  } catch {
    $("#state").textContent = "The service does not answer.";
  }
  setTimeout(state, wait);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = input.value.trim();
  if (!question) return;
  if ($("#key").value) sessionStorage.setItem("key", $("#key").value);
  input.value = "";
  ask(question);
});
for (const button of form.querySelectorAll(".examples button")) {
  button.addEventListener("click", () => ask(button.textContent));
}
stop.addEventListener("click", () => { running?.abort(); input.focus(); });
$("#fresh").addEventListener("click", () => {
  running?.abort();
  conversation = null;
  answers.replaceChildren();
  $("#again").hidden = true;
  input.focus();
});
state();
