"""The canary: golden questions to a running service, whose figures were worked out by hand.

    failed = ask_golden("http://localhost:8000", count=20)

A question counts as failed if it is wrong twice in a row. Uses the reply's tables, so wording does not matter.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.monitor.records import MonitorError

GOLDEN = Path(__file__).parents[2] / "data" / "dataset" / "exams" / "fan_questions.jsonl"
TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Golden:
    """A question and what its answer has to hold: figures, or a refusal."""

    id: str
    question: str
    numbers: tuple[float, ...]
    tolerance: float
    refuse: bool


def golden(count: int, path: Path = GOLDEN) -> list[Golden]:
    """`count` questions, spread evenly over the file and so over its kinds; 0: all. Raises MonitorError."""
    if not path.is_file():
        raise MonitorError(f"no golden questions {path}")
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        expect = row["expect"]
        if expect["numbers"] or expect["refuse"]:
            numbers = tuple(float(number) for number in expect["numbers"])
            found.append(
                Golden(row["id"], row["question"], numbers, float(expect.get("tolerance") or 0.0), expect["refuse"])
            )
    count = min(count or len(found), len(found))
    return [found[i * len(found) // count] for i in range(count)]


def holds(expected: Golden, reply: dict[str, Any]) -> bool:
    """Whether a reply of POST /infer has the figures, or declines where it has to."""
    if expected.refuse:
        return reply["outcome"] != "answered"
    there = list(_numbers([[table["rows"], table.get("totals")] for table in reply["tables"]]))
    return all(any(abs(number - x) <= expected.tolerance + 1e-9 for x in there) for number in expected.numbers)


def ask_golden(url: str, count: int, key: str | None = None, questions: Sequence[Golden] | None = None) -> list[Golden]:
    """Golden questions that are answered wrong twice in a row. Raises MonitorError where the service is away."""
    chosen = golden(count) if questions is None else questions
    return [q for q in chosen if not holds(q, _infer(url, q, key)) and not holds(q, _infer(url, q, key))]


def _infer(url: str, question: Golden, key: str | None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    body = json.dumps({"question": question.question}).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/infer", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise MonitorError(f"{url} answered {question.id} with status {error.code}: {error.read()[:300]!r}") from None
    except OSError as error:
        raise MonitorError(f"{url} does not answer: {error}") from None


def _numbers(value: Any) -> Iterator[float]:
    """All numbers of nested lists and maps."""
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield float(value)
    elif isinstance(value, dict):
        yield from _numbers(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _numbers(part)
