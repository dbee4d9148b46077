"""The numbers of a query line of which its question says nothing: "overs eighteen to twenty" as `overs=8-20`.

A number may be said in digits or words, one off ("more than five" is `>=6`), in overs for balls, or by an idiom: the
nineties, an opener, the last over. Nobody has to say 0 and 1, the end of an open range ("from the fifth on"), and how
many are listed of those who lead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from data.query import Plan, QueryError, parse
from data.query.line import Query
from data.text import ONES, PLACEHOLDER, TENS

_NTH = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_OTHERS = {"hundred": 100, "century": 100, "centuries": 100, "ton": 100, "centurion": 100, "thousand": 1000, "once": 1,
           "twice": 2, "thrice": 3, "hat": 3, "trick": 3, "double": 2, "both": 2, "pair": 2, "couple": 2, "dozen": 12,
           "quota": 4, "back": 2, "consecutive": 2, "runner": 2, "behind": 2, "next": 2, "silver": 2, "bronze": 3,
           "penultimate": 19, "fifer": 5, "ek": 1, "doosre": 2, "dusra": 2, "dusre": 2, "teen": 3, "teesra": 3,
           "teesre": 3, "char": 4, "chaar": 4, "chautha": 4, "chauthe": 4, "paanch": 5, "chhe": 6, "saat": 7, "aath": 8,
           "das": 10, "dus": 10, "pachaas": 50, "sau": 100}  # fmt: skip
_VALUE = {word: n for words in (ONES, _NTH) for n, word in enumerate(words)} | TENS | _OTHERS
_DECADE = {word[:-1] + "ies": n for word, n in TENS.items()}
_WORD = re.compile(r"[a-z]+|\d+(?:\.\d+)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_HALVES = frozenset("innings half".split())  # filters whose numbers are names
# words that say numbers of a filter or measure
_IDIOMS = tuple(
    (frozenset(keys.split()), re.compile(rf"\b(?:{words})\b"), {float(n) for n in values})
    for keys, words, values in (
        ("overs", "last|final|closing|death|slog|end|aakhri", range(16, 21)),
        ("overs", "first|opening|begin\\w*|start\\w*|powerplay|after", range(1, 8)),
        ("overs", "middle", range(7, 16)),
        ("overs", "half|halfway|latter|second", (10, 11)),
        ("position", "open\\w*|leadoff|top|drop|down|number|no", range(1, 5)),
        ("position", "middle|finish\\w*", range(3, 8)),
        ("position", "tail\\w*|lower|lower-order|rabbits?|jack", range(7, 12)),
        ("position", "play-?offs?|knock(?:ed)?-? ?outs?|qualif\\w*|missed|through|advanc\\w*", (4, 5)),
        ("position", "bottom|wooden|last", (9, 10)),
        ("wicket", "open\\w*", (1, 2)),
        ("wicket", "last|final|tail\\w*|lower|aakhri", range(6, 11)),
        ("ball", "last|final|aakhri", (6,)),
        ("margin runs score total extras_conceded points wickets", "single|double|figures?|digits?", (9, 10, 11)),
        ("score total runs stand hundreds", "triple|three figures?|double-century", (99, 100, 101, 200)),
        ("strike_rate economy concede_rate run_rate", "a ball", (6, 100, 200)),
        ("score runs", "nineties|90s|fifties|forties|thirties", (49, 50, 99, 100)),
        ("balls_bowled overs_bowled", "full", (4, 24)),
        ("wickets_lost wickets_taken margin", "bowled out|all out|full hand|no wicket", (10,)),
    )
)
_ENDS = {"overs": (20.0,), "position": (10.0, 11.0), "wicket": (10.0,)}  # of ranges
_LISTS = (3, 5, 10)


def numbers_made_up(plan: Plan, question: str) -> list[str]:
    """The parts of the plan with a number that the plain `question` does not say; none of one that declines."""
    if plan.decline:
        return []
    said = _said(question)
    parts = (part for query in plan.queries for part in _parts(query))
    return list(dict.fromkeys(part for part, key, n in parts if n not in said and not _is_idiom(key, n, question)))


def put_right(plan: Plan, question: str, known: str = "") -> Plan:
    """The plan with its one number that nobody said exchanged for the one in digits that it lacks: "balls>=300" of "at
    least 200 balls" is miscopied. `known`: words whose numbers the plan may have beside those of the plain `question`.

    The plan as it is where either number is none or several, or of another length.
    """
    wrong, line = numbers_made_up(plan, f"{question} {known}"), str(plan)
    used = set(map(float, _NUMBER.findall(PLACEHOLDER.sub(" ", line))))
    lacking = {n for n in _NUMBER.findall(PLACEHOLDER.sub(" ", question)) if float(n) not in used}
    if len(wrong) != 1 or len(lacking) != 1 or line.count(wrong[0]) != 1:
        return plan
    numbers = _NUMBER.findall(wrong[0])
    if len(numbers) != 1 or len(numbers[0]) != len(said := lacking.pop()):
        return plan
    try:
        mended = parse(line.replace(wrong[0], wrong[0].replace(numbers[0], said)))
    except QueryError:
        return plan
    return plan if numbers_made_up(mended, f"{question} {known}") else mended


def _parts(query: Query) -> Iterator[tuple[str, str, float]]:
    """The parts of a query with numbers: the part, what it is about, and the number."""
    for f in query.filters:
        numbers = (float(n) for value in f.values if _is_numeric(value) for n in _NUMBER.findall(value))
        if f.key not in _HALVES:
            yield from ((str(f), f.key, n) for n in numbers if n not in _ENDS.get(f.key, ()))
    yield from ((str(h), h.measure, h.value) for h in (*query.each, *query.having))
    if query.reach is not None:
        yield f"reach {query.reach}", "reach", float(query.reach)
    if query.rank is not None and (query.rank.nth or query.rank.n not in _LISTS):
        yield str(query.rank), "rank", float(query.rank.n)


def _is_idiom(key: str, number: float, question: str) -> bool:
    return any(key in keys and number in values and words.search(question) for keys, words, values in _IDIOMS)


def _is_numeric(value: str) -> bool:
    return re.fullmatch(r"[\d.-]+", value) is not None and not value.startswith("0")


def _said(question: str) -> set[float]:
    """The numbers that a question may mean."""
    words, found = _WORD.findall(PLACEHOLDER.sub(" ", question)), {0.0, 1.0}
    numbers = [_number(word, after) for word, after in pairwise([*words, ""])]
    for i, n in enumerate(numbers):
        if n is None:
            continue
        found |= {n - 1, n, n + 0.5, n + 1, 6 * n - 1, 6 * n, 6 * n + 1}
        if words[i] in _DECADE or (n >= 20 and words[i + 1 : i + 2] == ["s"]):  # the nineties, the 190s
            found |= {n + k for k in range(10)}
        for m in (m for m in numbers[i + 1 : i + 4] if m is not None):  # twenty five, one fifty, two hundred and fifty
            whole = n * m if m in (100, 1000) else 100 * n + m if n < 10 <= m < 100 else n + m if m < n else n
            found |= {whole - 1, whole, whole + 1}
            if m == 100:
                found |= {whole + rest for rest in numbers[i + 2 : i + 5] if rest is not None and rest < 100}
        if words[i - 1 : i] in (["half"], ["a"]) and n in (12, 100):  # half a dozen, half-centuries
            found.add(n / 2)
    return found


def _number(word: str, after: str) -> float | None:
    if word[0].isdigit():
        return float(word) * (1000 if after == "k" else 1)
    return _VALUE.get(word, _VALUE.get(word.removesuffix("s"), _DECADE.get(word)))
