"""Latency of /infer: p50 and p95 at 1 to 16 clients, split by part, and the service's memory.

    python -m serve.bench.infer --model models/demo              starts a service for it (make bench-infer)
    python -m serve.bench.infer --url http://localhost:8000      measures a running one
    python -m serve.bench.infer --telemetry                      throughput cost of traces and metrics

The load is closed-loop: each client sends one question after another, in its own random order; half of the questions
contain names, drawn at random from the season. Times are measured by the client, which shares the cores with the
service and does little else. The split is the one in the replies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from data.query import Statistics, parse
from data.season import load
from serve.process import ServiceProcess, StartError

CLIENTS = (1, 2, 4, 8, 16)
PARTS = ("queue", "link", "plan", "retrieve", "answer")
QUESTIONS = (
    "Who scored the most runs?",
    "{bowler} economy at the death?",
    "top 5 wicket takers in the powerplay",
    "How many sixes did {batter} hit?",
    "{batter} or {other}, who had the better strike rate?",
    "highest team total of the season",
    "{batter} runs against {team}",
    "most catches by a fielder",
    "who won the final and by how much",
    "best bowling figures",
    "How many fifties did {batter} make?",
    "{team} win percentage when chasing",
    "most expensive over by {bowler}",
    "average first innings score at {venue}",
    "{bowler} dot balls",
    "Who will win next year?",
)
NAMES = {
    "batter": "runs by batter | top 60",
    "other": "fours by batter | top 60",
    "bowler": "wickets by bowler | top 60",
    "team": "matches by team",
    "venue": "matches by venue",
}


@dataclass
class Round:
    """Measurements with one number of clients; times in milliseconds."""

    clients: int
    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    refused: int = 0

    def line(self) -> str:
        figures = [quantile(self.times, 0.5), quantile(self.times, 0.95)]
        figures += [statistics.median(self.parts[part]) for part in PARTS] + [len(self.times) / self.seconds]
        line = f"{self.clients:7}  " + "  ".join(f"{figure:8.1f}" for figure in figures)
        return f"{line}  ({self.refused} refused)" if self.refused else line


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@cache
def names() -> dict[str, list[str]]:
    """Names for the questions, by kind, of the service's season."""
    statistics = Statistics(load(os.environ.get("SEASON") or "ipl_2024"))
    return {kind: [row[0] for row in statistics.answer(parse(line).queries[0]).rows] for kind, line in NAMES.items()}


def question(rng: random.Random) -> str:
    return rng.choice(QUESTIONS).format(**{kind: rng.choice(found) for kind, found in names().items()})


async def measure(url: str, clients: int, seconds: float) -> Round:
    """Send questions for `seconds` with that many concurrent clients. Raises RuntimeError for an error reply."""
    found, at, _ = Round(clients), urlsplit(url), names()
    secure = at.scheme == "https"
    began = time.perf_counter()

    async def ask(seed: int) -> None:
        rng = random.Random(seed)
        port = at.port or (443 if secure else 80)
        reader, writer = await asyncio.open_connection(at.hostname, port, ssl=secure or None)
        while time.perf_counter() - began < seconds or not found.times:
            body = json.dumps({"question": question(rng)}).encode()
            head = f"POST {at.path.rstrip('/')}/infer HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Length: {len(body)}"
            start = time.perf_counter()
            writer.write(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 120)).decode().lower()
            reply = await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
            spent, status = time.perf_counter() - start, int(head.split()[1])
            if status == 429:
                found.refused += 1
                await asyncio.sleep(0.2)
                continue
            if status != 200:
                raise RuntimeError(f"{url} answered {status}: {reply.decode(errors='replace')[:500]}")
            found.times.append(spent * 1000)
            split = json.loads(reply)["latency_ms"]
            for part in PARTS:
                found.parts[part].append(split.get(part, 0.0))
        writer.close()

    await asyncio.gather(*(ask(clients * 1000 + i) for i in range(clients)))
    found.seconds = time.perf_counter() - began
    return found


@contextmanager
def service(model: Path, **settings: str) -> Iterator[tuple[str, int, float]]:
    """Start a service with `model`; yields its address, process id, and seconds until it was ready."""
    with tempfile.TemporaryDirectory() as folder:
        own = {"MODEL_PATH": model, "FEEDBACK_DB": Path(folder, "feedback.sqlite"), "RATE_LIMIT_PER_MINUTE": 0}
        try:
            with ServiceProcess(Path(folder, "log"), **own, **settings) as process:
                ready_s = process.wait_ready()
                yield process.url, process.process.pid, ready_s
        except StartError as error:
            raise SystemExit(str(error)) from None


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process, or None if the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1000 if found else None


def report(url: str, clients: tuple[int, ...], seconds: float) -> list[Round]:
    """Measure and print a table row for each number of clients."""
    asyncio.run(measure(url, 1, min(2.0, seconds)))  # warm-up
    print("milliseconds; the split is the median of each part\n")
    print(f"{'clients':>7}  {'p50':>8}  {'p95':>8}  " + "  ".join(f"{p:>8}" for p in PARTS) + f"  {'per s':>8}")
    rounds = []
    for n in clients:
        rounds.append(asyncio.run(measure(url, n, seconds)))
        print(rounds[-1].line(), flush=True)
    return rounds


class Sink(BaseHTTPRequestHandler):
    """A telemetry collector that accepts everything and stores nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def telemetry_cost(model: Path, clients: int, seconds: float, rounds: int = 5) -> float:
    """Throughput with traces, metrics and logs sent to a collector, relative to OTEL_SDK_DISABLED.

    The median over pairs of consecutive rounds, since the machine's speed drifts.
    """
    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sink.server_port}"}
    ratios = []
    with service(model, **endpoint) as (on, _, _), service(model, OTEL_SDK_DISABLED="true") as (off, _, _):
        for url in (on, off):
            asyncio.run(measure(url, clients, 2.0))
        for i in range(rounds):
            rates = {}
            for url in (on, off) if i % 2 else (off, on):
                found = asyncio.run(measure(url, clients, seconds))
                rates[url] = len(found.times) / found.seconds
            ratios.append(rates[on] / rates[off])
            print(f"with {rates[on]:7.1f}/s  without {rates[off]:7.1f}/s  ratio {ratios[-1]:.3f}", flush=True)
    sink.shutdown()
    return statistics.median(ratios)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--model", type=Path, default=Path("models/demo"))
    where.add_argument("--url")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each number of clients")
    parser.add_argument("--telemetry", action="store_true", help="measure the cost of telemetry at 8 clients")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    args = parser.parse_args(arguments)
    if args.telemetry:
        ratio = telemetry_cost(args.model, 8, args.seconds)
        print(f"telemetry costs {100 * (1 - ratio):.1f} % of throughput (median of the ratios)")
        return
    about: dict[str, float | None] = {}
    if args.url:
        rounds = report(args.url, tuple(args.clients), args.seconds)
    else:
        with service(args.model) as (url, pid, ready):
            before = resident_mb(pid)
            rounds = report(url, tuple(args.clients), args.seconds)
            about = {"ready_s": ready, "rss_mb_ready": before, "rss_mb_after": resident_mb(pid)}
            after = about["rss_mb_after"]
            print(f"\nready after {ready:.1f} s; resident {before:.0f} MB when ready, {after:.0f} MB after")
    if args.json:
        figures = [
            {"clients": r.clients, "p50_ms": quantile(r.times, 0.5), "p95_ms": quantile(r.times, 0.95)}
            | {f"{p}_ms": statistics.median(r.parts[p]) for p in PARTS}
            for r in rounds
        ]
        args.json.write_text(json.dumps(about | {"rounds": figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
