"""The servers that the engine's benchmark compares, and the client that asks them.

`ours` is the engine behind the least HTTP that answers llama-server's /completion (`python -m serve.bench.servers MODEL
PORT`), without the service around it; `llama_server`, `llama_cpp_server` and `example_server` are what others run.
Knows nothing about what is asked or measured.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from serve.bench.traffic import Ask
from serve.engine import memory
from serve.engine.engine import Engine, EngineConfig
from serve.engine.sequence import Completion, Request

SLOTS = 16


@dataclass(frozen=True)
class Dialect:
    """How a server is asked: where, what a request's body holds, and the text and number of tokens of a reply."""

    path: str
    health: str
    body: Callable[[Ask, bool], dict]  # (ask, whether end-of-sequence is ignored)
    read: Callable[[dict], tuple[str, int]]

    def request(self, ask: Ask, ignore_eos: bool) -> bytes:
        """The whole HTTP request."""
        data = json.dumps(self.body(ask, ignore_eos) | ({"grammar": ask.grammar} if ask.grammar else {})).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
        return f"{head}\r\n\r\n".encode() + data


LLAMA_SERVER = Dialect(
    "/completion",
    "/health",
    lambda ask, ignore_eos: {
        "prompt": ask.prompt,
        "n_predict": ask.n_predict,
        "temperature": 0,
        "ignore_eos": ignore_eos,
        "cache_prompt": True,
    },
    lambda reply: (reply["content"], reply["tokens_predicted"]),
)


class Server:
    """A server process and its port; stopped on leaving the `with` block."""

    def __init__(
        self,
        name: str,
        command: list[str],
        port: int,
        dialect: Dialect = LLAMA_SERVER,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name, self.port, self.dialect = name, port, dialect
        self._command, self._env = command, os.environ | (env or {})

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            if self._process.poll() is not None:
                raise SystemExit(f"{self.name} ended with code {self._process.returncode}: {' '.join(self._command)}")
            try:
                self.health()
                return self
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name} was not ready within a minute")

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(10)

    def health(self) -> dict:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.dialect.health}", timeout=5) as reply:
            return json.load(reply)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ours(model: Path, threads: int, drafts: bool = True, env: dict[str, str] | None = None) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "serve.bench.servers", str(model), str(port), "--threads", str(threads)]
    command += ["--no-drafts"] * (not drafts)
    return Server("ours", command, port, env=env)


def llama_server(binary: str, model: Path, threads: int, unified: bool) -> Server:
    """llama-server with a KV cache for each of its slots, or one for all: which is faster depends on the traffic."""
    port = free_port()
    options = f"--host 127.0.0.1 --port {port} -c 8192 -np {SLOTS} -t {threads} -tb {threads} --no-webui"
    name, command = "llama-server", [binary, "-m", str(model), *options.split()]
    return Server(f"{name}, unified" if unified else name, command + ["--kv-unified"] * unified, port)


def llama_cpp_server(model: Path, threads: int) -> Server:
    """llama-cpp-python's own server. It takes text, not tokens, and has no ignore_eos: a bias stands for that."""
    _need("llama_cpp.server", "sse_starlette", "starlette_context")
    vocabulary = _vocabulary(model)
    bos, eos = vocabulary.token_bos(), vocabulary.token_eos()
    adds_bos = vocabulary.metadata.get("tokenizer.ggml.add_bos_token") != "false"

    def body(ask: Ask, ignore_eos: bool) -> dict:
        tokens = ask.prompt[1:] if adds_bos and ask.prompt[0] == bos else ask.prompt
        text = vocabulary.detokenize(tokens, special=True).decode()
        bias = {"logit_bias": {str(eos): -100}} if ignore_eos else {}
        greedy = {"temperature": 0, "repeat_penalty": 1.0}  # it penalises repetition unless told not to
        return {"prompt": text, "max_tokens": ask.n_predict} | greedy | bias

    port = free_port()
    options = f"--host 127.0.0.1 --port {port} --n_ctx 2048 --n_threads {threads} --n_threads_batch {threads}"
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), *options.split()]
    dialect = Dialect("/v1/completions", "/v1/models", body, _read_openai)
    return Server("llama_cpp.server", [*command, "--flash_attn", "true"], port, dialect)


def example_server(script: Path, model: Path, threads: int, folder: Path) -> Server:
    """llama-cpp-python's example server, set up in `folder`. It takes tokens, but no grammar of one's own."""
    _need("the example server", "openai", "safetensors", "websockets")
    eos = _vocabulary(model).token_eos()
    port = free_port()
    team = {"threads": threads, "threads_batch": threads}
    options = {"n_ctx": 8192, "n_seq_max": SLOTS, "n_batch": 512, "flash_attn": True, "store_logits": False}
    config = {"server": {"port": port}, "model": {"path": str(model.absolute())} | options | team}
    path = folder / "example-server-config.json"
    path.write_text(json.dumps(config, indent=1))

    def body(ask: Ask, ignore_eos: bool) -> dict:
        bias = {"logit_bias": {str(eos): -100}} if ignore_eos else {}
        return {"prompt": ask.prompt, "max_tokens": ask.n_predict, "temperature": 0} | bias

    command = [sys.executable, str(script), "-C", str(path)]
    return Server("example server", command, port, Dialect("/v1/completions", "/healthz", body, _read_openai))


def _need(server: str, *modules: str) -> None:
    if lacking := [module for module in modules if importlib.util.find_spec(module) is None]:
        raise SystemExit(f"{server} needs {' '.join(lacking)}: pip install {' '.join(lacking).replace('_', '-')}")


def _vocabulary(model: Path) -> Any:
    import llama_cpp

    return llama_cpp.Llama(str(model), vocab_only=True, verbose=False)


def _read_openai(reply: dict) -> tuple[str, int]:
    return reply["choices"][0]["text"], reply["usage"]["completion_tokens"]


# -- HTTP with as little work as that takes, on either side: both share two cores with the model


class Connection(asyncio.Protocol):
    """One connection's HTTP messages."""

    def __init__(self, received: Callable[[Connection, bytes, bytes], None]) -> None:
        self._received, self._data = received, bytearray()
        self.lost: Callable[[], None] = lambda: None  # called when the connection ends

    def connection_made(self, transport) -> None:
        self.send = transport.write
        self.close = transport.close

    def connection_lost(self, _: Exception | None) -> None:
        self.lost()

    def data_received(self, data: bytes) -> None:
        """Hand every whole message to `received(connection, head, body)`."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n") + 4) >= 4:
            head = bytes(self._data[:end])
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0] or 0)
            if len(self._data) < end + length:
                return
            body = bytes(self._data[end : end + length])
            del self._data[: end + length]
            self._received(self, head, body)


async def ask_all(server: Server, asks: list[Ask], clients: int, ignore_eos: bool) -> tuple[float, int, list[str]]:
    """Send `asks` over `clients` connections; returns seconds, tokens made and the texts in order."""
    bodies = [server.dialect.request(ask, ignore_eos) for ask in asks]
    replies, todo, sent = [b""] * len(asks), iter(range(len(asks))), {}
    loop = asyncio.get_running_loop()
    all_there: asyncio.Future[None] = loop.create_future()
    hung_up = ConnectionError(f"{server.name} hung up")

    def received(connection: Connection, _: bytes, body: bytes) -> None:
        replies[sent[connection]] = body
        ask_next(connection)

    def ask_next(connection: Connection) -> None:
        if (i := next(todo, None)) is not None:
            sent[connection] = i
            connection.send(bodies[i])
        elif all(replies) and not all_there.done():
            all_there.set_result(None)

    open_one = partial(loop.create_connection, lambda: Connection(received), "127.0.0.1", server.port)
    connections = [(await open_one())[1] for _ in range(clients)]
    began = time.perf_counter()
    for connection in connections:
        connection.lost = lambda: all_there.done() or all_there.set_exception(hung_up)
        ask_next(connection)
    await all_there
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    texts, made = zip(*(server.dialect.read(json.loads(reply)) for reply in replies), strict=True)
    return seconds, sum(made), list(texts)


async def serve(model: Path, port: int, threads: int, drafts: bool) -> None:
    """The engine behind the least HTTP that answers llama-server's /completion."""
    began = time.perf_counter()
    team = {"n_threads": threads, "n_threads_batch": threads}
    engine = Engine(EngineConfig(model, n_slots=SLOTS, queue_size=256, drafts=drafts, **team))
    await asyncio.to_thread(engine.start)
    memory.freeze()  # as serve/__main__.py does
    ready_s = time.perf_counter() - began
    vocabulary, loop = engine.runner.vocabulary, asyncio.get_running_loop()

    def received(connection: Connection, head: bytes, body: bytes) -> None:
        if b"/completion" not in head:
            totals = engine.health().totals
            answer(connection, {"status": "ok", "ready_s": ready_s} | {n: getattr(totals, n) for n in totals.__slots__})
            return
        ask = json.loads(body)
        prompt = ask["prompt"]
        request = Request(
            prompt if isinstance(prompt, list) else vocabulary.tokenize(prompt),
            ask["n_predict"],
            grammar=ask.get("grammar"),
            ignore_eos=ask.get("ignore_eos", False),
        )
        future = engine.submit(request).future
        future.add_done_callback(lambda future: loop.call_soon_threadsafe(finished, connection, future))

    def finished(connection: Connection, future: Future[Completion]) -> None:
        if future.exception() is not None:
            connection.close()  # the client says that the server hung up
            return
        done = future.result()
        answer(connection, {"content": done.text, "tokens_predicted": len(done.tokens)})

    def answer(connection: Connection, reply: dict) -> None:
        data = json.dumps(reply).encode()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    async with await loop.create_server(lambda: Connection(received), "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a GGUF for the benchmark.")
    parser.add_argument("model", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--threads", type=int, default=0, help="0: what the cgroup grants")
    parser.add_argument("--no-drafts", action="store_true")
    args = parser.parse_args()
    asyncio.run(serve(args.model, args.port, args.threads, not args.no_drafts))
