"""Any OpenAI-compatible server as the agents' TextModel: llama-server, vLLM, another instance of this service.

    model = OpenAIModel("http://127.0.0.1:8080/v1", "cricket")

The grammar is sent under the names that llama-server (`grammar`) and vLLM (`structured_outputs`) read. A server that
supports neither generates freely; the agents decline what does not parse and word plainly what does not verify.
Cancelling the awaiting task closes the connection.

The server is not trusted: what it sends is bounded and checked, a stream that makes no sense ends the text
(`garbled`), and its messages go to the log, never into an exception, since those are shown to clients.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx

from agents.model import Generation

log = logging.getLogger(__name__)

MAX_STREAM_BYTES = 4 << 20  # of one answer, of which every token is an event of some 300 bytes
MAX_LINE_BYTES = 65_536  # of one event, which has a token
MAX_ERROR_BYTES = 4096  # of an error reply that are read, for the log
MAX_RETRY_AFTER_S = 600
MAX_TOKENS_TOLD = 10_000_000  # more in `usage` are a mistake
_HINTS = {401: "OPENAI_API_KEY", 403: "OPENAI_API_KEY", 404: "OPENAI_BASE_URL and OPENAI_MODEL"}


class ServerError(Exception):
    """The server cannot be reached or refuses; the message says what to check, and nothing that the server said."""


class ServerBusy(ServerError):
    """The server refused the request for now; `retry_after_s` is the server's own estimate."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class _Garbled(Exception):
    """The stream is no OpenAI-compatible one."""


class OpenAIModel:
    """Streams its requests, to measure time to first token. `name` is the model's name at the server."""

    def __init__(self, base_url: str, name: str, api_key: str | None = None, connect_s: float = 5.0) -> None:
        self.base_url, self.name = base_url.rstrip("/"), name
        self._secrets = [secret for secret in (api_key, _password(self.base_url)) if secret]
        # No compression: the limit on what is read would be one on what is sent, a thousandth of it.
        headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})
        timeout = httpx.Timeout(120.0, connect=connect_s)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=32)
        self._client = httpx.AsyncClient(headers=headers, timeout=timeout, limits=limits)

    async def generate(
        self,
        messages: list[dict[str, str]],
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        deadline_s: float | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> Generation:
        """As agents.model.TextModel says. Raises ServerError."""
        body: dict[str, Any] = {
            "model": self.name,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if seed is not None:
            body["seed"] = seed
        if grammar is not None:
            body |= {"grammar": grammar, "structured_outputs": {"grammar": grammar}}
        completion = _StreamedCompletion()
        try:
            async with asyncio.timeout(deadline_s):
                await self._stream(body, completion)
        except TimeoutError:
            completion.finish_reason = "deadline"
        except _Garbled as error:
            log.warning("the model server's stream makes no sense: %s", error)
            completion.finish_reason = "garbled"
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            kind = type(error).__name__
            raise ServerError(f"no answer from the model server ({kind}): check OPENAI_BASE_URL") from None
        return completion.generation()

    async def _stream(self, body: dict[str, Any], completion: _StreamedCompletion) -> None:
        async with self._client.stream("POST", f"{self.base_url}/chat/completions", json=body) as response:
            if response.status_code != 200:
                await self._refused(response)
            async for line in _lines(response):
                data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
                if data == b"[DONE]":
                    return
                if data:
                    completion.add(_object(data))

    async def _refused(self, response: httpx.Response) -> None:
        """Raise ServerBusy or ServerError for an error reply, whose beginning goes to the log."""
        status, text = response.status_code, b""
        async for piece in response.aiter_raw():
            text += piece
            if len(text) >= MAX_ERROR_BYTES:
                break
        log.warning("the model server answered %d: %.300r", status, self._without_secrets(text))
        if status in (429, 503):
            told = response.headers.get("retry-after", "")
            wait_s = float(told) if told.isascii() and told.isdigit() else 1.0
            raise ServerBusy(f"the model server is busy ({status})", min(wait_s, MAX_RETRY_AFTER_S))
        raise ServerError(f"the model server answered {status}: check {_HINTS.get(status, 'its log')}")

    def _without_secrets(self, text: bytes) -> str:
        said = text[:MAX_ERROR_BYTES].decode("utf-8", "replace")
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return said

    async def aclose(self) -> None:
        """Close the connections to the server."""
        await self._client.aclose()


def _password(url: str) -> str:
    try:
        return httpx.URL(url).password
    except httpx.InvalidURL:  # said when it is used
        return ""


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """The lines of a reply as they come. Raises _Garbled for one that is compressed or has no end."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _Garbled("it is compressed, though no compression was asked for")
    rest, read = b"", 0
    async for piece in response.aiter_raw():
        read += len(piece)
        if read > MAX_STREAM_BYTES:
            raise _Garbled(f"more than {MAX_STREAM_BYTES} bytes")
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise _Garbled(f"a line of more than {MAX_LINE_BYTES} bytes")
        for line in lines:
            yield line
    yield rest


def _object(data: bytes) -> dict[str, Any]:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _Garbled(f"an event is no JSON ({type(error).__name__})") from None
    if not isinstance(chunk, dict):
        raise _Garbled("an event is no JSON object")
    return chunk


class _StreamedCompletion:
    """The part of a streamed completion that has arrived."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.first: float | None = None
        self.text: list[str] = []
        self.finish_reason = "length"  # a stream that ends without saying why was cut off
        self.usage: dict[str, Any] = {}

    def add(self, chunk: dict[str, Any]) -> None:
        """Take in an event. Raises ServerError where the server failed, and _Garbled."""
        if "error" in chunk:
            raise ServerError("the model server failed while it answered: check its log")
        self.usage = _typed(chunk.get("usage"), dict) or self.usage
        for choice in _typed(chunk.get("choices"), list) or ():
            choice = _typed(choice, dict) or {}
            if text := _typed((_typed(choice.get("delta"), dict) or {}).get("content"), str):
                self.first = self.first or time.perf_counter()
                self.text.append(text)
            if reason := choice.get("finish_reason"):
                self.finish_reason = "stop" if reason == "stop" else "length"

    def generation(self) -> Generation:
        now = time.perf_counter()
        first = self.first or now
        details = self.usage.get("prompt_tokens_details")
        return Generation(
            text="".join(self.text),
            finish_reason=self.finish_reason,
            prompt_tokens=_count(self.usage.get("prompt_tokens")),
            completion_tokens=_count(self.usage.get("completion_tokens")) or len(self.text),
            cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
            prefill_ms=(first - self.began) * 1000,  # includes the server's queueing, which it does not report
            decode_ms=(now - first) * 1000,
        )


def _typed(value: Any, kind: type) -> Any:
    """The value, which may be null. Raises _Garbled where it is of another kind."""
    if value is not None and not isinstance(value, kind):
        raise _Garbled(f"a {type(value).__name__} where a {kind.__name__} belongs")
    return value


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= MAX_TOKENS_TOLD else 0
