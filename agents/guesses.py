"""Names that somebody only guesses as the answer: "who took most wickets, must be P1", "P1 or P2 i reckon".

Such a name has no place in a query line, so that it may be left out.
"""

from __future__ import annotations

from data.query import Plan
from data.text import PLACEHOLDER

# beside a name these say that it is a guess or hearsay
_GUESSING = frozenset(
    "assume believe believes bet claim claims convinced correct doubt dreaming feels gotta guess guessed heard "
    "hoga hoping hunch i'd imagine insist insists lagta maybe money money's must naming obviously perhaps pick "
    "presumably pretty probably reckon reckons remember right rumour said say says shout smells split suppose "
    "sure surely swear swears think thinking thinks thought told vote voted wasn't".split()
)
_BESIDE = 4  # words
# directly before a name these make it part of what is asked
_JOINS = frozenset(
    "a about across after against amid among and apart at barring batting before beside between both bowling but "
    "by did do does except excluding facing following for from had has how in including into ka ke ki ko like me "
    "mein minus na ne of off on only or other out over pe per plus se since than that the to under until v versus "
    "via vs was were when where while who whom why with within without".split()
)
_KIND = {"batter": "P", "bowler": "P", "fielder": "P", "player": "P", "team": "T"}


def guessed(plan: Plan, question: str) -> set[str]:
    """The placeholders of the plain `question` that are only guesses.

    They are of the kind that the plan ranks and have no preposition or the like before them, or are beside words of
    guessing.
    """
    words = question.split()
    ranked = {_KIND.get(d) for q in plan.queries if q.rank and q.rank.kind in ("top", "bottom") for d in q.by}
    found: set[str] = set()
    for i, word in enumerate(words[3:], 3):
        if PLACEHOLDER.fullmatch(word):
            beside = words[max(0, i - _BESIDE) : i] + words[i + 1 : i + 1 + _BESIDE]
            of_guess = words[i - 1] in ("or", "and") and words[i - 2] in found
            if of_guess or _GUESSING & set(beside) or (word[0] in ranked and words[i - 1] not in _JOINS):
                found.add(word)
    return found
