"""The MCP server at /mcp (streamable HTTP, without sessions), behind the same keys and limits as other routes.

    endpoint = McpEndpoint(service, seasons, access); endpoint.install(app); await endpoint.start()

The SDK is imported in a thread after the start, so that the service listens before.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serve.api.problems import Problem
from serve.api.security import AccessControl
from serve.seasons import Seasons
from serve.service import Service

log = logging.getLogger(__name__)


class McpEndpoint:
    """An ASGI application. Raises Problem 401, 403 or 429 before the protocol has its turn."""

    def __init__(self, service: Service, seasons: Seasons, access: AccessControl) -> None:
        self._service, self._seasons, self._access = service, seasons, access
        self._ready, self._stopping = asyncio.Event(), asyncio.Event()
        self._failed = False
        self._task: asyncio.Task[None] | None = None

    def install(self, app: FastAPI) -> None:
        """Add the route to `app`."""
        app.router.routes.append(Route("/mcp", self, methods=["GET", "POST", "DELETE"], include_in_schema=False))

    async def start(self) -> None:
        """Begin to serve; requests wait until the SDK is loaded."""
        self._ready.clear()
        self._stopping.clear()
        self._task = asyncio.create_task(self._serve(), name="mcp")

    async def stop(self) -> None:
        """End all calls."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _serve(self) -> None:
        try:
            await self._serve_until_stopped()
        except Exception:
            log.exception("the MCP server failed; the other routes go on")
            self._failed = True
            self._ready.set()

    async def _serve_until_stopped(self) -> None:
        tools = await asyncio.to_thread(importlib.import_module, "serve.api.mcp_tools")
        server = tools.server(self._service, self._seasons)
        limit = self._service.settings.max_body_bytes
        # Hosts are not checked: which names lead here, nobody but the operator's proxy knows. Origins are, below.
        server.streamable_http_app(stateless_http=True, json_response=True, max_request_body_size=limit, host="0.0.0.0")
        self._manager = server.session_manager
        async with self._manager.run():
            self._ready.set()
            await self._stopping.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self._check_origin(request)
        await self._access(request)
        await self._ready.wait()
        if self._failed:
            raise Problem(503, "mcp-failed", "the MCP server does not run; the log has the reason")
        await self._manager.handle_request(scope, receive, send)

    def _check_origin(self, request: Request) -> None:
        """A page of another origin may not call the tools in its visitor's name, unless CORS_ORIGINS names it."""
        origin = request.headers.get("origin")
        allowed = self._service.settings.origins()
        if origin and "*" not in allowed and origin not in allowed:
            if urlsplit(origin).netloc != request.headers.get("host"):
                raise Problem(403, "origin", "pages of this origin may not call: CORS_ORIGINS lists those that may")
