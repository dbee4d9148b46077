"""Random query lines that fit a season, for property tests and the benchmark: `random_query(rng, statistics)`.

Measures, dimensions and filters come from the definition; names are keys of players, teams, grounds and days that
meet in the season, so that most lines have an answer. A few lines (mixed sources, a filter on an unfit measure) are
beyond the engine, which says so.
"""

from __future__ import annotations

import random
from functools import lru_cache

from data.query.engine import Statistics
from data.query.language import DIMENSIONS, ENUMS, FILTERS, MEASURES, RANKS, FilterKey
from data.query.line import Filter, Having, Query, Rank
from data.query.sources import SOURCES, dimension_column

_COMMON_SOURCES = ("bat", "bat", "bat", "bowl", "bowl", "bowl", "team", "concede", "field", "result", "stand", "award",
                   "table", "match")  # fmt: skip
_SPANS = {"overs": 20, "position": 11, "wicket": 10, "match": 70}
_NUMBERS = {"last": (1, 2, 3, 5), "margin": (1, 5, 20, 50), "score": (20, 30, 50, 75, 100), "haul": (1, 2, 3, 4),
            "stand": (30, 50, 100), "total": (120, 150, 180, 200), "target": (120, 150, 180, 200)}  # fmt: skip
_FILTER_COLUMNS = {
    "overs": "over",
    "last": "from_end",
    "match": "number",
    "bowling": "bowling_kind",
    "between": "opponent",
}
_OWN = {"score": "bat", "haul": "bowl", "stand": "stand"}


def random_query(rng: random.Random, statistics: Statistics) -> Query:
    """A query over the names of the season; `str()` of it is a line that `parse` takes."""
    source = rng.choice(_COMMON_SOURCES)
    known = [m.name for m in MEASURES.values() if m.source == source]
    measures = rng.sample(known, min(len(known), rng.choice((1, 1, 1, 2, 3))))
    if rng.random() < 0.06:
        measures.append(rng.choice(list(MEASURES)))
    by = _dimensions(rng, source, statistics)
    filters = _filters(rng, source, statistics)
    having = []
    if by and rng.random() < 0.2:
        name = rng.choice([m for m in known if MEASURES[m].kind != "fact"] or ["matches"])
        having.append(Having(name, rng.choice((">=", ">", "<=", "<", "=")), rng.choice((0, 1, 2, 3, 10, 30, 50, 100))))
    rank = Rank(rng.choice(RANKS), rng.choice((1, 1, 3, 5, 10))) if rng.random() < (0.6 if by else 0.05) else None
    return Query(tuple(dict.fromkeys(measures)), by, filters, tuple(having), rank).canonical()


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
    fitting = [
        k for k in FILTERS.values() if _OWN.get(k.name, source) == source
        and (_FILTER_COLUMNS.get(k.name, k.name) in columns or k.name in ("player", "keeper", *_OWN))
    ]  # fmt: skip
    pool = fitting if rng.random() < 0.97 else list(FILTERS.values())
    chosen = rng.sample(pool, min(len(pool), rng.choice((0, 1, 1, 2, 2, 3))))
    anchor = rng.choice(_anchors(statistics))
    return tuple(_filter(rng, key, anchor, statistics) for key in chosen)


def _filter(rng: random.Random, key: FilterKey, anchor: dict[str, str], statistics: Statistics) -> Filter:
    if key.takes in "PTVD":
        values = [anchor["date" if key.takes == "D" else key.name if key.name != "between" else "team"]]
        if key.name == "between":
            values.append(anchor["opponent"])
        elif rng.random() < 0.15:
            values.append(rng.choice(_anchors(statistics))[key.name])
        return Filter(key.name, "!=" if key.negatable and rng.random() < 0.1 else "=", tuple(dict.fromkeys(values)))
    if key.takes == "enum":
        return Filter(key.name, "=", tuple(rng.sample(ENUMS[key.name], rng.choice((1, 1, 1, 2)))))
    if key.takes == "range":
        low, high = sorted((rng.randint(1, _SPANS[key.name]), rng.randint(1, _SPANS[key.name])))
        return Filter(key.name, "=", (f"{low}-{high}" if low < high else f"{low}",))
    op = "=" if key.name == "last" else rng.choice((">=", ">=", "<=", ">", "<", "="))
    return Filter(key.name, op, (str(rng.choice(_NUMBERS[key.name])),))


@lru_cache(maxsize=256)
def _columns(statistics: Statistics, source: str) -> frozenset[str]:
    spec = SOURCES[source]
    return frozenset().union(*(statistics.columns[r] for r in (spec.innings, spec.balls, spec.people) if r))


@lru_cache(maxsize=32)
def _anchors(statistics: Statistics) -> list[dict[str, str]]:
    """Deliveries: a batter, bowler, fielder, sides, ground and day that met."""
    cursor = statistics.season.connection.cursor()
    cursor.execute(
        "SELECT d.batter, d.bowler, d.bowler AS fielder, d.batter AS player, d.batting_team AS team, "
        "d.bowling_team AS opponent, m.venue, m.date::TEXT AS date FROM deliveries d JOIN matches m USING (match_id) "
        "WHERE d.ball = 2 ORDER BY d.match_id, d.innings, d.seq"
    )
    names = [d[0] for d in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
