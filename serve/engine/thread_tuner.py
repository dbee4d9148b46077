"""How many threads compute a step and how they wait for each other, adapted to the CPU left by other processes.

A thread team is as slow as its slowest member: if another process occupies a core, two threads on two cores decode at
half the speed of one thread (`python -m serve.bench.engine --waiting`). So from time to time a trial runs some steps
with one thread more or fewer, and the faster number is kept. Threads that spin while they wait are fastest on an idle
machine; after steps that took far too long, they spin only briefly for a while.

    tuner = ThreadTuner(2)
    threads, short_spin = tuner.choose(tokens, delays_decode); ...; tuner.observe(seconds, expected_s)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from serve.engine.scheduler import Step
from serve.engine.step_cost import StepCost

SMALL_STEP_TOKENS = 8  # up to here a busy core costs more than another thread gains
MIN_TRIAL_INTERVAL, MAX_TRIAL_INTERVAL = 64, 2048  # steps between trials; doubled while trials change nothing
TRIAL_STEPS = 24  # alternating between both numbers of threads in blocks of TRIAL_BLOCK steps
TRIAL_BLOCK = 3
MAX_TIME_RATIOS = 0.8, 1.0  # of fewer and of more threads to the current number, below which they replace it
CLEARLY_SLOWER = 1.3  # times as long, from which a trial ends early
LONG_STEP_S = 0.1  # one step that takes longer is enough to see that
EARLY_TRIAL_SLOWDOWN = 1.5  # times the expected duration, from which a trial starts before its interval ends
REPORT_INTERVAL_S = 0.01  # total duration from which a batch of identical steps is reported
OUTLIER = 1.5  # times the expected duration, from which a step is reported separately
MAX_LOST_S = 0.01  # seconds beyond twice the expected duration in recent steps, from which threads spin briefly


@dataclass(slots=True)
class ThreadCount:
    """The number of threads for one kind of step, at most `limit`; `fixed` if the user chose it."""

    limit: int
    fixed: bool = False
    current: int = field(init=False)
    _steps_to_trial: int = MIN_TRIAL_INTERVAL
    _interval: int = MIN_TRIAL_INTERVAL
    _candidate: int = 0  # the number on trial, 0 outside trials
    _steps_left: int = 0  # of the trial
    _spent: dict[int, list[float]] = field(default_factory=dict)  # threads -> seconds taken and expected in the trial
    _slowdown: float = 1.0  # recent steps: seconds taken over seconds expected
    _fewer_next: bool = True  # direction of the next trial, if both are possible

    def __post_init__(self) -> None:
        self.current = self.limit

    def threads(self) -> int:
        """Threads for the next step."""
        if not self._candidate:
            return self.current
        return self._candidate if (self._steps_left - 1) // TRIAL_BLOCK % 2 else self.current

    @property
    def on_trial(self) -> bool:
        """Whether a trial runs, in which steps are observed one by one."""
        return bool(self._candidate)

    @property
    def trying_fewer(self) -> bool:
        """Whether a trial may slow steps down. A step may be left out of it: run with `current`, not observed."""
        return 0 < self._candidate < self.current

    def observe(self, seconds: float, expected_s: float, steps: int = 1) -> None:
        """Record how long each of `steps` steps with `threads()` threads took and usually takes.

        In a trial they are recorded one at a time.
        """
        if self.fixed or self.limit == 1 or expected_s <= 0:
            return
        if self._candidate:
            spent = self._spent[self.threads()]
            spent[0] += seconds
            spent[1] += expected_s
            self._steps_left -= 1
            if self._steps_left == 0 or self._is_clearly_slower():
                self._end_trial()
            return
        self._slowdown += (1 - 0.9**steps) * (seconds / expected_s - self._slowdown)
        self._steps_to_trial -= steps
        waited = self._steps_to_trial < self._interval - MIN_TRIAL_INTERVAL
        early = self._slowdown > EARLY_TRIAL_SLOWDOWN and self.current > 1 and waited
        if self._steps_to_trial <= 0 or early:
            self._begin_trial(fewer=early)

    def _begin_trial(self, fewer: bool) -> None:
        lower, higher = self.current - 1, self.current + 1
        fewer = higher > self.limit or (lower >= 1 and (fewer or self._fewer_next))
        self._fewer_next = not fewer
        self._candidate, self._steps_left = (lower if fewer else higher), TRIAL_STEPS
        self._spent = {self.current: [0.0, 0.0], self._candidate: [0.0, 0.0]}

    def _is_clearly_slower(self) -> bool:
        """Checked after a block of either number; with long steps at once, against their expected duration."""
        seconds, expected_s = self._spent[self._candidate]
        if seconds > LONG_STEP_S:
            return seconds > CLEARLY_SLOWER * expected_s
        return self._steps_left % (2 * TRIAL_BLOCK) == 0 and self._time_ratio() > CLEARLY_SLOWER

    def _time_ratio(self) -> float:
        """How long a step takes with the candidate, relative to the current number."""
        (current_s, current_expected_s), (seconds, expected_s) = self._spent[self.current], self._spent[self._candidate]
        return (seconds / expected_s) / (current_s / current_expected_s)

    def _end_trial(self) -> None:
        if self._steps_left == 0 and self._time_ratio() < MAX_TIME_RATIOS[self._candidate > self.current]:
            self.current, self._interval = self._candidate, MIN_TRIAL_INTERVAL
        else:
            self._interval = min(2 * self._interval, MAX_TRIAL_INTERVAL)
        self._steps_to_trial, self._candidate, self._slowdown = self._interval, 0, 1.0


@dataclass(slots=True)
class WaitPolicy:
    """Whether waiting threads spin only briefly (`short_spin`): for a while after steps that took far too long."""

    short_spin: bool = False
    _lost_s: float = 0.0  # seconds of recent steps beyond twice the expected duration
    _steps_left: int = 0  # with all threads, until threads spin long again
    _interval: int = MIN_TRIAL_INTERVAL
    _long_spin_steps: int = MAX_TRIAL_INTERVAL  # since threads spin long again

    def observe(self, seconds: float, expected_s: float, all_threads: bool, steps: int = 1) -> None:
        """Record how long each of `steps` steps took and usually takes.

        `all_threads`: no core is left to another process.
        """
        keep = 0.9**steps
        lost_s = max(0.0, seconds - 2 * expected_s) if expected_s > 0 else 0.0
        self._lost_s = keep * self._lost_s + (1 - keep) / 0.1 * lost_s
        if self.short_spin:
            self._steps_left -= all_threads * steps
            if self._steps_left <= 0:
                self.short_spin, self._long_spin_steps, self._lost_s = False, 0, 0.0
            return
        self._long_spin_steps += steps
        if self._lost_s > MAX_LOST_S or not all_threads:
            doubled = min(2 * self._interval, MAX_TRIAL_INTERVAL)
            self._interval = doubled if self._long_spin_steps < self._interval else MIN_TRIAL_INTERVAL
            self.short_spin, self._steps_left = True, self._interval


class ThreadTuner:
    """How many of `limit` threads compute the next step, tuned separately for small and large steps, and their wait."""

    def __init__(self, limit: int, fixed: bool = False) -> None:
        self.small, self.large = ThreadCount(limit, fixed), ThreadCount(limit, fixed)
        self._wait_policy = WaitPolicy()
        self._count, self._threads = self.small, limit  # of the step chosen last

    def choose(self, tokens: int, delays_decode: bool) -> tuple[int, bool]:
        """Threads for a step of `tokens`, and whether they spin only briefly while they wait.

        A step that decoding sequences wait for takes no part in a trial that may slow it down.
        """
        self._count = count = self.large if tokens > SMALL_STEP_TOKENS else self.small
        self._threads = count.current if delays_decode and count.trying_fewer else count.threads()
        return self._threads, self._wait_policy.short_spin

    @property
    def on_trial(self) -> bool:
        """Whether steps have to be observed one by one, since the next may use another number of threads."""
        return self._count.on_trial

    def observe(self, seconds: float, expected_s: float, steps: int = 1) -> bool:
        """Record how long each of `steps` steps like the one chosen last took and usually takes.

        Returns whether they used the usual number of threads. In a trial they are recorded one at a time.
        """
        if self._threads == self._count.threads():  # not if it was left out of a trial, or a trial began since
            self._count.observe(seconds, expected_s, steps)
        self._wait_policy.observe(seconds, expected_s, self.small.current == self.small.limit, steps)
        return self._threads == self._count.current


class StepReporter:
    """Chooses threads for each step and reports its duration to cost model and tuner; identical steps in batches."""

    def __init__(self, cost: StepCost, tuner: ThreadTuner) -> None:
        self.cost, self.tuner = cost, tuner
        self._tokens = 0  # decode tokens of each step in the batch; 0 if the step is not decode-only
        self._steps, self._seconds = 0, 0.0  # in the batch, and their total duration
        self._outlier_s = 0.0  # duration from which a step is not batched
        self._threads = 0, False

    def choose(self, step: Step) -> tuple[int, bool]:
        """Threads for the step, and whether they spin only briefly; the same tuple while nothing changes."""
        if self._steps:
            if step.decode_tokens == self._tokens and not step.prefill_tokens:
                return self._threads
            self._flush()
        self._tokens = 0 if step.prefill_tokens else step.decode_tokens
        self._outlier_s = OUTLIER * self.cost.expected_s(self._tokens, 0)
        self._threads = self.tuner.choose(step.decode_tokens + step.prefill_tokens, step.delays_decode)
        return self._threads

    def observe(self, step: Step, seconds: float) -> None:
        """Record how long the step chosen last took."""
        if seconds < self._outlier_s and self._tokens:
            self._steps += 1
            self._seconds += seconds
            if self._seconds > REPORT_INTERVAL_S or self.tuner.on_trial:
                self._flush()
            return
        if self._steps:
            self._flush()
        self._report(step.decode_tokens, step.prefill_tokens, seconds, 1)

    def _flush(self) -> None:
        self._report(self._tokens, 0, self._seconds / self._steps, self._steps)
        self._steps, self._seconds = 0, 0.0

    def _report(self, decode_tokens: int, prefill_tokens: int, seconds: float, steps: int) -> None:
        expected_s = self.cost.expected_s(decode_tokens, prefill_tokens)
        if self.tuner.observe(seconds, expected_s, steps):  # durations on trial say nothing about the next steps
            self.cost.observe(decode_tokens, prefill_tokens, seconds, steps)
