"""Errors as problem documents (RFC 9457), which say what happened and what to do. The only exception-to-HTTP mapping.

    raise Problem(503, "not-ready", "still loading the model", retry_after_s=2, stage="load")

Under /v1 the same document also carries OpenAI's `error` object, which its clients read. A reply never holds a stack
trace or a token.
"""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agents.openai_client import ServerBusy, ServerError
from convert.hub import without_token
from data.errors import DataError
from data.query import QueryError
from serve.engine.errors import EngineClosed, EngineError, QueueFull, RequestError
from serve.service import NotReady, Overloaded

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
EXAMPLE = '{"question": "Who scored the most runs?"}'


class Problem(Exception):
    """An error reply. `kind` names it for programs, `detail` says what to do; `more` are further members."""

    def __init__(self, status: int, kind: str, detail: str, retry_after_s: float | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.more = status, kind, detail, more
        self.retry_after_s = retry_after_s

    def document(self, request: Request) -> dict[str, Any]:
        """The problem document for `request`, whose log line gets the kind of the problem."""
        request.scope["problem"] = self.kind
        detail = without_token(self.detail)
        body: dict[str, Any] = {
            "type": f"urn:cricket:problem:{self.kind}",
            "title": "Client Closed Request" if self.status == 499 else HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": detail,
            "instance": request.url.path,
            "request_id": request.scope.get("request_id"),
            **self.more,
        }
        if request.url.path.startswith("/v1/"):
            body["error"] = {
                "message": detail,
                "type": "invalid_request_error" if self.status in (400, 404, 422) else self.kind.replace("-", "_"),
                "param": self.more.get("param"),
                "code": self.kind.replace("-", "_"),
            }
        return body

    def response(self, request: Request) -> JSONResponse:
        """The reply to `request`."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        return JSONResponse(self.document(request), self.status, headers, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """The problem document for an exception; 500 for one that has no mapping."""
    match error:
        case Problem():
            return error
        case NotReady():
            return Problem(503, "not-ready", str(error), 5, stage=error.stage)
        case Overloaded():
            return Problem(429, "queue-full", str(error), error.retry_after_s)
        case QueueFull():
            return Problem(429, "queue-full", f"{error}: try again after the time in Retry-After", error.retry_after_s)
        case RequestError():
            return Problem(422, "bad-request", str(error))
        case EngineClosed():
            return Problem(
                503,
                "engine-closed",
                "the model accepts no requests now (it is stopping or has failed): try again later or at another "
                "instance",
                5,
            )
        case QueryError() | DataError():
            return Problem(422, "bad-query", str(error))
        case ServerBusy():
            return Problem(429, "queue-full", str(error), error.retry_after_s)
        case ServerError():
            return Problem(502, "model-server", str(error), 5)
        case EngineError():
            return Problem(
                500,
                "request-failed",
                "this request failed inside the engine; others are not affected, the log has the reason under this "
                "request_id",
            )
    return Problem(500, "internal", "an error in the service; the log has the reason under this request_id")


def logged_problem(request: Request, error: Exception) -> Problem:
    """The problem document for an exception. One that is the service's own fault is logged with its stack trace."""
    problem = problem_of(error)
    if problem.status == 500:
        log.error("request failed", exc_info=error, extra={"request_id": request.scope.get("request_id")})
    return problem


def install(app: FastAPI) -> None:
    """Make every error reply of `app` a problem document."""

    async def mapped(request: Request, error: Exception) -> JSONResponse:
        return logged_problem(request, error).response(request)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kind = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}.get(error.status_code, "http")
        detail = {
            "not-found": f"there is nothing at {request.url.path}: the paths are listed at /docs",
            "method-not-allowed": f"{request.url.path} does not take {request.method}: the methods are listed at /docs",
            "body-too-large": "the request body is too large: send less (MAX_BODY_BYTES is the limit)",
        }.get(kind, str(error.detail))
        response = Problem(error.status_code, kind, detail).response(request)
        response.headers.update(error.headers or {})
        return response

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return invalid_problem(request, error).response(request)

    for kind in (Problem, NotReady, Overloaded, EngineError, ServerError, QueryError, DataError):
        app.add_exception_handler(kind, mapped)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)


def invalid_problem(request: Request, error: RequestValidationError) -> Problem:
    """What is wrong with a body, field by field. What was sent is not repeated: it may be long or private."""
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        return Problem(400, "not-json", f"the body is not JSON: send something like {EXAMPLE}")
    if any(e["type"] in ("model_attributes_type", "dict_type") and e["loc"] == ("body",) for e in found):
        sent = request.headers.get("content-type", "no Content-Type").split(";")[0]
        if sent != "application/json" and not sent.endswith("+json"):
            return Problem(
                415,
                "not-json",
                f"the body was sent as {sent[:60]!r}: send JSON such as {EXAMPLE} with Content-Type: application/json",
            )
    problems = [{"field": ".".join(str(p) for p in e["loc"][1:]) or "body", "problem": e["msg"]} for e in found[:10]]
    said = "; ".join(f"{p['field']}: {p['problem']}" for p in problems)
    hint = f"; send something like {EXAMPLE}" if request.url.path == "/infer" else ""
    return Problem(422, "invalid", f"{said}{hint}", errors=problems)
