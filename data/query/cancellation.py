"""Ends queries from another thread: `with Cancellation() as c: statistics.answer(query)`, and elsewhere `c.cancel()`.

It belongs to the thread that entered it. DuckDB is interrupted; Python's own work between two statements ends at the
next one. Without a Cancellation nothing is cancelled.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Self

import duckdb

_CURRENT: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


class Cancelled(Exception):
    """The queries of this thread were cancelled."""


class Cancellation:
    """Of the queries of one thread. `cancel` may be called from any thread, also before the first query."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._cancelled = False
        self._token: Token[Cancellation | None] | None = None

    def cancel(self) -> None:
        """End the query that runs, and let no other begin."""
        with self._lock:
            self._cancelled = True
            for cursor in self._cursors:
                cursor.interrupt()

    def add(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Have `cursor` interrupted with the others. Raises Cancelled where that was asked for already."""
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._cursors.append(cursor)

    def __enter__(self) -> Self:
        self._token = _CURRENT.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        assert self._token is not None
        _CURRENT.reset(self._token)
        with self._lock:
            self._cursors.clear()
        if isinstance(error, duckdb.InterruptException):
            raise Cancelled from None


def cancellable(cursor: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The cursor, which this thread's Cancellation (if there is one) interrupts. Raises Cancelled."""
    if (current := _CURRENT.get()) is not None:
        current.add(cursor)
    return cursor
