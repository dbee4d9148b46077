"""The KV cache manager over a model of the native cache: `python -m pytest tests/test_kv_cache.py`."""

import pytest

from serve.engine.sequence import Phase
from tests.support.cache_model import Simulation


def test_a_common_prefix_is_computed_once_even_when_requests_arrive_together():
    simulation = Simulation(n_cells=2000, n_batch=64, n_slots=4, n_sequences=8)
    system = list(range(100, 180))
    together = [simulation.submit(system + [i] * 5, 3) for i in range(4)]
    while simulation.step():
        pass
    assert [s.stats.cached_tokens for s in together] == [0, 80, 80, 80]
    later = simulation.submit(system + [9] * 5, 3)
    simulation.drain()
    assert later.stats.cached_tokens == 80
    assert simulation.kv_cache.stats.hits == 4 and simulation.kv_cache.stats.requests == 5


def test_the_next_turn_of_a_conversation_computes_only_what_is_new():
    simulation = Simulation(n_cells=2000)
    simulation.forced = 0.0
    first = simulation.submit(list(range(50)), 10)
    simulation.drain()
    second = simulation.submit(first.tokens + [77, 78], 10)
    simulation.drain()
    assert second.stats.cached_tokens == 59, "the last token was never computed, all others were"


@pytest.mark.parametrize(("shared", "idle", "stored"), [(20, False, 1), (40, False, 0), (40, True, 1)])
def test_a_lone_sequence_s_cells_are_parked_and_stored_if_little_is_reused_or_the_engine_is_idle(shared, idle, stored):
    simulation = Simulation(n_cells=2000, n_batch=256)
    simulation.forced = 0.0
    first = simulation.submit(list(range(50)), 10)
    simulation.drain()
    if idle:
        simulation.kv_cache.store_parked()
    loads, simulation.native.load_cells = [], lambda *arguments: loads.append(arguments)
    slot = simulation.kv_cache.parked.slot
    second = simulation.submit(first.tokens[:shared] + [77, 78], 10)
    simulation.step()
    assert second.cells.slot == slot and second.stats.cached_tokens == shared and not loads
    simulation.drain()
    assert [prefix.tokens for prefix in simulation.kv_cache.prefixes] == [first.cells.tokens] * stored
    simulation.kv_cache.store_parked()
    assert len(simulation.kv_cache.prefixes) == stored + 1


def test_parked_cells_are_evicted_if_a_request_needs_the_room():
    simulation = Simulation(n_cells=100)
    simulation.submit([1] * 60, 20)
    simulation.drain()
    large = simulation.submit([2] * 60, 20)
    small = simulation.submit([1] * 10, 5)
    simulation.drain()
    assert simulation.order[1:] == [large, small]


def test_nothing_is_parked_without_a_prefix_cache():
    simulation = Simulation(stored=0)
    simulation.submit([1] * 20, 5)
    simulation.drain()
    assert simulation.native.used() == 0
    again = simulation.submit([1] * 20, 5)
    simulation.drain()
    assert again.stats.cached_tokens == 0


def test_the_prefixes_of_ended_sequences_take_no_cells_and_are_found_again():
    simulation = Simulation(stored=2000, n_cells=2000, n_batch=256)
    system = list(range(100, 180))
    simulation.submit(system + [1] * 5, 3), simulation.submit(system + [2] * 5, 3)
    simulation.drain()
    for i in range(5):
        simulation.submit([200 + i] * 60, 3)
        simulation.drain()
        simulation.submit([300 + i] * 60, 3)
        simulation.step()
        assert simulation.native.used() == 60, "nothing but what this step computed"
        simulation.drain()
    later = simulation.submit(system + [9] * 5, 3)
    simulation.drain()
    assert later.stats.cached_tokens == 80


def test_a_sequence_larger_than_the_prefix_cache_is_not_stored():
    simulation = Simulation(n_cells=2000, stored=50)
    for tokens in ([1], [2], [1]):
        last = simulation.submit(tokens * 60, 3)
        simulation.drain()
    assert len(simulation.kv_cache.prefixes) == 0 == last.stats.cached_tokens


def test_a_stored_prefix_that_finds_no_room_is_computed_again():
    simulation = Simulation(n_cells=100)
    first = simulation.submit([1] * 60, 30)
    simulation.drain()
    running = simulation.submit([2] * 5, 30)
    simulation.step()
    second = simulation.submit([1] * 40, 10)  # its cells fit beside the running ones, the whole stored prefix does not
    simulation.drain()
    assert first.phase is second.phase is running.phase is Phase.DONE
    assert second.stats.cached_tokens == 0


def test_prefixes_are_not_shared_between_adapters():
    simulation = Simulation(n_cells=2000)
    simulation.submit(list(range(50)), 2, "a")
    simulation.drain()
    other = simulation.submit(list(range(50)), 2, None)
    simulation.drain()
    assert other.stats.cached_tokens == 0


def test_evictions_are_counted():
    simulation = Simulation(stored=16)
    for i in range(3):
        simulation.submit([10 + i] * 12, 2)
    simulation.drain()
    assert simulation.kv_cache.stats.evicted == simulation.kv_cache.prefixes.evicted > 0
