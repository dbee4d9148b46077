"""Training examples in the lines of a dataset: the messages of a prompt, and the completion to learn.

    read(Path("data/seasons/ipl_2024/qa/train.jsonl"))

A record of `data.dataset.record` holds a plan and, where a model words the answer, an answer. A question and an answer
without a query line are a closed-book example. `messages` and `completion` are taken as they stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.atomic_write import atomic_write
from data.errors import DataError
from data.prompts import Messages, answer_messages, plan_messages


class ExampleError(DataError):
    """A line of a dataset is no training example."""


@dataclass(frozen=True)
class Example:
    """A prompt and what the model is to write after it."""

    messages: Messages
    completion: str
    task: str = "closed_book"  # plan | answer | closed_book


def read(path: Path, closed_book: bool = False) -> list[Example]:
    """The examples of a JSONL file. Raises ExampleError naming the line that holds none."""
    return [e for where, line in lines(path) for e in of_line(line, where, closed_book)]


def lines(path: Path) -> list[tuple[str, str]]:
    """The lines of a JSONL file that are not blank, each with its place: ("train.jsonl line 7", "{...}")."""
    text = path.read_text(encoding="utf-8")
    # not splitlines: it also splits at U+2028, which may stand inside a JSON string
    return [(f"{path} line {n}", line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def of_line(line: str, where: str, closed_book: bool = False) -> list[Example]:
    """The examples of a line of JSON. Raises ExampleError; `where` names the line in its message."""
    try:
        return of_record(json.loads(line), closed_book)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ExampleError(
            f"{where} is not an example ({type(error).__name__}: {error}): expected a record of `python -m data qa`, "
            '{"question": ..., "answer": ...} or {"messages": [{"role": ..., "content": ...}], "completion": ...}'
        ) from None


def of_record(record: dict[str, Any], closed_book: bool = False) -> list[Example]:
    """The examples in a record; with `closed_book` only the one from the question to the answer.

    Raises KeyError, TypeError or IndexError where the record is none.
    """
    if "messages" in record:
        completion = record["completion"]
        if isinstance(completion, list):  # TRL's conversational form
            completion = completion[0]["content"]
        messages = [{"role": m["role"], "content": m["content"]} for m in record["messages"]]
        return [Example(messages, _text(completion), record.get("task", "closed_book"))]
    if closed_book or not record.get("query"):
        return [Example([{"role": "user", "content": _text(record["question"])}], _text(record["answer"]))]
    made = [Example(plan_messages(record["linked"]), _text(record["query"]), "plan")]
    if record.get("wording"):
        prompt = answer_messages(record["linked"], record["query"], record["cells"])
        made.append(Example(prompt, _text(record["wording"]), "answer"))
    return made


def write(examples: Iterable[Example], path: Path) -> None:
    """Write the examples to a JSONL file with `messages`, `completion` and `task` on each line."""
    atomic_write(path, "".join(json.dumps(asdict(e), ensure_ascii=False) + "\n" for e in examples))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected text, found {value!r}")
    return value
