"""Cricsheet files for the data tests: real ones from beside the checkout, and small made-up matches.

The real ones are looked for in ../shared/data/cricsheet, or in CRICSHEET_DIR; tests that need one that is missing are
skipped.
"""

from __future__ import annotations

import json
import os
import random
import zipfile
import zlib
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from data.cricsheet.format import Match, parse_match
from data.cricsheet.importer import import_season
from data.season import Season, load

CRICSHEET = Path(os.environ.get("CRICSHEET_DIR") or Path(__file__).parents[3] / "shared" / "data" / "cricsheet")
ZIPS = sorted(CRICSHEET.glob("ipl_*_json.zip"))


def zip_of(season: str) -> Path:
    """The season's zip (`2023`, `2007_08`); skips the test where it is not there."""
    path = CRICSHEET / f"ipl_{season}_json.zip"
    if not path.exists():
        pytest.skip(f"no {path.name} in {CRICSHEET}")
    return path


@cache
def _shipped() -> Season:
    return load("ipl_2024")


@cache
def _imported(season: str, path: Path) -> Season:
    folder = Path(mkdtemp(prefix="seasons-"))
    import_season(path, f"ipl_{season}", folder=folder)
    return load(f"ipl_{season}", folder)


def season_of(season: str) -> Season:
    """The season imported from its real zip, once per test run; for 2024 the shipped one."""
    return _shipped() if season == "2024" else _imported(season, zip_of(season))


def raw_matches(season: str) -> dict[int, dict[str, Any]]:
    """The match files as plain JSON, for sums independent of the importer."""
    with zipfile.ZipFile(zip_of(season)) as archive:
        return {int(n[:-5]): json.loads(archive.read(n)) for n in archive.namelist() if n.endswith(".json")}


BATTERS = [f"A{c} Batter" for c in "ABCDEFGHIJK"]
BOWLERS = [f"B{c} Bowler" for c in "ABCDEFGHIJK"]


def ball(
    batter: int = 0, non_striker: int = 1, runs: int = 0, bowler: int = 0, second: bool = False, **more: Any
) -> dict[str, Any]:
    """A delivery; `extras` are added to the runs, everything else is put in as it is."""
    bat, bowl = (BOWLERS, BATTERS) if second else (BATTERS, BOWLERS)
    extras = sum(more.get("extras", {}).values())
    made = {
        "batter": bat[batter],
        "non_striker": bat[non_striker],
        "bowler": bowl[bowler],
        "runs": {"batter": runs, "extras": extras, "total": runs + extras},
    }
    if more.pop("non_boundary", False):
        made["runs"]["non_boundary"] = True
    return made | more


def match(
    first: list[list[dict[str, Any]]], second: list[list[dict[str, Any]]] | None = None, **info: Any
) -> dict[str, Any]:
    """A match of the given overs without a result, valid as it stands; `info` overrides."""
    people = {name: f"{number:08x}" for number, name in enumerate(BATTERS + BOWLERS, 1)}
    innings = [("Mumbai Indians", first), ("Chennai Super Kings", second)]
    return {
        "meta": {"data_version": "1.0.0", "created": "2024-04-01", "revision": 1},
        "info": {
            "balls_per_over": 6,
            "city": "Mumbai",
            "dates": ["2024-04-01"],
            "event": {"name": "Indian Premier League", "match_number": 1},
            "gender": "male",
            "match_type": "T20",
            "outcome": {"result": "no result"},
            "overs": 20,
            "players": {"Mumbai Indians": BATTERS, "Chennai Super Kings": BOWLERS},
            "registry": {"people": people},
            "season": "2024",
            "team_type": "club",
            "teams": ["Mumbai Indians", "Chennai Super Kings"],
            "toss": {"winner": "Mumbai Indians", "decision": "bat"},
            "venue": "Wankhede Stadium, Mumbai",
            **info,
        },
        "innings": [
            {
                "team": team,
                "overs": [{"over": n, "deliveries": over} for n, over in enumerate(overs)],
                "powerplays": [{"from": 0.1, "to": 5.6, "type": "mandatory"}],
            }
            for team, overs in innings
            if overs is not None
        ],
    }


def played(
    teams: tuple[str, str],
    overs: int,
    number: int | None,
    event: str,
    season: str,
    date: str,
    seed: int = 1,
    **info: Any,
) -> dict[str, Any]:
    """A whole match of random runs and wickets between two sides, in the length that `overs` says."""
    rng = random.Random(f"{seed} {teams} {date}")
    elevens = {team: [f"{c}{c} {team.split()[-1]}" for c in "ABCDEFGHJKL"] for team in teams}
    innings: list[dict[str, Any]] = []
    scores: list[tuple[int, int]] = []
    for bat, bowl in (teams, teams[::-1]):
        inside, score, out, at = [], 0, 0, [0, 1]
        for over in range(overs):
            balls = []
            for _ in range(6):
                made = {"batter": elevens[bat][at[0]], "non_striker": elevens[bat][at[1]],
                        "bowler": elevens[bowl][6 + over % 5]}  # fmt: skip
                runs = rng.choice((0, 0, 1, 1, 2, 4, 6))
                if out < 9 and rng.random() < 1 / overs / 2:
                    runs, at[0], out = 0, out + 2, out + 1
                    made["wickets"] = [{"kind": "bowled", "player_out": made["batter"]}]
                made["runs"] = {"batter": runs, "extras": 0, "total": runs}
                balls.append(made)
                score += runs
                if scores and score > scores[0][0]:
                    break
            inside.append({"over": over, "deliveries": balls})
            if scores and score > scores[0][0]:
                break
            at.reverse()
        last = {10: 2.6, 20: 5.6, 50: 9.6}[overs]
        innings.append({"team": bat, "overs": inside, "powerplays": [{"from": 0.1, "to": last, "type": "mandatory"}]})
        scores.append((score, out))
    (first, _), (second, lost) = scores
    outcome: dict[str, Any] = {"result": "tie"}
    if first != second:
        by = {"runs": first - second} if first > second else {"wickets": 10 - lost}
        outcome = {"winner": teams[0] if first > second else teams[1], "by": by}
    people = {name: f"{zlib.crc32(name.encode()):08x}" for eleven in elevens.values() for name in eleven}
    made_up = match([], **{
        "dates": [date], "event": {"name": event} | ({"match_number": number} if number else {}), "overs": overs,
        "outcome": outcome, "players": elevens, "registry": {"people": people}, "season": season, "teams": list(teams),
        "toss": {"winner": teams[0], "decision": "bat"}, **info})  # fmt: skip
    return made_up | {"innings": innings}


def competition(
    path: Path, event: str, overs: int, teams: tuple[str, ...], season: str, year: int, **info: Any
) -> Path:
    """A folder with the files of a made-up competition: everybody against everybody, and a final of the first two."""
    pairs = [(a, b) for i, a in enumerate(teams) for b in teams[i + 1 :]]
    files = {}
    for number, pair in enumerate([*pairs, teams[:2]], 1):
        made = played(pair, overs, number, event, season, f"{year}-08-{number:02}", **info)
        if number > len(pairs):
            made["info"]["event"] = {"name": event, "stage": "Final"}
        files[f"{year}{number:03}.json"] = made
    return folder_of(path, files)


def parsed(made: dict[str, Any], file: str = "1.json") -> Match:
    return parse_match(file, json.dumps(made).encode())


def folder_of(path: Path, matches: dict[str, Any]) -> Path:
    """A folder with the given files; text is written as it stands, anything else as JSON."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in matches.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def loaded(path: Path, made: dict[str, Any]) -> Season:
    """The made-up match imported and loaded."""
    import_season(folder_of(path / "source", {"1.json": made}), "made_up_2024", folder=path / "seasons")
    return load("made_up_2024", path / "seasons")
