"""Query lines as text: `parse(text) -> Plan`, `str(plan) -> text`.

plan    = query { " ; " query }  |  "decline" reason
query   = figure {", " figure} [" by " dimension {", " dimension}] { " | " clause }
figure  = measure | measure "/" measure | measure "%" measure | measure "%team" | measure "%all"
clause  = filter {" " filter} | "each " conditions | "having " conditions | "reach " n | "place " name | rank
        | "unsupported " '"words"'
rank    = ("top"|"bottom"|"first"|"last") " " ["nth "] n [" per " dimension]
filter  = key operator value {"," value}        value = P1, word, number, a-b, a- or "quoted name"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import replace

from data.query.hints import EXAMPLES, nearest, of_clause, of_condition
from data.query.language import DECLINES, DIMENSIONS, ENUMS, FILTERS, MEASURES, RANKS, WHOLES
from data.query.query import Filter, Having, Plan, Query, QueryError, Rank, listed

__all__ = ["Filter", "Having", "Plan", "Query", "QueryError", "Rank", "parse"]

MAX_LENGTH = 2_000  # characters; the longest line people write has some 200
MAX_QUERIES, MAX_MEASURES, MAX_DIMENSIONS = 4, 8, 3
MAX_UNSUPPORTED = 200  # characters of one condition that the language does not have

_FILTER = re.compile(
    r'(?P<key>[a-z_]+)(?P<op>!=|>=|<=|=|>|<)(?P<values>(?:"[^"]*"|[^\s",]+)(?:,(?:"[^"]*"|[^\s",]+))*)'
)
_VALUE = re.compile(r'"([^"]*)"|([^\s",]+)')
_RANGE = re.compile(r"[0-9]{1,3}(?:-[0-9]{0,3})?")
_SEASON = re.compile(r"all|-?(?:[12][0-9]{3}|Y[0-9])|(?:[12][0-9]{3}|Y[0-9])-(?:[12][0-9]{3}|Y[0-9])?")
_WHOLE = re.compile(r"[1-9][0-9]{0,3}")
_RANK = re.compile(r"[1-9][0-9]{0,4}")
_NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})?")
_FIGURE = re.compile(r"([a-z_]+)(?:([/%])([a-z_]+))?")


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
    if not all(parts):
        raise QueryError("one of the queries is empty: leave out a `;`; `python -m data language` explains the line")
    if len(parts) > MAX_QUERIES:
        raise QueryError(f"the query line asks {len(parts)} things: at most {MAX_QUERIES} are taken, split it")
    return Plan(queries=tuple(map(_query, parts)))


def _split(text: str, mark: str) -> list[str]:
    return [part.strip() for part in re.split(rf'\s*{re.escape(mark)}\s*(?=(?:[^"]*"[^"]*")*[^"]*$)', text)]


def _query(text: str) -> Query:
    head, *clauses = _split(text, "|")
    names, _, dims = head.partition(" by ")
    measures = tuple(map(_figure, names.split(",")))
    by = tuple(_known(d, DIMENSIONS, "dimension") for d in dims.split(",")) if dims.strip() else ()
    if len(measures) > MAX_MEASURES or len(by) > MAX_DIMENSIONS:
        raise QueryError(f"{head!r}: at most {MAX_MEASURES} measures by {MAX_DIMENSIONS} dimensions, split it")
    query = Query(measures, by)
    for clause in clauses:
        query = _with_clause(query, clause)
    return query


def _with_clause(query: Query, clause: str) -> Query:
    word, _, rest = clause.partition(" ")
    rest = rest.strip()
    if word in RANKS:
        if query.rank or query.place:
            raise QueryError(f"{clause!r}: the line is ranked by `{query.rank or f'place {query.place}'}` already, "
                             "leave out one of them")  # fmt: skip
        rank = _rank(word, rest, clause)
        by = (rank.per, *query.by) if rank.per and rank.per not in query.by else query.by
        return replace(query, rank=rank, by=by)
    if word in ("each", "having"):
        conditions = tuple(_condition(word, c, clause) for c in rest.split() or [clause])
        return replace(query, each=query.each + conditions) if word == "each" else (
            replace(query, having=query.having + conditions))  # fmt: skip
    if word == "reach":
        if not _RANK.fullmatch(rest) or query.reach is not None:
            raise QueryError(f"{clause!r}: write one number from 1 to 99999 after reach, such as `reach 500`")
        return replace(query, reach=int(rest))
    if word == "place":
        if query.rank or query.place:
            raise QueryError(f"{clause!r}: a place is in the ranking of all, leave out the other rank")
        return replace(query, place=_name(rest, clause))
    if word == "unsupported":
        return replace(query, unsupported=(*query.unsupported, _unsupported(rest, clause)))
    return replace(query, filters=query.filters + _filters(clause))


def _figure(text: str) -> str:
    """A measure or a ratio of two."""
    m = _FIGURE.fullmatch(text.strip())
    if not m or not m[2]:
        return _known(text, MEASURES, "measure")
    wholes = WHOLES if m[2] == "%" else ()
    below = m[3] if m[3] in wholes else _known(m[3], [*wholes, *MEASURES], "measure")
    for name in (_known(m[1], MEASURES, "measure"), *(() if below in WHOLES else (below,))):
        if not MEASURES.counted(name):
            raise QueryError(f"{m[0]!r}: {name} is no count; a ratio is of counts such as runs, wickets or matches")
    return m[0]


def _known(name: str, table: Collection[str], what: str) -> str:
    name = name.strip()
    if name in table:
        return name
    raise QueryError(f"unknown {what} {name!r}: {nearest(name, table, what)}")


def _rank(word: str, rest: str, clause: str) -> Rank:
    rest, _, per = rest.partition(" per ")
    nth = rest.startswith("nth ")
    number = rest.removeprefix("nth ").strip()
    if not _RANK.fullmatch(number):
        raise QueryError(f"{clause!r}: write a number from 1 to 99999 after {word}, such as `{word} 3`, `{word} nth 2`")
    return Rank(word, int(number), nth, _known(per, DIMENSIONS, "dimension") if per else "")


def _condition(word: str, text: str, clause: str) -> Having:
    m = re.fullmatch(rf"([a-z_]+)(>=|<=|=|>|<)({_NUMBER.pattern})", text)
    if not m:
        example = "each runs>=50" if word == "each" else "having balls>=100"
        hint = of_condition(text, clause) or f"write one such as `{example}`"
        raise QueryError(f"{text!r} is no condition: {hint}")
    return Having(_known(m[1], MEASURES, "measure"), m[2], float(m[3]))


def _name(text: str, clause: str) -> str:
    m = _VALUE.fullmatch(text)
    if not m or not (m[1] or m[2] or "").strip():
        raise QueryError(f'{clause!r}: write one name after place, such as `place Kohli` or `place "Travis Head"`')
    return m[1] or m[2]


def _unsupported(text: str, clause: str) -> str:
    m = re.fullmatch(rf'"([^"]{{1,{MAX_UNSUPPORTED}}})"', text)
    if not m or not m[1].strip():
        raise QueryError(f'{clause!r}: write the words in quotes, such as `unsupported "day games"`')
    return " ".join(m[1].split())


def _filters(clause: str) -> tuple[Filter, ...]:
    found: list[Filter] = []
    end = 0
    for m in _FILTER.finditer(clause):
        if clause[end : m.start()].strip():
            break
        end = m.end()
        found.append(_checked(Filter(m["key"], m["op"], tuple(a or b for a, b in _VALUE.findall(m["values"])))))
    if clause[end:].strip() or not found:
        wrong = clause[end:].strip() or clause
        raise QueryError(f"{wrong!r} is no filter: write key=value{of_clause(wrong)}")
    return tuple(found)


def _checked(f: Filter) -> Filter:
    key = FILTERS.get(f.key) or FILTERS[_known(f.key, FILTERS, "filter")]
    if f.op == "!=" and not key.negatable:
        can = listed((k.name for k in FILTERS.values() if k.negatable), 99)
        raise QueryError(f"{f}: {key.name} takes no '!='; {can} do")
    if f.op in (">=", "<=", ">", "<") and key.takes != "number":
        raise QueryError(f"{f}: {key.name} takes '=' only")
    for value in f.values:
        if not value.strip():
            raise QueryError(f"{f.key} has an empty name: write one such as {f.key}={EXAMPLES.get(key.takes, '3')}")
        if key.takes == "enum" and value not in ENUMS[key.name]:
            near = difflib.get_close_matches(value, ENUMS[key.name], 1, 0.6)
            hint = f"; did you mean {key.name}={near[0]}?" if near else ""
            raise QueryError(f"{f}: {key.name} is one of {', '.join(ENUMS[key.name])}{hint}")
        if key.takes == "range" and not _RANGE.fullmatch(value):
            raise QueryError(f"{f}: {key.name} takes a number or a range, such as {key.name}=16-20 or {key.name}=8-")
        if key.takes == "number" and not _NUMBER.fullmatch(value):
            raise QueryError(f"{f}: {key.name} takes a number")
        if key.takes == "whole" and not _WHOLE.fullmatch(value):
            raise QueryError(f"{f}: {key.name} takes a whole number from 1, such as {key.name}=5")
        if key.takes == "Y" and not _SEASON.fullmatch(value):
            raise QueryError(
                f"{f}: season takes years or all, such as season=2016, season=2018-, season=-2012 or season=all"
            )
    if key.name == "between" and len(f.values) != 2:
        raise QueryError(f"{f}: between takes two teams, such as between=CSK,MI")
    if key.takes == "whole" and len(f.values) != 1:
        raise QueryError(f"{f}: {key.name} takes one number")
    return f
