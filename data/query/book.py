"""A loaded season as the engine needs it in memory: its matches, people and standings, the columns of its relations.

book = SeasonBook(load("ipl_2024"))
"""

from __future__ import annotations

from datetime import date
from typing import Any

from data.query import views
from data.query.match import Match, read_matches
from data.season import Season


class SeasonBook:
    """What does not change while questions are asked. `years` are the seasons, by their year."""

    def __init__(self, season: Season) -> None:
        views.create(season.connection)
        self.season = season
        cursor = season.connection.cursor()
        self.displays: dict[str, str] = dict(cursor.execute("SELECT player, display FROM players").fetchall())
        columns: dict[str, set[str]] = {}
        for relation, column in cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
        ).fetchall():
            columns.setdefault(relation, set()).add(column)
        self.columns = {relation: frozenset(found) for relation, found in columns.items()}
        self.matches: dict[int, Match] = read_matches(season.connection)
        self.years = tuple(sorted({m.season for m in self.matches.values()}))
        self.standings: list[tuple[int, str, int, float, int]] = cursor.execute(
            "SELECT DISTINCT c.season, s.team, points, net_run_rate, position FROM standings s "
            "JOIN matches m ON m.season = s.season JOIN context c USING (match_id) ORDER BY c.season, position"
        ).fetchall()
        self.people: dict[str, dict[str, Any]] = _people(cursor)

    def display(self, player: str) -> str:
        return self.displays.get(player, player)


def _people(cursor: Any) -> dict[str, dict[str, Any]]:
    """The facts of every player, and how much he batted and bowled in all."""
    cursor.execute(
        "SELECT p.player, batting_hand, bowling_style, country, role, born, "
        "(SELECT coalesce(sum(balls), 0) FROM batting WHERE batter = p.player) AS faced, "
        "(SELECT coalesce(sum(balls), 0) FROM bowling WHERE bowler = p.player) AS bowled FROM players p"
    )
    names = [d[0] for d in cursor.description]
    found = {}
    for row in cursor.fetchall():
        person = dict(zip(names, row, strict=True))
        hand, born = person["batting_hand"], person["born"]
        person["batting_hand"] = f"{hand}-handed" if hand else None
        person["born"] = born if isinstance(born, date) else None
        found[person.pop("player")] = person
    return found
