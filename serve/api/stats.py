"""The tables of a query line as the body of POST /stats, computed in threads of their own within a deadline.

    body = await StatsPool(service.compute, deadline_s=10).body("runs by batter | top 3")

Whole answers of megabytes for a line of a few hundred bytes would let anyone occupy the event loop; what is larger than
the limits below is refused with the advice to rank or filter. Nothing else runs in these threads, so that neither
health checks nor questions wait for them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from data.query import QueryError, StatTable, parse
from data.query.cancellation import Cancellation, Cancelled
from serve.api.problems import Problem
from serve.api.schemas import Stats, table_of
from serve.service import Overloaded

WORKERS = 2  # more would only share the interpreter's lock
MOST_WAITING = 16
MAX_ROWS = 5000  # of all tables together: every batter and bowler of a season are 3,176
MAX_BYTES = 512 * 1024


class StatsPool:
    """Computes query lines, WORKERS at a time. Its methods are called on the event loop."""

    def __init__(self, compute: Callable[[str], list[StatTable]], deadline_s: float) -> None:
        self._compute = compute
        self._deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(WORKERS, "stats")
        self._under_way = 0

    async def body(self, line: str) -> bytes:
        """The JSON of schemas.Stats. Cancelling the awaiting task ends the computation.

        Raises QueryError, serve.service.NotReady, Overloaded, and Problem 504 after the deadline.
        """
        if self._under_way >= WORKERS + MOST_WAITING:
            raise Overloaded(f"{self._under_way} query lines are being computed or wait: try again later", 2)
        self._under_way += 1
        loop, cancellation = asyncio.get_running_loop(), Cancellation()
        until = time.monotonic() + self._deadline_s
        future = self._threads.submit(self._body, line, cancellation, until)

        def left(_: Future[bytes]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._leave)

        future.add_done_callback(left)
        try:
            async with asyncio.timeout_at(loop.time() + self._deadline_s):
                return await asyncio.wrap_future(future)
        except (TimeoutError, Cancelled):
            late = f"the query line took longer than {self._deadline_s:g} s: ask for less, or try again later"
            raise Problem(504, "deadline", late, 5) from None
        finally:
            cancellation.cancel()

    def _leave(self) -> None:
        self._under_way -= 1

    def _body(self, line: str, cancellation: Cancellation, until: float) -> bytes:
        with cancellation:
            found = self._compute(line)
        if (rows := sum(len(table.rows) for table in found)) > MAX_ROWS:
            raise QueryError(f"the line has {rows} rows, and at most {MAX_ROWS} are sent: {_ADVICE}")
        if time.monotonic() > until:
            raise Cancelled
        body = Stats(query=str(parse(line)), tables=[table_of(t) for t in found]).model_dump_json().encode()
        if len(body) > MAX_BYTES:
            raise QueryError(f"the line's tables are {len(body)} bytes, and at most {MAX_BYTES} are sent: {_ADVICE}")
        return body


_ADVICE = "add a rank such as `top 20`, or a filter"
