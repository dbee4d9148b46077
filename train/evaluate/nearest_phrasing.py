"""The control of the evaluation: plans by the nearest known phrasing, without a model.

A fine-tuned model is worth what it does better than this. The control knows all hand-written pairs and the training
split, compares questions by shared words weighted by their rarity, and words no answers (the agents' plain sentence
does).
"""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from agents.model import Generation
from data.phrasing.composer import Phrasebook
from data.phrasing.phrase_files import expand
from data.query import parse
from data.text import PLACEHOLDER, plain, renumber

EXPANSIONS = 3  # questions made of a pair with (a|b) alternatives


class NearestPhrasing:
    """An `agents.model.TextModel` over (question, query line) pairs."""

    def __init__(self, pairs: Iterable[tuple[str, str]]):
        self.lines: list[str] = []
        self.words: list[frozenset[str]] = []
        self.needs: list[frozenset[str]] = []
        self.by_word: dict[str, list[int]] = defaultdict(list)
        for question, line in dict.fromkeys(pairs):
            words = frozenset(question.split())
            for word in words:
                self.by_word[word].append(len(self.lines))
            self.lines.append(line)
            self.words.append(words)
            self.needs.append(frozenset(m[0] for m in PLACEHOLDER.finditer(line)))
        self.weight = {w: math.log(len(self.lines) / len(at)) + 0.1 for w, at in self.by_word.items()}
        self.sums = [sum(self.weight[w] for w in words) for words in self.words]

    @classmethod
    def of(cls, training: Path | None = None) -> NearestPhrasing:
        """The control over the phrase files and, where it exists, the training split."""
        rng = random.Random(0)
        pairs = []
        for pattern, line in Phrasebook.load().pairs:
            for _ in range(EXPANSIONS if "|" in pattern else 1):
                pairs.append(renumber(plain(expand(pattern, rng)), str(parse(line).canonical())))
        if training and training.exists():
            records = map(json.loads, training.read_text(encoding="utf-8").splitlines())
            pairs += [(r["linked"], r["query"]) for r in records if r.get("query")]
        return cls(pairs)

    def plan(self, question: str) -> str:
        """The line of the known phrasing that shares most with the question and needs no other placeholders."""
        words = frozenset(question.split())
        names = {m[0] for m in PLACEHOLDER.finditer(question)}
        shared: dict[int, float] = defaultdict(float)
        for word in words:
            for i in self.by_word.get(word, ()):
                shared[i] += self.weight[word]
        own = sum(self.weight.get(w, max(self.weight.values())) for w in words)
        fits = ((score / (own + self.sums[i] - score), -i) for i, score in shared.items() if self.needs[i] <= names)
        best = max(fits, default=None)
        return self.lines[-best[1]] if best else "decline off_topic"

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
        task, _, question = messages[-1]["content"].partition(" ")
        if task != "plan":
            return Generation("", "length")  # no sentence: the agents word the table plainly
        return Generation(self.plan(question), "stop")
