"""The leakage guard for held-out questions: what the evaluation asks, and near paraphrases of it, is not trained on.

    LeakageGuard.of_exams().is_near("P1 economy at the death")

Two questions are near where their words overlap by NEAR or more (Jaccard index).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from data.linking.linker import Linker
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook
from data.phrasing.phrase_files import expand, read_pairs
from data.season import load
from data.text import plain

EXAMS = Path(__file__).parent / "exams"
NEAR = 0.8
TEST_PHRASES = EXAMS / "test.txt"  # phrasings of the test split
VALIDATION_PHRASES = EXAMS / "validation.txt"  # phrasings that pre-training is validated with
FAN_QUESTIONS = EXAMS / "fan_questions.jsonl"
FAN_SEASON = "ipl_2024"  # that the fan questions are about


def words(question: str) -> frozenset[str]:
    """The distinct words of a question in its plain form."""
    return frozenset(question.split())


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words over all words of two questions (Jaccard index), 0 to 1."""
    return len(a & b) / len(a | b) if a or b else 1.0


class LeakageGuard:
    """A set of held-out questions in the plain form with placeholders; `is_near` recognises their paraphrases."""

    def __init__(self, questions: Iterable[str]):
        self._questions = [q for q in {words(q) for q in questions} if q]
        counts = Counter(word for question in self._questions for word in question)
        self._by_word: dict[str, list[frozenset[str]]] = {}
        for question in self._questions:
            # a near question lacks a fifth of these words at most, so it has one of the rarest fifth and one more
            few = int((1 - NEAR) * len(question) + 1e-6) + 1
            for word in sorted(question, key=lambda word: (counts[word], word))[:few]:
                self._by_word.setdefault(word, []).append(question)

    @classmethod
    def of_exams(cls, phrases: Path = TEST_PHRASES, fans: Path = FAN_QUESTIONS, seed: int = 2024) -> LeakageGuard:
        """The test split's phrasings and the fan questions (where the file exists), with their names linked."""
        rng = random.Random(seed)
        return cls([plain(expand(q, rng)) for q, _ in read_pairs(phrases)] + fan_questions(fans))

    def joined(self, other: LeakageGuard) -> LeakageGuard:
        """A guard of both sets."""
        return LeakageGuard(" ".join(question) for question in [*self._questions, *other._questions])

    def is_near(self, question: str) -> bool:
        """Whether the question is a held-out one or a near paraphrase of one."""
        ours = words(question)
        return any(overlap(ours, other) >= NEAR for word in ours for other in self._by_word.get(word, ()))


def fan_questions(path: Path = FAN_QUESTIONS) -> list[str]:
    """The fan questions as the model would read them; none where there is no file."""
    if not path.exists():
        return []
    linker = Linker(Names.for_season(load(FAN_SEASON)), Phrasebook.load().words())
    lines = path.read_text(encoding="utf-8").splitlines()
    return [plain(linker.link(json.loads(line)["question"]).text) for line in lines if line.strip()]
