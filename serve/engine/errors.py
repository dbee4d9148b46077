"""Exceptions of the engine; the HTTP layer maps each of them to a status once.

EngineError
├── RequestError            the request itself is invalid (HTTP 422)
│   ├── PromptTooLong       prompt and completion do not fit the context
│   ├── BadToken            a token id outside the vocabulary
│   ├── UnknownAdapter      no adapter of that name is loaded
│   ├── BadSetting          a sampling setting, length or deadline out of range
│   └── GrammarError        a grammar that is malformed, left-recursive or too large
├── QueueFull               the queue is full (HTTP 429, `retry_after_s`)
├── EngineClosed            draining, closed, or the engine's thread died (HTTP 503)
├── RequestFailed           this request raised while it ran; the others continue (HTTP 500)
└── ModelError              the model, an adapter or the native library cannot be used (at start)
"""


class EngineError(Exception):
    """Base class of all errors that the engine raises on purpose."""


class RequestError(EngineError):
    """The request is invalid; the message says what to change."""


class PromptTooLong(RequestError):
    """Prompt and completion together do not fit the context."""


class BadToken(RequestError):
    """A token id outside the model's vocabulary."""


class UnknownAdapter(RequestError):
    """The request names an adapter that is not loaded."""


class BadSetting(RequestError):
    """A sampling setting, a length or a deadline out of range."""


class GrammarError(RequestError):
    """A grammar that is malformed, left-recursive or too large."""


class QueueFull(EngineError):
    """The queue is full; a place is likely to be free after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineClosed(EngineError):
    """The engine accepts no requests: it is draining or closed, or its thread died."""


class RequestFailed(EngineError):
    """This request raised while it ran; its slot is free again and the others continue."""


class ModelError(EngineError):
    """A model or adapter file, or the native library, cannot be used."""
