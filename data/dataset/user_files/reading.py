"""Reads a user's file in one pass: every row that can be used, and every problem with its place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from data.dataset.user_files.columns import RowError, turns
from data.dataset.user_files.formats import ENDINGS, hub_rows, raw_rows
from data.dataset.user_files.rows import Problem, RawRow, UserFile, UserRow
from data.errors import SourceError

_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")


def read(
    source: str | Path, question_column: str = "", answer_column: str = "", strict: bool = False, least: int = 1
) -> UserFile:
    """Read a file, or the hub data set of that id where no such file exists.

    Raises SourceError where nothing can be read, where fewer than `least` rows can be used and, with `strict`, where
    any row is empty, a duplicate, contradicts another or has another problem; the message lists all of them.
    """
    path, notes = Path(source), list[str]()
    if path.is_file():
        content = path.read_bytes()
        name, digest = path.name, hashlib.sha256(content).hexdigest()
        rows: Iterable[RawRow] = raw_rows(name, content, notes)
    elif _is_hub_id(str(source)):
        name, rows = str(source), list(hub_rows(str(source)))
        digest = hashlib.sha256(repr([row.values for row in rows]).encode()).hexdigest()
    else:
        kinds = ", ".join(ENDINGS)
        raise SourceError(str(source), f"no such file; give a file with question and answer columns ({kinds})")
    taken, problems, seen = _sorted_out(rows, question_column, answer_column)
    found = UserFile(name, tuple(taken), tuple(problems), tuple(notes), seen, digest)
    if problems and (strict or len(taken) < least):
        raise SourceError(str(source), _all(problems))
    if len(taken) < least:
        raise SourceError(str(source), f"{len(taken)} questions; at least {least} are needed")
    return found


def _is_hub_id(source: str) -> bool:
    return bool(_HUB_ID.fullmatch(source)) and not source.lower().endswith(ENDINGS) and not Path(source).exists()


def _sorted_out(
    rows: Iterable[RawRow], question_column: str, answer_column: str
) -> tuple[list[UserRow], list[Problem], int]:
    """The rows to use, the problems of the others, and how many there were."""
    taken: dict[tuple[str, str], UserRow] = {}
    problems: list[Problem] = []
    number = 0
    for number, raw in enumerate(rows, 1):
        if raw.problem:
            problems.append(Problem(raw.where, "not readable", raw.problem))
            continue
        try:
            found = turns(raw.values, question_column, answer_column)
        except RowError as error:
            problems.append(Problem(raw.where, error.kind, str(error)))
            continue
        for turn in found:
            key = (_key(turn.question), _key(turn.context))
            first = taken.get(key)
            if first is None:
                taken[key] = UserRow(turn.question, turn.answer, raw.where, number, turn.context)
            elif _key(first.answer) == _key(turn.answer):
                problems.append(Problem(raw.where, "duplicate", f"the question and answer of {first.where} again"))
            else:
                detail = f"the question of {first.where} again with another answer; keep one of them"
                problems.append(Problem(raw.where, "contradicts an earlier row", detail))
    return list(taken.values()), problems, number


def _key(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold()).split()) or text


def _all(problems: list[Problem], most: int = 40) -> str:
    """Every problem on a line of its own, `most` at most."""
    lines = [str(problem) for problem in problems[:most]]
    more = [f"... and {len(problems) - most} more"] if len(problems) > most else []
    head = [] if len(problems) == 1 else [f"{len(problems)} rows cannot be used:"]
    return "\n  ".join([*head, *lines, *more])
