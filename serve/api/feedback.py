"""POST /feedback: a person's verdict on an answer that this service gave.

A verdict names the id of the answer, which only the service can have made. With a reviewer's key (REVIEWER_KEYS) it is
a reviewer's and takes precedence; nothing in its text can make it one.
"""

from __future__ import annotations

import sqlite3

from fastapi import APIRouter, Request

from serve.api.infer import PROBLEMS
from serve.api.middleware import add_to_log
from serve.api.problems import Problem
from serve.api.schemas import Feedback, Stored
from serve.api.security import Caller, RateLimit
from serve.request_ids import RequestIds
from serve.service import Service
from serve.telemetry.feedback import FeedbackRefused, FeedbackStore

FEEDBACK_PER_MINUTE = 60  # of one key or address, whatever RATE_LIMIT_PER_MINUTE says


def router(service: Service, store: FeedbackStore, ids: RequestIds) -> APIRouter:
    """The route over one store."""
    routes = APIRouter(responses=PROBLEMS)
    rate = RateLimit(FEEDBACK_PER_MINUTE, "judgements")

    @routes.post("/feedback", response_model=Stored, status_code=201, summary="Judge an answer", tags=["ask"])
    async def judge(judgement: Feedback, request: Request) -> Stored:
        """Store what a person thinks of an answer, under its X-Request-ID."""
        caller: Caller = request.scope["caller"]  # set by AccessControl
        rate.take(caller.mark)
        if not ids.issued(judgement.request_id):
            said = "no answer of this service has that request_id: send the X-Request-ID of the reply to POST /infer"
            raise Problem(422, "unknown-answer", said)
        try:
            await store.submit(**judgement.model_dump(), reviewer=caller.reviewer)
        except FeedbackRefused as error:
            raise Problem(
                503 if error.full else 409, "feedback-refused", str(error), 3600 if error.full else None
            ) from None
        except (OSError, sqlite3.Error) as error:
            raise Problem(
                503,
                "feedback-store",
                f"the feedback cannot be stored in {store.path.name} ({error}): set "
                "FEEDBACK_DB to a file that the service may write",
                60,
            ) from error
        service.telemetry.feedback.add(1, {"verdict": judgement.verdict})
        add_to_log(request, verdict=judgement.verdict, about=judgement.request_id, reviewed=caller.reviewer is not None)
        return Stored()

    return routes
