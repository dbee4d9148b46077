"""Connections that do nothing do not stay, and new ones find room: uvicorn's HTTP protocol with limits.

    limits = ConnectionLimits(most=500)
    uvicorn.Config(app, http=limits.protocol)          # and `limits.sweep()` every second

A connection waits for its client while it has sent no request, half of one, or reads no reply. Each wait has a limit.
Where there are too many connections, the one that is without a request for longest is closed for the new one, so that a
health check is answered while a thousand idle ones are held open.
"""

from __future__ import annotations

import asyncio
import resource
import time
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 20.0  # for a whole head of a request, from the connection or the reply before it
BODY_S = 30.0  # for its body
READ_S = 60.0  # for a client that does not read its reply
RESERVED = 64  # descriptors for files, sockets to other servers and what libraries open
MOST = 10_000


def room() -> int:
    """How many connections the process's limit of file descriptors leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(8, min(MOST, soft - max(RESERVED, soft // 5)))


class ConnectionLimits:
    """The connections of one server, of which there are at most `most`. Used on the event loop."""

    def __init__(self, most: int = 0) -> None:
        self.most: int = most or room()
        self.closed = 0  # for taking too long, or to make room
        self.open: set[_Limited] = set()
        self.idle: dict[_Limited, None] = {}  # without a request under way, the longest first

    def protocol(self, *arguments: Any, **options: Any) -> _Limited:
        """A connection's protocol: to be uvicorn's `http`."""
        return _Limited(self, *arguments, **options)

    def make_room(self, new: _Limited) -> None:
        """Close the connection that is idle for longest where there are too many, or else the new one."""
        if len(self.open) > self.most:
            self.close(next(iter(self.idle), new))

    def sweep(self) -> None:
        """Close the connections whose client has taken too long."""
        now = time.monotonic()
        for connection in [c for c in self.open if c.overdue(now)]:
            self.close(connection)

    def close(self, connection: _Limited) -> None:
        self.closed += 1
        self.forget(connection)
        connection.transport.abort()

    def forget(self, connection: _Limited) -> None:
        self.open.discard(connection)
        self.idle.pop(connection, None)


class _Limited(H11Protocol):
    """A connection that knows since when it waits for its client."""

    def __init__(self, limits: ConnectionLimits, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.limits = limits
        self.since: float = time.monotonic()
        self.unread_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.limits.open.add(self)
        self.limits.idle[self] = None
        self.limits.make_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.limits.forget(self)
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self.since = time.monotonic()
            if not self.cycle.response_complete:
                self.limits.idle.pop(self, None)

    def on_response_complete(self) -> None:
        self.since = time.monotonic()
        if self in self.limits.open:
            self.limits.idle[self] = None
        super().on_response_complete()

    def pause_writing(self) -> None:
        self.unread_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.unread_since = None
        super().resume_writing()

    def overdue(self, now: float) -> bool:
        """Whether the client has taken too long."""
        if self.unread_since is not None:
            return now - self.unread_since > READ_S
        if self.cycle is None or self.cycle.response_complete:
            return now - self.since > REQUEST_S
        return self.cycle.more_body and now - self.since > BODY_S
