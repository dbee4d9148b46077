"""What is read from a user's file: its questions and answers, and the rows that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHOWN_PLACES = 5  # of a kind of problem, named in a message


@dataclass(frozen=True)
class RawRow:
    """A row as its format holds it. `where` is its place: "line 7", "item 3", "Sheet1 row 4".

    `problem` says why there are no `values`.
    """

    where: str
    values: Mapping[str, Any]
    problem: str = ""


@dataclass(frozen=True)
class UserRow:
    """A question and its answer. `number` counts the file's rows from 1, without a header.

    `context`: a passage or an earlier turn that the question belongs to.
    """

    question: str
    answer: str
    where: str
    number: int = 0
    context: str = ""


@dataclass(frozen=True)
class Problem:
    """A row that is skipped. `kind` is the same for all rows with this problem."""

    where: str
    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.where}{' ' if self.detail.startswith('is ') else ': '}{self.detail}"


@dataclass(frozen=True)
class UserFile:
    """A file's usable rows. `notes` say how it was read where that was guessed; `seen` counts all its rows."""

    name: str
    rows: tuple[UserRow, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    seen: int
    sha256: str

    def summary(self) -> list[str]:
        """Lines that say what was taken, and of each kind of problem how many rows and where."""
        lines = [f"{self.name}: {len(self.rows)} of {self.seen} rows taken", *self.notes]
        kinds: dict[str, list[Problem]] = {}
        for problem in self.problems:
            kinds.setdefault(problem.kind, []).append(problem)
        for kind, found in kinds.items():
            more = ", ..." if len(found) > SHOWN_PLACES else ""
            lines.append(f"{len(found)} skipped, {kind}: " + ", ".join(p.where for p in found[:SHOWN_PLACES]) + more)
        return lines
