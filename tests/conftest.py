"""Fixtures that several test files share: a model folder, and the real service on it.

`demo_model` is models/demo where `make demo` (or `make test`) has made it; else a stand-in with random
weights. Its answers mean nothing but pass through every part, since the grammars admit only query lines that parse.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve.process import ServiceProcess, wait_for

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "models" / "demo"


def stand_in(folder: Path) -> Path:
    """A model folder with a manifest over a quantised GGUF of random weights."""
    from convert.manifest import Adapter, Base, Data, Manifest, entry_for, save
    from data.prompts import PROMPT_VERSION
    from serve.bench.random_model import SHAPES, write_gguf

    folder.mkdir(parents=True, exist_ok=True)
    path = write_gguf(folder / "model-q8_0.gguf", SHAPES["tiny"], quantised=True)
    save(
        Manifest(
            name="stand-in",
            created="2024-01-01T00:00:00Z",
            base=Base("random", None, "0" * 64),
            data=Data("ipl_2024", "0" * 64),
            adapter=Adapter(None),
            prompt_version=PROMPT_VERSION,
            llama_cpp_commit="unknown",
            default_file=path.name,
            files={path.name: entry_for(path, "Q8_0")},
        ),
        folder,
    )
    return folder


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights."""
    return stand_in(tmp_path_factory.mktemp("models") / "stand-in")


@pytest.fixture(scope="session")
def demo_model(request: pytest.FixtureRequest) -> Path:
    """The demo's model folder, or the stand-in."""
    return DEMO if (DEMO / "manifest.json").is_file() else request.getfixturevalue("random_model")


@pytest.fixture(scope="session")
def trained(demo_model: Path) -> None:
    """For tests that look at what is answered: skips where there is only the stand-in."""
    if demo_model != DEMO:
        pytest.skip(f"no trained model in {DEMO}: run `make demo` first (`make test` does)")


Launch = Callable[..., ServiceProcess]


@pytest.fixture(scope="session")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Starts services: `launch(MODEL_PATH=..., QUEUE_SIZE=4)`. All are stopped at the end."""
    running: list[ServiceProcess] = []

    def start(**settings: object) -> ServiceProcess:
        folder = tmp_path_factory.mktemp("service")
        # None of the developer's own settings; one thread each, so that the tests have the other cores.
        clean = {k: v for k, v in os.environ.items() if k.upper() not in _settings() and not k.startswith("OTEL_")}
        defaults = {"N_THREADS": 1, "N_THREADS_BATCH": 1, "FEEDBACK_DB": folder / "feedback.sqlite"}
        running.append(ServiceProcess(folder / "log", clean, **(defaults | settings)))
        return running[-1]

    yield start
    for service in running:
        service.stop()


@pytest.fixture(scope="session")
def service(launch: Launch, demo_model: Path) -> ServiceProcess:
    """A ready service on the demo's model (or the stand-in)."""
    found = launch(MODEL_PATH=demo_model)
    found.wait_ready()
    return found


def _settings() -> set[str]:
    from serve.settings import Settings

    return {name.upper() for name in Settings.model_fields}


@dataclass
class InProcess:
    """The app under uvicorn in a thread of the tests' process: real HTTP, and access to the service's state."""

    url: str
    service: Any
    server: Any
    thread: threading.Thread

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, trust_env=False, **options)

    def wait_ready(self, seconds: float = 600) -> None:
        wait_for(
            lambda: self.service.state.ready or bool(self.service.failed), seconds, lambda: str(self.service.state)
        )
        assert self.service.state.ready, self.service.state

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive()


Host = Callable[..., InProcess]


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Starts apps in this process: `host(model_path=..., queue_size=4)`. All are stopped at the end."""
    import uvicorn

    from serve.app import create_app
    from serve.settings import Settings

    running: list[InProcess] = []

    def start(**settings: Any) -> InProcess:
        defaults = {
            "n_threads": 1,
            "n_threads_batch": 1,
            "feedback_db": tmp_path_factory.mktemp("app") / "f.sqlite",
        }
        app = create_app(Settings(_env_file=None, **(defaults | settings)))
        config = uvicorn.Config(app, port=0, log_config=None, access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        wait_for(lambda: server.started, 60)
        port = server.servers[0].sockets[0].getsockname()[1]
        running.append(InProcess(f"http://127.0.0.1:{port}", app.state.service, server, thread))
        return running[-1]

    yield start
    for app in running:
        if app.thread.is_alive():
            app.stop()


@pytest.fixture(scope="session")
def app(host: Host, random_model: Path) -> InProcess:
    """A ready app on random weights, for all tests but those of an answer's truth."""
    found = host(model_path=random_model, raw_model=True)
    found.wait_ready()
    return found
