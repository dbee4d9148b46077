"""Checks that a sentence states what was asked: every asked figure of every row that it should name."""

from __future__ import annotations

from collections.abc import Sequence

from data.query import StatTable
from data.query.line import parse
from data.wording import MODEL_ROWS, REFERENCE, Sheet


def missing(text: str, tables: Sequence[StatTable], laid: Sheet, line: str) -> str:
    """What the sentence leaves out, in words; empty if nothing."""
    said = {m[0] for m in REFERENCE.finditer(text)}
    if text.count("(") != text.count(")"):
        return "unbalanced brackets"
    for table, letters, rows in zip(tables, laid.letters, laid.rows):
        columns = [c for c in table.columns if not (c.name == "ground" and table.query.filter("venue"))]
        for row in range(1, min(rows, MODEL_ROWS) + 1):
            for column, letter in zip(columns, letters):
                if column.role == "asked" or (column.role == "dimension" and column.name not in ("on", "ground")):
                    if f"{letter}{row}" not in said:
                        return f"{column.label} of row {row} is not stated"
    for cell in laid.values:
        if cell[0] in "ZS" and cell not in said:
            return f"the {'difference' if cell[0] == 'Z' else 'total'} is not stated"
    for query in parse(line).queries:
        for f in query.filters:
            if f.key in ("batter", "bowler", "fielder", "player") and f.op == "=" and f.key not in query.by:
                if len(f.values) == 1 and f.values[0] not in said and f.values[0][0] == "P" and not query.by:
                    return f"{f.values[0]} is not named"
    return ""
