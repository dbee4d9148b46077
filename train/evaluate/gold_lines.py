"""Whether a reply has the rows that a gold query line computes: `holds(reply, tables)`.

A reply may tell more: other columns, further rows. Each row of the gold tables has to be in one row of the reply's, but
for names that its answer or its query line says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.messages import Reply
from data.ask import ask
from data.linking.resolver import Names
from data.query import QueryError, Statistics, StatTable


def gold_tables(lines: Sequence[str], statistics: Statistics, names: Names) -> list[list[StatTable]]:
    """The tables of each alternative. Raises QueryError, which names the line, where one cannot be computed."""
    found = []
    for line in lines:
        try:
            found.append(list(ask(line, statistics, names)))
        except QueryError as error:
            raise QueryError(f"gold line {line}: {error}") from error
    return found


def holds(reply: Reply, tables: Sequence[StatTable]) -> bool:
    """Whether the reply's tables have every row of these; where they have none, whether the reply found nothing."""
    rows = [{_text(value) for value in row} for table in reply.tables for row in table.rows]
    told = f"{reply.answer} {reply.query or ''}"
    for table in tables:
        columns = [i for i, column in enumerate(table.columns) if column.role in ("dimension", "asked")]
        for row in table.rows:
            cells = {_text(row[i]) for i in columns if row[i] is not None}
            names = {cell for cell in cells if not _is_figure(cell) and cell in told}
            if not any(cells - names <= found for found in rows):
                return False
    return any(table.rows for table in tables) or not any(_asks(table) for table in reply.tables)


def _asks(table: StatTable) -> bool:
    """Whether a table has a figure that is not nothing."""
    asked = [i for i, column in enumerate(table.columns) if column.role == "asked"]
    return any(row[i] not in (0, None, "0") for row in table.rows for i in asked)


def _text(value: Any) -> str:
    """A cell so that equal figures are equal: numbers to two decimals."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{round(float(value), 2):g}"
    return str(value)


def _is_figure(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] == "-"
