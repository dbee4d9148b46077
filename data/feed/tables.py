"""Rows of the tables that a feed has beyond a season's own: squads, awards, careers, where shots went.

All is as the feed has it. Knows nothing about commentary, results or files.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from data.cricsheet.format import Match
from data.cricsheet.league import team_of
from data.cricsheet.people import Person
from data.errors import SourceError
from data.feed.files import JsonFile
from data.feed.format import Career, Squad, WagonWheel, record
from data.feed.matches import Source
from data.feed.people import country_of, role_of
from data.feed.reconcile import Difference
from data.feed.values import identity, text, whole

Row = tuple[Any, ...]
# The feed's names of the columns after player, name and format, in their order.
_BATTING = ("matches", "innings", "notout", "runs", "balls", "highest", "run100", "run50", "run4", "run6", "average",
            "strike", "catches", "stumpings")  # fmt: skip
_BOWLING = ("matches", "innings", "balls", "runs", "wickets", "bestinning", "bestmatch", "econ", "average", "strike",
            "wicket4i", "wicket5i", "wicket10m")  # fmt: skip
_RATES, _WORDS = {"average", "strike", "econ"}, {"bestinning", "bestmatch"}


def squads(
    found: Iterable[Squad], teams: Mapping[int | None, str], people: Mapping[int, Person], year: int
) -> list[Row]:
    """A row for each player of each squad; `teams` are the names of the teams in the season's matches."""
    return [
        (str(year), team_of(teams.get(squad.team_id, squad.title), year), people[p.pid].player, people[p.pid].display,
         p.short_name or None, country_of(p), _born(p.birthdate), p.batting_style or None, p.bowling_style or None,
         role_of(p))
        for squad in found for p in squad.players if p.pid is not None
    ]  # fmt: skip


def awards(sources: Iterable[Source], people: Mapping[int, Person], year: int) -> list[Row]:
    """Players of the matches, and of the series (which a feed may name in several matches: one row)."""
    found: dict[Row, Row] = {}
    for source in sources:
        if source.card is None:
            continue
        for award, given in (("player of the match", source.card.man_of_the_match),
                             ("player of the series", source.card.man_of_the_series)):  # fmt: skip
            if given.pid in people:
                row = (str(year), award, source.fixture.match_id, people[given.pid].player)
                found[row[1:] if award == "player of the match" else row[1:2]] = row
    return list(found.values())


def careers(
    files: Iterable[JsonFile], people: Mapping[int, Person], differences: list[Difference]
) -> dict[str, list[Row]]:
    """The tables career_batting and career_bowling: a row for each player and format in which he played.

    A figure that is no number is left empty and added to `differences`.
    """
    found: dict[str, list[Row]] = {"career_batting": [], "career_bowling": []}
    for file in files:
        career = record(Career, file)
        person = people.get(career.player.pid or 0)
        if person is None:
            raise SourceError(file.name, "is of no player of squads/ or of a match; remove it, or copy the feed again")
        for table, formats, columns in (("career_batting", career.batting, _BATTING),
                                        ("career_bowling", career.bowling, _BOWLING)):  # fmt: skip
            for name, figures in formats.items():
                if not isinstance(figures, dict):
                    continue
                where = f"career of {person.display}, {name}, {table.removeprefix('career_')}"
                cells = [_figure(where, column, figures.get(column), differences) for column in columns]
                if cells[0]:  # matches
                    found[table].append((person.player, person.display, name, *cells))
    return found


def shots(
    files: Iterable[JsonFile], sources: Sequence[Source], matches: Sequence[Match], people: Mapping[int, Person]
) -> list[Row]:
    """A row for each shot; its delivery where an innings has as many rows as deliveries, by the same two players.

    The rows have no key to the commentary, and their overs repeat after a wide.
    """
    wheels: dict[int, tuple[str, list[dict[str, Any]]]] = {}
    for file in files:
        wheel = record(WagonWheel, file)
        for innings in wheel.innings:
            rows = [dict(zip(wheel.wagon_fields, row, strict=False)) for row in innings.wagons]
            wheels[innings.inning_id or 0] = (file.name, rows)
    found: list[Row] = []
    for source, match in zip(sources, matches, strict=True):
        cards = sorted(source.card.innings, key=lambda i: (i.issuperover, i.number)) if source.card else []
        for number, (card, innings_) in enumerate(zip(cards, match.innings, strict=True), 1):
            file_name, rows = wheels.get(card.iid or 0, ("", []))
            bowled = [(d.batter, d.bowler) for over in innings_.overs for d in over.deliveries]
            players = [(_player(row.get("batsman_id"), people), _player(row.get("bowler_id"), people)) for row in rows]
            same = players == bowled
            for seq, (row, (batter, bowler)) in enumerate(zip(rows, players, strict=True), 1):
                if batter and bowler:
                    cells = (_number(file_name, row, "bat_run", whole), _number(file_name, row, "x", _coordinate),
                             _number(file_name, row, "y", _coordinate), text(row.get("zone_id")) or None)  # fmt: skip
                    found.append((source.fixture.match_id, number, seq if same else None, batter, bowler, *cells))
    return found


def team_names(sources: Iterable[Source]) -> dict[int | None, str]:
    """What each team was called in the season's matches; profiles have the name of the day of the feed."""
    names: dict[int | None, str] = defaultdict(str)
    for source in sources:
        for side in (source.fixture.teama, source.fixture.teamb):
            names[side.team_id] = side.name
    return dict(names)


def _player(value: Any, people: Mapping[int, Person]) -> str | None:
    person = people.get(identity(value) or 0)
    return person.player if person else None


def _coordinate(value: Any) -> float | None:
    return None if value in (None, "") else float(value)


def _number(file: str, row: Mapping[str, Any], name: str, kind: Callable[[Any], Any]) -> Any:
    try:
        return kind(row.get(name))
    except (TypeError, ValueError):
        raise SourceError(
            file, f"{name} of a shot is {row.get(name)!r}, expected a number; get the file again"
        ) from None


def _figure(where: str, name: str, value: Any, differences: list[Difference]) -> Any:
    """A figure of a career; None for nothing, which is "" or "-"."""
    words = text(value)
    if words in ("", "-"):
        return None
    if name in _WORDS:
        return words
    try:
        # A highest score may have the star of one not out.
        return float(words) if name in _RATES else whole(words.rstrip("*"))
    except ValueError:
        differences.append(Difference(where, f"{name} is {value!r}, no number; it was left empty"))
        return None


def _born(day: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(day[:10])
    except ValueError:
        return None
