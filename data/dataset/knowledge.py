"""The rows of a user's file as the agents look them up: knowledge.jsonl, which lies beside the model.

write(entries, Path("models/mine/knowledge.jsonl"))
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from data.atomic_write import atomic_write
from data.errors import SourceError

KNOWLEDGE_FILE = "knowledge.jsonl"
COMPUTED, DISPUTED, KNOWLEDGE = "computed", "disputed", "knowledge"


@dataclass(frozen=True)
class Entry:
    """A question with its answer and the `row` that they stand in.

    `kind`: the season's tables compute the same answer (`computed`) or another one (`disputed`), or they cannot answer
    (`knowledge`). `line`, of a computed one: the query line for `linked`, which is the question with placeholders.
    """

    question: str
    answer: str
    row: int
    kind: str = KNOWLEDGE
    linked: str = ""
    line: str = ""

    @property
    def source(self) -> str:
        """Where the answer comes from, for the reply."""
        return f"from your file, row {self.row}"


def write(entries: Iterable[Entry], path: Path) -> None:
    """Write the entries, one a line."""
    atomic_write(path, "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries))


def read(path: Path) -> list[Entry]:
    """The entries of a file that `write` made. Raises SourceError."""
    try:
        return [Entry(**json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n") if line]
    except (OSError, ValueError, TypeError) as error:
        raise SourceError(str(path), f"no entries of a user's file ({error}); convert the run again") from None
