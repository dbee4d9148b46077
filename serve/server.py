"""The HTTP server's life: it listens before the model loads, drains on SIGTERM, and ends when the engine dies.

SIGTERM and Ctrl-C: /readyz turns 503, what is under way is finished, then the process exits with 0; a second
signal does not wait. If the engine's thread dies the process exits with 70, so that its supervisor starts it again.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
from types import FrameType

import uvicorn

from serve.app import create_app
from serve.engine import memory
from serve.service import Service
from serve.settings import Settings
from serve.telemetry import logs

log = logging.getLogger("serve")
ENGINE_DIED = 70  # EX_SOFTWARE
BACKLOG = 2048  # connections that wait to be accepted; uvicorn's own number


class CannotListen(Exception):
    """HOST and PORT cannot be listened on; says why and what to do."""


class Server(uvicorn.Server):
    """uvicorn, which drains the service before it closes its sockets."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self.exit_code = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        service.on_ready, service.on_failure = memory.freeze, self._failed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is None or self._draining is not None:
            self.should_exit = self.force_exit = True
            return
        log.info("%s: finishing what is under way", signal.Signals(sig).name)
        self._loop.call_soon_threadsafe(self._begin_drain)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
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


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets, one for each address that `host` has. Raises CannotListen.

    Made before anything is loaded, so that a port in use is said at once.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotListen(
            f"cannot listen on {host}: {error.strerror}; set HOST to an address of this machine"
        ) from None
    bound: list[socket.socket] = []
    for family, kind, protocol, _, address in dict.fromkeys(found):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError:  # a kernel without IPv6
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind(address)
            sock.listen(BACKLOG)  # at once: until one listens, several may bind
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:  # localhost is ::1 as well, where there is none
                continue
            for other in bound:
                other.close()
            raise CannotListen(_why_not(error, host, port)) from None
        bound.append(sock)
    if not bound:
        raise CannotListen(f"cannot listen on {host}: no address of it is this machine's; set HOST to one that is")
    return bound


def _why_not(error: OSError, host: str, port: int) -> str:
    where = f"cannot listen on {host} port {port}"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{where}: another program does; end it, or set PORT to another one (0 takes a free one)"
        case errno.EACCES:
            return f"{where}: not permitted; set PORT to one from 1024 up"
        case errno.EADDRNOTAVAIL:
            return f"{where}: not an address of this machine; set HOST to one that is"
        case _:
            return f"{where}: {error.strerror}"


def serve(settings: Settings) -> int:
    """Run the service until it is told to stop; the process's exit status. Raises CannotListen."""
    sockets = listen(settings.host, settings.port)
    logs.configure(settings.log_level)
    log.info("settings", extra={"settings": settings.redacted()})
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        backlog=BACKLOG,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    server = Server(config, app.state.service)
    server.run(sockets)
    if app.state.service.loading:
        logging.shutdown()
        os._exit(server.exit_code)
    return server.exit_code
