"""HTTP conveniences: links to answers, CSV and Markdown, other seasons, batches, ETags, CORS."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Host, InProcess

MOST_RUNS = "Who scored the most runs?"
ORIGIN = "https://cricket.example"


@pytest.fixture(scope="module")
def served(host: Host, demo_model: Path) -> InProcess:
    found = host(model_path=demo_model, cors_origins=ORIGIN, n_slots=2, queue_size=1)
    found.wait_ready()
    return found


@pytest.fixture(scope="module")
def client(served: InProcess) -> Iterator[httpx.Client]:
    with served.client() as found:
        yield found


def engine_requests(served: InProcess) -> int:
    return int(served.service.engine.health().totals.requests)


def test_a_link_gives_the_answer_of_infer_and_a_browser_the_page(client: httpx.Client) -> None:
    expected = client.post("/infer", json={"question": MOST_RUNS}).json()
    reply = client.get("/ask", params={"q": MOST_RUNS}).json()
    assert {k: reply[k] for k in ("answer", "tables", "query")} == {
        k: expected[k] for k in ("answer", "tables", "query")
    }
    browser = client.get("/ask", params={"q": "most runs?"}, headers={"Accept": "text/html,*/*"})
    assert browser.status_code == 303 and browser.headers["location"] == "/?q=most+runs%3F"


@pytest.mark.parametrize("how", [{"params": {"format": "csv"}}, {"headers": {"Accept": "text/csv"}}])
@pytest.mark.parametrize("route", ["/infer", "/stats"])
def test_csv_has_the_figures_of_the_tables(client: httpx.Client, how: dict[str, Any], route: str) -> None:
    body = {"query": "runs by batter | top 3"} if route == "/stats" else {"question": MOST_RUNS}
    tables = client.post(route, json=body).json()["tables"]
    response = client.post(route, json=body, **how)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    labels, *rows = csv.reader(io.StringIO(response.text))
    if tables:
        assert labels == [c["label"] for c in tables[0]["columns"]]
        assert rows == [["" if v is None else str(v) for v in row] for row in tables[0]["rows"]]
    else:
        assert labels == ["outcome", "reason", "answer"] and rows[0][0] == "declined"


def test_a_refusal_as_csv_is_a_row_that_says_why(client: httpx.Client) -> None:
    response = client.get("/ask", params={"q": "Who won the 2011 final?", "format": "csv"})
    [row] = csv.DictReader(io.StringIO(response.text))
    assert row["outcome"] == "declined" and row["reason"] == "other_season" and "2011" in row["answer"]


def test_markdown_is_a_table_with_figures_on_the_right_and_the_line(client: httpx.Client) -> None:
    text = client.get("/stats", params={"query": "economy by bowler | top 1", "format": "md"}).text
    head, rule, row = text.split("\n")[:3]
    assert head.startswith("| bowler | economy") and rule.startswith("|---|---:") and row.startswith("| ")
    assert "`economy by bowler | top 1`" in text


def test_an_unknown_format_is_said(client: httpx.Client) -> None:
    response = client.get("/ask", params={"q": "most runs", "format": "pdf"})
    assert response.status_code in (406, 422) and "csv" in response.json()["detail"]


def test_what_has_not_changed_is_not_computed_again(served: InProcess, client: httpx.Client) -> None:
    for path, params in (("/ask", {"q": MOST_RUNS}), ("/stats", {"query": "runs by batter | top 1"}), ("/seasons", {})):
        tag = client.get(path, params=params).headers["etag"]
        before = engine_requests(served)
        response = client.get(path, params=params, headers={"If-None-Match": tag})
        assert response.status_code == 304 and response.content == b"" and response.headers["etag"] == tag
        assert engine_requests(served) == before
    other = client.get("/ask", params={"q": MOST_RUNS, "season": "ipl_2016"}, headers={"If-None-Match": tag})
    assert other.status_code == 200


def test_another_season_is_asked_by_its_name_and_an_unknown_one_is_listed_against(client: httpx.Client) -> None:
    seasons = {s["name"]: s for s in client.get("/seasons").json()["seasons"]}
    assert seasons["ipl_2024"]["default"] and seasons["ipl"]["years"][0] == 2008
    line = {"query": "runs by batter | top 1", "season": "ipl_2016"}
    assert client.post("/stats", json=line).json()["tables"][0]["rows"][0][:2] == ["Virat Kohli", 973]
    reply = client.post("/infer", json={"question": MOST_RUNS, "season": "ipl_2016"}).json()
    assert reply["season"] == "ipl_2016"
    unknown = client.post("/infer", json={"question": MOST_RUNS, "season": "ipl_1999"})
    assert unknown.status_code == 422 and "ipl_2024" in unknown.json()["detail"]


def test_a_batch_answers_each_question_as_alone_and_gives_its_places_back(
    served: InProcess, client: httpx.Client
) -> None:
    questions = [MOST_RUNS, "Who won the 2011 final?", "most sixes"] * 4
    answers = client.post("/infer", json={"questions": questions}).json()["answers"]
    assert len(answers) == len(questions)
    for question, answer in zip(questions[:3], answers[:3], strict=True):
        alone = client.post("/infer", json={"question": question}).json()
        assert (answer["answer"], answer["tables"]) == (alone["answer"], alone["tables"])
    assert served.service.in_flight == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"questions": []}, "questions"),
        ({"questions": ["x"] * 51}, "at most 50"),
        ({"questions": ["x", ""]}, "questions.1"),
        ({"questions": ["x"], "question": "y"}, "one question"),
        ({"questions": ["x"], "stream": True}, "one question"),
    ],
)
def test_a_batch_that_is_wrong_says_where(client: httpx.Client, body: dict[str, Any], said: str) -> None:
    response = client.post("/infer", json=body)
    assert response.status_code == 422 and said in response.json()["detail"]


def test_pages_of_a_named_origin_may_call_and_others_may_not(client: httpx.Client) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    allowed = client.options("/infer", headers=asked)
    assert allowed.status_code == 200 and allowed.headers["access-control-allow-origin"] == ORIGIN
    refused = client.options("/infer", headers=asked | {"Origin": "https://elsewhere.example"})
    assert refused.status_code == 400 and "access-control-allow-origin" not in refused.headers
    reply = client.get("/seasons", headers={"Origin": ORIGIN})
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "ETag" in reply.headers["access-control-expose-headers"]


def test_a_suggestion_is_a_line_in_every_form_of_the_reply_and_runs(trained: None, client: httpx.Client) -> None:
    asked = {"question": "most wickets by an uncapped bowler"}
    reply = client.post("/infer", json=asked).json()
    assert (reply["outcome"], reply["reason"], reply["table"]) == ("declined", "unsupported", None), reply
    (line,) = reply["suggestions"]
    tables = client.post("/stats", json={"query": line}).json()["tables"]
    assert tables[0]["rows"] and str(tables[0]["rows"][0][0]) not in reply["answer"]
    assert f"Can be computed: `{line}`" in client.post("/infer?format=md", json=asked).text
    message = {"model": "cricket", "messages": [{"role": "user", "content": asked["question"]}]}
    assert client.post("/v1/chat/completions", json=message).json()["cricket"]["suggestions"] == [line]
