"""Answers a query line: Query -> SQL over a season's relations -> StatTable, with what qualifies each figure.

    statistics = Statistics(load("ipl_2024"))
    print(statistics.answer(parse("runs by batter | top 3").queries[0]).texts())

Each source of the asked measures is computed for itself, as {dimension values: {measure: value}}; these records meet in
one row where their keys agree, then conditions, rank and columns follow. Names in filters are resolved by the caller
(`resolve(key, value) -> season keys`); without a resolver values are keys. A season does not change, so that the tables
asked for last are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from heapq import nlargest, nsmallest
from typing import Any

from data.query import views
from data.query.language import FILTERS, LESS_IS_BETTER, MEASURES, Measure
from data.query.line import Filter, Having, Query, QueryError
from data.query.match import Match, read_matches
from data.query.relation import Relation, build
from data.query.sources import DISMISSAL_COUNTS, PLAYER_KEYS, SOURCES, dimension_column
from data.query.table import Column, StatTable, cell, compared, show
from data.query.trace import Trace, trace
from data.season import Season

__all__ = ["StatTable", "Statistics", "show"]

KEPT = 64  # tables, most of a few kilobytes and the largest of two megabytes
_M = "m_"  # in front of a measure's column: "innings" is a dimension too
_ORDERED = {"over", "phase", "position", "innings", "wicket", "match"}  # in which people expect the rows
_ONE_MATCH = ("qualifier_1", "eliminator", "qualifier_2", "final")
_PHASES = ("powerplay", "middle", "death")
Key = tuple[Any, ...]
Record = dict[str, Any]
Resolve = Callable[[str, str], tuple[str, ...]]


class Statistics:
    """The statistics of one loaded season: `answer(query)`, `trace(query)`. Safe to use from several threads."""

    def __init__(self, season: Season):
        self.season = season
        views.create(season.connection)
        cursor = season.connection.cursor()
        self.displays: dict[str, str] = dict(cursor.execute("SELECT player, display FROM players").fetchall())
        self.columns: dict[str, set[str]] = {}
        for relation, column in cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
        ).fetchall():
            self.columns.setdefault(relation, set()).add(column)
        self.matches: dict[int, Match] = read_matches(season.connection)
        self.standings = cursor.execute("SELECT season, team, points, net_run_rate, position FROM standings").fetchall()
        self._table = lru_cache(KEPT)(lambda query, keys: QueryExecution(query, self, keys).table())

    def answer(self, query: Query, resolve: Resolve | None = None) -> StatTable:
        """Compute `query`. Raises QueryError where a measure cannot be combined with a filter or dimension."""
        return self._table(query, _keys(query, resolve))

    def trace(self, query: Query, resolve: Resolve | None = None) -> Trace:
        """The matches and deliveries that the figures of `answer(query)` came from. Raises QueryError alike."""
        run = QueryExecution(query, self, _keys(query, resolve))
        rows = dict(run.ranked()[0])
        return trace(self.matches, self.displays, run.query, run.relations, rows, run.cursor)


def _keys(query: Query, resolve: Resolve | None) -> tuple[tuple[str, ...], ...]:
    """The season's keys of each filter's values."""

    def of(f: Filter) -> tuple[str, ...]:
        if resolve is None or FILTERS[f.key].takes not in "PTVD":
            return f.values
        return tuple(key for value in f.values for key in resolve(f.key, value))

    return tuple(map(of, query.filters))


class QueryExecution:
    """One query being computed: its relations by source, and the rows they give."""

    def __init__(self, query: Query, statistics: Statistics, keys: tuple[tuple[str, ...], ...]):
        self.statistics, self.keys = statistics, dict(zip(query.filters, keys, strict=True))
        self.cursor = statistics.season.connection.cursor()
        self.query = _completed(query)
        self.asked = [MEASURES[m] for m in self.query.measures]
        self.relations: dict[str, Relation] = {}
        self.drops_rows = False  # whether something belongs to none of the rows, so that they need not add up to all

    # -- one source -> {dimension values: {measure: value}}

    def _values(self, source: str, measures: list[Measure]) -> dict[Key, Record]:
        if source == "table":
            return self._league_table()
        relation = build(self.query, source, [m.name for m in measures], self.statistics.columns, self.keys)
        self.relations[source] = relation
        if source == "match":
            return self._facts(relation)
        dims = list(relation.dims)
        parts = [f"{m.sql} AS {_M}{m.name}" for m in measures]
        for m in measures:
            if m.extreme and not {"match", "pair"} & set(self.query.by):
                parts.append(f"arg_{m.extreme}((match_id, team), {m.aggregate.of}) AS {_M}at_{m.name}")
        if not dims:
            parts.append(f"count(*) AS {_M}rows")
        group = f" GROUP BY {', '.join(dict.fromkeys(dims))}" if dims else ""
        self.cursor.execute(f"SELECT {', '.join([*dims, *parts])} FROM ({relation.sql}){group}", relation.parameters)
        names = [d[0].removeprefix(_M) for d in self.cursor.description[len(dims) :]]
        found = {}
        for row in self.cursor.fetchall():
            record = dict(zip(names, row[len(dims) :], strict=True))
            if record.pop("rows", 1) == 0 and not self._counts_none(source):
                continue
            key = tuple(tuple(v) if isinstance(v, list) else v for v in row[: len(dims)])
            if None in key:  # a neutral ground is neither home nor away, a run-out no bowler's
                self.drops_rows = True
            else:
                found[key] = record
        return found

    def _counts_none(self, source: str) -> bool:
        """Whether no rows mean a count of 0, rather than a player who did not take part."""
        return source not in ("bat", "bowl") or any(f.key in ("score", "haul", "dismissal") for f in self.query.filters)

    def _facts(self, relation: Relation) -> dict[Key, Record]:
        dims = list(relation.dims)
        rows = self.cursor.execute(f"SELECT DISTINCT {', '.join(dims)} FROM ({relation.sql})", relation.parameters)
        place = self.query.by.index("match")
        return {tuple(key): dict(self.statistics.matches[key[place]].facts) for key in rows.fetchall()
                if None not in key}  # fmt: skip

    def _league_table(self) -> dict[Key, Record]:
        """One row a team; over several seasons one a team and season."""
        if self.query.by != ("team",):
            others = [d for d in self.query.by if d != "team"]
            raise QueryError(f"the league table has a row a team: leave out by {', '.join(others)}")
        teams, others = None, set()
        for f in self.query.filters:
            named = set(self.keys[f])
            if f.key in ("team", "between"):
                if f.op == "!=":
                    others |= named
                else:
                    teams = named if teams is None else teams & named
            elif f.key != "stage" or "league" not in f.values:
                raise QueryError(f"the league table cannot be filtered by {f.key}")
        several = len({season for season, *_ in self.statistics.standings}) > 1
        return {
            (f"{team} {season}" if several else team,): {
                "points": points, "net_run_rate": rate, "position": place, "sort_points": -place,
            }
            for season, team, points, rate, place in self.statistics.standings
            if (teams is None or team in teams) and team not in others
        }  # fmt: skip

    # -- all sources -> rows

    def ranked(self) -> tuple[list[tuple[Key, Record]], bool]:
        """The rows of the answer in order, and whether a tie made them more than the rank asked for."""
        for h in self.query.having:
            if MEASURES[h.measure].kind == "fact":
                raise QueryError(f"having {h}: {h.measure} is a fact of a match and no number, leave it out")
        wanted = list(dict.fromkeys([*self.query.measures, *self._shown(), *(h.measure for h in self._conditions())]))
        asked_of = {m.source for m in self.asked}
        merged: dict[Key, Record] = {}
        for source in dict.fromkeys(self._source(n) for n in wanted):
            found = self._values(source, [MEASURES[n] for n in wanted if self._source(n) == source])
            for key, record in found.items():
                if key in merged or source in asked_of:
                    merged.setdefault(key, {}).update(record)
        for record in merged.values():  # counts of two sources meet: a batter who took no catch has 0 of them
            for name in wanted:
                if name not in record and MEASURES[name].kind == "count":
                    record[name] = 0
        rows = [(k, r) for k, r in merged.items() if all(_holds(r.get(h.measure), h) for h in self._conditions())]
        if self.query.by:
            rows = [(k, r) for k, r in rows if any(r.get(m.name) is not None for m in self.asked)]
        return self._in_order(rows)

    def _source(self, measure: str) -> str:
        """A condition on matches played together is about partnerships where pairs are asked of."""
        pairs = measure == "matches" and "pair" in self.query.by
        return "stand" if pairs else MEASURES[measure].source

    def _shown(self) -> list[str]:
        """The figures that qualify those asked for."""
        q = self.query
        once = {"innings", "innings_bowled", "innings_played", "matches"} if "match" in q.by else set()
        names = [n for m in self.asked for n in m.shows if n not in {*q.measures, *q.by, *once}]
        if q.filter("dismissal") or "dismissal" in q.by:
            names = [n for n in names if n in DISMISSAL_COUNTS]
        return list(dict.fromkeys(names))

    def _conditions(self) -> list[Having]:
        return [*self.query.having, *self._qualification()]

    def _qualification(self) -> list[Having]:
        """A leaderboard of a rate needs a minimum; the field's custom where the question gives none."""
        q, first = self.query, self.asked[0]
        ranked = {dimension_column(first.source, d) for d in q.by}
        named = any(f.key in PLAYER_KEYS and f.op == "=" and f.key in q.by for f in q.filters)
        leaderboard = q.rank and first.least and SOURCES[first.source].subject in ranked and "match" not in q.by
        if not leaderboard or q.having or named:
            return []
        stage = next((f.values for f in q.filters if f.key == "stage"), ())
        one_match = any(f.key in ("date", "match") for f in q.filters) or (len(stage) == 1 and stage[0] in _ONE_MATCH)
        if one_match:
            return []
        measure, season_long, narrowed = first.least
        return [Having(measure, ">=", narrowed if [f for f in q.filters if f.op == "="] else season_long)]

    def _in_order(self, rows: list[tuple[Key, Record]]) -> tuple[list[tuple[Key, Record]], bool]:
        rank, first, by = self.query.rank, self.asked[0], self.query.by
        in_time = first.kind == "fact" or (rank is not None and rank.kind in ("first", "last"))
        if in_time or (rank is None and (not by or _ORDERED & set(by))):
            rows.sort(key=self._place)
        if in_time:
            place = by.index("match")
            sign = -1 if rank and rank.kind == "last" else 1
            rows.sort(key=lambda kr: sign * self.statistics.matches[kr[0][place]].order)
            return (rows[: rank.n] if rank else rows), False
        if rank is None and (not by or _ORDERED & set(by)):
            return rows, False
        top = rank is None or rank.kind == "top"

        def value(row: tuple[Key, Record]) -> Any:
            return row[1].get(f"sort_{first.name}", row[1].get(first.name))

        rows = [row for row in rows if value(row) is not None]
        if rank and top and first.kind == "count":
            rows = [row for row in rows if value(row)]  # nobody leads with none
        if rank and len(rows) > rank.n:
            last = (nlargest if top else nsmallest)(rank.n, map(value, rows))[-1]
            rows = [row for row in rows if (value(row) >= last if top else value(row) <= last)]
        rows.sort(key=self._place)
        rows.sort(key=lambda row: tuple(_better_first(m, row[1].get(m.name)) for m in self.asked[1:]))
        rows.sort(key=value, reverse=top)
        return rows, rank is not None and len(rows) > rank.n

    def _place(self, row: tuple[Key, Record]) -> tuple[Any, ...]:
        """Where a row stands among equals: in the order of its dimensions, or of the alphabet."""
        return tuple(self._dimension_place(d, v) for d, v in zip(self.query.by, row[0], strict=False))

    def _dimension_place(self, dimension: str, value: Any) -> tuple[int, Any]:
        if dimension == "match":
            return (0, self.statistics.matches[value].order)
        if dimension == "phase":
            return (0, _PHASES.index(value))
        if dimension == "pair":
            return (1, " ".join(map(self._display, value)))
        return (0, value) if isinstance(value, int) else (1, self._display(value))

    # -- rows -> the table

    def table(self) -> StatTable:
        rows, tied = self.ranked()
        columns = self._columns_of(rows)
        default = self._qualification()
        return StatTable(
            self.query,
            columns,
            tuple(tuple(self._cell(c, key, record) for c in columns) for key, record in rows),
            qualification=f"at least {default[0].value:g} {MEASURES[default[0].measure].label}" if default else None,
            totals=self._totals(rows),
            more_tied=tied,
        )

    def _totals(self, rows: list[tuple[Key, Record]]) -> dict[str, float]:
        if not self.query.by or self.query.rank or not 1 < len(rows) or self.drops_rows:
            return {}
        return {m.name: sum(r.get(m.name) or 0 for _, r in rows) for m in self.asked if self._adds_up(m)}

    def _adds_up(self, measure: Measure) -> bool:
        """Whether the rows' counts sum to the count of all: an innings has several phases, a match two sides."""
        by = set(self.query.by)
        by_player = bool(by & set(PLAYER_KEYS))
        if not measure.additive or measure.source == "table":
            return False
        if measure.source == "field":
            return not (by_player and measure.distinct)
        if measure.source == "result":
            one_side = any(f.key == "team" and f.op == "=" and len(f.values) == 1 for f in self.query.filters)
            return not by_player and (one_side or not measure.distinct or by <= {"venue", "match", "stage"})
        whole = self.statistics.columns[SOURCES[measure.source].innings]
        parts = {dimension_column(measure.source, d) for d in by} - whole  # an innings has rows of several of them
        return not ((measure.distinct or measure.classed) and parts)

    def _columns_of(self, rows: list[tuple[Key, Record]]) -> tuple[Column, ...]:
        columns = []
        facts = {m.name for m in self.asked}
        for d in self.query.by:
            columns.append(Column(d, d, "dimension"))
            if d == "match":
                columns += [Column("on", "date", "dimension")] if "date" not in facts else []
                columns += [Column("ground", "ground", "dimension")] if "venue" not in facts else []
        columns += [Column(m.name, m.label, "asked", m.decimals) for m in self.asked]
        columns += [Column(n, MEASURES[n].label, "shown", MEASURES[n].decimals) for n in self._shown()
                    if any(r.get(n) is not None for _, r in rows)]  # fmt: skip
        columns += [Column(f"at_{m.name}", "where", "at") for m in self.asked
                    if any(r.get(f"at_{m.name}") for _, r in rows)]  # fmt: skip
        return tuple(columns)

    def _cell(self, column: Column, key: Key, record: Record) -> Any:
        name = column.name
        if column.role == "at":
            return self._where(*record[name]) if record.get(name) else None
        if column.role == "dimension":
            return self._dimension_cell(name, dict(zip(self.query.by, key, strict=False)))
        value = record.get(name)
        if value is None:
            return 0 if column.role == "asked" and MEASURES[name].kind == "count" else None
        return cell(name, value, column.decimals)

    def _dimension_cell(self, name: str, dims: Record) -> Any:
        if name in ("match", "on", "ground"):
            match = self.statistics.matches[dims["match"]]
            return {"match": match.title, "on": match.date, "ground": match.venue}[name]
        if name == "pair":
            return " and ".join(map(self._display, dims[name]))
        return self._display(dims[name]) if name in PLAYER_KEYS else dims[name]

    def _display(self, player: str) -> str:
        return self.statistics.displays.get(player, player)

    def _where(self, match_id: int, team: str) -> str:
        """'v Delhi Capitals, 24 April 2024' for the side `team`."""
        match = self.statistics.matches[match_id]
        return f"v {match.team2 if match.team1 == team else match.team1}, {show(match.date)}"


def _completed(query: Query) -> Query:
    """Fill in what the line leaves unsaid: a row for each of several players or teams, a row a match for facts."""
    by = list(dict.fromkeys(query.by))
    measures = [MEASURES[m] for m in dict.fromkeys(query.measures)]
    stands = any(m.source == "stand" for m in measures)
    for f in query.filters:
        if f.key in (*PLAYER_KEYS, "team") and f.op == "=" and len(f.values) > 1 and f.key not in by:
            if not (f.key in PLAYER_KEYS and (stands or set(by) & {"match", "pair"})):
                by.append(f.key)
    facts = any(m.kind == "fact" for m in measures)
    if (facts or (query.rank and query.rank.kind in ("first", "last"))) and "match" not in by:
        by.append("match")
    if any(m.source == "table" for m in measures) and "team" not in by:
        by.append("team")
    if any(m.source == "stand" and m.kind == "best" for m in measures) and not by:
        by = ["pair"]
    return replace(query, measures=tuple(m.name for m in measures), by=tuple(by))


def _better_first(measure: Measure, value: Any) -> Any:
    """Among rows that are equal on the first measure, who is better on a further one stands first."""
    if value is None or isinstance(value, str) or measure.kind == "fact":
        return 0
    return value if measure.name in LESS_IS_BETTER else -value


def _holds(value: Any, h: Having) -> bool:
    if value is None:
        return False
    value = compared(h.measure, value)
    return {">=": value >= h.value, "<=": value <= h.value, "=": value == h.value,
            ">": value > h.value, "<": value < h.value}[h.op]  # fmt: skip
