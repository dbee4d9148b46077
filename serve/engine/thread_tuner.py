"""How many threads compute a step, and how they wait for each other: both follow what neighbours leave of the cores.

A team of threads is as slow as its slowest member: where another process takes a core, two threads on two cores decode
half of what one thread does (`python -m serve.bench.engine --waiting`). So now and then some steps are made with one
thread more or fewer, and the faster size stays. Threads that spin while they wait are fastest alone; where steps take
far too long, they sleep soon for a while. Knows nothing about llama.cpp: it is told how long steps took.

    teams = Teams(2)
    n, brief = teams.choose(tokens, delays); ...; teams.observe(seconds, expected)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from serve.engine.scheduler import Step
from serve.engine.step_cost import StepCost

LIGHT_STEP = 8  # tokens; up to here a neighbour on a core weighs more than what another thread gains
FIRST_PROBE, LAST_PROBE = 64, 2048  # steps between trials; doubled as long as they change nothing
TRIAL = 24  # steps of a trial, by turns in blocks of BLOCK at either size
BLOCK = 3
GAIN = 0.8, 1.0  # a smaller and a larger size have to take less than this share of the time to be changed to
HOPELESS, LONG_S = 1.3, 0.1  # times the usual duration, from which a trial ends early; seconds that show it at once
SURPRISE = 1.5  # times the expected duration, from which a trial is made at once
TOGETHER_S = 0.01  # seconds that steps have taken when they are told
ODD = 1.5  # times the expected duration, from which a step is told alone
LOST_S = 0.01  # seconds that recent steps took beyond twice the expected, from which threads sleep soon


@dataclass(slots=True)
class TeamSize:
    """`most` threads are granted; `fixed` where the user chose their number."""

    most: int
    fixed: bool = False
    current: int = field(init=False)
    _until: int = FIRST_PROBE  # steps until the next trial
    _period: int = FIRST_PROBE
    _other: int = 0  # the size on trial, 0 outside of trials
    _left: int = 0  # steps left of the trial
    _spent: dict[int, list[float]] = field(default_factory=dict)  # size -> seconds taken and expected in the trial
    _late: float = 1.0  # recent steps: seconds taken over seconds expected
    _down: bool = True  # which way the next trial goes, where both are open

    def __post_init__(self) -> None:
        self.current = self.most

    def size(self) -> int:
        """Threads for the next step."""
        if not self._other:
            return self.current
        return self._other if (self._left - 1) // BLOCK % 2 else self.current

    @property
    def tries_fewer(self) -> bool:
        """Whether a trial is on that may cost more than it finds: steps may be left out of it, sized `current`."""
        return 0 < self._other < self.current

    def observe(self, seconds: float, expected: float, steps: int = 1) -> None:
        """Tell how long each of so many steps took that were made with `size()` threads, and usually takes.

        Outside of trials they may be several.
        """
        if self.fixed or self.most == 1 or expected <= 0:
            return
        if self._other:
            spent = self._spent[self.size()]
            spent[0] += seconds
            spent[1] += expected
            self._left -= 1
            if self._left == 0 or self._is_hopeless():
                self._decide()
            return
        self._late += (1 - 0.9**steps) * (seconds / expected - self._late)
        self._until -= steps
        hurry = self._late > SURPRISE and self.current > 1 and self._until < self._period - FIRST_PROBE
        if self._until <= 0 or hurry:
            self._begin(down=hurry)

    def _begin(self, down: bool) -> None:
        lower, higher = self.current - 1, self.current + 1
        down = higher > self.most or (lower >= 1 and (down or self._down))
        self._down = not down
        self._other, self._left = (lower if down else higher), TRIAL
        self._spent = {self.current: [0.0, 0.0], self._other: [0.0, 0.0]}

    def _is_hopeless(self) -> bool:
        """Seen after a block of either size, where steps are long at once: against what they were expected to take."""
        there, likewise = self._spent[self._other]
        if there > LONG_S:
            return there > HOPELESS * likewise
        return self._left % (2 * BLOCK) == 0 and self._ratio() > HOPELESS

    def _ratio(self) -> float:
        """How long a step takes with the size on trial, in units of what it takes with the current one."""
        (here, usual), (there, likewise) = self._spent[self.current], self._spent[self._other]
        return (there / likewise) / (here / usual)

    def _decide(self) -> None:
        if self._left == 0 and self._ratio() < GAIN[self._other > self.current]:
            self.current, self._period = self._other, FIRST_PROBE
        else:
            self._period = min(2 * self._period, LAST_PROBE)
        self._until, self._other, self._late = self._period, 0, 1.0


@dataclass(slots=True)
class Patience:
    """Whether threads that wait shall sleep soon (`brief`): from steps that took far too long until a while after."""

    brief: bool = False
    _lost: float = 0.0  # seconds that recent steps took beyond twice what was expected
    _left: int = 0  # steps of all threads until it ends
    _period: int = FIRST_PROBE
    _calm: int = LAST_PROBE  # steps since it ended

    def observe(self, seconds: float, expected: float, whole: bool, steps: int = 1) -> None:
        """Tell how long each of so many steps took and usually takes.

        `whole`: all threads compute, and not fewer for a neighbour.
        """
        keep = 0.9**steps
        lost = max(0.0, seconds - 2 * expected) if expected > 0 else 0.0
        self._lost = keep * self._lost + (1 - keep) / 0.1 * lost
        if self.brief:
            self._left -= whole * steps
            if self._left <= 0:
                self.brief, self._calm, self._lost = False, 0, 0.0
            return
        self._calm += steps
        if self._lost > LOST_S or not whole:
            self._period = min(2 * self._period, LAST_PROBE) if self._calm < self._period else FIRST_PROBE
            self.brief, self._left = True, self._period


class Teams:
    """How many of `most` threads make the next step, light and heavy ones apart, and whether they sleep soon."""

    def __init__(self, most: int, fixed: bool = False) -> None:
        self.light, self.heavy = TeamSize(most, fixed), TeamSize(most, fixed)
        self._patience = Patience()
        self._team, self._threads = self.light, most  # those of the step that was chosen last

    def choose(self, tokens: int, delays: bool) -> tuple[int, bool]:
        """Threads for a step of so many tokens, and whether they sleep soon; `delays`: streams wait for it already."""
        self._team = team = self.heavy if tokens > LIGHT_STEP else self.light
        self._threads = team.current if delays and team.tries_fewer else team.size()  # no trial may lengthen it
        return self._threads, self._patience.brief

    @property
    def on_trial(self) -> bool:
        """Whether the next step may be made with another number of threads than this one."""
        return bool(self._team._other)

    def observe(self, seconds: float, expected: float, steps: int = 1) -> bool:
        """Tell how long each of the steps since took and usually takes; returns whether they were made as usual.

        They may be several outside of trials.
        """
        if self._threads == self._team.size():  # not so where it was left out of a trial, or one began since
            self._team.observe(seconds, expected, steps)
        self._patience.observe(seconds, expected, self.light.current == self.light.most, steps)
        return self._threads == self._team.current


class Pace:
    """Tells `cost` and `teams` of the steps that were made."""

    def __init__(self, cost: StepCost, teams: Teams) -> None:
        self.cost, self.teams = cost, teams
        self._tokens = 0  # that each of the steps collected decoded, and did nothing else
        self._steps, self._seconds = 0, 0.0  # how many were collected, and what they took together
        self._odd = 0.0  # seconds
        self._chosen = 0, False

    def choose(self, step: Step) -> tuple[int, bool]:
        """Threads for the step, and whether they sleep soon."""
        if self._steps:
            if step.decode_tokens == self._tokens and not step.prefill_tokens:
                return self._chosen
            self._tell()
        self._tokens = 0 if step.prefill_tokens else step.decode_tokens
        self._odd = ODD * self.cost.expected(self._tokens, 0)
        self._chosen = self.teams.choose(step.decode_tokens + step.prefill_tokens, step.delays)
        return self._chosen

    def observe(self, step: Step, seconds: float) -> None:
        """Tell how long the step took that was chosen for last."""
        if seconds < self._odd and self._tokens:
            self._steps += 1
            self._seconds += seconds
            if self._seconds > TOGETHER_S or self.teams.on_trial:
                self._tell()
            return
        if self._steps:
            self._tell()
        self._tell_of(step.decode_tokens, step.prefill_tokens, seconds, 1)

    def _tell(self) -> None:
        self._tell_of(self._tokens, 0, self._seconds / self._steps, self._steps)
        self._steps, self._seconds = 0, 0.0

    def _tell_of(self, decode_tokens: int, prefill_tokens: int, seconds: float, steps: int) -> None:
        expected = self.cost.expected(decode_tokens, prefill_tokens)
        if self.teams.observe(seconds, expected, steps):  # what a trial takes says nothing about the next steps
            self.cost.observe(decode_tokens, prefill_tokens, seconds, steps)
