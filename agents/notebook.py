"""A reply as a data frame, and as a notebook shows it. Knows nothing about models."""

from __future__ import annotations

from html import escape
from typing import Any

from data.query import StatTable


def data_frame(tables: tuple[StatTable, ...], number: int) -> Any:
    """The table as a pandas DataFrame: raw values, the names of measures and dimensions as columns, dates as dates.

    Raises IndexError with how many tables there are, ModuleNotFoundError where pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ModuleNotFoundError("to_pandas() needs pandas: pip install pandas", name="pandas") from None
    if not tables:
        return pandas.DataFrame()
    if not 0 <= number < len(tables):
        raise IndexError(f"no table {number}: the reply has {len(tables)}, counted from 0")
    table = tables[number]
    return pandas.DataFrame.from_records(list(table.rows), columns=[column.name for column in table.columns])


def html(answer: str, tables: tuple[StatTable, ...], line: str | None, suggestions: tuple[str, ...] = ()) -> str:
    """Sentence, tables and query line, figures to the right; of a refusal the lines that can be computed instead."""
    parts = [f"<p><strong>{escape(answer)}</strong></p>"] if answer else []
    for table in tables:
        head = "".join(f"<th>{escape(column.label)}</th>" for column in table.columns)
        rows = "".join(f"<tr>{_cells(table, row, texts)}</tr>"
                       for row, texts in zip(table.rows, table.texts(), strict=True))  # fmt: skip
        caption = f"<caption>{escape(table.qualification)}</caption>" if table.qualification else ""
        parts.append(f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    if line and tables:
        parts.append(f"<p><code>{escape(line)}</code></p>")
    parts += [f"<p>can be computed: <code>{escape(line)}</code></p>" for line in suggestions]
    return "".join(parts)


def _cells(table: StatTable, row: tuple[Any, ...], texts: list[str]) -> str:
    sides = ("right" if isinstance(value, int | float) else "left" for value in row)
    return "".join(
        f'<td style="text-align: {side}">{escape(text)}</td>' for side, text in zip(sides, texts, strict=True)
    )
