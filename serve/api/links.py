"""Answers and figures with an address of their own: GET /ask?q=, GET /stats?query=, and GET /seasons.

The same question about the same season by the same model has the same answer, so that its ETag is known before it is
computed: a client that has it already gets 304 without a model call.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from data.query import parse
from data.version import version
from serve.api.formats import FORMATS, Format, format_of, rendered
from serve.api.infer import PROBLEMS, answer_events, whole
from serve.api.middleware import add_to_log
from serve.api.schemas import Answer, Id, Question, SeasonList, Stats, Text, season_of
from serve.api.stats import StatsPool
from serve.api.streaming import cancel_on_disconnect
from serve.seasons import Seasons
from serve.service import Service

SeasonName = Annotated[Id | None, Query(description="a name that GET /seasons lists")]
Form = Annotated[Format | None, Query(description="json, csv or md; else the Accept header decides")]
_UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "If-None-Match holds the ETag: nothing changed."}}
_REVALIDATED = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, X-API-Key"}


def router(service: Service, seasons: Seasons, pool: StatsPool) -> APIRouter:
    """The routes over one service."""
    routes = APIRouter(tags=["ask"], responses=PROBLEMS | FORMATS | _UNCHANGED)

    @routes.get("/ask", response_model=Answer, summary="Ask a question by a link")
    async def ask(
        request: Request,
        q: Annotated[Text, Query(description="the question", examples=["most sixes"])],
        season: SeasonName = None,
        format: Form = None,
    ) -> Response:
        """Answer a question, such as `/ask?q=most sixes&format=md`. A browser is led to the page with that question."""
        if format is None and "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/?" + urlencode({"q": q} | ({"season": season} if season else {})), 303)
        loaded, form = await seasons.loaded(season), format_of(request)
        tag = _tag(
            "ask", loaded.agents.season.digest, loaded.info.sha256, loaded.info.data_sha256, loaded.info.name, q, form
        )
        if _is_known(request, tag):
            return _not_modified(tag)
        add_to_log(request, question_chars=len(q), stream=False)
        leave = service.admit()
        question = Question(question=q, season=season)
        task = asyncio.create_task(whole(answer_events(service, loaded, question, request)))
        task.add_done_callback(leave)
        answer = await cancel_on_disconnect(request, task)
        return _tagged(rendered(answer, form, {"trace"}), tag)

    @routes.get("/stats", response_model=Stats, summary="Compute a query line by a link, without a model")
    async def stats(
        request: Request,
        query: Annotated[Text, Query(description="the query line", examples=["runs by batter | top 3"])],
        season: SeasonName = None,
        format: Form = None,
    ) -> Response:
        """The tables of a query line, such as `/stats?query=runs by batter | top 3&format=csv`."""
        form, line = format_of(request), str(parse(query))
        tag = _tag("stats", seasons.digest(season), line, form)
        if _is_known(request, tag):
            return _not_modified(tag)
        task = asyncio.create_task(pool.computed(line, season, lambda found: rendered(found, form)))
        return _tagged(await cancel_on_disconnect(request, task), tag)

    return routes


def season_router(seasons: Seasons) -> APIRouter:
    """GET /seasons."""
    routes = APIRouter(tags=["ask"], responses=_UNCHANGED)

    @routes.get("/seasons", response_model=SeasonList, summary="The seasons there are")
    async def listed(request: Request) -> Response:
        """Names that `season` takes, collections first; `default` is the one that is meant without a name."""
        body = SeasonList(seasons=[season_of(s) for s in seasons.listed()]).model_dump_json()
        tag = _tag(body)
        return (
            _not_modified(tag)
            if _is_known(request, tag)
            else _tagged(Response(body, media_type="application/json"), tag)
        )

    return routes


def _tag(*parts: object) -> str:
    """A weak ETag: the figures are the same, the times in the reply are not."""
    return 'W/"' + hashlib.sha256(json.dumps([version(), *map(str, parts)]).encode()).hexdigest()[:32] + '"'


def _is_known(request: Request, tag: str) -> bool:
    held = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    return "*" in held or tag in held or tag.removeprefix("W/") in held


def _not_modified(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag} | _REVALIDATED)


def _tagged(response: Response, tag: str) -> Response:
    response.headers.update({"ETag": tag} | _REVALIDATED)
    return response
