"""The agents' answers in the shapes of OpenAI's chat completions and responses (the model `cricket`).

Beyond OpenAI's fields a reply has `cricket`: outcome, query line, tables, candidates, suggestions and provenance, as
POST /infer.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agents import history
from serve.api.infer import AnswerEvent, answer_events, whole
from serve.api.middleware import add_to_log
from serve.api.openai_requests import CRICKET, ChatRequest, ResponsesRequest
from serve.api.problems import logged_problem
from serve.api.schemas import Answer, Question
from serve.api.streaming import BackgroundEvents, cancel_on_disconnect
from serve.service import Loaded, Service

Shape = Callable[[AsyncIterator[AnswerEvent]], AsyncIterator[bytes]]


async def chat(service: Service, loaded: Loaded, body: ChatRequest, request: Request) -> Response:
    """Answer the last question of the messages."""
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": CRICKET}
    questions, count = body.questions(), body.n
    if body.stream:
        usage = bool(body.stream_options and body.stream_options.include_usage)
        return _streamed(
            service, loaded, request, questions, lambda events: _chunks(events, request, head, count, usage)
        )
    answer = await _answer(service, loaded, request, questions)
    message = {"role": "assistant", "content": answer.answer, "refusal": None}
    choices = [{"index": i, "message": message, "finish_reason": "stop", "logprobs": None} for i in range(count)]
    return JSONResponse(
        head
        | {"object": "chat.completion", "choices": choices, "usage": _chat_usage(answer), "cricket": extension(answer)}
    )


async def responses(service: Service, loaded: Loaded, body: ResponsesRequest, request: Request) -> Response:
    """Answer the last question of the input."""
    head = _response_head(body)
    if body.stream:
        return _streamed(
            service, loaded, request, body.questions(), lambda events: _response_events(events, request, head)
        )
    answer = await _answer(service, loaded, request, body.questions())
    return JSONResponse(_response(head, answer, f"msg_{uuid.uuid4().hex}"))


def extension(answer: Answer) -> dict[str, Any]:
    """What the field `cricket` holds: the answer but for what OpenAI's fields say already."""
    return answer.model_dump(exclude={"answer", "usage", "conversation_id", "trace"})


async def _events(
    service: Service, loaded: Loaded, request: Request, questions: list[str]
) -> AsyncIterator[AnswerEvent]:
    """The agents' events for the last question, read after those before it."""
    owner, agents = request.state.owner, loaded.agents
    conversation = await history.begin(agents, questions[:-1], owner, service.settings.deadline_s)
    question = Question(question=questions[-1], conversation_id=conversation)
    async for event in answer_events(service, loaded, question, request):
        yield event
    history.keep(agents, questions, conversation, owner)


async def _answer(service: Service, loaded: Loaded, request: Request, questions: list[str]) -> Answer:
    add_to_log(request, question_chars=len(questions[-1]), stream=False)
    leave = service.admit()
    task = asyncio.create_task(whole(_events(service, loaded, request, questions)))
    task.add_done_callback(leave)
    return await cancel_on_disconnect(request, task)


def _streamed(
    service: Service, loaded: Loaded, request: Request, questions: list[str], shape: Shape
) -> StreamingResponse:
    add_to_log(request, question_chars=len(questions[-1]), stream=True)
    leave = service.admit()  # before the reply begins, so that a stream too can be refused with a 429
    events = BackgroundEvents(_events(service, loaded, request, questions), leave)
    sent = shape(events.until_disconnect(request))
    return StreamingResponse(sent, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


# -- chat completions


async def _chunks(
    events: AsyncIterator[AnswerEvent], request: Request, head: dict[str, Any], count: int, usage: bool
) -> AsyncIterator[bytes]:
    """Role, sentence, end: the sentence is sent whole, since it is checked before it is sent."""
    head = head | {"object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choices = [{"index": i, "delta": delta, "finish_reason": finish, "logprobs": None} for i in range(count)]
        return data_event(head | {"choices": choices} | more)

    try:
        yield chunk({"role": "assistant", "content": ""})
        async for event in events:
            if isinstance(event, Answer):
                yield chunk({"content": event.answer})
                yield chunk({}, "stop", cricket=extension(event))
                if usage:
                    yield data_event(head | {"choices": [], "usage": _chat_usage(event)})
    except Exception as error:
        yield data_event({"error": logged_problem(request, error).document(request)["error"]})
        return
    yield b"data: [DONE]\n\n"


def data_event(value: dict[str, Any]) -> bytes:
    """A server-sent event without a name."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def _chat_usage(answer: Answer) -> dict[str, Any]:
    used = answer.usage
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
    }


# -- responses


def _response_head(body: ResponsesRequest) -> dict[str, Any]:
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "model": CRICKET,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "metadata": body.metadata or {},
        "output": [],
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None,
    }


def _message(item_id: str, text: str) -> dict[str, Any]:
    return {"type": "message", "id": item_id, "role": "assistant", "status": "completed", "content": [_part(text)]}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(head: dict[str, Any], answer: Answer, item_id: str) -> dict[str, Any]:
    used = answer.usage
    usage = {
        "input_tokens": used.prompt_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens},
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }
    output = [_message(item_id, answer.answer)]
    return head | {"status": "completed", "output": output, "usage": usage, "cricket": extension(answer)}


async def _response_events(
    events: AsyncIterator[AnswerEvent], request: Request, head: dict[str, Any]
) -> AsyncIterator[bytes]:
    """The events that OpenAI's clients collect a response from, numbered."""
    number, item_id = 0, f"msg_{uuid.uuid4().hex}"

    def sent(name: str, **fields: Any) -> bytes:
        nonlocal number
        data = {"type": name, "sequence_number": number} | fields
        number += 1
        return f"event: {name}\n".encode() + data_event(data)

    at = {"item_id": item_id, "output_index": 0, "content_index": 0}
    try:
        yield sent("response.created", response=head)
        yield sent("response.in_progress", response=head)
        async for event in events:
            if not isinstance(event, Answer):
                continue
            text, item = event.answer, _message(item_id, event.answer)
            begun = item | {"status": "in_progress", "content": []}
            yield sent("response.output_item.added", output_index=0, item=begun)
            yield sent("response.content_part.added", **at, part=_part(""))
            yield sent("response.output_text.delta", **at, delta=text, logprobs=[])
            yield sent("response.output_text.done", **at, text=text, logprobs=[])
            yield sent("response.content_part.done", **at, part=_part(text))
            yield sent("response.output_item.done", output_index=0, item=item)
            yield sent("response.completed", response=_response(head, event, item_id))
    except Exception as error:
        found = logged_problem(request, error).document(request)["error"]
        failure = {"code": "server_error", "message": found["message"]}
        yield sent("response.failed", response=head | {"status": "failed", "error": failure})
