"""Steps are told of several at once: `python -m pytest tests/test_pace.py`."""

from dataclasses import dataclass, field

import pytest

from serve.engine.scheduler import Step
from serve.engine.step_cost import StepCost
from serve.engine.thread_tuner import BLOCK, FIRST_PROBE, TOGETHER_S, TRIAL, Pace, Patience, Teams, TeamSize

A_STEP = 0.001
TOGETHER = round(TOGETHER_S / A_STEP)
ONE = Step([], None, decode_tokens=1, prefill_tokens=0)
TWO = Step([], None, decode_tokens=2, prefill_tokens=0)
PREFILL = Step([], None, decode_tokens=1, prefill_tokens=20, delays=True)


@dataclass
class Heard(StepCost):
    """A cost that every step is as expected, and what it was told."""

    told: list[tuple] = field(default_factory=list)

    def expected(self, decode_tokens: int, prefill_tokens: int) -> float:
        return A_STEP

    def observe(self, *step) -> None:
        self.told.append(step)


def make(pace: Pace, step: Step, seconds: float, times: int = 1) -> list[tuple[int, bool]]:
    chosen = []
    for _ in range(times):
        chosen.append(pace.choose(step))
        pace.observe(step, seconds)
    return chosen


def test_steps_that_are_alike_are_told_together_and_others_at_once():
    pace = Pace(Heard(), Teams(1))
    make(pace, ONE, 0.98 * A_STEP, TOGETHER - 1)
    assert pace.cost.told == []
    make(pace, ONE, 1.2 * A_STEP)
    ((tokens, prefill, seconds, steps),) = pace.cost.told
    assert (tokens, prefill, steps) == (1, 0, TOGETHER) and A_STEP < seconds < 1.01 * A_STEP
    make(pace, ONE, A_STEP, 3)
    make(pace, TWO, A_STEP, 2)
    make(pace, PREFILL, A_STEP)
    assert [(tokens, prefill, steps) for tokens, prefill, _, steps in pace.cost.told[1:]] == [
        (1, 0, 3),
        (2, 0, 2),
        (1, 20, 1),
    ]


def test_a_step_that_took_too_long_is_told_alone_and_changes_how_threads_wait_from_the_next_one_on():
    pace = Pace(Heard(), Teams(2))
    assert make(pace, ONE, A_STEP, 3) == [(2, False)] * 3
    make(pace, ONE, 0.5)
    assert [(seconds, steps) for *_, seconds, steps in pace.cost.told] == [(pytest.approx(A_STEP), 3), (0.5, 1)]
    assert pace.choose(ONE) == (2, True)


def test_trials_of_fewer_threads_are_made_step_by_step():
    pace = Pace(Heard(), Teams(2))
    sizes = [n for n, _ in make(pace, ONE, A_STEP, 3 * FIRST_PROBE)]
    first = sizes.index(1)
    assert FIRST_PROBE <= first <= FIRST_PROBE + TOGETHER + 1
    assert sizes[first : first + TRIAL] == ([1] * BLOCK + [2] * BLOCK) * (TRIAL // BLOCK // 2)
    pace.choose(TWO)
    assert sum(steps for *_, steps in pace.cost.told) == len(sizes) - sizes.count(1), "those on trial are no example"


def test_a_trial_that_begins_with_an_odd_step_does_not_count_it():
    pace = Pace(Heard(), Teams(2))
    make(pace, ONE, A_STEP, FIRST_PROBE)
    make(pace, ONE, 3 * A_STEP)
    trial = pace.teams.light
    assert trial.tries_fewer and trial._spent == {1: [0.0, 0.0], 2: [0.0, 0.0]}


def test_what_several_steps_teach_is_what_one_after_another_do():
    together, single = StepCost(apart=64), StepCost(apart=64)
    for tokens, seconds in ((1, 0.010), (8, 0.018), (1, 0.012), (8, 0.020), (4, 0.016)):
        together.observe(tokens, 0, seconds, TOGETHER)
        for _ in range(TOGETHER):
            single.observe(tokens, 0, seconds)
    for tokens in (1, 4, 8):
        assert together.decoding(tokens) == pytest.approx(single.decoding(tokens), rel=0.03)
    assert together.slope == pytest.approx(single.slope, rel=0.05)

    teams, singles, waits, waited = TeamSize(2), TeamSize(2), Patience(), Patience()
    for seconds in (A_STEP, 1.2 * A_STEP, 0.9 * A_STEP):
        teams.observe(seconds, A_STEP, TOGETHER)
        waits.observe(seconds + 0.001, A_STEP, True, TOGETHER)
        for _ in range(TOGETHER):
            singles.observe(seconds, A_STEP)
            waited.observe(seconds + 0.001, A_STEP, True)
    assert teams._until == singles._until == FIRST_PROBE - 3 * TOGETHER
    assert teams._late == pytest.approx(singles._late)
    assert waits._calm == waited._calm and not waits.brief and not waited.brief
    assert 0 < waits._lost == pytest.approx(waited._lost)
