"""Matches of the feed as records of Cricsheet's format: who played, toss, officials, result.

matches.json, match_info/ and scorecards/ repeat each other; the file of the match counts before the list. A person's
name in the records is the key of his row, since a feed's spellings of one name differ. Knows nothing about tables.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from data.cricsheet.format import Event, Info, Innings, Margin, Match, Meta, Outcome, Registry, Toss
from data.cricsheet.league import STAGES
from data.cricsheet.people import Person
from data.errors import SourceError
from data.feed.files import Feed, JsonFile
from data.feed.format import CardInnings, Commentary, Fixture, Scorecard, items, record
from data.feed.innings import innings_of
from data.feed.reconcile import Difference, innings_differences

UNPLAYED = re.compile(r"abandon|cancel|no result|called off", re.IGNORECASE)
LENGTHS = {"t20": 20, "odi": 50, "one day": 50, "list a": 50}  # overs of a format, by what its name contains
MARGIN = re.compile(r"(\d+) (run|wicket|wkt)", re.IGNORECASE)
# A commentary that holds fewer of its innings' balls is cut off; differences in single balls are reported.
WHOLE = 0.9


@dataclass(frozen=True)
class Source:
    """What the feed has of one match; `file` is that of the scorecard, or else of the fixture."""

    file: str
    fixture: Fixture
    card: Scorecard | None
    logs: Mapping[int, tuple[str, Commentary]]  # by innings id, with the file's name


def sources(feed: Feed) -> list[Source]:
    """Every match of matches.json with its files, by date. Raises SourceError for a match that lacks one of them."""
    (listed,) = feed["matches"][:1]
    infos = _by_match(feed["match_info"])
    by_match = _by_match(feed["scorecards"]).items()
    cards: dict[int, tuple[str, Scorecard]] = {match: (f.name, record(Scorecard, f)) for match, f in by_match}
    logs: dict[int, tuple[str, Commentary]] = {}
    for file in feed["match_innings_commentary"]:
        log = record(Commentary, file)
        if log.inning.iid is None:
            raise SourceError(file.name, "inning.iid is missing, which says which innings it is of; get the file again")
        if log.inning.iid in logs:
            raise SourceError(file.name, f"of the same innings as {logs[log.inning.iid][0]}; keep one of them")
        logs[log.inning.iid] = (file.name, log)
    found = []
    for content in items(listed):
        short = record(Fixture, listed, content)
        if short.match_id is None:
            raise SourceError(listed.name, "a match has no match_id; get the file again")
        info = infos.get(short.match_id)
        if info is None:
            raise SourceError(listed.name, f"{short.label} has no file in match_info/; copy the feed again")
        fixture = record(Fixture, info, _merged(content, info.content))
        name, card = cards.get(short.match_id, (info.name, None))
        if card is None and not UNPLAYED.search(_words(fixture)):
            raise SourceError(listed.name, f"{short.label} has no file in scorecards/; copy the feed again")
        found.append(Source(name, fixture, card, logs))
    strangers = cards.keys() - {s.fixture.match_id for s in found}
    if strangers:
        name = cards[min(strangers)][0]
        raise SourceError(
            name, f"is of match {min(strangers)}, which {listed.name} does not list; remove one or the other"
        )
    return sorted(found, key=lambda s: (_date(s), s.fixture.match_id))


def match_of(source: Source, people: Mapping[int, Person]) -> tuple[Match, list[Difference]]:
    """The match as a record, and what its commentary and scorecard do not agree on."""
    fixture, found = source.fixture, []
    names: dict[int, str] = {}

    def key(player: int) -> str:
        person = people.get(player)
        if person is None:
            raise SourceError(source.file, f"player {player} is neither in squads/ nor among the players of a match; "
                                           "copy the feed again")  # fmt: skip
        return names.setdefault(player, person.player)

    def called(player: int) -> str:
        return people[player].display if player in people else f"player {player}"

    cards = sorted(source.card.innings, key=lambda i: (i.issuperover, i.number)) if source.card else []
    innings = []
    for card in cards:
        where = f"{fixture.label}, {'super over ' if card.issuperover else ''}innings {card.number}"
        if card.batting_team_id not in _sides(fixture):
            raise SourceError(source.file, f"innings {card.number} is of team {card.batting_team_id}, not one of the "
                                           f"match's {sorted(_sides(fixture))}; get the file again")  # fmt: skip
        file, log = source.logs.get(card.iid or 0, ("", None))
        if log is None:
            raise SourceError(source.file, f"innings {card.number} (iid {card.iid}) has no file in "
                                           "match_innings_commentary/; copy the feed again")  # fmt: skip
        notes: list[str] = []
        made = innings_of(file, card, log, key, called, notes.append)
        bowled = sum(not d.extras.wides and not d.extras.noballs for over in made.overs for d in over.deliveries)
        if bowled < WHOLE * card.equations.overs:
            raise SourceError(file, f"holds {bowled} of the {card.equations.overs} balls of {where}; it is cut off, "
                                    "get the file again")  # fmt: skip
        found += [Difference(where, note) for note in notes]
        found += [Difference(where, line) for line in innings_differences(made, card, key, people)]
        innings.append(made.model_copy(update={"team": _sides(fixture)[card.batting_team_id]}))
    info, note = _info(source, innings, _elevens(fixture, cards, key), key)
    found += [Difference(fixture.label, note)] if note else []
    info = info.model_copy(update={"registry": Registry(people={name: name for name in names.values()})})
    meta = Meta(data_version="feed", created=info.dates[0], revision=1)
    return Match(meta=meta, info=info, innings=tuple(innings)), found


def officials_of(umpires: str, referee: str) -> dict[str, tuple[str, ...]]:
    """Cricsheet's kinds of officials from `A (India), B (England), C (India, TV)`; the third is on TV anyway."""
    found: dict[str, list[str]] = {}
    for place, part in enumerate(re.split(r",\s*(?![^()]*\))", umpires) if umpires else ()):
        name, _, marks = part.partition("(")
        kind = "umpires" if place < 2 else "tv_umpires" if place == 2 else "reserve_umpires"
        if re.search(r"\b(tv|third|3rd)\b", marks, re.IGNORECASE):
            kind = "tv_umpires"
        elif re.search(r"\b(reserve|fourth|4th)\b", marks, re.IGNORECASE):
            kind = "reserve_umpires"
        if name.strip():
            found.setdefault(kind, []).append(" ".join(name.split()))
    if name := referee.partition("(")[0].strip():
        found["match_referees"] = [" ".join(name.split())]
    return {kind: tuple(names) for kind, names in found.items()}


def _by_match(files: Iterable[JsonFile]) -> dict[int, JsonFile]:
    found: dict[int, JsonFile] = {}
    for file in files:
        match_id = record(Scorecard, file, {"match_id": file.content.get("match_id")}).match_id if isinstance(
            file.content, dict) else None  # fmt: skip
        if match_id is None:
            raise SourceError(file.name, "match_id is missing, which says which match it is of; get the file again")
        if match_id in found:
            raise SourceError(file.name, f"of the same match as {found[match_id].name}; keep one of them")
        found[match_id] = file
    return found


def _merged(listed: Any, info: Any) -> dict[str, Any]:
    """The fields of both; what the file of the match leaves empty the list may know."""
    return {**listed, **{name: value for name, value in info.items() if value not in ("", None, [], {})}}


def _sides(fixture: Fixture) -> dict[int | None, str]:
    return {fixture.teama.team_id: fixture.teama.name, fixture.teamb.team_id: fixture.teamb.name}


def _words(fixture: Fixture) -> str:
    return " ".join((fixture.win_margin, fixture.status_note, fixture.result, fixture.status_str))


def _date(source: Source) -> datetime.date:
    # By Indian time: what the feed calls the venue's time zone is often wrong.
    text = source.fixture.date_start_ist or source.fixture.date_start
    try:
        return datetime.date.fromisoformat(text[:10])
    except ValueError:
        raise SourceError(source.file, f"date_start_ist {text!r} of {source.fixture.label} is no date such as "
                                       "2022-03-26 19:30:00; correct it") from None  # fmt: skip


def _elevens(fixture: Fixture, cards: list[CardInnings], key: Callable[[int], str]) -> dict[str, tuple[str, ...]]:
    """Who played: who batted or waited to, and who bowled. A scorecard's `players` is the whole squad."""
    sides = _sides(fixture)
    found: dict[str, dict[str, None]] = {name: {} for name in sides.values()}
    for card in cards:
        batted = (*(b.batsman_id for b in card.batsmen), *(b.player_id for b in card.did_not_bat))
        bowled = (b.bowler_id for b in card.bowlers)
        for team, players in ((card.batting_team_id, batted), (card.fielding_team_id, bowled)):
            found[sides[team]].update({key(player): None for player in players if player is not None})
    return {name: tuple(players) for name, players in found.items()}


def _info(
    source: Source, innings: list[Innings], players: dict[str, tuple[str, ...]], key: Callable[[int], str]
) -> tuple[Info, str | None]:
    fixture = source.fixture
    sides = _sides(fixture)
    if len(sides) != 2:
        raise SourceError(source.file, f"{fixture.label} has one team twice; correct teama or teamb")
    if not fixture.venue.name:
        raise SourceError(source.file, f"{fixture.label} has no venue.name in matches/ or match_info/; add it")
    outcome, note = _outcome(source, innings)
    stage = _stage(source)
    number = int(fixture.match_number) if fixture.match_number.isdigit() else None
    best = source.card.man_of_the_match.pid if source.card else None
    toss = None
    if fixture.toss.winner is not None:
        words = fixture.toss.text.lower()
        bats = "bat" in words if re.search(r"\bbat|bowl|field", words) else fixture.toss.decision == 1
        toss = Toss(winner=sides.get(fixture.toss.winner), decision="bat" if bats else "field")
    info = Info(
        city=fixture.venue.location or None,
        dates=(_date(source),),
        # Play-offs are numbered after the league matches, as Cricsheet's are.
        event=Event(name=fixture.competition.title, match_number=None if stage else number, stage=stage),
        gender="male",
        match_type="T20",
        officials=officials_of(fixture.umpires, fixture.referee),
        outcome=outcome,
        overs=_overs(source),
        player_of_match=(key(best),) if best is not None else (),
        players=players,
        registry=Registry(people={}),
        season=fixture.competition.season,
        team_type="club",
        teams=tuple(sides.values()),
        toss=toss or Toss(),
        venue=fixture.venue.name,
    )
    return info, note


def _stage(source: Source) -> str | None:
    """The stage in Cricsheet's words, None in the league stage."""
    words = re.sub(r"[^a-z0-9]+", " ", source.fixture.subtitle.lower()).strip()
    for stage in STAGES:
        if words == re.sub(r"[^a-z0-9]+", " ", stage) or (stage == "semi final" and words.startswith(stage)):
            return stage
    if "match" in words or words.isdigit() or not words:
        return None
    raise SourceError(source.file, f"subtitle {source.fixture.subtitle!r} of {source.fixture.label} names no stage; "
                                   f"expected `Match 12` or one of {', '.join(sorted(STAGES))}")  # fmt: skip


def _overs(source: Source) -> int:
    """Overs a side as scheduled: the longest innings of the match, or what its format says."""
    said = f"{source.fixture.format_str} {source.fixture.competition.match_format}".lower()
    of_format = next((overs for words, overs in LENGTHS.items() if words in said), 0)
    allotted = max((card.max_over for card in source.card.innings), default=0) // 6 if source.card else 0
    return of_format or allotted or 20


def _outcome(source: Source, innings: list[Innings]) -> tuple[Outcome, str | None]:
    """The result, and a word where the commentary gives another margin than the feed says."""
    fixture, words = source.fixture, _words(source.fixture)
    main = [i for i in innings if not i.super_over]
    winner = _sides(fixture).get(fixture.winning_team_id)
    method = "D/L" if fixture.match_dls_affected else None
    if winner is None:
        if re.search(r"\b(tie|tied)\b", words, re.IGNORECASE):
            return Outcome(result="tie", method=method), None
        if UNPLAYED.search(words) or not innings:
            return Outcome(result="no result"), None
        raise SourceError(source.file, f"{fixture.label} has no winning_team_id, and neither status nor result "
                                       f"({words.strip()!r}) says tied or no result; correct it")  # fmt: skip
    level = len(main) == 2 and main[0].runs == main[1].runs and not method
    if level or len(innings) > len(main):
        return Outcome(result="tie", eliminator=winner, method=method), None
    if len(main) < 2:
        raise SourceError(source.file, f"{winner} won {fixture.label}, but the scorecard has {len(main)} innings; get "
                                       "the file again")  # fmt: skip
    # `result_type` contradicts the words in most matches; which side batted first does not.
    first = main[0].team == winner
    computed = main[0].runs - main[1].runs if first else 10 - main[1].wickets
    said = MARGIN.search(words)
    if said and method:  # by Duckworth-Lewis the side batting second wins by runs where rain ends its innings
        return Outcome(winner=winner, by=_margin(said[2].lower() == "run", int(said[1])), method=method), None
    if said and (said[2].lower() == "run") != first:
        said = None
    margin = int(said[1]) if said else computed
    note = None
    if margin != computed:
        note = f"won by {margin} {'runs' if first else 'wickets'} by the feed's words, by {computed} by the commentary"
    return Outcome(winner=winner, by=_margin(first, margin), method=method), note


def _margin(runs: bool, margin: int) -> Margin:
    return Margin(runs=margin) if runs else Margin(wickets=margin)
