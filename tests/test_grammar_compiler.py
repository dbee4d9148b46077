"""Large grammars delay nobody but their sender: `python -m pytest tests/test_grammar_compiler.py`."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.engine.engine import Engine, EngineConfig
from serve.engine.errors import GrammarError
from serve.engine.grammar.automaton import MAX_CONFIGURATIONS, MAX_EXPLORED_TOKEN, Grammar, TooLarge
from serve.engine.grammar.tokens import admitted_tokens
from serve.engine.grammar_compiler import SMALL_CHARS, SMALL_PARTS, GrammarCompiler
from serve.engine.sequence import Request, Sequence
from tests.support.tiny_gguf import tiny_gguf


def large(i: int) -> str:
    """A grammar of some 90,000 nodes."""
    return f'root ::= (([a-z] | [b-y] | "c" [d-x]){{0,2000}} "x{i}") | ([a-e]{{1,2000}}){{1,20}}'


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path: Path = tiny_gguf(tmp_path_factory.mktemp("gguf"))
    started = Engine(EngineConfig(path, n_ctx=512, n_slots=2, queue_size=40, n_threads=1, n_threads_batch=1))
    started.start()
    yield started
    started.close()


def sequence(grammar: str | None, owner: str = "") -> Sequence:
    return Sequence(Request([1], grammar=grammar, owner=owner), [1], 0.0, float("inf"))


def test_a_request_is_answered_while_another_s_large_grammars_are_compiled(engine):
    bombs = [engine.submit(Request([1], 4, grammar=large(i), owner="bomber")) for i in range(4)]
    small = engine.submit(Request([1, 300], 4, grammar='root ::= "runs" [0-9]{4}', owner="me"))
    assert small.result(60).text.startswith("runs")
    assert not bombs[-1].future.done(), "all four take more than a second"
    assert all(len(bomb.result(60).text) > 0 for bomb in bombs)


def test_owners_of_large_grammars_take_turns_and_none_of_them_is_compiled_on_the_caller_s_thread():
    arrived: list[Sequence] = []
    threads = set()

    def arrive(sequence: Sequence) -> None:
        threads.add(threading.current_thread())
        arrived.append(sequence)

    compiler = GrammarCompiler(arrive)
    compiler._condition.acquire()  # the compiler's thread waits until all are queued
    sent = [sequence(large(i), "bomber") for i in range(3)] + [sequence(large(9), "me")]
    for one in sent:
        assert not compiler.compile_small(one)
    compiler._condition.release()
    with compiler._condition:
        for one in sent:
            compiler.queue(one)
    while len(arrived) < 4:
        time.sleep(0.01)
    compiler.close()
    assert arrived.index(sent[3]) == 1, "after the first of the other owner"
    assert all(one.grammar is not None for one in sent) and threads == {compiler._thread}


def test_what_is_small_or_known_is_compiled_at_once():
    compiler = GrammarCompiler(lambda _: None)
    assert compiler.compile_small(sequence(None)) and compiler.compile_small(sequence('root ::= "a"'))
    with pytest.raises(GrammarError, match="not defined"):
        compiler.compile_small(sequence("root ::= nothing"))
    with pytest.raises(TooLarge):
        Grammar(large(0), SMALL_PARTS)
    long = f'root ::= "a" # {"x" * SMALL_CHARS}'
    assert not compiler.compile_small(sequence(long))
    compiler._cache.get(long)
    assert compiler.compile_small(sequence(long)), "it is known now"


def test_a_large_grammar_s_mistake_is_raised_by_the_result_and_others_are_served(engine):
    bad = engine.submit(Request([1], 4, grammar=f"root ::= {large(0)[9:]} | nothing #{'x' * SMALL_CHARS}"))
    huge = engine.submit(Request([1], 4, grammar='root ::= (([a-z] "x"){1,2000}){1,2000}'))
    with pytest.raises(GrammarError, match="not defined"):
        bad.result(60)
    with pytest.raises(GrammarError, match="more than 100000 parts"):
        huge.result(60)
    assert engine.submit(Request([1], 2)).result(60).tokens


def test_a_request_that_is_cancelled_or_late_while_it_waits_for_its_grammar_ends(engine):
    handles = [
        engine.submit(Request([1], 4, grammar=large(100 + i), deadline_s=0.05 if i == 3 else None)) for i in range(4)
    ]
    handles[2].cancel()
    assert handles[2].result(60).finish_reason == "cancelled"
    assert handles[3].result(60).finish_reason == "deadline"
    assert [handle.result(60).finish_reason for handle in handles[:2]] == ["length"] * 2


def test_the_work_for_one_token_is_bounded(engine):
    vocabulary = engine.runner.vocabulary
    heavy = "root ::= " + " | ".join(f"r{i}" for i in range(60))
    heavy += "\n" + "\n".join(f'r{i} ::= ([a-z ]{{0,30}} "{i}"?){{1,4}}' for i in range(60))
    state = Grammar(heavy).start
    before = state._grammar._explored
    state.begin_token()
    with pytest.raises(GrammarError, match="one token can be read in too many ways"):
        admitted_tokens(state, vocabulary)
    assert state._grammar._explored - before < MAX_EXPLORED_TOKEN + 8 * MAX_CONFIGURATIONS
    with pytest.raises(GrammarError):
        engine.submit(Request([1], 4, grammar=heavy, ignore_eos=True)).result(60)
    assert engine.submit(Request([1], 2)).result(60).tokens
