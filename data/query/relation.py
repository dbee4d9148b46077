"""The rows behind a measure: which relation has every column that a query needs, and the SQL that filters it.

A query that only looks at whole innings reads the innings rows; one that looks at single balls sums the balls that pass
into such rows first. What cannot be asked becomes a QueryError with the reason. Runs nothing itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data.query.conditions import Condition, condition, seasons_condition, threshold
from data.query.language import FILTERS, MEASURES
from data.query.query import Filter, Having, Query, QueryError, listed
from data.query.sequences import sequence
from data.query.sources import DISMISSAL_COUNTS, PLAYER_KEYS, SOURCES, dimension_column
from data.query.table import PACKED


@dataclass(frozen=True)
class Request:
    """A query with all that it leaves unsaid, the season's keys of its names, the seasons that it is about (None: all
    that are loaded), and the columns of every relation. `whose` is the query that says whose matches are counted, where
    that is another: a share's whole has the matches of the player whose share it is."""

    query: Query
    keys: Mapping[Filter, tuple[str, ...]]
    years: tuple[int, ...] | None
    columns: Mapping[str, frozenset[str]]
    whose: Query | None = None


@dataclass(frozen=True)
class Relation:
    """`sql` selects the innings rows that pass, with the columns `dims`; `where` is their condition on single balls,
    with the first `where_parameters` of the parameters."""

    source: str
    sql: str
    parameters: tuple[str, ...]
    dims: tuple[str, ...]
    where: str
    where_parameters: tuple[str, ...]


def build(
    request: Request, source: str, measures: Sequence[str], by: Sequence[str] | None = None, each: bool = True
) -> Relation:
    """The relation of `source` that `measures` are computed over, split by the query's dimensions or those given; with
    `each` the conditions on single innings hold."""
    spec, query = SOURCES[source], request.query
    by = query.by if by is None else by
    dims = tuple(dimension_column(source, d) for d in by)
    needs = dict(zip(by, dims, strict=True))
    by_player = bool(spec.people) and "player" in dims
    where, after = _conditions(request, source, by_player)
    needs |= {text: c.column for text, c in where}
    if "dismissal" in needs.values() and not set(measures) <= DISMISSAL_COUNTS:
        wrong = next(m for m in measures if m not in DISMISSAL_COUNTS)
        raise QueryError(f"{wrong} has no kind of dismissal: ask for dismissals, wickets or wickets_lost")
    if each:
        after += each_conditions(request, source, by_player)
    tests = " AND ".join(c.sql for _, c in where)
    of_where = tuple(p for _, c in where for p in c.parameters)
    parameters = (*of_where, *(p for c in after for p in c.parameters))
    on_rows = [c.sql for c in after]
    for relation in (spec.innings, spec.people if by_player else None):
        if relation and set(needs.values()) <= request.columns[relation]:
            sql = _select("*", relation, [tests, *on_rows])
            return Relation(source, sql, parameters, dims, tests, of_where)
    _check_balls(request, source, measures, needs, by_player)
    subject = [spec.subject] if spec.subject else []
    keep = list(dict.fromkeys(["match_id", "ord", "team", "innings", *subject, *spec.keys, *dims]))
    sums = [f"sum({c}) AS {c}" for c in spec.sums]
    sql = f"{_select(', '.join([*keep, *sums]), str(spec.balls), [tests])} GROUP BY {', '.join(keep)}"
    sql = _select("*", f"({sql})", on_rows) if on_rows else sql
    return Relation(source, sql, parameters, dims, tests, of_where)


def _conditions(request: Request, source: str, by_player: bool) -> tuple[list[tuple[str, Condition]], list[Condition]]:
    """The conditions that rows have to meet before they are summed (with the text that asks for them), and after."""
    query, where, after = request.query, [], []
    duel = query.filter({"bat": "bowler", "bowl": "batter"}.get(source, "")) is not None
    for f in query.filters:
        if f.key == "season":
            continue
        if FILTERS[f.key].looks == "sequence":
            found = sequence(source, f, request.whose or query, request.keys, request.years, by_player)
        elif over_rows := threshold(source, f):
            after.append(Condition("", over_rows))
            continue
        else:
            found = condition(source, f, request.keys[f], by_player, duel)
        where.append((str(f), found))
    if request.years is not None:
        where.append(("season", seasons_condition(request.years)))
    if source == "run":
        where.append(("in a row", Condition("kind", f"{run_role(query)} IS NOT NULL")))
    if SOURCES[source].people or source in ("person", "lineup"):
        where.append(("played", _played(query, source)))
    return where, after


def run_role(query: Query) -> str:
    """Whose balls in a row are asked for: dots and wickets are a bowler's unless a batter is asked of."""
    runs = [m for m in query.measures if MEASURES[m].source == "run"]
    of_batter = "batter" in query.by or query.filter("batter") is not None
    return "batter" if of_batter or not set(runs) <= {"dot_streak", "wicket_streak"} else "bowler"


def _played(query: Query, source: str) -> Condition:
    """Abandoned matches count only as matches without a result."""
    washed_out = any(f.key == "result" and "no_result" in f.values for f in query.filters)
    if source == "no_result":
        return Condition("played", "result = 'no_result'")
    return Condition("played", "TRUE" if washed_out else "played")


def _select(what: str, relation: str, conditions: Sequence[str]) -> str:
    where = " AND ".join(c for c in conditions if c)
    return f"SELECT {what} FROM {relation}" + (f" WHERE {where}" if where else "")


# -- conditions on single innings and matches

_ROWS = frozenset({"bat", "bowl", "team", "concede", "stand", "over", "batter_over", "result"})


def each_conditions(request: Request, source: str, by_player: bool) -> list[Condition]:
    """What `each` asks of the innings rows of `source`, as conditions on them: a measure of the source is the row's
    own, another one that of the same player's or side's match."""
    return [_row_condition(request, source, h, by_player) for h in request.query.each]


def _row_condition(request: Request, source: str, h: Having, by_player: bool) -> Condition:
    measure = MEASURES[h.measure]
    if measure.source == source and source in _ROWS:
        row = measure.aggregate.row_sql
        if row is None or measure.name in PACKED:
            raise QueryError(f"each {h}: {measure.name} is no count of one innings or match; write one such as "
                             f"each {_EXAMPLES.get(source, 'runs>=50')}")  # fmt: skip
        return Condition("", f"{row} {h.op} {h.value:g}")
    spec = SOURCES.get(measure.source)
    given = measure.aggregate.how == "given" or measure.name in PACKED
    if spec is None or spec.innings is None or given or measure.source == "no_result":
        raise QueryError(f"each {h}: {measure.name} cannot be looked at match by match; "
                         "runs, wickets, catches, total, wins and such can")  # fmt: skip
    return _of_match(request, source, h, by_player)


_EXAMPLES = {"bowl": "wickets>=3", "team": "total>=200", "concede": "conceded>=200", "result": "wins=1",
             "over": "over_runs>=20", "batter_over": "over_sixes>=3", "stand": "partnership_runs>=50"}  # fmt: skip


def _of_match(request: Request, source: str, h: Having, by_player: bool) -> Condition:
    """A condition on a measure of another source, in the same match: of the player whose row it is, of a player whom
    the question names, or of the side."""
    measure = MEASURES[h.measure]
    other = SOURCES[measure.source]
    person = ("player" if by_player else None) if SOURCES[source].people else SOURCES[source].subject
    key, column, tests, parameters = "team", "team", [], []
    if other.subject:
        named = [f for f in request.query.filters if f.op == "=" and f.key in (*PLAYER_KEYS,)]
        if person:
            key, column = person, other.subject
        elif named:
            keys = [k for f in named for k in request.keys[f]]
            tests.append(f"{other.subject} IN ({','.join('?' * len(keys))})")
            parameters += keys
        else:
            raise QueryError(f"each {h}: {measure.name} is a player's; name one, or ask by {other.subject}")
    zero = measure.kind == "count" and _holds(0, h) and measure.source not in ("bat", "bowl", "team", "concede")
    op = _NOT[h.op] if zero else h.op  # who has no row in that match has none of it
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    inner = (f"SELECT match_id, {column} FROM {other.innings}{where} GROUP BY match_id, {column} "
             f"HAVING {measure.sql} {op} {h.value:g}")  # fmt: skip
    return Condition("", f"(match_id, {key}) {'NOT ' if zero else ''}IN ({inner})", tuple(parameters))


_NOT = {">=": "<", "<=": ">", ">": "<=", "<": ">=", "=": "<>"}


def _holds(value: float, h: Having) -> bool:
    return {">=": value >= h.value, "<=": value <= h.value, "=": value == h.value,
            ">": value > h.value, "<": value < h.value}[h.op]  # fmt: skip


# -- what cannot be asked


def _check_balls(
    request: Request, source: str, measures: Sequence[str], needs: Mapping[str, str], by_player: bool
) -> None:
    """Whether single balls have what is needed, and make sense for the measures."""
    spec, columns = SOURCES[source], request.columns
    whole = columns[spec.innings] if spec.innings else frozenset()
    parts = (spec.people if by_player else spec.balls) or ""
    known = whole | columns.get(parts, frozenset())
    for text, column in needs.items():
        if column not in known:
            key = text_key(text)
            able = listed(m.name for m in MEASURES.values() if _has(m.source, column, columns) and m.kind == "count")
            hint = f"; {able} can" if able else ""
            does = "split" if text == key else "filtered"
            raise QueryError(f"{measures[0]} cannot be {does} by {key}{hint}")
    balls = [text for text, column in needs.items() if column not in whole]
    looked_at = [*measures, *(h.measure for h in request.query.each if MEASURES[h.measure].source == source)]
    for m in looked_at if spec.innings else ():
        if MEASURES[m].per_innings or m == "hat_tricks":
            raise QueryError(f"{m} is a matter of whole innings: leave out {', '.join(balls)}")
        if m == "maidens" and {needs[t] for t in balls} - _OF_OVERS:
            raise QueryError(f"maidens are whole overs: leave out {', '.join(balls)}")


# columns of a ball that all balls of an over share
_OF_OVERS = {"over", "from_end", "phase", "pace_or_spin", "arm", "bowling_kind", "bowler"}


def text_key(text: str) -> str:
    """The filter or dimension that a text begins with."""
    found = re.match("[a-z_]+", text)
    return found[0] if found else text


def _has(source: str, column: str, columns: Mapping[str, frozenset[str]]) -> bool:
    spec = SOURCES.get(source)
    return spec is not None and any(column in columns[r] for r in (spec.innings, spec.balls) if r)
