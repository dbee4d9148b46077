"""Clients that mean harm: long computations, a full or locked store, forged verdicts, other hosts' names, idle and
half-sent connections. What each one did before, and does now, is in SECURITY.md."""

from __future__ import annotations

import io
import json
import os
import random
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from convert.manifest import ManifestError
from data.cricsheet.format import MAX_FILE_BYTES, read_matches
from data.errors import SourceError
from data.query import Statistics, parse
from data.query.cancellation import Cancellation, Cancelled
from data.season import load
from serve.api.security import HostCheck
from serve.connections import ConnectionLimits
from serve.model_store import ModelMissing, locate
from serve.monitor.records import read_feedback
from serve.process import ROOT, ServiceProcess, wait_for
from serve.request_ids import RequestIds, secret_of
from serve.settings import Settings
from serve.telemetry.feedback import MAX_OF_ONE_ANSWER, FeedbackRefused, FeedbackStore
from tests.conftest import Host, InProcess, Launch

LARGE = "runs by batter, bowler, match ; balls by batter, bowler, match"
KEY, REVIEWER = "user-key", "reviewer-key"


@pytest.fixture(scope="module")
def modelless(host: Host, tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    """An app with keys, a season and no model: /stats, /feedback and the probes work."""
    folder = tmp_path_factory.mktemp("none")
    app = host(model_path=folder / "model", api_keys=KEY, reviewer_keys=REVIEWER, stats_deadline_s=60)
    wait_for(lambda: app.service.retriever is not None, 300)
    return app


@pytest.fixture
def client(modelless: InProcess) -> Iterator[httpx.Client]:
    with modelless.client(headers={"X-API-Key": KEY}) as client:
        yield client


def answer_id(client: httpx.Client) -> str:
    return client.post("/infer", json={"question": "most sixes"}).headers["x-request-id"]


# -- computing


def test_tables_of_megabytes_are_refused_with_the_advice_to_rank_or_filter(client: httpx.Client) -> None:
    response = client.post("/stats", json={"query": LARGE})
    assert response.status_code == 422 and "top 20" in response.json()["detail"], response.text[:300]
    assert len(response.content) < 2000
    assert client.get("/stats", params={"query": LARGE}).status_code == 422
    assert client.post("/stats", json={"query": "runs by batter | top 20"}).status_code == 200


def test_a_query_line_ends_at_its_deadline_and_gives_its_thread_back(modelless: InProcess, host: Host) -> None:
    app = host(model_path=Path("none"), stats_deadline_s=0.001)
    wait_for(lambda: app.service.retriever is not None, 300)
    with app.client() as client:
        for _ in range(4):
            response = client.post("/stats", json={"query": "runs, balls by batter, bowler"})
            assert response.status_code == 504 and response.json()["type"].endswith("deadline"), response.text
    app.stop()


def test_a_cancelled_query_raises_and_the_next_one_is_computed() -> None:
    statistics = Statistics(load("ipl_2023"))
    query = parse("runs by batter, bowler | top 3").queries[0]
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled), cancellation:
        statistics.answer(query)
    with Cancellation():
        assert len(statistics.answer(query).rows) >= 3


def test_health_checks_answer_while_many_query_lines_are_computed(modelless: InProcess, client: httpx.Client) -> None:
    codes: list[int] = []

    def ask(i: int) -> None:
        with modelless.client(headers={"X-API-Key": KEY}) as own:
            line = f"runs, balls by batter, bowler | having runs>={i}"
            codes.append(own.post("/stats", json={"query": line}).status_code)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(40)]
    for thread in threads:
        thread.start()
    answered = 0
    while any(thread.is_alive() for thread in threads):
        assert client.get("/healthz").status_code == 200
        answered += 1
    assert len(codes) == 40 and set(codes) <= {200, 422, 429, 504} and 429 in codes  # the pool refuses the rest
    assert answered >= 5


# -- feedback


def test_a_verdict_must_name_an_answer_that_this_service_gave(client: httpx.Client) -> None:
    real = answer_id(client)
    forged = real[:-1] + ("0" if real[-1] != "0" else "1")
    not_an_answer = client.get("/healthz").headers["x-request-id"]
    for request_id in ("abc", "0" * 32, forged, not_an_answer):
        response = client.post("/feedback", json={"request_id": request_id, "verdict": "wrong"})
        assert response.status_code == 422 and response.json()["type"].endswith("unknown-answer"), request_id
    assert client.post("/feedback", json={"request_id": real, "verdict": "wrong"}).status_code == 201


def test_a_client_s_own_request_id_does_not_become_an_answer_s(client: httpx.Client) -> None:
    sent = {"X-Request-ID": "0" * 32}
    response = client.post("/infer", json={"question": "most sixes"}, headers=sent)
    assert response.headers["x-request-id"] != "0" * 32 and response.headers["x-client-request-id"] == "0" * 32


def test_only_a_reviewer_s_key_makes_a_review(modelless: InProcess, client: httpx.Client) -> None:
    real = answer_id(client)
    forged = {"request_id": real, "verdict": "wrong", "comment": "review: I checked it"}
    assert client.post("/feedback", json=forged).status_code == 201
    assert client.post("/feedback", json=forged | {"reviewer": "x"}).status_code == 422
    review = {"request_id": real, "verdict": "right"}
    assert client.post("/feedback", json=review, headers={"X-API-Key": REVIEWER}).status_code == 201
    judged = [j for j in read_feedback(modelless.service.settings.feedback_db) if j.request_id == real]
    assert {(j.verdict, j.reviewed) for j in judged} == {("wrong", False), ("right", True)}


def test_ids_are_recognised_after_a_restart_and_by_processes_that_start_at_once(tmp_path: Path) -> None:
    file = tmp_path / "runs" / "feedback.key"
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(secret_of(None, file))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and file.stat().st_mode & 0o777 == 0o600 and list(file.parent.iterdir()) == [file]
    made = RequestIds(found[0]).new("/infer")
    assert RequestIds(secret_of(None, file)).issued(made) and not RequestIds(b"other").issued(made)


def test_the_store_bounds_verdicts_on_one_answer_its_size_and_their_age(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "f.sqlite", max_mb=1, keep_days=30)
    for _ in range(MAX_OF_ONE_ANSWER):
        store.store(request_id="a", verdict="wrong")
    with pytest.raises(FeedbackRefused, match="judged 8 times"):
        store.store(request_id="a", verdict="wrong")
    store.store(request_id="a", verdict="right", reviewer="5994471abb01")
    with pytest.raises(FeedbackRefused, match="FEEDBACK_MAX_MB"):
        for i in range(2000):
            store.store(request_id=str(i), verdict="wrong", answer="x" * 20_000)
    assert store.path.stat().st_size < 1.2 * 2**20
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE feedback SET at = '2020-01-01T00:00:00.000+00:00'")
    fresh = FeedbackStore(store.path, max_mb=1, keep_days=30)
    fresh.store(request_id="b", verdict="right")
    assert [j.request_id for j in read_feedback(store.path)] == ["b"]


def test_an_older_store_gets_the_column_for_reviewers(tmp_path: Path) -> None:
    path = tmp_path / "f.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE feedback (at TEXT NOT NULL, request_id TEXT NOT NULL, verdict TEXT NOT NULL, "
                           "comment TEXT, question TEXT, answer TEXT, query TEXT)")  # fmt: skip
        connection.execute("INSERT INTO feedback VALUES ('2024-01-01T00:00:00', 'a', 'wrong', 'review: x', '', '', '')")
    assert [j.reviewed for j in read_feedback(path)] == [False]
    FeedbackStore(path).store(request_id="b", verdict="right", reviewer="5994471abb01")
    assert [j.reviewed for j in read_feedback(path)] == [False, True]


def test_a_locked_store_delays_nothing_else(modelless: InProcess, client: httpx.Client) -> None:
    ids = [answer_id(client) for _ in range(8)]
    client.post("/feedback", json={"request_id": ids[0], "verdict": "right"})
    codes: list[int] = []

    def judge(request_id: str) -> None:
        with modelless.client(headers={"X-API-Key": KEY}) as own:
            codes.append(own.post("/feedback", json={"request_id": request_id, "verdict": "wrong"}).status_code)

    with closing(sqlite3.connect(modelless.service.settings.feedback_db)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        threads = [threading.Thread(target=judge, args=(i,)) for i in ids]
        for thread in threads:
            thread.start()
        wait_for(lambda: bool(codes) or not threads[0].is_alive() or any(t.is_alive() for t in threads))
        assert client.get("/healthz").status_code == 200 and client.get("/metrics").status_code == 200
        assert client.post("/stats", json={"query": "sixes by team | top 1"}).status_code == 200
        assert not codes  # all of this was answered before the first judgement gave up
        for thread in threads:
            thread.join(30)
        holder.rollback()
    assert codes == [503] * 8


def test_judgements_have_a_rate_of_their_own(host: Host) -> None:
    app = host(model_path=Path("none"))
    with app.client() as client:
        codes = [client.post("/feedback", json={"request_id": "x", "verdict": "right"}).status_code for _ in range(90)]
    assert codes[0] == 422 and 429 in codes
    app.stop()


# -- keys, hosts, addresses


def test_attempts_with_wrong_keys_are_limited_and_a_valid_key_still_passes(host: Host) -> None:
    app = host(model_path=Path("none"), api_keys=KEY)
    with app.client() as client:
        codes = [client.get("/v1/models", headers={"X-API-Key": f"guess-{i}"}).status_code for i in range(60)]
        assert codes[0] == 401 and codes[-1] == 429
        assert client.get("/v1/models", headers={"X-API-Key": KEY}).status_code not in (401, 429)
    app.stop()


@pytest.mark.parametrize(
    ("settings", "host", "admitted"),
    [
        ({}, "127.0.0.1:8000", True),
        ({}, "localhost:8000", True),
        ({}, "[::1]:8000", True),
        ({}, "rebound.example.com", False),
        ({}, "rebound.example.com:8000", False),
        ({}, "127.0.0.1.example.com", False),
        ({}, "", False),
        ({"host": "0.0.0.0"}, "cricket.example.com", True),
        ({"host": "0.0.0.0", "allowed_hosts": "*.example.com"}, "Cricket.example.com.", True),
        ({"host": "0.0.0.0", "allowed_hosts": "*.example.com"}, "badexample.com", False),
        ({"host": "0.0.0.0", "allowed_hosts": "a.example.com"}, "b.example.com", False),
        ({"host": "0.0.0.0", "allowed_hosts": "a.example.com"}, "10.1.2.3:8000", True),
        ({"allowed_hosts": "*"}, "anything.example", True),
    ],
)
def test_the_host_header_must_name_this_service(settings: dict[str, Any], host: str, admitted: bool) -> None:
    assert HostCheck(Settings(_env_file=None, **settings)).admits(host) is admitted


def raw(url: str, request: bytes) -> bytes:
    """What is sent back for these bytes, until the server closes."""
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(request)
        found = b""
        while piece := connection.recv(65536):
            found += piece
        return found


def test_a_page_of_another_site_is_refused_by_its_host_name(client: httpx.Client) -> None:
    response = client.get("/", headers={"Host": "rebound.example.com"})
    assert response.status_code == 421 and "ALLOWED_HOSTS" in response.json()["detail"]
    assert client.get("/healthz", headers={"Host": "rebound.example.com"}).status_code == 200  # for any prober


def test_a_request_with_two_lengths_is_refused_and_its_connection_closed(modelless: InProcess) -> None:
    body = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /stats HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    reply = raw(modelless.url, head + body)
    assert reply.startswith(b"HTTP/1.1 400") and reply.count(b"HTTP/1.1 ") == 1


# -- a process of its own: connections, descriptors, the end


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service that may open 160 files."""
    folder = tmp_path_factory.mktemp("small")
    command = ("bash", "-c", f"ulimit -n 160; exec {shlex.quote(sys.executable)} -P -m serve")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    with ServiceProcess(folder / "log", clean, command, MODEL_PATH=folder / "none", FEEDBACK_DB=folder / "f",
                        RATE_LIMIT_PER_MINUTE=5) as service:  # fmt: skip
        yield service


def test_health_checks_are_answered_while_more_connections_are_held_than_files_may_be_open(
    small: ServiceProcess,
) -> None:
    address = httpx.URL(small.url)
    held = []
    try:
        for i in range(400):
            held.append(socket.create_connection((address.host, address.port), timeout=10))
            if i % 2:
                held[-1].sendall(b"POST /stats HTTP/1.1\r\nHost: local")  # half of a request
        for _ in range(20):
            with small.client() as client:
                assert client.get("/healthz").status_code == 200
    finally:
        for connection in held:
            connection.close()
    errors = [line for line in small.log.read_text().splitlines() if '"ERROR"' in line]
    assert len(errors) <= 3, errors[:3]


def test_the_address_that_a_client_claims_is_not_believed(small: ServiceProcess) -> None:
    with small.client() as client:
        codes = [
            client.post("/stats", json={"query": "x"}, headers={"X-Forwarded-For": f"10.0.0.{i}"}).status_code
            for i in range(12)
        ]
    assert 429 in codes


def test_half_a_request_half_a_body_and_silence_are_closed_after_their_time(modelless: InProcess) -> None:
    """The limits with the clock moved: what `sweep` closes, and what it leaves."""
    import asyncio

    import uvicorn

    async def run() -> dict[str, bool]:
        limits = ConnectionLimits(50)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                while (message := await receive()).get("more_body"):
                    pass
                if message["type"] == "http.request":
                    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
                    await send({"type": "http.response.body"})

        config = uvicorn.Config(app, port=0, http=limits.protocol, ws="none", log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        sent = {
            "silence": b"",
            "half a head": b"GET / HTTP/1.1\r\nHost: x",
            "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
            "half a second head": b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP",
        }
        opened = {}
        for name, data in sent.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            opened[name] = (reader, writer)
        await asyncio.sleep(0.3)
        limits.sweep()
        assert limits.closed == 0
        for connection in limits.open:
            connection.since -= 31
        limits.sweep()
        closed = {}
        for name, (reader, writer) in opened.items():
            try:
                await asyncio.wait_for(reader.read(), 5)
                closed[name] = True
            except ConnectionError:
                closed[name] = True
            except TimeoutError:
                closed[name] = False
            writer.close()
        server.should_exit = True
        await serving
        return closed

    assert set(asyncio.run(run()).values()) == {True}


def test_the_service_ends_in_time_with_a_collector_that_does_not_answer(launch: Launch, tmp_path: Path) -> None:
    with socket.socket() as silent:  # accepts connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        service = launch(MODEL_PATH=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, DEADLINE_S=2)
        with service.client() as client:
            wait_for(lambda: client.post("/stats", json={"query": "sixes"}).status_code == 200, 300)  # nothing loads
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 10, "the grace period that the chart gives beside DEADLINE_S"


def test_a_reader_of_the_log_that_has_stopped_neither_delays_requests_nor_the_end(tmp_path: Path) -> None:
    port = _free_port()
    environment = os.environ | {"HOST": "127.0.0.1", "PORT": str(port), "MODEL_PATH": str(tmp_path), "DEADLINE_S": "2",
                                "FEEDBACK_DB": str(tmp_path / "f"), "MODEL_REPO": "", "API_KEYS": "",
                                "PYTHONPATH": str(ROOT)}  # fmt: skip
    with subprocess.Popen([sys.executable, "-P", "-m", "serve"], stdout=subprocess.PIPE, env=environment) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as client:
                wait_for(lambda: _alive(client), 120)
                wait_for(lambda: client.post("/stats", json={"query": "sixes"}).status_code == 200, 300)
                for _ in range(600):  # of about 400 bytes each: a pipe holds 65,536
                    client.get("/nothing")
                assert client.get("/healthz").status_code == 200
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


def _alive(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# -- files


def test_a_file_that_no_manifest_describes_needs_permission_and_is_loaded_in_a_child_first(
    random_model: Path, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.gguf", tmp_path / "bad.gguf"
    shutil.copy(random_model / "model-q8_0.gguf", good)
    bad.write_bytes(good.read_bytes()[:5000])
    with pytest.raises(ModelMissing, match="ALLOW_UNVERIFIED_MODEL"):
        locate(Settings(_env_file=None, model_path=good))
    assert locate(Settings(_env_file=None, model_path=good, allow_unverified_model=True)).path == good
    with pytest.raises(ManifestError, match="cannot be loaded"):
        locate(Settings(_env_file=None, model_path=bad, allow_unverified_model=True))


def test_a_match_file_that_unpacks_to_more_than_any_match_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.json", b" " * (MAX_FILE_BYTES + 1))
    with pytest.raises(SourceError, match="more than 16 MB"):
        list(read_matches(tmp_path / "bomb.zip"))


def test_every_damaged_zip_gets_a_sentence_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.json", json.dumps({"x": list(range(200))}))
    rng = random.Random(5)
    for i in range(300):
        damaged = bytearray(whole.getvalue())
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / f"{i}.zip").write_bytes(damaged)
        with pytest.raises(SourceError):
            list(read_matches(tmp_path / f"{i}.zip"))
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        list(read_matches(tmp_path / "pipe.zip"))


# -- what is printed


def test_a_url_is_printed_without_its_password_and_query() -> None:
    url = "https://user:hunter2@models.example.com:8443/v1?api-key=hunter3"
    shown = json.dumps(Settings(_env_file=None, openai_base_url=url, otel_exporter_otlp_endpoint=url).redacted())
    assert "hunter" not in shown and "models.example.com:8443/v1" in shown


def test_readyz_says_of_a_model_server_neither_its_address_nor_its_key(host: Host) -> None:
    secret = "sk-0123456789abcdef"
    app = host(openai_base_url=f"http://user:{secret}@127.0.0.1:9/v1", openai_api_key=secret)
    with app.client() as client:
        wait_for(lambda: "OPENAI_BASE_URL" in client.get("/readyz").text, 300, lambda: client.get("/readyz").text)
        said = client.get("/readyz").text
    assert secret not in said and "127.0.0.1:9" not in said
    app.stop()
