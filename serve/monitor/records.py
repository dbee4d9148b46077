"""The service's request log and feedback store as records: `read_log(paths)`, `read_feedback(path)`.

The log is what the service writes to standard output; lines may have a prefix (Compose, kubectl). Lines that are no
answered question are counted and not kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from data.query.language import MEASURES

FAMILIES = {
    "bat": "batting", "bowl": "bowling", "field": "fielding", "stand": "partnerships", "team": "teams",
    "concede": "teams", "result": "results", "no_result": "results", "match": "matches", "table": "table",
    "award": "awards", "over": "overs", "batter_over": "overs", "run": "streaks", "sequence": "streaks",
    "person": "players", "lineup": "players", "summary": "summaries", "number": "counts",
}  # fmt: skip


class MonitorError(Exception):
    """A file cannot be read or a window does not fit the log; the message says what to do."""


@dataclass(frozen=True)
class Asked:
    """One question of the log. None: not logged, by an older version or with LOG_TEXTS off."""

    request_id: str
    at: datetime
    outcome: str  # answered | ask_back | declined
    reason: str | None = None
    worded_by: str | None = None
    plain_because: str | None = None
    measures: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    question_chars: int | None = None
    names: int | None = None
    names_unknown: int | None = None
    words: int | None = None
    words_unknown: int | None = None
    plan_left_out: int | None = None
    plan_redrawn: bool | None = None
    question: str | None = None
    answer: str | None = None
    query: str | None = None

    @property
    def day(self) -> date:
        return self.at.date()

    @property
    def kind(self) -> str | None:
        """What is asked about, batting, bowling ...: by the first measure; None where there is no query."""
        known = [MEASURES[m].source for m in self.measures if m in MEASURES]
        return FAMILIES[known[0]] if known else None


@dataclass(frozen=True)
class Log:
    """Questions in order of time, and counts of the other lines."""

    asked: Sequence[Asked]
    requests: int  # to POST /infer, failed ones included
    unreadable: int  # lines that are no JSON object
    problems: dict[str, int] = field(default_factory=dict)  # failed requests by kind

    @property
    def days(self) -> list[date]:
        return sorted({a.day for a in self.asked})


@dataclass(frozen=True)
class Judgement:
    """A verdict on one answer."""

    request_id: str
    at: datetime
    verdict: str  # right | wrong | unsure
    comment: str | None = None
    question: str | None = None
    answer: str | None = None
    query: str | None = None
    reviewer: str | None = None  # a mark of the key with which it was sent; None: a user's

    @property
    def reviewed(self) -> bool:
        return self.reviewer is not None


def read_log(paths: Iterable[Path]) -> Log:
    """All questions of the files. Raises MonitorError where a file is missing or none has a question."""
    asked: dict[str, Asked] = {}
    requests = unreadable = 0
    problems: dict[str, int] = {}
    paths = list(paths)
    for path in paths:
        if not path.is_file():
            raise MonitorError(f"no log {path}: write one with `python -m serve > {path}`, or `kubectl logs`")
        with path.open(encoding="utf-8", errors="replace") as lines:
            for text in lines:
                line = _object(text)
                if line is None:
                    unreadable += bool(text.strip())
                elif line.get("message") == "request" and line.get("path") == "/infer":
                    requests += 1
                    if found := _asked(line):
                        asked[found.request_id] = found
                    else:
                        kind = str(line.get("problem") or line.get("status"))
                        problems[kind] = problems.get(kind, 0) + 1
    if not asked:
        where = ", ".join(str(p) for p in paths)
        raise MonitorError(f"no answered question in {where}: is LOG_LEVEL above INFO, or the file of another service?")
    return Log(sorted(asked.values(), key=lambda a: a.at), requests, unreadable, problems)


def read_feedback(path: Path | None) -> list[Judgement]:
    """All judgements in order of time; none where there is no file yet. Raises MonitorError."""
    if path is None or not path.exists():
        return []
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            known = {name for _, name, *_ in connection.execute("PRAGMA table_info(feedback)")}
            reviewer = "reviewer" if "reviewer" in known else "NULL"  # a store of before there were reviewers' keys
            rows = connection.execute(
                "SELECT request_id, at, verdict, comment, question, answer, query, "
                f"{reviewer} FROM feedback ORDER BY at"
            ).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise MonitorError(f"{path} is no feedback store ({error}): give the file of FEEDBACK_DB") from error
    return [Judgement(row[0], _time(row[1]), *row[2:]) for row in rows]


def merged_feedback(paths: Iterable[Path]) -> list[Judgement]:
    """The judgements of several stores, one of each pod, in order of time; each counts once. Raises MonitorError."""
    found = {judgement for path in paths for judgement in read_feedback(path)}
    return sorted(found, key=lambda judgement: (judgement.at, judgement.request_id, judgement.verdict))


def _object(text: str) -> dict[str, Any] | None:
    start = text.find("{")
    try:
        line = json.loads(text[start:]) if start >= 0 else None
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _asked(line: dict[str, Any]) -> Asked | None:
    if not line.get("outcome") or "request_id" not in line:
        return None
    given = {name: line[name] for name in _PLAIN if line.get(name) is not None}
    lists = {name: tuple(line.get(name) or ()) for name in ("measures", "by", "filters")}
    try:
        return Asked(line["request_id"], _time(line["time"]), **given, **lists)
    except (KeyError, ValueError):
        return None


_PLAIN = tuple(
    name for name in Asked.__dataclass_fields__ if name not in ("request_id", "at", "measures", "by", "filters")
)  # fmt: skip


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
