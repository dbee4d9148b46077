"""Middleware for every request: id, log line, Server-Timing, security headers, host, body, unexpected exceptions.

Pure ASGI, so that streams and disconnects pass through. Routes add fields to the log line by
`add_to_log(request, outcome=...)`.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.api.problems import Problem, problem_of
from serve.api.security import HEADERS, HostCheck, page_headers
from serve.request_ids import RequestIds

log = logging.getLogger("serve.api.middleware")

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_POLLED = {"/healthz", "/readyz", "/metrics"}  # requested every few seconds: logged at DEBUG


def add_to_log(request: Request, **fields: Any) -> None:
    """Add fields to this request's log line."""
    request.scope["log_fields"] |= fields


class RequestMiddleware:
    """ASGI middleware. Bodies of more than `max_body` bytes get a problem document (FastAPI's limit: plain text).

    A request's id is always the service's own; one that the client sent is returned and logged beside it.
    """

    def __init__(self, app: ASGIApp, max_body: int, ids: RequestIds, hosts: HostCheck) -> None:
        self.app: ASGIApp = app
        self.max_body: int = max_body
        self.ids: RequestIds = ids
        self.hosts: HostCheck = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        headers = Headers(scope=scope)
        sent, length = headers.get("x-request-id", ""), headers.get("content-length", "")
        request_id = scope["request_id"] = self.ids.new(scope["path"])
        sent = sent if _ID.fullmatch(sent) else ""
        added: dict[str, Any] = scope.setdefault("log_fields", {})
        status, received = 0, 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body or (length.isdigit() and int(length) > self.max_body):
                raise HTTPException(413)
            return message

        async def wrapped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                if sent:
                    headers["X-Client-Request-ID"] = sent
                if refused:
                    headers["Connection"] = "close"  # what follows on the connection is not what it seems
                headers["Server-Timing"] = _timing(added.get("latency_ms"), began)
                for name, value in (*HEADERS, *page_headers(scope["path"])):
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(headers, scope["path"])
        try:
            if refused is not None:
                await refused.response(Request(scope))(scope, receive, wrapped)
            else:
                await self.app(scope, bounded, wrapped)
        except Exception as error:
            if status:
                raise
            log.error("unexpected error", exc_info=error, extra={"request_id": request_id, "path": scope["path"]})
            await problem_of(error).response(Request(scope))(scope, receive, wrapped)
        finally:
            route = scope.get("route")
            fields = {
                "request_id": request_id,
                "method": scope["method"],
                "path": getattr(route, "path", None) or scope["path"][:200],
                "status": status or 499,  # 499: the client disconnected before there was a reply
                "duration_ms": round((time.monotonic() - began) * 1000, 2),
                "client": (scope.get("client") or ["-"])[0],
            }
            if sent:
                fields["client_request_id"] = sent
            if problem := scope.get("problem"):
                fields["problem"] = problem
            level = logging.DEBUG if scope["path"] in _POLLED else logging.INFO
            log.log(level, "request", extra=fields | added)

    def _refused(self, headers: Headers, path: str) -> Problem | None:
        """Why a request is refused before any route sees it."""
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy in front may have taken the other one for the body's end (RFC 9112, 6.1: request smuggling).
            return Problem(400, "ambiguous-length", "send either Content-Length or Transfer-Encoding, not both")
        if path not in _POLLED and not self.hosts.admits(headers.get("host")):
            detail = "this service is not called by the name in the Host header: add it to ALLOWED_HOSTS"
            return Problem(421, "unknown-host", detail)
        return None


def _timing(parts: dict[str, float] | None, began: float) -> str:
    """The Server-Timing header: milliseconds by part, and in total."""
    shown = dict(parts or {})
    shown.setdefault("total", (time.monotonic() - began) * 1000)
    return ", ".join(f"{name};dur={ms:.1f}" for name, ms in shown.items())
