"""Weighs the signs that a query line is wrong (agents/confidence.py), and prints what a limit costs and saves.

    python -m train.evaluate.confidence --model models/demo

asks the questions of the sets, fits a logistic regression to the answered ones of `blind`, and prints its weights, and
for each set how many answers would be declined at a limit: right ones and wrong ones.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from agents import confidence
from agents.trace import PlanStep
from data import text_table
from data.command_line import command_line, reported, run
from data.errors import DataError
from data.query import parse
from train.errors import TrainError
from train.evaluate.people import ALL_SEASONS, SETS, TALKS, judged, read_set
from train.evaluate.systems import of_gguf

FITTED = "blind"
LIMITS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)

app = command_line()


@dataclass(frozen=True)
class Answer:
    """An answered question: its signs, and whether the answer is wrong."""

    signs: tuple[float, ...]
    wrong: bool


async def answers(model: Path, name: str, usual: str, threads: int) -> list[Answer]:
    """Ask the single questions of a set; those that are declined are left out."""
    found, rows = [], read_set(name)
    for season in sorted({row.get("season", usual) for row in rows}):
        system = of_gguf(model, season, threads)
        try:
            for row in tqdm([r for r in rows if r.get("season", usual) == season], desc=name, mininterval=1):
                reply = await system.agents.ask(row["question"])
                plan = reply.trace.plan
                if reply.outcome == "answered" and isinstance(plan, PlanStep):
                    said, _ = judged(system, row["expect"], row["question"], reply)
                    found.append(Answer(confidence.signs(parse(plan.line), plan.text), said == "wrong"))
        finally:
            await system.close()
    return found


def fitted(found: list[Answer]) -> tuple[tuple[float, ...], float]:
    """Weights of the signs and the constant of a logistic regression, by Newton's method."""
    x = np.array([[*answer.signs, 1.0] for answer in found])
    y = np.array([answer.wrong for answer in found], float)
    weights = np.zeros(x.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-x @ weights))
        weights += np.linalg.solve((x.T * (p * (1 - p))) @ x + 1e-6 * np.eye(len(weights)), x.T @ (y - p))
    return tuple(weights[:-1].tolist()), float(weights[-1])


def table(sets: dict[str, list[Answer]], weights: tuple[float, ...], constant: float) -> str:
    """How many right and wrong answers of each set are above each limit, as Markdown."""

    def counted(found: list[Answer]) -> str:
        return f"{sum(not a.wrong for a in found)} right, {sum(a.wrong for a in found)} wrong"

    rows = []
    for limit in LIMITS:
        odds = math.log(limit / (1 - limit))
        above = ([a for a in found if constant + np.dot(weights, a.signs) > odds] for found in sets.values())
        rows.append([f"{limit:.2f}", *map(counted, above)])
    heads = [f"{name} ({counted(found)})" for name, found in sets.items()]
    return text_table.markdown(["limit", *heads], rows)


@app.command(help=__doc__)
@reported(TrainError, DataError)
def main(
    model: Annotated[Path, typer.Option(help="a .gguf file or a model folder")] = Path("models/demo"),
    season: Annotated[str, typer.Option(help="of all sets but all_seasons")] = "ipl_2024",
    sets: Annotated[str, typer.Option(help="names of sets of single questions beside blind, with commas")] = ",".join(
        name for name in SETS if name not in TALKS
    ),
    threads: Annotated[int, typer.Option(help="of the engine; 0: as many as the service would take")] = 0,
) -> None:
    limit, confidence.LIMIT = confidence.LIMIT, 1.0  # all that the agents would answer without it
    try:
        found = {}
        for name in (*sets.split(","), FITTED):
            usual = ALL_SEASONS if name == "all_seasons" else season
            found[name] = asyncio.run(answers(model, name, usual, threads))
    finally:
        confidence.LIMIT = limit
    weights, constant = fitted(found[FITTED])
    print(f"WEIGHTS, CONSTANT = {tuple(round(w, 4) for w in weights)}, {constant:.3f}  # fitted to {FITTED}")
    print(table(found, weights, constant))


if __name__ == "__main__":
    raise SystemExit(run(app))
