"""Conversations by message history: a caller without an id sends the questions before with every question.

    conversation = await begin(agents, ["Most wickets?"], owner, deadline_s)      # an id that remembers these
    reply = await agents.ask("and at the death?", conversation, deadline_s, owner)
    keep(agents, ["Most wickets?", "and at the death?"], conversation, owner)     # the next turn begins from here

What a history led to is remembered by its hash, so that every question is planned once. Turns that nobody remembers,
after a restart or at another replica, are asked again.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Sequence

from agents.multi_agent import MultiAgent

MOST_ASKED_AGAIN = 3  # turns; what a follow-up refers to is seldom further back


async def begin(agents: MultiAgent, earlier: Sequence[str], owner: str = "", deadline_s: float | None = None) -> str:
    """The id of a new conversation that stands where the `earlier` questions of `owner` led. Raises as `agents.ask`."""
    conversation = uuid.uuid4().hex
    known = len(earlier)
    while known and agents.conversations.last(owner, _key(earlier[:known])) is None:
        known -= 1
    if known and (turn := agents.conversations.last(owner, _key(earlier[:known]))):
        agents.conversations.remember(owner, conversation, turn)
    until = None if deadline_s is None else time.monotonic() + deadline_s
    for i in range(max(known, len(earlier) - MOST_ASKED_AGAIN), len(earlier)):
        left_s = None if until is None else max(0.001, until - time.monotonic())
        await agents.ask(earlier[i], conversation, left_s, owner)
        keep(agents, earlier[: i + 1], conversation, owner)
    return conversation


def keep(agents: MultiAgent, questions: Sequence[str], conversation: str, owner: str = "") -> None:
    """Remember under the `questions` what `conversation` has come to."""
    turn = agents.conversations.last(owner, conversation)
    if questions and turn is not None:
        agents.conversations.remember(owner, _key(questions), turn)


def _key(questions: Sequence[str]) -> str:
    return "history-" + hashlib.sha256(json.dumps(list(questions)).encode()).hexdigest()
