"""The service's own routes: POST /infer (whole or streamed) and POST /stats.

A client that disconnects ends its question: the agents' work is cancelled, and with it the engine's request.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agents.messages import Planned, Reply, Retrieved, Worded
from data.query import Plan, QueryError, parse
from serve.api.batch import answers
from serve.api.examples import REPLIES
from serve.api.formats import FORMATS, format_of, rendered
from serve.api.middleware import add_to_log
from serve.api.problems import MEDIA_TYPE, Problem, logged_problem
from serve.api.schemas import Answer, QueryLine, Question, Stats, reply_of, table_of
from serve.api.stats import StatsPool
from serve.api.streaming import BackgroundEvents, cancel_on_disconnect, sse
from serve.seasons import Seasons
from serve.service import Loaded, Service
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

# Every form of a reply, and an example of each outcome.
_REPLIES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"examples": REPLIES}} | FORMATS[200]["content"]}
}


def router(service: Service, seasons: Seasons, pool: StatsPool) -> APIRouter:
    """The routes over one service."""
    routes = APIRouter(responses=PROBLEMS)

    @routes.post("/infer", response_model=Answer, responses=_REPLIES, summary="Ask a question", tags=["ask"])
    async def infer(question: Question, request: Request) -> Response:
        """Answer a question about the season: a sentence, the table it rests on, the query line, provenance.

        With `stream: true` the reply is server-sent events: `plan`, `table`, `token` (pieces of the checked
        sentence), `done` (the whole reply) or `error` (a problem document). With `format=csv` or `format=md` in the
        address, or such an Accept header, the reply is a table or a text. With `questions` it is {"answers": [...]}.
        """
        form, loaded = format_of(request), await seasons.loaded(question.season)
        if question.questions:
            many = answers(service, question, request, lambda one: whole(answer_events(service, loaded, one, request)))
            return JSONResponse({"answers": await cancel_on_disconnect(request, asyncio.create_task(many))})
        add_to_log(request, question_chars=len(question.question), stream=question.stream)
        if service.settings.log_texts:
            add_to_log(request, question=question.question)
        leave = service.admit()  # before the reply begins, so that a stream too can be refused with a 429
        if question.stream:
            events = BackgroundEvents(answer_events(service, loaded, question, request), leave)
            sent = _server_sent(events.until_disconnect(request), request)
            return StreamingResponse(sent, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        task = asyncio.create_task(whole(answer_events(service, loaded, question, request)))
        task.add_done_callback(leave)  # not a `finally`: a task that is cancelled before its first step has none
        answer = await cancel_on_disconnect(request, task)
        return rendered(answer, form, _left_out(answer))

    @routes.post(
        "/stats",
        response_model=Stats,
        responses=FORMATS,
        summary="Compute a query line, without a model",
        tags=["ask"],
    )
    async def stats(line: QueryLine, request: Request) -> Response:
        """The tables of a query line, such as `economy | bowler=Bumrah phase=death`."""
        form = format_of(request)
        plan: Plan = parse(line.query)
        if plan.decline:
            raise QueryError("a line that declines has no table: write something like `runs by batter | top 3`")
        began = time.monotonic()
        task = asyncio.create_task(pool.computed(line.query, line.season, lambda found: rendered(found, form)))
        response = await cancel_on_disconnect(request, task)
        add_to_log(request, latency_ms={"retrieve": round((time.monotonic() - began) * 1000, 2)}, **shape(plan))
        return response

    return routes


AnswerEvent = Planned | Retrieved | Worded | Answer


async def answer_events(
    service: Service, loaded: Loaded, question: Question, request: Request
) -> AsyncIterator[AnswerEvent]:
    """The agents' events, with the Answer in place of their Reply. Raises Problem 504 after the deadline."""
    deadline_s = service.settings.deadline_s
    conversation = question.conversation_id or uuid.uuid4().hex
    began = time.monotonic()
    agents = loaded.agents
    async for event in agents.stream(question.question, conversation, deadline_s, request.state.owner):
        if not isinstance(event, Reply):
            yield event
            continue
        if event.reason == "no_plan" and time.monotonic() - began >= deadline_s:
            late = f"the answer took longer than {deadline_s:g} s: the service is overloaded, try again later"
            raise Problem(504, "deadline", late, 5)
        _record(service, request, event, agents.retriever.lexicon)
        request_id = request.scope["request_id"]
        yield reply_of(event, loaded.info, agents.season.name, request_id, conversation, question.trace)


async def whole(events: AsyncIterator[AnswerEvent]) -> Answer:
    """The answer that the events end with."""
    *_, answer = [event async for event in events]
    assert isinstance(answer, Answer)
    return answer


async def _server_sent(events: AsyncIterator[AnswerEvent], request: Request) -> AsyncIterator[bytes]:
    """The events as clients get them; a failure is the last one."""
    try:
        async for event in events:
            match event:
                case Retrieved():
                    yield sse("plan", {"query": event.line})
                    yield sse("table", {"tables": [table_of(t).model_dump() for t in event.tables]})
                case Worded():
                    yield sse("token", {"text": event.text})
                case Answer():
                    yield sse("done", event.model_dump(exclude=_left_out(event)))
    except Exception as error:
        yield sse("error", logged_problem(request, error).document(request))


def _left_out(answer: Answer) -> set[str] | None:
    return {"trace"} if answer.trace is None else None


def _record(service: Service, request: Request, reply: Reply, lexicon: frozenset[str]) -> None:
    """Count an answered question and describe it in its log line. Texts only where LOG_TEXTS is set."""
    service.telemetry.answered(reply)
    generations = reply.trace.generations
    add_to_log(
        request,
        outcome=reply.outcome,
        reason=reply.reason,
        worded_by=reply.worded_by,
        latency_ms=dict(reply.latency_ms),
        tokens={
            kind: sum(getattr(generation, f"{kind}_tokens") for generation in generations)
            for kind in ("prompt", "completion", "cached", "forced", "drafted", "accepted")
        },
        **understanding(reply, lexicon),
    )
    if service.settings.log_texts and reply.source is None:  # a user's file is never written to a log
        add_to_log(request, answer=reply.answer, query=reply.query)
