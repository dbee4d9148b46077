"""The HTTP application: `create_app(Settings())`. Routes are in serve/api, state and lifecycle in serve/service.py.

python -m serve
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.middleware.cors import CORSMiddleware

from data.version import version
from serve.api import feedback, health, infer, links, openai_compat, page, problems
from serve.api.mcp_http import McpEndpoint
from serve.api.middleware import RequestMiddleware
from serve.api.security import AccessControl, HostCheck
from serve.api.stats import StatsPool
from serve.reload import reload
from serve.request_ids import RequestIds, secret_of
from serve.seasons import Seasons
from serve.service import Service
from serve.settings import Settings
from serve.telemetry.feedback import FeedbackStore
from serve.telemetry.otel import Telemetry

DESCRIPTION = """Questions about one cricket season, answered with figures that are computed, never guessed.
`POST /infer` takes a question; `POST /stats` a query line; MCP clients connect to `/mcp`, OpenAI's to `/v1`. Errors
are problem documents (RFC 9457)."""
_NOT_INSTRUMENTED = ("/healthz", "/readyz", "/metrics", "/page/")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application. Its service (`app.state.service`) begins to load when the server starts."""
    settings = settings or Settings()
    telemetry = Telemetry(settings)
    service = Service(settings, telemetry)
    telemetry.watch_engine(lambda: service.engine)
    seasons, control = Seasons(service), AccessControl(settings)
    pool = StatsPool(seasons, settings)
    mcp = McpEndpoint(service, seasons, pool, control)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        await mcp.start()
        watching = asyncio.create_task(reload(service, seasons))
        yield
        watching.cancel()
        await mcp.stop()
        await service.stop()
        await asyncio.to_thread(telemetry.close)

    app = FastAPI(
        title="Cricket inference",
        version=version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from other hosts; /docs is in serve/page
        redoc_url=None,
        telemetry={
            "tracer_provider": telemetry.tracers,
            "meter_provider": telemetry.meters,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"].startswith(_NOT_INSTRUMENTED),
        },
    )
    app.state.service = service
    given = settings.feedback_key.get_secret_value() if settings.feedback_key else None
    ids = RequestIds(secret_of(given, settings.feedback_db.with_suffix(".key")))
    app.add_middleware(RequestMiddleware, max_body=settings.max_body_bytes, ids=ids, hosts=HostCheck(settings))
    problems.install(app)
    access = [Depends(control)]
    store = FeedbackStore(settings.feedback_db, settings.feedback_max_mb, settings.feedback_days)
    app.include_router(infer.router(service, seasons, pool), dependencies=access)
    app.include_router(links.router(service, seasons, pool), dependencies=access)
    app.include_router(links.season_router(seasons), dependencies=access)
    app.include_router(feedback.router(service, store, ids), dependencies=access)
    app.include_router(openai_compat.router(service), dependencies=access)
    app.include_router(health.router(service))
    mcp.install(app)
    page.install(app)
    if origins := settings.origins():
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID", "Mcp-Protocol-Version"],
            expose_headers=["ETag", "Retry-After", "Server-Timing", "X-Request-ID"],
        )
    return app
