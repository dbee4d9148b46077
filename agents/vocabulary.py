"""What a sentence has that no wording of its tables has: `beyond(sentence, wordings, layout)`.

The wordings of a table are all true, and their words, numerals, marks and references are a closed vocabulary. A
sentence made of that vocabulary alone, with its references in the order of a wording (so that each figure stays with
its name), can leave a word out or take it from another true wording; it cannot add a name, a numeral, a link or markup.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from data.wording.sheet import REFERENCE, Sheet

_TOKEN = re.compile(r"\d+(?:[.,:/]\d+)*|[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|\S")
MAX_SHOWN = 20  # characters of what is wrong, which go to the log


def beyond(text: str, parts: Sequence[Sequence[str]], layout: Sheet) -> str:
    """What the sentence adds, in words; empty if nothing.

    `parts` are the wordings of each table (data.wording.sentence.wordings), `layout` has their cells.
    """
    if not text.strip():
        return "nothing is said"
    references = tuple(m[0] for m in REFERENCE.finditer(text))
    if not _in_order(references, parts, layout):
        return "its cells and names are in no order that is known to be true"
    known: Counter[str] = Counter()
    for options in parts:
        most: Counter[str] = Counter()
        for option in options:
            most |= _tokens(option)  # the larger count of each
        known += most
    if added := _tokens(text) - known:
        return f"{next(iter(added))[:MAX_SHOWN]!r} is no wording of this table"
    said = text.lower()
    for options, count in zip(parts, layout.rows, strict=True):
        # Without figures a sentence is its words alone, and one word less ("no", "never") is the opposite.
        if not count and not any(option.lower() in said for option in options):
            return "it does not say that there is nothing"
    return ""


def _tokens(text: str) -> Counter[str]:
    """Words, numerals and marks with their counts; references are not among them."""
    return Counter(_TOKEN.findall(REFERENCE.sub(" ", text).lower()))


def _in_order(references: tuple[str, ...], parts: Sequence[Sequence[str]], layout: Sheet) -> bool:
    """Whether the references are those of one wording of each part, in turn; names may be left out, cells not."""
    ends = {0}
    for options in parts:
        orders = {tuple(m[0] for m in REFERENCE.finditer(option)) for option in options}
        ends = set().union(*(_ends(references, ends, order, layout) for order in orders))
    return len(references) in ends


def _ends(references: tuple[str, ...], starts: set[int], order: tuple[str, ...], layout: Sheet) -> set[int]:
    """Where the references of one wording can end that begin at one of `starts`."""
    ends = starts
    for reference in order:
        taken = {end + 1 for end in ends if references[end : end + 1] == (reference,)}
        ends = taken if reference in layout.values else taken | ends
    return ends
