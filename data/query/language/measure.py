"""What a measure is: an aggregate over innings rows, with its label and what qualifies the figure.

    Measure("strike_rate", "bat", "strike rate", ratio("runs", "balls", 100), ("runs", "balls"), 2, "rate")

A measure is computed over *innings rows*: one row per batter, bowler, fielder or team and innings. Where a filter or
dimension looks at single balls, the engine first sums the balls that pass into such rows, so
`highest_score | phase=powerplay` means the best score within powerplays. Runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["sum", "innings", "rows", "distinct", "max", "min", "mean", "ratio", "given"]
Kind = Literal["count", "rate", "best", "fact", "event", "streak", "number", "summary"]


@dataclass(frozen=True)
class Aggregate:
    """How a figure is made of innings rows. `of` is an SQL expression over one row (a condition where innings are
    counted), `per` the divisor of a ratio, `scale` what a ratio is multiplied by or a sum divided by."""

    how: How
    of: str = ""
    per: str = ""
    scale: float = 1.0

    @property
    def sql(self) -> str:
        """The aggregate in SQL; a given value is its column."""
        if self.how == "ratio":
            return f"{self.scale:.1f} * sum({self.of}) / nullif(sum({self.per}), 0)"
        return {
            "sum": f"sum({self.of})" + (f" / {self.scale:.1f}" if self.scale != 1 else ""),
            "innings": f"sum(CASE WHEN {self.of} THEN 1 ELSE 0 END)",
            "rows": "count(*)",
            "distinct": f"count(DISTINCT {self.of})",
            "max": f"max({self.of})",
            "min": f"min({self.of})",
            "mean": f"avg({self.of})",
            "given": self.of,
        }[self.how]

    @property
    def row_sql(self) -> str | None:
        """What one row alone has; None where a single row has no such figure."""
        if self.how == "ratio":
            return f"{self.scale:.1f} * ({self.of}) / nullif({self.per}, 0)"
        return {
            "sum": f"({self.of})" + (f" / {self.scale:.1f}" if self.scale != 1 else ""),
            "innings": f"(CASE WHEN {self.of} THEN 1 ELSE 0 END)",
            "max": f"({self.of})",
            "min": f"({self.of})",
            "mean": f"({self.of})",
        }.get(self.how)


def total(of: str, unit: float = 1.0) -> Aggregate:
    """The sum over all rows, in units of `unit` (6 balls are an over)."""
    return Aggregate("sum", of, scale=unit)


def innings_with(condition: str) -> Aggregate:
    """How many rows satisfy a condition."""
    return Aggregate("innings", condition)


def distinct(of: str) -> Aggregate:
    return Aggregate("distinct", of)


def ratio(of: str, per: str, scale: float = 1.0) -> Aggregate:
    """`scale` times one sum by another; undefined where the divisor is 0."""
    return Aggregate("ratio", of, per, scale)


def mean(of: str) -> Aggregate:
    return Aggregate("mean", of)


def highest(of: str) -> Aggregate:
    return Aggregate("max", of)


def lowest(of: str) -> Aggregate:
    return Aggregate("min", of)


def given(column: str) -> Aggregate:
    """A value that stands in the row: a fact of a match, a place in the league table."""
    return Aggregate("given", column)


ROWS = Aggregate("rows")


@dataclass(frozen=True)
class Parts:
    """What a ratio of two measures is made of: `above` / `below`, or `above` in per cent of `below`, which is a measure
    or one of WHOLES: the same of the whole team, or of everybody."""

    above: str
    op: Literal["/", "%"]
    below: str

    @property
    def of_whole(self) -> bool:
        return self.below in WHOLES

    @property
    def counted(self) -> tuple[str, ...]:
        """The measures among the parts."""
        return (self.above,) if self.of_whole else (self.above, self.below)


WHOLES = ("team", "all")


@dataclass(frozen=True)
class Measure:
    """`shows` names what qualifies the figure; `least` is the default qualification of a leaderboard, (measure,
    minimum of a season, minimum under narrowing filters). A ratio of two measures has `parts`."""

    name: str
    source: str
    label: str
    aggregate: Aggregate
    shows: tuple[str, ...] = ()
    decimals: int = 0
    kind: Kind = "count"
    least: tuple[str, int, int] | None = None
    per_innings: bool = False  # cannot be taken from a part of an innings
    parts: Parts | None = None

    @property
    def sql(self) -> str:
        return self.aggregate.sql

    @property
    def additive(self) -> bool:
        return self.kind == "count"

    @property
    def distinct(self) -> bool:
        """Whether it counts different things, so that counts of parts need not add up."""
        return self.aggregate.how == "distinct"

    @property
    def classed(self) -> bool:
        """Whether it counts innings that satisfy a condition, which parts of an innings may not."""
        return self.aggregate.how == "innings"

    @property
    def extreme(self) -> Literal["max", "min"] | None:
        """Whether the figure is that of one row, the highest or the lowest."""
        how = self.aggregate.how
        return how if how == "max" or how == "min" else None
