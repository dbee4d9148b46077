"""The number of threads and their wait policy, simulated: `python -m pytest tests/test_thread_tuner.py`."""

import random
from dataclasses import dataclass, field

import pytest

from serve.engine.scheduler import Step
from serve.engine.step_cost import StepCost
from serve.engine.thread_tuner import (
    MAX_TRIAL_INTERVAL,
    MIN_TRIAL_INTERVAL,
    REPORT_INTERVAL_S,
    TRIAL_BLOCK,
    TRIAL_STEPS,
    StepReporter,
    ThreadCount,
    ThreadTuner,
    WaitPolicy,
)

# -- the number of threads

IDLE_MACHINE = {1: 1.6, 2: 1.0}  # threads -> seconds taken over seconds expected
BUSY_MACHINE = {1: 1.7, 2: 4.0}


def run(count: ThreadCount, steps: int, speed: dict[int, float], seed: int = 1, step_s: float = 0.001) -> list[int]:
    """Threads of `steps` steps that take `speed[threads]` times the expected `step_s` seconds, with noise."""
    rng, threads = random.Random(seed), []
    for _ in range(steps):
        threads.append(n := count.threads())
        count.observe(step_s * speed[n] * rng.uniform(0.8, 1.25), step_s)
    return threads


def test_on_an_idle_machine_all_threads_compute_except_in_rare_trials():
    threads = run(ThreadCount(2), 10_000, IDLE_MACHINE)
    assert threads.count(1) < 0.02 * len(threads) and threads[-1] == 2


def test_a_busy_core_soon_leads_to_fewer_threads_and_an_idle_one_to_more():
    count = ThreadCount(2)
    run(count, 5_000, IDLE_MACHINE)
    busy = run(count, 1_000, BUSY_MACHINE)
    assert busy.index(1) < 120 and busy[200:].count(2) < 0.12 * len(busy)
    assert run(count, MAX_TRIAL_INTERVAL + 200, IDLE_MACHINE)[-1] == 2


def test_a_trial_that_is_clearly_slower_ends_after_its_first_steps():
    steps = MIN_TRIAL_INTERVAL + 6 * TRIAL_BLOCK
    assert run(ThreadCount(2), steps, {1: 1.9, 2: 1.0}).count(1) == TRIAL_BLOCK
    assert run(ThreadCount(2), steps, {1: 1.0, 2: 1.0}).count(1) == 3 * TRIAL_BLOCK, "one as fast continues"
    assert run(ThreadCount(2), steps, {1: 1.9, 2: 1.0}, step_s=0.2).count(1) == 1, "one long step is enough"


def test_a_large_number_of_threads_is_reduced_step_by_step():
    speed = {n: 8 / n if n <= 5 else 2.0 ** (n - 4) for n in range(1, 9)}  # three of eight cores are busy
    assert run(ThreadCount(8), 5_000, speed)[-1] == 5


@pytest.mark.parametrize("count", [ThreadCount(1), ThreadCount(2, fixed=True)])
def test_a_single_thread_and_a_configured_number_never_change(count: ThreadCount):
    assert set(run(count, 3_000, {1: 1.0, 2: 9.0})) == {count.limit}


def test_steps_of_unknown_cost_are_ignored():
    count = ThreadCount(2)
    for _ in range(1_000):
        count.observe(1.0, 0.0)
    assert count.threads() == 2


def test_steps_left_out_of_trials_with_fewer_threads_run_with_all_and_lead_back_to_more():
    count, threads = ThreadCount(2), []
    for _ in range(500):  # none of these steps may be part of a trial with fewer
        left_out = count.trying_fewer
        threads.append(count.current if left_out else count.threads())
        if not left_out:
            count.observe(1.0, 1.0)
    assert count.trying_fewer and set(threads) == {2}
    run(count, 1_000, BUSY_MACHINE)
    assert count.current == 1
    for _ in range(MAX_TRIAL_INTERVAL + 200):
        if count.current == 2:
            break
        assert not count.trying_fewer
        count.observe(IDLE_MACHINE[count.threads()], 1.0)
    assert count.current == 2


# -- how threads wait


def steps_to_long_spin(policy: WaitPolicy) -> int:
    """Steps of usual duration until threads spin long again."""
    for n in range(2 * MAX_TRIAL_INTERVAL):
        if not policy.short_spin:
            return n
        policy.observe(0.001, 0.001, all_threads=True)
    raise AssertionError("threads never spin long again")


def test_threads_spin_briefly_for_a_while_after_a_step_that_took_far_too_long():
    policy, rng = WaitPolicy(), random.Random(0)
    for _ in range(5_000):
        policy.observe(rng.uniform(0.0008, 0.002), 0.001, all_threads=True)
        assert not policy.short_spin
    policy.observe(0.6, 0.001, all_threads=True)
    assert policy.short_spin and steps_to_long_spin(policy) == MIN_TRIAL_INTERVAL
    intervals = []
    for _ in range(8):  # each time that they spin long again, a step takes too long
        policy.observe(0.6, 0.001, all_threads=True)
        intervals.append(steps_to_long_spin(policy))
    assert intervals == sorted(intervals)
    assert intervals[0] == 2 * MIN_TRIAL_INTERVAL and intervals[-1] == MAX_TRIAL_INTERVAL


def test_short_delays_and_steps_of_unknown_cost_do_not_shorten_the_spin():
    policy = WaitPolicy()
    for _ in range(200):
        policy.observe(0.5, 0.0, all_threads=True)
        policy.observe(0.004, 0.001, all_threads=True)  # 2 ms more than twice as long: another thread of this process
        for _ in range(20):
            policy.observe(0.001, 0.001, all_threads=True)
        assert not policy.short_spin


def test_threads_spin_briefly_as_long_as_a_core_is_left_to_another_process():
    policy = WaitPolicy()
    for _ in range(MAX_TRIAL_INTERVAL):
        policy.observe(0.001, 0.001, all_threads=False)
        assert policy.short_spin
    assert 0 < steps_to_long_spin(policy) <= MAX_TRIAL_INTERVAL


# -- reports of steps

STEP_S = 0.001
BATCH = round(REPORT_INTERVAL_S / STEP_S)
ONE = Step([], None, decode_tokens=1, prefill_tokens=0)
TWO = Step([], None, decode_tokens=2, prefill_tokens=0)
PREFILL = Step([], None, decode_tokens=1, prefill_tokens=20, delays_decode=True)


@dataclass
class RecordingCost(StepCost):
    """A cost model that expects STEP_S of every step and records what it is told."""

    reports: list[tuple] = field(default_factory=list)

    def expected_s(self, decode_tokens: int, prefill_tokens: int) -> float:
        return STEP_S

    def observe(self, *report) -> None:
        self.reports.append(report)


def make(reporter: StepReporter, step: Step, seconds: float, times: int = 1) -> list[tuple[int, bool]]:
    chosen = []
    for _ in range(times):
        chosen.append(reporter.choose(step))
        reporter.observe(step, seconds)
    return chosen


def test_identical_steps_are_reported_in_batches_and_others_at_once():
    reporter = StepReporter(RecordingCost(), ThreadTuner(1))
    make(reporter, ONE, 0.98 * STEP_S, BATCH - 1)
    assert reporter.cost.reports == []
    make(reporter, ONE, 1.2 * STEP_S)
    ((tokens, prefill, seconds, steps),) = reporter.cost.reports
    assert (tokens, prefill, steps) == (1, 0, BATCH) and STEP_S < seconds < 1.01 * STEP_S
    make(reporter, ONE, STEP_S, 3)
    make(reporter, TWO, STEP_S, 2)
    make(reporter, PREFILL, STEP_S)
    assert [(tokens, prefill, steps) for tokens, prefill, _, steps in reporter.cost.reports[1:]] == [
        (1, 0, 3),
        (2, 0, 2),
        (1, 20, 1),
    ]


def test_a_step_that_took_too_long_is_reported_separately_and_shortens_the_spin_of_the_next_one():
    reporter = StepReporter(RecordingCost(), ThreadTuner(2))
    assert make(reporter, ONE, STEP_S, 3) == [(2, False)] * 3
    make(reporter, ONE, 0.5)
    assert [(seconds, steps) for *_, seconds, steps in reporter.cost.reports] == [(pytest.approx(STEP_S), 3), (0.5, 1)]
    assert reporter.choose(ONE) == (2, True)


def test_the_steps_of_a_trial_with_fewer_threads_are_reported_one_by_one():
    reporter = StepReporter(RecordingCost(), ThreadTuner(2))
    threads = [n for n, _ in make(reporter, ONE, STEP_S, 3 * MIN_TRIAL_INTERVAL)]
    first = threads.index(1)
    assert MIN_TRIAL_INTERVAL <= first <= MIN_TRIAL_INTERVAL + BATCH + 1
    alternating = ([1] * TRIAL_BLOCK + [2] * TRIAL_BLOCK) * (TRIAL_STEPS // TRIAL_BLOCK // 2)
    assert threads[first : first + TRIAL_STEPS] == alternating
    reporter.choose(TWO)
    reported = sum(steps for *_, steps in reporter.cost.reports)
    assert reported == len(threads) - threads.count(1), "the cost model does not learn from steps on trial"


def test_an_outlier_that_starts_a_trial_does_not_count_in_it():
    reporter = StepReporter(RecordingCost(), ThreadTuner(2))
    make(reporter, ONE, STEP_S, MIN_TRIAL_INTERVAL)
    make(reporter, ONE, 3 * STEP_S)
    count = reporter.tuner.small
    assert count.trying_fewer and count._spent == {1: [0.0, 0.0], 2: [0.0, 0.0]}


def test_a_batch_teaches_the_same_as_its_steps_one_by_one():
    batched, single = StepCost(separate_prefill_tokens=64), StepCost(separate_prefill_tokens=64)
    for tokens, seconds in ((1, 0.010), (8, 0.018), (1, 0.012), (8, 0.020), (4, 0.016)):
        batched.observe(tokens, 0, seconds, BATCH)
        for _ in range(BATCH):
            single.observe(tokens, 0, seconds)
    for tokens in (1, 4, 8):
        assert batched.decode_s(tokens) == pytest.approx(single.decode_s(tokens), rel=0.03)
    assert batched.slope == pytest.approx(single.slope, rel=0.05)

    count, single_count, policy, single_policy = ThreadCount(2), ThreadCount(2), WaitPolicy(), WaitPolicy()
    for seconds in (STEP_S, 1.2 * STEP_S, 0.9 * STEP_S):
        count.observe(seconds, STEP_S, BATCH)
        policy.observe(seconds + 0.001, STEP_S, True, BATCH)
        for _ in range(BATCH):
            single_count.observe(seconds, STEP_S)
            single_policy.observe(seconds + 0.001, STEP_S, True)
    assert count._steps_to_trial == single_count._steps_to_trial == MIN_TRIAL_INTERVAL - 3 * BATCH
    assert count._slowdown == pytest.approx(single_count._slowdown)
    assert policy._long_spin_steps == single_policy._long_spin_steps
    assert not policy.short_spin and not single_policy.short_spin
    assert 0 < policy._lost_s == pytest.approx(single_policy._lost_s)
