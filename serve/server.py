"""The HTTP server's life: it listens before the model loads, drains on SIGTERM, and ends when the engine dies.

SIGTERM and Ctrl-C: /readyz turns 503, what is under way is finished, then the process exits with 0; a second
signal does not wait. If the engine's thread dies the process exits with 70, so that its supervisor starts it again.
Whatever hangs (a collector, the reader of the log, native code), the process ends with 1 DEADLINE_S and GRACE_S after
the first signal, and FORCED_S after the second one.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
import time
from types import FrameType
from typing import Any

import uvicorn

from serve.app import create_app
from serve.connections import ConnectionLimits
from serve.engine import memory
from serve.service import Service
from serve.settings import Settings
from serve.telemetry import logs

log = logging.getLogger("serve")
ENGINE_DIED = 70  # EX_SOFTWARE
BACKLOG = 2048  # connections that wait to be accepted; uvicorn's own number
# How many asyncio accepts at once. Without descriptors it tries and logs as often, and again each second.
ACCEPTS = 16
GRACE_S = 8.0  # beside the longest answer; less than the ten seconds that the chart's grace period adds
FORCED_S = 2.0
LOG_FLUSH_S = 1.0


class CannotListen(Exception):
    """HOST and PORT cannot be listened on; says why and what to do."""


class Server(uvicorn.Server):
    """uvicorn, which drains the service before it closes its sockets."""

    def __init__(self, config: uvicorn.Config, service: Service, limits: ConnectionLimits | None = None) -> None:
        super().__init__(config)
        self.service = service
        self.limits = limits or ConnectionLimits()
        self.exit_code = 0
        self._no_descriptors_at = 0.0
        self._sweeper: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None
        service.on_ready, service.on_failure = memory.freeze, self._failed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is None or self._draining is not None:
            self.should_exit = self.force_exit = True
            _end_within(FORCED_S)
            return
        _end_within(self.service.settings.deadline_s + GRACE_S)
        log.info("%s: finishing what is under way", signal.Signals(sig).name)
        self._loop.call_soon_threadsafe(self._begin_drain)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._loop_failed)
        await super().startup(sockets)
        for sock in sockets or []:
            sock.listen(BACKLOG)  # asyncio has set it to ACCEPTS
        self._sweeper = asyncio.create_task(self._sweep(), name="sweep")
        for server in self.servers:
            for sock in server.sockets:
                log.info("listening on http://%s:%d", *sock.getsockname()[:2])

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.limits.sweep()

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what no other code catches; that there are no descriptors, once a second."""
        if "out of system resource" not in str(context.get("message")):
            loop.default_exception_handler(context)
        elif time.monotonic() - self._no_descriptors_at >= 1:
            self._no_descriptors_at = time.monotonic()
            log.error("no file descriptor is left for a new connection: raise the limit (ulimit -n)")

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
    """Run the service until it is told to stop, then end the process with its exit status. Raises CannotListen."""
    sockets = listen(settings.host, settings.port)
    logs.configure(settings.log_level)
    log.info("settings", extra={"settings": settings.redacted()})
    app = create_app(settings)
    limits = ConnectionLimits(settings.max_connections)
    config = uvicorn.Config(
        app,
        http=limits.protocol,
        ws="none",
        backlog=ACCEPTS,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or "",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=10,
    )
    server = Server(config, app.state.service, limits)
    server.run(sockets)
    logs.flush(LOG_FLUSH_S)
    # The interpreter would wait for threads: of a download, a locked file, a collector that does not answer.
    os._exit(server.exit_code)


def _end_within(seconds: float) -> None:
    """End the process after this time, if it is still there."""
    timer = threading.Timer(seconds, os._exit, (1,))
    timer.daemon = True
    timer.start()
