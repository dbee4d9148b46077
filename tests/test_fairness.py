"""Owners share the engine fairly and see nothing of each other: `python -m pytest tests/test_fairness.py`."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.engine.admission import GROWTH_TOKENS, MIN_RUN_S
from serve.engine.engine import Engine, EngineConfig
from serve.engine.errors import BadSetting, QueueFull
from serve.engine.sequence import Completion, Handle, Phase, Request, Sequence
from serve.service import Overloaded
from tests.conftest import Host, InProcess
from tests.support.cache_model import Simulation
from tests.support.tiny_gguf import tiny_gguf

prompts = st.tuples(st.integers(0, 3), st.integers(1, 60), st.integers(0, 2)).map(
    lambda p: ([p[0]] * 40)[: p[1]] + [p[2]] * max(1, p[1] - 40)
)
events = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), prompts, st.integers(1, 60), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("step"), st.integers(1, 5)),
        st.tuples(st.just("cancel"), st.integers(0, 50)),
    ),
    max_size=60,
)


# -- the scheduler over a model of the cache


@settings(max_examples=100, deadline=None)
@given(events, st.integers(0, 1000), st.sampled_from([0, 60, 500]), st.integers(0, 3), st.booleans())
def test_whoever_gives_way_to_whom_all_end_and_nothing_leaks(events, seed, stored, cap, drafts):
    simulation = Simulation(seed, stored, max_owner_slots=cap)
    if not drafts:
        simulation.propose = None
    submitted: list[Sequence] = []
    for event in events:
        if event[0] == "submit":
            _, prompt, max_tokens, owner, background = event
            submitted.append(simulation.submit(prompt, max_tokens, owner=owner, background=background))
        elif event[0] == "step":
            for _ in range(event[1]):
                simulation.step()
                owners = [s.request.owner for s in simulation.scheduler.running]
                assert not cap or all(owners.count(owner) <= cap for owner in "abc")
        elif alive := [s for s in submitted if s.phase is not Phase.DONE]:
            simulation.end(alive[event[1] % len(alive)])
            simulation.check()
    simulation.drain()
    assert len(simulation.finished) == len(submitted) and all(s.phase is Phase.DONE for s in submitted)
    simulation.kv_cache.evict_parked()
    assert simulation.kv_cache.used_cells == 0 == simulation.native.used()
    assert len(simulation.scheduler.waiting) == 0 and not simulation.scheduler.waiting.contended
    for sequence in submitted:
        assert sequence.stats.cached_tokens < len(sequence.request.prompt), "the first admission alone counts"


def service_like(**limits) -> Simulation:
    simulation = Simulation(
        n_cells=4096, n_batch=512, n_slots=8, n_sequences=16, max_drafts=0, separate_prefill_tokens=64, **limits
    )
    simulation.propose, simulation.forced = None, 0.0
    return simulation


def steps_of_a_question(simulation: Simulation, owner: str = "me") -> int:
    """Two calls of 60 prompt tokens and 16 generated ones, one after the other."""
    began = simulation.steps
    for _ in range(2):
        call = simulation.submit([7] * 60, 16, owner=owner)
        while call.phase is not Phase.DONE:
            simulation.step()
    return simulation.steps - began


def test_three_owners_of_long_texts_delay_a_question_by_less_than_a_tenth_of_its_steps():
    alone = steps_of_a_question(service_like())
    simulation = service_like(stored=20_000)
    for i in range(24):
        simulation.submit([1000 + i] * 40, 4000, owner=f"neighbour {i % 3}", background=True)
    for _ in range(300):
        simulation.step()
    assert len(simulation.scheduler.running) == 8
    found = sorted(steps_of_a_question(simulation) for _ in range(20))
    assert found[18] < 1.1 * alone, "in the order of arrival it is thousands of steps"


def test_a_sequence_reserves_what_it_uses_and_not_what_it_may_use():
    simulation = service_like()
    for i in range(8):
        simulation.submit([i] * 40, 4000)
    simulation.step()
    assert len(simulation.scheduler.running) == 8
    assert simulation.kv_cache.used_cells == 8 * (40 + GROWTH_TOKENS)


def test_where_cells_run_out_the_youngest_of_the_largest_owner_gives_way_and_the_oldest_goes_on():
    simulation = Simulation(n_cells=200, n_slots=4, max_drafts=0)
    simulation.propose, simulation.forced = None, 0.0
    first = simulation.submit([1] * 20, 150, owner="large")
    others = [simulation.submit([2 + i] * 20, 150, owner="large") for i in range(2)]
    small = simulation.submit([9] * 10, 30, owner="small")
    while first.phase is not Phase.DONE:
        simulation.step()
    assert [s.stats.preempted for s in (first, small)] == [0, 0]
    assert others[0].stats.preempted > 0 and small.phase is Phase.DONE
    simulation.drain()
    assert simulation.finished.index(others[0]) < simulation.finished.index(others[1])


def test_an_owner_whose_others_run_goes_after_one_that_runs_nothing():
    simulation = Simulation(n_cells=2000, n_slots=2)
    for _ in range(6):
        simulation.submit([1] * 10, 20, owner="many")
    few = [simulation.submit([2] * 10, 20, owner="few") for _ in range(2)]
    simulation.drain()
    position = {id(s): i for i, s in enumerate(simulation.order)}
    assert [position[id(s)] for s in few] == [1, 3], "owners take turns"


def test_questions_go_before_raw_generation_and_do_not_starve_it():
    simulation = Simulation(n_cells=2000, n_slots=1, max_drafts=0, n_batch=64)
    simulation.propose = None
    raw = [simulation.submit([1] * 10, 10, background=True) for _ in range(2)]
    for i in range(400):
        simulation.submit([100 + i] * 30, 5)
    simulation.drain(20_000)
    position = {id(s): i for i, s in enumerate(simulation.finished)}
    assert 20 < position[id(raw[0])] < 390, "after HEAD_START tokens of questions"


@pytest.mark.parametrize(("cap", "running"), [(0, 8), (3, 3)])
def test_a_question_takes_the_slot_of_its_own_owner_s_raw_generation(cap, running):
    alone = steps_of_a_question(service_like())
    simulation = service_like(stored=20_000, max_owner_slots=cap)
    for i in range(12):
        simulation.submit([1000 + i] * 40, 4000, owner="me", background=True)
    for _ in range(300):
        simulation.step()
    assert len(simulation.scheduler.running) == running
    assert steps_of_a_question(simulation) < 1.1 * alone


@pytest.mark.parametrize(
    ("base", "slope", "shared"), [(0.0, 1.0, 2), (10.0, 1.0, 20)], ids=["many cost more", "many cost the same"]
)
def test_the_background_takes_part_in_a_fourth_of_the_time_beside_others(base, slope, shared):
    simulation = Simulation(n_cells=2000, n_slots=4, max_drafts=0)
    simulation.propose, simulation.forced = None, 0.0
    cost = simulation.scheduler.cost
    cost.base, cost.slope, cost.decode_is_known = base, slope, True
    for i in range(3):
        simulation.submit([i] * 4, 100, background=True)
    for _ in range(5):
        simulation.step()
    simulation.submit([9] * 4, 60)
    simulation.step()
    while any(s.phase is not Phase.DECODE for s in simulation.scheduler.running):
        simulation.step()
    sizes = []
    for _ in range(20):
        step = simulation.scheduler.schedule(0.0)
        sizes.append(len(step.chunks))
        for chunk in step.chunks:
            chunk.sequence.cells.computed = chunk.end
            chunk.sequence.tokens.append(0)
    assert set(sizes) <= {1, 4} and sizes.count(4) == shared


# -- the engine


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf(tmp_path_factory.mktemp("gguf"))


@pytest.fixture(scope="module")
def engine(gguf: Path) -> Iterator[Engine]:
    config = EngineConfig(
        gguf, n_ctx=1024, n_slots=4, queue_size=4, n_threads=1, n_threads_batch=1, flash_attention=False, max_tokens=900
    )
    started = Engine(config)
    started.start()
    yield started
    started.close()


def text(seed: int, n: int) -> list[int]:
    return [1, *(300 + (seed * 37 + 11 * i) % 500 for i in range(n))]


def neighbours(engine: Engine, n: int = 3) -> list[Handle]:
    """Requests of `n` owners for long texts, of which the first have begun."""
    begun: list[str] = []
    handles = [
        engine.submit(
            Request(
                text(i, 20), 900, owner=f"neighbour {i % n}", background=True, ignore_eos=True, on_text=begun.append
            )
        )
        for i in range(2 * n)
    ]
    while len(begun) < 60:
        time.sleep(0.001)
    time.sleep(MIN_RUN_S)  # until then, they keep what they have
    return handles


def asked(engine: Engine, prompt: list[int], owner: str, n: int = 16) -> Completion:
    return engine.submit(Request(prompt, n, owner=owner, ignore_eos=True)).result(60)


def test_long_texts_of_three_owners_delay_another_owner_s_question_by_few_steps(engine):
    before = engine.health().totals.steps
    asked(engine, text(90, 40), "me")
    alone = engine.health().totals.steps - before
    handles = neighbours(engine)
    before = engine.health().totals.steps
    for i in range(5):
        asked(engine, text(91 + i, 40), "me")
    beside = (engine.health().totals.steps - before) / 5
    unfinished = [not handle.future.done() for handle in handles]
    for handle in handles:
        handle.cancel()
    assert all(unfinished), "the question does not wait for them"
    assert beside < 2 * alone, (beside, alone)
    assert all(handle.result(60).finish_reason == "cancelled" for handle in handles)


def test_a_request_that_gave_way_continues_with_the_same_tokens(engine):
    request = Request(text(1, 20), 300, owner="neighbour", ignore_eos=True, background=True)
    alone = engine.submit(request).result(60)
    handles = [engine.submit(request) for _ in range(4)]
    for i in range(8):
        asked(engine, text(50 + i, 200), "me", 4)
    completions = [handle.result(60) for handle in handles]
    assert sum(c.stats.preempted for c in completions) > 0
    assert [c.tokens for c in completions] == [alone.tokens] * 4


def test_one_owner_s_full_queue_leaves_the_places_of_others(engine):
    handles = neighbours(engine, 1)
    with pytest.raises(QueueFull):
        for i in range(20):
            handles.append(engine.submit(Request(text(i, 20), 900, owner="neighbour 0", ignore_eos=True)))
    assert asked(engine, text(3, 5), "me", 2).finish_reason == "length"
    for handle in handles:
        handle.cancel()
        handle.result(60)


def test_more_tokens_than_the_service_admits_are_refused(engine):
    with pytest.raises(BadSetting, match="max_tokens is 901: .* at most 900"):
        engine.submit(Request([1], 901))


# -- prefixes


def test_no_owner_learns_from_the_cache_what_another_asked(engine):
    secret = text(5, 60)
    assert asked(engine, secret, "bank", 4).stats.cached_tokens == 0
    guesses = [asked(engine, secret[:n], "thief", 1).stats.cached_tokens for n in (61, 41, 21)]
    assert guesses[0] == 0, "the other owner's cells are parked or stored"
    running = engine.submit(Request(secret, 600, owner="bank", ignore_eos=True, background=True))
    while engine.health().running == 0:
        time.sleep(0.001)
    assert asked(engine, secret, "second thief", 1).stats.cached_tokens == 0, "the other owner's cells are in use"
    assert asked(engine, secret, "bank", 1).stats.cached_tokens == len(secret) - 1, "its own prefix is found"
    running.cancel()
    running.result(60)
    assert asked(engine, secret, "third thief", 1).stats.cached_tokens == 0
    assert asked(engine, secret, "bank", 1).stats.cached_tokens == len(secret) - 1


def test_the_prefix_file_keeps_owners_apart(gguf, tmp_path):
    def cached(owner: str) -> int:
        config = EngineConfig(gguf, n_ctx=512, n_threads=1, n_threads_batch=1, prefix_file=tmp_path / "prefixes")
        engine = Engine(config)
        engine.start()
        found = asked(engine, text(5, 60), owner, 4).stats.cached_tokens
        engine.close()
        return found

    assert [cached("bank"), cached("thief"), cached("bank")] == [0, 0, 60]


def test_a_prefix_in_prefill_holds_back_only_its_owner_s_requests():
    simulation = service_like()
    simulation.submit([5] * 400, 10, owner="bank")
    own, other = (simulation.submit([5] * 400, 10, owner=owner) for owner in ("bank", "thief"))
    simulation.scheduler.schedule(0.0)
    assert [s.phase for s in (own, other)] == [Phase.WAITING, Phase.PREFILL]


# -- over HTTP


@pytest.fixture(scope="module")
def app(host: Host, random_model: Path) -> InProcess:
    found = host(
        model_path=random_model, raw_model=True, api_keys="first-key,second-key", n_slots=2, queue_size=2, n_ctx=2048
    )
    found.wait_ready()
    return found


def test_keys_share_neither_places_nor_prefixes(app):
    raw = {"model": "cricket-raw", "prompt": "the pin of the safe is 493817 and nobody knows it", "max_tokens": 4}
    first, second = (app.client(headers={"Authorization": f"Bearer {key}-key"}) for key in ("first", "second"))
    with first, second:

        def cached(client) -> int:
            usage = client.post("/v1/completions", json=raw).json()["usage"]
            return usage["prompt_tokens_details"]["cached_tokens"]

        assert [cached(first) > 0, cached(first) > 0, cached(second) > 0, cached(second) > 0] == [False, True] * 2
        leaves = [app.service.admit(owner) for owner in [*4 * ["first"], "second"]]
        with pytest.raises(Overloaded):
            app.service.admit("first")
        for leave in leaves:
            leave()
        owners = {line[1] for line in app.service.engine._kv_cache.prefixes._sorted}
        assert "" in owners and {len(owner) for owner in owners - {""}} == {64}, "the warm-up's, and hashes of keys"
        assert first.post("/infer", json={"question": "Who scored the most runs?"}).status_code == 200
        assert first.post("/v1/completions", json=raw | {"max_tokens": 3000}).status_code == 422
