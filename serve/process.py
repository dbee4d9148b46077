"""Runs the service as a child process, for the demo, the benchmark and the tests.

with ServiceProcess(Path("service.log"), MODEL_PATH="models/demo", QUEUE_SIZE=4) as service:
    service.wait_ready()
    service.ask("most sixes?").json()
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).parent.parent
LISTEN_TIMEOUT_S = 300.0
READY_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 120.0  # more than the longest answer
# The log says at INFO on which port the service listens. The clients here send no key and no model is downloaded.
DEFAULTS = {"HOST": "127.0.0.1", "PORT": "0", "LOG_LEVEL": "INFO", "API_KEYS": "", "MODEL_REPO": ""}


class StartError(Exception):
    """The service ended, failed or took too long before it was ready; the message says why."""


class ServiceProcess:
    """`python -m serve` on a free port, with its log in a file. The constructor returns when the service listens.

    `settings` are set over `environment`, by default that of this process. `command` replaces `python -m serve`.
    Raises StartError.
    """

    def __init__(
        self,
        log: Path,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str | Path] = (sys.executable, "-P", "-m", "serve"),
        **settings: object,
    ) -> None:
        given = dict(os.environ if environment is None else environment)
        # This repository's packages, even where the working directory holds others of their names.
        path = os.pathsep.join(filter(None, [str(ROOT), given.get("PYTHONPATH")]))
        given |= DEFAULTS | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        given |= {name: str(value) for name, value in settings.items()}
        self.log: Path = log
        self._began: float = time.monotonic()
        with log.open("wb") as stream:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                command, env=given, stdout=stream, stderr=subprocess.STDOUT
            )
        try:
            self._wait_for("to listen", self._listens, LISTEN_TIMEOUT_S)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.url: str = self._addresses()[0]

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> float:
        """Wait until questions are answered; seconds since the process was started. Raises StartError."""
        with self.client() as client:

            def ready() -> bool:
                self._check_alive()
                response = client.get("/readyz")
                if response.json().get("stage") == "failed":
                    raise StartError(f"the service failed to start: {response.json().get('reason')}")
                return response.status_code == 200

            self._wait_for("to be ready", ready, timeout_s)
        return time.monotonic() - self._began

    def client(self, **options: Any) -> httpx.Client:
        """An HTTP client of the service; to be closed."""
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)

    def ask(self, question: str, **fields: Any) -> httpx.Response:
        """POST /infer with a question and further fields of its body."""
        with self.client() as client:
            return client.post("/infer", json={"question": question, **fields})

    def stop(self) -> int:
        """End the process by SIGTERM, as a supervisor does; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_for(self, what: str, holds: Callable[[], bool], timeout_s: float) -> None:
        try:
            wait_for(holds, timeout_s, self._end_of_log)
        except TimeoutError as error:
            raise StartError(f"waited for the service {what}: {error}") from None

    def _listens(self) -> bool:
        self._check_alive()
        return bool(self._addresses())

    def _addresses(self) -> list[str]:
        return re.findall(r"listening on (http://[\d.:]+)", self.log.read_text())

    def _check_alive(self) -> None:
        status = self.process.poll()
        if status is not None:
            raise StartError(f"the service ended with exit status {status}: {self._end_of_log()}")

    def _end_of_log(self) -> str:
        return self.log.read_text()[-3000:]


def wait_for(holds: Callable[[], bool], timeout_s: float = 20.0, explain: Callable[[], str] = str) -> None:
    """Poll until `holds()`. Raises TimeoutError with `explain()` after `timeout_s` seconds."""
    until = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"still not so after {timeout_s:g} s: {explain()}")
        time.sleep(0.05)
