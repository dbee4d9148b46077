"""How probable it is that a query line does not say what its question asks, judged from outside the model.

Lines are wrong more often the less likely their parts are beside the words of the question, the more of these words
and pairs of words no composed question has, and the longer the question is. `python -m train.evaluate.confidence`
weighs the three by logistic regression on the blind questions, and prints what a limit costs.
"""

from __future__ import annotations

import math

from data.phrasing.likelihood import part_model
from data.query import Plan

# of the likelihood in nats, of each unknown feature, of each feature, and of nothing
WEIGHTS, CONSTANT = (-0.1113, 0.0653, 0.0315), -3.468
LIMIT = 0.65  # a line that is more probably wrong than this is suggested, not answered


def chance_of_error(plan: Plan, question: str, familiar: frozenset[str] = frozenset()) -> float:
    """The probability that the line of a plain `question` is wrong; 0 of one that declines.

    `familiar`: features of questions that the model was trained on beside the composed ones.
    """
    if plan.decline:
        return 0.0
    odds = CONSTANT + sum(weight * x for weight, x in zip(WEIGHTS, signs(plan, question, familiar), strict=True))
    return 1 / (1 + math.exp(-odds))


def signs(plan: Plan, question: str, familiar: frozenset[str] = frozenset()) -> tuple[float, float, float]:
    """What is weighed: log likelihood in nats (at least -40), unknown features, features."""
    found = part_model().of(plan, question, familiar)
    return max(found.log, -40.0), float(found.unknown), float(found.features)
