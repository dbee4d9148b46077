"""Replies that outlive or lose their client: cancel what it asked for when it disconnects, and server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeVar

from fastapi import Request

from serve.api.problems import Problem

T = TypeVar("T")


async def cancel_on_disconnect(request: Request, task: asyncio.Task[T]) -> T:
    """Await `task`, but cancel it when the client disconnects."""
    gone = asyncio.ensure_future(wait_for_disconnect(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
        return await task
    except asyncio.CancelledError:
        task.cancel()
        raise Problem(499, "client-gone", "the client went away") from None
    finally:
        gone.cancel()


async def wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def sse(event: str, data: dict[str, Any]) -> bytes:
    return f"event: {event}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
