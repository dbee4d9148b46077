"""Imports Cricsheet's zip or folder as a stored season, or as one season per year.

Does what needs more than one match: the choice of the season, the numbers of the play-offs, who kept wicket, the
abandoned matches that have no file. Knows nothing about questions.

    python -m data import ipl_2023_json.zip --name ipl_2023
    python -m data import ipl_json.zip --name ipl --pick all
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data.cricsheet.format import Match, read_matches
from data.cricsheet.league import League, abandoned_matches, known_team, league_of, leagues, season_year
from data.cricsheet.people import Person
from data.cricsheet.scorebook import Row, Rows, add_match
from data.errors import SourceError
from data.season import SEASONS, About, about, season_title, write
from data.season.store import collections, stored
from data.season.tables import STORED

ALL = "all"
Found = tuple[str, int, Match]  # file, match id, record


@dataclass(frozen=True)
class Supplement:
    """What a source other than Cricsheet's files brings along.

    `people` are its persons by the id in the records' registry, `tables` rows of tables.SUPPLEMENTS, `texts` files to
    lie beside the tables, by name.
    """

    source: str
    people: Mapping[str, Person] = field(default_factory=dict)
    tables: Mapping[str, list[Row]] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


def import_season(
    source: str | Path,
    name: str,
    season: str | None = None,
    folder: Path = SEASONS,
    replace: bool = False,
    alone: bool = False,
) -> About:
    """Import the matches of `source` (zip or folder) as season `name`, such as ipl_2023.

    Of several seasons in the source, `season` selects one (`2023`, `2007/08`), or else the year in the name. The season
    is part of the collection that is called as the name is without the year (`ipl`), unless it is `alone`. With
    `season="all"`, or a name that ends in `_all`, every season is imported as <name>_<year> into the collection `name`.

    Raises SourceError (named file and reason) and SeasonExists; no season is left half-imported.
    """
    return import_matches(str(source), lambda: read_matches(source), name, season, folder, replace, alone)


def import_matches(
    source: str,
    read: Callable[[], Iterable[Found]],
    name: str,
    season: str | None = None,
    folder: Path = SEASONS,
    replace: bool = False,
    alone: bool = False,
    supplement: Supplement | None = None,
) -> About:
    """Import the match records that `read` gives, of whatever source, as import_season does."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise SourceError(source, f"{name!r} cannot be a season's name; use small letters, digits, _ and -")
    by_year = _by_year(read())
    if season == ALL or (season is None and name.endswith("_all")):
        league = _one_league(match for matches in by_year.values() for match in matches)
        _check_collection(source, name, league, folder)
        _check_name(source, name, league)
        for year, matches in sorted(by_year.items()):
            _import_year(f"{name}_{year}", year, matches, league, folder, replace, name, supplement)
        return about(name, folder)
    year = _selected(source, by_year, name, season)
    league = _one_league(by_year[year])
    collection = None
    if in_name := re.fullmatch(r"(.+)_(\d{4})", name):
        if int(in_name[2]) != year:
            raise SourceError(source, f"the matches are of {year}, not of {in_name[2]} as the name {name!r} says")
        collection = None if alone else in_name[1]
    if name in collections(folder):
        raise SourceError(source, f"{name!r} is the name of a collection; name the season {name}_{year}")
    if collection:
        _check_collection(source, collection, league, folder)
    _check_name(source, name, league)
    return _import_year(name, year, by_year[year], league, folder, replace, collection, supplement)


def _import_year(
    name: str,
    year: int,
    matches: list[Found],
    league: League,
    folder: Path,
    replace: bool,
    collection: str | None,
    supplement: Supplement | None,
) -> About:
    _check_duplicates(matches)
    rows = Rows(people=dict(supplement.people) if supplement else {})
    for file, match_id, match in matches:
        add_match(rows, file, match_id, match)
    title = season_title(league.short, [year])
    _add_season(rows, year, title, league, matches)
    _add_abandoned(rows, year, league, matches)
    _number_matches(rows)
    _mark_keepers(rows)
    _add_players(rows)
    if supplement is None:
        return write(name, title, league.short, [year], rows.tables, folder, replace, collection)
    return write(name, title, league.short, [year], {**rows.tables, **supplement.tables}, folder, replace, collection,
                 supplement.source, supplement.texts)  # fmt: skip


def _by_year(found: Iterable[Found]) -> dict[int, list[Found]]:
    by_year: dict[int, list[Found]] = defaultdict(list)
    for file, match_id, match in found:
        try:
            year = season_year(match.info.season)
        except ValueError as error:
            raise SourceError(file, f"info.season: {error}") from None
        by_year[year].append((file, match_id, match))
    return by_year


def _one_league(found: Iterable[Found]) -> League:
    """The competition of the matches. Raises SourceError where they are of several or not as long as its rules say."""
    first: tuple[str, tuple[League, str, int]] | None = None
    for file, _, match in found:
        info = match.info
        league = league_of(info.event.name)
        if league.overs and info.overs != league.overs:
            raise SourceError(file, f"a match of {info.overs} overs; the {league.name} plays {league.overs} a side")
        kind = (league, info.gender, info.overs)
        first = first or (file, kind)
        if kind != first[1]:
            shown = [f"{k[0].name} ({k[1]}, {k[2]} overs)" for k in (kind, first[1])]
            raise SourceError(file, f"a match of {shown[0]}, but {first[0]} is of {shown[1]}; put the files of one "
                              "competition into a folder of their own and import that")  # fmt: skip
    assert first is not None  # an empty source is refused when it is read
    return first[1][0]


def _selected(source: str, by_year: dict[int, list[Found]], name: str, season: str | None) -> int:
    """The year to import: the option, else that of the name, else the only one there is."""
    if season is not None:
        try:
            year = season_year(season.removeprefix("ipl_"))
        except ValueError:
            year = -1
    elif len(by_year) == 1:
        (year,) = by_year
    else:
        in_name = re.search(r"(\d{4})$", name)
        year = int(in_name[1]) if in_name else -1
    if year not in by_year:
        there = sorted(by_year)
        given = f"has no season {season!r}, but" if season is not None else "holds"
        raise SourceError(source, f"{given} the seasons {', '.join(map(str, there))}; take one with "
                          f"--pick {there[-1]}, or all with --pick {ALL}")  # fmt: skip
    return year


def _check_name(source: str, name: str, league: League) -> None:
    """Refuse the name of one competition for the matches of another: no `ipl_2023` of a 50-over cup."""
    named = next((x for x in leagues() if re.fullmatch(rf"{x.short.lower()}(_.*)?", name)), None)
    if named is not None and named != league:
        raise SourceError(source, f"the matches are of the {league.name}, not of the {named.name} as the name {name!r} "
                          "says; give another name")  # fmt: skip


def _check_collection(source: str, collection: str, league: League, folder: Path) -> None:
    if collection in stored(folder):
        raise SourceError(source, f"{collection!r} is the name of a season; a collection needs another name")
    there = collections(folder).get(collection, set())
    if there - {league.short}:
        raise SourceError(
            source,
            f"the collection {collection!r} is of {there.pop()}, the matches of {league.name}; give another name",
        )


def _check_duplicates(matches: list[Found]) -> None:
    seen: dict[object, str] = {}
    for file, _, match in matches:
        info = match.info
        key = (info.dates[0], frozenset(info.teams), info.event.match_number, info.event.stage)
        if key in seen:
            raise SourceError(
                file,
                f"the same match as {seen[key]} ({' v '.join(info.teams)}, {info.dates[0]}) under "
                "another id; keep one of them",
            )
        seen[key] = file


def _add_season(rows: Rows, year: int, title: str, league: League, matches: list[Found]) -> None:
    info = matches[0][2].info
    # National sides are seldom at home, and the files do not say when.
    neutral = year in league.neutral_seasons or info.team_type == "international"
    rows.add("seasons", str(year), title, info.season, league.name, league.first_season, info.overs, neutral,
             league.points_table)  # fmt: skip
    teams = {known_team(name, year) for _, _, match in matches for name in match.info.teams}
    for team in sorted(teams, key=lambda t: t.name):
        rows.add("team_names", str(year), team.franchise, team.name, team.short or None)


def _add_abandoned(rows: Rows, year: int, league: League, matches: list[Found]) -> None:
    """Add the season's abandoned matches for which there is no file."""
    played = {match.info.event.match_number for _, _, match in matches}
    for a in abandoned_matches():
        if (a.league, a.season) == (league.name, year) and a.number not in played:
            known = {
                "match_id": a.match_id, "season": str(year), "date": a.date, "number": a.number, "stage": "league",
                "venue": a.venue, "city": a.city, "team1": a.team1, "team2": a.team2, "result": "abandoned",
                "super_over": False, "overs": league.overs, "shortened": False,
            }  # fmt: skip
            rows.add("matches", *(known.get(column) for column, _ in STORED["matches"]))


def _number_matches(rows: Rows) -> None:
    """Number the play-offs, which have no number in the files: after the league matches, by date."""
    columns = [c for c, _ in STORED["matches"]]
    number = columns.index("number")
    date, match_id = columns.index("date"), columns.index("match_id")
    last = max(row[number] or 0 for row in rows.tables["matches"])
    numbered = []
    for row in sorted(rows.tables["matches"], key=lambda r: (r[date], r[match_id])):
        if row[number] is None:
            last += 1
            row = (*row[:number], last, *row[number + 1 :])
        numbered.append(row)
    rows.tables["matches"] = numbered


def _mark_keepers(rows: Rows) -> None:
    """Mark in `fielding` who kept wicket in each match.

    The files do not name the keeper. It is who made a stumping in the match; otherwise, of the eleven, who has most
    stumpings in the season, then who is a keeper by role, then who has most dismissals.
    """
    stumped: dict[tuple[int, str], set[str]] = defaultdict(set)
    stumpings: Counter[tuple[str, str]] = Counter()
    dismissals: Counter[tuple[str, str]] = Counter()
    for row in rows.tables.get("fielding", []):
        match_id, fielder, kind, substitute, team = row[0], row[4], row[5], row[6], row[8]
        if kind == "stumping":
            stumped[match_id, team].add(fielder)
            stumpings[team, fielder] += 1
        if not substitute:
            dismissals[team, fielder] += 1
    keepers: dict[tuple[int, str], set[str]] = dict(stumped)
    elevens: dict[tuple[int, str], list[str]] = defaultdict(list)
    for match_id, player, team, _, _ in rows.tables["appearances"]:
        elevens[match_id, team].append(player)
    for (match_id, team), eleven in elevens.items():
        if (match_id, team) in keepers:
            continue
        able = [p for p in eleven if rows.people[p].keeper or stumpings[team, p]]
        if able:
            rank = [(stumpings[team, p], rows.people[p].keeper, dismissals[team, p]) for p in able]
            keepers[match_id, team] = {able[rank.index(max(rank))]}
    rows.tables["fielding"] = [
        (*row[:7], row[4] in keepers.get((row[0], row[8]), ()), *row[8:]) for row in rows.tables.get("fielding", [])
    ]
    for (team, player), count in stumpings.items():
        if count:
            rows.tables.setdefault("_stumpers", []).append((player, team))


def _add_players(rows: Rows) -> None:
    teams: dict[str, Counter[str]] = defaultdict(Counter)
    for _, player, team, _, _ in rows.tables["appearances"]:
        teams[player][team] += 1
    for row in rows.tables.get("fielding", []):  # substitute fielders who never played
        if row[4] not in teams:
            teams[row[4]][row[8]] += 1
    stumpers = {player for player, _ in rows.tables.pop("_stumpers", [])}
    for player, counts in teams.items():
        p: Person = rows.people[player]
        rows.add(
            "players",
            player,
            p.name,
            p.display,
            p.full_name,
            p.common_name,
            p.country,
            p.born,
            p.batting_hand,
            p.bowling_style,
            p.bowling.pace_or_spin,
            p.bowling.arm,
            p.bowling.kind,
            p.role,
            p.keeper or player in stumpers,
            [t for t, _ in counts.most_common()],
        )
