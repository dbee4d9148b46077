"""Probes and metrics: GET /healthz (the process lives), /readyz (it can answer; or why not), /metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response

from serve.api.problems import Problem
from serve.api.schemas import Readiness
from serve.service import Service


def router(service: Service) -> APIRouter:
    routes = APIRouter(tags=["watch"])

    @routes.get("/healthz", summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        """200 as long as the process can answer at all, also while it loads or downloads."""
        return {"status": "alive"}

    @routes.get(
        "/readyz",
        response_model=Readiness,
        summary="Can it answer questions?",
        responses={503: {"description": "Not yet, or not any more: stage and reason."}},
    )
    async def readyz() -> Readiness:
        """200 once season and model are loaded and warmed; 503 with stage and reason before, and while stopping."""
        ready, stage, reason = service.state
        if not ready:
            state = {"ready": False, "stage": stage, "reason": reason, "retrying": service.retrying}
            raise Problem(503, "not-ready", reason, 2, **state)
        season = service.retriever.season
        return Readiness(
            ready=True, stage=stage, reason=reason, model=service.info, season=season.name, season_title=season.title
        )

    @routes.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def metrics() -> Response:
        body, kind = service.telemetry.prometheus()
        return Response(body, media_type=kind)

    return routes
