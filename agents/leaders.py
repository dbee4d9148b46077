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
    of_table = finder.of_table if len(retrieved.tables) == 1 else finder.of_list
    found = [named for table in retrieved.tables for named in of_table(table)]
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
        """The names of the only row's match, else those of a list."""
        if len(table.rows) == 1 and (match := self._match(table)):
            yield from self._of_match(match, _rows(table)[0])
        else:
            yield from self.of_list(table)

    def of_list(self, table: StatTable) -> Iterator[tuple[str, str]]:
        """The names of the first rows; none of a list of matches or of a long list without a rank of all."""
        rows, rank = _rows(table), table.query.rank
        if len(rows) > 1 and "match" in rows[0] or len(rows) > MOST_ROWS and (rank is None or rank.per):
            return
        for row in rows[:MOST_ROWS]:
            yield from self._of_row(row)

    def _of_row(self, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        yield from (("P", player.key) for player in self._players_in(row))
        yield from (("T", row[name]) for name in _TEAMS if row.get(name) in self.teams)
        yield from (("V", row[name]) for name in _GROUNDS if row.get(name))

    def _of_match(self, match: Match, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
        players, sides, where = self._players_in(row), [match.team1, match.team2], _made(row)
        if where and where["bowler"] in self.players:
            players.append(self.players[where["bowler"]])
        first = [match.other(where["team"])] if where else [row[name] for name in _TEAMS if row.get(name) in sides]
        first += [side for player in players[:1] for side in sides if (match.season, side) in player.sides]
        yield from (("P", player.key) for player in players)
        yield from (("T", team) for team in (*first, *sides))
        yield "D", match.date.isoformat()
        yield "V", match.venue

    def _match(self, table: StatTable) -> Match | None:
        """The match that the only row is about, or in which its only figure was made."""
        row = _rows(table)[0]
        where = _made(row)
        if where is None:
            day = row.get("on") or row.get("date")
            return next((m for m in self.matches if (m.date, m.title) == (day, row.get("match"))), None)
        if sum(column.role == "asked" for column in table.columns) > 1:
            return None  # a summary of a player, with his best figure among others
        day, team = datetime.strptime(where["day"], "%d %B %Y").date(), where["team"]
        return next((m for m in self.matches if m.date == day and team in (m.team1, m.team2)), None)

    def _players_in(self, row: dict[str, Any]) -> list[Player]:
        names = (*_PLAYERS, "facing") if "batter" in row else _PLAYERS  # whom a batter faces in his best over
        shown = [str(row[name]) for name in names if row.get(name)]
        return [self.players[name] for text in shown for name in text.split(" and ") if name in self.players]


def _rows(table: StatTable) -> list[dict[str, Any]]:
    """The rows as values by column."""
    return [dict(zip((column.name for column in table.columns), row, strict=True)) for row in table.rows]


def _made(row: dict[str, Any]) -> re.Match[str] | None:
    """Where the row's best figure was made; None where it has several: the first and the last match of a streak."""
    texts = [str(value) for name, value in row.items() if name.startswith("at_")]
    found = [where for where in map(_MADE.fullmatch, texts) if where]
    return found[0] if len(found) == 1 else None


def _mention(letter: str, key: str) -> Mention:
    return Mention(f"{letter}1", key, 0, 0, KINDS[letter], (key,), FOUND)
