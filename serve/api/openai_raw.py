"""The model without the agents, in OpenAI's shapes: text from tokens, streamed or whole (`cricket-raw`).

For agents in another process (OPENAI_BASE_URL) and for operators; off unless RAW_MODEL is set. Beyond OpenAI's fields:
`grammar` (GBNF), `top_k`, `min_p`, `repeat_penalty`. The default temperature is 0, which suits this model.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agents.model import Generation
from serve.api.middleware import add_to_log
from serve.api.openai_answers import data_event
from serve.api.openai_requests import RAW, ChatRequest, CompletionRequest, GenerationRequest
from serve.api.problems import Problem, logged_problem
from serve.api.streaming import cancel_on_disconnect, wait_for_disconnect
from serve.engine import sequence
from serve.local_model import LocalModel
from serve.service import Loaded, Service


async def chat(service: Service, loaded: Loaded, body: ChatRequest, request: Request) -> Response:
    """Continue the conversation."""
    tokens = _local(loaded).prompt([message.plain() for message in body.messages])
    limit = body.max_completion_tokens or body.max_tokens or 256
    return await _reply(service, loaded, body, request, tokens, limit, _ChatShape())


async def completions(service: Service, loaded: Loaded, body: CompletionRequest, request: Request) -> Response:
    """Continue the text or the tokens."""
    tokens = _local(loaded).plain(body.prompt) if isinstance(body.prompt, str) else body.prompt
    return await _reply(service, loaded, body, request, tokens, body.max_tokens or 128, _TextShape())


def _local(loaded: Loaded) -> LocalModel:
    """The model in this process. Raises Problem 501 where another server generates."""
    model = loaded.model.model
    if not isinstance(model, LocalModel):
        raise Problem(
            501, "model-elsewhere", "this service generates with another server: send the request to OPENAI_BASE_URL"
        )
    return model


class _ChatShape:
    """The parts of OpenAI's chat completions that differ from plain completions."""

    prefix, whole, piece = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def choice(self, text: str) -> dict[str, Any]:
        return {"message": {"role": "assistant", "content": text}}

    def part(self, text: str | None, first: bool = False) -> dict[str, Any]:
        role = {"role": "assistant"} if first else {}
        return {"delta": role | ({} if text is None else {"content": text})}


class _TextShape:
    """The parts of OpenAI's plain completions that differ from chat completions."""

    prefix, whole, piece = "cmpl", "text_completion", "text_completion"

    def choice(self, text: str) -> dict[str, Any]:
        return {"text": text}

    def part(self, text: str | None, first: bool = False) -> dict[str, Any]:
        return {"text": text or ""}


Shape = _ChatShape | _TextShape


async def _reply(
    service: Service,
    loaded: Loaded,
    body: GenerationRequest,
    request: Request,
    tokens: list[int],
    limit: int,
    shape: Shape,
) -> Response:
    """Run the request and answer in OpenAI's shape."""
    if body.n > 1:
        raise Problem(422, "invalid", f"n: {RAW} gives one choice: send n=1, or one request for each", param="n")
    model = _local(loaded)
    generated = sequence.Request(
        tokens,
        limit,
        body.sampling(),
        grammar=body.gbnf(),
        deadline_s=service.settings.deadline_s,
        adapter=model.adapter,
        stop=body.stops(),
    )
    head = {
        "id": f"{shape.prefix}-{uuid.uuid4().hex}",
        "created": int(time.time()),
        "model": RAW,
    }
    add_to_log(request, stream=body.stream)
    leave = service.admit()
    pieces: asyncio.Queue[str | None] = asyncio.Queue()

    async def generate() -> Generation:
        on_text = pieces.put_nowait if body.stream else None
        generation = await loaded.model.measure(model.run(generated, on_text))
        times = {
            "queue": generation.queued_ms,
            "prefill": generation.prefill_ms,
            "decode": generation.decode_ms,
        }
        add_to_log(
            request,
            tokens={k: getattr(generation, f"{k}_tokens") for k in ("prompt", "completion", "cached")},
            latency_ms={part: round(ms, 2) for part, ms in times.items()},
        )
        return generation

    task = asyncio.create_task(generate())
    task.add_done_callback(leave)
    if body.stream:
        task.add_done_callback(lambda _: pieces.put_nowait(None))
        first = await pieces.get()
        if first is None and not task.cancelled() and task.exception() is not None:
            task.result()  # raises: an error reply instead of an event in a stream
        usage = bool(body.stream_options and body.stream_options.include_usage)
        events = _events(request, task, first, pieces, head | {"object": shape.piece}, shape, usage)
        return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    generation = await cancel_on_disconnect(request, task)
    choice = {"index": 0, "finish_reason": _finish(generation), "logprobs": None} | shape.choice(generation.text)
    return JSONResponse(head | {"object": shape.whole, "choices": [choice], "usage": _usage(generation)})


async def _events(
    request: Request,
    task: asyncio.Task[Generation],
    piece: str | None,
    pieces: asyncio.Queue[str | None],
    head: dict[str, Any],
    shape: Shape,
    usage: bool,
) -> AsyncIterator[bytes]:
    """The text as it is generated, from its first `piece` on; cancels `task` when the client disconnects."""
    gone = asyncio.ensure_future(wait_for_disconnect(request))
    gone.add_done_callback(lambda _: task.cancel())

    def event(part: dict[str, Any], finish: str | None = None) -> bytes:
        return data_event(head | {"choices": [{"index": 0, "finish_reason": finish, "logprobs": None} | part]})

    try:
        first = True
        while piece is not None:
            yield event(shape.part(piece, first))
            first, piece = False, await pieces.get()
        try:
            generation = await task
        except Exception as error:
            yield data_event({"error": logged_problem(request, error).document(request)["error"]})
            return
        yield event(shape.part(None, first), _finish(generation))
        if usage:
            yield data_event(head | {"choices": [], "usage": _usage(generation)})
        yield b"data: [DONE]\n\n"
    finally:
        gone.cancel()
        task.cancel()


def _finish(generation: Generation) -> str:
    return "stop" if generation.finish_reason == "stop" else "length"


def _usage(generation: Generation) -> dict[str, Any]:
    prompt, completion = generation.prompt_tokens, generation.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": generation.cached_tokens},
    }
