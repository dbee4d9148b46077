// A table as HTML: sorted by a click, the asked column kept in view, long ones cut with the number of hidden rows; as CSV.
export const SHOWN_ROWS = 20;

const DAY = /^\d{4}-\d\d-\d\d$/;
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/** A value as it is read. */
export function shown(value, column) {
  if (value === null) return "–";
  if (typeof value === "number" && column.decimals) return value.toFixed(column.decimals);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return DAY.test(value) ? day.format(new Date(value)) : String(value);
}

export const put = (parent, name, text, className) => {
  const element = parent.appendChild(document.createElement(name));
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
};

/** What a table says about itself: its qualification, and whether rows tie with the last. */
export const notesOf = (table) =>
  [table.qualification, table.more_tied && "more share the last place"].filter(Boolean).join("; ");

/** A table with its controls. `form` maps a team to its last results, shown as a column of their own. */
export function tableOf(table, form) {
  const box = document.createElement("div");
  box.className = "figures";
  const frame = put(box, "div", undefined, "scroll");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", `Table: ${table.columns.map((c) => c.label).join(", ")}`);
  const element = put(frame, "table");
  if (notesOf(table)) element.createCaption().textContent = notesOf(table);
  const order = orderOf(table),
    asked = table.columns.findIndex((c) => c.role === "asked");
  const numeric = table.columns.map((_, i) => table.rows.every((r) => r[i] === null || typeof r[i] === "number"));
  const state = { column: -1, down: false, all: table.rows.length <= SHOWN_ROWS + 5 };
  const classOf = (i) =>
    [
      numeric[i] && table.columns[i].role !== "dimension" && "number",
      table.columns[i].role,
      i === asked && numeric[i] && "kept",
    ]
      .filter(Boolean)
      .join(" ");

  const head = element.createTHead().insertRow();
  const buttons = order.map((i) => {
    const cell = put(head, "th", undefined, classOf(i));
    cell.scope = "col";
    const button = put(cell, "button", table.columns[i].label);
    button.type = "button";
    button.title = "Sort by this column";
    button.addEventListener("click", () => {
      state.down = state.column === i ? !state.down : numeric[i];
      state.column = i;
      fill();
    });
    return { i, cell };
  });
  if (form) put(head, "th", "last five", "form").scope = "col";
  const body = element.createTBody();
  const more = put(box, "p", undefined, "more");

  function fill() {
    const rows = sorted(table.rows, state);
    for (const { i, cell } of buttons) {
      if (i === state.column) cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    body.replaceChildren();
    for (const row of state.all ? rows : rows.slice(0, SHOWN_ROWS)) {
      const line = body.insertRow();
      for (const i of order)
        put(line, "td", shown(row[i], table.columns[i]), `${classOf(i)}${DAY.test(row[i]) ? " day" : ""}`);
      if (form) putForm(line, form[row[table.columns.findIndex((c) => c.name === "team")]] ?? []);
    }
    more.replaceChildren();
    if (state.all) return;
    put(more, "span", `${table.rows.length - SHOWN_ROWS} of ${table.rows.length} rows are hidden.`);
    const button = put(more, "button", "Show all rows");
    button.type = "button";
    button.addEventListener("click", () => {
      state.all = true;
      frame.classList.add("tall");
      fill();
      frame.focus();
    });
  }
  fill();
  return box;
}

// The first name, what was asked, then the rest: on a phone the asked figure is beside its name.
function orderOf(table) {
  const columns = table.columns.map((_, i) => i);
  const asked = columns.filter((i) => table.columns[i].role === "asked");
  const names = columns.filter((i) => table.columns[i].role === "dimension");
  const first = names.filter((i) => !["match", "on", "ground"].includes(table.columns[i].name));
  const lead = first.length ? first : names.slice(0, 1);
  return [...lead, ...asked, ...columns.filter((i) => !lead.includes(i) && !asked.includes(i))];
}

function sorted(rows, { column, down }) {
  if (column < 0) return rows;
  const sign = down ? -1 : 1;
  return [...rows].sort(({ [column]: a }, { [column]: b }) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  });
}

const RESULTS = { W: "won", L: "lost", N: "no result" };

function putForm(line, results) {
  const cell = put(line, "td", undefined, "form");
  for (const result of results) {
    const mark = put(cell, "span", result, `result ${result}`);
    mark.title = RESULTS[result];
  }
}

/** The last five results of each team, oldest first, of a table of wins and losses by team and match. */
export function formOf(table) {
  const at = (name) => table.columns.findIndex((c) => c.name === name);
  const [team, on, wins, losses] = ["team", "on", "wins", "losses"].map(at);
  const rows = [...table.rows].sort((a, b) => (a[on] < b[on] ? -1 : a[on] > b[on] ? 1 : 0));
  const form = {};
  for (const row of rows) (form[row[team]] ??= []).push(row[wins] ? "W" : row[losses] ? "L" : "N");
  for (const name of Object.keys(form)) form[name] = form[name].slice(-5);
  return form;
}

/** Tables as CSV (RFC 4180), one after the other. Texts that a spreadsheet would run as a formula get an apostrophe. */
export function csvOf(tables) {
  const cell = (value) => {
    const text = value === null ? "" : String(value);
    const safe = typeof value === "string" && /^[=+@\t\r-]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = (table) => [table.columns.map((c) => c.label), ...table.rows].map((row) => row.map(cell).join(","));
  return tables.map((table) => `${lines(table).join("\r\n")}\r\n`).join("\r\n");
}
