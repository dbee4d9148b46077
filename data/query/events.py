"""Single events in the order of play: sixes, fours, wickets, fifties and hundreds reached, balls, winning hits.

A row is one ball with who batted and bowled, the match, and when it was: over.ball as scorers write it, 0.1 to 19.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from data.query.book import SeasonBook
from data.query.language import MEASURES
from data.query.relation import Request, build
from data.query.sources import SOURCES
from data.query.table import Column

MOST_EVENTS = 500  # that are listed without a rank
Ball = tuple[int, int, int, int]  # match, innings, over, delivery of the over


@dataclass(frozen=True)
class Events:
    """Records by column name, in the order of the answer, and the balls they are of; `more` says that there are more
    than are listed."""

    columns: tuple[Column, ...]
    records: tuple[dict[str, Any], ...]
    balls: tuple[Ball, ...]
    more: bool


def events(request: Request, book: SeasonBook, cursor: duckdb.DuckDBPyConnection) -> Events:
    """The events that a query asks for, the first or last n of them where it has a rank."""
    query = request.query
    measure = MEASURES[query.measures[0]]
    relation = build(request, measure.source, [measure.name])
    rank = query.rank
    backwards = rank is not None and rank.kind == "last"
    order = " DESC" if backwards else ""
    limit, skip = (MOST_EVENTS + 1, 0) if rank is None else (1, rank.n - 1) if rank.nth else (rank.n, 0)
    tests = " AND ".join(t for t in (relation.where, f"({measure.aggregate.of})") if t)
    cursor.execute(
        f"SELECT match_id, innings, over, ball, legal_no, batter, bowler, runs, dismissal "
        f"FROM {SOURCES[measure.source].balls} WHERE {tests} "
        f"ORDER BY ord{order}, innings{order}, seq{order} LIMIT {limit} OFFSET {skip}",
        relation.parameters,
    )
    found = cursor.fetchall()
    more = rank is None and len(found) > MOST_EVENTS
    found = found[:MOST_EVENTS] if rank is None else found
    records, balls = [], []
    for match_id, innings, over, ball, number, batter, bowler, runs, dismissal in found:
        match = book.matches[match_id]
        balls.append((match_id, innings, over, ball))
        records.append({
            "batter": book.display(batter), "bowler": bowler and book.display(bowler), "match": match.title,
            "on": match.date, "ground": match.venue, "innings": innings, measure.name: f"{over - 1}.{number}",
            "runs": runs, "dismissal": dismissal and dismissal.replace("_", " "),
        })  # fmt: skip
    if measure.name == "wicket_fall":
        _add_scores(records, balls, found, cursor)
    return Events(_columns(measure.name, measure.label), tuple(records), tuple(balls), more)


def _add_scores(
    records: list[dict[str, Any]], balls: list[Ball], found: list[tuple[Any, ...]], cursor: duckdb.DuckDBPyConnection
) -> None:
    """The team's score when each wicket had fallen: 23/1."""
    keys = [ball[0] for ball in balls]
    cursor.execute(
        "SELECT match_id, innings, over, ball, batter, score, wicket_number FROM falls "
        "WHERE match_id IN (SELECT unnest(?))", [keys]
    )  # fmt: skip
    scores = {tuple(row[:5]): f"{row[5]}/{row[6]}" for row in cursor.fetchall()}
    for record, ball, row in zip(records, balls, found, strict=True):
        record["score"] = scores.get((*ball, row[5]))


def _columns(name: str, label: str) -> tuple[Column, ...]:
    """Who, in which match, at which ball, and what is told of the event."""
    told = [Column("dismissal", "how", "shown"), Column("score", "score", "shown")] if name == "wicket_fall" else []
    told += [Column("runs", "runs", "shown")] if name in ("ball_bowled", "winning_hit") else []
    return (
        Column("batter", "out" if name == "wicket_fall" else "batter", "dimension"),
        Column("bowler", "bowler", "dimension"),
        Column("match", "match", "dimension"),
        Column("on", "date", "dimension"),
        Column("ground", "ground", "dimension"),
        Column(name, f"{label} at over.ball", "asked"),
        Column("innings", "innings", "shown"),
        *told,
    )
