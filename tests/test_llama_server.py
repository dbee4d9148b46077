"""The agents over a real llama-server: one setting moves the model there, and the answers stay the same.

Needs llama-server: LLAMA_SERVER=path, or `python -m convert.gguf.llama_cpp_source --server` once; otherwise skipped
with a message.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from convert.gguf.llama_cpp_source import server_folder
from convert.manifest import load
from serve.process import ServiceProcess, wait_for
from tests.conftest import Launch

QUESTIONS = ["Who scored the most runs?", "bumrah economy at the death?", "narine or salt, better strike rate?",
             "who won the final", "Who will win next year?", "Iyer strike rate"]  # fmt: skip


@pytest.fixture(scope="module")
def llama_server(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a llama-server with the demo's model."""
    binary = Path(os.environ.get("LLAMA_SERVER") or server_folder() / "llama-server")
    if not binary.is_file():
        pytest.skip(f"no {binary}: `python -m convert.gguf.llama_cpp_source --server` compiles it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    model = demo_model / load(demo_model).default_file
    log = tmp_path_factory.mktemp("llama") / "log"
    options = f"--host 127.0.0.1 --port {port} -c 4096 -np 2 -t 1 --jinja --no-webui"
    command = [str(binary), "-m", str(model), *options.split()]
    with log.open("wb") as stream, subprocess.Popen(command, stdout=stream, stderr=stream) as process:
        url = f"http://127.0.0.1:{port}"

        def ready() -> bool:
            assert process.poll() is None, log.read_text()[-2000:]
            try:
                return httpx.get(f"{url}/health", trust_env=False).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(ready, 60, log.read_text)
        yield url
        process.terminate()


def test_the_agents_give_the_same_answers_over_llama_server(
    trained: None, llama_server: str, launch: Launch, service: ServiceProcess
) -> None:
    other = launch(OPENAI_BASE_URL=f"{llama_server}/v1", OPENAI_MODEL="demo")
    other.wait_ready()
    for question in QUESTIONS:
        ours, theirs = service.ask(question).json(), other.ask(question).json()
        for field in ("outcome", "query", "answer"):
            assert theirs[field] == ours[field], (question, theirs, ours)
