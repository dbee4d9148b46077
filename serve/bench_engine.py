"""The engine against llama-server on one GGUF, in alternating short rounds: `python -m serve.bench_engine`.

LLAMA_SERVER names the other binary; without it only ours is measured. `python -m convert.llama_cpp_source --server`
compiles it from the source distribution of llama-cpp-python, so that both are the same llama.cpp, and prints its path.
`make bench-engine` does both.

Both serve HTTP on the loopback and are asked by the same client. A figure is the median over rounds, a ratio the median
of paired rounds. The models are that of `make demo`, asked what the service asks of it, and two with random weights, of
the embedded model's and of Qwen2-0.5B's shape.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from convert.manifest import load
from serve import bench_traffic
from serve.bench_traffic import Ask
from serve.engine import Engine, EngineConfig
from serve.random_model import SHAPES, write_gguf
from serve.sequence import Completion, Request

SLOTS = 16
DEMO = Path("models/demo")


# -- the two servers


class Connection(asyncio.Protocol):
    """One connection's HTTP messages, with as little work as that takes: both ends share two cores with the model."""

    def __init__(self, received: Callable[[Connection, bytes, bytes], None]) -> None:
        self._received, self._data = received, bytearray()
        self.lost: Callable[[], None] = lambda: None  # called when the connection ends

    def connection_made(self, transport) -> None:
        self.send = transport.write
        self.close = transport.close

    def connection_lost(self, _: Exception | None) -> None:
        self.lost()

    def data_received(self, data: bytes) -> None:
        """Hand every whole message to `received(connection, head, body)`."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n") + 4) >= 4:
            head = bytes(self._data[:end])
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0] or 0)
            if len(self._data) < end + length:
                return
            body = bytes(self._data[end : end + length])
            del self._data[: end + length]
            self._received(self, head, body)


async def serve(model: Path, port: int, threads: int) -> None:
    """The engine behind the least HTTP that answers llama-server's /completion."""
    began = time.perf_counter()
    engine = Engine(EngineConfig(model, n_slots=SLOTS, queue_size=256, n_threads=threads, n_threads_batch=threads))
    await asyncio.to_thread(engine.start)
    ready_s = time.perf_counter() - began
    vocabulary, loop = engine.runner.vocabulary, asyncio.get_running_loop()

    def received(connection: Connection, head: bytes, body: bytes) -> None:
        if b"/completion" not in head:
            totals = engine.health().totals
            answer(connection, {"status": "ok", "ready_s": ready_s} | {n: getattr(totals, n) for n in totals.__slots__})
            return
        ask = json.loads(body)
        prompt = ask["prompt"]
        request = Request(
            prompt if isinstance(prompt, list) else vocabulary.tokenize(prompt),
            ask["n_predict"],
            grammar=ask.get("grammar"),
            ignore_eos=ask.get("ignore_eos", False),
        )
        future = engine.submit(request).future
        future.add_done_callback(lambda future: loop.call_soon_threadsafe(finished, connection, future.result()))

    def finished(connection: Connection, done: Completion) -> None:
        answer(connection, {"content": done.text, "tokens_predicted": len(done.tokens)})

    def answer(connection: Connection, reply: dict) -> None:
        data = json.dumps(reply).encode()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    async with await loop.create_server(lambda: Connection(received), "127.0.0.1", port) as server:
        await server.serve_forever()


class Server:
    """A server process and its port; stopped on leaving the `with` block."""

    def __init__(self, name: str, command: list[str], port: int, env: dict[str, str] | None = None) -> None:
        self.name, self.port = name, port
        self._command, self._env = command, os.environ | (env or {})

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            if self._process.poll() is not None:
                raise SystemExit(f"{self.name} ended with code {self._process.returncode}: {' '.join(self._command)}")
            try:
                self.health()
                return self
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name} was not ready within a minute")

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(10)

    def health(self) -> dict:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as reply:
            return json.load(reply)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ours(model: Path, threads: int, env: dict[str, str] | None = None) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "serve.bench_engine", "--serve", str(model), str(port), "--threads", str(threads)]
    return Server("ours", command, port, env)


def llama_server(binary: str, model: Path, threads: int) -> Server:
    port = free_port()
    options = f"--host 127.0.0.1 --port {port} -c 8192 -np {SLOTS} -t {threads} -tb {threads} --no-webui"
    return Server("llama-server", [binary, "-m", str(model), *options.split()], port)


# -- the client


async def ask_all(port: int, asks: list[Ask], clients: int, ignore_eos: bool) -> tuple[float, int, list[str]]:
    """Send `asks` over `clients` connections; returns seconds, tokens made and the texts in order."""
    bodies = [_http_request(ask, ignore_eos) for ask in asks]
    replies, todo, sent = [b""] * len(asks), iter(range(len(asks))), {}
    loop = asyncio.get_running_loop()
    all_there: asyncio.Future[None] = loop.create_future()

    def received(connection: Connection, _: bytes, body: bytes) -> None:
        replies[sent[connection]] = body
        ask_next(connection)

    def ask_next(connection: Connection) -> None:
        if (i := next(todo, None)) is not None:
            sent[connection] = i
            connection.send(bodies[i])
        elif all(replies) and not all_there.done():
            all_there.set_result(None)

    connections = [
        (await loop.create_connection(lambda: Connection(received), "127.0.0.1", port))[1] for _ in range(clients)
    ]
    began = time.perf_counter()
    for connection in connections:
        connection.lost = lambda: all_there.done() or all_there.set_exception(ConnectionError("the server hung up"))
        ask_next(connection)
    await all_there
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    read = [json.loads(reply) for reply in replies]
    return seconds, sum(reply["tokens_predicted"] for reply in read), [reply["content"] for reply in read]


def _http_request(ask: Ask, ignore_eos: bool) -> bytes:
    body = {"prompt": ask.prompt, "n_predict": ask.n_predict, "temperature": 0, "ignore_eos": ignore_eos}
    body |= {"cache_prompt": True} | ({"grammar": ask.grammar} if ask.grammar else {})
    data = json.dumps(body).encode()
    head = "POST /completion HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(data)}\r\n\r\n".encode() + data


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


def compare(servers: list[Server], workload: str, make: Make, clients: int, rounds: int, per_round: int) -> dict:
    """Alternating rounds; requests a second (the service's traffic) or tokens a second (raw) of each server."""
    is_raw = workload == "raw"
    speeds: dict[str, list[float]] = {server.name: [] for server in servers}
    same = total = 0
    for round_number in range(-1, rounds):  # the first is for warming up
        asks = make(per_round, round_number)
        texts = {}
        for server in servers if round_number % 2 else servers[::-1]:
            seconds, made, texts[server.name] = asyncio.run(ask_all(server.port, asks, clients, is_raw))
            if round_number >= 0:
                speeds[server.name].append((made if is_raw else len(asks)) / seconds)
        if len(texts) == 2 and round_number >= 0:
            same += sum(a == b for a, b in zip(*texts.values(), strict=True))
            total += len(asks)
    result = {"workload": workload, "clients": clients} | {n: statistics.median(s) for n, s in speeds.items()}
    if len(servers) == 2:
        pairs = zip(*(speeds[server.name] for server in servers), strict=True)
        result |= {"ratio": statistics.median(a / b for a, b in pairs), "same_text": same / total}
    return result


# -- what needs no second server


def single_stream(model: Path, threads: int, rounds: int = 5) -> float:
    """Tokens a second of one request that decodes 64 tokens after a prompt of one, as llama-bench measures it."""
    engine = Engine(EngineConfig(model, n_slots=1, n_threads=threads, n_threads_batch=threads, drafts=False))
    engine.start()
    speeds = []
    for i in range(rounds):
        before, n = time.perf_counter(), 64
        engine.submit(Request([300 + i], n, ignore_eos=True)).result()
        speeds.append(n / (time.perf_counter() - before))
    engine.close()
    return statistics.median(speeds)


def gaps(model: Path, threads: int) -> dict:
    """Eight streams run and a prompt of 1,000 tokens arrives: gaps between tokens meanwhile, in median gaps."""
    engine = Engine(EngineConfig(model, n_slots=SLOTS, n_threads=threads, n_threads_batch=threads))
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
    calm = statistics.median(b - a for a, b in pairs if b < sent)
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
    command = [sys.executable, "-m", "serve.bench_engine", "--alone", measure, str(model), "--threads", str(threads)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def one_stream(server_binary: str, model: Path, threads: int, rounds: int = 5) -> None:
    """Tokens a second of a single stream beside llama-bench's, by turns, where that lies beside llama-server."""
    binary = Path(server_binary).with_name("llama-bench")
    if not binary.exists():
        return
    command = [str(binary), "-m", str(model), "-p", "0", "-n", "64", "-t", str(threads), "-r", "5", "-o", "json"]
    own, its = [], []
    for _ in range(rounds):
        own.append(alone("single_stream", model, threads))
        its.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]["avg_ts"])
    ratio = statistics.median(a / b for a, b in zip(own, its, strict=True))
    print(
        f"one stream, decoding: {statistics.median(own):.1f} tok/s; llama-bench {statistics.median(its):.1f}; "
        f"ratio {ratio:.3f}"
    )


def waiting_policies(model: Path, threads: int, seconds: float = 4.0) -> None:
    """One client's tokens a second for several spin counts, alone and beside a process that keeps one core busy.

    With a fixed number of threads, and with one that follows the neighbours (serve/team.py).
    """
    busy = [sys.executable, "-c", "while True: pass"]
    for spin, number in [(s, n) for s in ("", "0", "100", "1000", "3000", "300000") for n in (threads, 0)]:
        speeds = []
        for neighbour in (False, True):
            with ours(model, number, {"GOMP_SPINCOUNT": spin} if spin else {"OMP_WAIT_POLICY": "active"}) as server:
                process = subprocess.Popen(busy) if neighbour else None
                asks, made, began = bench_traffic.raw(2), 0, time.perf_counter()
                while time.perf_counter() - began < seconds:
                    made += asyncio.run(ask_all(server.port, asks, 1, True))[1]
                speeds.append(made / (time.perf_counter() - began))
                if process:
                    process.kill()
                    process.wait()
        team = f"{number} threads" if number else "following"
        name = f"GOMP_SPINCOUNT={spin or '(active)'}"
        print(f"{name:23} {team:9}  alone {speeds[0]:7.1f} tok/s, with a neighbour {speeds[1]:7.1f}", flush=True)


def draw(results: list[dict], path: Path) -> None:
    """Ratios by clients, one line for each model and workload."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), constrained_layout=True)
    for key in dict.fromkeys((r["model"], r["workload"]) for r in results if "ratio" in r):
        points = [r for r in results if (r["model"], r["workload"]) == key]
        axes.plot([p["clients"] for p in points], [p["ratio"] for p in points], "o-", label=f"{key[0]}, {key[1]}")
    axes.axhline(1.0, color="grey", linewidth=1)
    axes.set(xscale="log", xlabel="clients", ylabel="times llama-server", title="Engine against llama-server")
    axes.set_xticks([1, 4, 8, 16], ["1", "4", "8", "16"])
    axes.set_ylim(bottom=0)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", nargs=2, metavar=("MODEL", "PORT"), help=argparse.SUPPRESS)
    parser.add_argument("--alone", nargs=2, metavar=("MEASURE", "MODEL"), help=argparse.SUPPRESS)
    parser.add_argument("--models", default="demo,embedded,qwen2-0.5b", help="demo: models/demo, where it is there")
    parser.add_argument("--workloads", default="raw,service", help="on demo, the service's traffic is recorded")
    parser.add_argument("--clients", default="1,4,8,16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: what the cgroup grants")
    parser.add_argument("--folder", type=Path, default=Path("runs/bench"), help="for the models and the results")
    parser.add_argument("--waiting", action="store_true", help="compare spin counts instead")
    args = parser.parse_args()
    from serve.threads import available

    threads = args.threads or available()
    if args.serve:
        asyncio.run(serve(Path(args.serve[0]), int(args.serve[1]), args.threads))
        return
    if args.alone:
        measure = {"single_stream": single_stream, "gaps": gaps}[args.alone[0]]
        print(json.dumps(measure(Path(args.alone[1]), args.threads)))
        return
    args.folder.mkdir(parents=True, exist_ok=True)
    binary, results = os.environ.get("LLAMA_SERVER"), []
    if not binary:
        print(
            "LLAMA_SERVER is not set: measuring ours alone (`python -m convert.llama_cpp_source --server` compiles it)"
        )
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
        small = name != "qwen2-0.5b"
        with ours(model, args.threads) as first:
            print(f"{name}: {threads} threads, ready in {first.health()['ready_s']:.2f} s")
            others = [llama_server(binary, model, threads)] if binary else []
            for other in others:
                other.__enter__()
            try:
                for workload in args.workloads.split(","):
                    workload = "recorded" if (name, workload) == ("demo", "service") else workload
                    make = traffic(workload, model)
                    for clients in map(int, args.clients.split(",")):
                        before = first.health()
                        # a second or so; llama-server ends a connection after a hundred requests
                        requests = min(90 * clients, 48 if workload == "raw" else 160) if small else max(2, clients)
                        result = compare([first, *others], workload, make, clients, args.rounds, requests)
                        after = first.health()
                        busy, native = (after[key] - before[key] for key in ("busy_s", "native_s"))
                        result |= {"model": name, "overhead": 1 - native / busy}
                        results.append(result)
                        print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in result.items()}))
            finally:
                for other in others:
                    other.__exit__()
        if binary:
            one_stream(binary, model, threads)
        beside = {k: round(v, 2) for k, v in alone("gaps", model, args.threads).items()}
        print("a prompt of 1,000 tokens beside 8 streams:", beside)
    (args.folder / "bench_engine.json").write_text(json.dumps(results, indent=1))
    if any("ratio" in result for result in results):
        draw(results, args.folder / "bench_engine.png")
        print(f"picture: {args.folder / 'bench_engine.png'}")


if __name__ == "__main__":
    main()
