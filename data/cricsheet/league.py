"""Facts of competitions that the match files lack: rules, grounds, team names, abandoned matches, years of seasons.

Reads the reviewed files leagues.json, venues.json, teams.json and schedule.csv. Knows nothing about deliveries or
nicknames.

    python -c "from data.cricsheet.league import venue_of; print(venue_of('Feroz Shah Kotla', 'Delhi'))"
"""

from __future__ import annotations

import csv
import datetime
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent

STAGES = {
    "qualifier 1": "qualifier_1",
    "qualifier 2": "qualifier_2",
    "eliminator": "eliminator",
    "elimination final": "eliminator",  # of 2011, 2012 and 2016
    "semi final": "semi_final",
    "3rd place play-off": "third_place",
    "final": "final",
    # of other competitions
    "quarter final": "quarter_final",
    "qualifier": "qualifier",
    "knockout": "knockout",
    "challenger": "challenger",
    "eliminator 1": "eliminator_1",
    "eliminator 2": "eliminator_2",
}
# Rounds between groups and knock-outs: Super 8, Super 12, Super Four, Super Sixes. They are part of the league stage.
LEAGUE_ROUND = re.compile(r"super \w+")
# Seasons that Cricsheet names after two years and that were played in the second. Others are of the first year: the IPL
# of 2020/21 was played in 2020, the Big Bash League of 2023/24 began in 2023.
PLAYED_IN_SECOND_YEAR = {"2007/08": 2008, "2009/10": 2010}


@dataclass(frozen=True)
class League:
    """A competition. `short` is its name in titles; `overs` a side and `first_season` are None if not known."""

    name: str
    short: str
    overs: int | None = None
    first_season: int | None = None
    points_table: bool = False
    neutral_seasons: tuple[int, ...] = ()
    also: tuple[str, ...] = ()


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
    """A scheduled league match in which no ball was bowled; Cricsheet has no file of it. `season` is a year."""

    league: str
    season: int
    match_id: int
    date: datetime.date
    number: int
    team1: str
    team2: str
    venue: str
    city: str


@cache
def leagues() -> tuple[League, ...]:
    rows = json.loads((HERE / "leagues.json").read_text(encoding="utf-8"))["leagues"]
    return tuple(
        League(**{**r, "neutral_seasons": tuple(r["neutral_seasons"]), "also": tuple(r["also"])}) for r in rows
    )


def league_of(event: str) -> League:
    """The competition of a match file's event; one that is not in leagues.json has its own name and no points table."""
    return next((x for x in leagues() if event in (x.name, *x.also)), League(event, event))


def stage_of(stage: str | None) -> str | None:
    """The stage as the tables name it, by the one of a match file; None for one that is not known."""
    if stage is None or LEAGUE_ROUND.fullmatch(stage.lower()):
        return "league"
    return STAGES.get(stage.lower())


def season_year(label: str) -> int:
    """The year of a season by its label: `2024`, `2007/08` (2008), `2009_10` (2010), `2020/21` (2020).

    Raises ValueError if the label is no year.
    """
    label = label.replace("_", "/")
    if not re.fullmatch(r"\d{4}(/\d{2}(\d{2})?)?", label):
        raise ValueError(f"{label!r} is not the name of a season, such as 2024 or 2007/08")
    return PLAYED_IN_SECOND_YEAR.get(label) or int(label[:4])


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
                row["league"],
                season_year(row["season"]),
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
    return known_team(name, year).name


def known_team(name: str, year: int) -> Team:
    """The team of that name in that year; one that is not in teams.json is a franchise of its own."""
    named = _team_names().get(name)
    if named is None:
        return Team(name, "", name, year, None)
    for team in teams():
        if team.franchise == named[0].franchise and team.first <= year <= (team.last or 9999):
            return team
    return named[0]
