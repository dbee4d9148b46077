"""Probes and metrics: GET /healthz (liveness), /readyz (readiness, or what is missing), /metrics (Prometheus)."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response

from serve.api.problems import Problem
from serve.api.schemas import Readiness
from serve.service import Service


def router(service: Service) -> APIRouter:
    """The routes over one service."""
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
        state = service.state
        if not state.ready:
            raise Problem(503, "not-ready", state.reason, 2, **asdict(state), retrying=service.retrying)
        loaded = service.ready()
        season = loaded.agents.season
        return Readiness(**asdict(state), model=loaded.info, season=season.name, season_title=season.title)

    @routes.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def metrics() -> Response:
        body, kind = service.telemetry.prometheus()
        return Response(body, media_type=kind)

    return routes
