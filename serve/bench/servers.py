"""The servers that the engine benchmark compares, and the client that measures them.

`engine_server` is the engine behind a minimal HTTP server with llama-server's /completion (`python -m
serve.bench.servers MODEL PORT`), without the service around it; `llama_server`, `llama_cpp_server` and `example_server`
are its peers.
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
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from serve.bench.traffic import BenchRequest
from serve.engine import memory
from serve.engine.engine import Engine, EngineConfig
from serve.engine.sequence import Completion, Request

SLOTS = 16


@dataclass(frozen=True)
class ServerAPI:
    """A server's HTTP interface: paths, the JSON body of a request, and text and number of tokens of a reply."""

    path: str
    health: str
    body: Callable[[BenchRequest, bool], dict[str, Any]]  # (request, whether to ignore end-of-sequence)
    parse: Callable[[dict[str, Any]], tuple[str, int]]

    def http_request(self, request: BenchRequest, ignore_eos: bool) -> bytes:
        """The request's bytes on the wire."""
        grammar = {"grammar": request.grammar} if request.grammar else {}
        data = json.dumps(self.body(request, ignore_eos) | grammar).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}"
        return f"{head}\r\n\r\n".encode() + data


LLAMA_SERVER = ServerAPI(
    "/completion",
    "/health",
    lambda request, ignore_eos: {
        "prompt": request.prompt,
        "n_predict": request.n_predict,
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
        api: ServerAPI = LLAMA_SERVER,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name, self.port, self.api = name, port, api
        self._command, self._env = command, os.environ | (env or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        process = self._process = subprocess.Popen(
            self._command, env=self._env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit(f"{self.name} ended with code {process.returncode}: {' '.join(self._command)}")
            try:
                self.health()
                return self
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{self.name} was not ready within a minute")

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)

    def health(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.api.health}", timeout=5) as reply:
            health: dict[str, Any] = json.load(reply)
            return health


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def engine_server(model: Path, threads: int, drafts: bool = True, env: dict[str, str] | None = None) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "serve.bench.servers", str(model), str(port), "--threads", str(threads)]
    command += ["--no-drafts"] * (not drafts)
    return Server("ours", command, port, env=env)


def llama_server(binary: str, model: Path, threads: int, unified: bool) -> Server:
    """llama-server with one KV cache per slot, or one for all (`unified`): which is faster depends on the traffic."""
    port = free_port()
    options = f"--host 127.0.0.1 --port {port} -c 8192 -np {SLOTS} -t {threads} -tb {threads} --no-webui"
    name, command = "llama-server", [binary, "-m", str(model), *options.split()]
    return Server(f"{name}, unified" if unified else name, command + ["--kv-unified"] * unified, port)


def llama_cpp_server(model: Path, threads: int) -> Server:
    """llama-cpp-python's own server. It takes text, not token ids, and has no ignore_eos: a logit bias replaces it."""
    _require("llama_cpp.server", "sse_starlette", "starlette_context")
    vocabulary = _vocabulary(model)
    bos, eos = vocabulary.token_bos(), vocabulary.token_eos()
    adds_bos = vocabulary.metadata.get("tokenizer.ggml.add_bos_token") != "false"

    def body(request: BenchRequest, ignore_eos: bool) -> dict[str, Any]:
        tokens = request.prompt[1:] if adds_bos and request.prompt[0] == bos else request.prompt
        text = vocabulary.detokenize(tokens, special=True).decode()
        bias = {"logit_bias": {str(eos): -100}} if ignore_eos else {}
        greedy = {"temperature": 0, "repeat_penalty": 1.0}  # by default it penalises repetition
        return {"prompt": text, "max_tokens": request.n_predict} | greedy | bias

    port = free_port()
    options = f"--host 127.0.0.1 --port {port} --n_ctx 2048 --n_threads {threads} --n_threads_batch {threads}"
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), *options.split()]
    api = ServerAPI("/v1/completions", "/v1/models", body, _parse_openai)
    return Server("llama_cpp.server", [*command, "--flash_attn", "true"], port, api)


def example_server(script: Path, model: Path, threads: int, folder: Path) -> Server:
    """llama-cpp-python's example server, configured in `folder`. It takes token ids, but no grammar."""
    _require("the example server", "openai", "safetensors", "websockets")
    eos = _vocabulary(model).token_eos()
    port = free_port()
    options = {"n_ctx": 8192, "n_seq_max": SLOTS, "n_batch": 512, "flash_attn": True, "store_logits": False}
    options |= {"threads": threads, "threads_batch": threads}
    config = {"server": {"port": port}, "model": {"path": str(model.absolute())} | options}
    path = folder / "example-server-config.json"
    path.write_text(json.dumps(config, indent=1))

    def body(request: BenchRequest, ignore_eos: bool) -> dict[str, Any]:
        bias = {"logit_bias": {str(eos): -100}} if ignore_eos else {}
        return {"prompt": request.prompt, "max_tokens": request.n_predict, "temperature": 0} | bias

    command = [sys.executable, str(script), "-C", str(path)]
    return Server("example server", command, port, ServerAPI("/v1/completions", "/healthz", body, _parse_openai))


def _require(server: str, *modules: str) -> None:
    if missing := [module for module in modules if importlib.util.find_spec(module) is None]:
        raise SystemExit(f"{server} needs {' '.join(missing)}: pip install {' '.join(missing).replace('_', '-')}")


def _vocabulary(model: Path) -> Any:
    import llama_cpp

    return llama_cpp.Llama(str(model), vocab_only=True, verbose=False)


def _parse_openai(reply: dict[str, Any]) -> tuple[str, int]:
    return reply["choices"][0]["text"], reply["usage"]["completion_tokens"]


# -- minimal HTTP client and server: both share the cores with the model


class Connection(asyncio.Protocol):
    """One connection's HTTP messages."""

    def __init__(self, received: Callable[[Connection, bytes, bytes], None]) -> None:
        self._received, self._data = received, bytearray()
        self.on_lost: Callable[[], None] = lambda: None  # called when the connection ends
        self.send: Callable[[bytes], None]  # set when the connection is made
        self.close: Callable[[], None]

    def connection_made(self, transport: Any) -> None:
        self.send, self.close = transport.write, transport.close

    def connection_lost(self, _: Exception | None) -> None:
        self.on_lost()

    def data_received(self, data: bytes) -> None:
        """Call `received(connection, head, body)` for every complete message."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n") + 4) >= 4:
            head = bytes(self._data[:end])
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0] or 0)
            if len(self._data) < end + length:
                return
            body = bytes(self._data[end : end + length])
            del self._data[: end + length]
            self._received(self, head, body)


async def send_all(
    server: Server, requests: list[BenchRequest], clients: int, ignore_eos: bool
) -> tuple[float, int, list[str]]:
    """Send `requests` over `clients` connections; returns seconds, tokens generated and the texts in order."""
    data = [server.api.http_request(request, ignore_eos) for request in requests]
    replies, todo = [b""] * len(requests), iter(range(len(requests)))
    sent: dict[Connection, int] = {}
    loop = asyncio.get_running_loop()
    complete: asyncio.Future[None] = loop.create_future()
    closed = ConnectionError(f"{server.name} closed a connection")

    def received(connection: Connection, _: bytes, body: bytes) -> None:
        replies[sent[connection]] = body
        send_next(connection)

    def send_next(connection: Connection) -> None:
        if (i := next(todo, None)) is not None:
            sent[connection] = i
            connection.send(data[i])
        elif all(replies) and not complete.done():
            complete.set_result(None)

    def lost() -> None:
        if not complete.done():
            complete.set_exception(closed)

    open_one = partial(loop.create_connection, lambda: Connection(received), "127.0.0.1", server.port)
    connections = [(await open_one())[1] for _ in range(clients)]
    began = time.perf_counter()
    for connection in connections:
        connection.on_lost = lost
        send_next(connection)
    try:
        await complete
        seconds = time.perf_counter() - began
    finally:
        for connection in connections:
            connection.close()
    texts, n_tokens = zip(*(server.api.parse(json.loads(reply)) for reply in replies), strict=True)
    return seconds, sum(n_tokens), list(texts)


async def serve(model: Path, port: int, threads: int, drafts: bool) -> None:
    """Run the engine behind a minimal HTTP server with llama-server's /completion."""
    began = time.perf_counter()
    config = EngineConfig(
        model, n_slots=SLOTS, queue_size=256, drafts=drafts, n_threads=threads, n_threads_batch=threads
    )
    engine = Engine(config)
    await asyncio.to_thread(engine.start)
    memory.freeze()  # as serve/__main__.py does
    ready_s = time.perf_counter() - began
    vocabulary, loop = engine.runner.vocabulary, asyncio.get_running_loop()

    def received(connection: Connection, head: bytes, body: bytes) -> None:
        if b"/completion" not in head:
            reply(connection, {"status": "ok", "ready_s": ready_s} | asdict(engine.health().totals))
            return
        fields = json.loads(body)
        prompt = fields["prompt"]
        request = Request(
            prompt if isinstance(prompt, list) else vocabulary.tokenize(prompt),
            fields["n_predict"],
            grammar=fields.get("grammar"),
            ignore_eos=fields.get("ignore_eos", False),
        )
        future = engine.submit(request).future
        future.add_done_callback(lambda future: loop.call_soon_threadsafe(finished, connection, future))

    def finished(connection: Connection, future: Future[Completion]) -> None:
        if future.exception() is not None:
            connection.close()  # the client reports a closed connection
            return
        done = future.result()
        reply(connection, {"content": done.text, "tokens_predicted": len(done.tokens)})

    def reply(connection: Connection, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data) + data)

    async with await loop.create_server(lambda: Connection(received), "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve a GGUF for the benchmark.")
    parser.add_argument("model", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the cgroup grants")
    parser.add_argument("--no-drafts", action="store_true")
    args = parser.parse_args()
    asyncio.run(serve(args.model, args.port, args.threads, not args.no_drafts))
