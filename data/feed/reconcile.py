"""What commentary and scorecard, or table and matches, of a feed do not agree on: one line for each difference.

The tables are made of the commentary, since a scorecard has no order of balls. Knows nothing about files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from data.cricsheet.format import BOWLER_KINDS, NOT_A_DISMISSAL, Innings
from data.cricsheet.people import Person
from data.feed.format import CardInnings
from data.feed.innings import kind_of

BATTING = ("runs", "balls", "fours", "sixes")
BOWLING = ("balls", "runs", "wickets")
EXTRAS = ("wides", "noballs", "byes", "legbyes", "penalty")


@dataclass(frozen=True)
class Difference:
    """`where` names the match and innings, `what` is the rest of the sentence."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def innings_differences(
    innings: Innings, card: CardInnings, key: Callable[[int], str], people: Mapping[int, Person]
) -> list[str]:
    """Every figure of the scorecard that the innings' deliveries do not give."""
    names = {person.player: person.display for person in people.values()}
    batting: dict[str, Counter[str]] = {}
    bowling: dict[str, Counter[str]] = {}
    extras: Counter[str] = Counter()
    out: set[str] = set()
    legal_balls = 0
    for delivery in (d for over in innings.overs for d in over.deliveries):
        runs, parts = delivery.runs, delivery.extras
        boundary = not runs.non_boundary
        legal = not parts.wides and not parts.noballs
        legal_balls += legal
        batting.setdefault(delivery.non_striker, Counter())
        batting.setdefault(delivery.batter, Counter()).update(
            runs=runs.batter, balls=not parts.wides, fours=boundary and runs.batter == 4,
            sixes=boundary and runs.batter == 6,
        )  # fmt: skip
        dismissed = [w for w in delivery.wickets if w.kind not in NOT_A_DISMISSAL]
        bowling.setdefault(delivery.bowler, Counter()).update(
            balls=legal, runs=runs.total - parts.byes - parts.legbyes - parts.penalty,
            wickets=sum(w.kind in BOWLER_KINDS for w in dismissed),
        )  # fmt: skip
        extras.update({kind: getattr(parts, kind) for kind in EXTRAS})
        out |= {w.player_out for w in dismissed}
    extras["penalty"] += innings.penalty_runs.pre + innings.penalty_runs.post
    total = {"runs": innings.runs, "wickets": innings.wickets, "balls": legal_balls}
    said = {"runs": card.equations.runs, "wickets": card.equations.wickets, "balls": card.equations.overs}
    found = list(_lines("the innings", total, said))
    found += _lines("extras", extras, card.extra_runs.model_dump())
    for batsman in card.batsmen:
        if batsman.batsman_id is None:
            continue
        player = key(batsman.batsman_id)
        of_card = dict(zip(BATTING, (batsman.runs, batsman.balls_faced, batsman.fours, batsman.sixes), strict=True))
        of_log = batting.get(player, Counter())
        found += _lines(names[player], {name: of_log[name] for name in BATTING}, of_card)
        kind = kind_of(batsman)
        if kind is not None and kind not in NOT_A_DISMISSAL and player not in out:
            found.append(f"{names[player]} is out ({kind}) in the scorecard only")
    for bowler in card.bowlers:
        if bowler.bowler_id is not None:
            player = key(bowler.bowler_id)
            of_log = bowling.get(player, Counter())
            of_card = dict(zip(BOWLING, (bowler.overs, bowler.runs_conceded, bowler.wickets), strict=True))
            found += _lines(f"{names[player]} (bowling)", {name: of_log[name] for name in BOWLING}, of_card)
    missing = bowling.keys() - {key(b.bowler_id) for b in card.bowlers if b.bowler_id is not None}
    return [*found, *(f"{names[player]} bowls in the commentary only" for player in sorted(missing))]


def table_differences(computed: Iterable[tuple[Any, ...]], published: Iterable[tuple[Any, ...]]) -> list[Difference]:
    """Rows (team, played, won, lost, points, net run rate) of two points tables, compared."""
    labels = ("played", "won", "lost", "points", "net run rate")
    ours = {row[0]: row[1:] for row in computed}
    found = []
    for team, *values in published:
        if team not in ours:
            found.append(Difference(f"points table, {team}", "in the feed's table, and in none of the matches"))
            continue
        for label, mine, theirs in zip(labels, ours[team], values, strict=True):
            if mine != theirs:
                what = f"{label} {mine} by the matches, {theirs} by the feed's table"
                found.append(Difference(f"points table, {team}", what))
    return found


def _lines(who: str, ours: Mapping[str, int], theirs: Mapping[str, int]) -> Iterable[str]:
    for name, value in theirs.items():
        if int(ours.get(name, 0)) != value:
            yield f"{who}: {name} {int(ours.get(name, 0))} by the commentary, {value} by the scorecard"
