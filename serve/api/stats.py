"""The tables of a query line for /stats and MCP, computed in threads of their own within a deadline.

    stats = await StatsPool(seasons, settings).stats("runs by batter | top 3", season=None)

Whole answers of megabytes for a line of a few hundred bytes would let anyone occupy the event loop; what is larger than
the limits below is refused with the advice to rank or filter. Nothing else runs in these threads, so that neither
health checks nor questions wait for them.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from data.query import QueryError, StatTable, parse
from data.query.cancellation import Cancellation, Cancelled
from serve.api.problems import Problem
from serve.api.schemas import Stats, stats_of
from serve.local_model import OWNER
from serve.seasons import Seasons
from serve.service import Overloaded
from serve.settings import Settings

WORKERS = 2  # more would only share the interpreter's lock
MOST_WAITING = 16  # of each API key
MAX_ROWS = 5000  # of all tables together: every batter and bowler of a season are 3,176
MAX_BYTES = 512 * 1024  # as JSON
_ADVICE = "add a rank such as `top 20`, or a filter"

T = TypeVar("T")


class StatsPool:
    """Computes query lines, WORKERS at a time. Its methods are called on the event loop."""

    def __init__(self, seasons: Seasons, settings: Settings) -> None:
        self._seasons = seasons
        self._deadline_s = min(settings.stats_deadline_s, settings.deadline_s)
        self._threads = ThreadPoolExecutor(WORKERS, "stats")
        self._under_way: Counter[str] = Counter()  # by owner; as many entries as there are API keys

    async def stats(self, line: str, season: str | None) -> Stats:
        """The tables. Raises as `computed`."""
        return await self.computed(line, season, lambda found: found)

    async def computed(self, line: str, season: str | None, finish: Callable[[Stats], T]) -> T:
        """What `finish` makes of the tables, in the thread. Cancelling the awaiting task ends the computation.

        Raises QueryError, SeasonNotFound, serve.service.NotReady, Overloaded, and Problem 504 after the deadline.
        """
        owner = OWNER.get()
        if (taken := self._under_way[owner]) >= WORKERS + MOST_WAITING:
            raise Overloaded(f"{taken} query lines are being computed or wait: try again later", 2)
        self._under_way[owner] += 1
        try:
            compute = await self._seasons.computing(season)  # another season is loaded first, which the deadline omits
        except BaseException:
            self._under_way[owner] -= 1
            raise
        loop, cancellation = asyncio.get_running_loop(), Cancellation()
        until = time.monotonic() + self._deadline_s
        future = self._threads.submit(lambda: finish(_stats(line, compute, cancellation, until)))

        def leave() -> None:
            self._under_way[owner] -= 1

        def left(_: Future[T]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(leave)

        future.add_done_callback(left)
        try:
            async with asyncio.timeout(self._deadline_s):
                return await asyncio.wrap_future(future)
        except (TimeoutError, Cancelled):
            late = f"the query line took longer than {self._deadline_s:g} s: ask for less, or try again later"
            raise Problem(504, "deadline", late, 5) from None
        finally:
            cancellation.cancel()


def _stats(line: str, compute: Callable[[str], list[StatTable]], cancellation: Cancellation, until: float) -> Stats:
    """The tables of a line, within the limits. Raises QueryError and Cancelled."""
    with cancellation:
        found = compute(line)
    if (rows := sum(len(table.rows) for table in found)) > MAX_ROWS:
        raise QueryError(f"the line has {rows} rows, and at most {MAX_ROWS} are sent: {_ADVICE}")
    if time.monotonic() > until:
        raise Cancelled
    stats = stats_of(str(parse(line)), found)
    if (size := len(stats.model_dump_json().encode())) > MAX_BYTES:
        raise QueryError(f"the line's tables are {size} bytes, and at most {MAX_BYTES} are sent: {_ADVICE}")
    return stats
