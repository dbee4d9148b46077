"""Imports Cricsheet's zip or folder as a stored season.

Does what needs more than one match: the choice of the season, the numbers of the play-offs, who kept wicket, the
abandoned matches that have no file. Knows nothing about questions.

    python -m data import ipl_2023_json.zip --name ipl_2023
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from data.cricsheet.format import Match, read_matches
from data.cricsheet.league import abandoned_matches, season_title
from data.cricsheet.people import Person, season_year
from data.cricsheet.scorebook import Rows, add_match, season_year_of
from data.errors import SourceError
from data.season import SEASONS, About, write
from data.season.tables import STORED


def import_season(
    source: str | Path, name: str, season: str | None = None, folder: Path = SEASONS, replace: bool = False
) -> About:
    """Import the matches of `source` (zip or folder) as season `name`.

    `season` selects one of several (`2023`, `2007/08`); without it a name such as ipl_2023 selects that
    year, and one that ends in `_all` takes every season. Raises SourceError (named file and reason),
    SeasonExists; nothing is left half-imported.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise SourceError(str(source), f"{name!r} cannot be a season's name; use small letters, digits, _ and -")
    matches = _select(str(source), list(read_matches(source)), name, season)
    _check_duplicates(matches)
    rows = Rows()
    for file, match_id, match in matches:
        add_match(rows, file, match_id, match)
    _add_abandoned(rows, matches)
    _number_matches(rows)
    _mark_keepers(rows)
    _add_players(rows)
    years = sorted({season_year_of(match) for _, _, match in matches})
    title = season_title(matches[0][2].info.event.name, years)
    return write(name, title, years, rows.tables, folder, replace)


Found = tuple[str, int, Match]


def _select(source: str, matches: list[Found], name: str, season: str | None) -> list[Found]:
    by_year: dict[int, list[Found]] = defaultdict(list)
    for found in matches:
        by_year[season_year_of(found[2])].append(found)
    if season is not None:
        try:
            year = season_year(season.removeprefix("ipl_"))
        except ValueError:
            year = -1
    elif len(by_year) == 1 or name.endswith("_all"):
        return matches
    else:
        in_name = re.search(r"(\d{4})$", name)
        year = int(in_name[1]) if in_name else -1
    if year not in by_year:
        raise SourceError(
            source,
            f"holds the seasons {', '.join(map(str, sorted(by_year)))}; choose one with the "
            f"season option (given: {season or name!r}) or take all with a name ending in _all",
        )
    return by_year[year]


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


def _add_abandoned(rows: Rows, matches: list[Found]) -> None:
    """Add the abandoned matches of the imported seasons for which there is no file."""
    played = {(match.info.dates[0].year, match.info.event.match_number) for _, _, match in matches}
    labels = {season_year_of(match): match.info.season for _, _, match in matches}
    for a in abandoned_matches():
        if a.date.year in labels and (a.date.year, a.number) not in played:
            rows.add(
                "matches",
                a.match_id,
                labels[a.date.year],
                a.date,
                a.number,
                "league",
                a.venue,
                a.city,
                a.team1,
                a.team2,
                None,
                None,
                None,
                "abandoned",
                None,
                None,
                False,
                20,
                False,
                None,
                None,
            )


def _number_matches(rows: Rows) -> None:
    """Number the play-offs, which have no number in the files: after the league matches, by date."""
    columns = [c for c, _ in STORED["matches"]]
    season, number = columns.index("season"), columns.index("number")
    last: Counter[str] = Counter()
    for row in rows.tables["matches"]:
        last[row[season]] = max(last[row[season]], row[number] or 0)
    numbered = []
    for row in sorted(rows.tables["matches"], key=lambda r: (r[2], r[0])):
        if row[number] is None:
            last[row[season]] += 1
            row = (*row[:number], last[row[season]], *row[number + 1 :])
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
