"""The rows behind a measure: which relation has every column that a query needs, and the SQL that filters it.

A query that only looks at whole innings reads the innings rows; one that looks at single balls sums the balls that pass
into such rows first. What cannot be asked becomes a QueryError with the reason. Runs nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from data.query.language import MEASURES
from data.query.line import Filter, Query, QueryError
from data.query.sources import DISMISSAL_COUNTS, SOURCES, Condition, condition, dimension_column, threshold


@dataclass(frozen=True)
class Relation:
    """`sql` selects the innings rows that pass, with the columns `dims`; `where` is their condition on single balls."""

    source: str
    sql: str
    parameters: tuple[str, ...]
    dims: tuple[str, ...]
    where: str


def build(
    query: Query,
    source: str,
    measures: list[str],
    columns: Mapping[str, set[str]],
    keys: Mapping[Filter, tuple[str, ...]],
) -> Relation:
    """The relation of `source` that `measures` are computed over. `columns` are those of every table there is,
    `keys` the season's keys of each filter's values."""
    spec = SOURCES[source]
    dims = tuple(dimension_column(source, d) for d in query.by)
    needs = {d: column for d, column in zip(query.by, dims, strict=False)}
    by_player = bool(spec.people) and "player" in dims
    duel = query.filter({"bat": "bowler", "bowl": "batter"}.get(source, "")) is not None
    conditions: list[Condition] = []
    after: list[str] = []
    for f in query.filters:
        over_rows = threshold(source, f)
        if over_rows:
            after.append(over_rows)
            continue
        conditions.append(condition(source, f, keys[f], by_player, duel))
        needs[str(f)] = conditions[-1].column
    if "dismissal" in needs.values() and not set(measures) <= DISMISSAL_COUNTS:
        wrong = next(m for m in measures if m not in DISMISSAL_COUNTS)
        raise QueryError(f"{wrong} has no kind of dismissal: ask for dismissals, wickets or wickets_lost")
    where = " AND ".join(c.sql for c in conditions)
    parameters = tuple(p for c in conditions for p in c.parameters)
    for relation in (spec.innings, spec.people if by_player else None):
        if relation and set(needs.values()) <= columns[relation]:
            return Relation(source, _select("*", relation, [where, *after]), parameters, dims, where)
    _check_balls(source, measures, needs, columns, by_player)
    keep = list(dict.fromkeys(["match_id", "team", "innings", *([spec.subject] if spec.subject else []), *dims]))
    sums = [f"sum({c}) AS {c}" for c in spec.sums]
    sql = f"{_select(', '.join([*keep, *sums]), spec.balls, [where])} GROUP BY {', '.join(keep)}"
    return Relation(source, _select("*", f"({sql})", after) if after else sql, parameters, dims, where)


def _select(what: str, relation: str, conditions: list[str]) -> str:
    where = " AND ".join(c for c in conditions if c)
    return f"SELECT {what} FROM {relation}" + (f" WHERE {where}" if where else "")


def _check_balls(
    source: str, measures: list[str], needs: Mapping[str, str], columns: Mapping[str, set[str]], by_player: bool
) -> None:
    """Whether single balls have what is needed, and make sense for the measures."""
    spec = SOURCES[source]
    known = columns[spec.innings] | columns.get((spec.people if by_player else spec.balls) or "", set())
    for text, column in needs.items():
        if column not in known:
            key = re.match("[a-z_]+", text)[0]
            raise QueryError(f"{measures[0]} cannot be {'split' if text == key else 'filtered'} by {key}")
    balls = [text for text, column in needs.items() if column not in columns[spec.innings]]
    for m in measures:
        if MEASURES[m].per_innings or m == "hat_tricks":
            raise QueryError(f"{m} is a matter of whole innings: leave out {', '.join(balls)}")
        if m == "maidens" and {needs[t] for t in balls} & {"batter", "hand", "position", "dismissal", "wicket"}:
            raise QueryError(f"maidens are whole overs: leave out {', '.join(balls)}")
