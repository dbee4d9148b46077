"""Training examples from dataset files: prompt messages and the completion to learn, for both tasks of the
model.

Takes the records of `data.dataset.build` (a plan, and an answer where the model words one), closed-book questions and
answers (also a plain JSON, JSONL or CSV file), and lines that hold `messages` and `completion`. Knows nothing
about tokenizers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.dataset import user_data as user_qa
from data.errors import SourceError
from data.prompts import answer_messages, plan_messages
from train.errors import ExamplesError


@dataclass(frozen=True)
class Example:
    messages: list[dict[str, str]]
    completion: str
    task: str  # plan | answer | closed_book


@dataclass(frozen=True)
class Dataset:
    train: list[Example]
    validation: list[Example]
    test: list[Example]
    sha256: str  # of the files


def load(source: Path, answer_share: float = 1.0, closed_book: bool = False) -> Dataset:
    """Read a folder of split files or a user's file. `answer_share` keeps that share of the answers to word
    (training alone); `closed_book` makes one example a record, from the question to the answer."""
    if source.is_file():
        try:
            made = user_qa.records(user_qa.read(source))
        except SourceError as error:
            raise ExamplesError(str(error)) from None
        splits = {split: [e for r in rows for e in of_record(r)] for split, rows in made.items()}
        return Dataset(**splits, sha256=hashlib.sha256(source.read_bytes()).hexdigest())
    files = {split: source / f"{split}.jsonl" for split in ("train", "validation", "test")}
    for split in ("train", "validation"):
        if not files[split].is_file():
            raise ExamplesError(
                f"no {files[split]}: make it with `python -m data qa --season {source.parent.name}`, or name a "
                "folder with train.jsonl and validation.jsonl (or a questions-and-answers file) with --data"
            )
    splits = {split: read(path, closed_book) if path.is_file() else [] for split, path in files.items()}
    if not splits["train"] or not splits["validation"]:
        raise ExamplesError(f"{source}: train.jsonl and validation.jsonl must hold one record at least")
    splits["train"] = [e for i, e in enumerate(splits["train"]) if e.task != "answer" or _draw(i) < answer_share]
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in files.values() if p.is_file())).hexdigest()
    return Dataset(**splits, sha256=digest)


def read(path: Path, closed_book: bool = False) -> list[Example]:
    """The examples of one JSONL file. Raises ExamplesError naming the line."""
    found: list[Example] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            found += of_record(json.loads(line), closed_book)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ExamplesError(
                f"{path} line {number} is no example ({type(error).__name__}: {error}): expected a record of data.dataset.build, "
                '{"question": ..., "answer": ...} or {"messages": [...], "completion": ...}'
            ) from None
    return found


def of_record(record: dict[str, Any], closed_book: bool = False) -> list[Example]:
    """The examples in one record: a plan and perhaps an answer, or one closed-book answer."""
    if "messages" in record:
        messages = [{"role": m["role"], "content": m["content"]} for m in record["messages"]]
        return [Example(messages, _text(record["completion"]), record.get("task", "closed_book"))]
    if closed_book or not record.get("query"):
        return [
            Example(
                [{"role": "user", "content": _text(record["question"])}],
                _text(record["answer"]),
                "closed_book",
            )
        ]
    made = [Example(plan_messages(record["linked"]), _text(record["query"]), "plan")]
    if record.get("wording"):
        made.append(
            Example(
                answer_messages(record["linked"], record["query"], record["cells"]),
                record["wording"],
                "answer",
            )
        )
    return made


def write(examples: list[Example], path: Path) -> None:
    """As `messages` and `completion`, for the conversion's importance matrix and gate."""
    lines = [
        json.dumps({"messages": e.messages, "completion": e.completion, "task": e.task}, ensure_ascii=False)
        for e in examples
    ]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected text, found {value!r}")
    return value


def _draw(index: int) -> float:
    return int.from_bytes(hashlib.sha256(str(index).encode()).digest()[:4]) / 2**32
