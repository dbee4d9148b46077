"""Several questions in one request: answered a few at a time, each with its own answer or problem document."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from fastapi import Request

from serve.api.problems import logged_problem
from serve.api.schemas import Answer, Question
from serve.service import Overloaded, Service


async def answers(
    service: Service, body: Question, request: Request, ask: Callable[[Question], Awaitable[Answer]]
) -> list[dict[str, Any]]:
    """What `ask` makes of each question.

    One object for each question, in order: as POST /infer answers it, or `problem`. Raises Overloaded.

    Half the slots are used at most, as many as there is room for, so that single questions still find a place.
    """
    questions = body.questions or []
    found: list[dict[str, Any]] = [{} for _ in questions]
    rest = iter(range(len(questions)))
    places = _places(service, min(len(questions), max(1, service.settings.n_slots // 2)))

    async def work(leave: Callable[..., None]) -> None:
        try:
            for i in rest:
                one = Question(question=questions[i], season=body.season, trace=body.trace)
                try:
                    answer = await ask(one)
                    found[i] = answer.model_dump(exclude=None if body.trace else {"trace"})
                except Exception as error:
                    found[i] = {"problem": logged_problem(request, error).document(request)}
        finally:
            leave()

    tasks = [asyncio.create_task(work(leave)) for leave in places]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return found


def _places(service: Service, wanted: int) -> list[Callable[..., None]]:
    """Places among the requests under way, at least one. Raises Overloaded where there is none."""

    def more() -> Iterator[Callable[..., None]]:
        for _ in range(wanted - 1):
            try:
                yield service.admit()
            except Overloaded:
                return

    return [service.admit(), *more()]
