"""A user's own questions and answers (JSON, JSONL or CSV) as a dataset.

    python -m data.dataset.user_data questions.csv --out data/mine

writes data/mine/{train,validation,test}.jsonl, to train on with `python -m train --data data/mine`. Such questions are
closed-book: the model learns the answers themselves, without a query line or a table.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.atomic_write import atomic_write
from data.errors import SourceError

# names that the columns may have
QUESTION = ("question", "q", "prompt", "instruction", "input", "query")
ANSWER = ("answer", "a", "response", "completion", "output", "target")
SPLITS = ("train", "validation", "test")
KIND = "closed_book"
MAX_CHARACTERS = 8000  # of a question or an answer: a longer one is likely a wrong column


@dataclass(frozen=True)
class UserQuestion:
    """A question and its answer; `where` is its place in the file: "line 7" or "item 3"."""

    question: str
    answer: str
    where: str


def read(path: Path) -> list[UserQuestion]:
    """The questions of a file, each once. Raises SourceError naming the file and the line that is wrong."""
    if not path.is_file():
        raise SourceError(str(path), "no such file; give a .json, .jsonl or .csv with question and answer columns")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(str(path), f"not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    readers = {".json": _json, ".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv, ".tsv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SourceError(str(path), f"unknown ending {path.suffix!r}; expected .json, .jsonl or .csv")
    found, seen = [], {}
    for where, row in reader(text, path):
        question = UserQuestion(
            _value(row, QUESTION, "question", where, path), _value(row, ANSWER, "answer", where, path), where
        )
        key = question.question.casefold()
        if key in seen and seen[key].answer != question.answer:
            raise SourceError(
                str(path),
                f"{where}: the question of {seen[key].where} again with another answer; keep one of them",
            )
        if key not in seen:
            seen[key] = question
            found.append(question)
    if len(found) < 2:
        raise SourceError(
            str(path),
            f"{len(found)} questions; at least 2 are needed, one to train on and one to validate with",
        )
    return found


def records(questions: list[UserQuestion]) -> dict[str, list[dict[str, Any]]]:
    """Records by split, chosen by a hash of the question.

    A tenth (one at least) is for validation; of ten questions or more another tenth is for the test.
    """
    order = sorted(questions, key=lambda q: hashlib.sha256(q.question.encode()).hexdigest())
    tenth = max(1, len(order) // 10)
    cut = {
        "validation": order[:tenth],
        "test": order[tenth : 2 * tenth] if len(order) >= 10 else [],
        "train": order[2 * tenth :] if len(order) >= 10 else order[tenth:],
    }
    return {split: [_record(q, split) for q in cut[split]] for split in SPLITS}


def _record(q: UserQuestion, split: str) -> dict[str, Any]:
    digest = hashlib.sha256(f"{q.question}|{q.answer}".encode()).hexdigest()[:12]
    return {
        "id": digest,
        "question": q.question,
        "query": None,
        "table": None,
        "answer": q.answer,
        "kind": KIND,
        "split": split,
    }


def _jsonl(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would also split at U+2028 inside a string
        if line.strip():
            try:
                yield f"line {number}", json.loads(line)
            except ValueError as error:
                raise SourceError(str(path), f"line {number} is no JSON ({error})") from None


def _json(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # JSON Lines under the name .json
            yield from _jsonl(text, path)
            return
        raise SourceError(str(path), f"line {error.lineno} is no JSON ({error.msg})") from None
    if isinstance(value, dict):
        lists = [v for v in value.values() if isinstance(v, list)]
        value = lists[0] if len(lists) == 1 else value
    if not isinstance(value, list):
        raise SourceError(str(path), 'expected a list such as [{"question": "...", "answer": "..."}]')
    for number, row in enumerate(value, 1):
        yield f"item {number}", row


def _csv(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    head = text.split("\n", 1)[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ";" if ";" in head and "," not in head else ","
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        for row in rows:
            if None in row:
                raise SourceError(
                    str(path),
                    f"line {rows.line_num}: more cells than columns; quote a cell that holds a {delimiter!r}",
                )
            yield f"line {rows.line_num}", row
    except csv.Error as error:
        raise SourceError(str(path), f"line {rows.line_num}: {error}") from None


def _value(row: Any, columns: tuple[str, ...], what: str, where: str, path: Path) -> str:
    """The row's text in the first of `columns` that it has; `what` names it in messages."""
    if not isinstance(row, dict):
        raise SourceError(
            str(path), f'{where}: expected {{"question": "...", "answer": "..."}}, found {str(row)[:60]!r}'
        )
    plain = {str(k).strip().lower(): v for k, v in row.items()}
    name = next((c for c in columns if c in plain), None)
    if name is None:
        raise SourceError(
            str(path),
            f"{where}: no {what} column (one of {', '.join(columns)}); found {', '.join(plain) or 'none'}",
        )
    value = plain[name]
    value = str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if not isinstance(value, str) or not value.strip():
        raise SourceError(str(path), f"{where}: the {what} is empty or no text")
    if len(value) > MAX_CHARACTERS:
        raise SourceError(
            str(path), f"{where}: the {what} has {len(value)} characters, at most {MAX_CHARACTERS} are taken"
        )
    return " ".join(value.split())


def write(path: Path, out: Path) -> dict[str, int]:
    """Read `path` and write its splits into the folder `out`; returns the number of records in each."""
    made = records(read(path))
    for split, rows in made.items():
        atomic_write(out / f"{split}.jsonl", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return {split: len(rows) for split, rows in made.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m data.dataset.user_data", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help=".json, .jsonl or .csv with a question and an answer column")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for train.jsonl, validation.jsonl and test.jsonl"
    )
    args = parser.parse_args(arguments)
    try:
        counts = write(args.file, args.out)
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{args.out}: " + ", ".join(f"{n} {split}" for split, n in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
