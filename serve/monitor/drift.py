"""Two windows of days compared: PSI for how much a signal moved, a permutation test for whether that is chance.

Questions of one day resemble each other (they are about one match), so questions are no independent sample and a
chi-square test over them raises false alarms. Therefore whole days are permuted: if nothing changed, any choice of as
many days could have been the current window, and p is the share of choices that differ at least as much. Holm's
correction over all signals keeps the chance of any false alarm in a report at `alarm_rate`.

A signal is flagged if p is below its corrected level and the PSI is at least the signal's `least`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from serve.monitor.records import Asked, Judgement, MonitorError
from serve.monitor.signals import SIGNALS, YES, Signal

ALARM_RATE = 0.01  # one false alarm in a hundred reports, which is two years of weekly ones
DRAWS = 9_999
RARE = 0.01  # categories with a smaller share of both windows together are merged into one
OTHER = "(rare)"


@dataclass(frozen=True)
class Windows:
    """The current days, which are tested, and the reference days before them."""

    reference: tuple[date, ...]
    current: tuple[date, ...]

    @property
    def arrangements(self) -> int:
        """The number of ways to choose as many days as the current window has."""
        return math.comb(len(self.reference) + len(self.current), len(self.current))


@dataclass(frozen=True)
class Finding:
    """One signal compared: counts by category in both windows. `usual` is the PSI that chance exceeds in 5 % of cases.

    `p` is None where nothing was tested; `level` is what it has to be below.
    """

    signal: Signal
    reference: Mapping[str, int]
    current: Mapping[str, int]
    psi: float
    usual: float
    p: float | None
    level: float
    flagged: bool

    def rate(self, window: str) -> float | None:
        """The share of YES in `reference` or `current`; None without cases."""
        counts: Mapping[str, int] = getattr(self, window)
        return counts.get(YES, 0) / total if (total := sum(counts.values())) else None


def windows(days: Sequence[date], current: int = 7, reference: int = 28) -> Windows:
    """The last `current` days and the `reference` days before them; whole weeks have the same weekdays.

    Raises MonitorError.
    """
    if current < 1 or reference < 1:
        raise MonitorError(f"windows of {current} and {reference} days: each needs at least one day")
    if not days:
        raise MonitorError("the log has no days: give the service's log of at least two weeks")
    first = max(days) - timedelta(days=current - 1)
    before = first - timedelta(days=reference)
    return Windows(tuple(d for d in days if before <= d < first), tuple(d for d in days if d >= first))


def psi(reference: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Population stability index of counts along the last axis.

    Half a case is added to each category, so that an empty one gives a finite index.
    """
    a, b = reference + 0.5, current + 0.5
    a, b = a / a.sum(-1, keepdims=True), b / b.sum(-1, keepdims=True)
    return ((b - a) * np.log(b / a)).sum(-1)


def compare(
    asked: Sequence[Asked],
    judged: Mapping[str, Judgement],
    over: Windows,
    alarm_rate: float = ALARM_RATE,
    signals: Sequence[Signal] = SIGNALS,
    seed: int = 0,
) -> list[Finding]:
    """A finding for every signal that has cases in both windows, flagged or not."""
    choices = _choices(over, np.random.default_rng(seed))
    can = too_few(over, alarm_rate, len(signals)) is None
    found = [f for signal in signals if (f := _compared(signal, asked, judged, over, choices, can))]
    tested = sorted((f for f in found if f.p is not None), key=lambda f: f.p)
    levels: dict[str, float] = {}
    holding = True
    for i, finding in enumerate(tested):  # Holm: the smallest p against rate / n, the next against rate / (n - 1) ...
        level = alarm_rate / (len(tested) - i)
        holding = holding and finding.p <= level
        levels[finding.signal.name] = level if holding else 0.0
    return [_judged(f, levels.get(f.signal.name, 0.0), alarm_rate / max(1, len(tested))) for f in found]


def too_few(over: Windows, alarm_rate: float = ALARM_RATE, signals: int = len(SIGNALS)) -> str | None:
    """Why the windows have too few days for p to become small enough; None where they have enough."""
    if over.arrangements > signals / alarm_rate:
        return None
    return (
        f"{len(over.current)} against {len(over.reference)} days have only {over.arrangements} arrangements and the "
        f"test needs {math.ceil(signals / alarm_rate)}: read the log of more days (7 against 14 are enough)"
    )


def _compared(signal: Signal, asked: Sequence[Asked], judged: Mapping[str, Judgement], over: Windows,
              choices: np.ndarray, testable: bool) -> Finding | None:  # fmt: skip
    days = [*over.reference, *over.current]
    place = {day: i for i, day in enumerate(days)}
    counts = [Counter() for _ in days]
    for question in asked:
        if question.day in place and (category := signal.of(question, judged)) is not None:
            counts[place[question.day]][category] += 1
    split = len(over.reference)
    reference, current = (sum(part, Counter()) for part in (counts[:split], counts[split:]))
    if not reference or not current:
        return None
    together = reference + current
    kept = [c for c, n in together.most_common() if signal.rate or n >= RARE * together.total()]
    columns = [*kept, OTHER] if len(kept) < len(together) else kept
    matrix = np.array([[_count(day, column, kept) for column in columns] for day in counts], dtype=float)
    now = float(psi(matrix[:split].sum(0), matrix[split:].sum(0)))
    inside = choices @ matrix
    by_chance = psi(matrix.sum(0) - inside, inside)
    p = (1 + int((by_chance >= now - 1e-12).sum())) / (1 + DRAWS)
    return Finding(
        signal,
        {c: int(n) for c, n in zip(columns, matrix[:split].sum(0), strict=True)},
        {c: int(n) for c, n in zip(columns, matrix[split:].sum(0), strict=True)},
        now,
        float(np.quantile(by_chance, 0.95)),
        p if testable else None,
        0.0,
        False,
    )


def _count(day: Counter, column: str, kept: Sequence[str]) -> int:
    return day[column] if column != OTHER else sum(n for c, n in day.items() if c not in kept)


def _choices(over: Windows, rng: np.random.Generator) -> np.ndarray:
    """DRAWS random choices of as many days as the current window has, as rows of ones and zeros over all days."""
    days = len(over.reference) + len(over.current)
    order = rng.random((DRAWS, days)).argsort(1)[:, : len(over.current)]
    chosen = np.zeros((DRAWS, days))
    np.put_along_axis(chosen, order, 1.0, 1)
    return chosen


def _judged(finding: Finding, level: float, shown: float) -> Finding:
    flagged = finding.p is not None and finding.p <= level and finding.psi >= finding.signal.least
    return Finding(finding.signal, finding.reference, finding.current, finding.psi, finding.usual, finding.p,
                   level or shown, flagged)  # fmt: skip
