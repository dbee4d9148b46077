"""The engine against llama-server on one GGUF, in alternating short rounds: `python -m serve.bench.engine`.

LLAMA_SERVER names the other binary; without it only ours is measured. `python -m convert.gguf.llama_cpp_source --server`
compiles it from the source distribution of llama-cpp-python, so that both are the same llama.cpp, and prints its path.
`make bench-engine` does both.

Both serve HTTP on the loopback and are asked by the same client (serve/bench/servers.py). A figure is the median over
rounds, a ratio the median of paired rounds. The models are that of `make demo`, asked what the service asks of it, and
two with random weights, of the embedded model's and of Qwen2-0.5B's shape. `--peer llama_cpp.server` puts
llama-cpp-python's own server in the other's place, `--peer example-server` its example server, raw generation only
(EXAMPLE_SERVER names the script, which `python -m convert.gguf.llama_cpp_source --example-server` unpacks).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from convert.manifest import load
from serve.bench import traffic as bench_traffic
from serve.bench.random_model import SHAPES, write_gguf
from serve.bench.servers import SLOTS, Server, ask_all, example_server, llama_cpp_server, llama_server, ours
from serve.bench.traffic import Ask
from serve.engine import memory
from serve.engine.engine import Engine, EngineConfig
from serve.engine.runner import Runner, RunnerConfig
from serve.engine.scheduler import Chunk, Step
from serve.engine.sequence import Cells, Request, Sequence

DEMO = Path("models/demo")
PEERS = ("llama-server", "llama_cpp.server", "example-server")
PROCESSES = 2  # of each server, for one figure
TG = 128  # tokens of a single stream, as many as llama-bench decodes unless told otherwise


Make = Callable[[int, int], list[Ask]]  # (how many, seed)


def traffic(workload: str, model: Path) -> Make:
    """The requests of a workload, tokenised as `model` reads them, so that both servers get the very same."""
    import jinja2
    import llama_cpp

    vocabulary = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    if workload != "recorded":
        plain = getattr(bench_traffic, workload)
        return lambda n, seed: [
            replace(ask, prompt=vocabulary.tokenize(ask.prompt.encode(), add_bos=True)) for ask in plain(n, seed)
        ]
    template = jinja2.Template(vocabulary.metadata["tokenizer.chat_template"])
    bos = vocabulary.detokenize([vocabulary.token_bos()], special=True).decode()

    def tokens(messages: list[dict[str, str]]) -> list[int]:
        text = template.render(messages=messages, add_generation_prompt=True, bos_token=bos)
        return vocabulary.tokenize(text.encode(), add_bos=False, special=True)

    return lambda n, seed: bench_traffic.recorded(n, seed, tokens)


def compare(
    start: Callable[[], list[Server]], workload: str, make: Make, clients: int, rounds: int, per_round: int
) -> dict:
    """Alternating rounds; requests a second (the service's traffic) or tokens a second (raw) of each server.

    The ratio is that of the first server to the fastest of the others. All are started anew half-way: one process is
    not as fast as the next of the same program. The first server is ours, and says what it did.
    """
    is_raw = workload == "raw"
    speeds: dict[str, list[float]] = defaultdict(list)
    texts: dict[str, list[str]] = defaultdict(list)
    spent, ready_s = Counter[str](), []
    for process in range(PROCESSES):
        with ExitStack() as stack:  # started anew, so that none has seen these requests
            servers = [stack.enter_context(server) for server in start()]
            for i in range(-(-rounds // PROCESSES) + 1):  # the first is for warming up
                asks = make(per_round, 100 * process + i)
                for server in servers if i % 2 else servers[::-1]:
                    seconds, made, answers = asyncio.run(ask_all(server, asks, clients, is_raw))
                    if i:
                        speeds[server.name].append((made if is_raw else len(asks)) / seconds)
                        texts[server.name] += answers
                if i == 0:
                    before = servers[0].health()
            after = servers[0].health()
        spent.update({key: after[key] - before[key] for key in after if key.endswith(("_s", "_tokens"))})
        ready_s.append(before["ready_s"])
    medians = {name: statistics.median(s) for name, s in speeds.items()}
    result = {"workload": workload, "clients": clients} | medians
    if len(medians) > 1:
        own = servers[0].name
        best = max(medians.keys() - {own}, key=medians.__getitem__)
        ratios = [a / b for a, b in zip(speeds[own], speeds[best], strict=True)]
        same = [a == b for a, b in zip(texts[own], texts[best], strict=True)]
        result |= {"ratio": statistics.median(ratios), "same_text": sum(same) / len(same)}
    return result | {
        "forced": spent["forced_tokens"] / spent["completion_tokens"],
        "guessed": spent["accepted_tokens"] / spent["completion_tokens"],
        "cached": spent["cached_tokens"] / spent["prompt_tokens"],
        "overhead": 1 - spent["native_s"] / spent["busy_s"],
        "ready_s": statistics.median(ready_s),
    }


# -- what needs no second server


def single_stream(model: Path, threads: int, rounds: int = 5) -> tuple[float, float]:
    """One request that decodes 128 tokens after a prompt of one, llama-bench's "tg128".

    Returns tokens a second, and the share of the time that was spent inside llama.cpp.
    """
    engine = Engine(EngineConfig(model, n_slots=1, n_threads=threads, n_threads_batch=threads, drafts=False))
    engine.start()
    memory.freeze()  # as serve/__main__.py does
    spent, native_s = [], engine.health().totals.native_s
    for i in range(rounds):
        before = time.perf_counter()
        engine.submit(Request([300 + i], TG, ignore_eos=True)).result()
        spent.append(time.perf_counter() - before)
    native_s = engine.health().totals.native_s - native_s
    engine.close()
    return TG / statistics.median(spent), native_s / sum(spent)


def gaps(model: Path, threads: int) -> dict:
    """Eight streams run and a prompt of 1,000 tokens arrives: gaps between tokens meanwhile, in median gaps."""
    team = {"n_threads": threads, "n_threads_batch": threads}
    engine = Engine(EngineConfig(model, n_slots=SLOTS, drafts=False, **team))  # guessed tokens would come in bunches
    engine.start()
    moments: list[float] = []
    wordy = "root ::= [ -~]{1500}\n"  # every token writes text, also of a model that has nothing to say
    streams = [
        engine.submit(
            Request(
                [1] + [300 + i] * 40,
                300,
                grammar=wordy,
                on_text=(lambda _: moments.append(time.perf_counter())) if i == 0 else None,
            )
        )
        for i in range(8)
    ]
    while len(moments) < 60 and not streams[0].future.done():
        time.sleep(0.005)
    sent = time.perf_counter()
    engine.submit(Request([1] + [300 + i % 400 for i in range(1000)], 1)).result()
    first = time.perf_counter()
    for stream in streams:
        stream.result()
    engine.close()
    pairs = list(zip(moments, moments[1:], strict=False))
    calm = statistics.median(b - a for a, b in pairs if b < sent or a > first)  # before and after: machines drift
    during = sorted(b - a for a, b in pairs if sent <= b <= first)
    return {
        "median_gap_ms": calm * 1e3,
        "median_during": statistics.median(during) / calm,
        "p95_during": during[int(0.95 * len(during))] / calm,
        "longest_during": during[-1] / calm,
        "first_token_s": first - sent,
    }


def alone(measure: str, model: Path, threads: int) -> Any:
    """`single_stream` or `gaps` in a process of its own, which waits as the service does."""
    command = [sys.executable, "-m", "serve.bench.engine", "--alone", measure, str(model), "--threads", str(threads)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def one_stream(server_binary: str, model: Path, threads: int, rounds: int) -> None:
    """Tokens a second of a single stream beside llama-bench's, by turns, where that lies beside llama-server.

    Every round starts both anew: the speed of either changes from process to process.
    """
    binary = Path(server_binary).with_name("llama-bench")
    if not binary.exists():
        return
    command = [str(binary), "-m", str(model), "-p", "0", "-n", str(TG), "-t", str(threads), "-r", "5", "-o", "json"]
    own, its = [], []
    for _ in range(rounds):
        own.append(alone("single_stream", model, threads))
        its.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]["avg_ts"])
    speeds, shares = zip(*own, strict=True)
    ratio = statistics.median(a / b for a, b in zip(speeds, its, strict=True))
    print(
        f"one stream, decoding: {statistics.median(speeds):.1f} tok/s, {statistics.median(shares):.1%} of the time in "
        f"llama.cpp; llama-bench {statistics.median(its):.1f}; ratio {ratio:.3f}"
    )


def waiting_policies(model: Path, threads: int, seconds: float = 6.0) -> None:
    """One client's tokens a second, alone and beside processes that keep a core busy each, by how threads wait.

    With a fixed number of threads that spin so many times before they sleep, and as served: serve/engine/thread_tuner.py.
    """
    busy = [sys.executable, "-c", "while True: pass"]
    for spin in ("100", "3000", "300000", None):
        speeds = []
        for neighbours in range(3):
            number, env = (threads, {"GOMP_SPINCOUNT": spin}) if spin else (0, {})
            with ExitStack() as stack:
                server = stack.enter_context(ours(model, number, env=env))
                for process in [subprocess.Popen(busy) for _ in range(neighbours)]:
                    stack.callback(process.wait)
                    stack.callback(process.kill)
                asks, made, began = bench_traffic.raw(2), 0, time.perf_counter()
                while time.perf_counter() - began < seconds:
                    made += asyncio.run(ask_all(server, asks, 1, True))[1]
                speeds.append(made / (time.perf_counter() - began))
        name = f"{threads} threads, GOMP_SPINCOUNT={spin}" if spin else "as served"
        beside = ", ".join(f"{speed:7.1f} beside {n}" for n, speed in enumerate(speeds[1:], 1))
        print(f"{name:32} alone {speeds[0]:7.1f} tok/s, {beside}", flush=True)


def rounding(model: Path, prompts: list[list[int]]) -> None:
    """How far the logits of a prompt's last token move when it is computed alone, after the rest of the prompt.

    What else is in a batch decides between the same kernels, and a quantised model's activations are rounded to 8 bits.
    """
    for flash in (True, False):
        runner = Runner(RunnerConfig(model, n_sequences=1, flash_attention=flash))
        moved, other = [], 0
        for prompt in prompts:
            n, sequence = len(prompt), Sequence(Request(prompt), prompt, 0.0, 0.0, cells=Cells(0, prompt, None))
            together = runner.decode(Step([Chunk(sequence, 0, n, [], 1)], None, 0, n))[0].copy()
            runner.drop_cells(0, n - 1)
            alone = runner.decode(Step([Chunk(sequence, n - 1, n, [], 1)], None, 1, 0))[0]
            runner.drop_cells(0, 0)
            moved.append(float(abs(together - alone).max()))
            other += together.argmax() != alone.argmax()
        runner.close()
        print(
            f"flash attention {'on' if flash else 'off':3}  a logit moves by {statistics.median(moved):.4f} (median), "
            f"{max(moved):.4f} at most; another token is largest after {other} of {len(prompts)} prompts"
        )


def draw(results: list[dict], peer: str, path: Path) -> None:
    """Ratios by clients, one line for each model and workload."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), constrained_layout=True)
    for key in dict.fromkeys((r["model"], r["workload"]) for r in results if "ratio" in r):
        points = [r for r in results if (r["model"], r["workload"]) == key]
        axes.plot([p["clients"] for p in points], [p["ratio"] for p in points], "o-", label=f"{key[0]}, {key[1]}")
    axes.axhline(1.0, color="grey", linewidth=1)
    axes.set(xscale="log", xlabel="clients", ylabel=f"times {peer}", title=f"Engine against {peer}")
    axes.set_xticks([1, 4, 8, 16], ["1", "4", "8", "16"])
    axes.set_ylim(bottom=0)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alone", nargs=2, metavar=("MEASURE", "MODEL"), help=argparse.SUPPRESS)
    parser.add_argument("--models", default="demo,embedded,qwen2-0.5b", help="demo: models/demo, where it is there")
    parser.add_argument("--workloads", default="raw,service", help="on demo, the service's traffic is recorded")
    parser.add_argument("--clients", default="1,4,8,16")
    parser.add_argument("--peer", choices=PEERS, default=PEERS[0])
    parser.add_argument("--rounds", type=int, default=6, help="half of them in one process, half in another")
    parser.add_argument("--threads", type=int, default=0, help="0: what the cgroup grants")
    parser.add_argument("--no-drafts", action="store_true", help="ours without its drafts")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench"), help="for the models and the results")
    parser.add_argument("--waiting", action="store_true", help="compare how threads wait instead")
    parser.add_argument("--rounding", action="store_true", help="show how a batch moves logits instead")
    args = parser.parse_args()
    from serve.engine.cpu_threads import available

    threads = args.threads or available()
    if args.alone:
        measure = {"single_stream": single_stream, "gaps": gaps}[args.alone[0]]
        print(json.dumps(measure(Path(args.alone[1]), args.threads)))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    binary, results = os.environ.get("LLAMA_SERVER"), []
    if not binary and args.peer == "llama-server":
        print(
            "LLAMA_SERVER is not set: measuring ours alone (`python -m convert.gguf.llama_cpp_source --server` compiles it)"
        )

    script = os.environ.get("EXAMPLE_SERVER")
    if args.peer == "example-server":
        if not script:
            raise SystemExit(
                "EXAMPLE_SERVER is not set: `python -m convert.gguf.llama_cpp_source --example-server` unpacks it"
            )
        args.workloads = "raw"
    drafts = not args.no_drafts

    def servers(model: Path) -> list[Server]:
        if args.peer == "llama_cpp.server":
            return [ours(model, args.threads, drafts), llama_cpp_server(model, threads)]
        if args.peer == "example-server":
            return [ours(model, args.threads, drafts), example_server(Path(script), model, threads, args.folder)]
        modes = (False, True) if binary else ()
        return [ours(model, args.threads, drafts), *(llama_server(binary, model, threads, mode) for mode in modes)]

    for name in args.models.split(","):
        model = args.folder / f"random-{name}.gguf"
        if name == "demo":
            if not (DEMO / "manifest.json").is_file():
                print(f"no {DEMO}: `make model` makes it; measuring the other models")
                continue
            model = DEMO / load(DEMO).default_file
        if not model.exists():
            print(f"writing {model}")
            write_gguf(model, SHAPES[name], quantised=True)
        if args.waiting:
            waiting_policies(model, threads)
            continue
        if args.rounding:
            for workload in ("recorded", "raw") if name == "demo" else ("raw",):
                print(f"{name}, {workload}:")
                rounding(model, [ask.prompt for ask in traffic(workload, model)(100, 0)])
            continue
        small = name != "qwen2-0.5b"
        for workload in args.workloads.split(","):
            workload = "recorded" if (name, workload) == ("demo", "service") else workload
            make = traffic(workload, model)
            for clients in map(int, args.clients.split(",")):
                # a second or so; llama-server ends a connection after a hundred requests
                requests = min(90 * clients, 48 if workload == "raw" else 160) if small else max(2, clients)
                result = {"model": name}
                result |= compare(lambda m=model: servers(m), workload, make, clients, args.rounds, requests)
                results.append(result)
                print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}))
        if binary and args.peer == "llama-server":
            one_stream(binary, model, threads, rounds=15 if small else 5)
        if args.peer != "llama-server":
            continue
        runs = [alone("gaps", model, args.threads) for _ in range(3 if small else 1)]
        beside = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
        print(f"a prompt of 1,000 tokens beside 8 streams, median of {len(runs)}: {beside}")
    (args.folder / f"{args.peer}.json").write_text(json.dumps(results, indent=1))
    if any("ratio" in result for result in results):
        picture = args.folder / f"{args.peer}.png"
        draw(results, args.peer, picture)
        print(f"picture: {picture}")


if __name__ == "__main__":
    main()
