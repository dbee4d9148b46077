"""Asks the real agents the test split and the fan questions, and says what share of the answers is right, by kind.

`python -m train.evaluate` is its command line. Knows nothing about training.
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
    """A question with what is right: a gold line and outcome (test split), or expectations of the answer (fan
    questions)."""

    id: str
    suite: str
    kind: str
    question: str
    outcome: str
    line: str = ""
    answer: str = ""
    expect: dict[str, Any] | None = None


def cases(season: str, suites: Sequence[str], limit: int = 0, fans: Path = FAN_QUESTIONS) -> list[Case]:
    """All cases of the suites. Raises TrainError where a file is missing."""
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
            outcome = (
                "answered"
                if not r["expect"].get("refuse")
                else "ask_back"
                if r["expect"].get("clarify")
                else "declined"
            )
            found.append(Case(r["id"], "fans", r["kind"], r["question"], outcome, expect=r["expect"]))
    return found


async def evaluate(system: System, season: str, asked: Sequence[Case], reference: Agents) -> Evaluation:
    """Ask everything; `reference` computes the gold figures. A question that makes the system raise counts as
    wrong."""
    begin = time.monotonic()
    turn = asyncio.Semaphore(system.at_once)
    bar = tqdm(total=len(asked), desc="asking", mininterval=1)

    async def one(case: Case) -> Scored:
        async with turn:
            try:
                reply = await system.ask(case.question)
            except TrainError:
                raise
            except Exception as error:  # one question's failure is a result, not the end of the evaluation
                reply = Asked("", "error", f"{type(error).__name__}: {error}")
            bar.update()
            return score(case, reply, reference)

    scored = await asyncio.gather(*(one(case) for case in asked))
    bar.close()
    return Evaluation(system.name, season, time.monotonic() - begin, tuple(scored))


def score(case: Case, reply: Asked, reference: Agents) -> Scored:
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
    if reply.by_heart and case.outcome == reply.outcome == "answered":  # judged by the figures that it states
        said = numbers(reply.answer)
        lacking = [x for x in numbers(case.answer) if x not in said]
        return Scored(**about, right=not lacking, why=f"lacks {lacking[:3]}" if lacking else "")
    early = not reply.line and reply.outcome != "answered"  # refused on the names alone, before any plan
    plan = None if early else reply.line == case.line
    figures = None
    if case.outcome == "answered":
        figures = reply.outcome == "answered" and reply.tables == reference.gold(case.question, case.line)
        right, why = (
            figures,
            ""
            if figures
            else "other figures"
            if reply.outcome == "answered"
            else f"{reply.outcome}: {reply.answer[:80]}",
        )
    else:
        right = reply.outcome == case.outcome
        why = "" if right else f"expected {case.outcome}"
    return Scored(**about, right=right, why=why, gold_line=case.line, plan_right=plan, figures_right=figures)


def fast(base: str, adapter: Path | None, season: str, limit: int = 0) -> dict[str, float]:
    """Exact match of the query line by kind, greedy and without grammar: one forward pass over each gold
    line."""
    from data.prompts import plan_messages
    from train.base_model import encode
    from train.evaluate.hf_model import HfModel
    from train.examples import Example
    from train.trainer import look

    loaded = HfModel(base, adapter)
    rows = [
        json.loads(line) for line in (SEASONS / season / "qa" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    ][: limit or None]
    encoded = [
        (*encode(loaded.tokenizer, Example(plan_messages(r["linked"]), r["query"], "plan")), r["kind"]) for r in rows
    ]
    found = look(loaded.model, encoded, loaded.tokenizer.pad_token_id).exact_match
    counts = {kind: sum(r["kind"] == kind for r in rows) for kind in found}
    return {**found, "all": sum(found[k] * n for k, n in counts.items()) / len(rows)}
