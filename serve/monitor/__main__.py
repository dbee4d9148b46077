"""Reports on the service from its log and feedback, and made-up traffic to try them on.

    python -m serve.monitor report --log service.jsonl --feedback runs/feedback.sqlite --out report.html
    python -m serve.monitor sample --log service.jsonl --count 50
    python -m serve.monitor simulate --days 30 --drift kinds --out runs/monitor

`report --check` ends with status 3 where something drifted, for a scheduled job.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from serve.monitor.drift import ALARM_RATE, DRAWS
from serve.monitor.labelling import fair_sample
from serve.monitor.records import MonitorError, read_feedback, read_log
from serve.monitor.report import build, html, percent
from serve.monitor.signals import SIGNALS
from serve.monitor.simulate import DRIFTS, simulate

DRIFTED = 3


def main(arguments: list[str] | None = None) -> int:
    args = _arguments(arguments)
    try:
        return args.run(args)
    except (MonitorError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _report(args: argparse.Namespace) -> int:
    least = len(SIGNALS) / (DRAWS + 1)
    if not least < args.alarm_rate < 1:
        raise MonitorError(f"--alarm-rate {args.alarm_rate}: it lies between {least:.4f} and 1")
    if args.feedback and not args.feedback.exists():
        raise MonitorError(f"no feedback store {args.feedback}: give the file of FEEDBACK_DB, or leave --feedback out")
    log = read_log(args.log)
    report = build(log, read_feedback(args.feedback), args.current_days, args.reference_days, args.alarm_rate)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(html(report), encoding="utf-8")
    for sentence in report.sentences():
        print(sentence)
    now = report.now
    if now.of:
        interval = f"95 % interval {percent(now.low)} to {percent(now.high)}"
        print(f"Right, of judged answers: {now.count} of {now.of} ({interval}).")
    print(f"{len(log.asked)} questions of {len(log.days)} days; the report is {args.out}")
    return DRIFTED if args.check and report.flagged else 0


def _sample(args: argparse.Namespace) -> int:
    texts = {j.request_id: j.question for j in read_feedback(args.feedback)}
    log = read_log(args.log)
    days = set(log.days[-args.days :])
    for asked in fair_sample([asked for asked in log.asked if asked.day in days], args.count, args.seed):
        row = {"request_id": asked.request_id, "at": asked.at.isoformat(), "outcome": asked.outcome,
               "measures": asked.measures, "question": asked.question or texts.get(asked.request_id),
               "answer": asked.answer, "query": asked.query}  # fmt: skip
        print(json.dumps(row, ensure_ascii=False))
    return 0


def _simulate(args: argparse.Namespace) -> int:
    made = simulate(args.out, args.days, args.per_day, args.drift, args.drift_days, args.season, args.seed, args.texts)
    print(f"{made.questions} questions in {made.log}, {made.judgements} judgements in {made.feedback}")
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m serve.monitor", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)

    report = commands.add_parser("report", help="write the report as an HTML page")
    report.add_argument("--log", type=Path, nargs="+", required=True, help="the service's standard output")
    report.add_argument("--feedback", type=Path, help="the file of FEEDBACK_DB")
    report.add_argument("--out", type=Path, default=Path("runs/monitor/report.html"))
    report.add_argument("--current-days", type=int, default=7, help="days under test, the last ones of the log")
    report.add_argument("--reference-days", type=int, default=28, help="days before them to compare with")
    report.add_argument("--alarm-rate", type=float, default=ALARM_RATE, help="chance of a false alarm in a report")
    report.add_argument("--check", action="store_true", help=f"exit status {DRIFTED} where something drifted")
    report.set_defaults(run=_report)

    sample = commands.add_parser("sample", help="a fair sample of questions to judge, as JSON lines")
    sample.add_argument("--log", type=Path, nargs="+", required=True)
    sample.add_argument("--feedback", type=Path, help="the file of FEEDBACK_DB, for texts that the log does not hold")
    sample.add_argument("--days", type=int, default=7, help="the last ones of the log, as the report judges them")
    sample.add_argument("--count", type=int, default=50)
    sample.add_argument("--seed", type=int, default=0)
    sample.set_defaults(run=_sample)

    made_up = commands.add_parser("simulate", help="write a made-up month: log.jsonl and feedback.sqlite")
    made_up.add_argument("--days", type=int, default=30)
    made_up.add_argument("--per-day", type=int, default=200, help="questions on a mean weekday")
    made_up.add_argument("--drift", choices=sorted(DRIFTS), default="none",
                         help="; ".join(f"{name}: {what}" for name, what in DRIFTS.items()))  # fmt: skip
    made_up.add_argument("--drift-days", type=int, default=7, help="the last days, in which the drift holds")
    made_up.add_argument("--season", default="ipl_2024", help="whose validation questions are asked")
    made_up.add_argument("--seed", type=int, default=0)
    made_up.add_argument("--texts", action="store_true", help="log texts, as with LOG_TEXTS")
    made_up.add_argument("--out", type=Path, default=Path("runs/monitor"))
    made_up.set_defaults(run=_simulate)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
