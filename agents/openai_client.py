"""Any OpenAI-compatible server as the agents' TextModel: llama-server, vLLM, another instance of this service.

    model = OpenAIModel("http://127.0.0.1:8080/v1", "cricket")

The grammar is sent under the names that llama-server (`grammar`) and vLLM (`structured_outputs`) read. A server that
supports neither generates freely; the agents decline what does not parse and word plainly what does not verify.
Cancelling the awaiting task closes the connection.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx

from agents.model import Generation


class ServerError(Exception):
    """The server cannot be reached or refuses; the message says which and what to check."""


class ServerBusy(ServerError):
    """The server refused the request for now; `retry_after_s` is the server's own estimate."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OpenAIModel:
    """Streams its requests, to measure time to first token. `name` is the model's name at the server."""

    def __init__(self, base_url: str, name: str, api_key: str | None = None, connect_s: float = 5.0) -> None:
        self.base_url, self.name = base_url.rstrip("/"), name
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
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
        except (httpx.HTTPError, ValueError) as error:
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ServerError(f"no answer from {self.base_url} ({what}): check OPENAI_BASE_URL") from error
        return completion.generation()

    async def _stream(self, body: dict[str, Any], completion: _StreamedCompletion) -> None:
        url = f"{self.base_url}/chat/completions"
        async with self._client.stream("POST", url, json=body) as response:
            if response.status_code != 200:
                await response.aread()
                message = f"{url} answered {response.status_code}: {_message(response)}"
                if response.status_code in (429, 503):
                    wait = response.headers.get("retry-after", "")
                    raise ServerBusy(message, float(wait) if wait.isdigit() else 1.0)
                raise ServerError(message)
            async for line in response.aiter_lines():
                data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if data == "[DONE]":
                    return
                if data:
                    completion.add(json.loads(data))

    async def aclose(self) -> None:
        """Close the connections to the server."""
        await self._client.aclose()


class _StreamedCompletion:
    """The part of a streamed completion that has arrived."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.first: float | None = None
        self.text: list[str] = []
        self.finish_reason = "stop"
        self.usage: dict[str, Any] = {}

    def add(self, chunk: dict[str, Any]) -> None:
        if "error" in chunk:
            raise ServerError(f"the server failed while it answered: {chunk['error']}")
        self.usage = chunk.get("usage") or self.usage
        for choice in chunk.get("choices", ()):
            if text := (choice.get("delta") or {}).get("content"):
                self.first = self.first or time.perf_counter()
                self.text.append(text)
            if reason := choice.get("finish_reason"):
                self.finish_reason = reason if reason in ("stop", "length") else "stop"

    def generation(self) -> Generation:
        now = time.perf_counter()
        first = self.first or now
        cached = (self.usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return Generation(
            text="".join(self.text),
            finish_reason=self.finish_reason,
            prompt_tokens=self.usage.get("prompt_tokens") or 0,
            completion_tokens=self.usage.get("completion_tokens") or len(self.text),
            cached_tokens=cached,
            prefill_ms=(first - self.began) * 1000,  # includes the server's queueing, which it does not report
            decode_ms=(now - first) * 1000,
        )


def _message(response: httpx.Response) -> str:
    try:
        body = response.json()
        error = body.get("error", body)
        return (
            str(error.get("message") or error.get("detail") or error)[:300] if isinstance(error, dict) else str(error)
        )
    except (ValueError, AttributeError):
        return response.text[:300]
