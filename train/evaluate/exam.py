"""Asks the real agents the test split and the fan questions, and reports the share of right answers by kind.

`python -m train.evaluate` is its command line.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data.dataset.leakage import FAN_QUESTIONS
from data.season import SEASONS
from train.errors import TrainError
from train.evaluate.report import Evaluation, Scored
from train.evaluate.scoring import judge, numbers
from train.evaluate.systems import Agents, Asked, System


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
