"""What a figure came from: the matches and deliveries behind the rows of an answer.

A count is traced to the deliveries that it counts (the sixes hit, the balls that took wickets), a best figure to the
innings it was made in, a rate to everything it is a rate of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from data.query.language import MEASURES, Measure
from data.query.line import Query
from data.query.match import Match
from data.query.relation import Relation
from data.query.sources import SOURCES
from data.query.table import show

_BALL = ("match_id", "innings", "over", "ball")


@dataclass(frozen=True)
class Delivery:
    """One ball: `ball` is the nth delivery of the over, wides and no-balls counted."""

    match: Match
    innings: int
    over: int
    ball: int
    bowler: str
    batter: str
    runs: int
    extras: int
    dismissals: tuple[str, ...]  # "Virat Kohli caught"

    def __str__(self) -> str:
        extras = f" and {self.extras} extra{'s' if self.extras > 1 else ''}" if self.extras else ""
        out = f"; {', '.join(self.dismissals)}" if self.dismissals else ""
        when = f"{self.match.title}, {show(self.match.date)}, innings {self.innings}, over {self.over} ball {self.ball}"
        return f"{when}: {self.bowler} to {self.batter}, {self.runs}{extras}{out}"


@dataclass(frozen=True)
class Trace:
    """In order of play; `deliveries` is empty where the figure is one of whole matches."""

    matches: tuple[Match, ...]
    deliveries: tuple[Delivery, ...]


def trace(
    matches: Mapping[int, Match],
    displays: Mapping[str, str],
    query: Query,
    relations: Mapping[str, Relation],
    rows: Mapping[tuple[Any, ...], dict[str, Any]],
    cursor: duckdb.DuckDBPyConnection,
) -> Trace:
    """Trace the answer `rows` (by dimension values) of `query`, computed over `relations` (by source)."""
    found_matches: set[int] = set()
    balls: set[tuple[int, int, int, int]] = set()
    for measure in (MEASURES[m] for m in query.measures):
        if measure.source == "table":
            teams = {key[0] for key in rows}
            found_matches |= {m.match_id for m in matches.values()
                        if m.stage == "league" and teams & _team_rows(m)}  # fmt: skip
            continue
        relation = relations[measure.source]
        innings = _innings(measure, relation, rows, cursor)
        found = _balls(measure, relation, innings, cursor)
        balls |= found
        found_matches |= {ball[0] for ball in found} if _by_ball(measure) else {i[0] for i in innings}
    in_order = sorted((matches[m] for m in found_matches), key=lambda m: m.order)
    return Trace(tuple(in_order), tuple(_deliveries(in_order, displays, balls, cursor)))


def _team_rows(match: Match) -> set[str]:
    """What the league table calls the teams of a match, over one season or several."""
    return {name for team in (match.team1, match.team2) for name in (team, f"{team} {match.season}")}


def _innings(
    measure: Measure,
    relation: Relation,
    rows: Mapping[tuple[Any, ...], dict[str, Any]],
    cursor: duckdb.DuckDBPyConnection,
) -> dict[tuple[Any, ...], set[tuple[Any, ...]]]:
    """(match, innings, subject) -> dimension values, of the innings rows that the figure rests on."""
    dims = relation.dims
    subject = _subject(relation)
    figure = "NULL" if measure.kind == "fact" else measure.sql
    columns = [*dims, "match_id", "innings", *subject]
    cursor.execute(
        f"SELECT {', '.join(columns)}, {figure} FROM ({relation.sql}) GROUP BY {', '.join(dict.fromkeys(columns))}",
        relation.parameters,
    )
    found: dict[tuple[Any, ...], set[tuple[Any, ...]]] = {}
    for *row, value in cursor.fetchall():
        key = tuple(tuple(v) if isinstance(v, list) else v for v in row[: len(dims)])
        if key not in rows:
            continue
        if measure.kind == "count" and not value:
            continue
        if measure.extreme and value != rows[key].get(measure.name):
            continue
        found.setdefault(tuple(row[len(dims) :]), set()).add(key)
    return found


def _subject(relation: Relation) -> list[str]:
    if relation.source == "stand":
        return ["wicket", "batter1", "batter2"]
    subject = SOURCES[relation.source].subject
    return [subject] if subject else []


def _by_ball(measure: Measure) -> bool:
    """Whether the measure counts single deliveries, so that only those behind it are shown."""
    simple = not measure.per_innings and not measure.classed and not measure.distinct
    return (
        measure.kind == "count"
        and simple
        and SOURCES[measure.source].balls is not None
        and "hat_tricks" != measure.name
    )


def _balls(
    measure: Measure,
    relation: Relation,
    innings: Mapping[tuple[Any, ...], set[tuple[Any, ...]]],
    cursor: duckdb.DuckDBPyConnection,
) -> set[tuple[int, int, int, int]]:
    """The deliveries of `innings` that pass the filters and, for a count, add to it."""
    if relation.source == "stand":
        cursor.execute(
            "SELECT match_id, innings, over, ball, wicket_stand, batter, non_striker FROM deliveries "
            "WHERE match_id IN (SELECT unnest(?))", [[i[0] for i in innings]]
        )  # fmt: skip
        stands = {(m, n, w, *sorted(pair)) for m, n, w, *pair in innings}
        return {row[:4] for row in cursor.fetchall() if (row[0], row[1], row[4], *sorted(row[5:])) in stands}
    spec = SOURCES[relation.source]
    table = spec.balls or ("field_balls" if relation.source == "field" else None)
    if table is None:
        return set()
    dims = relation.dims
    columns = list(dict.fromkeys([*dims, *_BALL, *_subject(relation)]))
    figure = measure.sql if _by_ball(measure) else "1"
    where = f" WHERE {relation.where}" if relation.where else ""
    cursor.execute(f"SELECT {', '.join(columns)}, {figure} FROM {table}{where} GROUP BY {', '.join(columns)}",
                   relation.parameters)  # fmt: skip
    at = {c: i for i, c in enumerate(columns)}
    found = set()
    for row in cursor.fetchall():
        keys = innings.get(tuple(row[at[c]] for c in ("match_id", "innings", *_subject(relation))), ())
        if row[-1] and tuple(row[at[d]] for d in dims) in keys:
            found.add(tuple(row[at[c]] for c in _BALL))
    return found


def _deliveries(
    matches: list[Match],
    displays: Mapping[str, str],
    balls: set[tuple[int, int, int, int]],
    cursor: duckdb.DuckDBPyConnection,
) -> list[Delivery]:
    if not balls:
        return []
    by_id = {m.match_id: m for m in matches}
    chosen = [list(by_id)]
    out: dict[tuple[int, int, int, int], list[str]] = {}
    cursor.execute("SELECT match_id, innings, over, ball, player_out, kind FROM dismissals "
                   "WHERE match_id IN (SELECT unnest(?)) ORDER BY wicket_number", chosen)  # fmt: skip
    for *ball, player, kind in cursor.fetchall():
        out.setdefault(tuple(ball), []).append(f"{displays.get(player, player)} {kind}")
    cursor.execute("SELECT match_id, innings, over, ball, bowler, batter, runs, extras FROM deliveries "
                   "WHERE match_id IN (SELECT unnest(?)) ORDER BY innings, seq", chosen)  # fmt: skip
    found = [
        Delivery(by_id[row[0]], *row[1:4], displays.get(row[4], row[4]), displays.get(row[5], row[5]), *row[6:],
                 tuple(out.get(row[:4], ())))
        for row in cursor.fetchall() if row[:4] in balls
    ]  # fmt: skip
    return sorted(found, key=lambda d: (d.match.order, d.innings, d.over, d.ball))
