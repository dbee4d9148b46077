"""The HTTP application: `create_app(Settings())`. Routes are in serve/routes_*.py, state in serve/service.py.

python -m serve
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from data.version import version
from serve.api import health as routes_health
from serve.api import infer as routes_infer
from serve.api import openai_compat as routes_openai
from serve.api import page as routes_page
from serve.api import problems
from serve.api.middleware import Access
from serve.api.security import Gate
from serve.service import Service
from serve.settings import Settings
from serve.telemetry.feedback import FeedbackStore
from serve.telemetry.otel import Telemetry

DESCRIPTION = """Questions about one cricket season, answered with figures that are computed, never guessed.
`POST /infer` takes a question; `POST /stats` a query line. Errors are problem documents (RFC 9457)."""
_UNWATCHED = ("/healthz", "/readyz", "/metrics", "/page/")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application; its service (`app.state.service`) starts loading when the server starts."""
    settings = settings or Settings()
    telemetry = Telemetry(settings)
    service = Service(settings, telemetry)
    telemetry.watch_engine(lambda: service.engine)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()
        telemetry.close()

    app = FastAPI(
        title="Cricket inference",
        version=version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere; ours is serve/page
        redoc_url=None,
        telemetry={
            "tracer_provider": telemetry.tracers,
            "meter_provider": telemetry.meters,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"].startswith(_UNWATCHED),
        },
    )
    app.state.service = service
    app.add_middleware(Access, max_body=settings.max_body_bytes)
    problems.install(app)
    gate = [Depends(Gate(settings))]
    app.include_router(routes_infer.router(service, FeedbackStore(settings.feedback_db)), dependencies=gate)
    app.include_router(routes_openai.router(service), dependencies=gate)
    app.include_router(routes_health.router(service))
    routes_page.install(app)
    return app
