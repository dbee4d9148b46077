"""Judgements of answers, in SQLite: `FeedbackStore(path).store(...)`. The file is created with the first judgement.

Columns: at (UTC), request_id, verdict, comment, question, answer, query. Only the texts that were sent are stored.
"""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

_TABLE = """CREATE TABLE IF NOT EXISTS feedback (
    at TEXT NOT NULL, request_id TEXT NOT NULL, verdict TEXT NOT NULL,
    comment TEXT, question TEXT, answer TEXT, query TEXT)"""
_COLUMNS = ("request_id", "verdict", "comment", "question", "answer", "query")


class FeedbackStore:
    """Safe to use from several threads; several processes may share the file."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path
        self._lock = threading.Lock()

    def store(self, **judgement: str | None) -> None:
        """Append one judgement, given by column. Raises OSError or sqlite3.Error where the file cannot be written."""
        row = [datetime.now(UTC).isoformat(timespec="milliseconds"), *(judgement.get(c) for c in _COLUMNS)]
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=5)
            try:
                with connection:
                    connection.execute(_TABLE)
                    connection.execute(f"INSERT INTO feedback VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})", row)
            finally:
                connection.close()
