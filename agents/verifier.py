"""Checks a model's sentence against its table: it states all that was asked, calls every figure by its own name, has
the circumstances of the query and no others, and nothing that no wording of the table has (agents.vocabulary). A
sentence that fails is replaced by plain wording. What is checked does not depend on who wrote it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from agents.circumstance_marks import circumstance_marks
from agents.vocabulary import beyond
from data.query import StatTable
from data.query.language import MEASURES
from data.query.table import Column
from data.wording.circumstances import stated_phrases, subject
from data.wording.figures import nouns
from data.wording.rows import words_before_cells, words_before_rows
from data.wording.sentence import wordings
from data.wording.sheet import MODEL_ROWS, REFERENCE, Sheet


# In "40 in over A1" and "against A1 40" the words before the cell are no circumstance.
def _before_cell(words: set[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!an )\b(?i:{'|'.join(sorted(words, key=len, reverse=True))}) (?=[A-CE-OQRUWX]\d)")


_BEFORE_CELL, _BEFORE_ROW = _before_cell(words_before_cells()), _before_cell(words_before_rows())


def missing(text: str, tables: Sequence[StatTable], laid: Sheet, line: str) -> str:
    """What is wrong with the sentence, in words; empty if nothing. `text` names cells, `line` is the query line."""
    whole = text
    said = {m[0] for m in REFERENCE.finditer(text)}
    if text.count("(") != text.count(")"):
        return "unbalanced brackets"
    twice = [ref for ref, n in Counter(m[0] for m in REFERENCE.finditer(text)).items() if n > len(tables)]
    if twice:
        return f"{twice[0]} is stated twice"
    rest = _BEFORE_CELL.sub(" ", text).lower()
    for table in tables:
        for phrase in stated_phrases(table.query):
            if phrase.lower() not in rest:
                return f"{phrase!r} is not stated"
            rest = rest.replace(phrase.lower(), " ", 1)
        if table.qualification and table.rows:
            if f"({table.qualification})" not in rest:
                return f"{table.qualification!r} is not stated"
            rest = rest.replace(f"({table.qualification})", " ", 1)
    if (other := circumstance_marks().search(rest)) and any(laid.rows):
        return f"{other[0]!r} was not asked"
    owners: dict[str, tuple[str, ...]] = {}
    for table, letters, rows in zip(tables, laid.letters, laid.rows, strict=True):
        columns = [c for c in table.columns if not (c.name == "ground" and table.query.filter("venue"))]
        for column, letter in zip(columns, letters, strict=True):
            if column.role in ("asked", "shown") and nouns(column):
                # "innings bowled in B1" is read as "innings bowled B1"
                owners[letter] = (*nouns(column), *(n.removesuffix(" in") for n in nouns(column)))
            for row in range(1, min(rows, MODEL_ROWS) + 1):
                if _must_be_stated(column, table, row) and f"{letter}{row}" not in said:
                    return f"{column.label} of row {row} is not stated"
        if not table.query.by and MEASURES[table.query.measures[0]].kind != "event":
            names = [name for f in subject(table.query) for name in f.values]
            unnamed = [name for name in names if REFERENCE.fullmatch(name) and name not in said]
            if unnamed:
                return f"{unnamed[0]} is not named"
    for cell in laid.values:
        if cell[0] in "ZS" and cell not in said:
            return f"the {'difference' if cell[0] == 'Z' else 'total'} is not stated"
    for phrase in (p for table in tables for p in stated_phrases(table.query)):
        text = re.sub(re.escape(phrase), " ", text, flags=re.IGNORECASE)  # "with at least 300 runs" names no column
    return _misnamed(_BEFORE_ROW.sub(" ", text), owners) or beyond(whole, wordings(tables, laid), laid)


def _must_be_stated(column: Column, table: StatTable, row: int) -> bool:
    """Whether a sentence without a row's cell would leave out what was asked. Of events and facts it may leave out what
    nobody knows; of a lineup it tells who came in, and names each match once."""
    kind, source = MEASURES[table.query.measures[0]].kind, MEASURES[table.query.measures[0]].source
    value = table.rows[row - 1][table.columns.index(column)]
    if source == "lineup" and column.name in ("eleven", "match"):
        return False
    if value is None and (kind == "event" or source == "person"):
        return False
    return column.role == "asked" or (column.role == "dimension" and column.name not in ("on", "ground"))


def _misnamed(text: str, owners: dict[str, tuple[str, ...]]) -> str:
    """A figure that stands beside the name of another column."""
    names = sorted({n for own in owners.values() for n in own}, key=len, reverse=True)
    if not names:
        return ""
    any_name = re.compile("|".join(rf"\b{re.escape(n)}(?!\w)" for n in names), re.IGNORECASE)
    cells = [m for m in REFERENCE.finditer(text) if m[1] in owners]
    own_end = 0  # of the cell before, or of the name after it
    for m in cells:
        own = owners[m[1]]
        after = any_name.match(text, m.end() + 1)
        ended, own_end = own_end, (after or m).end()
        if after:
            if after[0].lower() not in own:
                return f"{m[0]} is called {after[0]!r}"
            continue
        start = max(ended, text.rfind(". ", 0, m.start()))
        before = any_name.findall(text[start : m.start()])
        if before and before[-1].lower() not in own:
            return f"{m[0]} is called {before[-1]!r}"
    return ""
