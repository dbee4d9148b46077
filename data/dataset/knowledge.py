"""The rows of a user's file as the agents look them up: knowledge.jsonl, one JSON object a row, beside the model.

write(rows, Path("runs/mine/knowledge.jsonl")); rows = read(Path("models/mine/knowledge.jsonl"))
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from data.atomic_write import atomic_write
from data.errors import SourceError

KNOWLEDGE_FILE: Final = "knowledge.jsonl"
PLAN: Final = "plan"
KNOWLEDGE: Final = "knowledge"
DISPUTED: Final = "disputed"

Kind = Literal["plan", "knowledge", "disputed"]
_OPTIONAL = ("query", "linked", "computed")


@dataclass(frozen=True)
class Row:
    """One question of the user's file with its answer, and what the season's statistics say about it.

    `kind`: they compute the same answer by `query` (plan) or another one (disputed), or cannot answer (knowledge).
    """

    row: int  # in `file`, the first is 1
    file: str  # its name, without a folder
    question: str
    answer: str
    kind: Kind = KNOWLEDGE
    query: str = ""  # query line with names in quotes: runs | batter="Virat Kohli"
    linked: str = ""  # the question's plain form with placeholders
    computed: str = ""  # of a disputed row: the sentence that the statistics give

    @property
    def source(self) -> str:
        """Where the answer comes from, in words."""
        return f"from your file {self.file}, row {self.row}"


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the rows, one a line."""
    atomic_write(path, "".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows))


def read(path: Path) -> list[Row]:
    """The rows of a file that `write` made. Raises SourceError, which does not quote the file."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SourceError(str(path), f"cannot be read ({reason}): train and convert again") from None
    return [_row(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]


def _row(line: str, number: int, path: Path) -> Row:
    try:
        values = json.loads(line)
    except ValueError:
        raise SourceError(str(path), f"line {number} is no JSON: train and convert again") from None
    texts = ("file", "question", "answer", "kind", *_OPTIONAL)
    if not isinstance(values, dict) or not isinstance(values.get("row"), int):
        wrong = "row"
    else:
        values = dict.fromkeys(_OPTIONAL, "") | values
        wrong = next((key for key in texts if not isinstance(values.get(key), str)), "")
        if not wrong and values["kind"] not in (PLAN, KNOWLEDGE, DISPUTED):
            wrong = "kind"
    if wrong:
        raise SourceError(str(path), f"line {number} has no valid {wrong!r}: train and convert again")
    return Row(values["row"], **{key: values[key] for key in texts})
