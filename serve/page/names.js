// Names of the season: completed while typing, and the team of a player who is asked back for.
// They come from two query lines, when the question's field is first used.
import { post } from "./api.js";

const loading = new Map(); // by season

/** [{ name, note }] of players (with their teams), teams and grounds; empty where the service does not tell. */
export function names(season = "") {
  if (loading.has(season)) return loading.get(season);
  const rows = ["matches by player, team", "matches by team", "matches by venue"].map((query) => rowsOf(query, season));
  const found = Promise.all(rows).then(([players, teams, venues]) => {
    const found = new Map();
    for (const [name, team] of players) found.set(name, found.has(name) ? `${found.get(name)}, ${team}` : team);
    for (const [name] of teams) found.set(name, "team");
    for (const [name] of venues) found.set(name, "ground");
    if (!found.size) loading.delete(season); // not ready yet: asked again with the next letter
    return [...found].map(([name, note]) => ({ name, note }));
  });
  loading.set(season, found);
  return found;
}

async function rowsOf(query, season) {
  try {
    return (await (await post("/stats", { query, ...(season && { season }) })).json()).tables[0].rows;
  } catch {
    return [];
  }
}

/** Complete names in `input`, a combobox over `list`. `recall(step)` is called for the arrow keys while it is closed. */
export function completeNames(input, list, recall, season) {
  let options = [],
    active = -1;

  const close = () => {
    options = [];
    active = -1;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = (i) => {
    active = i;
    [...list.children].forEach((option, j) => option.setAttribute("aria-selected", String(i === j)));
    if (i < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[i].id);
  };
  const accept = (i) => {
    const { start, name } = options[i],
      end = input.selectionStart;
    const rest = input.value.slice(end);
    input.value = `${input.value.slice(0, start)}${name}${rest || " "}`;
    const at = start + name.length + (rest ? 0 : 1);
    close();
    input.focus();
    input.setSelectionRange(at, at);
  };

  async function open() {
    const text = input.value.slice(0, input.selectionStart);
    const known = await names(season());
    if (text !== input.value.slice(0, input.selectionStart) || document.activeElement !== input) return;
    options = matching(text, known);
    list.replaceChildren(
      ...options.map(({ name, note }, i) => {
        const option = document.createElement("li");
        option.id = `name-${i}`;
        option.setAttribute("role", "option");
        option.textContent = name;
        option.appendChild(document.createElement("span")).textContent = note;
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          accept(i);
        });
        return option;
      }),
    );
    if (!options.length) return close();
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(-1);
  }

  input.addEventListener("focus", () => void names(season()), { once: true });
  input.addEventListener("input", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const down = event.key === "ArrowDown",
      up = event.key === "ArrowUp";
    if ((down || up) && options.length && (down || active >= 0)) {
      mark(Math.min(options.length - 1, active + (down ? 1 : -1)));
    } else if (down || up) {
      close();
      recall(up ? 1 : -1);
    } else if ((event.key === "Enter" || event.key === "Tab") && active >= 0) {
      accept(active);
    } else if (event.key === "Escape" && options.length) {
      close();
    } else {
      return;
    }
    event.preventDefault();
  });
  return close;
}

/** Names that the end of `text` begins, a word of them at least by three letters; at most six. */
function matching(text, known) {
  const words = [...text.matchAll(/[\p{L}'’.-]+/gu)];
  const last = words.at(-1);
  if (!last || last.index + last[0].length !== text.length) return [];
  for (const first of words.slice(-3)) {
    // "hardik pan" before "pan"
    const typed = text.slice(first.index).toLowerCase();
    if (typed.length < 3) return [];
    const starts = ({ name }) => name.toLowerCase().startsWith(typed) || name.toLowerCase().includes(` ${typed}`);
    const found = known.filter(({ name, note }) => starts({ name, note }) && name.toLowerCase() !== typed).slice(0, 6);
    if (found.length) return found.map((option) => ({ ...option, start: first.index }));
  }
  return [];
}
