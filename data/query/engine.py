"""Answers a query line: Query -> SQL over a season's relations -> StatTable, with what qualifies each figure.

    statistics = Statistics(load("ipl_2024"))
    print(statistics.answer(parse("runs by batter | top 3").queries[0]).texts())

Names in filters are resolved by the caller (`resolve(key, value) -> season keys`); without a resolver values are keys.
A season does not change, so that the tables asked for last are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from data.query.book import SeasonBook
from data.query.execution import QueryExecution
from data.query.language import FILTERS
from data.query.layout import table
from data.query.query import Filter, Query
from data.query.table import StatTable, show
from data.query.trace import Trace, trace
from data.season import Season

__all__ = ["StatTable", "Statistics", "show"]

KEPT = 64  # tables, most of a few kilobytes and the largest of two megabytes
Resolve = Callable[[str, str], tuple[str, ...]]
Keys = tuple[tuple[Filter, tuple[str, ...]], ...]


class Statistics:
    """The statistics of the loaded seasons: `answer(query)`, `trace(query)`. Safe to use from several threads."""

    def __init__(self, season: Season) -> None:
        self.season = season
        self.book = SeasonBook(season)
        self.displays, self.matches, self.columns = self.book.displays, self.book.matches, self.book.columns
        book = self.book  # not by way of self: a cycle would keep a season in memory that is no longer served
        self._table = lru_cache(KEPT)(lambda query, keys: table(QueryExecution(query, book, dict(keys))))

    @property
    def years(self) -> tuple[int, ...]:
        """The seasons that are loaded, by their year; questions without a season are about the last of them."""
        return self.book.years

    def answer(self, query: Query, resolve: Resolve | None = None) -> StatTable:
        """Compute `query`. Raises QueryError where a measure cannot be combined with a filter or dimension."""
        return self._table(query, _keys(query, resolve))

    def trace(self, query: Query, resolve: Resolve | None = None) -> Trace:
        """The matches and deliveries that the figures of `answer(query)` came from. Raises QueryError alike."""
        return trace(QueryExecution(query, self.book, dict(_keys(query, resolve))))


def _keys(query: Query, resolve: Resolve | None) -> Keys:
    """The season's keys of each filter's values, and of the name whose place is asked."""

    def of(f: Filter) -> tuple[str, ...]:
        if resolve is None or not FILTERS[f.key].names:
            return f.values
        if FILTERS[f.key].takes == "Y":
            return tuple("-".join(_year(part, resolve) for part in value.split("-")) for value in f.values)
        return tuple(key for value in f.values for key in resolve(f.key, value))

    return tuple((f, of(f)) for f in (*query.filters, *query.place_filter()))


def _year(part: str, resolve: Resolve) -> str:
    """A year as it stands, or that of a placeholder."""
    return part if part in ("", "all") or part.isdigit() else resolve("season", part)[0]
