"""The feed's files as typed records: fixtures, scorecards, commentary, squads, standings, careers, shots.

Only the fields that are used; a feed has many more, and their number grows. Knows nothing about tables.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from data.errors import SourceError
from data.feed.files import JsonFile
from data.feed.values import Balls, Flag, Id, Many, Number, One, Text


class Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Profile(Record):
    """A player as the feed describes him; of the day on which the feed was saved, not of the season."""

    pid: Id = None
    title: Text = ""
    short_name: Text = ""
    first_name: Text = ""
    middle_name: Text = ""
    last_name: Text = ""
    birthdate: Text = ""
    country: Text = ""
    nationality: Text = ""
    playing_role: Text = ""
    batting_style: Text = ""
    bowling_style: Text = ""


class Squad(Record):
    team_id: Id
    title: Text = ""
    players: Annotated[tuple[Profile, ...], Many] = ()


class Competition(Record):
    title: Text
    season: Text
    abbr: Text = ""
    match_format: Text = ""


class Side(Record):
    team_id: Id
    name: Text
    short_name: Text = ""


class Venue(Record):
    name: Text = ""
    location: Text = ""


class Toss(Record):
    winner: Id = None
    decision: Number = 0  # 1 bat, 2 field
    text: Text = ""


class Fixture(Record):
    """A match as matches.json and its file in match_info/ describe it together."""

    match_id: Id
    competition: Competition
    teama: Side
    teamb: Side
    match_number: Text = ""
    title: Text = ""
    subtitle: Text = ""
    format_str: Text = ""
    status_str: Text = ""
    status_note: Text = ""
    result: Text = ""
    win_margin: Text = ""
    winning_team_id: Id = None
    match_dls_affected: Flag = False
    date_start: Text = ""
    date_start_ist: Text = ""
    venue: Annotated[Venue, One] = Venue()
    toss: Annotated[Toss, One] = Toss()
    umpires: Text = ""
    referee: Text = ""

    @property
    def label(self) -> str:
        """How messages call the match: `match 12 (GT v RR)`."""
        sides = " v ".join(side.short_name or side.name for side in (self.teama, self.teamb))
        return f"match {self.match_number or self.match_id} ({sides})"


class Batsman(Record):
    batsman_id: Id
    name: Text = ""
    runs: Number = 0
    balls_faced: Number = 0
    fours: Number = 0
    sixes: Number = 0
    how_out: Text = ""
    dismissal: Text = ""
    bowler_id: Id = None
    first_fielder_id: Id = None
    second_fielder_id: Id = None
    third_fielder_id: Id = None


class Bowler(Record):
    bowler_id: Id
    name: Text = ""
    overs: Balls = 0
    runs_conceded: Number = 0
    wickets: Number = 0


class CardFielder(Record):
    fielder_id: Id = None
    fielder_name: Text = ""
    is_substitute: Flag = False


class NotBatted(Record):
    player_id: Id
    name: Text = ""


class ExtraRuns(Record):
    byes: Number = 0
    legbyes: Number = 0
    wides: Number = 0
    noballs: Number = 0
    penalty: Number = 0


class Equations(Record):
    """The total of an innings; `overs` is in legal balls."""

    runs: Number = 0
    wickets: Number = 0
    overs: Balls = 0


class CardInnings(Record):
    iid: Id
    number: Number
    batting_team_id: Id
    fielding_team_id: Id
    issuperover: Flag = False
    batsmen: Annotated[tuple[Batsman, ...], Many] = ()
    did_not_bat: Annotated[tuple[NotBatted, ...], Many] = ()
    bowlers: Annotated[tuple[Bowler, ...], Many] = ()
    fielder: Annotated[tuple[CardFielder, ...], Many] = ()
    extra_runs: Annotated[ExtraRuns, One] = ExtraRuns()
    equations: Annotated[Equations, One] = Equations()
    max_over: Balls = 0
    target: Number = 0


class Awarded(Record):
    pid: Id = None
    name: Text = ""


class Scorecard(Record):
    match_id: Id
    innings: Annotated[tuple[CardInnings, ...], Many] = ()
    man_of_the_match: Annotated[Awarded, One] = Awarded()
    man_of_the_series: Annotated[Awarded, One] = Awarded()
    players: Annotated[tuple[Profile, ...], Many] = ()


class AtCrease(Record):
    batsman_id: Id = None


class Event(Record):
    """A delivery, or the end of an over. `over` is from zero; `ball` repeats after a wide or no-ball."""

    event: Text
    event_id: Text = ""
    over: Text = ""
    batsman_id: Id = None
    bowler_id: Id = None
    run: Number = 0
    bat_run: Number = 0
    noball_run: Number = 0
    wide_run: Number = 0
    bye_run: Number = 0
    legbye_run: Number = 0
    noball: Flag = False
    wideball: Flag = False
    four: Flag = False
    six: Flag = False
    wicket_batsman_id: Id = None
    how_out: Text = ""
    batsmen: Annotated[tuple[AtCrease, ...], Many] = ()


class Inning(Record):
    iid: Id
    number: Number = 0
    target: Number = 0


class Commentary(Record):
    inning: Inning
    commentaries: Annotated[tuple[Event, ...], Many] = ()
    players: Annotated[tuple[Profile, ...], Many] = ()


class Titled(Record):
    title: Text = ""


class Standing(Record):
    team_id: Id
    team: Annotated[Titled, One] = Titled()
    played: Number = 0
    win: Number = 0
    loss: Number = 0
    nr: Number = 0
    points: Number = 0
    netrr: Text = ""


class Round(Record):
    standings: Annotated[tuple[Standing, ...], Many] = ()


class Standings(Record):
    standings: Annotated[tuple[Round, ...], Many] = ()


class Career(Record):
    """Figures by format (test, odi, t20, ...) on the day on which the feed was saved."""

    player: Profile
    batting: Annotated[dict[str, Any], One] = Field(default_factory=dict)
    bowling: Annotated[dict[str, Any], One] = Field(default_factory=dict)


class WagonInnings(Record):
    inning_id: Id
    wagons: Annotated[tuple[list[Any], ...], Many] = ()


class WagonWheel(Record):
    """Rows whose cells `wagon_fields` names."""

    wagon_fields: Annotated[tuple[Text, ...], Many] = ()
    innings: Annotated[tuple[WagonInnings, ...], Many] = ()


R = TypeVar("R", bound=Record)


def record(kind: type[R], file: JsonFile, content: Any = None) -> R:
    """The file's content, or a part of it, as a record. Raises SourceError with the field that is wrong."""
    try:
        return kind.model_validate(file.content if content is None else content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        found = "nothing" if first["type"] == "missing" else repr(first.get("input"))[:60]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise SourceError(
            file.name, f"{where}: {first['msg']}, got {found}{more}; get the file again, or correct the field"
        ) from None


def items(file: JsonFile) -> list[Any]:
    """The list that a file holds, bare or under `items`. Raises SourceError if it holds none."""
    content = file.content
    found = content.get("items", content.get("squads")) if isinstance(content, dict) else content
    if not isinstance(found, list):
        raise SourceError(file.name, f"holds a {type(content).__name__}, expected a list; get the file again")
    return found
