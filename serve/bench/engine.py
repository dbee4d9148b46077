"""The engine compared with llama-server on one GGUF, in alternating short rounds: `python -m serve.bench.engine`.

LLAMA_SERVER is the path of the other binary; without it only ours is measured. `make bench-engine` compiles it first:
`python -m convert.gguf.llama_cpp_source --server` builds it from the source distribution of llama-cpp-python, so that
both are the same llama.cpp, and prints its path.

Both serve HTTP on the loopback and are measured by the same client (serve/bench/servers.py). A figure is the median
over rounds, a ratio the median over paired rounds. The models are that of `make demo`, with the service's own requests,
and two with random weights, in the shapes of the embedded model and of Qwen2-0.5B. `--peer llama_cpp.server` compares
with llama-cpp-python's own server, `--peer example-server` with its example server, raw generation only (EXAMPLE_SERVER
is the path of the script, which `python -m convert.gguf.llama_cpp_source --example-server` unpacks).
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
from functools import partial
from pathlib import Path
from typing import Any

from convert.manifest import load
from serve.bench import traffic
from serve.bench.random_model import SHAPES, write_gguf
from serve.bench.servers import SLOTS, Server, engine_server, example_server, llama_cpp_server, llama_server, send_all
from serve.bench.traffic import BenchRequest
from serve.engine import memory
from serve.engine.cpu_threads import available
from serve.engine.engine import Engine, EngineConfig
from serve.engine.runner import Runner, RunnerConfig
from serve.engine.scheduler import Chunk, Step
from serve.engine.sequence import Cells, Request, Sequence

DEMO = Path("models/demo")
PEERS = ("llama-server", "llama_cpp.server", "example-server")
PROCESSES = 2  # of each server, for one figure
STREAM_TOKENS = 128  # of a single stream: llama-bench's default "tg128"


MakeRequests = Callable[[int, int], list[BenchRequest]]  # (how many, seed)


def workload_requests(workload: str, model: Path) -> MakeRequests:
    """The requests of a workload, their prompts as token ids of `model`, so that both servers get the same."""
    import jinja2
    import llama_cpp

    vocabulary = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)
    if workload != "recorded":
        texts = getattr(traffic, workload)
        return lambda n, seed: [
            replace(request, prompt=vocabulary.tokenize(request.prompt.encode(), add_bos=True))
            for request in texts(n, seed)
        ]
    template = jinja2.Template(vocabulary.metadata["tokenizer.chat_template"])
    bos = vocabulary.detokenize([vocabulary.token_bos()], special=True).decode()

    def tokens(messages: list[dict[str, str]]) -> list[int]:
        text = template.render(messages=messages, add_generation_prompt=True, bos_token=bos)
        return vocabulary.tokenize(text.encode(), add_bos=False, special=True)

    return lambda n, seed: traffic.recorded(n, seed, tokens)


def compare(
    start: Callable[[], list[Server]], workload: str, make: MakeRequests, clients: int, rounds: int, per_round: int
) -> dict[str, Any]:
    """Alternating rounds; requests a second (service traffic) or tokens a second (raw) of each server.

    The ratio is that of the first server, which is ours, to the fastest of the others. All are restarted half-way,
    since the speed of one program differs from process to process.
    """
    is_raw = workload == "raw"
    speeds: dict[str, list[float]] = defaultdict(list)
    texts: dict[str, list[str]] = defaultdict(list)
    spent, ready_s = Counter[str](), []
    for process in range(PROCESSES):
        with ExitStack() as stack:  # restarted, so that none has cached these requests
            servers = [stack.enter_context(server) for server in start()]
            for i in range(-(-rounds // PROCESSES) + 1):  # the first is a warm-up
                requests = make(per_round, 100 * process + i)
                for server in servers if i % 2 else servers[::-1]:
                    seconds, n_tokens, completions = asyncio.run(send_all(server, requests, clients, is_raw))
                    if i:
                        speeds[server.name].append((n_tokens if is_raw else len(requests)) / seconds)
                        texts[server.name] += completions
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
        "accepted": spent["accepted_tokens"] / spent["completion_tokens"],
        "cached": spent["cached_tokens"] / spent["prompt_tokens"],
        "overhead": 1 - spent["native_s"] / spent["busy_s"],
        "ready_s": statistics.median(ready_s),
    }


# -- measurements of the engine alone


def single_stream(model: Path, threads: int, rounds: int = 5) -> tuple[float, float]:
    """One request that decodes 128 tokens after a prompt of one: llama-bench's "tg128".

    Returns tokens a second, and the share of the time inside llama.cpp.
    """
    engine = Engine(EngineConfig(model, n_slots=1, n_threads=threads, n_threads_batch=threads, drafts=False))
    engine.start()
    memory.freeze()  # as serve/__main__.py does
    spent, native_s = [], engine.health().totals.native_s
    for i in range(rounds):
        before = time.perf_counter()
        engine.submit(Request([300 + i], STREAM_TOKENS, ignore_eos=True)).result()
        spent.append(time.perf_counter() - before)
    native_s = engine.health().totals.native_s - native_s
    engine.close()
    return STREAM_TOKENS / statistics.median(spent), native_s / sum(spent)


def token_gaps(model: Path, threads: int) -> dict[str, float]:
    """Gaps between the tokens of 8 streams while a prompt of 1,000 tokens is computed, in units of the median gap."""
    config = EngineConfig(model, n_slots=SLOTS, drafts=False, n_threads=threads, n_threads_batch=threads)
    engine = Engine(config)  # without drafts, which would arrive several at a time
    engine.start()
    timestamps: list[float] = []
    printable = "root ::= [ -~]{1500}\n"  # so that every token has text, even with random weights
    streams = [
        engine.submit(
            Request(
                [1] + [300 + i] * 40,
                300,
                grammar=printable,
                on_text=(lambda _: timestamps.append(time.perf_counter())) if i == 0 else None,
            )
        )
        for i in range(8)
    ]
    while len(timestamps) < 60 and not streams[0].future.done():
        time.sleep(0.005)
    sent = time.perf_counter()
    engine.submit(Request([1] + [300 + i % 400 for i in range(1000)], 1)).result()
    first = time.perf_counter()
    for stream in streams:
        stream.result()
    engine.close()
    pairs = list(zip(timestamps, timestamps[1:], strict=False))
    usual = statistics.median(b - a for a, b in pairs if b < sent or a > first)  # before and after: speed drifts
    during = sorted(b - a for a, b in pairs if sent <= b <= first)
    return {
        "median_gap_ms": usual * 1e3,
        "median_during": statistics.median(during) / usual,
        "p95_during": during[int(0.95 * len(during))] / usual,
        "longest_during": during[-1] / usual,
        "first_token_s": first - sent,
    }


MEASUREMENTS: dict[str, Callable[[Path, int], Any]] = {"single_stream": single_stream, "token_gaps": token_gaps}


def measure_in_new_process(measurement: str, model: Path, threads: int) -> Any:
    """`single_stream` or `token_gaps` in a new process, whose threads wait for each other as in the service."""
    command = [sys.executable, "-m", "serve.bench.engine", "--measure", measurement, str(model)]
    command += ["--threads", str(threads)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def compare_single_stream(server_binary: str, model: Path, threads: int, rounds: int) -> None:
    """Print the tokens a second of a single stream and of llama-bench, if it is in llama-server's folder.

    Every round restarts both, since their speed differs from process to process.
    """
    binary = Path(server_binary).with_name("llama-bench")
    if not binary.exists():
        return
    command = [str(binary), "-m", str(model), "-p", "0", "-n", str(STREAM_TOKENS), "-t", str(threads)]
    command += ["-r", "5", "-o", "json"]
    own, other = [], []
    for _ in range(rounds):
        own.append(measure_in_new_process("single_stream", model, threads))
        other.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]["avg_ts"])
    speeds, shares = zip(*own, strict=True)
    ratio = statistics.median(a / b for a, b in zip(speeds, other, strict=True))
    print(
        f"one stream, decoding: {statistics.median(speeds):.1f} tok/s, {statistics.median(shares):.1%} of the time in "
        f"llama.cpp; llama-bench {statistics.median(other):.1f}; ratio {ratio:.3f}"
    )


def compare_wait_policies(model: Path, threads: int, seconds: float = 6.0) -> None:
    """Print one client's tokens a second by spin count, on an idle machine and with other processes on 1 and 2 cores.

    With a fixed number of threads and spin count, and as served (serve/engine/thread_tuner.py).
    """
    busy = [sys.executable, "-c", "while True: pass"]
    for spin in ("100", "3000", "300000", None):
        speeds = []
        for n_busy in range(3):
            number, env = (threads, {"GOMP_SPINCOUNT": spin}) if spin else (0, {})
            with ExitStack() as stack:
                server = stack.enter_context(engine_server(model, number, env=env))
                for process in [subprocess.Popen(busy) for _ in range(n_busy)]:
                    stack.callback(process.wait)
                    stack.callback(process.kill)
                requests, n_tokens, began = traffic.raw(2), 0, time.perf_counter()
                while time.perf_counter() - began < seconds:
                    n_tokens += asyncio.run(send_all(server, requests, 1, True))[1]
                speeds.append(n_tokens / (time.perf_counter() - began))
        name = f"{threads} threads, GOMP_SPINCOUNT={spin}" if spin else "as served"
        busy_speeds = ", ".join(f"{speed:7.1f} with {n} busy" for n, speed in enumerate(speeds[1:], 1))
        print(f"{name:32} idle machine {speeds[0]:7.1f} tok/s, {busy_speeds}", flush=True)


def measure_rounding(model: Path, requests: list[BenchRequest]) -> None:
    """Print how far the logits of a prompt's last token move if it is decoded after the rest instead of with it.

    The size of the batch selects the kernels, and a quantised model's activations are rounded to 8 bits.
    """
    for flash in (True, False):
        runner = Runner(RunnerConfig(model, n_sequences=1, flash_attention=flash))
        moved, n_changed = [], 0
        for request in requests:
            prompt = [int(token) for token in request.prompt]
            n, sequence = len(prompt), Sequence(Request(prompt), prompt, 0.0, 0.0, cells=Cells(0, prompt, None))
            prefill = runner.decode(Step([Chunk(sequence, 0, n, [], 1)], None, 0, n))[0].copy()
            runner.drop_cells(0, n - 1)
            decode = runner.decode(Step([Chunk(sequence, n - 1, n, [], 1)], None, 1, 0))[0]
            runner.drop_cells(0, 0)
            moved.append(float(abs(prefill - decode).max()))
            n_changed += int(prefill.argmax() != decode.argmax())
        runner.close()
        print(
            f"flash attention {'on' if flash else 'off':3}  a logit moves by {statistics.median(moved):.4f} (median), "
            f"{max(moved):.4f} at most; another token is largest after {n_changed} of {len(requests)} prompts"
        )


def plot(results: list[dict[str, Any]], peer: str, path: Path) -> None:
    """Ratios by clients, one line per model and workload."""
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
    parser.add_argument("--measure", nargs=2, metavar=("MEASUREMENT", "MODEL"), help=argparse.SUPPRESS)
    parser.add_argument("--models", default="demo,embedded,qwen2-0.5b", help="demo: models/demo, if it exists")
    parser.add_argument("--workloads", default="raw,service", help="with demo, service means recorded requests")
    parser.add_argument("--clients", default="1,4,8,16")
    parser.add_argument("--peer", choices=PEERS, default=PEERS[0])
    parser.add_argument("--rounds", type=int, default=6, help="half of them in one process, half in another")
    parser.add_argument("--threads", type=int, default=0, help="0: what the cgroup grants")
    parser.add_argument("--no-drafts", action="store_true", help="our engine without speculative decoding")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench"), help="for models and results")
    parser.add_argument("--waiting", action="store_true", help="compare wait policies of threads instead")
    parser.add_argument("--rounding", action="store_true", help="measure how the batch size moves logits instead")
    args = parser.parse_args()
    threads = args.threads or available()
    if args.measure:
        measurement, model = args.measure
        print(json.dumps(MEASUREMENTS[measurement](Path(model), args.threads)))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    binary, results = os.environ.get("LLAMA_SERVER"), []
    if not binary and args.peer == "llama-server":
        print(
            "LLAMA_SERVER is not set: measuring only our engine "
            "(`python -m convert.gguf.llama_cpp_source --server` compiles llama-server)"
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
        own = engine_server(model, args.threads, drafts)
        if args.peer == "llama_cpp.server":
            return [own, llama_cpp_server(model, threads)]
        if script and args.peer == "example-server":
            return [own, example_server(Path(script), model, threads, args.folder)]
        return [own, *(llama_server(binary, model, threads, unified) for unified in (False, True) if binary)]

    for name in args.models.split(","):
        model = args.folder / f"random-{name}.gguf"
        if name == "demo":
            if not (DEMO / "manifest.json").is_file():
                print(f"no {DEMO}: run `make model` for it; measuring the other models")
                continue
            model = DEMO / load(DEMO).default_file
        if not model.exists():
            print(f"writing {model}")
            write_gguf(model, SHAPES[name], quantised=True)
        if args.waiting:
            compare_wait_policies(model, threads)
            continue
        if args.rounding:
            for workload in ("recorded", "raw") if name == "demo" else ("raw",):
                print(f"{name}, {workload}:")
                measure_rounding(model, workload_requests(workload, model)(100, 0))
            continue
        small = name != "qwen2-0.5b"
        for workload in args.workloads.split(","):
            workload = "recorded" if (name, workload) == ("demo", "service") else workload
            make = workload_requests(workload, model)
            for clients in map(int, args.clients.split(",")):
                # about a second; llama-server closes a connection after a hundred requests
                per_round = min(90 * clients, 48 if workload == "raw" else 160) if small else max(2, clients)
                result = {"model": name}
                result |= compare(partial(servers, model), workload, make, clients, args.rounds, per_round)
                results.append(result)
                print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}))
        if binary and args.peer == "llama-server":
            compare_single_stream(binary, model, threads, rounds=15 if small else 5)
        if args.peer != "llama-server":
            continue
        runs = [measure_in_new_process("token_gaps", model, args.threads) for _ in range(3 if small else 1)]
        medians = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
        print(f"8 streams during the prefill of 1,000 tokens, median of {len(runs)}: {medians}")
    (args.folder / f"{args.peer}.json").write_text(json.dumps(results, indent=1))
    if any("ratio" in result for result in results):
        picture = args.folder / f"{args.peer}.png"
        plot(results, args.peer, picture)
        print(f"picture: {picture}")


if __name__ == "__main__":
    main()
