"""The number of threads follows the neighbours: tried on made-up machines, whose steps take a known time."""

import random

import pytest

from serve.team import LAST_PROBE, TeamSize


def run(team: TeamSize, steps: int, speed: dict[int, float], seed: int = 1) -> list[int]:
    """Sizes of `steps` steps on a machine whose step takes `speed[size]`, give or take, and is expected to take 1."""
    rng, sizes = random.Random(seed), []
    for _ in range(steps):
        sizes.append(size := team.size())
        team.observe(speed[size] * rng.uniform(0.8, 1.25), 1.0)
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
