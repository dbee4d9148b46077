"""The scheduler against a model of the native KV cache: `python -m pytest tests/test_scheduler.py`."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.engine.prefix_cache import PrefixStore
from serve.engine.scheduler import MAX_DELAYING, MAX_STEP_S, SHORT_S, Limits, Scheduler, Step
from serve.engine.sequence import Figures, Phase, Request, Sequence


class FakeRunner:
    """The unified KV cache as sets of cells; a cell knows its position and token, and slots refer to cells.

    Fails where llama.cpp would: a position that does not follow the last one, or more cells than there are.
    """

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells
        self.slots: dict[int, list[list[int]]] = defaultdict(list)  # slot -> cells, a cell is [token]

    def used(self) -> int:
        return len({id(cell) for cells in self.slots.values() for cell in cells})

    def copy_cells(self, source: int, target: int, n: int) -> None:
        assert not self.slots[target], "the target slot must be empty"
        assert len(self.slots[source]) >= n, "only computed cells can be shared"
        self.slots[target] = self.slots[source][:n]

    def drop_cells(self, slot: int, start: int) -> None:
        del self.slots[slot][start:]

    def save_cells(self, slot: int, most: int) -> np.ndarray | None:
        data = np.array([cell[0] % 256 for cell in self.slots[slot]], np.uint8)
        return data if len(data) <= most else None

    def load_cells(self, slot: int, data: np.ndarray) -> bool:
        assert not self.slots[slot], "the target slot must be empty"
        if self.used() + len(data) > self.n_cells:
            return False
        self.slots[slot] = [[token] for token in data.tolist()]
        return True

    def decode(self, step) -> None:
        for chunk in step.chunks:
            cells = self.slots[chunk.sequence.cells.slot]
            assert len(cells) == chunk.start, "a chunk continues where its sequence's cells end"
            cells += [[token] for token in chunk.sequence.tokens[chunk.start : chunk.end] + chunk.drafts]
        assert self.used() <= self.n_cells, "the cache overflowed"


class World:
    """A scheduler, a cache and a made-up model: what follows a token is a function of it."""

    def __init__(self, seed: int = 0, stored: int = 500, **limits) -> None:
        defaults = dict(n_cells=200, n_slots=4, n_sequences=7, n_batch=32, max_drafts=3, stall=1.0, apart=16)
        self.limits = Limits(**(defaults | limits))
        self.runner = FakeRunner(self.limits.n_cells)
        self.scheduler = Scheduler(self.limits, self.runner, PrefixStore(stored, block=4))
        self.random = random.Random(seed)
        self.finished: list[Sequence] = []
        self.order: list[Sequence] = []
        self.steps = 0
        self.forced = 0.1  # share of steps after which text is forced

    def submit(self, prompt: list[int], max_tokens: int, adapter: str | None = None, watched: bool = False) -> Sequence:
        request = Request(prompt, max_tokens, adapter=adapter, on_text=print if watched else None)
        sequence = Sequence(request, list(prompt), 0.0, 1e9, figures=Figures(prompt_tokens=len(prompt)))
        assert self.scheduler.fits(len(prompt), max_tokens)
        self.scheduler.add(sequence)
        return sequence

    def end(self, sequence: Sequence) -> None:
        self.scheduler.finish(sequence)
        self.finished.append(sequence)

    def draft(self, sequence: Sequence, limit: int) -> list[int]:
        return [self.random.randrange(3) for _ in range(self.random.randrange(limit + 1))]

    def step(self) -> bool:
        before = {id(s) for s in self.scheduler.running}
        step = self.scheduler.schedule(float(self.steps), self.draft)
        self.steps += 1
        self.order += [s for s in self.scheduler.running if id(s) not in before]
        if step is None:
            return False
        scheduler, limits = self.scheduler, self.limits
        assert step.chunks, "a step without work would spin"
        assert (
            step.decode_tokens + step.prefill_tokens
            == sum(c.end - c.start + len(c.drafts) for c in step.chunks)
            <= limits.n_batch
        )
        assert len(scheduler.running) <= limits.n_slots
        assert scheduler.used_cells <= limits.n_cells
        assert {c.sequence.cells.adapter for c in step.chunks} == {step.adapter}
        self.runner.decode(step)
        for chunk in step.chunks:
            sequence, wrong = chunk.sequence, self.random.randrange(4)
            sequence.cells.computed = chunk.end
            if chunk.rows == 0:
                continue
            accepted = min(len(chunk.drafts), wrong, sequence.request.max_tokens - sequence.made - 1)
            sequence.tokens += chunk.drafts[:accepted] + [self.random.randrange(3)]
            sequence.cells.computed += accepted
            self.runner.drop_cells(sequence.cells.slot, sequence.cells.computed)
            sequence.phase = Phase.DECODE
            if sequence.made >= sequence.request.max_tokens:
                self.end(sequence)
            elif self.random.random() < self.forced:  # forced text: several tokens become known at once
                left = sequence.request.max_tokens - sequence.made
                sequence.tokens += [1] * self.random.randrange(left + 1)
                if sequence.made >= sequence.request.max_tokens:
                    self.end(sequence)
        self.check()
        return True

    def check(self) -> None:
        """The count of cells is an upper bound of the truth, and the cache holds what the sequences say."""
        scheduler = self.scheduler
        assert self.runner.used() <= scheduler.used_cells <= self.limits.n_cells
        holders = list(scheduler.ended.values()) + [s.cells for s in scheduler.running]
        if scheduler.resting is not None:
            assert not scheduler.running, "what rests would cost those that run"
            holders.append(scheduler.resting)
        slots = [cells.slot for cells in holders]
        assert sorted(slots + scheduler._free) == list(range(self.limits.n_sequences))
        for cells in holders:
            there, expected = self.runner.slots[cells.slot], cells.tokens[: cells.computed]
            assert [cell[0] % 256 for cell in there] == [token % 256 for token in expected]
            assert cells.users == sum(other.parent is cells for other in holders)
        assert all(cells.users for cells in scheduler.ended.values()), "only what is referred to stays in the cache"

    def drain(self, limit: int = 3000) -> None:
        for _ in range(limit):
            if not self.step():
                break
        assert not self.scheduler.running and not self.scheduler.waiting, "somebody starved"


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
def test_whatever_arrives_and_leaves_the_budget_holds_and_nothing_leaks(events, seed, stored, n_batch, drafts):
    world = World(seed, stored, n_batch=n_batch)
    if not drafts:
        world.draft = None
    submitted = []
    for event in events:
        if event[0] == "submit":
            submitted.append(world.submit(*event[1:]))
        elif event[0] == "step":
            for _ in range(event[1]):
                world.step()
        else:
            alive = [s for s in submitted if s.phase is not Phase.DONE]
            if alive:
                world.end(alive[event[1] % len(alive)])
                world.check()
    world.drain()
    assert all(s.phase is Phase.DONE for s in submitted)
    assert len(world.finished) == len(submitted)
    world.scheduler.empty()
    assert world.scheduler.used_cells == 0 == world.runner.used()
    assert len(world.scheduler._free) == world.limits.n_sequences


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 60)), min_size=1, max_size=30), st.integers(0, 99))
def test_requests_that_share_nothing_start_in_the_order_of_arrival(sizes, seed):
    world = World(seed, n_cells=160)
    submitted = [world.submit([1000 + i] * n, m) for i, (n, m) in enumerate(sizes)]
    world.drain()
    assert world.order == submitted


def test_a_large_request_is_not_passed_forever_by_small_ones():
    world = World(n_cells=100, stored=0)
    for i in range(4):
        world.submit([i] * 5, 10)
    world.step()
    large = world.submit([9] * 60, 30)
    for i in range(200):
        world.submit([10 + i] * 5, 5)
        world.step()
        if large.phase is Phase.DONE:
            break
    assert large.phase is Phase.DONE and world.steps < 60


def streams_and_costs(watched: bool = True, **limits) -> World:
    """Three streams that decode, perhaps watched; a step takes 10 and 1 a token, a prefill token 1, or 0.5 apart."""
    world = World(n_cells=1000, n_batch=100, **limits)
    world.draft, world.forced = (lambda sequence, limit: []), 0.0
    cost = world.scheduler.cost
    cost.base, cost.slope, cost.known, cost.prefill_token, cost.apart_token = 10.0, 1.0, True, 1.0, 0.5
    for i in range(3):
        world.submit([i] * 3, 50, watched=watched)
    world.step()
    return world


def steps_of(world: World, n: int, delays: bool = True) -> list[tuple[int, int]]:
    """(decode, prefill) tokens of the next `n` steps."""
    steps = []
    for _ in range(n):
        step = world.scheduler.schedule(0.0)
        steps.append((step.decode_tokens, step.prefill_tokens))
        assert step.delays == (delays and step.prefill_tokens > 0)
        for chunk in step.chunks:
            chunk.sequence.cells.computed = chunk.end
            if chunk.rows:
                chunk.sequence.phase = Phase.DECODE
                chunk.sequence.tokens.append(0)
    return steps


def test_the_step_that_decodes_all_is_made_again_until_something_changes():
    world = streams_and_costs()
    first, *others = world.scheduler.running

    def step() -> Step:
        step = world.scheduler.schedule(0.0)
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
    world.end(first)
    assert step() is not last and [chunk.sequence for chunk in step().chunks] == others
    last = step()
    world.submit([7] * 3, 5)
    assert step() is not last and len(world.scheduler.running) == 3


@pytest.mark.parametrize(("apart", "expected"), [(20, 5), (16, 4), (10, 2), (9, 1), (7, 1), (6, 0)])
def test_guesses_keep_a_step_below_the_size_from_which_attention_works_by_tiles(apart, expected):
    world = World(n_cells=1000, n_batch=100, max_drafts=5, apart=apart)
    world.forced = 0.0
    world.draft = lambda sequence, limit: [1] * limit
    for i in range(3):
        world.submit([i] * 3, 50)
    while any(sequence.phase is not Phase.DECODE for sequence in world.scheduler.running) or world.steps < 2:
        world.step()
    step = world.scheduler.schedule(0.0, world.draft)
    assert [len(chunk.drafts) for chunk in step.chunks] == [expected] * 3
    assert step.decode_tokens < max(apart, 4)


def test_streams_decode_beside_a_long_prompt_and_now_and_then_alone():
    world = streams_and_costs(stall=2.0, apart=1000)
    world.submit([7] * 500, 1)
    steps = steps_of(world, 2 * MAX_DELAYING + 2)
    assert all(decode == 3 for decode, _ in steps)
    assert [prefill == 0 for _, prefill in steps] == 2 * ([False] * MAX_DELAYING + [True])
    assert max(prefill for _, prefill in steps) == 15, "stall=2: such a step takes twice what decoding all four would"


def test_much_prefill_is_a_step_of_its_own_between_two_that_decode():
    world = streams_and_costs(stall=2.0, apart=20)
    world.submit([7] * 90, 20)
    assert steps_of(world, 8) == [(0, 30), (3, 0), (0, 30), (3, 0), (0, 30), (4, 0), (4, 0), (4, 0)]


def test_prefill_alone_gets_half_a_second():
    world = World(n_cells=1000, n_batch=100)
    world.scheduler.cost.prefill_token = world.scheduler.cost.apart_token = MAX_STEP_S / 60
    world.submit([7] * 150, 20)
    assert [prefill for _, prefill in steps_of(world, 3, delays=False)] == [60, 60, 30]


def test_streams_wait_longer_where_others_will_decode_with_them():
    rooms = []
    for waiting in (1, 2):
        world = streams_and_costs(stall=2.0, apart=1000, n_slots=5)
        for i in range(waiting):
            world.submit([7 + i] * 50, 1)
        rooms.append(steps_of(world, 1)[0][1])
    assert rooms == [15, 17], "stall=2 of what four and five would take together"


def test_where_nobody_watches_prompts_go_first_one_after_another():
    world = streams_and_costs(watched=False, stall=2.0, apart=20, n_slots=6)
    cost = world.scheduler.cost
    cost.prefill_token = cost.apart_token = MAX_STEP_S / 80
    cost.base = cost.slope = 1e-6
    for i in range(2):
        world.submit([7 + i] * 70, 20)
    assert steps_of(world, 4) == [(0, 80), (0, 60), (5, 0), (5, 0)]


@pytest.mark.parametrize(("watched", "expected"), [(True, [(0, 30), (3, 0)]), (False, [(0, 30), (0, 30)])])
def test_no_prompt_gets_longer_steps_where_one_takes_long_anyway(watched, expected):
    world = streams_and_costs(watched=watched, stall=2.0, apart=20)
    world.submit([7] * 60, 20)
    assert steps_of(world, 2) == expected, "stall=2 of a step of 14; MAX_STEP_S is nothing beside that"


def test_where_nobody_watches_much_prefill_is_kept_apart_also_in_small_steps():
    world = streams_and_costs(watched=False, stall=2.0, apart=20)
    cost = world.scheduler.cost
    cost.prefill_token = cost.apart_token = MAX_STEP_S / 10
    cost.base = cost.slope = 1e-6
    world.submit([7] * 300, 20)
    steps = steps_of(world, 2 * MAX_DELAYING + 2)
    assert steps == 2 * (MAX_DELAYING * [(0, 10)] + [(3, 0)]), "and now and then the others decode"


def test_prefill_is_never_kept_apart_where_that_is_off():
    world = streams_and_costs(watched=False, stall=2.0, apart=101)  # more than a batch holds
    world.submit([7] * 300, 20)
    assert all(decode == 3 for decode, _ in steps_of(world, 3))


def test_evictions_are_counted():
    world = World(stored=16)
    for i in range(3):
        world.submit([10 + i] * 12, 2)
    world.drain()
    assert world.scheduler.figures.evicted == world.scheduler.prefixes.evicted > 0


def test_what_is_too_little_for_a_step_of_its_own_stays_below_that_size():
    world = streams_and_costs(stall=2.0, apart=40)
    world.scheduler.cost.prefill_token = 0.1
    world.scheduler.cost.apart_token = 2.0
    world.submit([7] * 90, 20)
    assert steps_of(world, 3) == [(3, 36)] * 2 + [(3, 18)]


def test_a_short_prompt_goes_in_whole_and_a_long_one_does_not():
    world = streams_and_costs(stall=1.0, apart=20, n_slots=5)
    world.scheduler.cost.apart_token = SHORT_S / 60
    world.scheduler.cost.base = world.scheduler.cost.slope = 1e-6
    world.submit([7] * 50, 20)
    world.submit([8] * 61, 20)
    assert steps_of(world, 3) == [(0, 50), (3 + 1, 0), (4, 1)]


def test_a_common_prefix_is_computed_once_even_when_requests_arrive_together():
    world = World(n_cells=2000, n_batch=64, n_slots=4, n_sequences=8)
    system = list(range(100, 180))
    together = [world.submit(system + [i] * 5, 3) for i in range(4)]
    computed = 0
    while True:
        before = world.runner.used()
        if not world.step():
            break
        computed += max(0, world.runner.used() - before)
    assert [s.figures.cached_tokens for s in together] == [0, 80, 80, 80]
    later = world.submit(system + [9] * 5, 3)
    world.drain()
    assert later.figures.cached_tokens == 80
    assert world.scheduler.figures.hits == 4 and world.scheduler.figures.requests == 5


def test_the_next_turn_of_a_conversation_computes_only_what_is_new():
    world = World(n_cells=2000)
    world.forced = 0.0
    first = world.submit(list(range(50)), 10)
    world.drain()
    second = world.submit(first.tokens + [77, 78], 10)
    world.drain()
    assert second.figures.cached_tokens == 59, "the last made token was never computed, all others were"


@pytest.mark.parametrize(("shared", "idle", "stored"), [(20, False, 1), (40, False, 0), (40, True, 1)])
def test_a_sequence_that_ran_alone_rests_for_the_next_and_is_stored_where_little_is_used_or_there_is_time(
    shared, idle, stored
):
    world = World(n_cells=2000, n_batch=256)
    world.forced = 0.0
    first = world.submit(list(range(50)), 10)
    world.drain()
    if idle:
        world.scheduler.keep()
    loads, world.runner.load_cells = [], lambda *arguments: loads.append(arguments)
    slot = world.scheduler.resting.slot
    second = world.submit(first.tokens[:shared] + [77, 78], 10)
    world.step()
    assert second.cells.slot == slot and second.figures.cached_tokens == shared and not loads
    world.drain()
    assert [prefix.tokens for prefix in world.scheduler.prefixes] == [first.cells.tokens] * stored
    world.scheduler.keep()
    assert len(world.scheduler.prefixes) == stored + 1


def test_what_rests_gives_way_where_a_request_needs_its_cells():
    world = World(n_cells=100)
    world.submit([1] * 60, 20)
    world.drain()
    large = world.submit([2] * 60, 20)
    small = world.submit([1] * 10, 5)
    world.drain()
    assert world.order[1:] == [large, small]


def test_nothing_rests_where_nothing_is_to_be_kept():
    world = World(stored=0)
    world.submit([1] * 20, 5)
    world.drain()
    assert world.runner.used() == 0
    again = world.submit([1] * 20, 5)
    world.drain()
    assert again.figures.cached_tokens == 0


def test_what_ended_sequences_computed_takes_no_room_in_the_cache_and_is_found_again():
    world = World(stored=2000, n_cells=2000, n_batch=256)
    system = list(range(100, 180))
    world.submit(system + [1] * 5, 3), world.submit(system + [2] * 5, 3)
    world.drain()
    for i in range(5):
        world.submit([200 + i] * 60, 3)
        world.drain()
        world.submit([300 + i] * 60, 3)
        world.step()
        assert world.runner.used() == 60, "nothing but what this step computed"
        world.drain()
    later = world.submit(system + [9] * 5, 3)
    world.drain()
    assert later.figures.cached_tokens == 80


def test_a_sequence_larger_than_the_store_is_not_saved():
    world = World(n_cells=2000, stored=50)
    for tokens in ([1], [2], [1]):
        last = world.submit(tokens * 60, 3)
        world.drain()
    assert len(world.scheduler.prefixes) == 0 == last.figures.cached_tokens


def test_a_stored_prefix_that_finds_no_room_is_computed():
    world = World(n_cells=100)
    first = world.submit([1] * 60, 30)
    world.drain()
    running = world.submit([2] * 5, 30)
    world.step()
    second = world.submit([1] * 40, 10)  # its cells fit beside the running ones, all that was stored does not
    world.drain()
    assert first.phase is second.phase is running.phase is Phase.DONE
    assert second.figures.cached_tokens == 0


def test_prefixes_are_not_shared_between_adapters():
    world = World(n_cells=2000)
    world.submit(list(range(50)), 2, "a")
    world.drain()
    other = world.submit(list(range(50)), 2, None)
    world.drain()
    assert other.figures.cached_tokens == 0


def test_adapters_take_turns():
    world = World(n_cells=2000)
    for name in (None, "a", "b"):
        world.submit([1, 2, 3], 20, name)
    turns = []
    for _ in range(9):
        step = world.scheduler.schedule(0.0)
        turns.append(step.adapter)
        for chunk in step.chunks:
            chunk.sequence.cells.computed = chunk.end
            chunk.sequence.tokens.append(1)
            chunk.sequence.phase = Phase.DECODE
    assert turns == ["a", "b", None] * 3
