"""Twenty minutes of eight clients with two keys, one of which abuses the service: `make test-slow`.

    SOAK_MINUTES=3 python -m pytest -m slow tests/test_soak.py -s        a shorter run; prints what it measured

Four clients with one key ask questions, first alone (a tenth of the time), then beside four clients with the other key,
which send long texts, large grammars, large tables, oversized and malformed bodies, and hang up.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from serve.bench.neighbours import large_grammar
from serve.process import ServiceProcess
from tests.conftest import ROOT, Launch

MINUTES = float(os.environ.get("SOAK_MINUTES", "20"))
CLIENTS = 4  # of each key
ALONE = 0.1  # of the time
MOST_TIMES_ALONE = 5  # the p95 beside the abusive key, in the p95 alone
MOST_MIB = 450  # more than before the abuse: the cache of grammars is full at some 430
MOST_GROWTH_MIB = 100  # in the second half, when the caches are full
FAIR, ABUSIVE = "fair-key", "abusive-key"
# A refusal of what is too long, malformed, too much or too slow is the right answer to the abusive key, a 500 never is.
REFUSALS = {400, 413, 415, 422, 429, 504}


class Clients:
    """Threads that ask until they are stopped; collects statuses and, of answers, the seconds that they took."""

    def __init__(self, service: ServiceProcess, key: str, ask: Callable[[httpx.Client, random.Random], int | None]):
        self.statuses: Counter[int | None] = Counter()  # None: the client hung up
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self._service, self._key, self._ask = service, key, ask
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(CLIENTS)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        rng = random.Random(seed)
        with self._service.client(headers={"Authorization": f"Bearer {self._key}"}) as client:
            client.timeout = 90  # more than DEADLINE_S
            while not self._stop.is_set():
                began = time.perf_counter()
                try:
                    self.statuses[self._ask(client, rng)] += 1
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                self.seconds.append(time.perf_counter() - began)

    def p95_s(self) -> float:
        return statistics.quantiles(self.seconds, n=20)[-1]


def questions() -> list[str]:
    lines = (ROOT / "data/dataset/exams/fan_questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines if line.strip()][:300]


QUESTIONS = questions()


def ask(client: httpx.Client, rng: random.Random) -> int:
    response = client.post("/infer", json={"question": rng.choice(QUESTIONS)})
    assert response.status_code != 200 or response.json()["answer"]
    return response.status_code


def abuse(client: httpx.Client, rng: random.Random) -> int | None:
    """One request that means harm."""
    long: dict[str, Any] = {"model": "cricket-raw", "prompt": "runs by", "max_tokens": 2000, "temperature": 1.0}
    match rng.randrange(8):
        case 0 | 1:
            body = long | {"grammar": "root ::= [ab]{2000}", "seed": rng.randrange(9)}
            return client.post("/v1/completions", json=body).status_code
        case 2:  # hangs up in the middle of a long text
            try:
                body = long | {"grammar": "root ::= [ab]{2000}"}
                return client.post("/v1/completions", json=body, timeout=rng.uniform(0.05, 1.0)).status_code
            except httpx.TimeoutException:
                return None
        case 3:
            body = long | {"grammar": large_grammar(rng.randrange(10_000)), "max_tokens": 4}
            return client.post("/v1/completions", json=body).status_code
        case 4:
            line = rng.choice(["runs by batter, match", "economy by bowler, venue", "wins by team | top 1"])
            return client.post("/stats", json={"query": line}).status_code
        case 5:
            return client.post("/infer", json={"questions": rng.sample(QUESTIONS, 50)}).status_code
        case 6:
            return client.post("/infer", content=rng.choice([b"{" * 70_000, b"[" * 5_000, b"\xff", b"null"]),
                               headers={"Content-Type": "application/json"}).status_code  # fmt: skip
        case _:
            return client.post("/feedback", json={"request_id": "forged", "verdict": "wrong"}).status_code


@pytest.mark.slow
def test_a_key_is_answered_as_if_alone_while_another_one_abuses_the_service(launch: Launch, demo_model: Path) -> None:
    service = launch(MODEL_PATH=demo_model, API_KEYS=f"{FAIR},{ABUSIVE}", RAW_MODEL="true")
    service.wait_ready()
    process = psutil.Process(service.process.pid)
    seconds = 60 * MINUTES
    with Clients(service, FAIR, ask):  # fills the caches that all questions share
        time.sleep(seconds * ALONE / 2)
    with Clients(service, FAIR, ask) as alone:
        time.sleep(seconds * ALONE)
    sizes = []
    until = time.monotonic() + seconds * (1 - 1.5 * ALONE)
    with Clients(service, FAIR, ask) as beside, Clients(service, ABUSIVE, abuse) as abusive:
        while time.monotonic() < until:
            sizes.append(process.memory_info().rss / 2**20)
            time.sleep(min(5.0, seconds / 50))
    half = len(sizes) // 2
    first, second = max(sizes[:half]), max(sizes[half:])
    print(
        f"\np95 of /infer alone {1000 * alone.p95_s():.0f} ms ({len(alone.seconds)}), beside the abuse "
        f"{1000 * beside.p95_s():.0f} ms ({len(beside.seconds)}); memory {sizes[0]:.0f} MiB, then "
        f"at most {first:.0f}, in the second half {second:.0f} MiB; the abusive key: {dict(abusive.statuses)}"
    )
    assert not (alone.failures or beside.failures or abusive.failures)
    assert set(alone.statuses) == set(beside.statuses) == {200}, (alone.statuses, beside.statuses)
    assert set(abusive.statuses) - {200, None} <= REFUSALS, abusive.statuses
    assert {200, None, 422} <= set(abusive.statuses), "the abuse reached the service"
    assert beside.p95_s() < MOST_TIMES_ALONE * alone.p95_s()
    assert second - sizes[0] < MOST_MIB and second - first < MOST_GROWTH_MIB, sizes
    assert service.process.poll() is None
