"""The longest or the current row of consecutive innings or matches that satisfy the `each` conditions.

The subject's innings (a batter's, a bowler's) or matches (a player's, a team's) stand in order of play, as far as the
filters select them. Of equally long streaks the first counts; with `first` or `last` every streak is a row.
"""

from __future__ import annotations

from typing import Any

import duckdb

from data.query.completion import streak_subject
from data.query.ranking import TIME, Key, Row
from data.query.relation import Request, build, each_conditions
from data.query.table import Column

_SOURCES = {"batter": ("bat", "innings"), "bowler": ("bowl", "innings_bowled"), "player": ("result", "matches"),
            "team": ("result", "matches")}  # fmt: skip
Place = tuple[int, str]  # a match and whose view of it
PLACES = "_places"  # of a record: the matches of the streak


def streaks(request: Request, cursor: duckdb.DuckDBPyConnection) -> list[Row]:
    """A row for each subject: its longest and its current streak, their first and last match, whether it is on. Where
    the first or last streaks are asked for, a row for every streak of everybody."""
    source, counts = _SOURCES[streak_subject(request.query)]
    relation = build(request, source, [counts], each=False)
    conditions = each_conditions(request, source, "player" in relation.dims)
    flag = " AND ".join(f"coalesce({c.sql}, false)" for c in conditions)
    columns = ", ".join([*relation.dims, "match_id", "team", "ord", flag])
    cursor.execute(
        f"SELECT {columns} FROM ({relation.sql}) ORDER BY ord, innings",
        [*(p for c in conditions for p in c.parameters), *relation.parameters],
    )
    found: dict[Key, list[list[Place]]] = {}  # all streaks of each, and an empty one after every innings without
    orders: dict[int, int] = {}
    for *dims, match_id, team, order, holds in cursor.fetchall():
        streaks_of = found.setdefault(tuple(dims), [[]])
        orders[match_id] = order
        if holds:
            streaks_of[-1].append((match_id, team))
        elif streaks_of[-1]:
            streaks_of.append([])
    rank, current = request.query.rank, "streak" not in request.query.measures
    rows: list[Row] = []
    for key, all_of in found.items():
        if None in key:
            continue
        if rank is not None and rank.kind in ("first", "last"):
            rows += [(key, _record(one, all_of[-1], one, orders)) for one in all_of if one]
        else:
            longest = max(all_of, key=len)
            rows.append((key, _record(longest, all_of[-1], all_of[-1] if current else longest, orders)))
    return rows


def _record(streak: list[Place], now: list[Place], shown: list[Place], orders: dict[int, int]) -> dict[str, Any]:
    return {
        "streak": len(streak),
        "current_streak": len(now),
        "at_first": shown[0] if shown else None,
        "at_last": shown[-1] if shown else None,
        "still_on": "yes" if streak and now == streak else "no",
        PLACES: shown,
        TIME: (orders[shown[0][0]] if shown else len(orders),),
    }


def columns(only_current: bool) -> list[Column]:
    """What a streak is told with."""
    places = [Column("at_first", "from", "at"), Column("at_last", "to", "at")]
    return places if only_current else [*places, Column("still_on", "still on", "shown")]
