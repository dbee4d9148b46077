"""Resilience: overload, clients that disconnect or read slowly, failing requests, a dead engine, SIGTERM, bad files.

Random weights suffice: these tests are about who gets an answer, who is refused, and what is freed afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
from fastapi.testclient import TestClient

from serve.app import create_app
from serve.engine import memory
from serve.engine.output import OutputProcessor
from serve.process import ServiceProcess, StartError, wait_for
from serve.server import Server
from serve.settings import Settings
from tests.conftest import ROOT, Host, InProcess, Launch

# the grammar admits no end before 1,500 letters
LONG = {
    "prompt": "runs by",
    "max_tokens": 1500,
    "temperature": 1.0,
    "seed": 1,
    "grammar": "root ::= [ab]{1500}",
}
QUESTION = {"question": "Who scored the most runs?"}


@pytest.fixture(scope="module")
def small(host: Host, random_model: Path) -> InProcess:
    """An app with two slots and a short queue."""
    found = host(model_path=random_model, n_slots=2, queue_size=4, n_ctx=4096, raw_model=True)
    found.wait_ready()
    return found


def idle(app: InProcess) -> bool:
    """Whether no request is under way, neither in the service nor in the engine."""
    health = app.service.engine.health()
    return app.service.in_flight == 0 and health.running == 0 and health.waiting == 0


async def many(url: str, n: int, path: str, body: dict[str, Any]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=n)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits, trust_env=False) as client:
        return await asyncio.gather(*(client.post(path, json=body) for _ in range(n)))


def test_of_200_simultaneous_clients_all_admitted_ones_finish_and_the_others_get_429_at_once(
    host: Host, random_model: Path
) -> None:
    app = host(model_path=random_model, n_slots=8, queue_size=32, flash_attention=False)
    app.wait_ready()
    replies = asyncio.run(many(app.url, 200, "/infer", QUESTION))
    codes = Counter(r.status_code for r in replies)
    assert set(codes) == {200, 429} and codes[200] >= 40, codes
    answers = {r.json()["answer"] for r in replies if r.status_code == 200}
    assert len(answers) == 1, "the same question gets the same answer under load"
    refused = [r for r in replies if r.status_code == 429]
    assert all(int(r.headers["retry-after"]) >= 1 and r.json()["type"].endswith("queue-full") for r in refused)
    slowest = max(r.elapsed.total_seconds() for r in refused)
    assert slowest < max(r.elapsed.total_seconds() for r in replies if r.status_code == 200)
    assert idle(app)
    app.stop()


def dial(url: str, path: str, body: dict[str, Any]) -> socket.socket:
    """A raw connection on which a request was sent and nothing is read."""
    host, port = url.removeprefix("http://").split(":")
    data = json.dumps(body).encode()
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
    )
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    return connection


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", LONG),
        ("/v1/completions", LONG | {"stream": True}),
        ("/v1/completions", LONG | {"prompt": "runs " * 1200}),  # in prefill most likely
        ("/infer", QUESTION),
        ("/infer", QUESTION | {"stream": True}),
    ],
)
def test_a_client_that_disconnects_frees_its_slot(small: InProcess, path: str, body: dict[str, Any]) -> None:
    totals = small.service.engine.health().totals
    cancelled, known = totals.cancelled, totals.requests
    with dial(small.url, path, body):  # a request may start and end between two polls
        wait_for(lambda: small.service.engine.health().running > 0 or totals.requests > known)
    wait_for(lambda: idle(small), 20, lambda: str(small.service.engine.health()))
    if path != "/infer":  # a question may have been between its two model calls
        assert small.service.engine.health().totals.cancelled == cancelled + 1


def test_a_slow_reader_delays_no_other_client_and_frees_its_slot(small: InProcess) -> None:
    with dial(small.url, "/v1/completions", LONG | {"stream": True, "max_tokens": 900}):
        wait_for(lambda: small.service.in_flight > 0)
        with small.client() as client:
            assert client.post("/infer", json=QUESTION).status_code == 200
        wait_for(lambda: idle(small), 120)


def test_a_request_that_makes_the_engine_raise_fails_alone(small: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    process = OutputProcessor.process

    def poisoned(self: OutputProcessor, sequence: Any, *rest: Any) -> str | None:
        if sequence.request.max_tokens == 13:
            raise ValueError("poison")
        return process(self, sequence, *rest)

    monkeypatch.setattr(OutputProcessor, "process", poisoned)
    with small.client() as client:
        results: list[int] = []
        other = threading.Thread(target=lambda: results.append(client.post("/infer", json=QUESTION).status_code))
        other.start()
        response = client.post("/v1/completions", json={"prompt": "x", "max_tokens": 13})
        other.join()
        assert response.status_code == 500 and "poison" not in response.text
        assert response.json()["error"]["type"] == "request_failed" and results == [200]
        assert client.get("/readyz").status_code == 200


def test_a_jump_of_the_system_clock_changes_nothing(small: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    for jump in (86_400.0, -86_400.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
        with small.client() as client:
            response = client.post("/infer", json=QUESTION)
        assert response.status_code == 200 and 0 < response.json()["latency_ms"]["total"] < 60_000


def test_a_dead_engine_thread_turns_readyz_503_and_the_process_exits_non_zero(
    random_model: Path, tmp_path: Path
) -> None:
    script = tmp_path / "dies.py"
    # the real service, whose engine's loop raises on a request with 17 tokens to make
    script.write_text(
        "import sys, serve.engine as e\n"
        "step = e.Engine._step\n"
        "def dying(self):\n"
        "    if any(s.request.max_tokens == 17 for s in self._arrived): raise MemoryError('out of memory')\n"
        "    step(self)\n"
        "e.Engine._step = dying\n"
        "from serve.__main__ import main\n"
        "sys.exit(main())\n"
    )
    command = (sys.executable, script)
    with ServiceProcess(
        tmp_path / "log", command=command, MODEL_PATH=random_model, N_THREADS=1, RAW_MODEL=1
    ) as service:
        service.wait_ready()
        with service.client() as client:
            assert client.post("/v1/completions", json={"prompt": "x", "max_tokens": 17}).status_code == 503
            try:
                ready = client.get("/readyz")
                assert ready.status_code == 503 and "engine" in ready.json()["reason"]
            except httpx.TransportError:
                pass  # the process has ended already
        assert service.process.wait(60) == 70, service.log.read_text()[-2000:]


def test_sigterm_under_load_finishes_requests_under_way_and_accepts_no_more(launch: Launch, random_model: Path) -> None:
    service = launch(MODEL_PATH=random_model, RAW_MODEL=1)
    service.wait_ready()
    replies: list[int] = []

    def ask() -> None:
        with service.client() as client:
            replies.append(client.post("/v1/completions", json=LONG).status_code)

    with service.client() as client:
        client.get("/healthz")  # a connection from before
        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        wait_for(lambda: _gauge(client, "processing") + _gauge(client, "deferred") == len(askers), 60)
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: client.get("/readyz").json().get("stage") == "drain")
        refused = client.post("/infer", json=QUESTION)
        assert refused.status_code == 503 and "stopping" in refused.json()["detail"]
        for asker in askers:
            asker.join()
    assert replies == [200] * 4
    assert service.process.wait(60) == 0


def _gauge(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.split()[1]) for line in lines if line.startswith(f"llamacpp:requests_{name} ")), 0)


def test_a_start_on_a_port_in_use_ends_without_an_abort(random_model: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match="exit status 1: "):
            ServiceProcess(tmp_path / "log", MODEL_PATH=random_model, PORT=port)


def test_an_app_that_is_stopped_while_it_loads_leaves_no_native_thread(random_model: Path, tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from serve.app import create_app\n"
        "async def main():\n"
        "    app = create_app()\n"
        "    async with app.router.lifespan_context(app):\n"
        "        await asyncio.sleep(float(sys.argv[1]))\n"
        "    assert not app.state.service.loading\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {"MODEL_PATH": str(random_model), "FEEDBACK_DB": str(tmp_path / "f.sqlite")}
    for seconds in ("0", "0.2", "0.6", "1.2"):  # the season and the engine are loaded at different times
        command = [sys.executable, "-c", code, seconds]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (seconds, done.returncode, done.stderr[-2000:])


def test_a_second_signal_does_not_wait(launch: Launch, random_model: Path) -> None:
    service = launch(MODEL_PATH=random_model, RAW_MODEL=1)
    service.wait_ready()
    with service.client() as client:
        asker = threading.Thread(target=_ask_and_ignore_errors, args=(service,))
        asker.start()
        wait_for(lambda: _gauge(client, "processing") >= 1, 60)
    service.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    service.process.send_signal(signal.SIGINT)
    service.process.wait(30)
    asker.join()


def _ask_and_ignore_errors(service: ServiceProcess) -> None:
    try:
        with service.client() as client:
            client.post("/v1/completions", json=LONG | {"max_tokens": 2000})
    except httpx.HTTPError:
        pass


def test_a_corrupted_model_is_not_opened_and_a_good_one_put_in_its_place_is_served(
    host: Host, random_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(random_model, folder)
    good = (folder / "model-q8_0.gguf").read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    (folder / "model-q8_0.gguf").write_bytes(bad)
    app = host(model_path=folder)
    with app.client() as client:
        wait_for(lambda: "sha256" in client.get("/readyz").text, 60, lambda: client.get("/readyz").text)
        assert app.service.engine is None
        (folder / "model-q8_0.gguf").write_bytes(good)
        app.wait_ready()
        assert client.post("/infer", json=QUESTION).status_code == 200
    app.stop()


def test_a_file_that_is_no_gguf_is_refused_before_the_loader_sees_it(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGML" + b"\0" * 100)
    app = host(model_path=path)
    with app.client() as client:
        wait_for(lambda: "not a GGUF" in client.get("/readyz").text, 60)
        assert client.get("/healthz").status_code == 200
    app.stop()


def test_readyz_reports_an_unreachable_hub_and_the_process_stays_alive(launch: Launch, tmp_path: Path) -> None:
    service = launch(MODEL_REPO="someone/model", HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=tmp_path)
    with service.client() as client:
        wait_for(lambda: "cannot be reached" in client.get("/readyz").text, 300, lambda: client.get("/readyz").text)
        assert client.get("/healthz").status_code == 200
        assert client.post("/stats", json={"query": "sixes"}).status_code in (200, 503)
    assert service.stop() == 0


def test_the_process_stops_while_it_waits_for_the_hub(launch: Launch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub = f"http://127.0.0.1:{silent.getsockname()[1]}"
        service = launch(MODEL_REPO="someone/model", HF_ENDPOINT=hub, HF_HOME=tmp_path)
        with service.client() as client:
            assert "someone/model" in client.get("/readyz").json()["reason"]
        assert service.stop() == 0


def test_a_model_published_to_a_folder_is_served_without_the_hub(
    launch: Launch, random_model: Path, tmp_path: Path
) -> None:
    from convert.hub import push

    push(random_model, str(tmp_path / "published"), force=True)
    service = launch(MODEL_REPO=tmp_path / "published", HF_ENDPOINT="http://127.0.0.1:9")
    service.wait_ready()
    assert service.ask("most sixes").status_code == 200
    assert service.stop() == 0


def test_a_context_larger_than_any_memory_is_refused_at_start(random_model: Path) -> None:
    environment = os.environ | {"MODEL_PATH": str(random_model), "N_CTX": "2000000000"}
    done = subprocess.run([sys.executable, "-m", "serve"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "n_ctx" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("setting", [{"n_ctx": 262_144, "prefix_cache_mb": 0}, {"prefix_cache_mb": 65}])
def test_readyz_reports_a_memory_limit_that_context_and_prefix_cache_exceed(
    host: Host, random_model: Path, monkeypatch: pytest.MonkeyPatch, setting: dict[str, int]
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 64 * 2**20)
    app = host(model_path=random_model, **setting)
    with app.client() as client:
        wait_for(lambda: client.get("/readyz").json().get("stage") == "failed", 60)
        reason = client.get("/readyz").json()["reason"]
        assert "64 MiB are available" in reason and "lower N_CTX or PREFIX_CACHE_MB" in reason
        assert client.get("/healthz").status_code == 200
    app.stop()


def test_available_memory_is_the_limit_less_what_cannot_be_reclaimed(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 4000000 kB\n")
    assert memory.available(tmp_path, tmp_path / "meminfo") == 4_000_000 * 1024
    for name, text in {"memory.max": "500", "memory.current": "450", "memory.stat": "anon 1\ninactive_file 30"}.items():
        (tmp_path / name).write_text(text)
    assert memory.available(tmp_path, tmp_path / "meminfo") == 80
    (tmp_path / "memory.max").write_text("max")
    assert memory.available(tmp_path, tmp_path / "meminfo") == 4_000_000 * 1024


def test_a_serving_process_collects_garbage_rarely_and_excludes_what_was_loaded() -> None:
    code = (
        "import gc; from serve.engine import memory; memory.freeze(); "
        "print([gc.get_freeze_count(), *gc.get_threshold()])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    frozen, *thresholds = json.loads(done.stdout)
    assert frozen > 1000 and tuple(thresholds) == memory.GC_THRESHOLDS
    app = create_app(Settings())
    assert Server(uvicorn.Config(app), app.state.service).service.on_ready is memory.freeze


def test_on_ready_is_called_once_after_everything_is_loaded(random_model: Path, tmp_path: Path) -> None:
    app, said = create_app(Settings(model_path=random_model, feedback_db=tmp_path / "f.sqlite")), []
    service = app.state.service
    service.on_ready = lambda: said.append(service.engine.health().ready and service.retriever is not None)
    with TestClient(app):
        wait_for(lambda: service.state.ready or bool(service.failed), 300)
    assert said == [True]


@pytest.mark.slow
def test_memory_after_5000_requests_is_within_5_percent_of_that_after_500(launch: Launch, random_model: Path) -> None:
    service = launch(MODEL_PATH=random_model)
    service.wait_ready()
    process = psutil.Process(service.process.pid)
    bodies = [
        QUESTION,
        {"question": "Kohli strike rate"},
        {"question": "most sixes at Chennai"},
        {"question": ""},
    ]
    sizes = {}
    with service.client() as client:
        for i in range(5001):
            client.post("/infer", json=bodies[i % len(bodies)])
            if i in (500, 5000):
                sizes[i] = process.memory_info().rss
    assert sizes[5000] < sizes[500] * 1.05, sizes


def test_a_request_that_the_engine_refuses_reaches_no_slot(small: InProcess) -> None:
    before = small.service.engine.health().totals.requests
    with small.client() as client:
        response = client.post("/v1/completions", json={"prompt": "x " * 5000, "max_tokens": 10})
    assert response.status_code == 422 and "context" in response.json()["detail"]
    assert small.service.engine.health().totals.requests == before
