"""End to end, as for a user: the real service as a process, on a quantised GGUF, asked over HTTP.

    pytest tests/test_inference.py

Runs on models/demo where `make demo` has made it. Elsewhere a stand-in with random weights is served, and the tests of
an answer's truth are skipped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from convert.manifest import load
from serve.process import ServiceProcess, wait_for
from tests.conftest import ROOT

MOST_RUNS = ["Virat Kohli", 741]  # the season's best known fact: IPL 2024's Orange Cap


def test_a_question_gets_an_answer_with_its_table_query_line_provenance_and_times(
    service: ServiceProcess, demo_model
) -> None:
    response = service.ask("Who scored the most runs?")
    assert response.status_code == 200, response.text
    reply = response.json()
    assert reply["answer"].strip() and reply["outcome"] in ("answered", "ask_back", "declined")
    manifest = load(demo_model)
    assert reply["model"]["file"] == manifest.default_file
    assert reply["model"]["sha256"] == manifest.files[manifest.default_file].sha256
    assert reply["model"]["quantisation"] and reply["model"]["name"] == manifest.name
    assert {"queue", "link", "plan", "total"} <= set(reply["latency_ms"])
    parts = sum(v for k, v in reply["latency_ms"].items() if k != "total")
    assert parts <= reply["latency_ms"]["total"] + 1
    if reply["outcome"] == "answered":
        table = reply["table"]
        assert reply["query"] and table["rows"] and {"retrieve", "answer"} <= set(reply["latency_ms"])
        assert all(len(row) == len(table["columns"]) for row in table["rows"])


def test_a_reply_has_a_trace_only_on_request(service: ServiceProcess) -> None:
    assert "trace" not in service.ask("Most wickets?").json()
    steps = [step["step"] for step in service.ask("Most wickets?", trace=True).json()["trace"]]
    assert steps[:2] == ["link", "plan"]


def test_a_request_has_one_log_line_with_its_latency_by_step_and_without_its_text(service: ServiceProcess) -> None:
    request_id = service.ask("How many sixes did Abhishek Sharma hit?").headers["X-Request-ID"]

    def logged() -> list[dict]:
        return [json.loads(line) for line in service.log.read_text().splitlines() if request_id in line]

    wait_for(lambda: bool(logged()))  # the line is written once the reply has gone
    lines = logged()
    assert len(lines) == 1
    assert lines[0]["path"] == "/infer" and lines[0]["status"] == 200 and lines[0]["outcome"]
    assert {"queue", "plan", "total"} <= set(lines[0]["latency_ms"])
    assert len(lines[0]["trace_id"]) == 32
    assert "sixes did" not in json.dumps(lines)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Who scored the most runs?", MOST_RUNS),
        ("Who won the orange cap?", MOST_RUNS),
        ("most wickets in the season", ["Harshal Patel", 24]),
        ("How many runs did Virat Kohli score?", [741]),
        ("bumrah wickets", [20]),
    ],
)
def test_a_well_known_fact_is_answered_correctly(
    trained: None, service: ServiceProcess, question: str, wanted: list
) -> None:
    reply = service.ask(question).json()
    assert reply["outcome"] == "answered", reply
    cells = [cell for row in reply["table"]["rows"][:1] for cell in row]
    assert all(value in cells for value in wanted), reply["table"]
    assert all(str(value) in reply["answer"] for value in wanted), reply["answer"]


def test_an_ambiguous_name_is_asked_back_with_its_candidates(trained: None, service: ServiceProcess) -> None:
    reply = service.ask("How many runs did Pandya score?").json()
    assert reply["outcome"] == "ask_back" and reply["reason"] == "ambiguous_name"
    assert {"Hardik Pandya", "Krunal Pandya"} <= set(reply["candidates"])
    assert reply["table"] is None


@pytest.mark.parametrize(
    "question",
    ["Who will win IPL 2031?", "How many runs did Ben Stokes score?", "Who won the 2011 final?"],
)
def test_a_question_that_the_season_cannot_answer_is_declined_in_a_sentence(
    service: ServiceProcess, question: str
) -> None:
    reply = service.ask(question).json()
    assert reply["outcome"] == "declined" and reply["reason"] and reply["answer"].endswith("."), reply
    assert reply["table"] is None


def test_a_follow_up_takes_its_subject_from_the_conversation(trained: None, service: ServiceProcess) -> None:
    first = service.ask("How many wickets did Jasprit Bumrah take?").json()
    reply = service.ask("and his economy?", conversation_id=first["conversation_id"]).json()
    assert reply["outcome"] == "answered" and "economy" in reply["query"] and "Bumrah" in reply["query"]


def test_every_numeral_of_an_answer_is_in_its_tables_or_question(service: ServiceProcess) -> None:
    for question in (
        "Who hit the most sixes in the powerplay?",
        "top 5 economy at the death min 60 balls",
        "How many ducks did RCB make?",
    ):
        reply = service.ask(question).json()
        known = json.dumps(reply["tables"]) + question + reply["query"].__str__() + " 2024"
        for numeral in re.findall(r"\d+(?:\.\d+)?", reply["answer"]):
            shown = re.findall(r"\d+(?:\.\d+)?", known)
            assert any(float(numeral) == pytest.approx(float(s), abs=0.006) for s in shown) or not reply["tables"], (
                reply
            )


def test_the_command_line_starts_a_service_for_a_question(demo_model: Path, tmp_path: Path) -> None:
    def run(model: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "agents", "Who won the 2011 final?"]
        environment = os.environ | {"MODEL_PATH": str(model), "MODEL_REPO": "", "N_THREADS": "1"}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    done = run(demo_model)
    assert done.returncode == 0 and "IPL 2024" in done.stdout, done.stderr
    missing = run(tmp_path / "none")
    assert missing.returncode != 0 and "make demo" in missing.stderr and "Traceback" not in missing.stderr
