"""Cricsheet's JSON match files as typed, validated records. Format: https://cricsheet.org/format/json/

Reads a zip or a folder as Cricsheet publishes them, with or without README.txt. A field that is not in the published
format is an error, since it may change the meaning of a delivery. Knows nothing about tables, stored seasons, venues or
usual names.

    python -c "from data.cricsheet.format import read_matches; print(len(list(read_matches('ipl_2024_json.zip'))))"
"""

from __future__ import annotations

import datetime
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from data.errors import SourceError

MAX_FILE_BYTES = 16_000_000  # a match of 20 overs has about 0.2 MB, a long one with its reviews less than 2
MAX_TOTAL_BYTES, MAX_FILES = 4_000_000_000, 50_000  # of one zip; all matches of every competition are about 20,000
# what zipfile raises for one that is damaged, encrypted or compressed in a way that Python has not
_NO_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError,
           NotImplementedError, RuntimeError, OverflowError, UnicodeError, IndexError)  # fmt: skip

BOWLER_KINDS = frozenset({"bowled", "caught", "caught and bowled", "lbw", "stumped", "hit wicket"})
NOT_A_DISMISSAL = frozenset({"retired hurt", "retired not out"})  # Law 25.4.2: the innings may be resumed
WicketKind = Literal[
    "bowled",
    "caught",
    "caught and bowled",
    "lbw",
    "stumped",
    "hit wicket",
    "run out",
    "retired hurt",
    "retired not out",
    "retired out",
    "obstructing the field",
    "hit the ball twice",
    "handled the ball",
    "timed out",
]
Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, BeforeValidator(lambda v: str(v) if isinstance(v, int) and not isinstance(v, bool) else v)]


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Runs(Record):
    batter: Count
    extras: Count
    total: Count
    non_boundary: bool = False


class Extras(Record):
    wides: Count = 0
    noballs: Count = 0
    byes: Count = 0
    legbyes: Count = 0
    penalty: Count = 0


class Fielder(Record):
    name: str | None = None
    substitute: bool = False


class Wicket(Record):
    kind: WicketKind
    player_out: str
    fielders: tuple[Fielder, ...] = ()


class Replacement(Record):
    """A change of the eleven: impact player, concussion substitute, ..."""

    player_in: str = Field(alias="in")
    player_out: str | None = Field(default=None, alias="out")
    team: str
    reason: str


class RoleReplacement(Record):
    """A change of who bats or bowls (injury in mid-over); the eleven stays."""

    player_in: str = Field(alias="in")
    player_out: str | None = Field(default=None, alias="out")
    reason: str
    role: str


class Replacements(Record):
    match: tuple[Replacement, ...] = ()
    role: tuple[RoleReplacement, ...] = ()


class Delivery(Record):
    batter: str
    bowler: str
    non_striker: str
    runs: Runs
    extras: Extras = Extras()
    wickets: tuple[Wicket, ...] = ()
    replacements: Replacements | None = None
    review: dict[str, Any] | None = None  # decision reviews do not change any table
    actual_delivery: Any = None


class Over(Record):
    over: Count
    deliveries: tuple[Delivery, ...]


class Powerplay(Record):
    first: float = Field(alias="from")
    last: float = Field(alias="to")
    type: str

    @property
    def overs(self) -> int:
        return int(self.last) + 1

    @property
    def complete(self) -> bool:
        """False where the innings ended inside the powerplay."""
        return round(self.last % 1 * 10) >= 6


class Target(Record):
    runs: Count | None = None
    overs: float | None = None

    @property
    def balls(self) -> int | None:
        """9.2 overs are 56 balls."""
        return None if self.overs is None else int(self.overs) * 6 + round(self.overs % 1 * 10)


class PenaltyRuns(Record):
    pre: Count = 0
    post: Count = 0


class Innings(Record):
    team: str
    overs: tuple[Over, ...] = ()
    powerplays: tuple[Powerplay, ...] = ()
    target: Target | None = None
    super_over: bool = False
    absent_hurt: tuple[str, ...] = ()
    penalty_runs: PenaltyRuns = PenaltyRuns()
    miscounted_overs: dict[int, dict[str, Any]] = {}
    declared: bool = False
    forfeited: bool = False

    @property
    def runs(self) -> int:
        of_balls = sum(d.runs.total for over in self.overs for d in over.deliveries)
        return of_balls + self.penalty_runs.pre + self.penalty_runs.post

    @property
    def wickets(self) -> int:
        return sum(w.kind not in NOT_A_DISMISSAL for o in self.overs for d in o.deliveries for w in d.wickets)


class Margin(Record):
    runs: Count | None = None
    wickets: Count | None = None
    innings: Count | None = None


class Outcome(Record):
    winner: str | None = None
    by: Margin | None = None
    method: str | None = None
    result: Literal["tie", "no result", "draw"] | None = None
    eliminator: str | None = None
    bowl_out: str | None = None


class Event(Record):
    name: str
    match_number: int | None = None
    stage: str | None = None
    group: Text | None = None
    sub_name: str | None = None


class Toss(Record):
    winner: str | None = None
    decision: Literal["bat", "field"] | None = None
    uncontested: bool = False


class Registry(Record):
    people: dict[str, str]


class Info(Record):
    balls_per_over: int = 6
    city: str | None = None
    dates: Annotated[tuple[datetime.date, ...], Field(min_length=1)]
    event: Event
    gender: str
    match_type: str
    match_type_number: int | None = None
    missing: tuple[Any, ...] = ()
    neutral_venue: Any = None
    officials: dict[str, tuple[str, ...]] = {}
    outcome: Outcome
    overs: Count = 0  # 0: without limit
    player_of_match: tuple[str, ...] = ()
    players: dict[str, tuple[str, ...]]
    registry: Registry
    season: Text
    supersubs: dict[str, str] = {}
    team_type: str
    teams: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]
    toss: Toss
    venue: str
    bowl_out: Any = None


class Meta(Record):
    data_version: str
    created: datetime.date
    revision: int


class Match(Record):
    meta: Meta
    info: Info
    innings: tuple[Innings, ...]


def read_matches(source: str | Path) -> Iterator[tuple[str, int, Match]]:
    """(file name, match id, record) of every match of a zip or folder, in order of the match id.

    Raises SourceError with the file's name for anything that is not a complete Cricsheet match file.
    """
    seen: dict[int, str] = {}
    try:
        for file, read in sorted(_files(Path(source)), key=lambda pair: _match_id(pair[0])):
            match_id = _match_id(file)
            if match_id in seen:
                raise SourceError(file, f"match {match_id} is there twice, also as {seen[match_id]}; keep one of them")
            seen[match_id] = file
            yield file, match_id, parse_match(file, read())
    except _NO_ZIP as error:
        said = str(error) or type(error).__name__
        raise SourceError(Path(source).name, f"not a readable zip ({said}); download it again") from None


def parse_match(file: str, content: bytes) -> Match:
    """One match file's bytes as a record, checked for what the format and the arithmetic require."""
    try:
        match = Match.model_validate_json(content)
    except ValidationError as error:
        raise SourceError(file, _explain(error)) from None
    _check(file, match)
    return match


def _files(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name of every match file and what reads it: one at a time is in memory."""
    if not source.exists():
        raise SourceError(str(source), "no such file or folder; expected Cricsheet's JSON zip or a folder of its files")
    found = 0
    if source.is_dir():
        for path in sorted(source.rglob("*.json")):
            found += 1
            yield str(path.relative_to(source)), partial(_content, path)
    elif not source.is_file():  # a pipe or device would be waited for
        raise SourceError(str(source), "neither a file nor a folder; expected Cricsheet's JSON zip")
    else:
        archive = zipfile.ZipFile(source)
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        if len(members) > MAX_FILES or total > MAX_TOTAL_BYTES:
            raise SourceError(
                source.name,
                f"{len(members)} files of {total / 1e6:.0f} MB together, at most {MAX_FILES} of "
                f"{MAX_TOTAL_BYTES / 1e6:.0f} MB are read; download one competition at a time",
            )
        for member in members:
            name = member.filename
            # macOS adds resource forks named ._*.json to the zips it repacks.
            if name.endswith(".json") and not PurePosixPath(name).name.startswith("._"):
                found += 1
                yield name, partial(_member, archive, member)
    if not found:
        raise SourceError(str(source), "holds no .json match file; expected Cricsheet's JSON download, not CSV or YAML")


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise SourceError(str(path), "not a regular file; remove it")
    with path.open("rb") as stream:
        return _limited(path.name, stream.read(MAX_FILE_BYTES + 1))


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as stream:  # its size in the directory may be wrong
        return _limited(member.filename, stream.read(MAX_FILE_BYTES + 1))


def _limited(file: str, content: bytes) -> bytes:
    if len(content) > MAX_FILE_BYTES:
        raise SourceError(file, f"more than {MAX_FILE_BYTES / 1e6:.0f} MB, a match has less than 2; remove it")
    return content


def _match_id(file: str) -> int:
    stem = PurePosixPath(file.replace("\\", "/")).stem
    if not stem.isdigit():
        raise SourceError(file, "a match file is named <match id>.json, digits only; remove what is not Cricsheet's")
    return int(stem)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return f"malformed or truncated JSON ({first['ctx']['error']}); download the file again"
    if first["type"] == "extra_forbidden":
        value = json.dumps(first["input"], default=str)[:80]
        return f"unknown field {where} = {value}; not in Cricsheet's published format that this importer knows"
    if first["loc"] == ("info", "event") and first["type"] == "missing":
        return "info.event is missing: a match of no named competition, and a season is of one; leave the file out"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where or 'the file'}: {first['msg']}, got {str(first.get('input'))[:60]!r}{more}"


def _check(file: str, match: Match) -> None:
    """Check what types cannot: names are in the registry, runs add up, the score agrees with the result."""
    info, people = match.info, match.info.registry.people
    if info.overs == 0:
        raise SourceError(file, "the match has no limit of overs; only limited-overs matches can be imported")
    if info.balls_per_over != 6:
        raise SourceError(file, f"overs of {info.balls_per_over} balls; only matches with overs of 6 can be imported")
    if set(info.players) != set(info.teams):
        raise SourceError(file, f"info.players is of {sorted(info.players)}, info.teams are {sorted(info.teams)}")
    for name in (*(n for eleven in info.players.values() for n in eleven), *info.player_of_match):
        if name not in people:
            raise SourceError(file, f"player {name!r} is not in info.registry.people")
    for number, innings in enumerate(match.innings, 1):
        if innings.team not in info.teams:
            raise SourceError(file, f"innings {number} is of {innings.team!r}, not one of {list(info.teams)}")
        for expected, over in enumerate(innings.overs):
            if over.over != expected:
                raise SourceError(file, f"innings {number}: over {over.over} where over {expected} was expected")
            for ball, d in enumerate(over.deliveries, 1):
                where = f"innings {number} over {over.over} delivery {ball}"
                extras = d.extras
                of_kinds = extras.wides + extras.noballs + extras.byes + extras.legbyes + extras.penalty
                if d.runs.total != d.runs.batter + d.runs.extras or d.runs.extras != of_kinds:
                    raise SourceError(file, f"{where}: runs {d.runs.total} are not the sum of their parts")
                named = [d.batter, d.bowler, d.non_striker, *(w.player_out for w in d.wickets)]
                for name in named:
                    if name not in people:
                        raise SourceError(file, f"{where}: {name!r} is not in info.registry.people")
    _check_result(file, match)


def _check_result(file: str, match: Match) -> None:
    outcome, main = match.info.outcome, [i for i in match.innings if not i.super_over]
    if len(main) > 2:
        raise SourceError(file, f"{len(main)} innings beside super overs, expected two at most")
    if outcome.winner is not None and outcome.by is not None:
        if len(main) < 2:
            raise SourceError(file, f"{outcome.winner} won but there are {len(main)} innings; the file is incomplete")
        first, second = main
        if outcome.by.wickets is not None and 10 - second.wickets != outcome.by.wickets:
            raise SourceError(
                file,
                f"won by {outcome.by.wickets} wickets, but the deliveries have {second.wickets} "
                "wickets lost; the file is incomplete or changed",
            )
        if outcome.by.runs is not None and outcome.method is None and first.runs - second.runs != outcome.by.runs:
            raise SourceError(
                file,
                f"won by {outcome.by.runs} runs, but the deliveries give {first.runs} and "
                f"{second.runs}; the file is incomplete or changed",
            )
        if second.target and second.target.runs is not None and outcome.method is None:
            if second.target.runs != first.runs + 1:
                raise SourceError(file, f"target {second.target.runs} after {first.runs} runs; the file is incomplete")
    elif outcome.result is None and outcome.winner is None:
        raise SourceError(file, "info.outcome has neither a winner nor a result")
