"""What is looked up and not summed: facts of matches and of players, who played in a match, the league table.

Each function gives {dimension values: {measure: value}} for the rows of a relation.
"""

from __future__ import annotations

from typing import Any

import duckdb

from data.query.book import SeasonBook
from data.query.query import QueryError
from data.query.ranking import Key, Record
from data.query.relation import Relation, Request

Found = dict[Key, Record]


def _keys_of(relation: Relation, cursor: duckdb.DuckDBPyConnection, more: str = "") -> list[tuple[Any, ...]]:
    columns = ", ".join(f"{column} AS d{i}" for i, column in enumerate(relation.dims))
    cursor.execute(f"SELECT DISTINCT {columns}{more} FROM ({relation.sql})", relation.parameters)
    return cursor.fetchall()


def match_facts(request: Request, book: SeasonBook, relation: Relation, cursor: duckdb.DuckDBPyConnection) -> Found:
    place = request.query.by.index("match")
    return {key: dict(book.matches[key[place]].facts) for key in _keys_of(relation, cursor) if None not in key}


def person_facts(request: Request, book: SeasonBook, relation: Relation, cursor: duckdb.DuckDBPyConnection) -> Found:
    """What is known of each player, and for which teams he played in the matches that are asked about."""
    place = relation.dims.index("player")
    cursor.execute(f"SELECT player, team, min(ord) FROM ({relation.sql}) GROUP BY ALL ORDER BY 3", relation.parameters)
    sides: dict[str, list[str]] = {}
    for player, team, _ in cursor.fetchall():
        sides.setdefault(player, []).append(team)
    return {key: book.people[key[place]] | {"sides": ", ".join(sides[key[place]])}
            for key in _keys_of(relation, cursor) if None not in key}  # fmt: skip


def eleven(relation: Relation, cursor: duckdb.DuckDBPyConnection) -> Found:
    """Everybody who played, and whether he came in for another."""
    rows = _keys_of(relation, cursor, ", bool_or(substitute) OVER (PARTITION BY match_id, player)")
    return {tuple(key): {"eleven": "substitute" if came_in else "in the eleven"} for *key, came_in in rows
            if None not in key}  # fmt: skip


def league_table(request: Request, book: SeasonBook) -> Found:
    """One row a team, or a team and season."""
    query = request.query
    if not set(query.by) <= {"team", "season"}:
        others = [d for d in query.by if d not in ("team", "season")]
        raise QueryError(f"the league table has a row a team: leave out by {', '.join(others)}")
    if query.each:
        raise QueryError("the league table has no single matches: leave out each")
    if not book.standings:
        raise QueryError(f"there is no points table of the {book.season.league}, whose rules for points are not known; "
                         "wins, losses and matches by team can be asked")  # fmt: skip
    teams: set[str] | None = None
    others_than: set[str] = set()
    for f in query.filters:
        named = set(request.keys[f])
        if f.key in ("team", "between"):
            if f.op == "!=":
                others_than |= named
            else:
                teams = named if teams is None else teams & named
        elif f.key != "season" and (f.key != "stage" or "league" not in f.values or f.op != "="):
            raise QueryError(f"the league table cannot be filtered by {f.key}, but by team and season")
    return {
        tuple({"team": team, "season": season}[d] for d in query.by): {
            "points": points, "net_run_rate": rate, "position": place, "sort_points": -place,
        }
        for season, team, points, rate, place in book.standings
        if (request.years is None or season in request.years)
        and (teams is None or team in teams) and team not in others_than
    }  # fmt: skip
