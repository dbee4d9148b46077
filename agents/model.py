"""The language model as the agents see it: text for messages, under an optional grammar, within a deadline.

Implemented by `serve.local_model.LocalModel` (the engine in this process) and `agents.openai_client.OpenAIModel`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Generation:
    """A generated text and its cost. Times in milliseconds; cached tokens are part of the prompt tokens."""

    text: str
    finish_reason: str  # stop | length | deadline | cancelled | garbled (by another server)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    forced_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    queued_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


class TextModel(Protocol):
    """Any number of `generate` calls may run at once."""

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
        """Answer a conversation. `grammar` is GBNF; a text cut off by its deadline has that as its finish reason."""
        ...
