"""Who reaches a number of runs, wickets, wins ... counted up in order of play: after how many innings, and where.

The innings in which the number is reached comes from running sums over innings; where the count is one of single
balls, the ball comes from the running sum within that innings.
"""

from __future__ import annotations

from typing import Any

import duckdb

from data.query.language import MEASURES, Measure
from data.query.ranking import TIME, Key, Row
from data.query.relation import Relation, Request, build
from data.query.sources import SOURCES
from data.query.table import Column

# what is counted until then, by source; rows of the others are not all innings that somebody took part in
_COUNTED = {"bat": "innings", "bowl": "innings_bowled", "team": "innings_played", "concede": "matches",
            "result": "matches"}  # fmt: skip


def reached(request: Request, cursor: duckdb.DuckDBPyConnection) -> list[Row]:
    """A row for everybody who reaches `query.reach`: the count when he has, the innings it took, the match and ball."""
    measure = MEASURES[request.query.measures[0]]
    relation = build(request, measure.source, [measure.name])
    found: list[Row] = []
    for key, before, place in _innings(request, measure, relation, cursor):
        match_id, team, order, innings, took, value = place
        record: dict[str, Any] = {
            measure.name: value, f"at_{measure.name}": (match_id, team), TIME: (order, innings, 0, 0),
            "_innings": (match_id, innings), "_before": before,
        }  # fmt: skip
        if measure.source in _COUNTED and measure.name != _COUNTED[measure.source]:
            record[_COUNTED[measure.source]] = took
        found.append((key, record))
    if _by_ball(measure):
        _find_balls(request, measure, relation, found, cursor)
    return found


def _by_ball(measure: Measure) -> bool:
    return measure.aggregate.how == "sum" and SOURCES[measure.source].balls is not None and not measure.per_innings


def _innings(
    request: Request, measure: Measure, relation: Relation, cursor: duckdb.DuckDBPyConnection
) -> list[tuple[Key, int, tuple[Any, ...]]]:
    """Of each row of the answer: its key, the count before the innings in which the number is reached, and that innings
    with the number of innings and the count after it."""
    dims = list(dict.fromkeys(relation.dims))
    columns = ", ".join([*relation.dims, "match_id", "team", "ord", "innings", measure.sql])
    group = ", ".join(dict.fromkeys([*dims, "match_id", "team", "ord", "innings"]))
    cursor.execute(
        f"SELECT {columns} AS figure FROM ({relation.sql}) GROUP BY {group} ORDER BY ord, innings", relation.parameters
    )
    sums: dict[Key, tuple[int, int]] = {}
    found = []
    for *values, match_id, team, order, innings, figure in cursor.fetchall():
        key = tuple(tuple(v) if isinstance(v, list) else v for v in values)
        if None in key:
            continue
        took, before = sums.get(key, (0, 0))
        after = before + int(figure or 0)
        sums[key] = took + 1, after
        if before < int(request.query.reach or 0) <= after:
            found.append((key, before, (match_id, team, order, innings or 0, took + 1, after)))
    return found


def _find_balls(
    request: Request, measure: Measure, relation: Relation, rows: list[Row], cursor: duckdb.DuckDBPyConnection
) -> None:
    """Put the ball into each record, and the count after it."""
    spec = SOURCES[measure.source]
    if not rows:
        return
    places = ", ".join(f"({m}, {n})" for m, n in {record["_innings"] for _, record in rows})
    where = " AND ".join(c for c in (relation.where, f"(match_id, innings) IN ({places})") if c)
    columns = ", ".join([*relation.dims, "match_id", "innings", "over", "legal_no", "seq", measure.aggregate.of])
    cursor.execute(f"SELECT {columns} FROM {spec.balls} WHERE {where} ORDER BY seq", relation.where_parameters)
    balls: dict[tuple[Key, tuple[int, int]], list[tuple[int, ...]]] = {}
    for *values, match_id, innings, over, ball, seq, figure in cursor.fetchall():
        balls.setdefault((tuple(values), (match_id, innings)), []).append((over, ball, seq, figure))
    for key, record in rows:
        count = record["_before"]
        for over, ball, seq, figure in balls.get((key, record["_innings"]), ()):
            count += figure
            if count >= int(request.query.reach or 0):
                record[measure.name] = count
                record["over"] = f"{over - 1}.{ball}"
                record[TIME] = (*record[TIME][:2], over, seq)
                break


def columns(measure: Measure) -> list[Column]:
    """What somebody who reached a number is told with."""
    counted = _COUNTED.get(measure.source, measure.name)
    took = [Column(counted, f"{MEASURES[counted].label} it took", "shown")] if counted != measure.name else []
    ball = [Column("over", "over and ball", "shown")] if _by_ball(measure) else []
    return [*took, Column(f"at_{measure.name}", "where", "at"), *ball]
