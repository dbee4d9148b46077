"""The number of threads and how they wait follow the neighbours: tried on made-up machines, and with real threads."""

import json
import os
import random
import subprocess
import sys

import pytest

from serve.engine import cpu_threads as threads
from serve.engine.cpu_threads import MOST_CPUS, SPINNING, _loaded_libgomp, available
from serve.engine.thread_tuner import BLOCK, FIRST_PROBE, LAST_PROBE, Patience, TeamSize


def run(team: TeamSize, steps: int, speed: dict[int, float], seed: int = 1, a_step: float = 0.001) -> list[int]:
    """Sizes of `steps` steps that take `speed[size]` times the expected `a_step` seconds, give or take."""
    rng, sizes = random.Random(seed), []
    for _ in range(steps):
        sizes.append(size := team.size())
        team.observe(a_step * speed[size] * rng.uniform(0.8, 1.25), a_step)
    return sizes


ALONE = {1: 1.6, 2: 1.0}
NEIGHBOUR = {1: 1.7, 2: 4.0}


def test_alone_all_threads_compute_but_for_rare_trials():
    sizes = run(TeamSize(2), 10_000, ALONE)
    assert sizes.count(1) < 0.02 * len(sizes) and sizes[-1] == 2


def test_a_neighbour_on_a_core_makes_the_team_smaller_at_once_and_its_end_larger_again():
    team = TeamSize(2)
    run(team, 5_000, ALONE)
    beside = run(team, 1_000, NEIGHBOUR)
    assert beside.index(1) < 120 and beside[200:].count(2) < 0.12 * len(beside)
    assert run(team, LAST_PROBE + 200, ALONE)[-1] == 2


def test_a_trial_without_hope_ends_after_its_first_steps():
    team = TeamSize(2)
    assert run(team, FIRST_PROBE + 6 * BLOCK, {1: 1.9, 2: 1.0}).count(1) == BLOCK
    assert run(TeamSize(2), FIRST_PROBE + 6 * BLOCK, {1: 1.0, 2: 1.0}).count(1) == 3 * BLOCK, "one with hope goes on"
    assert run(TeamSize(2), FIRST_PROBE + 6 * BLOCK, {1: 1.9, 2: 1.0}, a_step=0.2).count(1) == 1, (
        "long steps show it at once"
    )


def test_a_large_team_finds_its_size_step_by_step():
    speed = {n: 8 / n if n <= 5 else 2.0 ** (n - 4) for n in range(1, 9)}  # three of eight cores are taken
    assert run(TeamSize(8), 5_000, speed)[-1] == 5


@pytest.mark.parametrize("team", [TeamSize(1), TeamSize(2, fixed=True)])
def test_one_thread_and_a_number_that_was_set_stay(team: TeamSize):
    assert set(run(team, 3_000, {1: 1.0, 2: 9.0})) == {team.most}


def test_steps_of_unknown_cost_are_not_judged():
    team = TeamSize(2)
    for _ in range(1_000):
        team.observe(1.0, 0.0)
    assert team.size() == 2


def test_steps_that_nobody_may_lengthen_never_run_with_fewer_threads_but_lead_back_to_more():
    team, sizes = TeamSize(2), []
    for _ in range(500):  # none of these steps may be part of a trial with fewer
        held = team.tries_fewer
        sizes.append(team.current if held else team.size())
        if not held:
            team.observe(1.0, 1.0)
    assert team.tries_fewer and set(sizes) == {2}
    run(team, 1_000, NEIGHBOUR)
    assert team.current == 1
    for _ in range(LAST_PROBE + 200):
        if team.current == 2:
            break
        assert not team.tries_fewer
        team.observe(ALONE[team.size()], 1.0)
    assert team.current == 2


def until_patient(waiting: Patience) -> int:
    """Steps of usual length until threads spin again."""
    for n in range(2 * LAST_PROBE):
        if not waiting.brief:
            return n
        waiting.observe(0.001, 0.001, whole=True)
    raise AssertionError("they never spin again")


def test_threads_spin_until_a_step_takes_far_too_long_and_then_sleep_soon_for_a_while():
    waiting, rng = Patience(), random.Random(0)
    for _ in range(5_000):
        waiting.observe(rng.uniform(0.0008, 0.002), 0.001, whole=True)
        assert not waiting.brief
    waiting.observe(0.6, 0.001, whole=True)
    assert waiting.brief and until_patient(waiting) == FIRST_PROBE
    waits = []
    for _ in range(8):  # each time that they spin again, a step takes too long
        waiting.observe(0.6, 0.001, whole=True)
        waits.append(until_patient(waiting))
    assert waits == sorted(waits) and waits[0] == 2 * FIRST_PROBE and waits[-1] == LAST_PROBE


def test_a_hiccup_and_steps_of_unknown_cost_do_not_make_threads_sleep():
    waiting = Patience()
    for _ in range(200):
        waiting.observe(0.5, 0.0, whole=True)
        waiting.observe(0.004, 0.001, whole=True)  # 2 ms more than twice as long: another thread of this process
        for _ in range(20):
            waiting.observe(0.001, 0.001, whole=True)
        assert not waiting.brief


def test_threads_sleep_soon_as_long_as_a_neighbour_keeps_the_team_small():
    waiting = Patience()
    for _ in range(LAST_PROBE):
        waiting.observe(0.001, 0.001, whole=False)
        assert waiting.brief
    assert 0 < until_patient(waiting) <= LAST_PROBE


WAIT = """
import ctypes, json, os, time
from serve import threads
assert threads.set_waiting() is None
libgomp, free = ctypes.CDLL("libgomp.so.1"), ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)
waiting, busy = threads.Waiting(), []
for brief in (False, True, False):
    waiting.set(brief)
    began = time.process_time()
    for _ in range(50):
        libgomp.GOMP_parallel(free, None, 2, 0)
        time.sleep(0.01)  # meanwhile the second thread of the team waits for more to do
    busy.append(time.process_time() - began)
print(json.dumps([busy, len(os.listdir("/proc/self/task"))]))
"""


@pytest.mark.skipif(sys.platform != "linux" or available() > MOST_CPUS, reason="Linux, and not too many CPUs")
@pytest.mark.parametrize("chosen", [{}, {"GOMP_SPINCOUNT": "300000"}], ids=["ours", "the user's own"])
def test_threads_that_sleep_soon_burn_no_time_while_they_wait(chosen):
    if _loaded_libgomp() is None:
        import llama_cpp  # noqa: F401

    if _loaded_libgomp() is None:
        pytest.skip("this llama.cpp does not compute with libgomp")
    env = {name: value for name, value in os.environ.items() if name not in SPINNING} | chosen
    command = [sys.executable, "-c", WAIT]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    (first, brief, again), left = json.loads(ran.stdout)
    if chosen:
        assert min(first, brief, again) > 0.5 * max(first, brief, again), "a user's choice stands"
    else:
        assert brief < 0.5 * min(first, again)
    assert left == 2, "the threads that crowd the CPUs are gone"


def test_a_process_that_has_no_thread_left_goes_on_spinning(monkeypatch):
    waiting = threads.Waiting()
    waiting._libgomp = object()
    monkeypatch.setattr(threads.threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError("no thread")))
    waiting.set(brief=True)
    waiting.set(brief=True)
    waiting.set(brief=False)
    assert not waiting.brief
