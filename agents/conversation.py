"""Follow-ups: "and his economy?", "what about Bumrah?" made whole from the question before.

Knows nothing about models.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass

from data.linking.linker import Linker
from data.linking.mention import Linked

_HIS = re.compile(r"\b(his|her|their|its)\b", re.I)
_HE = re.compile(r"\b(he|him|she|they|them)\b", re.I)
_ABOUT = re.compile(r"^\s*(?:and|what about|how about|aur|or)\s+(?:for\s+)?(?P<rest>.+?)\s*\?*\s*$", re.I)
MAX_WORDS_OF_A_FOLLOW_UP = 12
MAX_CHARACTERS = 500  # of a question made whole, as of one that is sent: "he he he ..." would grow with every turn


@dataclass(frozen=True)
class Turn:
    question: str
    linked: Linked


class Conversations:
    """The last turn of each conversation; the oldest of `capacity` conversations is forgotten."""

    def __init__(self, capacity: int = 1000):
        self._turns: OrderedDict[str, Turn] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def remember(self, conversation: str, question: str, linked: Linked) -> None:
        with self._lock:
            self._turns[conversation] = Turn(question, linked)
            self._turns.move_to_end(conversation)
            while len(self._turns) > self._capacity:
                self._turns.popitem(last=False)

    def whole(self, conversation: str | None, question: str, linker: Linker) -> str:
        """The question with what it leaves to the one before filled in; unchanged where it stands alone."""
        made = self._filled(conversation, question, linker)
        return made if len(made) <= MAX_CHARACTERS else question

    def _filled(self, conversation: str | None, question: str, linker: Linker) -> str:
        with self._lock:
            turn = self._turns.get(conversation) if conversation else None
        if turn is None or len(question.split()) > MAX_WORDS_OF_A_FOLLOW_UP:
            return question
        about = _ABOUT.match(" ".join(question.split()))
        mentions = linker.link(about["rest"] if about else question).mentions
        if about and len(mentions) == 1 and _bare(about["rest"], mentions[0].text):
            return _swap(turn, mentions[0].kind, mentions[0].text)
        if any(m.kind in ("player", "team") for m in mentions):
            return question
        subject = next((m.text for m in turn.linked.mentions if m.kind == "player"), None)
        subject = subject or next((m.text for m in turn.linked.mentions if m.kind == "team"), None)
        if subject is None:
            return question
        rest = about["rest"] if about else question
        if _HIS.search(rest) or _HE.search(rest):
            return _HE.sub(subject, _HIS.sub(f"{subject}'s", rest))
        return f"{subject} {rest}" if about else question


def _bare(text: str, name: str) -> bool:
    return len(text.split()) <= len(name.split()) + 1


def _swap(turn: Turn, kind: str, name: str) -> str:
    """The question before, about somebody else."""
    old = next((m for m in turn.linked.mentions if m.kind == kind), None)
    if old is None:
        return f"{turn.question.rstrip('?. ')} {name}"
    return turn.question[: old.start] + name + turn.question[old.end :]
