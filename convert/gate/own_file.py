"""The gate's questions about a model that was trained on a user's file.

The product's own tasks must not fall by more than a point against the base, and the agents must answer the file's rows.
Learning answers by heart is told, and is no reason to refuse: the agents look such rows up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.errors import ConvertError
from convert.gate.accuracy import merged_accuracy
from data.dataset.encoding import EncodedExample

MAX_FALL_POINTS = 1.0  # of the product's query lines, in points of 100, against the base
LEAST_ROWS = 0.9  # share of the rows that the agents have to answer as the file says
ROWS_ASKED = 300
LINES = ("plan", "follow")  # tasks with one right completion; sentences have many


@dataclass(frozen=True)
class OwnFile:
    """What was found. Shares from 0 to 1; rows are counted, never quoted."""

    product: float  # share of the product's query lines that are right after training
    product_of_base: float
    lines: int
    rows: int  # asked through the agents
    rows_right: int
    knowledge: int  # of them, what only the file knows
    knowledge_right: int  # with their source
    recall: float | None  # share of the knowledge rows that the model knows by heart

    def reasons(self) -> list[str]:
        """Why the model must not be published."""
        found = []
        fall = round(100 * (self.product_of_base - self.product), 6)
        if fall > MAX_FALL_POINTS:
            before, after = 100 * self.product_of_base, 100 * self.product
            found.append(
                f"training on the file cost the product's own tasks {fall:.1f} points ({before:.1f} to {after:.1f} % "
                f"of {self.lines} query lines): train shorter or with a smaller --learning-rate"
            )
        if self.rows and self.rows_right < LEAST_ROWS * self.rows:
            found.append(
                f"the agents answer {self.rows_right} of {self.rows} rows of the file as it says, at least "
                f"{100 * LEAST_ROWS:.0f} % is asked: data-report.md of the run says what each row was taken for"
            )
        return found

    def line(self) -> str:
        """The findings in one line."""
        recall = f"; {100 * self.recall:.0f} % known by heart" if self.recall is not None else ""
        return (
            f"your file: {self.rows_right} of {self.rows} rows right through the agents, {self.knowledge_right} of "
            f"{self.knowledge} that only the file knows with their row{recall}; the product's query lines "
            f"{100 * self.product_of_base:.1f} -> {100 * self.product:.1f} %"
        )


def examine(
    base: Path,
    merged: Path,
    encoded: Sequence[EncodedExample],
    gguf: Path,
    rows: Path,
    season: str,
    recall: float | None,
) -> OwnFile:
    """Compare the merged model with its base on the product's tasks, and ask the file's `rows` with the GGUF."""
    lines = [example for example in encoded if example.task in LINES]
    if not lines:
        raise ConvertError("the run's validation has no query lines to compare with the base: train it again")
    asked = ask_rows(gguf, rows, season)
    return OwnFile(
        product=merged_accuracy(merged, lines),
        product_of_base=merged_accuracy(base, lines),
        lines=len(lines),
        rows=asked["rows"],
        rows_right=asked["right"],
        knowledge=asked["knowledge"],
        knowledge_right=asked["knowledge_right"],
        recall=recall,
    )


def ask_rows(gguf: Path, rows: Path, season: str) -> dict[str, Any]:
    """What `train.evaluate.own_rows` counts. It runs by itself: the conversion knows nothing of agents and engine."""
    command = [sys.executable, "-m", "train.evaluate.own_rows", "--model", str(gguf.resolve())]
    command += ["--rows", str(rows.resolve()), "--season", season, "--limit", str(ROWS_ASKED)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
        assert {"rows", "right", "knowledge", "knowledge_right"} <= found.keys()
    except (ValueError, IndexError, AttributeError, AssertionError):
        said = (done.stderr.strip() or "nothing").splitlines()[-1]
        raise ConvertError(f"the rows of the file could not be asked (exit {done.returncode}): {said}") from None
    return found
