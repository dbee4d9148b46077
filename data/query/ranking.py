"""The order of an answer's rows, the rank that is asked for, and somebody's place in it. Works on rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from heapq import nlargest, nsmallest
from typing import Any

from data.query.language import ENUMS, LESS_IS_BETTER, MEASURES, Measure
from data.query.match import Match
from data.query.query import Having, Query, Rank
from data.query.table import compared

Key = tuple[Any, ...]
Record = dict[str, Any]
Row = tuple[Key, Record]

TIME = "_time"  # of a record: when it came to be, for orders of time
_ORDERED = {"over", "phase", "position", "innings", "wicket", "match", "season", "month", "weekday"}
_WORDS = {"phase": ENUMS["phase"], "month": ENUMS["month"], "weekday": ENUMS["weekday"][:7]}


@dataclass(frozen=True)
class Order:
    """What rows are ordered by: the query, and what its names and matches are called."""

    query: Query
    matches: Mapping[int, Match]
    display: Callable[[str], str]

    @property
    def first(self) -> Measure:
        return MEASURES[self.query.measures[0]]

    # -- rows in order

    def ranked(self, rows: list[Row]) -> tuple[list[Row], bool]:
        """The rows of the answer in order, and whether a tie made them more than the rank asked for."""
        rank, by = self.query.rank, self.query.by
        if rank and rank.per:
            return self._ranked_per(rows, rank)
        facts = self.first.kind == "fact" and "match" in by
        in_time = facts or self.query.reach is not None or (rank is not None and rank.kind in ("first", "last"))
        in_order = rank is None and (not by or bool(_ORDERED & set(by)) or self.first.kind == "fact")
        if in_time or in_order:
            rows = sorted(rows, key=self.place)
        if in_time:
            rows.sort(key=self._time, reverse=rank is not None and rank.kind == "last")
            return (_cut(rows, rank) if rank else rows), False
        if in_order:
            return rows, False
        rows = [row for row in rows if self.value(row) is not None]
        top = rank is None or rank.kind == "top"
        if rank and top and self.first.kind in ("count", "streak"):
            rows = [row for row in rows if self.value(row)]  # nobody leads with none
        if rank and len(rows) > rank.n:
            last = (nlargest if top else nsmallest)(rank.n, map(self.value, rows))[-1]
            rows = [row for row in rows if (self.value(row) >= last if top else self.value(row) <= last)]
        rows.sort(key=self.place)
        rows.sort(key=self._further)
        rows.sort(key=self.value, reverse=top)
        if rank and rank.nth:
            wanted = [self.value(row) for row in rows[rank.n - 1 : rank.n]]
            rows = [row for row in rows if self.value(row) in wanted]
        return rows, rank is not None and len(rows) > (1 if rank.nth else rank.n)

    def _ranked_per(self, rows: list[Row], rank: Rank) -> tuple[list[Row], bool]:
        """The rows that the rank asks for of each group, one group after the other."""
        at = self.query.by.index(rank.per)
        groups: dict[Any, list[Row]] = {}
        for row in sorted(rows, key=lambda row: self._dimension_place(rank.per, row[0][at])):
            groups.setdefault(row[0][at], []).append(row)
        within = replace(self, query=replace(self.query, rank=replace(rank, per="")))
        found = [within.ranked(group) for group in groups.values()]
        return [row for group, _ in found for row in group], any(tied for _, tied in found)

    def value(self, row: Row) -> Any:
        """What the rows are ranked by."""
        return row[1].get(f"sort_{self.first.name}", row[1].get(self.first.name))

    def _further(self, row: Row) -> tuple[Any, ...]:
        """Among rows that are equal on the first measure, who is better on a further one stands first."""
        return tuple(_better_first(MEASURES[m], row[1].get(m)) for m in self.query.measures[1:])

    def _time(self, row: Row) -> tuple[Any, ...]:
        if TIME in row[1]:
            return tuple(row[1][TIME])
        by = self.query.by
        if "match" in by:
            key = row[0]
            when = [self.matches[key[by.index("match")]].order]
            overs = MEASURES[self.query.measures[0]].source in ("over", "batter_over")
            return (*when, *(key[by.index(d)] for d in ("innings", "over") if overs and d in by))
        return (row[0][by.index("season")],)

    def place(self, row: Row) -> tuple[Any, ...]:
        """Where a row stands among equals: in the order of its dimensions, or of the alphabet."""
        return tuple(self._dimension_place(d, v) for d, v in zip(self.query.by, row[0], strict=False))

    def _dimension_place(self, dimension: str, value: Any) -> tuple[int, Any]:
        if dimension == "match":
            return (0, self.matches[value].order)
        if dimension in _WORDS:
            return (0, _WORDS[dimension].index(value))
        if dimension == "pair":
            return (1, " ".join(map(self.display, value)))
        return (0, value) if isinstance(value, int) else (1, self.display(value))

    # -- somebody's place

    def placed(self, rows: list[Row], names: tuple[str, ...], dimension: str) -> list[Row]:
        """The rows of `names`, each with its place among all, out of how many, and with how many it is shared."""
        best_is_less = self.first.name in LESS_IS_BETTER
        rows = [row for row in rows if self.value(row) is not None]
        values = [self.value(row) for row in rows]
        at = self.query.by.index(dimension)
        found = []
        for row in rows:
            if row[0][at] in names:
                own = self.value(row)
                ahead = sum(v < own if best_is_less else v > own for v in values)
                shared = values.count(own) - 1
                found.append((row[0], row[1] | {"place": ahead + 1, "of": len(rows), "shared": shared}))
        return found


def _cut(rows: list[Row], rank: Rank) -> list[Row]:
    return rows[rank.n - 1 : rank.n] if rank.nth else rows[: rank.n]


def _better_first(measure: Measure, value: Any) -> Any:
    if value is None or isinstance(value, str) or measure.kind == "fact":
        return 0
    return value if measure.name in LESS_IS_BETTER else -value


def holds(value: Any, h: Having) -> bool:
    """Whether a row's figure meets a condition; an undefined one meets none."""
    if value is None:
        return False
    value = compared(h.measure, value)
    return bool({">=": value >= h.value, "<=": value <= h.value, "=": value == h.value,
                 ">": value > h.value, "<": value < h.value}[h.op])  # fmt: skip
