// The chart of a table, or null where none fits: bars of a ranking, overs with their wickets, the worm of a match,
// a wheel of phases. It is drawn at the size at which it is shown, so that labels stay readable on a phone, and again
// when that size changes. Every mark has its value; the table below it has all figures.
import { explain, label, make, ticksOf, widthOf } from "./svg.js";
import { put, shown } from "./table.js";

const ORDERED = new Set(["over", "innings", "position", "wicket", "season", "month"]);
const ADDITIVE = new Set(["total", "runs", "runs_conceded", "wickets", "sixes", "fours"]);
const FALLEN = ["wickets_lost", "wickets", "over_wickets", "dismissals"];
const MAX_BARS = 25;

/** A figure with title, axes and values, or null. */
export function chart(table) {
  const kind = kindOf(table);
  if (!kind) return null;
  const figure = document.createElement("figure");
  const by = kind.dims.map((i) => table.columns[i].label).join(" and ");
  const asked = table.columns[kind.of].label;
  const title = kind.title ?? `${asked} by ${by}`;
  put(figure, "figcaption", title[0].toUpperCase() + title.slice(1));
  const svg = make(
    "svg",
    { class: "chart", role: "img", "aria-label": `Chart: ${title}; the table has the figures` },
    figure,
  );
  let drawn = 0;
  const draw = () => {
    const width = Math.round(figure.clientWidth);
    if (!width || width === drawn) return;
    drawn = width;
    svg.replaceChildren();
    const height = kind.draw({ figure, svg, width, table, ...kind });
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", height);
  };
  figure.draw = draw; // called by the card once the figure has its place
  new ResizeObserver(draw).observe(figure);
  return figure;
}

function kindOf(table) {
  const { columns, rows } = table;
  const all = columns.flatMap((c, i) => (c.role === "dimension" ? [i] : []));
  const match = all.some((i) => columns[i].name === "match");
  const dims = all.filter((i) => !(match && ["on", "ground"].includes(columns[i].name)));
  const of = columns.findIndex((c, i) => c.role === "asked" && rows.every((r) => typeof r[i] === "number"));
  if (!dims.length || of < 0 || rows.length < 2) return null;
  const names = dims.map((i) => columns[i].name),
    values = rows.map((r) => r[of]);
  if (!values.some((v) => v !== 0)) return null;
  const worm = names.length === 2 && names[1] === "over" && ADDITIVE.has(columns[of].name);
  if (worm && new Set(rows.map((r) => r[dims[0]])).size <= 4) {
    return { dims, of, draw: wormChart, title: `${columns[of].label}, over by over` };
  }
  if (rows.length > MAX_BARS) return null;
  const positive = values.every((v) => v >= 0);
  if (names.length === 1 && names[0] === "phase" && rows.length === 3 && positive) return { dims, of, draw: wheel };
  if (names.length === 1 && ORDERED.has(names[0]) && positive) return { dims, of, draw: verticalBars };
  return { dims, of, draw: horizontalBars };
}

const nameOf = (row, { dims, table }) => dims.map((i) => shown(row[i], table.columns[i])).join(", ");
const valueOf = (row, { of, table }) => shown(row[of], table.columns[of]);
const allOf = (row, { table }) => table.columns.map((c, i) => `${c.label} ${shown(row[i], c)}`).join("\n");
const outline = (x, y, w, h) => `M${x} ${y}h${w}v${h}h${-w}z`;

function horizontalBars(plot) {
  const { figure, svg, width, table, of } = plot;
  const rows = table.rows,
    values = rows.map((r) => r[of]);
  const room = Math.max(...rows.map((r) => widthOf(valueOf(r, plot)))) + 10;
  const widest = Math.max(...rows.map((r) => widthOf(nameOf(r, plot)))) + 10;
  const above = widest > width * 0.36; // names above their bars where beside them they would take the bars' room
  const low = Math.min(0, ...values),
    high = Math.max(0, ...values);
  const left = (above ? 2 : widest) + (low < 0 ? room : 0),
    step = above ? 40 : 26,
    top = 4;
  const ticks = ticksOf(low, high, width < 420 ? 3 : 5);
  const span = width - left - room,
    unit = span / (ticks.at(-1) - ticks[0]);
  const x = (value) => left + (value - ticks[0]) * unit,
    bottom = top + rows.length * step;
  for (const tick of ticks) {
    make("path", { class: tick ? "grid" : "axis", d: `M${x(tick)} ${top}V${bottom}` }, svg);
    label(svg, tick, { x: x(tick), y: bottom + 15, "text-anchor": "middle", class: "soft" });
  }
  label(svg, table.columns[of].label, {
    x: left + span / 2,
    y: bottom + 32,
    "text-anchor": "middle",
    class: "soft title",
  });
  rows.forEach((row, i) => {
    const y = top + i * step,
      from = Math.min(x(0), x(row[of])),
      long = Math.max(2, Math.abs(x(row[of]) - x(0)));
    const mark = make("g", { class: "mark" }, svg),
      bar = above ? y + 19 : y + 4;
    make("path", { class: "hit", d: outline(0, y, width, step) }, mark);
    const name = above ? { x: 2, y: y + 13 } : { x: widest - 8, y: y + 17, "text-anchor": "end" };
    label(mark, above ? cut(nameOf(row, plot), width) : nameOf(row, plot), name);
    make("rect", { x: from, y: bar, width: long, height: 18, rx: 2 }, mark);
    const value = row[of] < 0 ? { x: from - 6, "text-anchor": "end" } : { x: from + long + 6 };
    label(mark, valueOf(row, plot), { ...value, y: bar + 13, class: "value" });
    explain(figure, mark, allOf(row, plot));
  });
  return bottom + 38;
}

function cut(text, width) {
  let short = text;
  while (widthOf(short) > width - 4) short = `${short.slice(0, -2).trimEnd()}…`;
  return short;
}

function verticalBars(plot) {
  const { figure, svg, width, table, of, dims } = plot;
  const rows = table.rows,
    column = table.columns[dims[0]];
  const fell = column.name === "over" ? table.columns.findIndex((c, i) => FALLEN.includes(c.name) && i !== of) : -1;
  const ticks = ticksOf(0, Math.max(...rows.map((r) => r[of])), 4),
    left = Math.max(...ticks.map((t) => widthOf(String(t)))) + 10;
  const step = (width - left) / rows.length,
    values = rows.map((r) => valueOf(r, plot));
  const longest = Math.max(...values.map((v) => widthOf(v, 11))),
    upright = longest > step - 4; // they stand on their ends
  const top = (upright ? longest : 14) + 26,
    height = 170,
    bottom = top + height;
  const y = (value) => bottom - (value / ticks.at(-1)) * height;
  label(svg, table.columns[of].label, { x: 0, y: 12, class: "soft title" });
  for (const tick of ticks) {
    make("path", { class: tick ? "grid" : "axis", d: `M${left} ${y(tick)}H${width}` }, svg);
    label(svg, tick, { x: left - 6, y: y(tick) + 4, "text-anchor": "end", class: "soft" });
  }
  const every = Math.ceil((Math.max(...rows.map((r) => widthOf(nameOf(r, plot)))) + 4) / step);
  rows.forEach((row, i) => {
    const centre = left + (i + 0.5) * step,
      wide = Math.min(56, step * 0.78),
      mark = make("g", { class: "mark" }, svg);
    make("path", { class: "hit", d: outline(left + i * step, top - 14, step, height + 14) }, mark);
    make(
      "rect",
      { x: centre - wide / 2, y: y(row[of]), width: wide, height: Math.max(1, bottom - y(row[of])), rx: 2 },
      mark,
    );
    const over = y(row[of]) - 5;
    const turn = upright
      ? { "text-anchor": "start", transform: `rotate(-90 ${centre + 4} ${over})`, x: centre + 4, y: over }
      : { x: centre, y: over, "text-anchor": "middle" };
    label(mark, values[i], { ...turn, class: "value small" });
    if (i % every === 0)
      label(svg, nameOf(row, plot), { x: centre, y: bottom + 16, "text-anchor": "middle", class: "soft" });
    if (fell >= 0) wickets(mark, centre, bottom + 32, row[fell], step);
    explain(figure, mark, allOf(row, plot));
  });
  const below = fell < 0 ? bottom + 33 : bottom + 58,
    middle = left + (width - left) / 2;
  const axis = fell < 0 ? column.label : `${column.label}; in the balls: ${table.columns[fell].label}`;
  label(svg, axis, { x: middle, y: below, "text-anchor": "middle", class: "soft title" });
  return below + 6;
}

// Wickets of an over as a ball below it, with their number.
function wickets(mark, x, y, count, step) {
  if (!count) return;
  make("circle", { class: "wicket", cx: x, cy: y, r: Math.min(8.5, step * 0.44) }, mark);
  label(mark, count, { x, y: y + 3.5, "text-anchor": "middle", class: "on-wicket" });
}

function wormChart(plot) {
  const { figure, svg, width, table, of, dims } = plot;
  const fell = table.columns.findIndex((c, i) => FALLEN.includes(c.name) && i !== of);
  const sides = new Map();
  for (const row of table.rows) {
    const name = shown(row[dims[0]], table.columns[dims[0]]);
    const points = sides.get(name) ?? sides.set(name, []).get(name);
    const before = points.at(-1) ?? { sum: 0, down: 0 };
    const fallen = fell < 0 ? 0 : row[fell];
    points.push({ over: row[dims[1]], runs: row[of], fallen, sum: before.sum + row[of], down: before.down + fallen });
  }
  const all = [...sides.values()].flat(),
    last = Math.max(...all.map((p) => p.over));
  const ticks = ticksOf(0, Math.max(...all.map((p) => p.sum)), 4),
    left = Math.max(...ticks.map((t) => widthOf(String(t)))) + 10;
  const legend = 16 + sides.size * 20,
    top = legend + 14,
    height = 220,
    bottom = top + height;
  const scoreOf = (end) => (fell < 0 ? String(end.sum) : end.down >= 10 ? String(end.sum) : `${end.sum}/${end.down}`); // ten down: all out
  const right = width - 10 - Math.max(...[...sides.values()].map((points) => widthOf(scoreOf(points.at(-1)), 13)));
  const x = (over) => left + (over / last) * (right - left),
    y = (runs) => bottom - (runs / ticks.at(-1)) * height;
  for (const tick of ticks) {
    make("path", { class: tick ? "grid" : "axis", d: `M${left} ${y(tick)}H${right}` }, svg);
    label(svg, tick, { x: left - 6, y: y(tick) + 4, "text-anchor": "end", class: "soft" });
  }
  label(svg, table.columns[of].label, { x: 0, y: legend, class: "soft title" });
  const every = last > 10 ? 5 : 1;
  for (let over = 0; over <= last; over += every)
    label(svg, over, { x: x(over), y: bottom + 16, "text-anchor": "middle", class: "soft" });
  label(svg, `over${fell < 0 ? "" : "; a dot is a wicket"}`, {
    x: (left + right) / 2,
    y: bottom + 33,
    "text-anchor": "middle",
    class: "soft title",
  });
  [...sides].forEach(([name, points], i) => {
    const end = points.at(-1),
      score = scoreOf(end);
    make("path", { class: `worm s${i}`, d: `M${left + 2} ${i * 20 + 8}h22` }, svg);
    label(svg, `${name} ${score}${end.down >= 10 ? " all out" : ""}`, { x: left + 32, y: i * 20 + 12 });
    make(
      "path",
      { class: `worm s${i}`, d: `M${x(0)} ${y(0)}${points.map((p) => `L${x(p.over)} ${y(p.sum)}`).join("")}` },
      svg,
    );
    for (const p of points) {
      const mark = make("g", { class: "mark" }, svg);
      make("circle", { class: p.fallen ? "wicket" : "hit", cx: x(p.over), cy: y(p.sum), r: p.fallen ? 5 : 8 }, mark);
      if (p.fallen > 1)
        label(mark, p.fallen, { x: x(p.over), y: y(p.sum) - 9, "text-anchor": "middle", class: "value small" });
      explain(
        figure,
        mark,
        `${name}\nover ${p.over}: ${p.runs}${p.fallen ? `, ${p.fallen} wicket${p.fallen > 1 ? "s" : ""}` : ""}\n${p.sum}${fell < 0 ? "" : `/${p.down}`}`,
      );
    }
    const clash = [...sides.values()].some(
      (other, j) => j < i && Math.abs(y(other.at(-1).sum) - y(end.sum)) < 14 && other.at(-1).over === end.over,
    );
    label(svg, score, { x: x(end.over) + 8, y: y(end.sum) + (clash ? 16 : 4), class: "value" });
  });
  return bottom + 38;
}

// The three phases as sectors of a field, each as far out as its figure.
function wheel(plot) {
  const { figure, svg, width, table, of } = plot;
  const radius = Math.min(110, width * 0.28),
    x = width / 2,
    y = radius + 8;
  const most = Math.max(...table.rows.map((r) => r[of]));
  const at = (turn, r) => [x + r * Math.sin(turn), y - r * Math.cos(turn)].map((v) => v.toFixed(1)).join(" ");
  make("circle", { class: "field", cx: x, cy: y, r: radius }, svg);
  make("circle", { class: "grid", cx: x, cy: y, r: radius / 2 }, svg);
  table.rows.forEach((row, i) => {
    const third = (Math.PI * 2) / 3,
      from = i * third + 0.03,
      to = (i + 1) * third - 0.03,
      middle = (from + to) / 2;
    const r = Math.max(14, radius * (row[of] / most)),
      mark = make("g", { class: "mark" }, svg);
    make(
      "path",
      { class: `sector s${i}`, d: `M${at(from, 10)}L${at(from, r)}A${r} ${r} 0 0 1 ${at(to, r)}L${at(to, 10)}z` },
      mark,
    );
    const anchor = ["start", "middle", "end"][i],
      [tx, ty] = at(middle, radius + 14)
        .split(" ")
        .map(Number);
    label(mark, nameOf(row, plot), { x: tx, y: i === 1 ? ty + 12 : ty - 8, "text-anchor": anchor });
    label(mark, valueOf(row, plot), {
      x: tx,
      y: i === 1 ? ty + 32 : ty + 12,
      "text-anchor": anchor,
      class: "value large",
    });
    explain(figure, mark, allOf(row, plot));
  });
  make("path", { class: "pitch", d: outline(x - 3, y - 9, 6, 18) }, svg);
  label(svg, `${table.columns[of].label}; the longer the sector, the higher`, {
    x,
    y: y + radius + 68,
    "text-anchor": "middle",
    class: "soft",
  });
  return y + radius + 76;
}
