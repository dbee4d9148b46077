"""Replies and their clients: a request that loses its client is cancelled, and events are sent as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

from fastapi import Request

from serve.api.problems import Problem

T = TypeVar("T")


class BackgroundEvents(Generic[T]):
    """Consumes an async iterator in a background task from the start, so that a slow reader does not delay it.

    `on_end` is called when the iterator has ended in any way, even if its events are never read.
    """

    def __init__(self, events: AsyncIterator[T], on_end: Callable[[], None]) -> None:
        self._queue: asyncio.Queue[T | None] = asyncio.Queue()  # None: there are no more
        self._task: asyncio.Task[None] = asyncio.create_task(self._run(events))
        # Not a `finally` in the task: one that is cancelled before its first step would not run it.
        self._task.add_done_callback(lambda _: on_end())
        self._task.add_done_callback(lambda _: self._queue.put_nowait(None))

    async def _run(self, events: AsyncIterator[T]) -> None:
        async for event in events:
            self._queue.put_nowait(event)

    async def until_disconnect(self, request: Request) -> AsyncIterator[T]:
        """The events, then what the iterator raised; it is cancelled when the client disconnects or reading stops."""
        gone = asyncio.ensure_future(wait_for_disconnect(request))
        gone.add_done_callback(lambda _: self._task.cancel())
        try:
            while (event := await self._queue.get()) is not None:
                yield event
            await self._task
        finally:
            gone.cancel()
            self._task.cancel()


async def cancel_on_disconnect(request: Request, task: asyncio.Task[T]) -> T:
    """Await `task`, but cancel it when the client disconnects. Raises Problem 499 in that case."""
    gone = asyncio.ensure_future(wait_for_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
        return await task
    except asyncio.CancelledError:
        task.cancel()
        raise Problem(499, "client-gone", "the client disconnected before there was a reply") from None
    finally:
        gone.cancel()


async def wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def sse(event: str, data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
