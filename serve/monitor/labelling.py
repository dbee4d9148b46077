"""Which answers a person should judge next: `worth_labelling(asked, judgements)`, and a fair sample of all.

The first are answers that are likely to be wrong and of different shapes. They are no fair sample, so accuracy is
estimated from `fair_sample`.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serve.monitor.accuracy import contradicted, settled
from serve.monitor.records import Asked, Judgement

MAX_OF_ONE_SHAPE = 2  # shape of query: more of them would teach little that is new
MAX_OF_ONE_REASON = 4


@dataclass(frozen=True)
class Candidate:
    """An answer to judge: how doubtful it is and why."""

    asked: Asked
    points: float
    why: tuple[str, ...]
    question: str | None  # where the log or a judgement holds the text


def worth_labelling(asked: Sequence[Asked], judgements: Iterable[Judgement], count: int = 10) -> list[Candidate]:
    """The most doubtful answers that are not yet judged or whose judgements disagree, most doubtful first."""
    judgements = list(judgements)
    verdicts, disputed = settled(judgements), contradicted(judgements)
    texts = {j.request_id: j.question for j in judgements if j.question}
    shapes = Counter(_shape(a) for a in asked)
    ranked = []
    for question in asked:
        judgement = verdicts.get(question.request_id)
        if judgement and judgement.verdict != "unsure" and question.request_id not in disputed:
            continue
        if judgement and judgement.reviewed and judgement.verdict != "unsure":
            continue
        points, why = _points(question, judgement, question.request_id in disputed)
        if why:
            points *= 1 + math.log10(shapes[_shape(question)])  # a label of a frequent shape tells about many answers
            text = question.question or texts.get(question.request_id)
            ranked.append(Candidate(question, round(points, 2), why, text))
    ranked.sort(key=lambda c: (-c.points, -c.asked.at.timestamp(), c.asked.request_id))
    return _varied(ranked, count)


def fair_sample(asked: Sequence[Asked], count: int, seed: int) -> list[Asked]:
    """`count` questions drawn uniformly from all, or all of them: accuracy is estimated from such a sample."""
    return random.Random(seed).sample(list(asked), min(count, len(asked)))


def _points(question: Asked, judgement: Judgement | None, disputed: bool) -> tuple[float, tuple[str, ...]]:
    """How doubtful an answer is, and why: what people say counts most, then its plan, then its wording."""
    found: list[tuple[float, str]] = []
    if disputed:
        found.append((5, "judged right and wrong"))
    elif judgement:
        found.append((4, "a user was unsure"))
    if question.plan_left_out:
        found.append((4, "the query leaves out a name or number of the question"))
    if question.reason in ("no_plan", "not_computable"):
        found.append((3, "figures were asked for and none computed"))
    if question.plan_redrawn:
        found.append((2, "the first query line was not usable"))
    if question.words_unknown:
        share = question.words_unknown / max(1, question.words or 0)
        found.append((1 + 3 * share, f"{question.words_unknown} of {question.words} words are unknown"))
    if question.reason in ("off_topic", "opinion", "not_recorded"):
        found.append((1, f"declined as {question.reason.replace('_', ' ')}, which may be wrong"))
    if question.names_unknown:
        found.append((1, "a name that nobody in the season has"))
    if question.outcome == "answered" and question.worded_by == "plain":
        found.append((1, f"plain wording: {question.plain_because or 'the reason is not logged'}"))
    return sum(points for points, _ in found), tuple(why for _, why in found)


def _shape(question: Asked) -> tuple[object, ...]:
    return question.outcome, question.reason, question.measures, question.by, question.filters


def _varied(ranked: Sequence[Candidate], count: int) -> list[Candidate]:
    chosen: list[Candidate] = []
    shapes: Counter = Counter()
    reasons: Counter = Counter()
    for candidate in ranked:
        shape, reason = _shape(candidate.asked), candidate.why[0].lstrip("0123456789 ")
        if shapes[shape] < MAX_OF_ONE_SHAPE and reasons[reason] < MAX_OF_ONE_REASON:
            chosen.append(candidate)
            shapes[shape] += 1
            reasons[reason] += 1
            if len(chosen) == count:
                break
    return chosen
