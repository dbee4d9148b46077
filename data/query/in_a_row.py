"""Balls in a row: the dots, fours, sixes, boundaries and wickets that follow one another within an innings.

Of a batter the balls that he faced count, of a bowler all that he bowled; in a row of wickets wides and no-balls do not
count. Filters select the balls first, so that `phase=death` looks at what followed one another at the death.
"""

from __future__ import annotations

from collections.abc import Sequence

from data.query.language import MEASURES
from data.query.query import Query, QueryError
from data.query.relation import Relation, Request, check_columns, conditions_of, each_conditions, select_from
from data.query.sources import SOURCES, dimension_column

# which balls count, and which of them go on with a row
_KINDS = {
    "batter": {"dot": ("balls = 1", "runs = 0"), "four": ("balls = 1", "fours > 0"), "six": ("balls = 1", "sixes > 0"),
               "boundary": ("balls = 1", "fours + sixes > 0")},
    "bowler": {"dot": ("TRUE", "dots > 0"), "wicket": ("(balls = 1 OR wickets > 0)", "wickets > 0")},
}  # fmt: skip
_OTHER = {"batter": "bowler", "bowler": "batter"}


def run_role(query: Query) -> str:
    """Whose balls in a row are asked for: dots are a bowler's unless a batter is asked of."""
    runs = {m for m in query.measures if MEASURES[m].source == "run"}
    of_batter = "batter" in query.by or query.filter("batter") is not None
    if "wicket_streak" in runs:
        return "bowler"
    return "batter" if of_batter or runs != {"dot_streak"} else "bowler"


def run_balls(role: str) -> str:
    """The relation of single balls of the batter or bowler."""
    return str(SOURCES["bat" if role == "batter" else "bowl"].balls)


def balls_in_a_row(request: Request, measures: Sequence[str]) -> Relation:
    """One row for every unbroken row of two and more balls that are dots, sixes, ... alike and have the same dimension
    values: its `kind`, whose it is, its `length`, where it begins and ends, and the `others` at these balls."""
    role = run_role(request.query)
    source, balls = "bat" if role == "batter" else "bowl", run_balls(role)
    dims = tuple(role if d == "player" else dimension_column(source, d) for d in request.query.by)
    where, after = conditions_of(request, source, False)
    if after:
        raise QueryError(f"{measures[0]} is a matter of single balls: leave out score and haul")
    needs = dict(zip(request.query.by, dims, strict=True)) | {text: c.column for text, c in where}
    check_columns(request, measures, needs, request.columns[balls])
    tests = " AND ".join(c.sql for _, c in where) or "TRUE"
    of_where = tuple(p for _, c in where for p in c.parameters)
    kept = ", ".join(dict.fromkeys(["match_id", "ord", "team", "innings", *dims]))
    parts = []
    for name in measures:
        kind = name.removesuffix("_streak")
        if kind not in _KINDS[role]:
            raise QueryError(f"{name} is no {role}'s: ask it alone, by {_OTHER[role]}")
        counted, flag = _KINDS[role][kind]
        parts.append(f"SELECT '{kind}' AS kind, {kept}, {role} AS player, {_OTHER[role]} AS other, seq, {flag} AS flag "
                     f"FROM {balls} WHERE {tests} AND {counted}")  # fmt: skip
    whose = ", ".join(dict.fromkeys(["kind", "match_id", "innings", "player", *dims]))
    rows = f"SELECT *, row_number() OVER (PARTITION BY {whose} ORDER BY seq) AS n FROM ({' UNION ALL '.join(parts)})"
    islands = f"SELECT *, n - row_number() OVER (PARTITION BY {whose} ORDER BY n) AS island FROM ({rows}) WHERE flag"
    sql = (f"SELECT kind, {kept}, player, count(*) AS length, min(seq) AS first_seq, max(seq) AS last_seq, "
           f"list(other ORDER BY seq) AS others FROM ({islands}) GROUP BY kind, {kept}, player, island "
           "HAVING count(*) > 1")  # fmt: skip
    on_rows = each_conditions(request, "run", False)
    sql = select_from("*", f"({sql})", [c.sql for c in on_rows]) if on_rows else sql
    parameters = (*of_where * len(parts), *(p for c in on_rows for p in c.parameters))
    return Relation("run", sql, parameters, dims, tests, of_where)
