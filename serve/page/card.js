// One answer on the page: what was read, the number, the sentence, charts, tables, and what can be done with them.
// All texts of replies are set as text, never as markup. `actions` = { ask, compute, judge, changed }.
import { chart } from "./chart.js";
import { followUps, leftOut, parse, readingOf, titleOf } from "./line.js";
import { names } from "./names.js";
import { isScore, scoreOf } from "./score.js";
import { csvOf, formOf, put, tableOf } from "./table.js";

const $ = (selector, root) => root.querySelector(selector);
const WRONG = [
  "it misread the question",
  "the wrong player or team",
  "the figure is wrong",
  "something is missing",
  "it should have answered",
];

const WORDED_BY = {
  model: "worded by the model",
  plain: "worded plainly from the table",
  file: "as in your file",
};
const SOURCES = {
  knowledge: "Not computed: taken from your file",
  disputed: "Computed; something else stands in your file",
};

/** An empty card under its question. */
export function newCard(question, actions) {
  const card = document.querySelector("#answer").content.firstElementChild.cloneNode(true);
  $("h2", card).textContent = question;
  $(".line", card).addEventListener("submit", (event) => {
    event.preventDefault();
    actions.rerun(card, event.target.query.value.trim());
  });
  return card;
}

const button = (parent, text, press, className) => {
  const element = put(parent, "button", text, className);
  element.type = "button";
  element.addEventListener("click", press);
  return element;
};

const labelsOf = (tables) => Object.fromEntries(tables.flatMap((t) => t.columns.map((c) => [c.name, c.label])));

/** How the question was read: parts in words, each with a cross that computes the line without it. */
export function showReading(card, line, tables, actions) {
  const place = $(".reading", card);
  place.replaceChildren(put(document.createElement("div"), "span", "Read as"));
  for (const { words, without } of readingOf(line, labelsOf(tables))) {
    if (without === null) put(place, "span", words, "part");
    else
      button(place, words, () => actions.rerun(card, without), "part").setAttribute(
        "aria-label",
        `Leave out: ${words}`,
      );
  }
  place.hidden = false;
}

/** The large figures of those tables that are one row, or two to be compared. */
export function showScore(card, tables, line) {
  const queries = parse(line ?? "");
  const titles = queries.map((_, i) =>
    tables.length > 1 && queries.length === tables.length ? titleOf(line.split(" ; ")[i], labelsOf(tables)) : "",
  );
  $(".score", card).replaceChildren(...tables.map((table, i) => scoreOf(table, queries[i], titles[i])).filter(Boolean));
}

function showTables(card, { tables, query, season: of }, actions) {
  const place = $(".tables", card);
  place.replaceChildren();
  for (const table of tables) {
    const figure = isScore(table) ? null : chart(table);
    if (figure) {
      place.append(figure);
      figure.draw();
    }
    if (!isScore(table) || table.rows.length > 1) {
      const league = isLeague(table);
      const shown = tableOf(table, league ? {} : null);
      place.append(shown);
      if (league) addForm(shown, table, query, of, actions);
    }
  }
}

const isLeague = (table) =>
  table.columns[0]?.name === "team" && table.columns.some((c) => c.name === "points") && table.rows.length > 2;

// The column is there from the beginning, so that nothing moves when the results come.
async function addForm(shown, table, line, of, actions) {
  const season = parse(line)[0]
    .parts.filter((p) => p.key === "season")
    .map((p) => ` | ${p.text}`)
    .join("");
  const results = await actions.compute(`wins, losses by team, match${season}`, of).catch(() => null);
  if (results) shown.replaceWith(tableOf(table, formOf(results.tables[0])));
}

/** A complete card. `state` = { question, query, tables, reply or null, ms, followUp }. */
export function finish(card, state, actions) {
  const { reply, query, tables } = state;
  const text = $(".text", card);
  text.textContent = reply?.answer ?? "";
  text.hidden = !reply;
  $(".error", card).hidden = true;
  $(".reading", card).hidden = true;
  if (query) {
    showReading(card, query, tables, actions);
    $(".line", card).hidden = false;
    $(".line input", card).value = query;
  }
  showScore(card, tables, query);
  const missing = query ? leftOut(query) : [];
  $(".left-out", card).hidden = !missing.length;
  $(".left-out", card).textContent = missing.length
    ? `Left out, since the data do not tell: ${missing.join("; ")}`
    : "";
  const source = reply?.source;
  $(".source", card).hidden = !source;
  $(".source", card).textContent = source ? `${SOURCES[source.kind]} ${source.file}, row ${source.row}` : "";
  showTables(card, state, actions);
  showCandidates(card, reply?.candidates ?? [], actions);
  // of a refusal, what can be computed without the condition that was declined
  const next = query
    ? followUps(query, leaderOf(tables))
    : (reply?.suggestions ?? []).map((line) => ({ label: titleOf(line), line }));
  const place = $(".next", card);
  place.replaceChildren();
  for (const { label, line } of next) button(place, label, () => actions.follow(line, state.season));
  place.hidden = !next.length;
  $(".meta", card).textContent = reply
    ? metaOf(reply)
    : `${Math.round(state.ms ?? 0)} ms · computed from the query line, without the model`;
  $("details", card).hidden = false;
  showActions(card, state, actions);
}

function metaOf(reply) {
  const ms = reply.latency_ms,
    by = WORDED_BY[reply.worded_by];
  const model = [reply.model.name, reply.model.quantisation].filter(Boolean).join(" ");
  return [
    `${Math.round(ms.total)} ms (plan ${Math.round(ms.plan ?? 0)}, table ${Math.round(ms.retrieve ?? 0)}, answer ${Math.round(ms.answer ?? 0)})`,
    reply.outcome === "answered" ? by : reply.outcome === "ask_back" ? "asked back" : "declined",
    model,
  ].join(" · ");
}

const leaderOf = ([table]) => {
  const name =
    table?.columns.findIndex((c) => ["batter", "bowler", "team"].includes(c.name) && c.role === "dimension") ?? -1;
  return name < 0 || !table.rows.length ? null : table.rows[0][name];
};

async function showCandidates(card, candidates, actions) {
  const place = $(".candidates", card);
  place.replaceChildren();
  place.hidden = !candidates.length;
  const buttons = candidates.map((name) => button(place, name, () => actions.ask(`what about ${name}`)));
  if (!buttons.length) return;
  const known = new Map((await names(actions.season())).map(({ name, note }) => [name, note]));
  for (const element of buttons)
    if (known.has(element.textContent)) element.dataset.team = known.get(element.textContent);
}

function showActions(card, state, actions) {
  const place = $(".actions", card),
    { reply, tables, question, query } = state;
  place.replaceChildren();
  const copied = (element, done) => {
    element.textContent = done ? "Copied" : "Could not copy";
  };
  button(place, "Copy", async (event) => copied(event.target, await copy(reply?.answer || csvOf(tables))));
  if (tables.length) button(place, "CSV", () => download(csvOf(tables)));
  button(place, "Share", async (event) => {
    const link = linkTo(state);
    const done = await copy(link);
    if (!done) history.replaceState(null, "", link);
    event.target.textContent = done ? "Link copied" : "The link is in the address bar";
  });
  if (!reply) return;
  const judge = put(place, "span", undefined, "judge");
  const send = (verdict, comment) =>
    actions.judge({
      request_id: reply.request_id,
      verdict,
      question,
      answer: reply.answer.slice(0, 2000),
      query,
      ...(comment && { comment }),
    });
  const thank = (said) => {
    judge.replaceChildren(put(document.createElement("div"), "span", said));
    judge.firstChild.setAttribute("role", "status");
  };
  const said = "Thank you; question, answer and your judgement are stored.";
  const tell = (verdict, after) => () => send(verdict).then(after, (error) => thank(error.message));
  button(
    judge,
    "Right",
    tell("right", () => thank(said)),
  );
  button(
    judge,
    "Wrong",
    tell("wrong", () => {
      thank("Thank you; it is stored. What was wrong?");
      judge.classList.add("why");
      for (const reason of WRONG) {
        button(judge, reason, () =>
          send("wrong", reason).then(
            () => thank(said),
            (error) => thank(error.message),
          ),
        );
      }
      judge.querySelector("button").focus();
    }),
  );
}

/** A link that gives this answer: by its question, or by its query line where the question alone would not. */
export function linkTo({ question, query, reply, followUp, season }) {
  const alone = reply && !followUp,
    of = season ? { season } : {};
  return `${location.origin}/?${new URLSearchParams({ ...(alone || !query ? { q: question } : { line: query }), ...of })}`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function download(text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "cricket.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

/** What went wrong, with a button to try again. */
export function fail(card, message, retry) {
  const place = $(".error", card);
  place.textContent = `${message} `;
  if (retry) button(place, "Try again", retry);
  place.hidden = false;
}
