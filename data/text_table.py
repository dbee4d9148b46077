"""Tables as text, for a terminal and for Markdown: `columns(head, rows)`, `markdown(head, rows)`.

`align` has one letter for each column, "l" or "r"; without it every column is left-aligned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def columns(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "", rule: bool = False) -> str:
    """The table in columns two spaces apart, with `rule` a line of dashes below the head."""
    body = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in [head, *body]) for i in range(len(head))]
    lines = [list(head), *([["-" * width for width in widths]] if rule else []), *body]
    return "\n".join(_padded(line, widths, align) for line in lines)


def _padded(cells: Sequence[str], widths: Sequence[int], align: str) -> str:
    sides = align or "l" * len(widths)
    padded = [
        cell.rjust(width) if side == "r" else cell.ljust(width)
        for cell, width, side in zip(cells, widths, sides, strict=True)
    ]
    return "  ".join(padded).rstrip()


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """The table in Markdown."""
    rules = ["---:" if side == "r" else "---" for side in align or "l" * len(head)]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(rules)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
