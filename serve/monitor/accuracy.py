"""Accuracy from judgements, with its interval: `accuracy(judgements)`, `wilson(right, of)`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from serve.monitor.records import Judgement

Z = 1.959964  # two-sided 95 %


@dataclass(frozen=True)
class Share:
    """`count` of `of`, with a 95 % interval (Wilson), which is 0 to 1 where there are no cases."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        return self.count / self.of if self.of else None

    @property
    def low(self) -> float:
        return wilson(self.count, self.of)[0]

    @property
    def high(self) -> float:
        return wilson(self.count, self.of)[1]


def wilson(count: int, of: int, z: float = Z) -> tuple[float, float]:
    """Interval of a proportion (Wilson 1927), which holds for few cases and for shares near 0 and 1."""
    if of <= 0:
        return 0.0, 1.0
    p, n = count / of, of
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def settled(judgements: Iterable[Judgement]) -> dict[str, Judgement]:
    """One judgement per answer, by request id: a reviewer's rather than a user's, then the latest."""
    found: dict[str, Judgement] = {}
    for judgement in sorted(judgements, key=lambda j: (j.reviewed, j.at)):
        found[judgement.request_id] = judgement
    return found


def accuracy(judgements: Iterable[Judgement]) -> Share:
    """The share of right answers among those judged right or wrong; `unsure` is not counted."""
    verdicts = [j.verdict for j in judgements if j.verdict in ("right", "wrong")]
    return Share(verdicts.count("right"), len(verdicts))


def contradicted(judgements: Iterable[Judgement]) -> set[str]:
    """Request ids of answers that were judged both right and wrong."""
    said: dict[str, set[str]] = {}
    for judgement in judgements:
        said.setdefault(judgement.request_id, set()).add(judgement.verdict)
    return {request_id for request_id, verdicts in said.items() if {"right", "wrong"} <= verdicts}
