"""What an answer named beside its question: "he" and "in that match" of a follow-up may mean these.

    leaders(retrieved, names, matches)      # the mentions of P1 T1 T2 D1 V1 for "highest_score by batter | top 1"

A list of players, teams or grounds has the names of its first rows. One row that is about a match or was made in one
has its players, both teams (first the winner's, the row's or the player's), the day and the ground, as the follow-ups
of data/phrases have them. Names that the query line has itself are left out when the next question joins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from agents.messages import Retrieved
from data.linking.mention import AMBIGUOUS, FOUND, KINDS, Mention
from data.linking.resolver import Names
from data.linking.roster import Player
from data.query import StatTable
from data.query.match import Match

MOST_ROWS = 5  # of a list, as the follow-ups that the model learns from have at most
_PLAYERS = ("batter", "bowler", "fielder", "player", "pair", "player_of_match")
_TEAMS = ("winner", "team", "opponent")
_GROUNDS = ("venue", "ground")
_MADE = re.compile(r"(?:off (?P<bowler>.+), )?v (?P<team>.+), (?P<day>\d+ \w+ \d{4})")  # of a best figure


def leaders(retrieved: Retrieved, names: Names, matches: Mapping[int, Match]) -> tuple[Mention, ...]:
    """Mentions of the names in the tables; their placeholders say no more than the kind."""
    finder = _Finder(names, matches.values())
    found = [named for table in retrieved.tables for named in finder.of_table(table)]
    return tuple(_mention(kind, key) for kind, key in dict.fromkeys(found))


def settled(mention: Mention, shown: str, names: Names) -> Mention:
    """An ambiguous player as the one that the answer was about, whom it calls `shown`."""
    if mention.kind != "player" or mention.status != AMBIGUOUS:
        return mention
    meant = tuple(key for key in mention.candidates if names.display(key) == shown)
    return replace(mention, candidates=meant, status=FOUND) if len(meant) == 1 else mention


class _Finder:
    """Finds names as (letter of the kind, key) in tables, which hold them as they are shown."""

    def __init__(self, names: Names, matches: Collection[Match]) -> None:
        self.matches, self.teams = matches, frozenset(names.roster.teams)
        self.players: dict[str, Player] = {player.display: player for player in names.roster.players}

    def of_table(self, table: StatTable) -> Iterator[tuple[str, str]]:
        rows = [dict(zip((c.name for c in table.columns), row, strict=True)) for row in table.rows]
        if len(rows) == 1:
            yield from self._of_one_row(rows[0])
        elif not any("match" in row for row in rows) and (table.query.rank or len(rows) <= MOST_ROWS):
            for row in rows[:MOST_ROWS]:
                yield from self._of_row(row)

    def _of_row(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        yield from (("P", player.key) for player in self._players_in(row))
        yield from (("T", row[name]) for name in _TEAMS if row.get(name) in self.teams)
        yield from (("V", row[name]) for name in _GROUNDS if row.get(name))

    def _of_one_row(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        made = [m for name, value in row.items() if name.startswith("at_") and (m := _MADE.fullmatch(str(value)))]
        where = made[0] if len(made) == 1 else None  # the first and the last match of a streak are two
        match = self._made_in(where) if where else self._match_of(row)
        if match is None:
            yield from self._of_row(row)
            return
        players = self._players_in(row)
        if where and where["bowler"] in self.players:
            players.append(self.players[where["bowler"]])
        sides = [match.team1, match.team2]
        first = [match.other(where["team"])] if where else [row[name] for name in _TEAMS if row.get(name) in sides]
        first += [side for player in players[:1] for side in sides if (match.season, side) in player.sides]
        yield from (("P", player.key) for player in players)
        yield from (("T", team) for team in (*first, *sides))
        yield "D", match.date.isoformat()
        yield "V", match.venue

    def _made_in(self, where: re.Match[str]) -> Match | None:
        day, team = datetime.strptime(where["day"], "%d %B %Y").date(), where["team"]
        return next((m for m in self.matches if m.date == day and team in (m.team1, m.team2)), None)

    def _match_of(self, row: dict[str, Any]) -> Match | None:
        day = row.get("on") or row.get("date")
        return next((m for m in self.matches if (m.date, m.title) == (day, row.get("match"))), None)

    def _players_in(self, row: dict[str, Any]) -> list[Player]:
        shown = [str(row[name]) for name in _PLAYERS if row.get(name)]
        return [self.players[name] for text in shown for name in text.split(" and ") if name in self.players]


def _mention(letter: str, key: str) -> Mention:
    return Mention(f"{letter}1", key, 0, 0, KINDS[letter], (key,), FOUND)
