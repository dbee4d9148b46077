// Query lines on the page: read into parts, said in words, written without a part, and continued by follow-ups.
// The service decides what is valid; what is not understood here is kept as it is.

const OUTSIDE_QUOTES = (mark) => new RegExp(`\\s*${mark}\\s*(?=(?:[^"]*"[^"]*")*[^"]*$)`);
const FILTER = /([a-z_]+)(!=|>=|<=|=|>|<)((?:"[^"]*"|[^\s",]+)(?:,(?:"[^"]*"|[^\s",]+))*)/g;
const CLAUSE = /^(each|having|reach|place|top|bottom|first|last|unsupported) /;

/** The queries of a line: { measures, by, parts }, where a part is a filter or a clause with its `text`. */
export function parse(line) {
  return line
    .split(OUTSIDE_QUOTES(";"))
    .filter(Boolean)
    .map((text) => {
      const [head, ...clauses] = text.trim().split(OUTSIDE_QUOTES("\\|"));
      const [measures, by = ""] = head.split(" by ");
      const parts = clauses.flatMap((clause) => {
        const word = CLAUSE.exec(clause)?.[1];
        if (word === "each" || word === "having") {
          return clause
            .slice(word.length + 1)
            .split(/\s+/)
            .map((rest) => ({ kind: word, rest, text: `${word} ${rest}` }));
        }
        if (word) return [{ kind: word, rest: clause.slice(word.length + 1), text: clause }];
        return [...clause.matchAll(FILTER)].map(([filter, key, op, values]) => ({
          kind: "filter",
          key,
          op,
          text: filter,
          values: [...values.matchAll(/"([^"]*)"|([^\s",]+)/g)].map((m) => m[1] ?? m[2]),
        }));
      });
      const list = (names) =>
        names
          .split(",")
          .map((name) => name.trim())
          .filter(Boolean);
      return { measures: list(measures), by: list(by), parts };
    });
}

/** The text of queries. */
export function write(queries) {
  return queries
    .map(({ measures, by, parts }) => {
      const filters = parts
        .filter((p) => p.kind === "filter")
        .map((p) => p.text)
        .join(" ");
      const of = (kind) =>
        parts
          .filter((p) => p.kind === kind)
          .map((p) => p.rest)
          .join(" ");
      const others = parts.filter((p) => !["filter", "each", "having"].includes(p.kind)).map((p) => p.text);
      const conditions = ["each", "having"].filter(of).map((kind) => `${kind} ${of(kind)}`);
      return [measures.join(", ") + (by.length ? ` by ${by.join(", ")}` : ""), filters, ...conditions, ...others]
        .filter(Boolean)
        .join(" | ");
    })
    .join(" ; ");
}

const plain = (name) => name.replaceAll("_", " ");
const OPS = { "!=": "not ", ">=": "at least ", "<=": "at most ", ">": "more than ", "<": "less than ", "=": "" };
const PHASES = { powerplay: "in the powerplay", middle: "in the middle overs", death: "at the death" };
const FIXED = {
  "innings=1": "in the first innings",
  "innings=2": "in the second innings",
  "result=won": "in wins",
  "result=lost": "in defeats",
  "home=home": "at home",
  "home=away": "away",
  "stage=final": "in the final",
  "stage=playoffs": "in the playoffs",
  "stage=league": "in the league stage",
  "toss=won": "after winning the toss",
  "toss=lost": "after losing the toss",
  "season=all": "in all seasons",
  "shortened=yes": "in shortened matches",
  "shortened=no": "in full matches",
  "half=1": "in the first half of the league stage",
  "half=2": "in the second half of the league stage",
  "chose=bat": "when the toss winner chose to bat",
  "chose=field": "when the toss winner chose to field",
  "free_hit=yes": "off free hits",
  "last_ball=yes": "off the last ball of the innings",
  "all_rounder=yes": "by all-rounders",
  "keeper=yes": "by wicket-keepers",
};
const BEFORE = {
  opponent: "against",
  venue: "at",
  city: "in",
  with: "with",
  without: "without",
  partner: "with",
  season: "in",
  between: "between",
  fielder: "fielded by",
};
const AFTER = {
  batter: "batting",
  bowler: "bowling",
  hand: "handed batters",
  origin: "players",
  batter_origin: "batters",
  bowler_origin: "bowlers",
};
const ABOUT = {
  last_matches: "last # matches",
  last_innings: "last # innings",
  first_balls: "first # balls",
  last_balls: "last # balls",
  from_score: "from a score of #",
};
const TIMES = { date: "on", after: "after", before: "before", from: "from", to: "until" };
const dayInWords = (text) => {
  const day = new Date(`${text}T00:00:00Z`);
  return Number.isNaN(day.getTime())
    ? text
    : day.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
};
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** A part in words: "overs 16 to 20", "against Mumbai Indians". */
export function inWords(part) {
  if (part.kind === "filter") {
    const { key, op, values, text } = part;
    const names = plain(values.join(" and "));
    if (FIXED[text]) return FIXED[text];
    if (key === "phase" && op === "=") return values.map((v) => PHASES[v] ?? v).join(" and ");
    if (TIMES[key]) return `${op === "!=" ? "not " : ""}${TIMES[key]} ${values.map(dayInWords).join(" and ")}`;
    if (key === "month" || key === "weekday")
      return `${op === "!=" ? "not " : ""}${key === "month" ? "in" : "on"} ${values.map(capital).join(" and ")}`;
    if (key === "stage") return `${op === "!=" ? "not " : ""}in the ${names}`;
    if (key === "dismissal") return `out ${OPS[op]}${names}`;
    if (key === "bowling") return `${OPS[op]}${names} bowling`;
    if (ABOUT[key]) return ABOUT[key].replace("#", names);
    if (key === "last") return `last ${names} overs`;
    if (AFTER[key]) return `${OPS[op]}${names} ${AFTER[key]}`;
    if (key === "player" || key === "team") return `${OPS[op]}${names}`;
    if (BEFORE[key]) return `${op === "!=" ? "not " : ""}${BEFORE[key]} ${names}`;
    return `${plain(key)} ${OPS[op]}${names.replace(/^(\d+)-(\d+)$/, "$1 to $2").replace(/^(\d+)-$/, "$1 and later")}`;
  }
  if (part.kind === "each" || part.kind === "having") {
    const [, name, op, value] = /^([a-z_]+)(\W+)(.*)$/.exec(part.rest) ?? [];
    const condition = name ? `${OPS[op] ?? op}${value} ${plain(name)}` : part.rest;
    return part.kind === "each" ? `each time with ${condition}` : `with ${condition}`;
  }
  if (part.kind === "reach") return `who reached ${part.rest}`;
  if (part.rest.startsWith("nth "))
    return `number ${part.rest.slice(4)} from the ${{ top: "top", bottom: "bottom", first: "beginning", last: "end" }[part.kind]}`;
  if (part.kind === "place") return `the place of ${part.rest.replaceAll('"', "")}`;
  return plain(part.text);
}

const quoted = (name) => (/[\s,"]/.test(name) ? `"${name}"` : name);
const filter = (key, value) => ({ kind: "filter", key, op: "=", values: [value], text: `${key}=${quoted(value)}` });
const rank = (n, kind = "top") => ({ kind, rest: String(n), text: `${kind} ${n}` });
const RANKS = ["top", "bottom", "first", "last"];

/** What a reader may take away: { words, without } where `without` is the line that is left, or null. */
export function readingOf(line, labels = {}) {
  const queries = parse(line);
  return queries.flatMap((query, q) => {
    const replaced = (changed) => write(queries.map((other, i) => (i === q ? { ...query, ...changed } : other)));
    const measures = query.measures.map((name, i) => ({
      words: labels[name] ?? plain(name),
      without: query.measures.length > 1 ? replaced({ measures: query.measures.filter((_, j) => j !== i) }) : null,
    }));
    const dimensions = query.by.map((name, i) => {
      const by = query.by.filter((_, j) => j !== i);
      const parts = by.length
        ? query.parts
        : query.parts.filter((p) => !["having", "reach", "place", ...RANKS].includes(p.kind));
      return { words: `by ${plain(name)}`, without: replaced({ by, parts }) };
    });
    const parts = query.parts
      .filter((p) => p.kind !== "unsupported")
      .map((part) => ({
        words: inWords(part),
        without: replaced({ parts: query.parts.filter((p) => p !== part) }),
      }));
    return [...measures, ...dimensions, ...parts];
  });
}

/** The conditions of the question that the line does not hold. */
export const leftOut = (line) =>
  parse(line).flatMap((query) =>
    query.parts.filter((p) => p.kind === "unsupported").map((p) => p.rest.replaceAll('"', "")),
  );

/** A line as a title: "economy rate by phase, Jasprit Bumrah bowling". */
export function titleOf(line, labels = {}) {
  return parse(line)
    .map(({ measures, by, parts }) => {
      const head =
        measures.map((name) => labels[name] ?? plain(name)).join(", ") +
        (by.length ? ` by ${by.map(plain).join(" and ")}` : "");
      const text = [head, ...parts.filter((p) => p.kind !== "unsupported").map(inWords)].join(", ");
      return text[0].toUpperCase() + text.slice(1);
    })
    .join("; ");
}

// Whose figures these are. The last in each list are of whole innings, which no overs split.
const BATTING = [
  "runs",
  "balls",
  "strike_rate",
  "fours",
  "sixes",
  "boundaries",
  "boundary_percent",
  "dots",
  "dot_percent",
  "dismissals",
  "average",
  "balls_per_dismissal",
  "innings",
  "fifties",
  "hundreds",
  "highest_score",
  "ducks",
];
const BOWLING = [
  "wickets",
  "runs_conceded",
  "balls_bowled",
  "economy",
  "bowling_average",
  "bowling_strike_rate",
  "dots_bowled",
  "dot_ball_percent",
  "wides",
  "fours_conceded",
  "sixes_conceded",
  "innings_bowled",
  "best_figures",
];
const TEAM = [
  "total",
  "run_rate",
  "wickets_lost",
  "extras",
  "wins",
  "losses",
  "matches",
  "highest_total",
  "average_total",
];
const WHOLE = [
  "innings",
  "fifties",
  "hundreds",
  "highest_score",
  "ducks",
  "innings_bowled",
  "best_figures",
  "wins",
  "losses",
  "matches",
  "highest_total",
  "average_total",
];
const LESS_IS_BETTER = ["economy", "bowling_average", "bowling_strike_rate"];
const OWNERS = { batter: BATTING, bowler: BOWLING, team: TEAM };

/** Lines that continue this one: [{ label, line }], at most six. `leader` is the name in the first row, or null. */
export function followUps(line, leader) {
  const queries = parse(line);
  if (queries.length !== 1) return [];
  const { measures, by, parts } = queries[0];
  if (parts.some((p) => ["reach", "place", "each"].includes(p.kind))) return [];
  const has = (...keys) => parts.some((p) => p.kind === "filter" && keys.includes(p.key));
  const base = parts.filter((p) => p.kind === "filter" || p.kind === "unsupported");
  const found = [];
  const add = (label, change) => {
    const line = write([{ measures, by: [], parts: base, ...change }]);
    found.push({ label, line });
  };
  const match = parts.find(
    (p) => p.kind === "filter" && (p.key === "match" || p.text === "stage=final") && !/-/.test(p.text),
  );
  if (match && !by.includes("over")) {
    const season = base.filter((p) => p.key === "season");
    add("run worm", { measures: ["total", "wickets_lost"], by: ["team", "over"], parts: [match, ...season] });
  }
  const owner = Object.keys(OWNERS).find((who) => measures.every((m) => OWNERS[who].includes(m)));
  if (!owner) {
    if (by.includes("team") && measures[0] === "points")
      add("wins and losses", { measures: ["wins", "losses"], by: ["team"] });
    return found;
  }
  const one = base.find((p) => p.key === owner && p.op === "=");
  const whole = measures.some((m) => WHOLE.includes(m));
  const overs = has("phase", "overs", "last") || whole; // no further split by overs
  const others = () => {
    const kind = LESS_IS_BETTER.includes(measures[0]) ? "bottom" : "top";
    const label = owner === "team" ? "all teams" : kind === "top" ? "top 10 of all" : "best 10 of all";
    add(label, {
      by: [owner],
      parts: [...base.filter((p) => p !== one), ...(owner === "team" ? [] : [rank(10, kind)])],
    });
  };
  if (one && !by.length) {
    const together = one.values.length > 1 ? [owner] : [];
    if (!overs) add("by phase", { by: [...together, "phase"] });
    if (!overs && owner === "team" && one.values.length === 1) add("over by over", { by: ["over"] });
    if (!has("opponent")) add("by opponent", { by: [...together, "opponent"] });
    if (!has("match", "date")) add("match by match", { by: [...together, "match"] });
    if (owner === "batter" && !whole && !has("bowling", "bowler"))
      add("pace or spin", { by: [...together, "bowling"] });
    if (owner === "batter" && !whole && !has("bowling", "bowler") && !together.length)
      add("versus bowlers", { by: ["bowler"], parts: [...base, rank(10)] });
    if (owner === "bowler" && !whole && !has("batter") && !together.length)
      add("versus batters", { by: ["batter"], parts: [...base, rank(10)] });
    others();
    if (!has("venue")) add("by ground", { by: [...together, "venue"] });
  } else if (one && by.length === 1 && by[0] === owner) {
    if (!overs) add("by phase", { by: [owner, "phase"] });
    if (owner === "batter" && !whole && !has("bowling", "bowler")) add("pace or spin", { by: [owner, "bowling"] });
    others();
  } else if (by.length === 1 && by[0] === owner) {
    const order = parts.find((p) => RANKS.includes(p.kind));
    const rest = parts.filter((p) => p !== order);
    if (order && order.rest !== "10") add(`${order.kind} 10`, { by, parts: [...rest, rank(10, order.kind)] });
    if (leader && order) {
      const parts = [...base, filter(owner, leader)];
      if (!overs) add(`${leader} by phase`, { parts, by: ["phase"] });
      if (!has("opponent")) add(`${leader} by opponent`, { parts, by: ["opponent"] });
    }
    if (!whole && !has("overs", "last")) {
      const elsewhere = rest.filter((p) => p.key !== "phase");
      for (const phase of ["powerplay", "death"]) {
        if (parts.some((p) => p.text === `phase=${phase}`)) continue;
        add(PHASES[phase], { by, parts: [filter("phase", phase), ...elsewhere, ...(order ? [order] : [])] });
      }
    }
  } else if (one && by.length === 1) {
    add("in total", {});
    for (const [name, label] of [
      ["phase", "by phase"],
      ["opponent", "by opponent"],
      ["venue", "by ground"],
    ]) {
      if (!by.includes(name) && !(name === "phase" && overs) && !has(name)) add(label, { by: [name] });
    }
  } else if (!by.length && !one) {
    others();
    if (!overs) add("by phase", { by: ["phase"] });
    if (!overs) add("over by over", { by: ["over"] });
  }
  return found.slice(0, 6);
}
