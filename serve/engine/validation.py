"""Checks of a request before it is queued."""

from __future__ import annotations

from collections.abc import Collection

from serve.engine.errors import BadSetting, BadToken, PromptTooLong, UnknownAdapter
from serve.engine.scheduler import Scheduler
from serve.engine.sequence import Request


def check(request: Request, scheduler: Scheduler, n_vocab: int, adapters: Collection[str], max_tokens: int) -> None:
    """Raise the RequestError that says what is wrong and what to change; the grammar is checked when compiled."""
    n_prompt = len(request.prompt)
    if n_prompt == 0 or request.max_tokens < 1:
        raise BadSetting("a request needs at least one prompt token and max_tokens of at least 1")
    if not scheduler.fits(n_prompt, request.max_tokens):
        raise PromptTooLong(
            f"{n_prompt} prompt tokens and {request.max_tokens} to generate do not fit the context of "
            f"{scheduler.kv_cache.n_cells} (of which {scheduler.limits.max_drafts} are kept free): shorten one of them"
        )
    if max_tokens and request.max_tokens > max_tokens:
        raise BadSetting(f"max_tokens is {request.max_tokens}: this service generates at most {max_tokens} at a time")
    if not all(0 <= token < n_vocab for token in request.prompt):
        raise BadToken(f"a prompt token is outside the vocabulary of {n_vocab}")
    if request.adapter is not None and request.adapter not in adapters:
        raise UnknownAdapter(f"adapter {request.adapter!r} is not loaded; loaded are {sorted(adapters) or 'none'}")
    if request.deadline_s is not None and not request.deadline_s > 0:
        raise BadSetting(f"a deadline of {request.deadline_s} s has passed already: give a positive number")
    if any(not stop for stop in request.stop):
        raise BadSetting("a stop text is empty")
    if not all(0 <= token < n_vocab for token in request.sampling.logit_bias):
        raise BadToken(f"logit_bias names a token outside the vocabulary of {n_vocab}")
