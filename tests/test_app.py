"""The HTTP interface over a real engine with random weights: problems, streams, OpenAI's routes, keys, metrics."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve.process import wait_for
from tests.conftest import Host, InProcess
from tests.test_chart import METRICS

CHAT = b'{"model": "cricket-raw", "messages": [{"role": "user", "content": "x"}]'
QUESTION = {"question": "Who scored the most runs?"}


@pytest.fixture(scope="module")
def client(app: InProcess) -> Any:
    with app.client() as client:
        yield client


@pytest.fixture(scope="module")
def locked(host: Host, tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    """An app with keys and a rate limit, and without a model."""
    return host(model_path=tmp_path_factory.mktemp("none") / "model", api_keys="first-key, second-key",
                rate_limit_per_minute=5)  # fmt: skip


def stream(client: httpx.Client, path: str, body: dict[str, Any]) -> list[tuple[str, Any]]:
    """Events of a stream: (name, data)."""
    found, name = [], ""
    with client.stream("POST", path, json=body) as response:
        assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                found.append((name, line[6:] if line == "data: [DONE]" else json.loads(line[6:])))
    return found


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/infer", b"", 422, "question"),
        ("/infer", b"who won?", 400, "not JSON"),
        ("/infer", b'"who won?"', 422, "send something like"),
        ("/infer", b"[]", 422, "send something like"),
        ("/infer", b"{}", 422, "question: Field required"),
        ("/infer", b'{"question": ""}', 422, "at least 1 character"),
        ("/infer", b'{"question": "   "}', 422, "at least 1 character"),
        ("/infer", b'{"question": 7}', 422, "valid string"),
        ("/infer", b'{"question": null}', 422, "valid string"),
        ("/infer", json.dumps({"question": "a" * 501}).encode(), 422, "at most 500"),
        ("/infer", b'{"question": "x", "tpyo": 1}', 422, "tpyo"),
        ("/infer", b'{"question": "x", "conversation_id": "a b"}', 422, "conversation_id"),
        ("/infer", b'{"question": "' + b"a" * 70_000 + b'"}', 413, "too large"),
        ("/stats", b'{"query": "runz by batter"}', 422, "did you mean runs"),
        ("/stats", b'{"query": "runs | batter=Pandya"}', 422, "Pandya"),
        ("/stats", b'{"query": "decline opinion"}', 422, "no table"),
        ("/feedback", b'{"request_id": "x", "verdict": "meh"}', 422, "verdict"),
        ("/v1/chat/completions", b'{"messages": []}', 422, "messages"),
        ("/v1/chat/completions", CHAT + b', "n": 2}', 422, "n:"),
        ("/v1/chat/completions", CHAT + b', "grammar": "root ::= nope"}', 422, "nope"),
        ("/v1/completions", b'{"prompt": "x", "max_tokens": 9999999}', 422, "context"),
        ("/v1/completions", b'{"prompt": [99999999]}', 422, "vocabulary"),
    ],
)  # fmt: skip
def test_a_bad_request_gets_a_problem_document_that_says_what_to_send(
    client: httpx.Client, path: str, body: bytes, status: int, said: str
) -> None:
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    problem = response.json()
    assert response.status_code == status == problem["status"], problem
    assert response.headers["content-type"] == "application/problem+json"
    assert said in problem["detail"] and problem["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text


def test_a_body_with_another_content_type_gets_415(client: httpx.Client) -> None:
    response = client.post("/infer", data={"question": "who won?"})
    assert response.status_code == 415 and "Content-Type: application/json" in response.json()["detail"]


def test_a_body_without_a_length_is_refused_once_it_exceeds_the_limit(client: httpx.Client) -> None:
    chunks = (b"x" * 10_000 for _ in range(20))  # no Content-Length
    response = client.post("/infer", content=chunks, headers={"Content-Type": "application/json"})
    assert response.status_code == 413 and response.json()["type"].endswith("body-too-large")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nope", 404), ("GET", "/infer", 405), ("GET", "/page/..%2fapp.py", 404)],
)
def test_unknown_paths_and_methods_get_problem_documents(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status and response.headers["content-type"] == "application/problem+json"


def test_every_reply_has_an_id_server_timing_and_security_headers(client: httpx.Client) -> None:
    for response in (
        client.post("/infer", json=QUESTION, headers={"X-Request-ID": "mine-1"}),
        client.get("/healthz", headers={"X-Request-ID": "mine-1"}),
        client.get("/nope", headers={"X-Request-ID": "mine-1"}),
    ):
        assert response.headers["x-client-request-id"] == "mine-1"
        assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])
        assert "total;dur=" in response.headers["server-timing"]
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "server" not in response.headers or "uvicorn" in response.headers["server"]
    timing = client.post("/infer", json=QUESTION).headers["server-timing"]
    assert "plan;dur=" in timing and "queue;dur=" in timing
    injected = client.get("/healthz", headers={"X-Request-ID": "a b<script>"}).headers
    assert re.fullmatch(r"[0-9a-f]{32}", injected["x-request-id"]) and "x-client-request-id" not in injected


def test_a_query_line_is_computed_without_the_model(client: httpx.Client) -> None:
    table = client.post("/stats", json={"query": "runs by batter | top 1"}).json()["tables"][0]
    assert table["rows"][0][:2] == ["Virat Kohli", 741]
    assert [c["name"] for c in table["columns"]][:2] == ["batter", "runs"]


def test_a_streamed_answer_has_the_events_plan_table_token_done_and_equals_the_whole_one(
    client: httpx.Client,
) -> None:
    events = stream(client, "/infer", QUESTION | {"stream": True})
    names = [name for name, _ in events]
    done = events[-1][1]
    assert names[-1] == "done"
    if done["outcome"] == "answered":
        assert names[:2] == ["plan", "table"] and set(names[2:-1]) == {"token"}
        assert "".join(data["text"] for name, data in events if name == "token") == done["answer"]
        assert events[0][1]["query"] == done["query"] and events[1][1]["tables"] == done["tables"]
    whole = client.post("/infer", json=QUESTION).json()
    assert whole["answer"] == done["answer"] and whole["table"] == done["table"]


def test_feedback_is_stored(app: InProcess, client: httpx.Client) -> None:
    asked = client.post("/infer", json=QUESTION).headers["x-request-id"]
    judged = {"request_id": asked, "verdict": "wrong", "comment": "it was Kohli", "question": "who?"}
    assert client.post("/feedback", json=judged).status_code == 201
    with sqlite3.connect(app.service.settings.feedback_db) as connection:
        last = "SELECT verdict, comment, question, answer FROM feedback ORDER BY rowid DESC"
        row = connection.execute(last).fetchone()
    assert row == ("wrong", "it was Kohli", "who?", None)


def test_metrics_have_the_names_that_dashboard_and_alerts_use(client: httpx.Client) -> None:
    asked = client.post("/infer", json=QUESTION).headers["x-request-id"]
    client.post("/feedback", json={"request_id": asked, "verdict": "right"})
    text = client.get("/metrics").text
    there = {re.sub("_(bucket|count|sum)$", "", name) for name in re.findall(r"^([a-z][\w:]*)[{ ]", text, flags=re.M)}
    assert METRICS - {"up"} <= there, METRICS - there
    assert re.search(r'cricket_answers_total\{.*outcome="\w+".*\} [1-9]', text)
    assert re.search(r'http_server_request_duration_seconds_count\{.*http_response_status_code="200"', text)


def test_readyz_names_model_and_season(client: httpx.Client, random_model: Path) -> None:
    ready = client.get("/readyz").json()
    assert ready["ready"] and ready["season"] == "ipl_2024" and ready["model"]["name"] == "stand-in"


def test_without_a_model_the_service_is_alive_and_readyz_names_the_command_that_makes_one(
    locked: InProcess,
) -> None:
    with locked.client() as client:
        assert client.get("/healthz").status_code == 200
        response = client.get("/readyz")
        assert response.status_code == 503 and "make demo" in response.text and "MODEL_REPO" in response.text


def test_readyz_names_the_import_command_for_a_missing_season(host: Host, random_model: Path) -> None:
    service = host(model_path=random_model, season="ipl_1999")
    with service.client() as client:
        wait_for(
            lambda: "python -m data import" in client.get("/readyz").text,
            60,
            lambda: client.get("/readyz").text,
        )
    service.stop()


def test_a_request_needs_one_of_the_keys(locked: InProcess) -> None:
    with locked.client() as client:
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Basic first-key"},
            {"X-API-Key": ""},
        ):
            response = client.post("/stats", json={"query": "sixes"}, headers=headers)
            assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
            assert "first-key" not in response.text
        assert client.post("/infer", json=QUESTION, headers={"X-API-Key": "first-key"}).status_code == 503
        for path in ("/", "/healthz", "/metrics", "/openapi.json"):
            assert client.get(path).status_code == 200, path
        assert client.get("/v1/models").status_code == 401


def test_each_key_has_its_own_rate_limit_and_replies_say_when_to_retry(locked: InProcess) -> None:
    with locked.client(headers={"Authorization": "Bearer second-key"}) as client:
        codes = [client.post("/stats", json={"query": "sixes by team | top 1"}).status_code for _ in range(6)]
        last = client.post("/stats", json={"query": "sixes"})
        assert codes[0] != 429 and 429 in codes + [last.status_code]
        assert int(last.headers["retry-after"]) >= 1
        first = {"Authorization": "Bearer first-key"}
        asked = client.post("/infer", json=QUESTION, headers=first).headers["x-request-id"]
        other = client.post("/feedback", json={"request_id": asked, "verdict": "right"}, headers=first)
        assert other.status_code == 201


def test_printed_settings_hold_no_secrets() -> None:
    from serve.settings import Settings

    settings = Settings(_env_file=None, hf_token="hf_secret123", api_keys="k1,k2", openai_api_key="sk-secret")
    shown = json.dumps(settings.redacted())
    assert "secret" not in shown and "k1" not in shown and "HF_TOKEN" in shown


@pytest.mark.parametrize(("path", "body"), [("/infer", QUESTION), ("/v1/completions", {"prompt": "x"})])
def test_the_log_has_the_reason_why_a_stream_failed(app, client, monkeypatch, caplog, path, body) -> None:
    async def answer(*_):
        raise ZeroDivisionError("for the test")
        yield

    async def run(_, on_text):
        on_text("the first piece")
        raise ZeroDivisionError("for the test")

    loaded = app.service.ready()
    monkeypatch.setattr(loaded.agents, "stream", answer)
    monkeypatch.setattr(loaded.model.model, "run", run)
    events = stream(client, path, body | {"stream": True})
    assert "the log has the reason" in json.dumps(events[-1][1])
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


def test_openai_s_client_can_complete_stream_and_read_usage(app: InProcess) -> None:
    openai = pytest.importorskip("openai", reason="the openai package is not installed (requirements-dev.txt)")
    client = openai.OpenAI(base_url=f"{app.url}/v1", api_key="none", http_client=None)
    model = client.models.list().data[1].id
    assert model == "cricket-raw"
    asked = {"model": model, "messages": [{"role": "user", "content": "plan most runs"}], "max_tokens": 12}
    whole = client.chat.completions.create(**asked)
    assert whole.choices[0].message.role == "assistant" and whole.usage.completion_tokens <= 12
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    plain = client.completions.create(model=model, prompt="runs by", max_tokens=5)
    assert plain.choices[0].text is not None and plain.usage.completion_tokens <= 5
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        client.chat.completions.create(**asked | {"max_tokens": 10**7})
    assert "context" in caught.value.body["message"]


def test_a_json_schema_and_a_grammar_constrain_what_is_generated(client: httpx.Client) -> None:
    phases = ["powerplay", "middle", "death"]
    schema = {"type": "object", "properties": {"phase": {"enum": phases}}, "required": ["phase"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "phase", "schema": schema}}
    body = {
        "model": "cricket-raw",
        "messages": [{"role": "user", "content": "which phase?"}],
        "max_tokens": 60,
        "response_format": wanted,
    }
    choice = client.post("/v1/chat/completions", json=body).json()["choices"][0]
    assert choice["finish_reason"] == "stop" and json.loads(choice["message"]["content"])["phase"] in phases
    body = {"prompt": "x", "grammar": 'root ::= "yes" | "no"'}
    assert client.post("/v1/completions", json=body).json()["choices"][0]["text"] in ("yes", "no")


def test_the_same_seed_gives_the_same_text_and_a_stop_string_ends_it(client: httpx.Client) -> None:
    body = {"prompt": "runs by", "max_tokens": 12, "temperature": 1.0, "seed": 7}
    first, second = (client.post("/v1/completions", json=body).json()["choices"][0]["text"] for _ in range(2))
    assert first == second and len(first) > 2
    stopped = client.post("/v1/completions", json=body | {"stop": first[2:4]}).json()["choices"][0]
    assert stopped["text"] == first[: first.index(first[2:4])] and stopped["finish_reason"] == "stop"


def test_the_agents_give_the_same_answers_over_http_as_in_process(app: InProcess) -> None:
    from agents.multi_agent import MultiAgent
    from agents.openai_client import OpenAIModel

    async def both() -> tuple[Any, Any]:
        model = OpenAIModel(f"{app.url}/v1", "cricket-raw")
        try:
            remote = MultiAgent(app.service.retriever.season, model, app.service.retriever)
            # questions of which the stand-in's first lines are in no doubt: samples of random weights are near ties
            return await remote.ask("Kohli runs in the powerplay?"), await remote.ask("Kohli fours")
        finally:
            await model.aclose()

    with app.client() as client:
        for reply, question in zip(asyncio.run(both()), ("Kohli runs in the powerplay?", "Kohli fours"), strict=True):
            here = client.post("/infer", json={"question": question}).json()
            query = reply.query if reply.tables else None  # that of a refusal stays in the trace
            assert (reply.answer, query, reply.outcome) == (
                here["answer"],
                here["query"],
                here["outcome"],
            )


def test_the_agents_name_the_setting_of_a_model_server_that_cannot_be_reached() -> None:
    from agents.openai_client import OpenAIModel, ServerError

    async def ask() -> None:
        await OpenAIModel("http://127.0.0.1:9", "x", connect_s=2).generate([{"role": "user", "content": "x"}])

    with pytest.raises(ServerError, match="OPENAI_BASE_URL"):
        asyncio.run(ask())


def test_the_command_line_asks_a_running_service_or_generates_with_a_model_server(
    app: InProcess, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from agents.__main__ import main

    assert main(["Who won the 2011 final?", "--url", app.url]) == 0
    assert "IPL 2024" in capsys.readouterr().out
    monkeypatch.setenv("OPENAI_MODEL", "cricket-raw")
    assert main(["most sixes", "--model-url", f"{app.url}/v1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] in ("answered", "declined")
    with pytest.raises(SystemExit, match="make serve"):
        main(["most sixes", "--url", "http://127.0.0.1:9"])


def test_the_page_and_the_docs_load_nothing_from_other_hosts(client: httpx.Client) -> None:
    for path in ("/", "/docs", "/page/page.js", "/page/chart.js", "/page/style.css", "/page/docs.js", "/page/docs.css"):
        response = client.get(path)
        assert response.status_code == 200 and "script-src 'self'" in response.headers["content-security-policy"]
        for address in re.findall(
            r"""(?:src|href)="([^"]*)"|url\(([^)]*)\)|import\b[^;]*?from "([^"]*)""", response.text
        ):
            target = next(filter(None, address), "")
            assert target.startswith(("/", "./", "#")) or target == "https://cricsheet.org", target
        assert "style=" not in response.text and "onclick" not in response.text


def test_openapi_has_an_example_for_every_body_and_problems_for_every_post(
    client: httpx.Client,
) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        if post := methods.get("post"):
            schema = schemas[post["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]]
            assert schema.get("examples"), path
            assert "application/problem+json" in post["responses"]["422"]["content"]
            assert "429" in post["responses"] and "503" in post["responses"]
