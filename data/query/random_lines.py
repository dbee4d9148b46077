"""Random query lines that fit a season, for property tests and the benchmark: `random_query(rng, statistics)`.

Measures, dimensions and filters come from the definition; names are keys of players, teams, grounds and days that
meet in the season, so that most lines have an answer. A few lines (mixed sources, a filter on an unfit measure) are
beyond the engine, which says so.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import lru_cache

from data.query.engine import Statistics
from data.query.language import DIMENSIONS, ENUMS, FILTERS, MEASURES, RANKS, WHOLES, FilterKey
from data.query.query import Filter, Having, Query, Rank
from data.query.sources import SOURCES, dimension_column

_SOURCES = ("bat",) * 6 + ("bowl",) * 6 + ("team", "concede", "field", "result", "stand") * 2 + (
    "award", "table", "match", "over", "batter_over", "run", "no_result", "person", "lineup")  # fmt: skip
_SPANS = {"overs": 20, "position": 11, "wicket": 10, "match": 70, "ball": 6, "nth_match": 14, "nth_innings": 14}
_NUMBERS = {"last": (1, 2, 3, 5), "margin": (1, 5, 20, 50), "score": (20, 30, 50, 75, 100), "haul": (1, 2, 3, 4),
            "stand": (30, 50, 100), "total": (120, 150, 180, 200), "target": (120, 150, 180, 200),
            "last_matches": (1, 3, 5), "last_innings": (1, 3, 6), "first_balls": (3, 6, 10, 20),
            "last_balls": (3, 6, 10), "from_score": (10, 30, 50)}  # fmt: skip
_COLUMNS = {"overs": "over", "last": "from_end", "match": "number", "bowling": "bowling_kind", "between": "opponent",
            "with": "match_id", "without": "match_id", "after": "date", "before": "date", "from": "date", "to": "date",
            "ball": "legal_no", "first_balls": "faced_no", "last_balls": "left_over", "from_score": "made",
            "extra": "wides", "batter_origin": "batter", "bowler_origin": "bowler", "nth_match": "match_id",
            "last_matches": "match_id"}  # fmt: skip
_OWN = {"score": "bat", "haul": "bowl", "stand": "stand"}
_STREAKS = {"batter": ("fifty_plus>=1", "runs>=30", "ducks=1", "dismissals=0", "sixes>=1", "strike_rate>=150"),
            "bowler": ("wickets>=1", "wickets=0", "economy<=8", "wins=1", "runs_conceded>=40"),
            "player": ("awards=1", "catches>=1", "wins=1", "runs>=20"),
            "team": ("wins=1", "losses=1", "tosses_lost=1", "total>=180", "wickets_taken>=8")}  # fmt: skip
_EACH = {"bat": ("runs>=30", "sixes=0", "balls>=10", "wins=1", "dismissals=0", "total>=180", "strike_rate>=150"),
         "bowl": ("wickets>=2", "wickets=0", "runs_conceded<=30", "losses=1", "economy<7"),
         "team": ("total>=180", "team_sixes>=8", "wins=1", "wickets_lost<5"), "result": ("wins=1", "total>=200",
         "margin_runs>=20", "awards=1"), "concede": ("wickets_taken>=7", "losses=1"), "over": ("over_runs>=15",
         "over_wickets>=2"), "batter_over": ("over_fours>=2",), "stand": ("partnership_runs>=50",),
         "field": ("catches>=2", "wins=1")}  # fmt: skip


def random_query(rng: random.Random, statistics: Statistics) -> Query:
    """A query over the names of the season; `str()` of it is a line that `parse` takes."""
    makers = ((12, _figures), (1, _ratio), (1, _streak), (1, _event), (1, _count), (1, _reach), (1, _place))
    (maker,) = rng.choices([m for _, m in makers], [w for w, _ in makers])
    query: Query = maker(rng, statistics)
    return query.canonical()


# -- the kinds of questions


def _figures(rng: random.Random, statistics: Statistics) -> Query:
    source = rng.choice(_SOURCES)
    known = [m.name for m in MEASURES.values() if m.source == source and m.kind != "event"]
    measures = rng.sample(known, min(len(known), rng.choice((1, 1, 1, 2, 3))))
    if rng.random() < 0.06:
        measures.append(rng.choice([m.name for m in MEASURES.values() if m.kind in ("count", "rate", "best", "fact")]))
    by = _dimensions(rng, source, statistics)
    filters = _filters(rng, source, statistics)
    having: list[Having] = []
    if by and rng.random() < 0.2:
        name = rng.choice([m for m in known if MEASURES[m].kind != "fact"] or ["matches"])
        having.append(Having(name, rng.choice((">=", ">", "<=", "<", "=")), rng.choice((0, 1, 2, 3, 10, 30, 50, 100))))
    each = _each(rng, source) if rng.random() < 0.12 else ()
    rank = _rank(rng, 0.6 if by else 0.05)
    if rank and rank.kind in ("top", "bottom") and len(by) > 1 and rng.random() < 0.2:
        rank = replace(rank, per=rng.choice(by))
    return Query(tuple(dict.fromkeys(measures)), by, filters, tuple(having), rank, each)


def _ratio(rng: random.Random, statistics: Statistics) -> Query:
    query = _figures(rng, statistics)
    counts = [m.name for m in MEASURES.values() if MEASURES.counted(m.name)]
    source = rng.choice(("bat", "bat", "bowl", "team", "field", "result"))
    own = [name for name in counts if MEASURES[name].source == source]
    above, op = rng.choice(own), rng.choice("//%")
    below = rng.choice(own if rng.random() < 0.7 else ["matches", *counts])
    if op == "%" and rng.random() < 0.6:
        below = rng.choice(WHOLES)
    filters = tuple(f for f in _filters(rng, source, statistics) if f.key != "dismissal")
    rank = query.rank and replace(query.rank, per="")
    return replace(query, measures=(f"{above}{op}{below}",), by=_dimensions(rng, source, statistics), filters=filters,
                   having=(), each=(), rank=rank)  # fmt: skip


def _streak(rng: random.Random, statistics: Statistics) -> Query:
    subject = rng.choice(tuple(_STREAKS))
    source = {"batter": "bat", "bowler": "bowl"}.get(subject, "result")
    filters = tuple(f for f in _filters(rng, source, statistics) if f.key not in ("score", "haul", "dismissal"))
    each = tuple(map(_condition, rng.sample(_STREAKS[subject], rng.choice((1, 1, 2)))))
    names = rng.choice((("streak",), ("current_streak",), ("streak", "current_streak")))
    return Query(names, (subject,), filters, (), _rank(rng, 0.5, ("top", "bottom", "first", "last")), each)


def _event(rng: random.Random, statistics: Statistics) -> Query:
    measure = rng.choice([m for m in MEASURES.values() if m.kind == "event"])
    filters = tuple(f for f in _filters(rng, measure.source, statistics) if f.key not in ("score", "haul", "dismissal"))
    return Query((measure.name,), (), filters, (), _rank(rng, 0.9, ("first", "last")))


def _count(rng: random.Random, statistics: Statistics) -> Query:
    source = rng.choice(("bat", "bat", "bowl", "result", "team"))
    by = _dimensions(rng, source, statistics) or (SOURCES[source].subject or "venue",)
    known = [m.name for m in MEASURES.values() if m.source == source and m.kind in ("count", "rate")]
    having = (Having(rng.choice(known), rng.choice((">=", "<", "=")), rng.choice((0, 1, 2, 5, 20, 50, 200))),)
    return Query(("count",), by, _filters(rng, source, statistics), having if rng.random() < 0.7 else ())


def _reach(rng: random.Random, statistics: Statistics) -> Query:
    source = rng.choice(("bat", "bat", "bowl", "team", "result", "award"))
    measure = rng.choice([m.name for m in MEASURES.values() if m.source == source and m.kind == "count"])
    by = (SOURCES[source].subject or "team",) if rng.random() < 0.8 else ()
    filters = tuple(f for f in _filters(rng, source, statistics) if f.key != "dismissal")
    return Query((measure,), by, filters, (), _rank(rng, 0.5, ("first", "last")), reach=rng.choice((1, 2, 5, 20, 100)))


def _place(rng: random.Random, statistics: Statistics) -> Query:
    source = rng.choice(("bat", "bowl", "result"))
    dimension = SOURCES[source].subject or "team"
    known = [m.name for m in MEASURES.values() if m.source == source and m.kind in ("count", "rate", "best")]
    name = rng.choice(_anchors(statistics))[dimension]
    return Query((rng.choice(known),), (dimension,), _filters(rng, source, statistics), place=name)


# -- their parts


def _rank(rng: random.Random, chance: float, kinds: tuple[str, ...] = RANKS) -> Rank | None:
    if rng.random() >= chance:
        return None
    return Rank(rng.choice(kinds), rng.choice((1, 1, 2, 3, 5, 10)), rng.random() < 0.15)


def _each(rng: random.Random, source: str) -> tuple[Having, ...]:
    return (_condition(rng.choice(_EACH[source])),) if source in _EACH else ()


def _condition(text: str) -> Having:
    op = next(op for op in (">=", "<=", "<", ">", "=") if op in text)
    name, _, value = text.partition(op)
    return Having(name, op, float(value))


def _dimensions(rng: random.Random, source: str, statistics: Statistics) -> tuple[str, ...]:
    if rng.random() < 0.3:
        return ()
    fitting = [d for d in DIMENSIONS if dimension_column(source, d) in _columns(statistics, source)]
    subject = SOURCES[source].subject
    if subject in fitting and rng.random() < 0.5:
        return tuple(dict.fromkeys((subject, *rng.sample(fitting, rng.choice((0, 0, 1))))))
    pool = fitting if fitting and rng.random() < 0.97 else list(DIMENSIONS)
    return tuple(rng.sample(pool, min(len(pool), rng.choice((1, 1, 1, 2)))))


def _filters(rng: random.Random, source: str, statistics: Statistics) -> tuple[Filter, ...]:
    columns = _columns(statistics, source)
    fitting = [k for k in FILTERS.values() if k.name != "season" and _fits(k.name, source, columns)]
    pool = fitting if rng.random() < 0.97 else list(FILTERS.values())
    chosen = rng.sample(pool, min(len(pool), rng.choice((0, 1, 1, 2, 2, 3))))
    if len(statistics.years) > 1 and rng.random() < 0.6 and FILTERS["season"] not in chosen:
        chosen.append(FILTERS["season"])
    anchor = rng.choice(_anchors(statistics))
    return tuple(_filter(rng, key, anchor, statistics) for key in chosen)


def _fits(key: str, source: str, columns: frozenset[str]) -> bool:
    if key in _OWN:
        return _OWN[key] == source
    if key in ("nth_innings", "last_innings"):
        return source in ("bat", "bowl", "team", "concede")
    if key in ("origin", "all_rounder", "keeper"):
        return SOURCES[source].subject in columns
    return _COLUMNS.get(key, key) in columns or key == "player"


def _filter(rng: random.Random, key: FilterKey, anchor: dict[str, str], statistics: Statistics) -> Filter:
    op = "!=" if key.negatable and rng.random() < 0.15 else "="
    if key.takes == "Y":
        return Filter(key.name, "=", (_years(rng, statistics.years),))
    if key.names:
        column = {"D": "date", "P": "batter"}.get(key.takes, "team") if key.name not in anchor else key.name
        values = [anchor[column]]
        if key.name == "between":
            values.append(anchor["opponent"])
        elif rng.random() < 0.15 and key.takes != "D":
            values.append(rng.choice(_anchors(statistics))[column])
        return Filter(key.name, op, tuple(dict.fromkeys(values)))
    if key.takes == "enum":
        return Filter(key.name, op, tuple(rng.sample(ENUMS[key.name], rng.choice((1, 1, 1, 2)))))
    if key.takes == "range":
        low, high = sorted((rng.randint(1, _SPANS[key.name]), rng.randint(1, _SPANS[key.name])))
        text = f"{low}-" if rng.random() < 0.2 else f"{low}-{high}" if low < high else f"{low}"
        return Filter(key.name, op, (text,))
    compared = key.takes == "number" and key.name != "last"
    return Filter(key.name, rng.choice((">=", ">=", "<=", ">", "<", "=")) if compared else "=",
                  (str(rng.choice(_NUMBERS[key.name])),))  # fmt: skip


def _years(rng: random.Random, years: tuple[int, ...]) -> str:
    one, other = sorted((rng.choice(years), rng.choice(years)))
    return rng.choice(("all", "all", f"{one}", f"{one}-", f"{one}-{other}"))


@lru_cache(maxsize=256)
def _columns(statistics: Statistics, source: str) -> frozenset[str]:
    spec = SOURCES[source]
    return frozenset().union(*(statistics.columns[r] for r in (spec.innings, spec.balls, spec.people) if r))


@lru_cache(maxsize=32)
def _anchors(statistics: Statistics) -> list[dict[str, str]]:
    """Deliveries: a batter, bowler, fielder, sides, ground and day that met."""
    cursor = statistics.season.connection.cursor()
    cursor.execute(
        "SELECT d.batter, d.bowler, d.bowler AS fielder, d.batter AS player, d.non_striker AS partner, "
        "d.batting_team AS team, d.bowling_team AS opponent, m.venue, m.date::TEXT AS date FROM deliveries d "
        "JOIN matches m USING (match_id) WHERE d.ball = 2 ORDER BY d.match_id, d.innings, d.seq"
    )
    names = [d[0] for d in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
