"""Start the service: `python -m serve`. HOST, PORT and all other settings come from the environment.

SIGTERM and Ctrl-C: /readyz turns 503, what is under way is finished, then the process exits with 0; a second
signal does not wait. If the engine's thread dies the process exits with 70, so that its supervisor starts it
again. The settings are in serve/settings.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from types import FrameType

import uvicorn
from pydantic import ValidationError

from serve.app import create_app
from serve.engine import memory
from serve.service import Service
from serve.settings import Settings
from serve.telemetry import logs

log = logging.getLogger("serve")
ENGINE_DIED = 70  # EX_SOFTWARE


class Server(uvicorn.Server):
    """uvicorn, which drains the service before it closes its socket."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self.exit_code = 0
        self._draining: asyncio.Task | None = None
        service.on_ready, service.on_failure = memory.freeze, self._failed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is None or self._draining is not None:
            self.should_exit = self.force_exit = True
            return
        log.info("%s: finishing what is under way", signal.Signals(sig).name)
        self._loop.call_soon_threadsafe(self._begin_drain)

    _loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for server in self.servers:
            for sock in server.sockets:
                log.info("listening on http://%s:%d", *sock.getsockname()[:2])

    def _begin_drain(self) -> None:
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        await self.service.drain()
        self.should_exit = True

    def _failed(self) -> None:
        """The engine is dead: leave requests under way a moment for their error replies, then go."""
        self.exit_code = ENGINE_DIED
        asyncio.get_running_loop().call_later(1.0, setattr, self, "should_exit", True)


def main() -> int:
    try:
        settings = Settings()
    except ValidationError as error:
        for e in error.errors(include_input=False, include_url=False):
            print(f"setting {'.'.join(map(str, e['loc'])).upper()}: {e['msg']}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level)
    log.info("settings", extra={"settings": settings.redacted()})
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    server = Server(config, app.state.service)
    server.run()
    if app.state.service.loading:
        logging.shutdown()
        os._exit(server.exit_code)
    return server.exit_code


if __name__ == "__main__":
    sys.exit(main())
