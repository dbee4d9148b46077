"""Answers of a user's own file through the agents: the same question, other words, and what it must not answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.dataset.knowledge import DISPUTED, PLAN, Row, read, write
from data.errors import SourceError


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [
        Row(1, "q.csv", 'Who said "no"?\u2028\nnext', "छक्का"),
        Row(2, "q.csv", "kohli runs?", "741", PLAN, 'runs | batter="Virat Kohli"', "P1 runs"),
        Row(3, "q.csv", "kohli sixes?", "1", DISPUTED, 'sixes | batter="Virat Kohli"', "P1 sixes", "Kohli hit 38."),
    ]
    write(rows, tmp_path / "knowledge.jsonl")
    assert read(tmp_path / "knowledge.jsonl") == rows


@pytest.mark.parametrize(
    "line, wrong",
    [
        ('{"row": 1', "line 2 is no JSON"),
        ("[]", "line 2 has no valid 'row'"),
        ('{"row": "1", "file": "f", "question": "secret", "answer": "a", "kind": "plan"}', "no valid 'row'"),
        ('{"row": 1, "file": "f", "question": "secret", "kind": "plan"}', "no valid 'answer'"),
        ('{"row": 1, "file": "f", "question": "secret", "answer": "a", "kind": "other"}', "no valid 'kind'"),
        ('{"row": 1, "file": "f", "question": "secret", "answer": "a", "kind": "plan", "query": 1}', "'query'"),
    ],
)
def test_a_line_that_is_no_row_is_named_by_its_number_and_not_quoted(tmp_path: Path, line: str, wrong: str) -> None:
    path = tmp_path / "knowledge.jsonl"
    good = {"row": 1, "file": "f", "question": "q", "answer": "a", "kind": "knowledge", "added later": 1}
    path.write_text(json.dumps(good) + "\n" + line + "\n")
    with pytest.raises(SourceError, match=wrong) as caught:
        read(path)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_missing_or_not_utf_8_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path / "knowledge.jsonl")
    (tmp_path / "knowledge.jsonl").write_bytes(b"\xff")
    with pytest.raises(SourceError, match="not UTF-8"):
        read(tmp_path / "knowledge.jsonl")
