"""OpenAI-compatible routes: /v1/models, /v1/chat/completions, /v1/responses and /v1/completions.

The model `cricket` is the agents: a question in, a computed answer out (serve/api/openai_answers.py). `cricket-raw` is
the language model without them (serve/api/openai_raw.py), served where RAW_MODEL is set.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serve.api import openai_answers, openai_raw
from serve.api.infer import PROBLEMS
from serve.api.openai_requests import CRICKET, RAW, ChatRequest, CompletionRequest, ResponsesRequest, refused
from serve.api.problems import MEDIA_TYPE, Problem
from serve.service import Service

_MORE_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {
        "description": "There is no such model; the detail lists those there are.",
        "content": {MEDIA_TYPE: {"schema": {"type": "object"}}},
    }
}


def router(service: Service) -> APIRouter:
    """The routes over one service."""
    routes = APIRouter(prefix="/v1", tags=["openai"], responses=PROBLEMS | _MORE_PROBLEMS)
    served = [CRICKET, RAW] if service.settings.raw_model else [CRICKET]

    def named(model: str | None, default: str = CRICKET) -> str:
        """The model that is meant. Raises Problem 404 for one that is not served."""
        if (model or default) not in served:
            off = f"; set RAW_MODEL=true to serve {RAW}" if (model or default) == RAW else ""
            there = " and ".join(served)
            raise Problem(
                404, "model-not-found", f"no model {(model or default)[:60]!r} here, but {there}{off}", param="model"
            )
        return model or default

    def about(model: str) -> dict[str, Any]:
        meta = asdict(service.ready().info)
        return {"id": model, "object": "model", "created": 0, "owned_by": "cricket-inference", "meta": meta}

    @routes.get("/models", summary="The models that are served")
    async def models() -> dict[str, Any]:
        """`cricket`: the agents. `cricket-raw`: the language model without them, where RAW_MODEL is set."""
        return {"object": "list", "data": [about(model) for model in served]}

    @routes.get("/models/{model}", summary="One model")
    async def model(model: str) -> dict[str, Any]:
        """What `GET /v1/models` says about it."""
        return about(named(model))

    @routes.post("/chat/completions", summary="Answer a conversation")
    async def chat(body: ChatRequest, request: Request) -> Response:
        """Answer the last question of a conversation; follow-ups are read after the questions before.

        The model `cricket` answers with computed figures. Sentence and usage stand where OpenAI's clients look for
        them, the table and the query line in the field `cricket`; of a stream, in its last chunk. System prompts and
        sampling change nothing about an answer.
        """
        body.refuse()
        chosen, loaded = named(body.model), service.ready()
        if chosen == RAW:
            return await openai_raw.chat(service, loaded, body, request)
        return await openai_answers.chat(service, loaded, body, request)

    @routes.post("/responses", summary="Answer, in the shape of OpenAI's Responses")
    async def responses(body: ResponsesRequest, request: Request) -> Response:
        """Answer the last question of `input` by the model `cricket`. Nothing is stored."""
        body.refuse()
        if named(body.model) == RAW:
            raise refused("model", f"{RAW} answers at /v1/chat/completions and /v1/completions")
        return await openai_answers.responses(service, service.ready(), body, request)

    @routes.post("/completions", summary="Continue a text, by the model without the agents")
    async def completions(body: CompletionRequest, request: Request) -> Response:
        """Continue a text by `cricket-raw`."""
        body.refuse()
        if named(body.model, RAW) == CRICKET:
            raise refused("model", f"{CRICKET} answers questions: send them to /v1/chat/completions")
        return await openai_raw.completions(service, service.ready(), body, request)

    return routes
