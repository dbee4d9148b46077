"""The scheduled length of an innings: overs after rain, powerplay, phases; and which balls are legal.

Works on one match record. Knows nothing about tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from data.cricsheet.format import Delivery, Innings, Match

LONGEST_T20 = 20  # overs


@dataclass(frozen=True)
class PhaseRules:
    """Shares of an innings' overs, also of a shortened one: the powerplay (playing conditions) and the death overs."""

    powerplay: float
    death: float

    def powerplay_overs(self, overs: int) -> int:
        return round(overs * self.powerplay)

    def death_overs(self, overs: int) -> int:
        return max(1, round(overs * self.death))


T20_PHASES = PhaseRules(powerplay=0.3, death=0.25)  # overs 1-6 and, by custom, 16-20
ONE_DAY_PHASES = PhaseRules(powerplay=0.2, death=0.2)  # the first and the third powerplay: overs 1-10 and 41-50


@dataclass(frozen=True)
class InningsLength:
    """The length of an innings: `quota_balls` for the net run rate, `scheduled_overs` for the phases.

    They differ where rain ended a chase early: the phases are those of the overs scheduled when it began.
    """

    quota_balls: int
    scheduled_overs: int
    powerplay_overs: int
    death_overs: int

    def phase(self, over: int) -> str:
        if over <= self.powerplay_overs:
            return "powerplay"
        return "death" if over > self.scheduled_overs - self.death_overs else "middle"


def innings_lengths(match: Match) -> list[InningsLength]:
    """The length of each innings but super overs, from the target's overs and the powerplays.

    info.overs is of no help: it stays 20 in a shortened match.
    """
    main = [i for i in match.innings if not i.super_over]
    full = match.info.overs
    rules = T20_PHASES if full <= LONGEST_T20 else ONE_DAY_PHASES
    target = next((i.target for i in main if i.target and i.target.overs is not None), None)
    lengths = []
    for number, innings in enumerate(main, 1):
        powerplay = innings.powerplays[0] if innings.powerplays else None
        given = powerplay.overs if powerplay and powerplay.complete else None
        quota = full * 6
        if target is not None and target.balls is not None and (number == 2 or match.info.outcome.method is None):
            quota = target.balls
        overs = math.ceil(quota / 6)
        shortened = given is not None and given < rules.powerplay_overs(full)
        if number == 1 and match.info.outcome.method and shortened:
            # Shortened before it began, by how much is not in the file: it ended when its overs were bowled.
            overs = len(innings.overs)
            quota = overs * 6
        scheduled = overs
        if given is not None and abs(given - full * rules.powerplay) < abs(given - overs * rules.powerplay):
            scheduled = full  # a full powerplay: the overs were lost after it had begun
        powerplay_overs = rules.powerplay_overs(scheduled) if given is None else given
        lengths.append(InningsLength(quota, scheduled, powerplay_overs, rules.death_overs(scheduled)))
    return lengths


def balls_by_overs(innings: Innings) -> int:
    """Balls by completed overs: 19.3 overs are 117, even if the umpire miscounted an earlier over."""
    if not innings.overs:
        return 0
    last = innings.overs[-1]
    in_last = sum(is_legal(d) for d in last.deliveries)
    if last.over in innings.miscounted_overs or in_last > 6:
        in_last = 6
    return last.over * 6 + in_last


def is_legal(d: Delivery) -> bool:
    """Whether the ball counts towards the over. A no-ball is faced by the batter but not legal (Law 21)."""
    return not d.extras.wides and not d.extras.noballs
