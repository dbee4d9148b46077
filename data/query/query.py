"""A query line as records: a plan of queries, with their filters, conditions and rank. `str()` of each is its text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from data import errors
from data.query.language import FILTERS, MEASURES, NAMED
from data.query.sources import SOURCES


class QueryError(errors.QueryError, ValueError):
    """A line that is not in the language, or asks what cannot be computed; the message says what to write instead."""


@dataclass(frozen=True)
class Filter:
    key: str
    op: str  # "=", "!=", ">=", ...
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}{self.op}{','.join(quoted(v) for v in self.values)}"


EVERYWHERE = Filter("season", "=", ("all",))


@dataclass(frozen=True)
class Having:
    """A condition on a measure: of the rows of the answer, or of single innings and matches (`each`)."""

    measure: str
    op: str
    value: float

    def __str__(self) -> str:
        return f"{self.measure}{self.op}{self.value:.9g}"


@dataclass(frozen=True)
class Rank:
    """The first `n` rows of an order, or with `nth` only the n-th; with `per` those of each group: of each team."""

    kind: str  # one of RANKS
    n: int
    nth: bool = False
    per: str = ""  # a dimension

    def __str__(self) -> str:
        return f"{self.kind} {'nth ' if self.nth else ''}{self.n}{f' per {self.per}' if self.per else ''}"


@dataclass(frozen=True)
class Query:
    """One question. `place` is a name whose place in the ranking is asked, `reach` a count that is to be reached,
    `unsupported` the conditions of the question that the language does not have."""

    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    having: tuple[Having, ...] = ()
    rank: Rank | None = None
    each: tuple[Having, ...] = ()
    reach: int | None = None
    place: str | None = None
    unsupported: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = ", ".join(self.measures) + (f" by {', '.join(self.by)}" if self.by else "")
        parts = [head]
        if self.filters:
            parts.append(" ".join(map(str, self.filters)))
        if self.each:
            parts.append("each " + " ".join(map(str, self.each)))
        if self.having:
            parts.append("having " + " ".join(map(str, self.having)))
        if self.reach is not None:
            parts.append(f"reach {self.reach}")
        if self.place is not None:
            parts.append(f"place {quoted(self.place)}")
        if self.rank:
            parts.append(str(self.rank))
        parts += [f'unsupported "{words}"' for words in self.unsupported]
        return " | ".join(parts)

    def filter(self, key: str) -> Filter | None:
        return next((f for f in self.filters if f.key == key), None)

    def named(self) -> tuple[Filter, ...]:
        """The filters that name somebody or something, and the name whose place is asked as if it were a filter."""
        return (*(f for f in self.filters if FILTERS[f.key].names), *self.place_filter())

    def place_filter(self) -> tuple[Filter, ...]:
        """The name whose place is asked, as a filter on the dimension that is ranked; empty without."""
        if self.place is None:
            return ()
        source = SOURCES.get(MEASURES[self.measures[0]].source)
        subject = (source and source.subject) or "team"
        return (Filter(next((d for d in self.by if d in NAMED), subject), "=", (self.place,)),)

    def canonical(self) -> Query:
        """Filters in the definition's order: equal questions give equal lines."""
        order = list(FILTERS)
        return replace(self, filters=tuple(sorted(self.filters, key=lambda f: order.index(f.key))))


@dataclass(frozen=True)
class Plan:
    queries: tuple[Query, ...] = ()
    decline: str | None = None

    def __str__(self) -> str:
        return f"decline {self.decline}" if self.decline else " ; ".join(map(str, self.queries))

    def canonical(self) -> Plan:
        return replace(self, queries=tuple(q.canonical() for q in self.queries))


def quoted(value: str) -> str:
    """A name as it stands in a line, in quotes where it has to be."""
    return f'"{value}"' if re.search(r'[\s,|;"=<>]', value) else value


def listed(words: Iterable[str], most: int = 6) -> str:
    """A few of the words for a message."""
    found = list(words)
    return ", ".join(found[:most]) + (" ..." if len(found) > most else "")
