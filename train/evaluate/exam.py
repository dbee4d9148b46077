"""Asks the real agents the test split and the fan questions, and reports the share of right answers by kind.

    python -m train.evaluate --model models/demo/model-q8_0.gguf
    python -m train.evaluate --base train/base --adapter runs/demo/adapter
    python -m train.evaluate --closed-book runs/closed_book/adapter
    python -m train.evaluate --url http://127.0.0.1:8000
    python -m train.evaluate --fast --base train/base --adapter runs/demo/adapter

Writes eval.json, eval.md and eval.png. A control without a model is measured beside the model
(`train.evaluate.nearest_phrasing`). `--fast` gives the exact match of query lines on the test split alone, without
grammar, agents or statistics.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data.dataset.leakage import FAN_QUESTIONS
from data.errors import DataError
from train.errors import TrainError
from train.evaluate.report import Evaluation, Scored
from train.evaluate.report import write as write_report
from train.evaluate.scoring import judge, numbers
from train.evaluate.systems import Agents, Asked, ClosedBook, Service, System, of_base, of_control, of_gguf

SEASONS = Path("data/seasons")


@dataclass(frozen=True)
class Case:
    """A question with what is right: a gold query line (test split), or expectations of the answer (fan questions)."""

    id: str
    suite: str  # test | fans
    kind: str
    question: str
    outcome: str  # answered | ask_back | declined
    line: str = ""
    answer: str = ""
    expect: dict[str, Any] | None = None


def cases(season: str, suites: Sequence[str], limit: int = 0, fans: Path = FAN_QUESTIONS) -> list[Case]:
    """The cases of the suites, at most `limit` of each (0: all). Raises TrainError where a file is missing."""
    found: list[Case] = []
    if "test" in suites:
        path = SEASONS / season / "qa" / "test.jsonl"
        if not path.is_file():
            raise TrainError(f"no {path}: make it with `python -m data qa --season {season}`")
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        rows = rows[:: max(1, len(rows) // limit)][:limit] if limit else rows
        found += [Case(r["id"], "test", r["kind"], r["question"], r["outcome"], r["query"], r["answer"]) for r in rows]
    if "fans" in suites:
        if not fans.is_file():
            raise TrainError(f"no {fans}: give another file with --fans, or leave them out with --suites test")
        rows = [json.loads(line) for line in fans.read_text(encoding="utf-8").splitlines() if line.strip()]
        rows = rows[:: max(1, len(rows) // limit)][:limit] if limit else rows
        for r in rows:
            refused = "ask_back" if r["expect"].get("clarify") else "declined"
            outcome = refused if r["expect"].get("refuse") else "answered"
            found.append(Case(r["id"], "fans", r["kind"], r["question"], outcome, expect=r["expect"]))
    return found


async def evaluate(system: System, season: str, asked: Sequence[Case], reference: Agents) -> Evaluation:
    """Ask every case; `reference` computes the gold figures. A question on which the system raises counts as wrong."""
    begin = time.monotonic()
    turn = asyncio.Semaphore(system.at_once)
    bar = tqdm(total=len(asked), desc="asking", mininterval=1)

    async def one(case: Case) -> Scored:
        async with turn:
            try:
                reply = await system.ask(case.question)
            except TrainError:
                raise
            except Exception as error:  # a failure on one question is a result of the evaluation
                reply = Asked("", "error", f"{type(error).__name__}: {error}")
            bar.update()
            return score(case, reply, reference)

    scored = await asyncio.gather(*(one(case) for case in asked))
    bar.close()
    return Evaluation(system.name, season, time.monotonic() - begin, tuple(scored))


def score(case: Case, reply: Asked, reference: Agents) -> Scored:
    """Judge one reply."""
    about = dict(
        id=case.id,
        suite=case.suite,
        kind=case.kind,
        question=case.question,
        expected=case.outcome,
        outcome=reply.outcome,
        answer=reply.answer,
        line=reply.line,
        worded_by=reply.worded_by,
        ms=reply.ms,
    )
    if case.expect is not None:
        verdict = judge(case.expect, case.question, reply.answer, reply.outcome == "declined")
        return Scored(**about, right=verdict.right, why=verdict.why)
    if reply.closed_book and case.outcome == reply.outcome == "answered":  # judged by the figures that it states
        said = numbers(reply.answer)
        lacking = [x for x in numbers(case.answer) if x not in said]
        return Scored(**about, right=not lacking, why=f"lacks {lacking[:3]}" if lacking else "")
    before_plan = not reply.line and reply.outcome != "answered"  # refused on the names alone
    plan = None if before_plan else reply.line == case.line
    if case.outcome != "answered":
        right = reply.outcome == case.outcome
        why = "" if right else f"expected {case.outcome}"
        return Scored(**about, right=right, why=why, gold_line=case.line, plan_right=plan)
    right = reply.outcome == "answered" and reply.tables == reference.gold(case.question, case.line)
    wrong = "other figures" if reply.outcome == "answered" else f"{reply.outcome}: {reply.answer[:80]}"
    return Scored(
        **about, right=right, why="" if right else wrong, gold_line=case.line, plan_right=plan, figures_right=right
    )


def fast(base: str, adapter: Path | None, season: str, limit: int = 0) -> dict[str, float]:
    """Exact match of the query line by kind, greedy and without grammar: one forward pass over the gold lines."""
    from data.dataset.encoding import encode
    from data.dataset.examples import Example
    from data.prompts import plan_messages
    from train.evaluate.hf_model import HfModel
    from train.trainer import evaluate_split

    loaded = HfModel(base, adapter)
    lines = (SEASONS / season / "qa" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines][: limit or None]
    # the kind stands in for the task, so that the result is split by it
    encoded = encode(loaded.tokenizer, [Example(plan_messages(r["linked"]), r["query"], r["kind"]) for r in rows])
    found = evaluate_split(loaded.model, encoded, loaded.tokenizer.pad_token_id).exact_match
    counts = {kind: sum(r["kind"] == kind for r in rows) for kind in found}
    return {**found, "all": sum(found[k] * n for k, n in counts.items()) / len(rows)}


def main(arguments: list[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    try:
        if args.fast:
            found = fast(args.base or "train/base", args.adapter, args.season, args.limit)
            for kind, share in found.items():
                print(f"{kind:12} {100 * share:5.1f} %")
            print(json.dumps({"accuracy": round(found["all"], 4)}))
            return 0
        return asyncio.run(_main(args))
    except (TrainError, DataError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


async def _main(args: argparse.Namespace) -> int:
    asked = cases(args.season, args.suites.split(","), args.limit, args.fans)
    training = SEASONS / args.season / "qa" / "train.jsonl"
    system: System
    if args.rules:
        system = of_control(args.season, training)
    elif args.url:
        system = Service(args.url, os.environ.get("API_KEY"))
    elif args.closed_book:
        system = ClosedBook(args.base or "train/base", args.closed_book)
    elif args.model:
        system = of_gguf(args.model, args.season, args.threads)
    else:
        system = of_base(args.base or "train/base", args.adapter, args.season)
    control_system = system if isinstance(system, Agents) and args.rules else of_control(args.season, training)
    try:
        measured = await evaluate(system, args.season, asked, control_system)
    finally:
        await system.close()
    control = (
        None if args.rules or args.no_control else await evaluate(control_system, args.season, asked, control_system)
    )
    out = args.out or _folder(args)
    plain = write_report(out, measured, control)
    print((out / "eval.md").read_text(encoding="utf-8"))
    print(f"{out}/eval.json, eval.md, eval.png in {measured.seconds:.0f} s")
    print(json.dumps({"accuracy": plain.get("test_accuracy", plain.get("fans_accuracy"))}))
    return 0


def _folder(args: argparse.Namespace) -> Path:
    """The default folder of the report: the model's run where there is one, since the conversion reads it there."""
    if args.rules:
        return Path("runs/control")
    if args.url:
        return Path("runs/service")
    if args.closed_book:
        return args.closed_book.parent
    if args.model:
        folder = args.model if args.model.is_dir() else args.model.parent
        return Path("runs") / folder.name if (Path("runs") / folder.name / "config.yaml").is_file() else folder
    return args.adapter.parent if args.adapter else Path("runs") / f"base-{Path(args.base or 'train/base').name}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--model", type=Path, help="a .gguf file or a model folder, run by the engine of the service")
    what.add_argument("--url", help="a running service (with an API key in API_KEY where it wants one)")
    what.add_argument("--rules", action="store_true", help="the control alone")
    what.add_argument("--base", help="a Hugging Face model run by transformers, without grammar (default train/base)")
    parser.add_argument("--adapter", type=Path, help="LoRA adapter over --base")
    parser.add_argument("--closed-book", type=Path, metavar="ADAPTER", help="adapter that answers without a table")
    parser.add_argument("--season", default="ipl_2024")
    parser.add_argument("--suites", default="test,fans", help="test, fans or both (default)")
    parser.add_argument("--fans", type=Path, default=FAN_QUESTIONS, help="fan questions with what is expected, JSONL")
    parser.add_argument("--limit", type=int, default=0, help="questions a suite, drawn evenly; 0: all")
    parser.add_argument("--out", type=Path, help="folder for the report, default the run's or the model's")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0: as many as the service would take")
    parser.add_argument("--no-control", action="store_true", help="leave out the control without a model")
    parser.add_argument("--fast", action="store_true", help="exact match of query lines on the test split alone")
    return parser
