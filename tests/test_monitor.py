"""The monitoring report: what it reads, its statistics, and simulated months with and without a drift."""

from __future__ import annotations

import json
import math
import random
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from agents.messages import Reply
from agents.model import Generation
from agents.trace import AnswerStep, LinkStep, PlanStep, Trace
from serve.monitor.__main__ import DRIFTED, main
from serve.monitor.accuracy import accuracy, settled, wilson
from serve.monitor.drift import Windows, compare, psi, too_few, windows
from serve.monitor.labelling import fair_sample, worth_labelling
from serve.monitor.records import Asked, Judgement, MonitorError, read_feedback, read_log
from serve.monitor.report import Report, build, html
from serve.monitor.signals import SIGNALS, Signal
from serve.monitor.simulate import simulate
from serve.process import ServiceProcess
from serve.telemetry.feedback import FeedbackStore
from serve.telemetry.log_fields import understanding

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
Month = Callable[..., Report]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    """The report on a simulated month."""

    def make(drift: str, **more: object) -> Report:
        made = simulate(tmp_path_factory.mktemp("month"), drift=drift, **more)
        return build(read_log([made.log]), read_feedback(made.feedback))

    return make


def asked(i: int = 0, **more: object) -> Asked:
    return Asked(f"r{i}", NOON + timedelta(seconds=i), **({"outcome": "answered", "worded_by": "model"} | more))


def judgement(
    i: int, verdict: str, comment: str | None = None, minutes: int = 0, reviewer: str | None = None
) -> Judgement:
    return Judgement(f"r{i}", NOON + timedelta(minutes=minutes), verdict, comment, reviewer=reviewer)


# -- a month with a drift, and without


@pytest.mark.parametrize(
    ("drift", "moved", "per_day"),
    [
        ("kinds", {"question kind"}, 150),
        ("words", {"unknown words"}, 150),
        ("names", {"unknown names", "declined", "reason"}, 300),  # reasons are many
        ("model", {"plain wording", "redrawn", "left out"}, 300),
        ("accuracy", {"judged wrong"}, 300),  # few answers are judged
    ],
)
def test_a_drift_in_the_last_week_is_flagged_and_named(month: Month, drift: str, moved: set[str], per_day: int) -> None:
    report = month(drift, seed=5, per_day=per_day)
    flagged = {f.signal.name for f in report.flagged}
    assert moved <= flagged, report.sentences()
    assert flagged <= moved | {"measure", "grouping"}, f"{drift} does not move {flagged - moved}"


def test_months_without_a_drift_are_not_flagged(month: Month) -> None:
    for seed in range(6):
        report = month("none", seed=seed, per_day=60)
        assert not report.untested
        assert not report.flagged, f"seed {seed}: {report.sentences()}"
        assert report.sentences() == ["No drift. By chance alone one report in 100 would show some."]


def test_p_values_are_uniform_without_a_drift_even_if_days_differ() -> None:
    rng = random.Random(1)
    signal = Signal("coin", "input", "", (), lambda a, _: "yes" if a.outcome == "declined" else "no", rate=True)
    days = [date(2024, 5, 1) + timedelta(days=i) for i in range(28)]
    over, p = Windows(tuple(days[:21]), tuple(days[21:])), []
    for _ in range(100):
        questions = []
        for day in days:
            rate = min(1.0, 0.2 * rng.lognormvariate(0, 0.4))  # days differ far more than 40 fair coins would
            at = datetime(day.year, day.month, day.day, tzinfo=UTC)
            questions += [Asked("x", at, "declined" if rng.random() < rate else "answered") for _ in range(40)]
        p.append(compare(questions, {}, over, signals=[signal])[0].p)
    assert 0.01 <= sum(x <= 0.1 for x in p) / len(p) <= 0.19  # 0.1 give or take some three standard errors
    assert 0.35 < sum(x <= 0.5 for x in p) / len(p) < 0.65


def test_a_step_in_one_rate_is_flagged_and_other_rates_are_not() -> None:
    days = [date(2024, 5, 1) + timedelta(days=i) for i in range(28)]
    questions = []
    for i, day in enumerate(days):
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        declined = (40 if i >= 21 else 20) + i % 3
        questions += [Asked("x", at, "declined" if n < declined else "answered") for n in range(200)]
    found = {f.signal.name: f for f in compare(questions, {}, windows(days, 7, 21))}
    assert found["declined"].flagged and found["declined"].psi >= found["declined"].signal.least
    assert found["declined"].rate("reference") == pytest.approx(0.105) and found["declined"].rate("current") > 0.2
    assert not found["asked back"].flagged


def test_with_too_few_days_the_report_says_so_and_tests_nothing(month: Month) -> None:
    report = month("kinds", days=9)
    assert "7 against 14" in report.untested and report.sentences()[0].startswith("Not tested")
    assert not report.flagged and all(f.p is None for f in report.findings)
    assert "Not tested" in html(report)
    days = [date(2024, 5, 1) + timedelta(days=i) for i in range(21)]
    assert too_few(windows(days, 7, 14)) is None


# -- statistics


def test_psi_is_zero_for_equal_shares_and_grows_with_the_difference() -> None:
    even = np.array([500.0, 500.0])
    assert psi(even, 2 * even) == pytest.approx(0, abs=1e-6)
    sizes = [float(psi(even, np.array([500.0 + d, 500.0 - d]))) for d in (50, 100, 200)]
    assert sizes == sorted(sizes) and sizes[0] > 0
    # sum of (b - a) ln(b / a) by hand, for shares 0.5/0.5 and 0.7/0.3
    assert float(psi(1e6 * np.array([0.5, 0.5]), 1e6 * np.array([0.7, 0.3]))) == pytest.approx(
        0.2 * math.log(0.7 / 0.5) - 0.2 * math.log(0.3 / 0.5), rel=1e-4
    )


def test_the_least_psi_of_a_rate_is_as_the_signals_module_documents_it() -> None:
    for before, after in ((0.02, 0.036), (0.10, 0.13), (0.50, 0.55)):
        found = float(psi(1e6 * np.array([before, 1 - before]), 1e6 * np.array([after, 1 - after])))
        assert found == pytest.approx(0.01, rel=0.15), (before, after)


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(0, 0, 0.0, 1.0), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_gives_the_published_intervals(right: int, of: int, low: float, high: float) -> None:
    # the last one is the worked example of Newcombe, Statistics in Medicine 17 (1998), method 3
    assert wilson(right, of) == pytest.approx((low, high), abs=5e-4)


def test_a_reviewer_overrules_a_user_and_unsure_is_not_counted() -> None:
    said = [
        judgement(1, "right", "checked by hand", reviewer="5994471abb01"),
        judgement(1, "wrong", minutes=5),
        judgement(2, "wrong"),
        judgement(2, "right", minutes=1),
        judgement(3, "unsure"),
    ]
    assert {k: j.verdict for k, j in settled(said).items()} == {"r1": "right", "r2": "right", "r3": "unsure"}
    assert (accuracy(settled(said).values()).count, accuracy(settled(said).values()).of) == (2, 2)


# -- what is worth labelling


def test_doubtful_answers_are_ranked_first_and_judged_ones_left_out() -> None:
    log = [
        asked(1, plan_left_out=1, plan_redrawn=True, measures=("runs",)),
        asked(2, worded_by="plain", plain_because="the total is not stated"),
        asked(3, plan_left_out=1),
        asked(4),
        asked(5, question="who?"),
    ]
    said = [judgement(3, "right"), judgement(5, "right"), judgement(5, "wrong", minutes=1)]
    chosen = worth_labelling(log, said)
    assert [c.asked.request_id for c in chosen] == ["r5", "r1", "r2"]  # r5 has the shape of three
    assert "judged right and wrong" in chosen[0].why and chosen[0].question == "who?"


def test_answers_to_label_are_of_several_shapes() -> None:
    log = [asked(i, measures=("runs",), plan_redrawn=True) for i in range(50)]
    log += [asked(50 + i, measures=("wickets",), worded_by="plain") for i in range(3)]
    assert {c.asked.measures for c in worth_labelling(log, [])} == {("runs",), ("wickets",)}


def test_a_fair_sample_is_uniform_and_reproducible() -> None:
    log = [asked(i) for i in range(1000)]
    drawn = fair_sample(log, 100, seed=3)
    assert len({a.request_id for a in drawn}) == 100 and drawn == fair_sample(log, 100, seed=3)
    assert 35 < sum(int(a.request_id[1:]) < 500 for a in drawn) < 65
    assert len(fair_sample(log[:5], 100, seed=3)) == 5


# -- what is read


def test_lines_with_a_prefix_are_read_and_other_lines_counted(tmp_path: Path) -> None:
    line = {"message": "request", "path": "/infer", "time": "2024-05-01T12:00:00.000+00:00", "request_id": "a"}
    good, failed = line | {"outcome": "answered", "measures": ["runs"]}, line | {"status": 429, "problem": "queue-full"}
    other = {"message": "request", "path": "/stats", "request_id": "b"}
    path = tmp_path / "log"
    path.write_text(f"service-1  | {json.dumps(good)}\n{json.dumps(failed)}\n{json.dumps(other)}\nTraceback\n\n{{]\n")
    log = read_log([path])
    assert (len(log.asked), log.requests, log.unreadable, log.problems) == (1, 2, 2, {"queue-full": 1})
    assert log.asked[0].kind == "batting" and log.asked[0].words is None


def test_a_missing_or_empty_log_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(MonitorError, match="python -m serve >"):
        read_log([tmp_path / "none"])
    (tmp_path / "empty").write_text("")
    assert main(["report", "--log", str(tmp_path / "empty")]) == 1
    assert "LOG_LEVEL" in capsys.readouterr().err


def test_a_file_that_is_no_feedback_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("not a database, but long enough to be taken for one" * 20)
    with pytest.raises(MonitorError, match="FEEDBACK_DB"):
        read_feedback(tmp_path / "f")


def test_the_feedback_store_is_read_without_writing_to_it(tmp_path: Path) -> None:
    path = tmp_path / "with space" / "feedback.sqlite"
    FeedbackStore(path).store(request_id="a", verdict="wrong", question="who?", reviewer="5994471abb01")
    path.chmod(0o400)
    (found,) = read_feedback(path)
    assert found.reviewed and found.verdict == "wrong" and found.question == "who?" and found.at.tzinfo
    assert read_feedback(tmp_path / "none yet") == []


def test_simulated_feedback_has_the_schema_of_the_service_s_store(tmp_path: Path) -> None:
    made = simulate(tmp_path / "made", days=2, per_day=40)
    FeedbackStore(tmp_path / "real").store(request_id="a", verdict="right")
    tables = []
    for path in (made.feedback, tmp_path / "real"):
        with closing(sqlite3.connect(path)) as connection:
            tables.append(connection.execute("SELECT sql FROM sqlite_master").fetchall())
    assert tables[0] == tables[1]
    with pytest.raises(MonitorError, match="exists"):
        simulate(tmp_path / "made", days=2, per_day=40)


def test_a_question_s_log_fields_tell_how_well_it_was_understood_and_no_names() -> None:
    text = "P1 economy at the deaaath please"
    trace = Trace(
        link=LinkStep(text, {"P1": ("a",), "P2": ()}),
        plan=PlanStep(text, "economy | phase=death", Generation("economy | phase=", "length"), drafts=5),
        answer=AnswerStep("plain", "the total is not stated"),
    )
    reply = Reply("...", "answered", 'economy | bowler="Jasprit Bumrah" phase=death', trace=trace)
    found = understanding(reply, {"economy", "at", "the", "please"})
    assert found == {
        "measures": ["economy"], "by": [], "filters": ["bowler", "phase"], "names": 2, "names_unknown": 1, "words": 5,
        "words_unknown": 1, "plan_left_out": 1, "plan_redrawn": True, "plain_because": "the total is not stated",
    }  # fmt: skip
    assert "Bumrah" not in json.dumps(found)
    assert understanding(Reply("...", "declined"))["words_unknown"] is None


def test_the_running_service_logs_every_field_that_a_signal_reads(service: ServiceProcess, tmp_path: Path) -> None:
    reply = service.ask("Who hit the most sixes in the powerplay?")
    assert reply.status_code == 200, reply.text
    with service.client() as client:
        sent = {"request_id": reply.json()["request_id"], "verdict": "right"}
        assert client.post("/feedback", json=sent).status_code == 201
    log = tmp_path / "log"
    log.write_bytes(service.log.read_bytes())
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    (line,) = [x for x in lines if x.get("request_id") == sent["request_id"] and x.get("path") == "/infer"]
    fields = {name for signal in SIGNALS for name in signal.fields} - {"verdict"}
    if not reply.json()["query"]:  # the stand-in for a model may decline
        fields -= {"measures", "by", "filters"}
    assert fields <= set(line), f"not logged: {sorted(fields - set(line))}"
    (found,) = [a for a in read_log([log]).asked if a.request_id == sent["request_id"]]
    assert found.words == 8 and found.words_unknown == 0


# -- the page


class _Page(HTMLParser):
    """What a page loads, and its texts."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        self.open.append(tag)


def test_the_report_page_loads_nothing_and_escapes_texts(month: Month, tmp_path: Path) -> None:
    made = simulate(tmp_path / "m", days=28, per_day=40, texts=True)
    nasty = '<script>alert("x")</script>'
    with closing(sqlite3.connect(made.feedback)) as connection, connection:
        connection.execute("UPDATE feedback SET question = ?, verdict = 'unsure'", (nasty,))
    text = made.log.read_text().replace('"question": "', '"question": "<img src=x onerror=alert(1)>')
    made.log.write_text(text)
    page = html(build(read_log([made.log]), read_feedback(made.feedback)))
    parsed = _Page()
    parsed.feed(page)
    assert parsed.loads == [] and "script" not in parsed.open and "img" not in parsed.open
    assert "&lt;img src=x" in page and not re.search(r"url\(|@import|https?://", page)
    assert "prefers-color-scheme: dark" in page and parsed.open.count("svg") >= 7


def test_the_command_writes_the_report_and_its_exit_status_tells_drift(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "traffic"
    assert main(["simulate", "--days", "28", "--per-day", "80", "--drift", "names", "--out", str(out)]) == 0
    arguments = ["report", "--log", str(out / "log.jsonl"), "--feedback", str(out / "feedback.sqlite")]
    arguments += ["--out", str(tmp_path / "new" / "report.html")]
    assert main(arguments) == 0 and main([*arguments, "--check"]) == DRIFTED
    said = capsys.readouterr().out
    assert "unknown names moved" in said and "95 % interval" in said
    assert "unknown names" in (tmp_path / "new" / "report.html").read_text()
    assert main([*arguments, "--alarm-rate", "0.0001"]) == 1
    assert main(["sample", "--log", str(out / "log.jsonl"), "--count", "5"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert len(rows) == 5 and all(row["request_id"] for row in rows)
    for days in (7, 10):  # whose judgements the report counts, unless told otherwise
        assert main(["sample", "--log", str(out / "log.jsonl"), "--count", "9999", "--days", str(days)]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
        assert len({row["at"][:10] for row in rows}) == days
