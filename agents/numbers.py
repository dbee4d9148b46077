"""The numbers of a query line of which its question says nothing: "overs eighteen to twenty" as `overs=8-20`.

A number may be said in digits or words, one off ("more than five" is `>=6`), in overs for balls, or by an idiom: the
nineties, an opener, the last over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from data.query import Plan
from data.query.line import Query
from data.text import PLACEHOLDER

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_NTH = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_OTHERS = {"hundred": 100, "century": 100, "ton": 100, "once": 1, "twice": 2, "thrice": 3, "double": 2, "both": 2,
           "pair": 2, "couple": 2, "dozen": 12, "half": 50, "figure": 10, "quota": 4, "over": 6, "back": 2,
           "consecutive": 2, "ek": 1, "do": 2, "teen": 3, "char": 4, "chaar": 4, "paanch": 5, "chhe": 6, "saat": 7,
           "aath": 8, "das": 10, "dus": 10, "pachaas": 50, "sau": 100, "runner": 2, "silver": 2, "bronze": 3,
           "right": 2, "centuries": 100, "digit": 10, "penultimate": 19, "fifer": 5, "doosre": 2, "dusre": 2,
           "teesra": 3, "teesre": 3, "chautha": 4, "chauthe": 4}  # fmt: skip
_VALUE = {word: n for words in (_ONES, _NTH) for n, word in enumerate(words)}
_VALUE |= {word: 20 + 10 * n for n, word in enumerate(_TENS)} | _OTHERS
_DECADE = {word[:-1] + "ies": 20 + 10 * n for n, word in enumerate(_TENS)}
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# filters whose numbers are names of parts, and words that say others
_NAMED = frozenset("innings half".split())
_IDIOMS = {
    "overs": re.compile(r"\b(?:last|final|first|opening|closing|death|latter|second|end|begin\w*|start|aakhri)\b"),
    "position": re.compile(
        r"\b(?:open\w*|drop|tail\w*|lower|lower-order|top|middle|number|no|finish\w*|play-?offs?|knock-?outs?"
        r"|qualif\w*|missed|through|down|rabbits?|jack)\b"
    ),
    "wicket": re.compile(r"\b(?:open\w*|last|final|tail\w*|lower|aakhri)\b"),
    "ball": re.compile(r"\b(?:last|final|first|opening)\b"),
}
_ENDS = {"overs": (20.0,), "position": (10.0, 11.0), "wicket": (10.0,)}  # which "from the fifth on" does not name
_LISTS = (3, 5, 10)  # of those who lead, where no number is said


def numbers_made_up(plan: Plan, question: str) -> list[str]:
    """The parts of the plan with a number that the plain `question` does not say; none of one that declines."""
    if plan.decline:
        return []
    said = _said(question)
    return [part for query in plan.queries for part, values in _parts(query, question) if said.isdisjoint(values)]


def _parts(query: Query, question: str) -> Iterator[tuple[str, set[float]]]:
    """The parts of a query with numbers that must be said, and these."""
    for f in query.filters:
        if f.key in _NAMED or _is_idiom(f.key, question):
            continue
        for number in (n for value in f.values if _is_numeric(value) for n in _NUMBER.findall(value)):
            if float(number) not in _ENDS.get(f.key, ()):
                yield str(f), {float(number)}
    for h in (*query.each, *query.having):
        if h.value > 1 and not _is_idiom(h.measure, question):
            yield str(h), {h.value}
    if query.reach is not None:
        yield f"reach {query.reach}", {float(query.reach)}
    if query.rank is not None and query.rank.n > 1 and (query.rank.nth or query.rank.n not in _LISTS):
        yield str(query.rank), {float(query.rank.n)}


def _is_idiom(key: str, question: str) -> bool:
    idiom = _IDIOMS.get(key)
    return idiom is not None and idiom.search(question) is not None


def _is_numeric(value: str) -> bool:
    return re.fullmatch(r"[\d.-]+", value) is not None and not value.startswith("0")


def _said(question: str) -> set[float]:
    """The numbers that a question may mean."""
    words, found = _WORD.findall(PLACEHOLDER.sub(" ", question)), {0.0, 1.0}
    for word, after in zip(words, [*words[1:], ""], strict=True):
        decade = _DECADE.get(word)
        n = float(word) if word[0].isdigit() else _VALUE.get(word, _VALUE.get(word.removesuffix("s"), decade))
        if n is None:
            continue
        found |= {n - 1, n, n + 1, 6 * n, 6 * n - 1, 6 * n + 1}
        if decade is not None or (after == "s" and n >= 20):  # the nineties, the 190s
            found |= {n + k for k in range(10)}
        below = _VALUE.get(after, 0)
        if n >= 20 and 0 < below < 10:
            found |= {n + below - 1, n + below, n + below + 1}
        found |= {n + 0.5}
        found |= {n * 100} if after == "hundred" else {n * 1000} if after == "thousand" else set()
    return found
