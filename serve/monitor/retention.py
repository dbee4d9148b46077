"""What the feedback store may keep: `prune(path, days)` takes texts out of old judgements, `forget(path, id)` ends one.

Verdict, time and query line stay when texts go; a query line may hold a player's name and no user's.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serve.monitor.records import MonitorError

TEXT_DAYS = 395  # thirteen months: a season can be compared with the one before


def prune(path: Path, days: int = TEXT_DAYS, now: datetime | None = None) -> int:
    """Delete question, answer and comment of judgements older than `days`; their number. Raises MonitorError."""
    before = ((now or datetime.now(UTC)) - timedelta(days=days)).isoformat(timespec="milliseconds")
    return _change(
        path,
        "UPDATE feedback SET question = NULL, answer = NULL, comment = NULL WHERE at < ? "
        "AND (question IS NOT NULL OR answer IS NOT NULL OR comment IS NOT NULL)",
        before,
    )


def forget(path: Path, request_id: str) -> int:
    """Delete all judgements of one request; their number. Raises MonitorError."""
    return _change(path, "DELETE FROM feedback WHERE request_id = ?", request_id)


def _change(path: Path, statement: str, value: str) -> int:
    if not path.is_file():
        raise MonitorError(f"no feedback store {path}: give the file of FEEDBACK_DB")
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            with connection:
                connection.execute("PRAGMA secure_delete = ON")
                return connection.execute(statement, (value,)).rowcount
    except sqlite3.Error as error:
        raise MonitorError(f"{path} cannot be changed ({error}): give the file of FEEDBACK_DB") from error
