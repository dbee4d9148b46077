// The page: asks POST /infer as a stream, shows the answer, keeps the conversation; computes query lines by POST /stats.
import { events, getIfThere, post } from "./api.js";
import { fail, finish, newCard, showReading, showScore } from "./card.js";
import { titleOf } from "./line.js";
import { completeNames } from "./names.js";
import { conversation, forgetQuestions, keepConversation, keepQuestion, questions } from "./store.js";

const $ = (selector, root = document) => root.querySelector(selector);
const form = $("#ask"), input = $("#question"), stop = $("#stop"), answers = $("#answers"), season = $("#season");
const MAX_CARDS = 20;
const states = new Map(); // card -> what it shows
let conversationId = null, running = null;

const actions = { ask, rerun, follow, compute, judge: (judgement) => post("/feedback", judgement) };

const seasonField = () => (season.value ? { season: season.value } : {});

async function ask(question) {
  running?.abort();
  const mine = (running = new AbortController());
  const followUp = conversationId !== null;
  keepQuestion(question);
  showHistory();
  const card = place(newCard(question, actions));
  const text = $(".text", card);
  text.setAttribute("aria-busy", "true");
  busy(true);
  try {
    const body = { question, stream: true, ...(followUp && { conversation_id: conversationId }), ...seasonField() };
    const response = await post("/infer", body, mine.signal);
    let reply = null, line = null;
    // From top to bottom as it comes; charts and tables follow with the end, below the sentence, so that nothing moves.
    for await (const { name, data } of events(response)) {
      if (name === "plan") showReading(card, (line = data.query), [], actions);
      if (name === "table") showScore(card, data.tables, line);
      if (name === "token") text.textContent += data.text;
      if (name === "error") throw new Error(data.detail);
      if (name === "done") reply = data;
    }
    if (!reply) throw new Error("The connection ended before the answer did.");
    conversationId = reply.conversation_id;
    if (!followUp) history.replaceState(null, "", `/?${new URLSearchParams({ q: question })}`);
    show(card, { question, query: reply.query, tables: reply.tables, reply, followUp });
    $("#announce").textContent = `Answer: ${reply.answer}`;
  } catch (error) {
    failed(card, error, () => { remove(card); ask(question); });
  } finally {
    text.removeAttribute("aria-busy");
    if (running === mine) { running = null; busy(false); }
  }
}

// Earlier answers make room while the new one grows, and come back below it.
function busy(on) {
  stop.hidden = !on;
  $("#submit").hidden = on;
  document.body.classList.toggle("busy", on);
}

function place(card) {
  answers.prepend(card);
  while (answers.children.length > MAX_CARDS) remove(answers.lastElementChild);
  document.body.classList.add("answering");
  $("#again").hidden = false;
  return card;
}

function remove(card) {
  states.delete(card);
  card.remove();
}

function show(card, state) {
  states.set(card, state);
  finish(card, state, actions);
  keepConversation(conversationId, [...answers.children].flatMap((c) => states.get(c) ?? []));
}

function failed(card, error, retry) {
  if (error.needsKey) {
    $("#key-row").hidden = false;
    $("#key").focus();
  }
  fail(card, error.name === "AbortError" ? "Stopped." : error.message, retry);
}

/** The tables of a query line, computed without the model: { query, tables, ms }. */
async function compute(query) {
  const began = performance.now();
  const result = await (await post("/stats", { query })).json();
  return { ...result, ms: performance.now() - began };
}

async function rerun(card, query) {
  $(".error", card).hidden = true;
  try {
    const question = states.get(card)?.question ?? $("h2", card).textContent;
    show(card, { question, reply: null, followUp: false, ...(await compute(query)) });
    $("#announce").textContent = "The table was computed again.";
  } catch (error) {
    failed(card, error);
  }
}

/** A new card of a query line, under its words. */
async function follow(query, linked) {
  const card = place(newCard("…", actions));
  try {
    const { tables, ...rest } = await compute(query);
    const labels = Object.fromEntries(tables.flatMap((t) => t.columns.map((c) => [c.name, c.label])));
    const question = titleOf(rest.query, labels);
    $("h2", card).textContent = question;
    show(card, { question, reply: null, followUp: true, tables, ...rest });
    if (linked) history.replaceState(null, "", `/?${new URLSearchParams({ line: rest.query })}`); // a reload finds it
    $("#announce").textContent = `Computed: ${question}`;
    card.scrollIntoView({ block: "nearest" });
  } catch (error) {
    $("h2", card).textContent = titleOf(query);
    failed(card, error, () => { remove(card); follow(query); });
  }
}

function showHistory() {
  const earlier = questions();
  $("#history").hidden = !earlier.length;
  $("#history ul").replaceChildren(...earlier.slice(0, 20).map((question) => {
    const item = document.createElement("li"), button = item.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = question;
    button.addEventListener("click", () => { ask(question); input.scrollIntoView({ block: "nearest" }); });
    return item;
  }));
}

let recalled = -1;
function recall(step) {
  const earlier = questions();
  recalled = Math.max(-1, Math.min(earlier.length - 1, recalled + step));
  input.value = recalled < 0 ? "" : earlier[recalled];
  input.setSelectionRange(input.value.length, input.value.length);
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

// Seasons to choose from, where the service has several: GET /seasons.
async function seasons() {
  const reply = await getIfThere("/seasons");
  const found = (Array.isArray(reply) ? reply : reply?.seasons ?? []).map((s) => (typeof s === "object" ? s : { name: String(s) }));
  if (found.length < 2) return;
  for (const { name, season: id = name, year, title } of found) {
    season.append(new Option(title ?? String(id ?? year), String(id ?? year)));
  }
  $("#season-label").hidden = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = input.value.trim();
  if (!question) return;
  if ($("#key").value) sessionStorage.setItem("key", $("#key").value);
  input.value = "";
  recalled = -1;
  closeNames();
  ask(question);
});
const closeNames = completeNames(input, $("#names"), recall);
for (const button of form.querySelectorAll(".examples button")) {
  button.addEventListener("click", () => ask(button.textContent));
}
stop.addEventListener("click", () => { running?.abort(); input.focus(); });
$("#fresh").addEventListener("click", () => {
  running?.abort();
  conversationId = null;
  states.clear();
  answers.replaceChildren();
  keepConversation(null, []);
  history.replaceState(null, "", "/");
  document.body.classList.remove("answering");
  $("#again").hidden = true;
  input.focus();
});
$("#forget").addEventListener("click", () => { forgetQuestions(); showHistory(); });

function restore() {
  const { id, cards } = conversation();
  conversationId = id;
  for (const kept of [...cards].reverse()) show(place(newCard(kept.question, actions)), kept);
  const asked = new URLSearchParams(location.search), q = asked.get("q")?.trim().slice(0, 500), line = asked.get("line");
  const here = cards.some((kept) => kept.question === q || (line && kept.query === line));
  if (here || !(q || line)) return;
  conversationId = null; // a link is a question of its own
  if (q) ask(q);
  else follow(line, true);
}

showHistory();
restore();
state();
seasons();
