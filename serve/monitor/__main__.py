"""Reports on the service from its log and feedback, and made-up traffic to try them on.

    python -m serve.monitor report --log service.jsonl --feedback runs/feedback.sqlite --out report.html
    python -m serve.monitor sample --log service.jsonl --count 50
    python -m serve.monitor canary --url http://localhost:8000
    python -m serve.monitor prune --feedback runs/feedback.sqlite
    python -m serve.monitor simulate --days 30 --drift kinds --out runs/monitor

`report --check` ends with status 3 where something drifted, for a scheduled job.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from data.command_line import command_line, reported, run
from serve.monitor.canary import ask_golden, golden
from serve.monitor.drift import ALARM_RATE, DRAWS
from serve.monitor.labelling import fair_sample
from serve.monitor.records import MonitorError, merged_feedback, read_log
from serve.monitor.report import build, html, percent
from serve.monitor.retention import TEXT_DAYS, forget
from serve.monitor.retention import prune as drop_texts
from serve.monitor.signals import SIGNALS
from serve.monitor.simulate import DRIFTS
from serve.monitor.simulate import simulate as make_up

DRIFTED = 3

app = command_line("Reports on the service from its log and feedback, and made-up traffic to try them on.")
_errors = reported(MonitorError, OSError)
Log = Annotated[Path, typer.Option(help="the service's standard output; several files may follow")]
More = Annotated[list[Path] | None, typer.Argument(hidden=True)]
Feedback = Annotated[list[Path] | None, typer.Option(help="the file of FEEDBACK_DB; again for each further pod's")]


@app.command()
@_errors
def report(
    log: Log,
    more: More = None,
    feedback: Feedback = None,
    out: Annotated[Path, typer.Option(help="the page to write")] = Path("runs/monitor/report.html"),
    current_days: Annotated[int, typer.Option(help="days under test, the last ones of the log")] = 7,
    reference_days: Annotated[int, typer.Option(help="days before them to compare with")] = 28,
    alarm_rate: Annotated[float, typer.Option(help="chance of a false alarm in a report")] = ALARM_RATE,
    check: Annotated[
        bool, typer.Option("--check", help=f"exit status {DRIFTED} where something drifted or relevance is low")
    ] = False,
) -> None:
    """Write the report as an HTML page."""
    least = len(SIGNALS) / (DRAWS + 1)
    if not least < alarm_rate < 1:
        raise MonitorError(f"--alarm-rate {alarm_rate}: it lies between {least:.4f} and 1")
    for missing in (path for path in feedback or [] if not path.exists()):
        raise MonitorError(f"no feedback store {missing}: give the file of FEEDBACK_DB, or leave --feedback out")
    records = read_log([log, *(more or [])])
    found = build(records, merged_feedback(feedback or []), current_days, reference_days, alarm_rate)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(html(found), encoding="utf-8")
    for sentence in found.sentences():
        print(sentence)
    now = found.now
    if now.of:
        interval = f"95 % interval {percent(now.low)} to {percent(now.high)}"
        print(f"Right, of judged answers: {now.count} of {now.of} ({interval}).")
    print(f"{len(records.asked)} questions of {len(records.days)} days; the report is {out}")
    if found.relevant.of:
        print(f"Relevant: {found.relevant.count} of {found.relevant.of} answers are about what was asked.")
    if check and (found.flagged or found.irrelevant):
        raise typer.Exit(DRIFTED)


@app.command()
@_errors
def sample(
    log: Log,
    more: More = None,
    feedback: Feedback = None,
    days: Annotated[int, typer.Option(help="the last ones of the log, as the report judges them")] = 7,
    count: Annotated[int, typer.Option(help="questions to draw")] = 50,
    seed: Annotated[int, typer.Option(help="of the draw")] = 0,
) -> None:
    """Print a fair sample of questions to judge, as JSON lines."""
    texts = {j.request_id: j.question for j in merged_feedback(feedback or [])}
    records = read_log([log, *(more or [])])
    chosen = set(records.days[-days:])
    for asked in fair_sample([asked for asked in records.asked if asked.day in chosen], count, seed):
        row = {"request_id": asked.request_id, "at": asked.at.isoformat(), "outcome": asked.outcome,
               "measures": asked.measures, "question": asked.question or texts.get(asked.request_id),
               "answer": asked.answer, "query": asked.query}  # fmt: skip
        print(json.dumps(row, ensure_ascii=False))


@app.command(help="Write a made-up month: log.jsonl and feedback.sqlite.")
@_errors
def simulate(
    days: Annotated[int, typer.Option(help="days of traffic")] = 30,
    per_day: Annotated[int, typer.Option(help="questions on a mean weekday")] = 200,
    drift: Annotated[str, typer.Option(help="; ".join(f"{name}: {what}" for name, what in DRIFTS.items()))] = "none",
    drift_days: Annotated[int, typer.Option(help="the last days, in which the drift holds")] = 7,
    season: Annotated[str, typer.Option(help="whose validation questions are asked")] = "ipl_2024",
    seed: Annotated[int, typer.Option(help="of everything that is drawn")] = 0,
    texts: Annotated[bool, typer.Option("--texts", help="log texts, as with LOG_TEXTS")] = False,
    out: Annotated[Path, typer.Option(help="folder to write")] = Path("runs/monitor"),
) -> None:
    if drift not in DRIFTS:
        raise typer.BadParameter(f"--drift {drift}: choose among {', '.join(sorted(DRIFTS))}")
    made = make_up(out, days, per_day, drift, drift_days, season, seed, texts)
    print(f"{made.questions} questions in {made.log}, {made.judgements} judgements in {made.feedback}")


@app.command()
@_errors
def canary(
    url: Annotated[str, typer.Option(help="the running service (with an API key in API_KEY where it wants one)")],
    count: Annotated[int, typer.Option(help="golden questions to ask, of all kinds; 0: all")] = 20,
    least: Annotated[float, typer.Option(help="share of them that has to be right; of the release, less some")] = 0.6,
) -> None:
    """Ask golden questions; exit status 3 where too many are wrong twice in a row."""
    asked = golden(count)
    failed = ask_golden(url, count, os.environ.get("API_KEY"), asked)
    for question in failed:
        print(f"wrong: {question.id} {question.question}")
    right = len(asked) - len(failed)
    print(f"{right} of {len(asked)} golden questions right; at least {100 * least:.0f} % have to be")
    if right < least * len(asked):
        raise typer.Exit(DRIFTED)


@app.command()
@_errors
def prune(
    feedback: Annotated[Path, typer.Option(help="the file of FEEDBACK_DB")],
    days: Annotated[int, typer.Option(help="judgements that are older lose question, answer and comment")] = TEXT_DAYS,
    request_id: Annotated[str | None, typer.Option(help="delete all judgements of this request instead")] = None,
) -> None:
    """Delete what the feedback store may no longer keep."""
    if request_id:
        print(f"{forget(feedback, request_id)} judgements deleted")
    else:
        print(f"texts of {drop_texts(feedback, days)} judgements deleted")


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
