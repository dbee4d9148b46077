"""The page at `/`, its files below /page/, and /docs: static files that load nothing from other hosts."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent.parent / "page"


def install(app: FastAPI) -> None:
    """Add the page to `app`."""

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(FOLDER / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(FOLDER / "docs.html")

    app.mount("/page", StaticFiles(directory=FOLDER), name="page")
