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
FEWEST_WORDS = 4
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
    def of_exams(cls, phrases: Path = TEST_PHRASES, folder: Path = EXAMS, seed: int = 2024) -> LeakageGuard:
        """The test split's phrasings and people's questions in `folder`, with their names linked."""
        rng = random.Random(seed)
        return cls([plain(expand(q, rng)) for q, _ in read_pairs(phrases)] + people_questions(folder))

    def joined(self, other: LeakageGuard) -> LeakageGuard:
        """A guard of both sets."""
        return LeakageGuard(" ".join(question) for question in [*self._questions, *other._questions])

    def is_near(self, question: str) -> bool:
        """Whether the question is a held-out one or a near paraphrase of one."""
        ours = words(question)
        return any(overlap(ours, other) >= NEAR for word in ours for other in self._by_word.get(word, ()))


def people_questions(folder: Path = EXAMS) -> list[str]:
    """The questions of every set in the folder (`*.jsonl`) as the model would read them.

    Of a conversation's turns those of FEWEST_WORDS or more: "and his economy?" is common property.
    """
    linker = Linker(Names.for_season(load(FAN_SEASON)), Phrasebook.load().words())
    rows = (
        json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()
    )
    asked = [turn for row in rows for turn in row.get("turns", [row])]
    linked = (plain(linker.link(turn["question"]).text) for turn in asked)
    return [text for text in linked if len(text.split()) >= FEWEST_WORDS]
