// The page: asks POST /infer as a stream, shows the answer, keeps the conversation; computes query lines by POST /stats.
import { events, getIfThere, post } from "./api.js";
import { fail, finish, linkTo, newCard, showReading, showScore } from "./card.js";
import { titleOf } from "./line.js";
import { completeNames } from "./names.js";
import { shown } from "./table.js";
import { conversation, forgetQuestions, keepConversation, keepQuestion, questions } from "./store.js";

const $ = (selector, root = document) => root.querySelector(selector);
const form = $("#ask"),
  input = $("#question"),
  stop = $("#stop"),
  answers = $("#answers"),
  season = $("#season");
const MAX_CARDS = 20;
const states = new Map(); // card -> what it shows
let conversationId = null,
  running = null;

const actions = {
  ask,
  rerun,
  follow,
  compute,
  season: () => season.value,
  judge: (judgement) => post("/feedback", judgement),
};

// A season other than the service's own; an older service has no such field.
const seasonField = (name) => (name ? { season: name } : {});

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
    const body = {
      question,
      stream: true,
      ...(followUp && { conversation_id: conversationId }),
      ...seasonField(season.value),
    };
    const of = season.value;
    const response = await post("/infer", body, mine.signal);
    let reply = null,
      line = null;
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
    const state = { question, query: reply.query, tables: reply.tables, reply, followUp, season: of };
    if (!followUp) history.replaceState(null, "", linkTo(state));
    show(card, state);
    $("#announce").textContent = `Answer: ${reply.answer}`;
  } catch (error) {
    failed(card, error, () => {
      remove(card);
      ask(question);
    });
  } finally {
    text.removeAttribute("aria-busy");
    if (running === mine) {
      running = null;
      busy(false);
    }
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
  keepConversation(
    conversationId,
    [...answers.children].flatMap((c) => states.get(c) ?? []),
  );
}

function failed(card, error, retry) {
  if (error.needsKey) {
    $("#key-row").hidden = false;
    $("#key").focus();
  }
  fail(card, error.name === "AbortError" ? "Stopped." : error.message, retry);
}

/** The tables of a query line, computed without the model: { query, tables, ms }. */
async function compute(query, of = season.value) {
  const began = performance.now();
  const result = await (await post("/stats", { query, ...seasonField(of) })).json();
  return { ...result, ms: performance.now() - began };
}

async function rerun(card, query) {
  $(".error", card).hidden = true;
  try {
    const of = states.get(card)?.season,
      question = states.get(card)?.question ?? $("h2", card).textContent;
    show(card, { question, reply: null, followUp: false, season: of, ...(await compute(query, of)) });
    $("#announce").textContent = "The table was computed again.";
  } catch (error) {
    failed(card, error);
  }
}

/** A new card of a query line, under its words. */
async function follow(query, of = season.value, linked = false) {
  const card = place(newCard("…", actions));
  try {
    const { tables, ...rest } = await compute(query, of);
    const labels = Object.fromEntries(tables.flatMap((t) => t.columns.map((c) => [c.name, c.label])));
    const question = titleOf(rest.query, labels);
    $("h2", card).textContent = question;
    const state = { question, reply: null, followUp: true, season: of, tables, ...rest };
    show(card, state);
    if (linked) history.replaceState(null, "", linkTo(state)); // with the line as it is kept, so that a reload finds it
    $("#announce").textContent = `Computed: ${question}`;
    if (!linked) card.scrollIntoView({ block: "start" });
  } catch (error) {
    $("h2", card).textContent = titleOf(query);
    failed(card, error, () => {
      remove(card);
      follow(query, of, linked);
    });
  }
}

function showHistory() {
  const earlier = questions();
  $("#history").hidden = !earlier.length;
  $("#history ul").replaceChildren(
    ...earlier.slice(0, 20).map((question) => {
      const item = document.createElement("li"),
        button = item.appendChild(document.createElement("button"));
      button.type = "button";
      button.textContent = question;
      button.addEventListener("click", () => {
        ask(question);
        input.scrollIntoView({ block: "nearest" });
      });
      return item;
    }),
  );
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
      if (wait === 1000 && !$("#glance").children.length) glance();
      wait = 30000;
    }
  } catch {
    $("#state").textContent = "The service does not answer.";
  }
  setTimeout(state, wait);
}

// What the empty page shows: who led the season. Each opens its ranking.
const GLANCE = [
  ["Champions", "winner | stage=final", "points by team"],
  ["Most runs", "runs by batter | top 1", "runs by batter | top 10"],
  ["Most wickets", "wickets by bowler | top 1", "wickets by bowler | top 10"],
  ["Most sixes", "sixes by batter | top 1", "sixes by batter | top 10"],
];
async function glance() {
  const boards = await Promise.all(
    GLANCE.map(async ([title, line, more]) => {
      const {
        tables: [
          {
            columns,
            rows: [row],
          },
        ],
      } = await compute(line);
      const cell = (role) =>
        shown(
          row[columns.findIndex((c) => c.role === role)],
          columns.find((c) => c.role === role),
        );
      const button = document.createElement("button"),
        final = columns[0].name === "match";
      button.type = "button";
      for (const text of [title, final ? "" : cell("asked"), final ? cell("asked") : cell("dimension")]) {
        button.appendChild(document.createElement("span")).textContent = text;
      }
      button.addEventListener("click", () => follow(more));
      return button;
    }),
  ).catch(() => []); // another league, or no key yet: the page does without
  $("#glance").replaceChildren(...boards);
}

// Seasons to choose from, where the service has several: GET /seasons.
async function seasons() {
  const found = (await getIfThere("/seasons"))?.seasons ?? [];
  if (found.length < 2) return;
  const asked = new URLSearchParams(location.search).get("season");
  for (const { name, title, default: own } of found) {
    season.append(new Option(title, own ? "" : name, own, own)); // without a name, the service's own season is meant
  }
  if (found.some(({ name, default: own }) => name === asked && !own)) season.value = asked;
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
const closeNames = completeNames(input, $("#names"), recall, () => season.value);
for (const button of form.querySelectorAll(".examples button")) {
  button.addEventListener("click", () => ask(button.textContent));
}
stop.addEventListener("click", () => {
  running?.abort();
  input.focus();
});
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
season.addEventListener("change", () => {
  conversationId = null; // a follow-up is about the same season
  glance();
});
$("#forget").addEventListener("click", () => {
  forgetQuestions();
  showHistory();
});

function restore() {
  const { id, cards } = conversation();
  conversationId = id;
  for (const kept of [...cards].reverse()) show(place(newCard(kept.question, actions)), kept);
  const asked = new URLSearchParams(location.search),
    q = asked.get("q")?.trim().slice(0, 500),
    line = asked.get("line");
  const here = cards.some((kept) => kept.question === q || (line && kept.query === line));
  if (here || !(q || line)) return;
  conversationId = null; // a link is a question of its own
  if (q) ask(q);
  else follow(line, season.value, true);
}

showHistory();
state();
await seasons();
restore();
