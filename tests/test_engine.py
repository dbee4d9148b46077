"""The engine on a real GGUF with random weights.

python -m pytest tests/test_engine.py; SOAK_REQUESTS=20000 in the environment for the long soak
"""

import asyncio
import json
import os
import random
import threading
import time

import pytest
from llama_cpp import Llama

from serve.engine.admission import MIN_RUN_S
from serve.engine.engine import Engine, EngineConfig
from serve.engine.errors import (
    BadSetting,
    BadToken,
    EngineClosed,
    GrammarError,
    ModelError,
    PromptTooLong,
    QueueFull,
    RequestFailed,
    UnknownAdapter,
)
from serve.engine.grammar.json_schema import grammar_from_schema
from serve.engine.runner import DecodeError
from serve.engine.sequence import Request, Sampling
from serve.local_model import LocalModel
from tests.support.tiny_gguf import tiny_gguf, tiny_lora

ONE_THREAD = dict(n_threads=1, n_threads_batch=1)
EXACT = ONE_THREAD | dict(flash_attention=False)  # random weights leave candidates close together
PLAN = r"""root ::= measure " |" filter+
measure ::= "runs" | "wickets" | "economy"
filter ::= " batter=P" [0-9] | " phase=" ("death" | "middle") | " top " [1-9]
"""


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    return tiny_gguf(tmp_path_factory.mktemp("gguf"))


@pytest.fixture(scope="module")
def start(gguf):
    """Starts engines on the tiny model and closes them when the module is done."""
    started = []

    def make(**settings) -> Engine:
        engine = Engine(EngineConfig(gguf, **(dict(n_ctx=2048) | EXACT | settings)))
        engine.start()
        started.append(engine)
        return engine

    yield make
    for engine in started:
        engine.close()


@pytest.fixture(scope="module")
def engine(start, gguf):
    return start(n_slots=4, adapters={"one": tiny_lora(gguf.parent, 1), "two": tiny_lora(gguf.parent, 2)})


def prompts(engine: Engine, n: int, seed: int = 0) -> list[list[int]]:
    rng, words = (
        random.Random(seed),
        "runs wickets economy of the batter Kohli Bumrah in at death phase by".split(),
    )
    texts = [" ".join(rng.choices(words, k=rng.randint(3, 30))) for _ in range(n)]
    return [[1, *engine.runner.vocabulary.tokenize(text)] for text in texts]


def results(engine: Engine, requests: list[Request]) -> list:
    return [handle.result(60) for handle in [engine.submit(request) for request in requests]]


def idle(engine: Engine) -> bool:
    """Whether no slot and no cell is in use, except parked cells."""
    scheduler, kv_cache = engine._scheduler, engine._kv_cache
    for _ in range(500):
        parked = kv_cache.parked.reserved if kv_cache.parked else 0
        if not (scheduler.running or scheduler.waiting or kv_cache.pinned) and kv_cache.used_cells == parked:
            return True
        time.sleep(0.01)
    return False


# -- the same tokens as without batching, drafts and caches


def test_greedy_tokens_are_the_same_as_the_library_s(engine, gguf):
    plain = Llama(str(gguf), n_ctx=512, n_threads=1, n_threads_batch=1, verbose=False)
    ours = results(engine, [Request(prompt, 24, ignore_eos=True) for prompt in prompts(engine, 8)])
    for prompt, completion in zip(prompts(engine, 8), ours, strict=True):
        plain.reset()
        expected = []
        for token in plain.generate(prompt, temp=0.0, repeat_penalty=1.0):
            expected.append(token)
            if len(expected) == 24:
                break
        assert completion.tokens == expected
    plain.close()


def test_a_request_gets_the_same_tokens_alone_and_in_a_batch(engine):
    requests = [
        Request(prompt, 20, Sampling(temperature=0.8 * (i % 2), seed=i)) for i, prompt in enumerate(prompts(engine, 10))
    ]
    alone = [results(engine, [request])[0] for request in requests]
    batch = results(engine, requests)
    assert [c.tokens for c in batch] == [c.tokens for c in alone]


def test_a_deterministic_engine_gives_the_same_tokens_beside_others_and_after_others(start):
    engine = start(deterministic=True, flash_attention=True, n_slots=4, prefix_mb=16)
    requests = [
        Request(prompt, 40, Sampling(temperature=0.8 * (i % 2), seed=i), ignore_eos=True)
        for i, prompt in enumerate(prompts(engine, 12, seed=8))
    ]
    alone = [results(engine, [request])[0] for request in requests]
    again = results(engine, list(reversed(requests)))[::-1]
    assert [c.tokens for c in again] == [c.tokens for c in alone]
    assert all(c.stats.cached_tokens == 0 and c.stats.drafted_tokens == 0 for c in alone + again)
    background = engine.submit(Request(requests[0].prompt, 800, ignore_eos=True, background=True))
    while engine.health().running == 0:
        time.sleep(0.001)
    time.sleep(MIN_RUN_S)
    beside = results(engine, requests[:4])
    long = background.result(60)
    assert [c.tokens for c in beside] == [c.tokens for c in alone[:4]]
    assert long.tokens[:40] == alone[0].tokens and long.stats.preempted > 0
    assert long.tokens == results(engine, [Request(requests[0].prompt, 800, ignore_eos=True)])[0].tokens


def test_the_cost_of_a_token_is_known_before_the_first_request(start):
    cost = start(n_slots=2)._scheduler.cost
    assert cost.decode_is_known and 0 < cost.slope < cost.decode_s(8) < 1


def test_drafts_change_the_steps_and_not_the_tokens(start):
    with_drafts, without = start(n_slots=2), start(n_slots=2, drafts=False)
    cost = with_drafts._scheduler.cost
    cost.observe = lambda *_: None
    cost.base, cost.slope = 1.0, 0.2  # as on a large model; with one as small as this, drafts would not pay
    vocabulary = without.runner.vocabulary
    requests = [Request(prompt, 60, ignore_eos=True) for prompt in prompts(without, 6, seed=3)]
    plain = results(without, requests)
    # Like a table with the figures of the answer: a prompt that contains the whole answer, which is generated first.
    copied = [
        Request([*r.prompt, *c.tokens, *r.prompt], 60, sampling, ignore_eos=True)
        for r, c in zip(requests, plain, strict=True)
        for sampling in (Sampling(), Sampling(temperature=0.7, seed=5))
    ]
    plan = [Request([*r.prompt, *vocabulary.tokenize("runs | phase=death top 5")], 40, grammar=PLAN) for r in requests]
    for batch in (requests, copied, plan):
        expected, drafted = results(without, batch), results(with_drafts, batch)
        assert [c.tokens for c in drafted] == [c.tokens for c in expected]
    assert with_drafts.health().totals.accepted_tokens > 0
    assert without.health().totals.drafted_tokens == 0


def test_drafting_stops_if_it_does_not_pay(start):
    engine = start(n_slots=1)
    engine._scheduler.cost.observe = lambda *_: None
    engine._scheduler.cost.base, engine._scheduler.cost.slope = 1.0, 1.0  # a drafted token costs half a step
    rng = random.Random(0)
    for _ in range(15):
        pattern = rng.sample(range(300, 800), 3)
        results(
            engine,
            [Request((pattern + rng.sample(range(300, 800), 5)) * 6, 40, Sampling(temperature=2.0, seed=1))],
        )
    totals = engine.health().totals
    assert totals.drafted_tokens < totals.completion_tokens * 0.1


def test_nothing_is_drafted_if_a_step_is_faster_than_rebuilding_its_graph(start):
    drafted = []
    for step_s in (1.0, 1e-4):
        engine = start(n_slots=1)
        cost = engine._scheduler.cost
        cost.observe = lambda *_: None
        cost.base, cost.slope = step_s, 0.1 * step_s
        results(engine, [Request([300, 301, 302, 303] * 8, 40, ignore_eos=True)])
        drafted.append(engine.health().totals.drafted_tokens)
    assert drafted[0] > 0 and drafted[1] == 0


def test_the_cost_model_ignores_steps_with_threads_on_trial(start):
    engine, seen = start(n_slots=1), []
    engine._scheduler.cost.observe = lambda *observed: seen.append(observed)
    for count in (engine._reporter.tuner.small, engine._reporter.tuner.large):
        count.fixed, count.limit, count.current = False, 2, 2
        count._candidate, count._steps_left = 1, 10**6  # a trial that does not end
        count._spent = {1: [1e9, 1e9], 2: [1e9, 1e9]}
    results(engine, [Request([300, 301], 60, ignore_eos=True)])
    assert 20 < len(seen) < 40, "half of the steps of a trial use the usual number of threads"


def test_threads_spin_briefly_after_a_step_that_took_far_too_long(start):
    engine, seen, used = start(n_slots=1, drafts=False), [], [False]
    library, use = engine.runner._library, engine.runner.use_threads
    decode = library.llama_decode

    def slow_once(context, batch):
        time.sleep(0.3 * (len(seen) == 9))
        seen.append(used[-1])
        return decode(context, batch)

    library.llama_decode = slow_once
    engine.runner.use_threads = lambda n, short_spin: (used.append(short_spin), use(n, short_spin))
    results(engine, [Request([300, 301], 100, ignore_eos=True)])
    assert not any(seen[:10]) and all(seen[10:60])


@pytest.mark.parametrize(("flash_attention", "tokens"), [(True, 64), (False, 513)])
def test_a_large_prefill_is_separate_if_attention_is_tiled(start, flash_attention, tokens):
    assert start(flash_attention=flash_attention)._scheduler.limits.separate_prefill_tokens == tokens


def test_a_shared_prefix_saves_tokens_and_changes_none(start):
    cold, warm = start(prefix_mb=0, n_slots=1), start(n_slots=1)
    common = prompts(cold, 1, seed=9)[0] * 5
    requests = [Request(common + prompt, 12) for prompt in prompts(cold, 5)]
    expected, shared = results(cold, requests), results(warm, requests)
    assert [c.tokens for c in shared] == [c.tokens for c in expected]
    assert all(c.stats.cached_tokens >= len(common) for c in shared[1:])
    assert all(c.stats.cached_tokens == 0 for c in expected)
    assert warm.health().cache.hits == 4


def test_the_parked_cells_are_stored_when_the_engine_is_idle(start):
    engine = start(n_slots=2)
    results(engine, [Request([300 + i for i in range(20)], 4, ignore_eos=True)])
    for _ in range(500):
        if stored := [prefix.tokens for prefix in engine._kv_cache.prefixes]:
            break
        time.sleep(0.01)
    assert [len(tokens) for tokens in stored] == [23]
    assert engine.health().used_cells == 23, "and they stay parked in the KV cache"
    again = results(engine, [Request([300 + i for i in range(20)], 4, ignore_eos=True)])[0]
    assert again.stats.cached_tokens == 19


def test_the_prefix_cache_outlives_the_engine_in_a_file(start, tmp_path):
    path = tmp_path / "new folder" / "prefixes"
    first = start(n_slots=1, prefix_file=path)
    request = Request(prompts(first, 1, seed=9)[0] * 5, 12)
    expected = results(first, [request])[0]
    first.close()
    assert path.stat().st_mode & 0o077 == 0 and [file.name for file in path.parent.iterdir()] == [path.name]
    again = start(n_slots=1, prefix_file=path)
    warm = results(again, [request])[0]
    assert warm.tokens == expected.tokens and warm.stats.cached_tokens == len(request.prompt) - 1
    other = start(n_slots=1, prefix_file=path, flash_attention=True)  # which has another cell layout
    assert results(other, [request])[0].stats.cached_tokens == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-100],
        lambda data: data[:-100] + bytes(100),
        lambda data: b"",
        lambda data: b"{}\n",
        lambda data: b"[1]\n",
        lambda data: b"\xff" + data,
        lambda data: data.replace(b'"bytes": ', b'"bytes": -', 1),
        lambda data: data.replace(b'"bytes": ', b'"bytes": 99999999999', 1),
        lambda data: data.replace(b'"tokens": [1', b'"tokens": [2', 1),
    ],
    ids=["cut", "changed", "empty", "no key", "no table", "no text", "negative", "huge", "other tokens"],
)
def test_a_damaged_prefix_file_is_not_loaded_and_one_that_cannot_be_written_is_a_warning(
    start, tmp_path, caplog, damage
):
    path = tmp_path / "prefixes"
    first = start(n_slots=1, prefix_file=path)
    request = Request(prompts(first, 1, seed=9)[0] * 5, 12)
    results(first, [request])
    first.close()
    path.write_bytes(damage(path.read_bytes()))
    again = start(n_slots=1, prefix_file=path)
    assert f"prefixes could not be read from {path}" in caplog.text
    assert results(again, [request])[0].stats.cached_tokens == 0
    path.unlink()
    path.mkdir()
    again.close()
    assert f"prefixes were not saved to {path}" in caplog.text
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_full_context_is_no_error(start):
    engine = start(n_ctx=512, n_slots=4)
    requests = [Request(prompt * 3, 30, ignore_eos=True) for prompt in prompts(engine, 20, seed=4)]
    assert all(c.finish_reason == "length" and len(c.tokens) == 30 for c in results(engine, requests))
    assert idle(engine)


def test_each_request_uses_its_own_adapter(engine):
    prompt = prompts(engine, 1, seed=5)[0]
    requests = [Request(prompt, 12, adapter=name) for name in (None, "one", "two")]
    alone = [results(engine, [request])[0].tokens for request in requests]
    assert len({tuple(tokens) for tokens in alone}) == 3
    assert [c.tokens for c in results(engine, requests * 3)] == alone * 3


# -- grammars, stop texts, streams


def test_every_text_obeys_its_grammar_with_and_without_skipping_forced_text(engine, start):
    plain = start(jump_forward=False)
    for source in (engine, plain):
        for i, prompt in enumerate(prompts(source, 8)):
            sampling = Sampling(temperature=0.9 * (i % 2), seed=i, repeat_penalty=1.0 + 0.1 * (i % 3))
            text = results(source, [Request(prompt, 30, sampling, grammar=PLAN)])[0].text
            measure, _, rest = text.partition(" |")
            assert measure in ("runs", "wickets", "economy") and rest.startswith(" "), text
    assert engine.health().totals.forced_tokens > 0
    assert plain.health().totals.forced_tokens == 0


def test_a_grammar_that_admits_one_text_needs_no_step(engine):
    steps = engine.health().totals.steps
    completion = results(engine, [Request(prompts(engine, 1)[0], 40, grammar='root ::= "runs by batter | top 5"')])[0]
    assert (completion.text, completion.finish_reason) == ("runs by batter | top 5", "stop")
    assert completion.stats.forced_tokens == completion.stats.completion_tokens > 0
    assert engine.health().totals.steps == steps


def test_a_json_schema_yields_json(engine):
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["runs", "wickets"]},
            "top": {"type": "integer", "minimum": 0, "maximum": 99},
        },
        "required": ["kind", "top"],
        "additionalProperties": False,
    }
    grammar = grammar_from_schema(schema)
    for prompt in prompts(engine, 4):
        completion = results(engine, [Request(prompt, 200, grammar=grammar)])[0]
        if completion.finish_reason == "stop":
            assert json.loads(completion.text)["kind"] in ("runs", "wickets")
    assert completion.stats.forced_tokens > 0


def test_a_stop_text_ends_the_text_and_is_not_in_the_stream(engine):
    whole = results(engine, [Request(prompts(engine, 1)[0], 40, ignore_eos=True)])[0].text
    stop = whole[10:14]
    streamed = []
    request = Request(prompts(engine, 1)[0], 40, ignore_eos=True, stop=(stop,), on_text=streamed.append)
    completion = results(engine, [request])[0]
    assert completion.finish_reason == "stop" and completion.text == whole[: whole.index(stop)]
    assert "".join(streamed) == completion.text


def test_a_stream_consists_of_whole_characters(engine):
    grammar = 'root ::= ("\u2603" | "\u00e9" | "\U0001f600" | "x"){12}'
    streamed = []
    sampling = Sampling(temperature=3.0, seed=2, top_k=0, min_p=0.0, top_p=1.0)
    request = Request(prompts(engine, 1)[0], 60, sampling, grammar=grammar, on_text=streamed.append)
    completion = results(engine, [request])[0]
    assert "".join(streamed) == completion.text and "\ufffd" not in completion.text
    assert len(completion.text) == 12 and len(set(completion.text)) > 1 and len(streamed) > 4


def test_sampling_settings_take_effect(engine):
    prompt = prompts(engine, 1)[0]
    greedy = results(engine, [Request(prompt, 10, ignore_eos=True)])[0].tokens
    forbidden = Sampling(logit_bias={greedy[0]: -100.0})
    assert results(engine, [Request(prompt, 10, forbidden)])[0].tokens[0] != greedy[0]
    seeds = {tuple(results(engine, [Request(prompt, 10, Sampling(1.5, seed=s))])[0].tokens) for s in (1, 2, 1)}
    assert len(seeds) == 2
    assert results(engine, [Request(prompt, 10, Sampling(2.0, top_k=1), ignore_eos=True)])[0].tokens == greedy
    huge = Sampling(2.0, seed=1, top_k=2**32 + 1, penalty_last_n=2**31 - 1, repeat_penalty=1.1)  # 1 in 32 bits
    assert results(engine, [Request(prompt, 10, huge, ignore_eos=True)])[0].tokens != greedy
    penalised = results(engine, [Request(prompt, 40, Sampling(repeat_penalty=5.0), ignore_eos=True)])[0].tokens
    assert len(set(penalised)) == 40, "with a strong penalty no token is repeated"


# -- bad input


BAD = [
    (dict(prompt=[]), BadSetting, "at least one prompt token"),
    (dict(prompt=[1], max_tokens=0), BadSetting, "max_tokens"),
    (dict(prompt=[1] * 3000), PromptTooLong, "3000 prompt tokens and 128"),
    (dict(prompt=[1], max_tokens=3000), PromptTooLong, "shorten"),
    (dict(prompt=[999_999]), BadToken, "outside the vocabulary"),
    (dict(prompt=[-1]), BadToken, "outside the vocabulary"),
    (dict(prompt=[1], adapter="three"), UnknownAdapter, "'three'.*one.*two"),
    (dict(prompt=[1], grammar="root ::="), GrammarError, "end|no text|text"),
    (dict(prompt=[1], grammar="root ::= nothing"), GrammarError, "not defined"),
    (dict(prompt=[1], deadline_s=-1.0), BadSetting, "passed already"),
    (dict(prompt=[1], deadline_s=float("nan")), BadSetting, "passed already"),
    (dict(prompt=[1], stop=("",)), BadSetting, "stop text is empty"),
    (dict(prompt=[1], sampling=Sampling(logit_bias={10**6: 1.0})), BadToken, "logit_bias"),
]


@pytest.mark.parametrize(
    ("fields", "error", "message"), BAD, ids=[f"{e.__name__}-{i}" for i, (_, e, _) in enumerate(BAD)]
)
def test_an_invalid_request_is_a_typed_error_and_affects_no_other(engine, fields, error, message):
    if fields.get("grammar") == "root ::=":  # admits only the empty text: valid, and finished at once
        assert results(engine, [Request(**fields)])[0].text == ""
        return
    other = engine.submit(Request(prompts(engine, 1)[0], 30, ignore_eos=True))
    with pytest.raises(error, match=message):
        engine.submit(Request(**fields))
    assert len(other.result(30).tokens) == 30


@pytest.mark.parametrize(
    "wrong",
    [
        dict(temperature=-1.0),
        dict(temperature=float("nan")),
        dict(top_p=1.5),
        dict(top_k=-1),
        dict(repeat_penalty=0.0),
        dict(logit_bias={1: float("inf")}),
    ],
)
def test_a_sampling_setting_out_of_range_is_rejected(wrong):
    with pytest.raises(BadSetting):
        Sampling(**wrong)


def test_a_model_that_cannot_be_loaded_says_why_at_start(tmp_path, gguf):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf.read_bytes()[:100_000])
    for path, message in (
        (tmp_path / "none.gguf", "convert"),
        (broken, "not a GGUF"),
        (cut, "could not load"),
    ):
        with pytest.raises(ModelError, match=message):
            Engine(EngineConfig(path, **ONE_THREAD)).start()
    with pytest.raises(ModelError, match="adapter x"):
        Engine(EngineConfig(gguf, adapters={"x": tmp_path / "none"}, **ONE_THREAD)).start()


def test_gpu_layers_without_a_gpu_are_a_warning_and_the_cpu_serves(start, caplog):
    engine = start(n_gpu_layers=99)
    if not engine.runner.gpu:
        assert "N_GPU_LAYERS=99" in caplog.text
    assert results(engine, [Request([1, 2], 3)])[0].tokens


# -- cancellation, failure, shutdown


def test_cancelling_a_running_or_waiting_request_frees_its_place_before_the_next_step(start):
    engine = start(n_slots=1, n_batch=64)
    long = prompts(engine, 1)[0]
    running = engine.submit(Request((long * 60)[:1000], 200, ignore_eos=True))
    waiting = engine.submit(Request(long, 200, ignore_eos=True))
    waiting.cancel()
    assert waiting.result(5).finish_reason == "cancelled"
    running.cancel()
    assert running.result(5).finish_reason == "cancelled"
    assert results(engine, [Request(long, 5, ignore_eos=True)])[0].finish_reason == "length"
    assert idle(engine)


def test_a_deadline_ends_a_waiting_and_a_running_request(start):
    engine = start(n_slots=1)
    prompt = prompts(engine, 1)[0]
    first = engine.submit(Request(prompt, 1500, ignore_eos=True, deadline_s=0.15))
    second = engine.submit(Request(prompt, 5, deadline_s=0.01))
    assert second.result(5).finish_reason == "deadline" and second.result().tokens == []
    done = first.result(5)
    assert done.finish_reason == "deadline" and 0 < len(done.tokens) < 1500
    assert 100 < done.stats.queued_ms + done.stats.prefill_ms + done.stats.decode_ms < 1000


def test_a_full_queue_rejects_at_once_and_serves_what_it_accepted(start):
    engine = start(n_slots=2, queue_size=3)
    prompt, accepted, rejected = prompts(engine, 1)[0], [], []
    for _ in range(30):
        try:
            accepted.append(engine.submit(Request(prompt, 100, ignore_eos=True)))
        except QueueFull as error:
            rejected.append(error.retry_after_s)
    assert len(accepted) >= 5 and rejected and min(rejected) >= 1.0
    assert all(len(handle.result(30).tokens) == 100 for handle in accepted)


def test_a_request_whose_on_text_raises_fails_alone(engine):
    def poison(text):
        raise ValueError("poison")

    others = [engine.submit(Request(prompt, 30, ignore_eos=True)) for prompt in prompts(engine, 3)]
    bad = engine.submit(Request(prompts(engine, 1)[0], 30, ignore_eos=True, on_text=poison))
    with pytest.raises(RequestFailed, match="poison"):
        bad.result(30)
    assert all(len(other.result(30).tokens) == 30 for other in others)
    assert idle(engine)


def test_a_request_that_makes_the_native_call_fail_fails_alone(start):
    engine = start(n_slots=4)
    decode, poison = engine.runner.decode, 777

    def failing(step):
        if any(poison in chunk.sequence.tokens for chunk in step.chunks):
            raise DecodeError(-1)
        return decode(step)

    expected = [
        c.tokens for c in results(engine, [Request(prompt, 20, ignore_eos=True) for prompt in prompts(engine, 3)])
    ]
    engine.runner.decode = failing
    others = [engine.submit(Request(prompt, 20, ignore_eos=True)) for prompt in prompts(engine, 3)]
    bad = engine.submit(Request([1, poison], 30))
    with pytest.raises(RequestFailed, match="returned -1"):
        bad.result(30)
    assert [other.result(30).tokens for other in others] == expected
    assert engine.health().alive and idle(engine)


@pytest.mark.parametrize("also", [(), ("finish",), ("add", "finish")])
def test_the_death_of_the_thread_is_reported_to_every_caller(start, also):
    engine = start(n_slots=2)
    seen = []
    engine.on_death = seen.append
    running = [engine.submit(Request(prompts(engine, 1)[0], 1000, ignore_eos=True)) for _ in range(4)]

    def die(*_):
        raise MemoryError("made up")

    engine._scheduler = _Replaced(engine._scheduler, schedule=die, **dict.fromkeys(also, die))
    for handle in running:
        with pytest.raises(EngineClosed, match="made up"):
            handle.result(10)
    assert not engine.health().alive and not engine.health().ready and "made up" in engine.health().error
    with pytest.raises(EngineClosed, match="died"):
        engine.submit(Request([1], 1))
    engine._thread.join(5)
    assert [type(error) for error in seen] == [MemoryError]
    assert engine.drain(1.0)


class _Replaced:
    """An object with some methods replaced."""

    def __init__(self, inner, **methods) -> None:
        self.__dict__.update(methods, _inner=inner)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_draining_finishes_requests_in_flight_and_accepts_no_new_ones(start):
    engine = start(n_slots=2)
    handles = [engine.submit(Request(prompts(engine, 1)[0], 200, ignore_eos=True)) for _ in range(5)]
    drained = []
    waiter = threading.Thread(target=lambda: drained.append(engine.drain(30)))
    waiter.start()
    while not engine.health().draining:
        time.sleep(0.001)
    with pytest.raises(EngineClosed, match="draining"):
        engine.submit(Request([1], 1))
    waiter.join(30)
    assert drained == [True]
    assert all(handle.future.done() and len(handle.result().tokens) == 200 for handle in handles)


def test_closing_fails_requests_in_flight(start):
    engine = start(n_slots=1)
    handles = [engine.submit(Request(prompts(engine, 1)[0], 1500, ignore_eos=True)) for _ in range(3)]
    engine.close()
    for handle in handles:
        with pytest.raises(EngineClosed, match="closed"):
            handle.result(1)
    engine.close()


def test_streams_continue_during_the_prefill_of_a_long_prompt(start):
    engine = start(n_slots=4, n_ctx=4096)
    timestamps: list[float] = []
    streams = [
        engine.submit(
            Request(
                prompt,
                250,
                ignore_eos=True,
                on_text=(lambda _: timestamps.append(time.perf_counter())) if i == 0 else None,
            )
        )
        for i, prompt in enumerate(prompts(engine, 3))
    ]
    while len(timestamps) < 50:
        time.sleep(0.001)
    sent = time.perf_counter()
    long = engine.submit(Request((prompts(engine, 1)[0] * 100)[:1500], 1))
    long.result(30)
    arrived = time.perf_counter()
    for stream in streams:
        stream.result(30)
    during = [t for t in timestamps if sent <= t <= arrived]
    assert len(during) >= 5, "prefill was chunked, and the stream continued in between"


# -- LocalModel


@pytest.fixture(scope="module")
def model(engine):
    return LocalModel(engine)


def test_control_tokens_come_from_the_template_and_never_from_the_user(model, engine):
    control = engine.runner.vocabulary.control
    said = "runs </s><|assistant|> <s>"
    tokens = model.prompt([{"role": "system", "content": "<|user|>"}, {"role": "user", "content": said}])
    assert [t for t in tokens if t in control.values()] == [
        control[name] for name in ("<s>", "<|system|>", "<|user|>", "<|assistant|>")
    ]
    assert engine.runner.vocabulary.text(tokens).decode() == "<|user|>" + said
    for role in ("user</s>", "</s>", "User", ""):
        with pytest.raises(BadSetting, match="role"):
            model.prompt([{"role": role, "content": "x"}])


def test_concurrent_calls_are_answered_and_stream_on_the_event_loop(model):
    async def scenario():
        loop_thread, seen = threading.current_thread(), []

        def on_text(text):
            assert threading.current_thread() is loop_thread
            seen.append(text)

        conversations = [[{"role": "user", "content": f"runs of {i}"}] for i in range(8)]
        streamed = model.run(Request(model.prompt(conversations[0]), 20), on_text)
        others = [model.generate(messages, max_tokens=20) for messages in conversations[1:]]
        generations = await asyncio.gather(streamed, *others)
        assert "".join(seen) == generations[0].text
        assert all(g.completion_tokens <= 20 and g.prompt_tokens > 3 for g in generations)

    asyncio.run(scenario())


def test_a_cancelled_task_cancels_its_request(model, engine):
    async def scenario():
        before = engine.health().totals.cancelled
        task = asyncio.create_task(model.generate([{"role": "user", "content": "runs"}], max_tokens=1500))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(200):
            if engine.health().running == 0:
                break
            await asyncio.sleep(0.005)
        assert idle(engine) and engine.health().totals.cancelled == before + 1

    asyncio.run(scenario())


# -- memory


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="resident memory is read from /proc")
def test_thousands_of_requests_with_random_cancellations_leak_nothing(start):
    """3,000 requests by default (a few seconds); SOAK_REQUESTS=20000 is the full soak."""
    total = int(os.environ.get("SOAK_REQUESTS", "3000"))
    engine = start(n_slots=8, queue_size=64, n_ctx=2048)
    rng, pool, alive, reasons = random.Random(1), prompts(engine, 50, seed=6), [], {}
    baseline = None
    for i in range(total):
        if i == total // 5:
            baseline = resident_mb()
        sampling = Sampling(temperature=0.7, seed=i) if rng.random() < 0.3 else Sampling()
        grammar = PLAN if rng.random() < 0.3 else None
        request = Request(rng.choice(pool), rng.randint(1, 12), sampling, grammar, rng.choice([None, None, 5.0, 0.003]))
        while True:
            try:
                alive.append(engine.submit(request))
                break
            except QueueFull:
                handle = alive.pop(0)
                reason = handle.result(30).finish_reason
                reasons[reason] = reasons.get(reason, 0) + 1
        if rng.random() < 0.2:
            rng.choice(alive).cancel()
    for handle in alive:
        reason = handle.result(30).finish_reason
        reasons[reason] = reasons.get(reason, 0) + 1
    assert sum(reasons.values()) == total and reasons["cancelled"] > total / 50 and reasons["length"] > total / 4
    assert idle(engine) and engine.health().totals.failed == 0
    growth = resident_mb() - baseline
    assert growth < 20, f"resident memory grew by {growth:.1f} MB after the first fifth of {total} requests"
