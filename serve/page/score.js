// The scoreboard of an answer: one row's figures, the asked ones large; or two rows side by side.
import { inWords } from "./line.js";
import { notesOf, put, shown } from "./table.js";

const versus = (table) =>
  table.rows.length === 2 &&
  ["batter", "bowler", "player", "team", "fielder"].includes(table.columns[0].name) &&
  table.columns.filter((c) => c.role === "asked").length === 1 &&
  table.columns.filter((c) => c.role === "dimension").length === 1;

/** Whether the scoreboard shows all that a chart would. */
export const isScore = (table) => table.rows.length === 1 || versus(table);

/** A scoreboard, or null for a table that is a list. A ranking gets one for its first row. */
export function scoreOf(table, query, title) {
  const ranked = query?.parts.some((p) => p.kind === "top" || p.kind === "bottom") && table.rows.length > 2;
  if (!isScore(table) && !ranked) return null;
  const board = document.createElement("div");
  board.className = "board";
  if (title) put(board, "p", title, "over-title");
  const sides = put(board, "div", undefined, "sides");
  for (const row of versus(table) ? table.rows : table.rows.slice(0, 1))
    sides.append(sideOf(table, row, ranked, title ? "" : conditionsOf(query)));
  if (table.rows.length === 1 && notesOf(table)) put(board, "p", notesOf(table), "notes");
  return board;
}

// Whose figure it is, where the table has no name: "Jasprit Bumrah bowling, at the death".
const conditionsOf = (query) =>
  (query?.parts ?? [])
    .filter((p) => p.kind === "filter")
    .map(inWords)
    .join(", ");

function sideOf(table, row, ranked, conditions) {
  const side = document.createElement("div");
  const cells = (role) =>
    table.columns.flatMap((column, i) => (column.role === role ? [{ column, text: shown(row[i], column) }] : []));
  const names = cells("dimension"),
    asked = cells("asked"),
    details = ["on", "ground"];
  const who =
    names
      .filter((c) => !details.includes(c.column.name))
      .map((c) => c.text)
      .join(" · ") || conditions;
  if (who) put(side, "p", who[0].toUpperCase() + who.slice(1), "who");
  const where = names
    .filter((c) => details.includes(c.column.name))
    .map((c) => c.text)
    .join(" · ");
  if (where) put(side, "p", where, "rest");
  const size = Math.max(...asked.map((c) => c.text.length));
  const figures = put(
    side,
    "dl",
    undefined,
    asked.length === 1 ? "figure one" : asked.length < 4 ? "figure few" : "figure",
  );
  for (const { column, text } of asked) {
    const cell = put(figures, "div");
    put(cell, "dt", column.label);
    put(cell, "dd", text, size > 24 ? "longer" : size > 9 ? "long" : "");
  }
  const rest = [...cells("at").map((c) => c.text), ...cells("shown").map((c) => `${c.text} ${c.column.label}`)];
  if (rest.length && !(ranked && rest.length > 4)) put(side, "p", rest.join(" · "), "rest");
  return side;
}
