"""What is watched: each signal puts a question into a category, or leaves it out. MODEL_MONITORING.md lists them.

Rates are signals with the categories "yes" and "no". Knows nothing about how two windows are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serve.monitor.records import Asked, Judgement

YES, NO = "yes", "no"
# Least PSI that counts. 0.1 is the customary mark of a distribution that moved. For a yes/no signal PSI is close to
# the square of Cohen's h, and 0.01 (h = 0.1) is 2 % becoming 3.6 %, 10 % becoming 13 %, or 50 % becoming 55 %.
LEAST_SHAPE, LEAST_RATE = 0.1, 0.01

Judged = Mapping[str, Judgement]


@dataclass(frozen=True)
class Signal:
    """`fields`: what it reads of a log line (`verdict`: of the feedback store). `bad` is the direction that hurts."""

    name: str
    side: str  # input | output
    says: str
    fields: tuple[str, ...]
    of: Callable[[Asked, Judged], str | None]
    rate: bool = False

    @property
    def least(self) -> float:
        return LEAST_RATE if self.rate else LEAST_SHAPE


def _yes(holds: bool | None) -> str | None:
    return None if holds is None else YES if holds else NO


def _some(count: int | None) -> bool | None:
    return None if count is None else count > 0


def _upto(count: int | None, *marks: int) -> str | None:
    """The class of a count: `_upto(7, 5, 10)` is "6 to 10"."""
    if count is None:
        return None
    low = 0
    for mark in marks:
        if count <= mark:
            return f"{mark}" if low == mark else f"{low} to {mark}"
        low = mark + 1
    return f"{low} or more"


def _verdict(asked: Asked, judged: Judged) -> str | None:
    verdict = judged[asked.request_id].verdict if asked.request_id in judged else None
    return _yes(verdict == "wrong") if verdict in ("right", "wrong") else None


SIGNALS = (
    Signal("question kind", "input", "what is asked about: batting, bowling, teams ...", ("measures",),
           lambda a, _: a.kind),
    Signal("measure", "input", "the first measure of the query", ("measures",),
           lambda a, _: a.measures[0] if a.measures else None),
    Signal("grouping", "input", "by whom or what figures are listed", ("measures", "by"),
           lambda a, _: (", ".join(a.by) or "none") if a.measures else None),
    Signal("filters", "input", "how many conditions a question has", ("measures", "filters"),
           lambda a, _: _upto(len(a.filters), 0, 1, 2) if a.measures else None),
    Signal("question length", "input", "characters", ("question_chars",),
           lambda a, _: _upto(a.question_chars, 30, 60, 100, 200)),
    Signal("unknown words", "input", "words that no training phrasing has", ("words", "words_unknown"),
           lambda a, _: _upto(a.words_unknown, 0, 1, 2)),
    Signal("unknown names", "input", "questions with a name that nobody of the season has", ("names_unknown",),
           lambda a, _: _yes(_some(a.names_unknown)), rate=True),
    Signal("declined", "output", "questions declined", ("outcome",), lambda a, _: _yes(a.outcome == "declined"),
           rate=True),
    Signal("reason", "output", "why questions were declined or asked back", ("reason",), lambda a, _: a.reason),
    Signal("asked back", "output", "questions answered by a question", ("outcome",),
           lambda a, _: _yes(a.outcome == "ask_back"), rate=True),
    Signal("plain wording", "output", "answers where the model's sentence was replaced", ("outcome", "worded_by"),
           lambda a, _: _yes(a.worded_by == "plain") if a.outcome == "answered" else None, rate=True),
    Signal("redrawn", "output", "questions whose first query line was rescued by drawing others", ("plan_redrawn",),
           lambda a, _: _yes(a.plan_redrawn), rate=True),
    Signal("left out", "output", "query lines that leave out a name or number of the question", ("plan_left_out",),
           lambda a, _: _yes(_some(a.plan_left_out)), rate=True),
    Signal("judged wrong", "output", "wrong ones among judged answers", ("verdict",), _verdict, rate=True),
)  # fmt: skip
