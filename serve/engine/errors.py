"""What can go wrong in the engine, as types; the HTTP layer translates them once, at its edge.

EngineError
├── RequestError            the request itself is at fault (HTTP 422)
│   ├── PromptTooLong       prompt and answer do not fit the context
│   ├── BadToken            a token id that the vocabulary does not have
│   ├── UnknownAdapter      no adapter of that name is loaded
│   ├── BadSetting          a sampling setting, length or deadline that cannot be met
│   └── GrammarError        a grammar that is malformed, unbounded or too large
├── QueueFull               more requests wait than the queue admits (HTTP 429, `retry_after_s`)
├── EngineClosed            draining, closed, or its thread died (HTTP 503)
├── RequestFailed           this request raised while it ran; the others go on (HTTP 500)
└── ModelError              the model, adapter or native library cannot be used (at start)
"""


class EngineError(Exception):
    """Base of everything the engine raises on purpose."""


class RequestError(EngineError):
    """The request cannot be served as it is; the message says what to change."""


class PromptTooLong(RequestError):
    """Prompt and answer together do not fit the context."""


class BadToken(RequestError):
    """A token id outside of the model's vocabulary."""


class UnknownAdapter(RequestError):
    """The request names an adapter that is not loaded."""


class BadSetting(RequestError):
    """A sampling setting, a length or a deadline that cannot be met."""


class GrammarError(RequestError):
    """A grammar that is malformed, left-recursive or beyond the bounds."""


class QueueFull(EngineError):
    """The waiting line is full; `retry_after_s` says when a place is likely."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineClosed(EngineError):
    """The engine takes no requests: it drains, is closed, or its thread died."""


class RequestFailed(EngineError):
    """This request raised while it ran; its slot is free again and the others go on."""


class ModelError(EngineError):
    """A model or adapter file, or the native library, cannot be used."""
