// A small bar chart of a table: horizontal bars for a ranking, vertical ones for overs and the like. Null where none fits.
const SPACE = "http://www.w3.org/2000/svg";
// The chart is drawn at the size at which it is shown, so that labels stay readable on a phone.
const chartWidth = () => Math.max(250, Math.min(640, document.documentElement.clientWidth - 72));
const ORDERED = new Set(["over", "innings", "position", "wicket"]);

export function chart(table) {
  const by = table.columns.findIndex((c) => c.role === "dimension");
  const of = table.columns.findIndex((c, i) => c.role === "asked" && table.rows.every((r) => typeof r[i] === "number" && r[i] >= 0));
  const most = Math.max(...table.rows.map((r) => r[of]));
  if (by < 0 || of < 0 || table.rows.length < 2 || table.rows.length > 25 || !(most > 0)) return null;
  const bars = table.rows.map((r) => {
    const names = table.columns.flatMap((c, i) => (c.role === "dimension" ? [String(r[i])] : []));
    const column = table.columns[of];
    return { name: names.join(", "), size: r[of] / most, value: column.decimals ? r[of].toFixed(column.decimals) : String(r[of]) };
  });
  const vertical = ORDERED.has(table.columns[by].name) && table.columns.filter((c) => c.role === "dimension").length === 1;
  const svg = make("svg", { class: "chart", role: "img" });
  svg.setAttribute("aria-label", `Bars: ${table.columns[of].label} by ${table.columns[by].label}; the table has the figures`);
  return vertical ? verticalBars(svg, bars) : horizontalBars(svg, bars);
}

function verticalBars(svg, bars) {
  const width = chartWidth(), height = 150, step = width / bars.length, every = Math.ceil(22 / step);
  svg.setAttribute("viewBox", `0 0 ${width} ${height + 20}`);
  bars.forEach((bar, i) => {
    const tall = Math.max(1, bar.size * (height - 18));
    svg.append(make("rect", { x: i * step + step * 0.12, y: height - tall, width: step * 0.76, height: tall, rx: 2 }));
    const room = step > bar.value.length * 7.5;
    if (room) svg.append(label(bar.value, { x: (i + 0.5) * step, y: height - tall - 4, "text-anchor": "middle" }));
    if (i % every === 0) svg.append(label(bar.name, { x: (i + 0.5) * step, y: height + 15, "text-anchor": "middle", class: "soft" }));
  });
  return svg;
}

function horizontalBars(svg, bars) {
  const width = chartWidth(), names = Math.min(190, width * 0.4), step = 24, fits = Math.floor(names / 6.8);
  svg.setAttribute("viewBox", `0 0 ${width} ${bars.length * step}`);
  bars.forEach((bar, i) => {
    const long = Math.max(2, bar.size * (width - names - 70));
    const name = bar.name.length > fits ? `${bar.name.slice(0, fits - 1)}…` : bar.name;
    svg.append(label(name, { x: names - 8, y: i * step + 16, "text-anchor": "end", class: "soft" }));
    svg.append(make("rect", { x: names, y: i * step + 4, width: long, height: step - 8, rx: 3 }));
    svg.append(label(bar.value, { x: names + long + 6, y: i * step + 16 }));
  });
  return svg;
}

function make(name, attributes) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function label(text, attributes) {
  const element = make("text", attributes);
  element.textContent = text;
  return element;
}
