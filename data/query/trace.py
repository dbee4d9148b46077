"""What a figure came from: the matches and deliveries behind the rows of an answer.

A count is traced to the deliveries that it counts (the sixes hit, the balls that took wickets), a best figure to the
innings or over it was made in, a rate to everything it is a rate of, a streak to its matches, an event to its ball.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from data.query.book import SeasonBook
from data.query.events import Ball, events
from data.query.execution import QueryExecution
from data.query.language import MEASURES, Measure
from data.query.match import Match
from data.query.ranking import Key, Record
from data.query.relation import Relation
from data.query.sources import SOURCES
from data.query.streaks import PLACES
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


def trace(run: QueryExecution) -> Trace:
    """Trace the answer of a query. Raises QueryError where the query cannot be computed."""
    if run.asked[0].kind == "event":
        balls = set(events(run.request, run.book, run.cursor).balls)
        return _traced(run, {ball[0] for ball in balls}, balls)
    if run.asked[0].kind == "number":
        return trace(run.counted())
    ranked = run.ranked()[0]
    if run.asked[0].kind == "streak":
        return _traced(run, {match for _, record in ranked for match, _ in record[PLACES]}, set())
    rows = dict(ranked)
    found_matches: set[int] = set()
    found_balls: set[Ball] = set()
    for measure in _counted(run.asked):
        if measure.source == "table":
            found_matches |= _league_matches(run, rows)
        elif run.query.reach is not None:
            found_matches |= {record[f"at_{measure.name}"][0] for record in rows.values()}
        else:
            matches, balls = _of_measure(run, measure, rows)
            found_matches |= matches
            found_balls |= balls
    return _traced(run, found_matches, found_balls)


def _counted(asked: Iterable[Measure]) -> list[Measure]:
    """The measures that are asked, a ratio as its parts."""
    names = [n for m in asked for n in (m.parts.counted if m.parts else (m.name,))]
    return [MEASURES[n] for n in dict.fromkeys(names)]


def _traced(run: QueryExecution, matches: set[int], balls: set[Ball]) -> Trace:
    in_order = sorted((run.book.matches[m] for m in matches), key=lambda m: m.order)
    return Trace(tuple(in_order), tuple(_deliveries(in_order, run.book, balls, run.cursor)))


def _league_matches(run: QueryExecution, rows: Mapping[Key, Record]) -> set[int]:
    by = run.query.by
    keys = {tuple(dict(zip(by, key, strict=True)).get(d) for d in ("team", "season")) for key in rows}
    seasons = set(run.years)
    return {
        m.match_id for m in run.book.matches.values() if m.stage == "league" and m.season in seasons
        and any(team in (m.team1, m.team2) and season in (None, m.season) for team, season in keys)
    }  # fmt: skip


def _of_measure(run: QueryExecution, measure: Measure, rows: Mapping[Key, Record]) -> tuple[set[int], set[Ball]]:
    relation = run.relations[measure.source]
    if measure.source == "person":
        return set(), set()
    innings = _innings(measure, relation, rows, run.cursor)
    found = _balls(measure, relation, innings, run.cursor)
    return ({ball[0] for ball in found} if _by_ball(measure) else {i[0] for i in innings}), found


def _innings(
    measure: Measure, relation: Relation, rows: Mapping[Key, Record], cursor: duckdb.DuckDBPyConnection
) -> dict[tuple[Any, ...], set[Key]]:
    """(match, innings, subject ...) -> dimension values, of the innings rows that the figure rests on."""
    dims = relation.dims
    figure = "NULL" if measure.kind == "fact" else measure.sql
    columns = [*dims, "match_id", "innings", *_subject(relation)]
    cursor.execute(
        f"SELECT {', '.join(columns)}, {figure} FROM ({relation.sql}) GROUP BY {', '.join(dict.fromkeys(columns))}",
        relation.parameters,
    )
    found: dict[tuple[Any, ...], set[Key]] = {}
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
    """What tells the rows of one innings apart."""
    if relation.source == "stand":
        return ["wicket", "batter1", "batter2"]
    if relation.source == "run":
        return ["first_seq", "last_seq", "batter", "bowler"]
    spec = SOURCES[relation.source]
    return [*([spec.subject] if spec.subject and not spec.people else []), *spec.keys]


def _by_ball(measure: Measure) -> bool:
    """Whether the measure counts single deliveries, so that only those behind it are shown."""
    simple = not measure.per_innings and not measure.classed and not measure.distinct
    has_balls = SOURCES[measure.source].balls is not None and SOURCES[measure.source].innings is not None
    return measure.kind == "count" and simple and has_balls and measure.name not in ("hat_tricks", "penalty_runs")


def _balls(
    measure: Measure,
    relation: Relation,
    innings: Mapping[tuple[Any, ...], set[Key]],
    cursor: duckdb.DuckDBPyConnection,
) -> set[Ball]:
    """The deliveries of `innings` that pass the filters and, for a count, add to it."""
    if relation.source == "stand":
        cursor.execute(
            "SELECT match_id, innings, over, ball, wicket_stand, batter, non_striker FROM deliveries "
            "WHERE match_id IN (SELECT unnest(?))", [[i[0] for i in innings]]
        )  # fmt: skip
        stands = {(m, n, w, *sorted(pair)) for m, n, w, *pair in innings}
        return {_ball(row) for row in cursor.fetchall() if (row[0], row[1], row[4], *sorted(row[5:])) in stands}
    if relation.source == "run":
        return _balls_in_a_row(innings, cursor)
    spec = SOURCES[relation.source]
    table = spec.balls or ("field_balls" if relation.source == "field" else None)
    if table is None:
        return set()
    dims = relation.dims
    columns = list(dict.fromkeys([*dims, *_BALL, *_subject(relation)]))
    figure = measure.sql if _by_ball(measure) else "1"
    where = f" WHERE {relation.where}" if relation.where else ""
    cursor.execute(f"SELECT {', '.join(columns)}, {figure} FROM {table}{where} GROUP BY {', '.join(columns)}",
                   relation.where_parameters)  # fmt: skip
    at = {c: i for i, c in enumerate(columns)}
    found = set()
    for row in cursor.fetchall():
        keys = innings.get(tuple(row[at[c]] for c in ("match_id", "innings", *_subject(relation))), set())
        if row[-1] and tuple(row[at[d]] for d in dims) in keys:
            found.add(_ball(tuple(row[at[c]] for c in _BALL)))
    return found


def _ball(row: tuple[Any, ...]) -> Ball:
    return (row[0], row[1], row[2], row[3])


def _balls_in_a_row(innings: Iterable[tuple[Any, ...]], cursor: duckdb.DuckDBPyConnection) -> set[Ball]:
    """The balls from the first to the last of each row of balls, of the innings that it is in."""
    found: set[Ball] = set()
    for match_id, number, first, last, batter, bowler in innings:
        cursor.execute(
            f"SELECT {', '.join(_BALL)} FROM deliveries WHERE match_id = ? AND innings = ? AND seq BETWEEN ? AND ? "
            f"AND {'bowler' if bowler else 'batter'} = ?", [match_id, number, first, last, bowler or batter]
        )  # fmt: skip
        found |= {_ball(row) for row in cursor.fetchall()}
    return found


def _deliveries(
    matches: list[Match], book: SeasonBook, balls: set[Ball], cursor: duckdb.DuckDBPyConnection
) -> list[Delivery]:
    if not balls:
        return []
    by_id = {m.match_id: m for m in matches}
    chosen = [list(by_id)]
    out: dict[Ball, list[str]] = {}
    cursor.execute("SELECT match_id, innings, over, ball, player_out, kind FROM dismissals "
                   "WHERE match_id IN (SELECT unnest(?)) ORDER BY wicket_number", chosen)  # fmt: skip
    for *ball, player, kind in cursor.fetchall():
        out.setdefault(_ball(tuple(ball)), []).append(f"{book.display(player)} {kind}")
    cursor.execute("SELECT match_id, innings, over, ball, bowler, batter, runs, extras FROM deliveries "
                   "WHERE match_id IN (SELECT unnest(?)) ORDER BY innings, seq", chosen)  # fmt: skip
    found = [
        Delivery(by_id[m], innings, over, ball, book.display(bowler), book.display(batter), runs, extras,
                 tuple(out.get((m, innings, over, ball), ())))
        for m, innings, over, ball, bowler, batter, runs, extras in cursor.fetchall()
        if (m, innings, over, ball) in balls
    ]  # fmt: skip
    return sorted(found, key=lambda d: (d.match.order, d.innings, d.over, d.ball))
