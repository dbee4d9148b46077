"""Questions that measure, kept apart from what is trained on: exact ones and near paraphrases.

    Apart.of_exams().near("P1 economy at the death")

Two questions are near where they share `NEAR` of all their words (Jaccard). Knows nothing about models.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from data.linking.linker import Linker
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook, expand, read_pairs
from data.season import load
from data.text import plain

EXAMS = Path(__file__).parent / "exams"
NEAR = 0.8  # word overlap from which a question counts as a paraphrase
HELD_OUT_PHRASES = EXAMS / "test.txt"  # the test split's
VALIDATION_PHRASES = EXAMS / "validation.txt"  # what training is watched on
FAN_QUESTIONS = EXAMS / "fan_questions.jsonl"
FAN_SEASON = "ipl_2024"


def tokens(linked: str) -> frozenset[str]:
    return frozenset(linked.split())


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared tokens of all tokens of two questions (Jaccard)."""
    return len(a & b) / len(a | b) if a or b else 1.0


class Apart:
    """A set of questions, in the plain form with placeholders, and what comes near one of them."""

    def __init__(self, texts: Iterable[str]):
        self.texts = [t for t in {tokens(t) for t in texts} if t]
        counts = Counter(token for text in self.texts for token in text)
        self.by_token: dict[str, list[frozenset[str]]] = {}
        for text in self.texts:
            # a near text misses a fifth of these tokens at most, so that it has one of the rarest fifth and one more
            few = int((1 - NEAR) * len(text) + 1e-6) + 1
            rare = sorted(text, key=lambda token: (counts[token], token))[:few]
            for token in rare:
                self.by_token.setdefault(token, []).append(text)

    @classmethod
    def of_exams(cls, heldout: Path = HELD_OUT_PHRASES, fans: Path = FAN_QUESTIONS, seed: int = 2024) -> Apart:
        """The test split's phrasings and the fan questions (where they are there), with their names linked."""
        rng = random.Random(seed)
        return cls([plain(expand(q, rng)) for q, _ in read_pairs(heldout)] + fan_texts(fans))

    def joined(self, other: Apart) -> Apart:
        return Apart(" ".join(text) for text in [*self.texts, *other.texts])

    def near(self, linked: str) -> bool:
        ours = tokens(linked)
        return any(overlap(ours, text) >= NEAR for token in ours for text in self.by_token.get(token, ()))


def fan_texts(fans: Path = FAN_QUESTIONS) -> list[str]:
    """The fan questions as the model would read them."""
    if not fans.exists():
        return []
    linker = Linker(Names.for_season(load(FAN_SEASON)), Phrasebook.load().words())
    lines = fans.read_text(encoding="utf-8").splitlines()
    return [plain(linker.link(json.loads(line)["question"]).text) for line in lines if line.strip()]
