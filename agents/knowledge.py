"""Answers of a user's own file: finds the row whose question is the one asked, in the same or in other words.

    knowledge = Knowledge(read(path), linker)
    found = knowledge.find("who led GT?", linker.link("who led GT?"))

The search (BM25) proposes rows. One is taken only where names, numbers and contrasting words ("vice", "first") are the
same and most of the other words, weighted by their rarity, are shared; otherwise the file has no say.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import bm25s
from rapidfuzz import fuzz

from agents.messages import ANSWERED, Reply, Worded
from agents.trace import AnswerStep, QuestionTrace
from data.dataset.knowledge import COMPUTED, DISPUTED, KNOWLEDGE, Entry
from data.linking.linker import Linker
from data.linking.mention import ABSENT, FOUND, UNKNOWN, Linked, Mention
from data.query import Plan, QueryError, parse
from data.text import PLACEHOLDER, plain

PROPOSED = 20  # rows that the search proposes
ASKED_SHARE, ROW_SHARE = 0.7, 0.6  # of the weight of the question's words and of the row's that the other must have
SIMILAR = 86  # of 100: two words of five letters or more that are the same but for a slip
_FILLER = frozenset(
    """a an and any are as at be been by can could did do does during for from get give had has have he her him his i in
    is it its know let like list me mention much my name named of on one or our please said say season she show so tell
    than that the their them there these they this those to us was we were what which who whom whose will with would you
    your when where why how many ipl edition tournament player person cricketer team side franchise identify state
    according about exactly actually also just people
    spectators date place""".split()
)
_CONTRASTS = frozenset(
    """not no never without except vice assistant deputy former previous next first last second third best worst most
    least fewest highest lowest biggest smallest largest longest shortest fastest slowest youngest oldest before after
    home away batting bowling fielding women men new old""".split()
)
_SAME = tuple(
    frozenset(group.split())
    for group in (
        "captain skipper lead led leader skippered",
        "ground venue stadium",
        "coach trainer",
        "capacity seat hold accommodate",
        "own owns owner",
        "born birthplace hometown birth",
        "found founded establish form",
        "nickname called known",
        "anthem song",
        "big biggest large largest",
        "sponsor sponsored",
        "price cost bought paid fee salary",
        "wear jersey shirt kit",
        "country nation nationality",
    )
)
_ASKS = (
    ("number", r"how (?:many|much)|number of"),
    ("age", r"how old|what age"),
    ("when", r"when|date of|(?:which|what) (?:year|day|date|month)"),
    ("where", r"where|place of|(?:which|what) (?:city|town|ground|venue|stadium|place|country)"),
    ("why", r"why"),
    ("who", r"who|whom|whose|(?:which|what) (?:player|person|man)"),
)


@dataclass(frozen=True)
class Found:
    """The row of a question; `exact` where it has the same words."""

    entry: Entry
    exact: bool


@dataclass(frozen=True)
class _Reading:
    """What has to agree between two questions."""

    names: tuple[tuple[str, frozenset[str]], ...]  # kind, keys
    numbers: frozenset[str]
    contrasts: frozenset[str]
    words: tuple[str, ...]
    asks: str


@dataclass
class Knowledge:
    """The rows of one file, linked as questions are. Safe to use from several threads."""

    entries: Sequence[Entry]
    linker: Linker
    _exact: dict[str, Entry] = field(init=False, repr=False)
    _lines: dict[str, Plan] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._exact = {}
        self._lines = {}
        for entry in self.entries:
            self._exact.setdefault(plain(entry.question), entry)
            if entry.kind == COMPUTED and (plan := _parsed(entry.line)):
                self._lines.setdefault(entry.linked, plan)
        words = [_content(plain(entry.question)) for entry in self.entries]
        self._count: Counter[str] = Counter(word for found in words for word in set(found))
        self._index = bm25s.BM25()
        if any(words):
            self._index.index(words, show_progress=False)
        self._searchable: bool = any(words)
        self._read_entry = lru_cache(maxsize=4096)(self._reading_of)

    def plan(self, linked: Linked) -> Plan | None:
        """The query line of a row that was computed, for a question of the same words about any names."""
        return self._lines.get(plain(linked.text))

    def find(self, question: str, linked: Linked) -> Found | None:
        """The row that answers the question; None where no row asks the same."""
        if entry := self._exact.get(plain(question)):
            return Found(entry, True)
        asked = self._reading(question, linked)
        words = _content(plain(question))
        proposed = [*words, *(other for group in _SAME if group & set(words) for other in sorted(group - set(words)))]
        if not self._searchable or not asked.words or not proposed:
            return None
        most = min(PROPOSED, len(self.entries))
        numbers, scores = self._index.retrieve([proposed], k=most, show_progress=False)
        fits = []
        for at, score in zip(numbers[0].tolist(), scores[0].tolist(), strict=True):
            share = self._share(asked, self._read_entry(at)) if score > 0 else 0.0
            if share:
                fits.append((share, -at))
        if not fits:
            return None
        best = self.entries[-max(fits)[1]]
        rivals = {self.entries[-at].answer for share, at in fits if share > max(fits)[0] - 0.02}
        return Found(best, False) if len(rivals) == 1 else None

    def _reading_of(self, at: int) -> _Reading:
        question = self.entries[at].question
        return self._reading(question, self.linker.link(question))

    def _reading(self, question: str, linked: Linked) -> _Reading:
        names: dict[tuple[str, frozenset[str]], None] = {}
        rest = question
        for mention in sorted(linked.mentions, key=lambda m: -m.start):
            if mention.status in (ABSENT, UNKNOWN) and mention.kind == "player":
                continue  # its words count as words: the file may be about somebody who never played
            rest = rest[: mention.start] + " " + rest[mention.end :]
            if not (mention.kind == "season" and mention.status == FOUND):
                names[mention.kind, _keys(mention)] = None
        text = plain(rest)
        words = _content(text)
        return _Reading(
            tuple(names),
            # of the linked question, from which the season's own year is gone
            frozenset(re.findall(r"\d+(?:\.\d+)?", PLACEHOLDER.sub(" ", plain(linked.text)))),
            frozenset(words) & _CONTRASTS,
            tuple(dict.fromkeys(word for word in words if not word.isdigit())),
            next((kind for kind, pattern in _ASKS if re.search(rf"\b(?:{pattern})\b", text)), ""),
        )

    def _share(self, asked: _Reading, row: _Reading) -> float:
        """How much of the two questions' words is the same, 0 to 1; 0 where the row must not answer."""
        if asked.numbers != row.numbers or asked.contrasts != row.contrasts or not row.words:
            return 0.0
        if asked.asks and row.asks and asked.asks != row.asks:
            return 0.0
        if len(asked.names) != len(row.names) or not all(_named(name, row.names) for name in asked.names):
            return 0.0
        of_asked = self._covered(asked.words, row.words)
        of_row = self._covered(row.words, asked.words)
        return min(of_asked, of_row) if of_asked >= ASKED_SHARE and of_row >= ROW_SHARE else 0.0

    def _covered(self, words: Sequence[str], others: Sequence[str]) -> float:
        """The share of the words' weight that is in `others` too. A word of no row weighs most."""
        weights = [math.log(1 + len(self.entries) / max(1, self._count[word])) for word in words]
        shared = (w for word, w in zip(words, weights, strict=True) if any(_is_same(word, other) for other in others))
        return sum(shared) / sum(weights)


def answered(found: Found, trace: QuestionTrace, conversation_id: str | None) -> Reply:
    """The reply with the row's answer and its source."""
    trace.steps.answer = AnswerStep("plain", found.entry.source)
    text = found.entry.answer.rstrip()
    return Reply(
        f"{text} ({found.entry.source})",
        ANSWERED,
        latency_ms=trace.latency_ms(),
        trace=trace.steps,
        conversation_id=conversation_id,
    )


def alone(found: Found | None) -> bool:
    """Whether the row answers without the statistics, which cannot tell it."""
    return found is not None and found.entry.kind == KNOWLEDGE


def with_dispute(worded: Worded, found: Found | None) -> Worded:
    """The computed answer, followed by the row's where the file says something else."""
    if found is None or found.entry.kind != DISPUTED:
        return worded
    return replace(worded, text=f"{worded.text} Your file says: {found.entry.answer} ({found.entry.source}).")


def _parsed(line: str) -> Plan | None:
    try:
        return parse(line)
    except QueryError:
        return None


def _content(text: str) -> list[str]:
    """The words of a plain text that tell questions apart, without endings."""
    words = re.findall(r"[^\W_]+(?:\.\d+)?", text.replace("'s ", " ").replace("'", ""))
    return [_stem(word) for word in words if word not in _FILLER]


def _stem(word: str) -> str:
    if word in _CONTRASTS:
        return word
    for ending, put in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word[: len(word) - len(ending)] + put
    return word


def _is_same(one: str, other: str) -> bool:
    if one == other or any(one in group and other in group for group in _SAME):
        return True
    if one in _CONTRASTS or other in _CONTRASTS or min(len(one), len(other)) < 5:
        return False
    return one.startswith(other) or other.startswith(one) or fuzz.ratio(one, other) >= SIMILAR


def _keys(mention: Mention) -> frozenset[str]:
    return frozenset(mention.candidates or (plain(mention.text),))


def _named(name: tuple[str, frozenset[str]], others: Iterable[tuple[str, frozenset[str]]]) -> bool:
    return any(kind == name[0] and keys & name[1] for kind, keys in others)
