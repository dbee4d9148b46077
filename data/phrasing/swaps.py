"""New questions from hand-written ones: a phrase of known meaning is exchanged, and the query line changes with it.

    "what did P1 score when it mattered, at the death"  =>  "what did P1 score when it mattered, in defeats"

Fragments that occur in the same surroundings are exchanged, as in Andreas, "Good-Enough Compositional Data
Augmentation" (ACL 2020); here the phrase banks say what a fragment means.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from data.phrasing.conditions import TAKES, Conditions, Placeholders, is_consistent, with_condition
from data.query.language import LESS_IS_BETTER, MEASURES
from data.query.line import Filter, Query
from data.text import plain

_NO_NUMBER_BEFORE = re.compile(r"(?:\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten))[+-]? $")
_DROPPED = 0.2  # share of the conditions that are removed instead of exchanged


@dataclass
class Swaps:
    """`measures`: measure -> form -> phrases, as in measures.yaml."""

    conditions: Conditions
    measures: dict[str, dict[str, list[str]]]

    def condition(self, rng: random.Random, question: str, query: Query) -> tuple[str, Query] | None:
        """The question with one condition exchanged or removed; None where none is worded as in the bank."""
        source = MEASURES[query.measures[0]].source
        found = [(f, phrase) for f in query.filters for phrase in self._phrases_in(f, question)]
        if source not in TAKES or not found:
            return None
        removed, phrase = max(found, key=lambda fp: len(fp[1]))
        left = replace(query, filters=tuple(f for f in query.filters if f != removed))
        if rng.random() < _DROPPED and left.filters:
            return " ".join(question.replace(phrase, " ", 1).split()), left
        part = self.conditions.pick(rng, source, left, Placeholders(question))
        if part is None or not is_consistent(with_condition(left, part)) or part.having:
            return None
        return question.replace(phrase, part.words, 1), with_condition(left, part)

    def _phrases_in(self, f: Filter, question: str) -> Iterator[str]:
        """Phrases of the question that mean the filter."""
        if f.op != "=" or len(f.values) != 1:
            return
        value = f.values[0]
        kind = value[0] if re.fullmatch(r"[PTVD]\d", value) else None
        bank = self.conditions.phrases.get(f"{f.key}={'V' if f.key == 'venue' else kind or value}", {})
        for phrases in bank.values():
            for phrase in phrases:
                if kind:
                    phrase = re.sub(r"\{[PTVD]1?\}", value, phrase)
                if "{" not in phrase and f" {phrase} " in f" {question} ":
                    yield phrase

    def measure(self, rng: random.Random, question: str, query: Query) -> tuple[str, Query] | None:
        """The question with its measure exchanged; None where the measure is not named as in the bank."""
        if len(query.measures) != 1 or query.having or any(not f.values[0].isidentifier() for f in query.filters):
            return None
        (name,) = query.measures
        pattern, meanings = self._nouns
        hits = [m for m in pattern.finditer(question) if name in {meant for meant, _ in meanings[m[0]]}]
        if len(hits) != 1 or _NO_NUMBER_BEFORE.search(question[: hits[0].start()]):
            return None
        hit = hits[0]
        form = "plural" if (name, "plural") in meanings[hit[0]] else "noun"
        others = [m for m in self._exchangeable(name, query.rank is not None) if self.measures[m].get(form)]
        if not others:
            return None
        other = rng.choice(others)
        swapped = replace(query, measures=(other,))
        words = plain(rng.choice(self.measures[other][form]))
        return (question[: hit.start()] + words + question[hit.end() :], swapped) if is_consistent(swapped) else None

    def _exchangeable(self, name: str, ranked: bool) -> list[str]:
        """Measures of the same source and kind; in a ranking, those of which as much (or as little) is good."""
        one = MEASURES[name]
        return [
            m.name for m in MEASURES.values()
            if m.name != name and m.name in self.measures and (m.source, m.kind) == (one.source, one.kind)
            and m.kind in ("count", "rate") and m.per_innings == one.per_innings
            and (not ranked or (m.name in LESS_IS_BETTER) == (name in LESS_IS_BETTER))
        ]  # fmt: skip

    @cached_property
    def _nouns(self) -> tuple[re.Pattern[str], dict[str, set[tuple[str, str]]]]:
        """A pattern of all nouns, the longest first, and for each noun the (measure, form) pairs that it can mean."""
        meanings: dict[str, set[tuple[str, str]]] = {}
        for name, bank in self.measures.items():
            for form in ("noun", "plural"):
                for noun in bank.get(form, ()):
                    meanings.setdefault(plain(noun), set()).add((name, form))
        longest = sorted(meanings, key=len, reverse=True)
        return re.compile(rf"(?<![\w'-])(?:{'|'.join(map(re.escape, longest))})(?![\w'-])"), meanings
