"""Follow-up questions: "and his economy?" and "what about Bumrah?" completed from the question before."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass

from data.linking.linker import Linker
from data.linking.mention import Linked

_POSSESSIVE = re.compile(r"\b(his|her|their|its)\b", re.I)
_PRONOUN = re.compile(r"\b(he|him|she|they|them)\b", re.I)
_WHAT_ABOUT = re.compile(r"^\s*(?:and|what about|how about|aur|or)\s+(?:for\s+)?(?P<rest>.+?)\s*\?*\s*$", re.I)
MAX_FOLLOW_UP_WORDS = 12  # a longer question stands alone
MAX_CHARACTERS = 500  # of a completed question, as of any question: "he he he ..." would grow with every turn


@dataclass(frozen=True)
class Turn:
    """A completed question and the names in it."""

    question: str
    linked: Linked


class Conversations:
    """The last turn of each conversation, for at most `capacity` conversations. Safe to use from several threads."""

    def __init__(self, capacity: int = 1000) -> None:
        self._turns: OrderedDict[str, Turn] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def remember(self, conversation: str, question: str, linked: Linked) -> None:
        """Keep this turn as the conversation's last one; the conversation unused for longest is dropped if need be."""
        with self._lock:
            self._turns[conversation] = Turn(question, linked)
            self._turns.move_to_end(conversation)
            while len(self._turns) > self._capacity:
                self._turns.popitem(last=False)

    def complete(self, conversation: str | None, question: str, linker: Linker) -> str:
        """The question with the subject it takes from the turn before; unchanged where it stands alone."""
        completed = self._completed(conversation, question, linker)
        return completed if len(completed) <= MAX_CHARACTERS else question

    def _completed(self, conversation: str | None, question: str, linker: Linker) -> str:
        with self._lock:
            turn = self._turns.get(conversation) if conversation else None
        if turn is None or len(question.split()) > MAX_FOLLOW_UP_WORDS:
            return question
        about = _WHAT_ABOUT.match(" ".join(question.split()))
        rest = about["rest"] if about else question
        mentions = linker.link(rest).mentions
        if about and len(mentions) == 1 and _is_only_a_name(rest, mentions[0].text):
            return _with_other_name(turn, mentions[0].kind, mentions[0].text)
        if any(m.kind in ("player", "team") for m in mentions):
            return question
        subject = _first_name(turn.linked, "player") or _first_name(turn.linked, "team")
        if subject is None:
            return question
        if _POSSESSIVE.search(rest) or _PRONOUN.search(rest):
            return _PRONOUN.sub(subject, _POSSESSIVE.sub(f"{subject}'s", rest))
        return f"{subject} {rest}" if about else question


def _first_name(linked: Linked, kind: str) -> str | None:
    return next((m.text for m in linked.mentions if m.kind == kind), None)


def _is_only_a_name(text: str, name: str) -> bool:
    return len(text.split()) <= len(name.split()) + 1


def _with_other_name(turn: Turn, kind: str, name: str) -> str:
    """The question before, with `name` in place of its first name of that kind."""
    old = next((m for m in turn.linked.mentions if m.kind == kind), None)
    if old is None:
        return f"{turn.question.rstrip('?. ')} {name}"
    return turn.question[: old.start] + name + turn.question[old.end :]
