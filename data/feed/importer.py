"""Imports a feed as a stored season: the tables that Cricsheet's files give, and the feed's own.

Nothing is written before the whole feed is read, every innings compared with its scorecard, and the season loaded once
from a temporary folder. Knows nothing about questions.

    python -m data import Indian_Premier_League_2022-03-26.zip
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from data.cricsheet.format import Match
from data.cricsheet.importer import Found, Supplement, import_matches
from data.cricsheet.league import league_of, season_year, team_of
from data.cricsheet.people import Person
from data.errors import SourceError
from data.feed.files import Feed, read_feed
from data.feed.format import Profile, Squad, Standings, items, record
from data.feed.matches import Source, match_of, sources
from data.feed.people import persons
from data.feed.reconcile import Difference, table_differences
from data.feed.tables import awards, careers, shots, squads, team_names
from data.season import SEASONS, About, Season, load

ORIGIN = "a private feed; whose data they are, and whether they may be passed on, its owner knows"
REPORT = "import-report.md"


@dataclass(frozen=True)
class Imported:
    """A season made of a feed, and what commentary, scorecards and points table of the feed do not agree on."""

    about: About
    differences: tuple[Difference, ...]
    report: Path


def import_feed(
    source: str | Path, name: str | None = None, folder: Path = SEASONS, replace: bool = False, alone: bool = False
) -> Imported:
    """Import the folder or zip as season `name`, by default `my_ipl_2022` after its competition and year.

    Raises SourceError (file, reason and remedy) and SeasonExists; no season is left half-imported.
    """
    feed = read_feed(source)
    found = sources(feed)
    if not found:
        raise SourceError(feed["matches"][0].name, "lists no match; copy the feed again")
    year = _year(found[0])
    teams = [record(Squad, file, content) for file in feed["squads"] for content in items(file)]
    people = persons(_profiles(teams, found), year)
    matches: list[Match] = []
    differences: list[Difference] = []
    for one in found:
        match, differing = match_of(one, people)
        matches.append(match)
        differences += differing
    records: list[Found] = [
        (one.file, one.fixture.match_id or 0, match) for one, match in zip(found, matches, strict=True)
    ]
    tables = {
        "squads": squads(teams, team_names(found), people, year),
        "match_awards": awards(found, people, year),
        "shots": shots(feed["match_wagon_wheel"], found, matches, people),
        **careers(feed["player_career_stats"], people, differences),
    }
    name = name or _free_name(found[0], year)
    everybody = {person.player: person for person in people.values()}
    with tempfile.TemporaryDirectory(prefix="feed-") as trial:
        supplement = Supplement(ORIGIN, everybody, tables)
        import_matches(str(source), lambda: records, name, None, Path(trial), alone=True, supplement=supplement)
        differences += _table(feed, load(name, Path(trial)), team_names(found))
    supplement = Supplement(ORIGIN, everybody, tables, {REPORT: _report(feed, people, found, differences)})
    about = import_matches(str(source), lambda: records, name, None, folder, replace, alone, supplement)
    return Imported(about, tuple(differences), folder / name / REPORT)


def _year(source: Source) -> int:
    season = source.fixture.competition.season
    try:
        return season_year(season)
    except ValueError as error:
        raise SourceError(source.file, f"competition.season: {error}; correct it") from None


def _profiles(teams: list[Squad], found: list[Source]) -> list[Profile]:
    """Everybody whom squads, commentaries and scorecards describe or name."""
    profiles = [player for squad in teams for player in squad.players]
    for _, log in found[0].logs.values():
        profiles += log.players
    for card in (source.card for source in found if source.card):
        profiles += card.players
        for innings in card.innings:
            named = [(b.batsman_id, b.name) for b in innings.batsmen] + [(b.bowler_id, b.name) for b in innings.bowlers]
            named += [(b.player_id, b.name) for b in innings.did_not_bat]
            named += [(f.fielder_id, f.fielder_name) for f in innings.fielder]
            profiles += [Profile(pid=pid, title=name) for pid, name in named if name]
    return profiles


def _free_name(source: Source, year: int) -> str:
    """`my_ipl_2022`: in a collection of its own, since a private season has no place in the league's public one."""
    short = re.sub(r"[^a-z0-9]+", "_", league_of(source.fixture.competition.title).short.lower()).strip("_")
    return f"my_{short}_{year}"


def _table(feed: Feed, season: Season, teams: dict[int | None, str]) -> list[Difference]:
    """The feed's points table against the one that its matches give."""
    computed = season.connection.execute(
        "SELECT team::TEXT, played, won, lost, points, net_run_rate FROM standings"
    ).fetchall()
    published: list[tuple[object, ...]] = []
    for file in feed["standings"]:
        for group in record(Standings, file).standings:
            for row in group.standings:
                try:
                    rate: float | str = round(float(row.netrr), 3)
                except ValueError:
                    rate = row.netrr  # no number, and so a difference
                team = team_of(teams.get(row.team_id, row.team.title), season.year)
                published.append((team, row.played, row.win, row.loss, row.points, rate))
    return table_differences(computed, published) if computed else []


def _report(feed: Feed, people: dict[int, Person], found: list[Source], differences: list[Difference]) -> str:
    own = sorted(person.display for person in people.values() if person.player.startswith("feed-"))
    lines = [
        "# What was imported",
        "",
        f"{len(found)} matches, {len(people)} players. Squads, styles and careers are of the day on which the feed was "
        "saved, which is later than the season.",
        *(f"- {folder}/: {len(files)} files" for folder, files in feed.items()),
        "",
        f"Players who are not among the persons of data/cricsheet/people.csv, or not for certain: {len(own)}.",
        *(f"- {name}" for name in own),
        "",
        f"# Differences: {len(differences)}",
        "",
        "The tables are made of the commentary. Where the scorecard or the points table says something else:",
        "",
        *(f"- {difference}" for difference in differences),
    ]
    return "\n".join(lines) + "\n"
