// What every chart here shares: elements, scales with round ticks, widths of texts, a tooltip.
// Own code rather than a library: Chartist (38 KB) writes style attributes, which the page's content security policy
// forbids; uPlot (51 KB) paints a canvas, whose labels neither screen readers nor the text search of a browser find, and
// has no horizontal bars with names; frappe-charts (69 KB) has no horizontal bars either; Chart.js, ECharts, billboard.js
// and Observable Plot are larger than the whole page may be (150 KB).
const SPACE = "http://www.w3.org/2000/svg";

export function make(name, attributes = {}, parent) {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

export function label(parent, text, attributes) {
  const element = make("text", attributes, parent);
  element.textContent = text;
  return element;
}

const pen = document.createElement("canvas").getContext("2d");
/** Width of a text at the charts' 12 px, in pixels. */
export function widthOf(text, size = 12) {
  pen.font = `${size}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
  return pen.measureText(text).width;
}

/** Round values from `low` (0 or below) to `high`, about `count` of them, covering both. */
export function ticksOf(low, high, count) {
  const rough = (high - low || 1) / count,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const digits = Math.max(0, -Math.floor(Math.log10(step)) + (step / power === 2.5 ? 1 : 0));
  const found = [];
  for (let i = Math.floor(low / step); i <= Math.ceil(high / step); i++) found.push(Number((i * step).toFixed(digits)));
  return found;
}

/** Attach a text to a mark: shown beside the pointer or under a touch, and as the mark's SVG title. */
export function explain(figure, mark, text) {
  make("title", {}, mark).textContent = text;
  mark.addEventListener("pointerenter", () => {
    let tip = figure.querySelector(".tip");
    if (!tip) {
      tip = figure.appendChild(document.createElement("div"));
      tip.className = "tip";
      tip.setAttribute("aria-hidden", "true");
    }
    tip.textContent = text;
    tip.hidden = false;
    const box = mark.getBoundingClientRect(),
      frame = figure.getBoundingClientRect();
    const left = Math.min(
      Math.max(0, box.left + box.width / 2 - frame.left - tip.offsetWidth / 2),
      frame.width - tip.offsetWidth,
    );
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.max(0, box.top - frame.top - tip.offsetHeight - 6)}px`;
  });
  mark.addEventListener("pointerleave", () => figure.querySelector(".tip")?.setAttribute("hidden", ""));
}
