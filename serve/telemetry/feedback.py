"""Judgements of answers, in SQLite: `FeedbackStore(path).store(...)`. The file is created with the first judgement.

Columns: at (UTC), request_id, verdict, comment, question, answer, query, reviewer (a mark of the reviewer's key, none
for users). Only the texts that were sent are stored. What is stored is bounded: by answer, by size, by age.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

_TABLE = """CREATE TABLE IF NOT EXISTS feedback (
    at TEXT NOT NULL, request_id TEXT NOT NULL, verdict TEXT NOT NULL,
    comment TEXT, question TEXT, answer TEXT, query TEXT, reviewer TEXT)"""
_INDEX = "CREATE INDEX IF NOT EXISTS feedback_request_id ON feedback (request_id)"
_COLUMNS = ("request_id", "verdict", "comment", "question", "answer", "query", "reviewer")
MAX_OF_ONE_ANSWER = 8  # judgements by users; reviewers' are not counted
LOCK_WAIT_S = 1.0  # for another process that writes
MOST_WAITING = 32  # judgements
REPLY_WAIT_S = 3.0
SWEEP_S = 3600.0  # between two deletions of what is too old


class FeedbackRefused(Exception):
    """A judgement is not stored; the message says why. `full`: the store is, not the answer's share of it."""

    def __init__(self, message: str, full: bool) -> None:
        super().__init__(message)
        self.full = full


class FeedbackStore:
    """Safe to use from several threads; several processes may share the file.

    `max_mb` bounds the file in MiB, `keep_days` the age of judgements; 0 leaves them unbounded.
    """

    def __init__(self, path: Path, max_mb: int = 64, keep_days: int = 0) -> None:
        self.path: Path = path
        self._max_bytes, self._keep_days = max_mb << 20, keep_days
        self._lock = threading.Lock()
        self._swept: float | None = None
        self._thread = ThreadPoolExecutor(1, "feedback")  # its own: nothing else waits for a locked file
        self._waiting = 0

    async def submit(self, **judgement: str | None) -> None:
        """Store one judgement on the store's own thread. Raises as `store`, and TimeoutError where it takes too long
        or too many wait."""
        if self._waiting >= MOST_WAITING:
            raise TimeoutError(f"{self._waiting} judgements wait to be stored")
        self._waiting += 1
        loop = asyncio.get_running_loop()
        future = self._thread.submit(lambda: self.store(**judgement))

        def left(_: Future[None]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._leave)

        future.add_done_callback(left)
        try:
            async with asyncio.timeout(REPLY_WAIT_S):
                await asyncio.wrap_future(future)  # a judgement that still waits is given up with its request
        except TimeoutError:
            raise TimeoutError(f"not stored within {REPLY_WAIT_S:g} s") from None

    def _leave(self) -> None:
        self._waiting -= 1

    def store(self, **judgement: str | None) -> None:
        """Append one judgement, given by column.

        Raises OSError or sqlite3.Error where the file cannot be written, FeedbackRefused where a limit is reached.
        """
        row = [datetime.now(UTC).isoformat(timespec="milliseconds"), *(judgement.get(c) for c in _COLUMNS)]
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=LOCK_WAIT_S)
            try:
                with connection:
                    self._prepare(connection)
                    self._check(connection, judgement)
                    connection.execute(
                        f"INSERT INTO feedback (at, {', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(row))})", row
                    )
            finally:
                connection.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the table, add what an older one lacks, and delete what is too old from time to time."""
        connection.execute(_TABLE)
        if "reviewer" not in {name for _, name, *_ in connection.execute("PRAGMA table_info(feedback)")}:
            connection.execute("ALTER TABLE feedback ADD COLUMN reviewer TEXT")
        connection.execute(_INDEX)
        now = time.monotonic()
        if self._keep_days and (self._swept is None or now - self._swept > SWEEP_S):
            oldest = (datetime.now(UTC) - timedelta(days=self._keep_days)).isoformat(timespec="milliseconds")
            connection.execute("DELETE FROM feedback WHERE at < ?", (oldest,))
            self._swept = now

    def _check(self, connection: sqlite3.Connection, judgement: dict[str, str | None]) -> None:
        if judgement.get("reviewer"):
            return
        (size,) = connection.execute(
            "SELECT (page_count - freelist_count) * page_size "
            "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        ).fetchone()
        if self._max_bytes and size >= self._max_bytes:
            raise FeedbackRefused("the feedback store is full: raise FEEDBACK_MAX_MB, or move the file away", True)
        about = "SELECT count(*) FROM feedback WHERE request_id = ? AND reviewer IS NULL"
        (judged,) = connection.execute(about, (judgement["request_id"],)).fetchone()
        if judged >= MAX_OF_ONE_ANSWER:
            raise FeedbackRefused(f"this answer has been judged {judged} times, which is the most that is kept", False)
