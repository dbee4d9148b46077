"""The signals that are monitored: each assigns a question to a category, or to none. MODEL_MONITORING.md lists them.

A rate is a signal with the categories "yes" and "no".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serve.monitor.records import Asked, Judgement

YES, NO = "yes", "no"
# The least PSI that is flagged. 0.1 is the customary threshold of a distribution that moved. For a yes/no signal PSI is
# close to the square of Cohen's h, and 0.01 (h = 0.1) is 2 % becoming 3.6 %, 10 % becoming 13 %, or 50 % becoming 55 %.
LEAST_SHAPE, LEAST_RATE = 0.1, 0.01

Judged = Mapping[str, Judgement]


@dataclass(frozen=True)
class Signal:
    """`of` gives a question's category, from the log line's `fields` (`verdict` is one of the feedback store)."""

    name: str
    side: str  # input | output
    says: str  # what it is, for the report
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
    Signal("unknown names", "input", "questions with a name that nobody in the season has", ("names_unknown",),
           lambda a, _: _yes(_some(a.names_unknown)), rate=True),
    Signal("declined", "output", "questions declined", ("outcome",), lambda a, _: _yes(a.outcome == "declined"),
           rate=True),
    Signal("reason", "output", "why questions were declined or asked back", ("reason",), lambda a, _: a.reason),
    Signal("asked back", "output", "questions answered by a question", ("outcome",),
           lambda a, _: _yes(a.outcome == "ask_back"), rate=True),
    Signal("plain wording", "output", "answers with plain wording in place of the model's", ("outcome", "worded_by"),
           lambda a, _: _yes(a.worded_by == "plain") if a.outcome == "answered" else None, rate=True),
    Signal("redrawn", "output", "questions whose first query line was replaced by another sample", ("plan_redrawn",),
           lambda a, _: _yes(a.plan_redrawn), rate=True),
    Signal("left out", "output", "query lines that leave out a name or number of the question", ("plan_left_out",),
           lambda a, _: _yes(_some(a.plan_left_out)), rate=True),
    Signal("judged wrong", "output", "judged answers that are wrong", ("verdict",), _verdict, rate=True),
)  # fmt: skip
