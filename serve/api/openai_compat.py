"""OpenAI-compatible routes: GET /v1/models, POST /v1/chat/completions and /v1/completions, streamed or whole.

The model without the agents: for other programs, and for agents in another process (OPENAI_BASE_URL). Beyond OpenAI's
fields: `grammar` (GBNF), `top_k`, `min_p`, `repeat_penalty`. The default temperature is 0, which suits this model.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agents.model import Generation
from serve.api.infer import PROBLEMS
from serve.api.middleware import add_to_log
from serve.api.problems import Problem, logged_problem
from serve.api.streaming import cancel_on_disconnect, wait_for_disconnect
from serve.engine import sequence
from serve.engine.grammar.json_schema import grammar_from_schema
from serve.local_model import LocalModel
from serve.service import Loaded, Service

Stop = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def plain(self) -> dict[str, str]:
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": content}


class StreamOptions(BaseModel):
    include_usage: bool = False


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class GenerationRequest(BaseModel):
    """The fields that both routes take. Unknown fields are ignored, since clients send many."""

    model: str | None = Field(None, description="ignored: there is one model")
    max_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(0.0, ge=0, le=10)
    top_p: float = Field(1.0, ge=0, le=1)
    top_k: int = Field(0, ge=0)
    min_p: float = Field(0.0, ge=0, le=1)
    repeat_penalty: float = Field(1.0, ge=0.1, le=10)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    logit_bias: dict[int, float] | None = Field(None, max_length=300)
    seed: int | None = Field(
        None,
        ge=0,
        lt=2**32,
        description="of the sampling above temperature 0; the same seed gives the same text up to rounding, which "
        "depends on the other requests in the batch unless DETERMINISTIC is set",
    )
    n: Literal[1] = 1
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    tool_choice: Literal["none", "auto"] | None = Field(None, description="there are no tools to be required")
    function_call: Literal["none", "auto"] | None = Field(None, description="as tool_choice")
    stream: bool = False
    stream_options: StreamOptions | None = None
    grammar: str | None = Field(None, max_length=50_000, description="GBNF")
    response_format: ResponseFormat | None = None

    def sampling(self) -> sequence.Sampling:
        return sequence.Sampling(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repeat_penalty=self.repeat_penalty,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            logit_bias=self.logit_bias or {},
            seed=self.seed,
        )

    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    def gbnf(self) -> str | None:
        """The requested grammar as GBNF. Raises GrammarError for a schema that cannot be made one."""
        if self.grammar is not None or self.response_format is None or self.response_format.type == "text":
            return self.grammar
        if self.response_format.type == "json_object":
            return grammar_from_schema({"type": "object"})
        given = self.response_format.json_schema or {}
        return grammar_from_schema(given.get("schema", given))


class ChatRequest(GenerationRequest):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"messages": [{"role": "user", "content": "plan most sixes"}]}]}
    )
    messages: list[Message] = Field(min_length=1, max_length=100)
    max_completion_tokens: int | None = Field(None, ge=1)


class CompletionRequest(GenerationRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "runs by", "max_tokens": 8}]})
    prompt: str | list[int] = Field(min_length=1)


def router(service: Service) -> APIRouter:
    """The routes over one service."""
    routes = APIRouter(prefix="/v1", tags=["openai"], responses=PROBLEMS)

    @routes.get("/models", summary="The one model that is served")
    async def models() -> dict[str, Any]:
        info = service.ready().info
        about = {"id": info.name, "object": "model", "created": 0, "owned_by": "cricket-inference"}
        return {"object": "list", "data": [about | {"meta": asdict(info)}]}

    @routes.post("/chat/completions", summary="Complete a conversation")
    async def chat(body: ChatRequest, request: Request) -> Response:
        loaded = service.ready()
        tokens = _local(loaded).prompt([message.plain() for message in body.messages])
        limit = body.max_completion_tokens or body.max_tokens or 256
        return await _reply(service, loaded, body, request, tokens, limit, _ChatShape())

    @routes.post("/completions", summary="Continue a text")
    async def completions(body: CompletionRequest, request: Request) -> Response:
        loaded = service.ready()
        tokens = _local(loaded).plain(body.prompt) if isinstance(body.prompt, str) else body.prompt
        return await _reply(service, loaded, body, request, tokens, body.max_tokens or 128, _TextShape())

    return routes


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
    model = _local(loaded)
    generated = sequence.Request(
        tokens,
        limit,
        body.sampling(),
        grammar=await asyncio.to_thread(body.gbnf),  # a large schema takes long to convert
        deadline_s=service.settings.deadline_s,
        adapter=model.adapter,
        stop=body.stops(),
        owner=request.state.owner,
        background=True,
    )
    head = {
        "id": f"{shape.prefix}-{uuid.uuid4().hex}",
        "created": int(time.time()),
        "model": loaded.info.name,
    }
    add_to_log(request, stream=body.stream)
    leave = service.admit(request.state.owner)
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
        return _data(head | {"choices": [{"index": 0, "finish_reason": finish, "logprobs": None} | part]})

    try:
        first = True
        while piece is not None:
            yield event(shape.part(piece, first))
            first, piece = False, await pieces.get()
        try:
            generation = await task
        except Exception as error:
            yield _data({"error": logged_problem(request, error).document(request)["error"]})
            return
        yield event(shape.part(None, first), _finish(generation))
        if usage:
            yield _data(head | {"choices": [], "usage": _usage(generation)})
        yield b"data: [DONE]\n\n"
    finally:
        gone.cancel()
        task.cancel()


def _data(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


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
