"""Questions that people ask, each with a typed line, and what its answer has to hold: the figures and the names.

The table is tests/support/language_lines.jsonl: the line of a question, the `numbers` that its cells show (within 0.06)
and `names`, of each of which one spelling stands in the cells. A `declined` question is one that the data cannot
answer: its line declines, or says by `unsupported` which condition is left out.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from data.ask import ask
from data.linking.resolver import Names
from data.query import Statistics, StatTable, parse
from data.season import load

TABLE = Path(__file__).parent / "support" / "language_lines.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in TABLE.read_text(encoding="utf-8").splitlines()]
ANSWERED = [case for case in CASES if not case.get("declined")]
TOLERANCE = 0.06


@cache
def season(name: str) -> tuple[Statistics, Names]:
    loaded = load(name)
    return Statistics(loaded), Names.for_season(loaded)


def shown(tables: list[StatTable]) -> list[str]:
    """All cells as text, and the totals under them."""
    cells = [cell for table in tables for row in table.texts() for cell in row]
    return cells + [f"{value:g}" for table in tables for value in table.totals.values()]


def figures(cells: list[str]) -> list[float]:
    return [float(n) for cell in cells for n in re.findall(r"-?\d+(?:\.\d+)?", cell)]


def holds(alias: str, cells: list[str]) -> bool:
    """Whether a name stands in the cells as whole words, or a number as one of their figures."""
    if re.fullmatch(r"\d+(?:\.\d+)?%?", alias):
        return any(abs(float(alias.rstrip("%")) - f) <= TOLERANCE for f in figures(cells))
    return any(re.search(rf"(?<!\w){re.escape(alias)}(?!\w)", cell, re.IGNORECASE) for cell in cells)


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case["id"])
def test_the_line_of_a_question_gives_the_figures_and_names(case: dict[str, Any]) -> None:
    cells = shown(ask(case["line"], *season(case["season"])))
    for number in case.get("numbers", ()):
        assert any(abs(number - f) <= TOLERANCE for f in figures(cells)), (number, cells)
    for aliases in case.get("names", ()):
        assert any(holds(alias, cells) for alias in aliases), (aliases, cells)


@pytest.mark.parametrize("case", [c for c in CASES if c.get("declined")], ids=lambda case: case["id"])
def test_what_the_data_do_not_hold_is_declined_or_said_to_be_left_out(case: dict[str, Any]) -> None:
    plan = parse(case["line"])
    if plan.decline:
        return
    tables = ask(case["line"], *season(case["season"]))
    assert all(table.query.unsupported for table in tables)
    for words in (words for query in plan.queries for words in query.unsupported):
        assert set(words.split()) <= set(re.findall(r"[a-z]+s?", case["question"].lower())), words


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_line_reads_back_as_it_is_written(case: dict[str, Any]) -> None:
    assert str(parse(case["line"])) == case["line"]


def test_enough_questions_have_a_line() -> None:
    of = {kind: [c for c in CASES if c["id"].startswith(kind)] for kind in "lsk"}
    assert len(of["l"]) >= 50 and len(of["s"]) >= 32
    assert sum(1 for c in of["k"] if not c.get("declined")) >= 40
