"""Probes and metrics: GET /healthz (liveness), /readyz (readiness, or what is missing), /metrics (Prometheus)."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response

from serve.api.problems import Problem
from serve.api.schemas import Readiness
from serve.service import Service


def router(service: Service) -> APIRouter:
    """The routes over one service."""
    routes = APIRouter(tags=["monitor"])

    @routes.get("/healthz", summary="Liveness")
    async def healthz() -> dict[str, str]:
        """200 while the process runs, also while it loads or downloads."""
        return {"status": "alive"}

    @routes.get(
        "/readyz",
        response_model=Readiness,
        summary="Readiness",
        responses={503: {"description": "Not ready, or no longer: stage and reason."}},
    )
    async def readyz() -> Readiness:
        """200 once season and model are loaded; 503 with stage and reason before that and while stopping."""
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
