"""Query lines as text and as records: `parse(text) -> Plan`, `str(plan) -> text`. Knows nothing about seasons or SQL.

plan    = query { " ; " query }  |  "decline" reason
query   = measure {", " measure} [" by " dimension {", " dimension}] { " | " clause }
clause  = filter {" " filter}  |  "having " condition {" " condition}  |  ("top"|"bottom"|"first"|"last") " " n
filter  = key operator value {"," value}        value = P1, word, number, a-b or "quoted name"
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from data import errors
from data.query.language import DECLINES, DIMENSIONS, ENUMS, FILTERS, MEASURES, RANKS

MAX_LENGTH = 2_000  # characters; the longest line people write has some 200
MAX_QUERIES, MAX_MEASURES, MAX_DIMENSIONS = 4, 8, 3


class QueryError(errors.QueryError, ValueError):
    """A line that is not in the language, or asks what cannot be computed; the message says what to write instead."""


@dataclass(frozen=True)
class Filter:
    key: str
    op: str  # "=", "!=", ">=", ...
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.key}{self.op}{','.join(_quote(v) for v in self.values)}"


@dataclass(frozen=True)
class Having:
    measure: str
    op: str
    value: float

    def __str__(self) -> str:
        return f"{self.measure}{self.op}{self.value:.9g}"


@dataclass(frozen=True)
class Rank:
    kind: str  # one of RANKS
    n: int

    def __str__(self) -> str:
        return f"{self.kind} {self.n}"


@dataclass(frozen=True)
class Query:
    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    having: tuple[Having, ...] = ()
    rank: Rank | None = None

    def __str__(self) -> str:
        head = ", ".join(self.measures) + (f" by {', '.join(self.by)}" if self.by else "")
        parts = [head]
        if self.filters:
            parts.append(" ".join(map(str, self.filters)))
        if self.having:
            parts.append("having " + " ".join(map(str, self.having)))
        if self.rank:
            parts.append(str(self.rank))
        return " | ".join(parts)

    def filter(self, key: str) -> Filter | None:
        return next((f for f in self.filters if f.key == key), None)

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


_FILTER = re.compile(
    r'(?P<key>[a-z_]+)(?P<op>!=|>=|<=|=|>|<)(?P<values>(?:"[^"]*"|[^\s",]+)(?:,(?:"[^"]*"|[^\s",]+))*)'
)
_VALUE = re.compile(r'"([^"]*)"|([^\s",]+)')
_RANGE = re.compile(r"[0-9]{1,3}(?:-[0-9]{1,3})?")
_NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})?")
_COUNT = re.compile(r"[1-9][0-9]{0,3}")


def parse(text: str) -> Plan:
    """Raises QueryError with the remedy."""
    text = text.strip()
    if not text:
        raise QueryError("the query line is empty: write something like `runs by batter | top 3`")
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the query line has {len(text)} characters: at most {MAX_LENGTH} are taken")
    if text.count('"') % 2:
        raise QueryError('a quoted name is not closed: write it as batter="Travis Head"')
    word, _, reason = text.partition(" ")
    if word == "decline":
        reason = reason.strip()
        if reason not in DECLINES:
            raise QueryError(f"unknown reason {reason!r} after decline: use one of {', '.join(DECLINES)}")
        return Plan(decline=reason)
    parts = _split(text, ";")
    if len(parts) > MAX_QUERIES:
        raise QueryError(f"the query line asks {len(parts)} things: at most {MAX_QUERIES} are taken, split it")
    return Plan(queries=tuple(map(_query, parts)))


def _split(text: str, mark: str) -> list[str]:
    return [part.strip() for part in re.split(rf'\s*{re.escape(mark)}\s*(?=(?:[^"]*"[^"]*")*[^"]*$)', text)]


def _query(text: str) -> Query:
    head, *clauses = _split(text, "|")
    names, _, dims = head.partition(" by ")
    measures = tuple(_known(n, MEASURES, "measure") for n in names.split(","))
    by = tuple(_known(d, DIMENSIONS, "dimension") for d in dims.split(",")) if dims.strip() else ()
    if len(measures) > MAX_MEASURES or len(by) > MAX_DIMENSIONS:
        raise QueryError(f"{head!r}: at most {MAX_MEASURES} measures by {MAX_DIMENSIONS} dimensions, split it")
    filters: list[Filter] = []
    having: list[Having] = []
    rank: Rank | None = None
    for clause in clauses:
        word, _, rest = clause.partition(" ")
        if word in RANKS:
            if not _COUNT.fullmatch(rest.strip()):
                raise QueryError(f"{clause!r}: write a number from 1 to 9999 after {word}, such as `{word} 3`")
            if rank:
                raise QueryError(f"{clause!r}: the line is ranked by `{rank}` already, leave out one of them")
            rank = Rank(word, int(rest))
        elif word == "having":
            having += [_having(c) for c in rest.split() or [clause]]
        else:
            filters += _filters(clause)
    return Query(measures, by, tuple(filters), tuple(having), rank)


def _known(name: str, table: dict, what: str) -> str:
    name = name.strip()
    if name in table:
        return name
    import difflib

    near = difflib.get_close_matches(name, table, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"`python -m data language` lists every {what}"
    raise QueryError(f"unknown {what} {name!r}: {hint}")


def _having(text: str) -> Having:
    m = re.fullmatch(rf"([a-z_]+)(>=|<=|=|>|<)({_NUMBER.pattern})", text)
    if not m:
        raise QueryError(f"{text!r} is no condition: write one such as `having balls>=100`")
    return Having(_known(m[1], MEASURES, "measure"), m[2], float(m[3]))


def _filters(clause: str) -> list[Filter]:
    found, end = [], 0
    for m in _FILTER.finditer(clause):
        if clause[end : m.start()].strip():
            break
        end = m.end()
        found.append(_check(Filter(m["key"], m["op"], tuple(a or b for a, b in _VALUE.findall(m["values"])))))
    if clause[end:].strip() or not found:
        raise QueryError(f"{clause[end:].strip() or clause!r} is no filter: write key=value, such as phase=death")
    return found


def _check(f: Filter) -> Filter:
    key = FILTERS.get(f.key) or FILTERS[_known(f.key, FILTERS, "filter")]
    if f.op == "!=" and not key.negatable:
        raise QueryError(f"{f}: {key.name} takes no '!='")
    if f.op in (">=", "<=", ">", "<") and key.takes != "number":
        raise QueryError(f"{f}: {key.name} takes '=' only")
    for value in f.values:
        if not value.strip():
            raise QueryError(f"{f.key} has an empty name: write one such as {f.key}={_EXAMPLES.get(key.takes, '3')}")
        if key.takes == "enum" and value not in ENUMS[key.name]:
            raise QueryError(f"{f}: {key.name} is one of {', '.join(ENUMS[key.name])}")
        if key.takes == "range" and not _RANGE.fullmatch(value):
            raise QueryError(f"{f}: {key.name} takes a number or a range, such as {key.name}=16-20")
        if key.takes == "number" and not _NUMBER.fullmatch(value):
            raise QueryError(f"{f}: {key.name} takes a number")
    if key.name == "between" and len(f.values) != 2:
        raise QueryError(f"{f}: between takes two teams, such as between=CSK,MI")
    return f


_EXAMPLES = {"P": "Bumrah", "T": "MI", "V": "Chepauk", "D": "2024-04-24"}


def _quote(value: str) -> str:
    return f'"{value}"' if re.search(r'[\s,|;"=<>]', value) else value
