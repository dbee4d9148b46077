"""How likely the parts of a query line are beside the words of its question.

A small network reads which words and pairs of words a question has, and says how probable each part of a line is:
measures, dimensions, conditions, clauses. It sees no order beyond pairs and writes no line; it is there to disbelieve.
`python -m train.likelihood` fits it to composed questions and writes FILE: one hidden layer, a few hundred parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from data.phrasing.implications import parts_of
from data.phrasing.phrase_files import PHRASES
from data.query import Plan
from data.text import PLACEHOLDER

FILE = PHRASES / "likelihood.npz"
LONG = 5  # letters from which on a word's beginning is a feature, too

_TOKEN = re.compile(r"[A-Za-z]+\d?|\d+")


def features(question: str) -> frozenset[str]:
    """The words of a plain question, neighbours, words two apart, beginnings of long words; names and numbers as
    their kinds."""
    words = ["^", *map(_kind, _TOKEN.findall(question)), "$"]
    return frozenset((*words, *_pairs(words), *(f"{word[:4]}*" for word in words if len(word) > LONG)))


def _kind(token: str) -> str:
    return token[0] if PLACEHOLDER.fullmatch(token) else "#" if token.isdigit() else token


def _pairs(words: list[str]) -> Iterator[str]:
    yield from map(" ".join, pairwise(words))
    yield from (f"{one} _ {other}" for one, other in zip(words, words[2:], strict=False))


def labels_of(plan: Plan) -> frozenset[str]:
    """What the network says the probability of: the parts of a line, how many queries it has, why it declines."""
    if plan.decline:
        return frozenset((f"decline {plan.decline}",))
    return parts_of(plan) | {f"queries={len(plan.queries)}"}


@dataclass(frozen=True)
class Likelihood:
    """How well a line fits a question."""

    log: float  # nats; the sum over all parts, of those that the line has and those that it has not
    unknown: int  # features of the question that composed questions hardly ever have
    features: int


@dataclass(frozen=True)
class PartModel:
    """The network: features to `hidden` units, rectified, to a logit for each label."""

    vocabulary: dict[str, int]
    labels: dict[str, int]
    embedding: np.ndarray  # [features, hidden], int8
    scale: float  # of the embedding
    weights: np.ndarray  # [labels, hidden], float32
    bias: np.ndarray  # [labels], float32

    @classmethod
    def load(cls, path: Path = FILE) -> PartModel:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            words, labels = (str(file[name]).split("\n") for name in ("vocabulary", "labels"))
            return cls(
                {word: i for i, word in enumerate(words)},
                {label: i for i, label in enumerate(labels)},
                file["embedding"],
                float(file["scale"]),
                file["weights"].astype(np.float32),
                file["bias"].astype(np.float32),
            )

    def save(self, file: BinaryIO) -> None:
        """Write the network to an open .npz file: the same network, the same bytes."""
        np.savez_compressed(
            file,
            vocabulary=np.array("\n".join(self.vocabulary)),
            labels=np.array("\n".join(self.labels)),
            embedding=self.embedding,
            scale=np.float32(self.scale),
            weights=self.weights.astype(np.float16),
            bias=self.bias.astype(np.float16),
        )

    def of(self, plan: Plan, question: str, familiar: frozenset[str] = frozenset()) -> Likelihood:
        """The likelihood of a line beside a plain question; `familiar` features are no unknown ones either."""
        found = features(question)
        known = sorted(self.vocabulary[feature] for feature in found if feature in self.vocabulary)
        hidden = np.maximum(self.scale * self.embedding[known].sum(axis=0, dtype=np.int32), 0)
        logits = self.weights @ hidden + self.bias
        held = [self.labels[label] for label in labels_of(plan) if label in self.labels]
        logits[held] *= -1  # -log of a sigmoid is log(1 + exp(-x)), of its complement log(1 + exp(x))
        unknown = sum(feature not in self.vocabulary and feature not in familiar for feature in found)
        return Likelihood(-float(np.logaddexp(0, logits).sum()), unknown, len(found))


@cache
def part_model() -> PartModel:
    """The network kept beside the phrases."""
    return PartModel.load()
