"""What a question means that leaves something unsaid: tests/support/default_senses.jsonl, asked of the real agents.

A row is a question and the query lines, any of which has the figures that are meant: "jj bumrah stats" is about
bowling, "highest score by csk" about totals, a plural asks for five, "best" follows the measure, the season's own year
is no number.

    pytest tests/test_default_senses.py -s        prints the rows that fail, by kind
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.messages import Reply
from data.query import StatTable
from serve.in_process import Cricket

TABLE = Path(__file__).parent / "support" / "default_senses.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in TABLE.read_text(encoding="utf-8").splitlines()]
LEAST_OF_ALL = 0.8  # of the model that is shipped
LEAST_OF_A_KIND = 0.5


@pytest.fixture(scope="module")
def cricket(trained: None, demo_model: Path) -> Iterator[Cricket]:
    with Cricket(model_path=demo_model, n_threads=1) as found:
        yield found


def means(reply: Reply, tables: list[StatTable]) -> bool:
    """Whether the reply has the rows of these tables, in order, each with all of its values."""
    found = [row for table in reply.tables for row in table.rows]
    wanted = [row for table in tables for row in table.rows]
    return (
        reply.outcome == "answered"
        and len(found) == len(wanted)
        and all(set(few) <= set(many) for few, many in zip(wanted, found, strict=True))
    )


@pytest.mark.parametrize("line", sorted({line for row in ROWS for line in row["lines"]}))
def test_every_meaning_of_the_table_has_figures(cricket: Cricket, line: str) -> None:
    assert all(table.rows for table in cricket.query(line).tables)


def test_questions_mean_what_the_table_says(cricket: Cricket) -> None:
    asked, right = Counter[str](), Counter[str]()
    missed: dict[str, list[str]] = defaultdict(list)
    for row in ROWS:
        cricket.new_conversation()
        reply = cricket.ask(row["question"])
        meant = any(means(reply, list(cricket.query(line).tables)) for line in row["lines"])
        asked[row["kind"]] += 1
        right[row["kind"]] += meant
        if not meant:
            missed[row["kind"]].append(f"{row['question']} | {reply.query or reply.reason} | {reply.answer[:90]}")
    for kind, rows in sorted(missed.items()):
        print(f"{kind}: {right[kind]} of {asked[kind]}", *rows, sep="\n  ")
    poor = {kind: missed[kind] for kind in asked if right[kind] < LEAST_OF_A_KIND * asked[kind]}
    assert right.total() >= LEAST_OF_ALL * asked.total() and not poor, f"{right.total()} of {asked.total()}: {poor}"
