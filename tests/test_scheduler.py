"""The scheduler against a model of the native KV cache: `python -m pytest tests/test_scheduler.py`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.engine.scheduler import MAX_PREFILL_STEPS, MAX_STEP_S, SHORT_PREFILL_S, Step
from serve.engine.sequence import Phase
from tests.support.cache_model import Simulation

prompts = st.tuples(st.integers(0, 3), st.integers(1, 60), st.integers(0, 2)).map(
    lambda p: ([p[0]] * 40)[: p[1]] + [p[2]] * max(1, p[1] - 40)
)
events = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), prompts, st.integers(1, 60), st.sampled_from([None, None, "a"])),
        st.tuples(st.just("step"), st.integers(1, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 50)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(events, st.integers(0, 1000), st.sampled_from([0, 60, 500]), st.sampled_from([5, 8, 32]), st.booleans())
def test_whatever_arrives_and_leaves_the_cell_budget_holds_and_nothing_leaks(events, seed, stored, n_batch, drafts):
    simulation = Simulation(seed, stored, n_batch=n_batch)
    if not drafts:
        simulation.propose = None
    submitted = []
    for event in events:
        if event[0] == "submit":
            submitted.append(simulation.submit(*event[1:]))
        elif event[0] == "step":
            for _ in range(event[1]):
                simulation.step()
        else:
            alive = [s for s in submitted if s.phase is not Phase.DONE]
            if alive:
                simulation.end(alive[event[1] % len(alive)])
                simulation.check()
    simulation.drain()
    assert all(s.phase is Phase.DONE for s in submitted)
    assert len(simulation.finished) == len(submitted)
    simulation.kv_cache.evict_parked()
    assert simulation.kv_cache.used_cells == 0 == simulation.native.used()
    assert len(simulation.kv_cache._free_slots) == simulation.n_sequences


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 60)), min_size=1, max_size=30), st.integers(0, 99))
def test_requests_that_share_nothing_start_in_the_order_of_arrival(sizes, seed):
    simulation = Simulation(seed, n_cells=160)
    submitted = [simulation.submit([1000 + i] * n, m) for i, (n, m) in enumerate(sizes)]
    simulation.drain()
    assert simulation.order == submitted


def test_small_requests_do_not_overtake_a_large_one_forever():
    simulation = Simulation(n_cells=100, stored=0)
    for i in range(4):
        simulation.submit([i] * 5, 10)
    simulation.step()
    large = simulation.submit([9] * 60, 30)
    for i in range(200):
        simulation.submit([10 + i] * 5, 5)
        simulation.step()
        if large.phase is Phase.DONE:
            break
    assert large.phase is Phase.DONE and simulation.steps < 60


def decoding_simulation(streaming: bool = True, **limits) -> Simulation:
    """Three decoding sequences. A step costs 10 and 1 per token; a prefill token 1, in a separate step 0.5."""
    simulation = Simulation(n_cells=1000, n_batch=100, **limits)
    simulation.propose, simulation.forced = (lambda sequence, limit: []), 0.0
    cost = simulation.scheduler.cost
    cost.base, cost.slope, cost.decode_is_known = 10.0, 1.0, True
    cost.mixed_prefill_token_s, cost.separate_prefill_token_s = 1.0, 0.5
    for i in range(3):
        simulation.submit([i] * 3, 50, streaming=streaming)
    simulation.step()
    return simulation


def steps_of(simulation: Simulation, n: int, delayed: bool = True) -> list[tuple[int, int]]:
    """(decode, prefill) tokens of the next `n` steps; `delayed`: decoding sequences wait for the prefill in them."""
    steps = []
    for _ in range(n):
        step = simulation.scheduler.schedule(0.0)
        steps.append((step.decode_tokens, step.prefill_tokens))
        assert step.delays_decode == (delayed and step.prefill_tokens > 0)
        for chunk in step.chunks:
            chunk.sequence.cells.computed = chunk.end
            if chunk.rows:
                chunk.sequence.phase = Phase.DECODE
                chunk.sequence.tokens.append(0)
    return steps


def test_the_step_that_decodes_all_sequences_is_reused_until_something_changes():
    simulation = decoding_simulation()
    first, *others = simulation.scheduler.running

    def step() -> Step:
        step = simulation.scheduler.schedule(0.0)
        for chunk in step.chunks:
            assert chunk.sequence.cells.computed == chunk.start
            chunk.sequence.cells.computed = chunk.end
            chunk.sequence.tokens.append(0)
        return step

    last = step()
    assert step() is step() is last and last.decode_tokens == 3
    first.tokens.append(1)
    assert step().decode_tokens == 4 and step().decode_tokens == 3, "its grammar forced a token"
    assert step() is (last := step())
    simulation.end(first)
    assert step() is not last and [chunk.sequence for chunk in step().chunks] == others
    last = step()
    simulation.submit([7] * 3, 5)
    assert step() is not last and len(simulation.scheduler.running) == 3


@pytest.mark.parametrize(("separate", "expected"), [(20, 5), (16, 4), (10, 2), (9, 1), (7, 1), (6, 0)])
def test_drafts_keep_a_step_below_the_size_of_a_separate_prefill(separate, expected):
    simulation = Simulation(n_cells=1000, n_batch=100, max_drafts=5, separate_prefill_tokens=separate)
    simulation.forced = 0.0
    simulation.propose = lambda sequence, limit: [1] * limit
    for i in range(3):
        simulation.submit([i] * 3, 50)
    while any(sequence.phase is not Phase.DECODE for sequence in simulation.scheduler.running) or simulation.steps < 2:
        simulation.step()
    step = simulation.scheduler.schedule(0.0, simulation.propose)
    assert [len(chunk.drafts) for chunk in step.chunks] == [expected] * 3
    assert step.decode_tokens < max(separate, 4)


def test_streaming_sequences_decode_with_a_long_prefill_and_at_times_without_it():
    simulation = decoding_simulation(max_stall_factor=2.0, separate_prefill_tokens=1000)
    simulation.submit([7] * 500, 1)
    steps = steps_of(simulation, 2 * MAX_PREFILL_STEPS + 2)
    assert all(decode == 3 for decode, _ in steps)
    assert [prefill == 0 for _, prefill in steps] == 2 * ([False] * MAX_PREFILL_STEPS + [True])
    assert max(prefill for _, prefill in steps) == 15, (
        "max_stall_factor=2: such a step takes twice as long as decoding all four"
    )


def test_a_large_prefill_is_a_step_of_its_own_between_two_decode_steps():
    simulation = decoding_simulation(max_stall_factor=2.0, separate_prefill_tokens=20)
    simulation.submit([7] * 90, 20)
    assert steps_of(simulation, 8) == [(0, 30), (3, 0), (0, 30), (3, 0), (0, 30), (4, 0), (4, 0), (4, 0)]


def test_prefill_with_nothing_to_decode_may_take_half_a_second():
    simulation = Simulation(n_cells=1000, n_batch=100)
    cost = simulation.scheduler.cost
    cost.mixed_prefill_token_s = cost.separate_prefill_token_s = MAX_STEP_S / 60
    simulation.submit([7] * 150, 20)
    assert [prefill for _, prefill in steps_of(simulation, 3, delayed=False)] == [60, 60, 30]


def test_streaming_sequences_wait_longer_if_more_sequences_will_decode_with_them():
    rooms = []
    for waiting in (1, 2):
        simulation = decoding_simulation(max_stall_factor=2.0, separate_prefill_tokens=1000, n_slots=5)
        for i in range(waiting):
            simulation.submit([7 + i] * 50, 1)
        rooms.append(steps_of(simulation, 1)[0][1])
    assert rooms == [15, 17], "max_stall_factor=2 times a decode step of four and of five"


def test_if_nothing_streams_prefill_goes_first_prompt_by_prompt():
    simulation = decoding_simulation(streaming=False, max_stall_factor=2.0, separate_prefill_tokens=20, n_slots=6)
    cost = simulation.scheduler.cost
    cost.mixed_prefill_token_s = cost.separate_prefill_token_s = MAX_STEP_S / 80
    cost.base = cost.slope = 1e-6
    for i in range(2):
        simulation.submit([7 + i] * 70, 20)
    assert steps_of(simulation, 4) == [(0, 80), (0, 60), (5, 0), (5, 0)]


@pytest.mark.parametrize(("streaming", "expected"), [(True, [(0, 30), (3, 0)]), (False, [(0, 30), (0, 30)])])
def test_no_prefill_gets_longer_steps_if_steps_are_long_anyway(streaming, expected):
    simulation = decoding_simulation(streaming=streaming, max_stall_factor=2.0, separate_prefill_tokens=20)
    simulation.submit([7] * 60, 20)
    assert steps_of(simulation, 2) == expected, (
        "max_stall_factor=2 times a step of 14; MAX_STEP_S is small compared to that"
    )


def test_if_nothing_streams_a_large_prefill_is_separate_even_in_small_steps():
    simulation = decoding_simulation(streaming=False, max_stall_factor=2.0, separate_prefill_tokens=20)
    cost = simulation.scheduler.cost
    cost.mixed_prefill_token_s = cost.separate_prefill_token_s = MAX_STEP_S / 10
    cost.base = cost.slope = 1e-6
    simulation.submit([7] * 300, 20)
    steps = steps_of(simulation, 2 * MAX_PREFILL_STEPS + 2)
    assert steps == 2 * (MAX_PREFILL_STEPS * [(0, 10)] + [(3, 0)]), "and at times the others decode"


def test_prefill_is_never_separate_if_that_is_off():
    more_than_a_batch = 101
    simulation = decoding_simulation(streaming=False, max_stall_factor=2.0, separate_prefill_tokens=more_than_a_batch)
    simulation.submit([7] * 300, 20)
    assert all(decode == 3 for decode, _ in steps_of(simulation, 3))


def test_a_prefill_too_small_for_a_separate_step_stays_below_that_size():
    simulation = decoding_simulation(max_stall_factor=2.0, separate_prefill_tokens=40)
    simulation.scheduler.cost.mixed_prefill_token_s = 0.1
    simulation.scheduler.cost.separate_prefill_token_s = 2.0
    simulation.submit([7] * 90, 20)
    assert steps_of(simulation, 3) == [(3, 36)] * 2 + [(3, 18)]


def test_a_short_prompt_is_not_split_and_a_long_one_is():
    simulation = decoding_simulation(max_stall_factor=1.0, separate_prefill_tokens=20, n_slots=5)
    simulation.scheduler.cost.separate_prefill_token_s = SHORT_PREFILL_S / 60
    simulation.scheduler.cost.base = simulation.scheduler.cost.slope = 1e-6
    simulation.submit([7] * 50, 20)
    simulation.submit([8] * 61, 20)
    assert steps_of(simulation, 3) == [(0, 50), (3 + 1, 0), (4, 1)]


def test_adapters_take_turns():
    simulation = Simulation(n_cells=2000)
    for name in (None, "a", "b"):
        simulation.submit([1, 2, 3], 20, name)
    turns = []
    for _ in range(9):
        step = simulation.scheduler.schedule(0.0)
        turns.append(step.adapter)
        for chunk in step.chunks:
            chunk.sequence.cells.computed = chunk.end
            chunk.sequence.tokens.append(1)
            chunk.sequence.phase = Phase.DECODE
    assert turns == ["a", "b", None] * 3
