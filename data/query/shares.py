"""The wholes that shares are of: `runs%team` of a batter, `sixes%all` of a team or a phase.

The whole is what the same line would give without the person (and for `%all` without the team): it has the same
filters on matches and balls, and a row for the same venue, phase or season. Where a line names no person or team, its
rows are the parts, and the whole is all of them together. A player's team is that of each season in which he has rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import duckdb

from data.query.language import FILTERS, MEASURES, Measure, Parts
from data.query.query import Query, QueryError
from data.query.relation import Request, build
from data.query.sources import PLAYER_KEYS

Key = tuple[Any, ...]
# who has the figure, by source: these dimensions and filters are left out of the whole
_PERSON = {
    "bat": {"batter", "player", "position", "hand", "origin", "batter_origin", "keeper", "all_rounder", "partner",
            "first_balls", "last_balls", "from_score", "score", "pair"},
    "bowl": {"bowler", "player", "bowling", "kind", "origin", "bowler_origin", "keeper", "all_rounder", "haul"},
    "field": {"fielder", "player", "keeper", "origin", "all_rounder"},
    "stand": {"batter", "player", "partner", "pair", "wicket", "stand"},
}  # fmt: skip
_SIDE = {"team", "home", "toss", "result", "total"}


def whole_column(parts: Parts) -> str:
    """What the whole is called among the figures: team_runs, all_sixes."""
    return f"{parts.below}_{parts.above}"


def whole_label(parts: Parts) -> str:
    whole = MEASURES.whole(parts.above).label
    return f"the team's {whole}" if parts.below == "team" else f"all {whole}"


def wholes(request: Request, parts: Parts, cursor: duckdb.DuckDBPyConnection) -> Mapping[Key, float | None]:
    """The whole for every row of the query, by its dimension values."""
    query, above = request.query, MEASURES[parts.above]
    left_out = _PERSON.get(above.source, set(PLAYER_KEYS)) | (_SIDE if parts.below == "all" else set())
    filters = tuple(f for f in query.filters if f.key not in left_out or f.op != "=")
    split = {*query.by, *(f.key for f in query.filters if f.op == "=")} & (left_out & {*PLAYER_KEYS, "team", "pair"})
    shared = [d for d in query.by if d not in left_out and split]
    sequences = [f for f in query.filters if FILTERS[f.key].looks == "sequence"]
    if sequences and not any(f.key in PLAYER_KEYS and f.op == "=" for f in query.filters):
        raise QueryError(f"{sequences[0]} picks matches of one player: name him, or leave out the share of the whole")
    of_whole = replace(query, measures=(MEASURES.whole(parts.above).name,), filters=filters, each=())
    sides = ["season", "team"] if parts.below == "team" else []
    figures = _figures(request, of_whole, MEASURES.whole(parts.above), [*shared, *sides], cursor)
    rows = _figures(request, query, above, [*query.by, *sides], cursor)
    found: dict[Key, float | None] = {}
    for key in rows:
        own = key[: len(query.by)]
        kept = tuple(value for d, value in zip(query.by, own, strict=True) if d in shared)
        part = figures.get((*kept, *key[len(query.by) :]))
        found[own] = (found.get(own) or 0) + (part or 0)
    return found


def _figures(
    request: Request, query: Query, measure: Measure, by: list[str], cursor: duckdb.DuckDBPyConnection
) -> dict[Key, float]:
    asked = replace(request, query=query, whose=request.query)
    relation = build(asked, measure.source, [measure.name], by)
    dims = list(relation.dims)
    names = [f"{d} AS d{i}" for i, d in enumerate(dims)]
    group = f" GROUP BY {', '.join(dict.fromkeys(dims))}" if dims else ""
    cursor.execute(f"SELECT {', '.join([*names, measure.sql])} FROM ({relation.sql}){group}", relation.parameters)
    found: dict[Key, float] = {}
    for *values, figure in cursor.fetchall():
        found[tuple(tuple(v) if isinstance(v, list) else v for v in values)] = figure or 0
    return found
