"""Whether a computed table says yes or no to a question that can be answered so; where that is not certain, neither.

    yes_or_no("did P1 ever dismiss P2", tables, {"P1": ..., "P2": ...})  ->  "No"

Certain are: nothing was counted; something was counted and any would do ("ever", "a hundred"); one figure against
another's in two tables ("above the average"); two named rows of one table ("is P1 better than P2").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from data.query import StatTable
from data.query.language import LESS_IS_BETTER, MEASURES
from data.text import PLACEHOLDER

_ASKS = re.compile(r"(?:(?:so|and|but|hey|ok|well|pls|please) )*(?:did|does|do|has|have|had|is|was|were|are)\b")
_OTHERWISE = re.compile(r"\b(?:how|who|whom|whose|which|what|what's|when|where|or|and)\b|\d(?<![PTVDY]\d)")
_ANY = re.compile(r"\b(?:ever|any|a|an|once)\b")
_MORE_THAN_ANY = re.compile(
    r"\b(?:more|most|less|least|fewer|fewest|better|best|worse|worst|above|below|over|under|than|both|all|every|each|"
    r"always|only|same|first|second|last|highest|lowest|twice|without|not|out|record|one|two|three|four|five|six)\b"
)
_OUTDONE = re.compile(r"\bout-?(?:score|scored|hit)\b")
_MORE = re.compile(r"\b(?:more|higher|above|greater|bigger|out-?(?:score|scored|hit))\b")
_LESS = re.compile(r"\b(?:less|fewer|lower|below|smaller)\b")
_BETTER = re.compile(r"\b(?:better|faster|quicker|cheaper|tighter)\b")
_WORSE = re.compile(r"\b(?:worse|slower)\b")


def yes_or_no(question: str, tables: Sequence[StatTable], names: Mapping[str, str]) -> str | None:
    """ "Yes" or "No" to the plain `question`, None where it is no such question or the tables do not say.

    `names` are the names that its placeholders stand for.
    """
    if not _ASKS.match(question) or _OTHERWISE.search(question):
        return None
    measure = tables[0].query.measures[0]
    if len(tables) == 1 and len(tables[0].query.measures) == 1:
        if len(tables[0].rows) <= 1 and not tables[0].query.by:
            return _counted(question, measure, _figure(tables[0], 0) if tables[0].rows else 0)
        order = [names[m[0]] for m in PLACEHOLDER.finditer(question) if m[0] in names]
        rows = {str(v): n for n, row in enumerate(tables[0].rows) for v in row[:1]}
        compares = " than " in question or _OUTDONE.search(question)
        if len(order) == 2 == len(rows) and set(order) == set(rows) and compares:
            return _compared(question, measure, *(_figure(tables[0], rows[name]) for name in order))
    if len(tables) == 2 and all(t.query.measures == (measure,) and not t.query.by for t in tables):
        return _compared(question, measure, *(_figure(t, 0) for t in tables))
    return None


def _counted(question: str, measure: str, value: Any) -> str | None:
    if measure not in MEASURES or MEASURES[measure].kind != "count" or isinstance(value, str):
        return None
    if not value:
        return None if _MORE_THAN_ANY.search(question) else "No"
    return "Yes" if _ANY.search(question) and not _MORE_THAN_ANY.search(question) else None


def _compared(question: str, measure: str, one: Any, other: Any) -> str | None:
    """Whether the first figure is what the question says it is against the second."""
    if not all(isinstance(value, (int, float)) for value in (one, other)) or one == other:
        return None
    more = one > other
    less_is_better = measure in LESS_IS_BETTER
    said = [
        verdict
        for pattern, verdict in (
            (_MORE, more),
            (_LESS, not more),
            (_BETTER, more != less_is_better),
            (_WORSE, more == less_is_better),
        )
        if pattern.search(question)
    ]
    return ("Yes" if said[0] else "No") if len(said) == 1 else None


def _figure(table: StatTable, row: int) -> Any:
    """The asked figure of a row as a number where it is one; None where there is no such row."""
    if row >= len(table.rows):
        return None
    at = next(i for i, column in enumerate(table.columns) if column.role == "asked")
    return table.rows[row][at]
