"""Answers of a user's own file: finds the row whose question is the one asked, in the same or in other words.

    knowledge = Knowledge(read(path), linker)
    found = knowledge.find("who led GT?", linker.link("who led GT?"))

A search (BM25) over words and names proposes rows. One is taken only where names, numbers, contrasting words ("vice",
"first") and what is asked for (who, when) agree, and where it has every telling word of the question: a wrong row is
worse than none. Knows nothing about models.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz, process

from agents.conversation import Turn
from agents.messages import ANSWERED, Reply, Source
from agents.question_words import Reading, known_words
from agents.trace import AnswerStep, QuestionTrace
from data.dataset.knowledge import DISPUTED, KNOWLEDGE, PLAN, Row
from data.linking.linker import Linker
from data.linking.mention import FOUND, KINDS, Linked
from data.linking.resolve_plan import resolve_typed
from data.phrasing.likelihood import features
from data.query import Plan, QueryError, parse
from data.query.language import FILTERS
from data.query.line import Filter, Query
from data.text import plain

PROPOSED = 20  # rows that the search proposes
LEAST_SHARE = 0.5  # of the weight of a row's words that the question must have
NEAR_TIE = 0.02  # two rows whose shares differ by less fit equally well
SIMILAR, LEAST_LETTERS = 88, 6  # of 100 by rapidfuzz, and letters: a word of no row is a misspelt one of this row


@dataclass(frozen=True)
class Found:
    """The row of a question; `same`: it asks for the same in all its words, so that it goes before a computed plan."""

    row: Row
    same: bool

    @property
    def alone(self) -> bool:
        """Whether the row answers without the statistics being asked."""
        return self.same and self.row.kind == KNOWLEDGE

    @property
    def source(self) -> Source:
        """The row as the reply names it."""
        return Source(
            self.row.file,
            self.row.row,
            DISPUTED if self.row.kind == DISPUTED else KNOWLEDGE,
            self.row.answer.strip(),
        )


class Knowledge:
    """The rows of one file, linked as questions are. Safe to use from several threads."""

    def __init__(self, rows: Sequence[Row], linker: Linker) -> None:
        import bm25s  # only where there are rows: it takes a quarter of a second

        self.rows: Sequence[Row] = rows
        self.linker = linker
        self._linked = [linker.link(row.question) for row in rows]
        # what the network of data.phrasing.likelihood would not know, but the model was trained on
        self.familiar: frozenset[str] = frozenset().union(*(features(plain(link.text)) for link in self._linked))
        readings = [Reading.of(row.question, linked) for row, linked in zip(rows, self._linked, strict=True)]
        self._readings = readings
        self._by_text: dict[str, int] = {}
        self._by_linked: dict[str, list[int]] = {}
        for at, row in enumerate(rows):
            self._by_text.setdefault(plain(row.question), at)
            if row.kind == PLAN:
                self._by_linked.setdefault(plain(self._linked[at].text), []).append(at)
        self._count = Counter(word for reading in readings for word in set(reading.words))
        self._spelt = known_words() | {word for row in rows for word in plain(row.question).split()}
        self._index = bm25s.BM25()
        tokens = [list(reading.tokens) for reading in readings]
        self._vocabulary = frozenset(token for found in tokens for token in found)
        if self._vocabulary:
            self._index.index(tokens, show_progress=False)

    def find(self, question: str, linked: Linked) -> Found | None:
        """The row that asks what the question asks; None where no row does, or several with different answers.

        What the statistics can compute is found only where all words are the same.
        """
        if (at := self._by_text.get(plain(question))) is not None:
            return Found(self.rows[at], True)
        asked = Reading.of(question, linked, self._correct)
        if not asked.words:
            return None
        fits = []
        for at in self._proposed(asked):
            share = self._share(asked, self._readings[at])
            if share >= LEAST_SHARE:
                fits.append((share, -at))
        if not fits:
            return None
        most, at = max(fits)
        answers = {plain(self.rows[-at].answer) for share, at in fits if share > most - NEAR_TIE}
        found = Found(self.rows[-at], most == 1.0)
        return found if len(answers) == 1 and (found.same or found.row.kind == KNOWLEDGE) else None

    def plan(self, found: Found | None, linked: Linked) -> Plan | None:
        """The query line that a row proved, over the question's placeholders: of its own row, or of one that differs
        only in names. None where there is none."""
        if found is not None:
            if found.row.kind == KNOWLEDGE:
                return None
            placed = self._placed(found.row.query, linked)
            return placed[0] if placed else None
        plans = set()
        for at in self._by_linked.get(plain(linked.text), ()):
            placed = self._placed(self.rows[at].query, self._linked[at])
            plans.add(placed[0] if placed and placed[1] else None)
        return plans.pop() if len(plans) == 1 else None

    # -- searching

    def _correct(self, word: str) -> str:
        """A misspelt word corrected; only one that is neither ordinary nor in any row is taken for misspelt."""
        known = word in self._spelt or word in self.linker.speller.lexicon
        if known or len(word) < LEAST_LETTERS or not word.isalpha():
            return word
        near = process.extractOne(word, self._spelt, scorer=fuzz.ratio, score_cutoff=SIMILAR)
        return near[0] if near and near[0][0] == word[0] else word

    def _proposed(self, asked: Reading) -> list[int]:
        """The rows that share most words and names with the question, rare ones first."""
        tokens = [token for token in asked.tokens if token in self._vocabulary]
        if not tokens:
            return []
        most = min(PROPOSED, len(self.rows))
        numbers, scores = self._index.retrieve([tokens], k=most, show_progress=False)
        return [at for at, score in zip(numbers[0].tolist(), scores[0].tolist(), strict=True) if score > 0]

    def _share(self, asked: Reading, row: Reading) -> float:
        """The share of the row's words, by weight, that the question has; 0 where the row must not answer."""
        if not asked.agrees(row) or not set(asked.words) <= set(row.words):
            return 0.0
        weights = {word: math.log(1 + len(self.rows) / self._count[word]) for word in set(row.words)}
        shared = [weight for word, weight in weights.items() if word in asked.words]
        return 1.0 if len(shared) == len(weights) else sum(shared) / sum(weights.values())

    # -- query lines

    def _placed(self, line: str, linked: Linked) -> tuple[Plan, bool] | None:
        """The line with placeholders of the question instead of the names it has, and whether these are all.

        None where the line cannot be read.
        """
        try:
            plan = parse(line)
        except QueryError:
            return None
        complete = True

        def value_of(key: str, value: str) -> str:
            nonlocal complete
            if FILTERS[key].takes not in KINDS:
                return value
            found = self._placeholder(key, value, linked)
            complete = complete and found is not None
            return found or value

        def placed(query: Query) -> Query:
            filters = tuple(
                Filter(f.key, f.op, tuple(value_of(f.key, value) for value in f.values)) for f in query.filters
            )
            place = next((value_of(f.key, f.values[0]) for f in query.place_filter()), None)
            return replace(query, filters=filters, place=place)

        return replace(plan, queries=tuple(map(placed, plan.queries))), complete

    def _placeholder(self, key: str, value: str, linked: Linked) -> str | None:
        """The placeholder of the question that means what the value of a filter means."""
        meant = resolve_typed(key, value, self.linker.names)
        for mention in linked.mentions:
            if meant.status == FOUND and mention.candidates and set(meant.candidates) & set(mention.candidates):
                return mention.placeholder
        return None

    def turn(self, found: Found, linked: Linked) -> Turn | None:
        """What a follow-up is read after: the names of the row's answer, then those of the question."""
        names = [m for m in (*self.linker.link(found.row.answer).mentions, *linked.mentions) if m.status == FOUND]
        leaders = {(m.kind, m.candidates): m for m in reversed(names)}
        return Turn("decline not_recorded", {}, tuple(reversed(leaders.values()))) if names else None


def answered(found: Found, trace: QuestionTrace) -> Reply:
    """The reply with the row's answer and its source; of a disputed row, the computed sentence comes first."""
    row = found.row
    text = with_what_it_says(found, row.computed) if row.kind == DISPUTED else f"{row.answer.strip()} ({row.source})"
    trace.steps.answer = AnswerStep("file")
    return Reply(
        text,
        ANSWERED,
        worded_by="file",
        latency_ms=trace.latency_ms(),
        trace=trace.steps,
        source=found.source,
    )


def with_what_it_says(found: Found, computed: str) -> str:
    """The computed sentence, followed by what the file says instead."""
    row = found.row
    return f"{computed} Your file says: {row.answer.strip()} ({row.source}).".strip()
