"""How much longer one key's questions take beside others' long texts and large grammars, on the engine itself.

python -m serve.bench.neighbours --model models/demo/model-q8_0.gguf
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from serve.engine.engine import Engine, EngineConfig
from serve.engine.sequence import Handle, Request

CALLS = 2  # of the model for a question
PROMPT, GENERATED = 60, 16  # tokens of a call
QUESTION_GRAMMAR = 'root ::= "runs" [0-9]{3}'


def prompt(seed: int, n: int) -> list[int]:
    return [1, *(300 + (seed * 37 + 11 * i) % 500 for i in range(n))]


def large_grammar(i: int) -> str:
    """A grammar of some 98,000 nodes."""
    return f'root ::= (([a-z] | [b-y] | "c" [d-x]){{0,2000}} "x{i}") | ([a-e]{{1,2000}}){{1,21}}'


def ask(engine: Engine, i: int, grammar: str | None) -> None:
    for call in range(CALLS):
        tokens = prompt(2 * i + call, PROMPT)
        engine.submit(Request(tokens, GENERATED, grammar=grammar, owner="me", ignore_eos=grammar is None)).result()


def measure(engine: Engine, label: str, n: int, grammar: str | None = None) -> float:
    """Print the time and the engine's steps of `n` questions one after the other; returns the p95 in seconds."""
    seconds, steps = [], []
    for i in range(n):
        began, before = time.perf_counter(), engine.health().totals.steps
        ask(engine, i, grammar)
        seconds.append(time.perf_counter() - began)
        steps.append(engine.health().totals.steps - before)
    p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    print(f"{label}: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, {statistics.median(steps):.0f} steps")
    return p95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/demo/model-q8_0.gguf"), help="a GGUF file")
    parser.add_argument("--questions", type=int, default=40, help="how many are timed in each situation")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the cgroup grants")
    args = parser.parse_args()
    engine = Engine(EngineConfig(args.model, n_ctx=4096, n_threads=args.threads, n_threads_batch=args.threads))
    engine.start()
    n = args.questions
    measure(engine, "to warm up", 5)
    alone = measure(engine, "alone", n)
    texts = [
        Request(prompt(100 + i, 40), 3500, owner=f"neighbour {i % 3}", background=True, ignore_eos=True)
        for i in range(15)
    ]
    handles: list[Handle] = [engine.submit(request) for request in texts]
    time.sleep(2)
    beside = measure(engine, "beside 15 long texts of three other keys", n)
    print(f"p95 is {beside / alone:.1f} times that alone")
    end(handles)
    alone = measure(engine, "alone, under a grammar", n, QUESTION_GRAMMAR)
    bombs = [Request([1], 4, grammar=large_grammar(i), owner="neighbour", background=True) for i in range(8)]
    handles = [engine.submit(request) for request in bombs]
    beside = measure(engine, "beside 8 grammars of 98,000 nodes", n, QUESTION_GRAMMAR)
    print(f"p95 is {beside / alone:.1f} times that alone")
    end(handles)
    engine.close()


def end(handles: list[Handle]) -> None:
    for handle in handles:
        handle.cancel()
    for handle in handles:
        handle.result()


if __name__ == "__main__":
    main()
