"""The service's own routes: POST /infer (whole or streamed), POST /stats, POST /feedback.

A client that goes away ends its question: the agents' task is cancelled, and with it the engine's request.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from agents.messages import Reply
from data.query import Plan, QueryError, parse
from serve.api.middleware import note
from serve.api.problems import MEDIA_TYPE, Problem, reported
from serve.api.schemas import Answer, Feedback, QueryLine, Question, Stats, Stored, reply_of, table_of
from serve.api.streaming import cancel_on_disconnect, sse, wait_for_disconnect
from serve.service import Service
from serve.telemetry.feedback import FeedbackStore
from serve.telemetry.log_fields import shape, understanding

PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": {MEDIA_TYPE: {"schema": {"type": "object"}}}}
    for code, text in {
        400: "The body is not JSON.",
        401: "An API key is missing or wrong.",
        413: "The body is too large.",
        415: "The body was not sent as JSON.",
        422: "A field is missing, too long or unknown; the detail says which.",
        429: "The queue is full or the rate limit reached; Retry-After says when to come back.",
        503: "Not ready; the detail says what is missing.",
        504: "The answer took longer than DEADLINE_S.",
    }.items()
}


def router(service: Service, feedback: FeedbackStore) -> APIRouter:
    """The routes over one service."""
    routes = APIRouter(responses=PROBLEMS)

    @routes.post("/infer", response_model=Answer, summary="Ask a question", tags=["ask"])
    async def infer(question: Question, request: Request) -> Response:
        """Answer a question about the season: a sentence, the table it rests on, the query line, provenance.

        With `stream: true` the reply is server-sent events: `plan`, `table`, `token` (pieces of the checked
        sentence), `done` (the whole reply) or `error` (a problem document).
        """
        agents = service.ready_agents()
        note(request, question_chars=len(question.question), stream=question.stream)
        if service.settings.log_texts:
            note(request, question=question.question)
        conversation = question.conversation_id or uuid.uuid4().hex
        leave = service.enter()  # before the reply begins, so that a stream too can be turned away with a 429
        events: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()

        async def answer() -> Answer:
            deadline = service.settings.deadline_s
            began = time.monotonic()
            listen = (lambda *event: events.put_nowait(event)) if question.stream else None
            reply = await agents.ask(question.question, conversation, deadline, listen)
            if reply.reason == "no_plan" and time.monotonic() - began >= deadline:
                late = f"the answer took longer than {deadline:g} s: the service is overloaded, try again later"
                raise Problem(504, "deadline", late, 5)
            _book(service, request, reply)
            season = service.retriever.season.name
            return reply_of(reply, service.info, season, request.scope["request_id"], conversation, question.trace)

        task = asyncio.create_task(answer())
        task.add_done_callback(leave)  # not a `finally`: a task that is cancelled before its first step has none
        if question.stream:
            task.add_done_callback(lambda _: events.put_nowait(None))
            stream = _events(request, task, events)
            headers = {"X-Accel-Buffering": "no"}
            return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
        reply = await cancel_on_disconnect(request, task)
        left_out = {"trace"} if reply.trace is None else None
        return Response(reply.model_dump_json(exclude=left_out), media_type="application/json")

    @routes.post("/stats", response_model=Stats, summary="Compute a query line, without a model", tags=["ask"])
    async def stats(line: QueryLine, request: Request) -> Stats:
        """The tables of a query line, such as `economy | bowler=Bumrah phase=death`."""
        plan: Plan = parse(line.query)
        if plan.decline:
            raise QueryError("a line that declines has no table: write something like `runs by batter | top 3`")
        leave = service.enter()
        began = time.monotonic()
        try:
            found = await asyncio.to_thread(service.compute, line.query)
        finally:
            leave()
        tables = [table_of(t) for t in found]
        note(request, latency_ms={"retrieve": round((time.monotonic() - began) * 1000, 2)}, **shape(plan))
        return Stats(query=str(plan), tables=tables)

    @routes.post("/feedback", response_model=Stored, status_code=201, summary="Judge an answer", tags=["ask"])
    async def judge(judgement: Feedback, request: Request) -> Stored:
        """Store what a person thinks of an answer, under its X-Request-ID."""
        try:
            await asyncio.to_thread(feedback.store, **judgement.model_dump())
        except (OSError, sqlite3.Error) as error:
            raise Problem(
                503,
                "feedback-store",
                f"the feedback cannot be stored in {feedback.path.name} ({error}): set "
                "FEEDBACK_DB to a file that the service may write",
                60,
            ) from error
        service.telemetry.feedback.add(1, {"verdict": judgement.verdict})
        note(request, verdict=judgement.verdict, about=judgement.request_id)
        return Stored()

    return routes


async def _events(request: Request, task: asyncio.Task[Answer], events: asyncio.Queue) -> AsyncIterator[bytes]:
    """A question's steps as server-sent events; ends the question when the client goes away."""
    gone = asyncio.ensure_future(wait_for_disconnect(request))
    gone.add_done_callback(lambda _: task.cancel())
    try:
        while (event := await events.get()) is not None:
            name, value = event
            if name == "plan":
                yield sse("plan", {"query": value})
            elif name == "table":
                yield sse("table", {"tables": [table_of(t).model_dump() for t in value]})
            elif name == "text":
                yield sse("token", {"text": value})
        try:
            reply = await task
            yield sse("done", reply.model_dump(exclude={"trace"} if reply.trace is None else None))
        except Exception as error:
            yield sse("error", json.loads(reported(request, error).response(request).body))
    finally:
        gone.cancel()
        task.cancel()


def _book(service: Service, request: Request, reply: Reply) -> None:
    """Counters and the log line of an answered question. Texts only where LOG_TEXTS is set."""
    service.telemetry.answered(reply)
    figures = [step for step in reply.trace if "completion_tokens" in step]
    note(
        request,
        outcome=reply.outcome,
        reason=reply.reason,
        worded_by=reply.worded_by,
        latency_ms=dict(reply.latency_ms),
        tokens={
            k: sum(step[f"{k}_tokens"] for step in figures)
            for k in ("prompt", "completion", "cached", "forced", "drafted", "accepted")
        },
        **understanding(reply, service.retriever.linker.speller.lexicon),
    )
    if service.settings.log_texts:
        note(request, answer=reply.answer, query=reply.query)
