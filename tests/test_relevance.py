"""Relevance, several pods' feedback, the canary and retention: parts of serve.monitor that a schedule runs.

pytest tests/test_relevance.py
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from k8s import render, tools
from serve.monitor import canary, charts, retention
from serve.monitor.__main__ import DRIFTED, main
from serve.monitor.records import Asked, MonitorError, merged_feedback, read_feedback, read_log
from serve.monitor.relevance import is_relevant, relevance
from serve.monitor.report import _in_order, build
from serve.monitor.simulate import simulate
from serve.process import ServiceProcess
from serve.telemetry.feedback import FeedbackStore
from tests.test_chart import EVERYTHING, env, manifests, refusal

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def asked(**fields: object) -> Asked:
    return Asked("r", NOON, **({"outcome": "answered", "plan_left_out": 0} | fields))


@pytest.mark.parametrize(
    ("fields", "relevant"),
    [
        ({}, True),
        ({"plan_left_out": 1}, False),
        ({"outcome": "declined", "reason": "no_plan"}, False),
        ({"outcome": "declined", "reason": "not_computable"}, False),
        ({"outcome": "declined", "reason": "off_topic"}, None),
        ({"outcome": "declined", "reason": "unknown_name"}, None),
        ({"outcome": "ask_back", "reason": "ambiguous_name"}, None),
        ({"plan_left_out": None}, None),
    ],
)
def test_an_answer_is_relevant_if_its_query_uses_all_that_was_asked(fields: dict, relevant: bool | None) -> None:
    assert is_relevant(asked(**fields)) is relevant


def test_relevance_counts_only_what_could_be_answered() -> None:
    share = relevance([asked(), asked(plan_left_out=2), asked(outcome="declined", reason="opinion")])
    assert (share.count, share.of) == (1, 2)


def test_low_relevance_fails_the_check_and_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = simulate(tmp_path / "month", days=28, per_day=40)
    steady = build(read_log([made.log]), read_feedback(made.feedback))
    assert steady.relevant.of > 100 and not steady.irrelevant
    # The same share in all weeks: no drift, and still not good.
    lines = [json.loads(line) for line in made.log.read_text().splitlines()]
    for i, line in enumerate(lines):
        if "plan_left_out" in line and i % 3 == 0:
            line["plan_left_out"] = 1
    made.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    low = build(read_log([made.log]), [])
    assert low.irrelevant and any(s.startswith("Relevance is ") and "below 90 %" in s for s in low.sentences())
    out = ["report", "--log", str(made.log), "--out", str(tmp_path / "report.html"), "--check"]
    assert main(out) == DRIFTED
    assert "answers are about what was asked" in capsys.readouterr().out
    assert "about what was asked" in (tmp_path / "report.html").read_text()


def test_the_verdicts_of_several_pods_are_merged_in_order_of_time_and_count_once(tmp_path: Path) -> None:
    pods = [tmp_path / f"pod-{i}.sqlite" for i in range(2)]
    for pod, name in ((pods[0], "a"), (pods[1], "b"), (pods[0], "c")):
        FeedbackStore(pod).store(request_id=name, verdict="right")
    assert [j.request_id for j in merged_feedback([*pods, pods[0]])] == ["a", "b", "c"]


def test_the_report_takes_each_pod_s_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = simulate(tmp_path / "month", days=28, per_day=40)
    more = tmp_path / "more.sqlite"
    last = read_log([made.log]).asked[-1]
    judged = {j.request_id for j in read_feedback(made.feedback)}
    free = next(a for a in reversed(read_log([made.log]).asked) if a.request_id not in judged)
    with closing(sqlite3.connect(made.feedback)) as old, closing(sqlite3.connect(more)) as new, new:
        new.execute(old.execute("SELECT sql FROM sqlite_master WHERE name = 'feedback'").fetchone()[0])
        new.execute(
            "INSERT INTO feedback (at, request_id, verdict) VALUES (?, ?, 'right')",
            (last.at.isoformat(), free.request_id),
        )

    def counted(*stores: Path) -> int:
        options = [part for store in stores for part in ("--feedback", str(store))]
        assert main(["report", "--log", str(made.log), "--out", str(tmp_path / "r.html"), *options]) == 0
        return int(re.search(r"judged answers: \d+ of (\d+)", capsys.readouterr().out)[1])

    assert counted(made.feedback, more) == counted(made.feedback) + 1
    assert main(["report", "--log", str(made.log), "--feedback", str(tmp_path / "none")]) == 1


def test_bars_of_counts_are_in_order_and_names_are_readable_on_a_phone() -> None:
    assert _in_order(["2", "0", "3 or more", "1"]) == ["0", "1", "2", "3 or more"]
    assert _in_order(["61 to 100", "0 to 30", "201 or more", "31 to 60"])[-1] == "201 or more"
    assert _in_order(["teams", "batting"]) == ["teams", "batting"]
    svg = charts.paired_bars([("a name of many letters", 0.2, 0.4)], "x")
    width = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    assert width <= 340, "a 12 px letter stays one on a phone's 390 px, less the page's margins"


def test_old_judgements_lose_their_texts_and_one_request_can_be_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "feedback.sqlite"
    store = FeedbackStore(path)
    for name in ("old", "new"):
        store.store(request_id=name, verdict="wrong", question="q", answer="a", comment="c", query="runs by batter")
    long_ago = (datetime.now(UTC) - timedelta(days=400)).isoformat(timespec="milliseconds")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE feedback SET at = ? WHERE request_id = 'old'", (long_ago,))
    assert main(["prune", "--feedback", str(path)]) == 0
    left = {j.request_id: j for j in read_feedback(path)}
    assert (left["old"].question, left["old"].answer, left["old"].comment) == (None, None, None)
    assert left["old"].verdict == "wrong" and left["old"].query == "runs by batter"
    assert left["new"].question == "q"
    assert retention.prune(path) == 0, "what has no text any more is not counted again"
    assert main(["prune", "--feedback", str(path), "--request-id", "new"]) == 0
    assert [j.request_id for j in read_feedback(path)] == ["old"]
    with pytest.raises(MonitorError, match="no feedback store"):
        retention.prune(tmp_path / "none")


def test_the_golden_questions_are_of_all_kinds_and_hold_figures_or_refusals() -> None:
    chosen = canary.golden(20)
    assert len(chosen) == len({q.id for q in chosen}) == 20
    assert all(q.numbers or q.refuse for q in chosen)
    assert len(canary.golden(0)) > 60


def test_a_reply_holds_if_its_tables_have_every_figure() -> None:
    expected = canary.Golden("x", "?", (61.75, 741), 0.06, False)
    table = {"rows": [["V Kohli", 741, 61.8]], "totals": None}
    assert canary.holds(expected, {"outcome": "answered", "tables": [table]})
    assert not canary.holds(expected, {"outcome": "answered", "tables": [{"rows": [["V Kohli", 741, 61.9]]}]})
    assert not canary.holds(expected, {"outcome": "declined", "tables": []})
    assert canary.holds(canary.Golden("y", "?", (), 0.0, True), {"outcome": "declined", "tables": []})


def test_the_canary_asks_the_running_service_and_its_exit_status_tells(
    service: ServiceProcess, trained: None, capsys: pytest.CaptureFixture[str]
) -> None:
    top = canary.Golden("right", "Who scored the most runs?", (741,), 0.0, False)
    wrong = canary.Golden("wrong", "Who scored the most runs?", (1,), 0.0, False)
    assert canary.ask_golden(service.url, 2, questions=[top, wrong]) == [wrong]
    assert main(["canary", "--url", service.url, "--count", "2", "--least", "0"]) == 0
    assert "golden questions right" in capsys.readouterr().out
    assert main(["canary", "--url", "http://127.0.0.1:9", "--count", "1"]) == 1


def help_of(sub: str) -> str:
    """The help of a subcommand of serve.monitor."""
    command = [sys.executable, "-m", "serve.monitor", sub, "--help"]
    return subprocess.run(command, cwd=render.HERE.parent, capture_output=True, text=True, check=True).stdout


def test_the_chart_runs_the_canary_and_the_report_with_their_own_options() -> None:
    try:
        tools.helm()
    except tools.ToolUnavailable as error:
        pytest.skip(str(error))
    jobs = {d["metadata"]["name"]: d["spec"] for d in manifests(values=(EVERYTHING,)) if d["kind"] == "CronJob"}
    assert set(jobs) == {"cricket-canary", "cricket-report"}
    for job in jobs.values():
        spec = job["jobTemplate"]["spec"]["template"]["spec"]
        assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
        command = " ".join(spec["containers"][0]["command"])
        sub = re.search(r"serve\.monitor (\w+)", command)[1]
        text = help_of(sub)
        for flag in re.findall(r"--[a-z-]+", command):
            assert flag in text, f"serve.monitor {sub} has no {flag}"
    canary_spec = jobs["cricket-canary"]["jobTemplate"]["spec"]["template"]["spec"]
    assert env(canary_spec["containers"][0])["API_KEY"] == {"secretKeyRef": {"name": "cricket-canary", "key": "key"}}
    assert "http://cricket.default:80" in canary_spec["containers"][0]["command"]
    assert "report.logsClaim" in refusal("report.enabled=true")
