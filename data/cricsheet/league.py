"""Facts of the league that the match files lack: grounds, team names, abandoned matches, titles of seasons.

Reads the reviewed files venues.json, teams.json and schedule.csv. Knows nothing about deliveries or nicknames.

    python -c "from data.cricsheet.league import venue_of; print(venue_of('Feroz Shah Kotla', 'Delhi'))"
"""

from __future__ import annotations

import csv
import datetime
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent

STAGES = {
    "qualifier 1": "qualifier_1",
    "qualifier 2": "qualifier_2",
    "eliminator": "eliminator",
    "elimination final": "elimination_final",
    "semi final": "semi_final",
    "3rd place play-off": "third_place",
    "final": "final",
}


@dataclass(frozen=True)
class Venue:
    name: str
    city: str | None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Team:
    name: str
    short: str
    franchise: str
    first: int
    last: int | None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Abandoned:
    """A scheduled league match in which no ball was bowled; Cricsheet has no file of it."""

    season: str
    match_id: int
    date: datetime.date
    number: int
    team1: str
    team2: str
    venue: str
    city: str


@cache
def venues() -> tuple[Venue, ...]:
    rows = json.loads((HERE / "venues.json").read_text(encoding="utf-8"))["venues"]
    return tuple(Venue(r["name"], r["city"], tuple(r["also"])) for r in rows)


@cache
def teams() -> tuple[Team, ...]:
    rows = json.loads((HERE / "teams.json").read_text(encoding="utf-8"))["teams"]
    return tuple(Team(**{**r, "also": tuple(r["also"])}) for r in rows)


@cache
def abandoned_matches() -> tuple[Abandoned, ...]:
    with open(HERE / "schedule.csv", encoding="utf-8", newline="") as file:
        return tuple(
            Abandoned(
                row["season"],
                int(row["match_id"]),
                datetime.date.fromisoformat(row["date"]),
                int(row["number"]),
                row["team1"],
                row["team2"],
                row["venue"],
                row["city"],
            )
            for row in csv.DictReader(file)
        )


@cache
def _venue_names() -> dict[str, Venue]:
    return {name: venue for venue in venues() for name in (venue.name, *venue.also)}


def venue_of(name: str, city: str | None) -> Venue:
    """The ground that a match file names. One that is not in venues.json keeps its name, without the city."""
    known = _venue_names()
    short = name
    while short not in known and ", " in short:
        short = short.rpartition(", ")[0]
    if short in known:
        return known[short]
    return Venue(name.removesuffix(f", {city}") if city else name, city)


@cache
def _team_names() -> dict[str, tuple[Team, ...]]:
    found: dict[str, list[Team]] = {}
    for team in teams():
        for name in (team.name, *team.also):
            found.setdefault(name, []).append(team)
    return {name: tuple(named) for name, named in found.items()}


def team_of(name: str, year: int) -> str:
    """The name that the franchise had in that year, for any spelling or later name.

    Cricsheet has at times renamed the teams of old matches. A team that is not in teams.json keeps its name.
    """
    named = _team_names().get(name)
    if named is None:
        return name
    for team in teams():
        if team.franchise == named[0].franchise and team.first <= year <= (team.last or 9999):
            return team.name
    return named[0].name


def season_title(event: str, years: list[int]) -> str:
    """`IPL 2024`, or `IPL 2008-2024` of several."""
    league = {"Indian Premier League": "IPL"}.get(event, event)
    return f"{league} {years[0]}" if len(years) == 1 else f"{league} {years[0]}-{years[-1]}"
