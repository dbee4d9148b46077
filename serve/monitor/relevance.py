"""Relevance: of the questions that the season could answer, the share whose answer is about what was asked.

    share = relevance(asked)     # a Share with its interval

An answer is about what was asked if its query line uses every name and number of the question. Not counted are
questions that were rightly declined (another season, an opinion, a name that nobody has ...) or asked back. A figure
can be relevant and wrong, or right and irrelevant: accuracy is measured apart, by people.
"""

from __future__ import annotations

from collections.abc import Iterable

from data.query.language import DECLINES
from serve.monitor.accuracy import Share
from serve.monitor.records import Asked

OUTSIDE = frozenset({*DECLINES, "unknown_name", "absent_name"})  # reasons that are no failure to answer
LEAST = 0.9  # a share that is below this beyond chance is reported


def is_relevant(asked: Asked) -> bool | None:
    """Whether the answer is about what was asked; None where there was nothing to answer or it is not logged."""
    if asked.outcome == "ask_back" or asked.reason in OUTSIDE:
        return None
    if asked.outcome != "answered":
        return False
    return None if asked.plan_left_out is None else asked.plan_left_out == 0


def relevance(asked: Iterable[Asked]) -> Share:
    """The share of relevant answers."""
    known = [relevant for a in asked if (relevant := is_relevant(a)) is not None]
    return Share(sum(known), len(known))
