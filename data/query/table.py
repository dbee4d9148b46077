"""A computed table as people read it: typed columns, raw cells, and how a cell is written.

Some figures are packed into one number so that SQL's max() and min() can rank them: 124* is 124.5, 5/21 is 4979
(1000 a wicket, less the runs), a total of 180/4 is 17996. Here they are unpacked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from data.query.query import Query


@dataclass(frozen=True)
class Column:
    name: str  # a measure, a dimension, "at_<measure>" (where a best figure was made), or what the row is told with
    label: str
    role: str  # dimension | asked | shown | at
    decimals: int = 0


@dataclass(frozen=True)
class StatTable:
    """Rows of raw values (numbers, text, None) under columns; `qualification` and `total` say what they rest on."""

    query: Query
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    qualification: str | None = None
    totals: dict[str, float] = field(default_factory=dict)
    more_tied: bool = False

    def texts(self) -> list[list[str]]:
        return [[show(v, c.decimals) for v, c in zip(row, self.columns, strict=False)] for row in self.rows]


def show(value: Any, decimals: int = 0) -> str:
    """A cell as people read it: 61.75, 741, 23 Apr 2024, 124*; an undefined rate is a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{decimals}f}" if decimals else f"{value:g}"
    if isinstance(value, date):
        return f"{value.day} {value:%B %Y}"
    return str(value)


def cell(measure: str, value: Any, decimals: int) -> Any:
    """A computed figure as the table holds it: unpacked, rounded, whole numbers as int."""
    if measure in PACKED:
        return PACKED[measure](value)
    if isinstance(value, (bool, str, date)):
        return value
    return round(float(value), decimals) if decimals else (int(value) if value == int(value) else float(value))


def compared(measure: str, value: Any) -> Any:
    """The number that a condition looks at: the runs of a score, the wickets of a bowler's figures."""
    return _COMPARED[measure](value) if measure in _COMPARED else value


def team_score(runs: int, wickets: int) -> str:
    return f"{runs}" if wickets >= 10 else f"{runs}/{wickets}"


def _packed_total(value: float) -> str:
    runs = -(-int(value) // 100)
    return team_score(runs, runs * 100 - int(value))


def _packed_figures(value: float) -> str:
    wickets = -(-int(value) // 1000)
    return f"{wickets}/{wickets * 1000 - int(value)}"


def _packed_score(value: float) -> str:
    return f"{int(value)}{'*' if value != int(value) else ''}"


def _overs(value: float) -> str:
    overs, balls = divmod(round(value * 6), 6)
    return f"{overs}.{balls}" if balls else f"{overs}"


PACKED: dict[str, Callable[[Any], str]] = {
    "highest_score": _packed_score,
    "partnership": _packed_score,
    "best_figures": _packed_figures,
    "highest_total": _packed_total,
    "lowest_total": _packed_total,
    "overs_bowled": _overs,
}
_COMPARED: dict[str, Callable[[Any], int]] = {
    "highest_score": int,
    "partnership": int,
    "best_figures": lambda v: -(-int(v) // 1000),
    "highest_total": lambda v: -(-int(v) // 100),
    "lowest_total": lambda v: -(-int(v) // 100),
}
