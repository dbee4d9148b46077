"""The words by which a sentence shows a circumstance, such as "powerplay", "against" or "of at least".

They are derived from `data.wording.circumstances`, which words the filters of a query, so that a new filter is
recognised without a change here. The mark of a phrase is its shortest ending that no name of a column has: "in the
powerplay" is marked by "powerplay", but "in wins" by "in wins", since a column is called "wins".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import product

from data.query.language import DIMENSIONS, ENUMS, FILTERS, MEASURES, OPERATORS, RANKS
from data.query.line import Filter, Having, Query
from data.wording.circumstances import circumstance_phrases
from data.wording.conditions import BOUND, HELD_ONCE, each_words
from data.wording.events import EVENTS
from data.wording.figures import NTH, each_one, plural

_ANY = "\0"  # stands for a name or number in a phrase
_TEAM = "T1"  # a team in place of a ground is worded as its home
_FIGURE = 123456789.0  # a condition on a total takes a number only
# Words that a sentence has for other reasons too
_FUNCTION_WORDS = frozenset("a at by each for from her his in of off on the their to with".split())


@cache
def circumstance_marks() -> re.Pattern[str]:
    """Finds the mark of any circumstance in a sentence in lower case."""
    labels = [m.label for m in MEASURES.values()]
    rows = [*map(plural, DIMENSIONS), "the team's"]  # "18 batters", "38 of the team's 131"
    rows += [*EVENTS.values(), *map(each_one, MEASURES), *(f"the team's {label}" for label in labels)]
    columns = [*labels, *(f"by {label}" for label in labels), *DIMENSIONS, *rows, *NTH, *RANKS, *BOUND.values()]
    known = "\n".join(columns).lower()
    marks = {mark for phrase in set(_every_phrase()) if (mark := _mark(phrase.lower(), known))}
    longest_first = sorted(marks, key=lambda mark: (-len(mark), mark))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _mark(phrase: str, known: str) -> str | None:
    for part in phrase.split(_ANY):
        words = part.split()
        if not any(_is_content(word) for word in words):
            continue
        if part.startswith("("):  # "(run out)"
            return part
        for start in reversed(range(len(words))):
            ending = " ".join(words[start:])
            if any(map(_is_content, words[start:])) and not re.search(rf"(?<!\w){re.escape(ending)}(?!\w)", known):
                return ending
        return None
    return None


def _is_content(word: str) -> bool:
    return word not in _FUNCTION_WORDS and any(c.isalpha() for c in word)


def _every_phrase() -> Iterator[str]:
    """How a sentence words each condition on each kind of figure, alone and beside a batter or a bowler."""
    measures = {m.source: m.name for m in MEASURES.values() if m.source not in _WORDED_AS_OTHERS}.values()
    people = [Filter(key, "=", (_ANY,)) for key in ("batter", "bowler")]
    groupings: list[tuple[str, ...]] = [(), ("batter",), ("bowler",)]
    for measure, condition, person, by in product(measures, _conditions(), (None, *people), groupings):
        filters = (condition, person) if person else (condition,)
        for phrase in circumstance_phrases(Query((measure,), by, filters)):
            yield phrase.replace(_TEAM, _ANY)
    for measure, operator in product(measures, OPERATORS):
        for phrase in circumstance_phrases(Query((measure,), having=(Having(measure, operator, _FIGURE),))):
            yield phrase.replace(f"{_FIGURE:g}", _ANY)
    for count in (m for m in MEASURES.values() if m.kind == "count"):
        once = 1.0 if count.name in HELD_ONCE else 0.0
        yield each_words((Having(count.name, "=", once),), count.source)


# measures whose conditions are worded as those of other sources: data.wording.circumstances.source_of
_WORDED_AS_OTHERS = frozenset({"over", "batter_over", "run", "no_result", "lineup", "sequence", "number", "summary"})


def _conditions() -> Iterator[Filter]:
    """Every filter with each of its operators and forms of values."""
    ranges = (_ANY, f"{_ANY}-", f"{_ANY}-{_ANY}")
    forms: dict[str, tuple[str, ...]] = {"range": ranges, "Y": ("all", *ranges), "V": (_ANY, _TEAM)}
    for key, taken in FILTERS.items():
        operators = OPERATORS if taken.takes == "number" else ("=", "!=") if taken.negatable else ("=",)
        values = ENUMS.get(key, forms.get(taken.takes, (_ANY,)))
        yield from (Filter(key, operator, (value,)) for operator, value in product(operators, values))
