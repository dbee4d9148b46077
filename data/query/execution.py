"""One query being computed: each source's figures by dimension, met in rows, in order.

Each source of the asked measures is computed for itself, as {dimension values: {measure: value}}; these records meet in
one row where their keys agree, then ratios, conditions and rank follow. data.query.layout makes the table of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from data.query.book import SeasonBook
from data.query.cancellation import cancellable
from data.query.completion import complete, counted, seasons_of
from data.query.facts import Found, eleven, league_table, match_facts, person_facts
from data.query.in_a_row import balls_in_a_row
from data.query.language import MEASURES, Measure
from data.query.language.measures import LEAST_IN_A_MATCH
from data.query.query import Filter, Having, Query, QueryError
from data.query.ranking import Order, Row, holds
from data.query.reach import reached
from data.query.relation import Relation, Request, build
from data.query.shares import whole_column, wholes
from data.query.sources import DISMISSAL_COUNTS, PLAYER_KEYS, SOURCES, dimension_column
from data.query.streaks import streaks

_M = "m_"  # in front of a measure's column: "innings" is a dimension too
_ONE_MATCH = ("qualifier_1", "eliminator", "qualifier_2", "final")
MOST_SEASONS = 5  # by which the minimum of a leaderboard over several seasons is multiplied at most
# what is kept of the row that a best figure is of
PLACES = {"run": "(match_id, team, others)", "over": "(match_id, team, innings, over)",
          "batter_over": "(match_id, team, innings, over)"}  # fmt: skip
_ONCE_A_MATCH = frozenset({"innings", "innings_bowled", "innings_played", "matches"})


class QueryExecution:
    """A query over a season: `ranked()` computes its rows. Raises QueryError where it cannot be computed."""

    def __init__(self, query: Query, book: SeasonBook, keys: Mapping[Filter, tuple[str, ...]]) -> None:
        self.book, self.written = book, query
        self.cursor: duckdb.DuckDBPyConnection = cancellable(book.season.connection.cursor())
        self.years = seasons_of(query, book, keys)
        self.query = complete(query, book, keys, self.years)
        shorthand = {f: f.values for f in self.query.filters if f not in keys}
        years = None if self.years == book.years else self.years
        self.request = Request(self.query, {**keys, **shorthand}, years, book.columns)
        self.asked = [MEASURES[m] for m in self.query.measures]
        self.order = Order(self.query, book.matches, book.display)
        self.relations: dict[str, Relation] = {}
        self.drops_rows = False  # whether something belongs to none of the rows, so that they need not add up to all
        # a summary's figures need no others beside them
        self.bare = any(MEASURES[m].kind == "summary" for m in query.measures)

    # -- one source -> {dimension values: {measure: value}}

    def _values(self, source: str, measures: list[Measure]) -> Found:
        if source == "table":
            return league_table(self.request, self.book)
        names = [m.name for m in measures]
        in_a_row = source == "run"
        relation = balls_in_a_row(self.request, names) if in_a_row else build(self.request, source, names)
        self.relations[source] = relation
        if source == "match":
            return match_facts(self.request, self.book, relation, self.cursor)
        if source == "person":
            return person_facts(self.request, self.book, relation, self.cursor)
        if source == "lineup":
            return eleven(relation, self.cursor)
        return self._aggregated(relation, measures)

    def _aggregated(self, relation: Relation, measures: list[Measure]) -> Found:
        dims, source = list(relation.dims), relation.source
        parts = [f"{m.sql} AS {_M}{m.name}" for m in measures]
        for m in measures:
            if m.extreme and not {"match", "pair"} & set(self.query.by):
                place = PLACES.get(source, "(match_id, team)")
                parts.append(f"arg_{m.extreme}({place}, {m.aggregate.of}) AS {_M}at_{m.name}")
        if not dims:
            parts.append(f"count(*) AS {_M}rows")
        group = f" GROUP BY {', '.join(dict.fromkeys(dims))}{self._best_rows(relation, measures)}" if dims else ""
        self.cursor.execute(f"SELECT {', '.join([*dims, *parts])} FROM ({relation.sql}){group}", relation.parameters)
        names = [d[0].removeprefix(_M) for d in self.cursor.description or ()][len(dims) :]
        found: Found = {}
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

    def _best_rows(self, relation: Relation, measures: list[Measure]) -> str:
        """SQL that leaves only rows which a rank can show, with ties at the last place: thousands of overs need not be
        read. Empty where other sources or conditions have a say in the rank."""
        rank, first = self.query.rank, self.asked[0]
        decided = rank is None or rank.kind not in ("top", "bottom") or self.query.having or self.qualification()
        if rank is None or decided or rank.per or first.parts or {m.source for m in self.asked} != {relation.source}:
            return ""
        there = " AND ".join(f"{d} IS NOT NULL" for d in dict.fromkeys(relation.dims))
        order = "DESC" if rank.kind == "top" else "ASC"
        return f" HAVING {there} QUALIFY rank() OVER (ORDER BY {first.sql} {order} NULLS LAST) <= {rank.n}"

    def _counts_none(self, source: str) -> bool:
        """Whether no rows mean a count of 0, rather than a player who did not take part."""
        conditional = any(f.key in ("score", "haul", "dismissal") for f in self.query.filters) or self.query.each
        return source not in ("bat", "bowl") or bool(conditional)

    def counted(self) -> QueryExecution:
        """The question whose rows a count counts."""
        return QueryExecution(counted(self.query), self.book, self.request.keys)

    # -- all sources -> rows

    def ranked(self) -> tuple[list[Row], bool]:
        """The rows of the answer in order, and whether a tie made them more than the rank asked for."""
        rows = self._rows()
        if self.query.place is not None:
            (name,) = self.query.place_filter()
            return self.order.placed(rows, self.request.keys[name], name.key), False
        ranked, tied = self.order.ranked(rows)
        self.drops_rows |= len(ranked) < len(rows)  # who has no figure to be ranked by
        return ranked, tied

    def _rows(self) -> list[Row]:
        for h in self.query.having:
            if MEASURES[h.measure].kind not in ("count", "rate", "best", "streak"):
                raise QueryError(f"having {h}: {h.measure} is a fact of a match and no number, leave it out")
        conditions = [*self.query.having, *self.qualification()]
        if self.query.reach is not None:
            return reached(self.request, self.cursor)
        if self.asked[0].kind == "streak":
            rows = streaks(self.request, self.cursor)
            return [(key, record) for key, record in rows if all(holds(record.get(h.measure), h) for h in conditions)]
        merged = self._merged([h.measure for h in conditions])
        rows = [(k, r) for k, r in merged.items() if all(holds(r.get(h.measure), h) for h in conditions)]
        if self.query.by:
            rows = [(k, r) for k, r in rows if any(r.get(m.name) is not None for m in self.asked)]
        return rows

    def _merged(self, conditions: Sequence[str]) -> Found:
        """The records of all sources, met where their keys agree: rows of the sources that are asked of."""
        wanted = list(dict.fromkeys([*self.query.measures, *self.shown(), *conditions]))
        ratios = [MEASURES[n] for n in wanted if MEASURES[n].parts]
        needed = list(dict.fromkeys(
            n for name in wanted for n in (MEASURES[name].parts.counted if MEASURES[name].parts else (name,))  # type: ignore[union-attr]
        ))  # fmt: skip
        asked_of = {m.source for m in self.asked}
        merged: Found = {}
        for source in dict.fromkeys(self._source(n) for n in needed):
            found = self._values(source, [MEASURES[n] for n in needed if self._source(n) == source])
            for key, record in found.items():
                if key in merged or source in asked_of:
                    merged.setdefault(key, {}).update(record)
        for record in merged.values():  # counts of two sources meet: a batter who took no catch has 0 of them
            for name in needed:
                if name not in record and MEASURES[name].kind == "count":
                    record[name] = 0
        for ratio in ratios:
            self._divide(ratio, merged)
        return merged

    def _divide(self, ratio: Measure, rows: Found) -> None:
        """Put a ratio of two counts, or a share of the whole, into every row."""
        parts = ratio.parts
        assert parts is not None
        divisors: Mapping[tuple[object, ...], object]
        if parts.of_whole:
            divisors = wholes(self.request, parts, self.cursor)
            for key, record in rows.items():
                record[whole_column(parts)] = divisors.get(key)
        else:
            divisors = {key: record.get(parts.below) for key, record in rows.items()}
        for key, record in rows.items():
            above, divisor = record.get(parts.above), divisors.get(key)
            scale = 100.0 if parts.op == "%" else 1.0
            record[ratio.name] = scale * float(above or 0) / float(divisor) if divisor else None  # type: ignore[arg-type]

    def _source(self, measure: str) -> str:
        """A condition on matches played together is about partnerships where pairs are asked of."""
        pairs = measure == "matches" and "pair" in self.query.by
        return "stand" if pairs else MEASURES[measure].source

    def shown(self) -> list[str]:
        """The figures that qualify those asked for."""
        q = self.query
        if self.bare:
            return []
        once = _ONCE_A_MATCH if "match" in q.by else frozenset()
        names = [n for m in self.asked for n in m.shows if n not in {*q.measures, *q.by, *once}]
        if self.asked[0].name == "win_percent" and not self._one_side():
            names = ["team_matches" if n == "matches" else n for n in names]
        if q.filter("dismissal") or "dismissal" in q.by:
            names = [n for n in names if n in DISMISSAL_COUNTS]
        return list(dict.fromkeys(names))

    def _one_side(self) -> bool:
        """Whether only one of the two sides of a match can be among the rows."""
        keys = {*self.query.by, *(f.key for f in self.query.filters)}
        return bool(keys & {*PLAYER_KEYS, "team", "opponent", "result", "toss", "innings", "home"})

    def qualification(self) -> list[Having]:
        """A leaderboard of a rate needs a minimum; the field's custom where the question gives none."""
        q, first = self.query, self.asked[0]
        least, spec = first.least, SOURCES.get(first.source)
        if spec is None or least is None or not (q.rank or q.place) or q.having:
            return []
        ranked = {dimension_column(first.source, d) for d in q.by}
        named = any(f.key in PLAYER_KEYS and f.op == "=" and f.key in q.by for f in q.filters)
        if spec.subject not in ranked or named:
            return []
        stage: tuple[str, ...] = next((f.values for f in q.filters if f.key == "stage" and f.op == "="), ())
        if any(f.key in ("date", "match") for f in q.filters) or (len(stage) == 1 and stage[0] in _ONE_MATCH):
            return []
        measure, season_long, narrowed = least
        if "match" in q.by:  # single innings and spells
            enough = LEAST_IN_A_MATCH.get(measure) if len(q.by) == 2 and not q.filter("score") else None
            return [Having(measure, ">=", enough)] if enough else []
        seasons = 1 if "season" in q.by else min(len(self.years), MOST_SEASONS)
        narrows = [f.key for f in q.filters if f.op == "=" and f.key != "season"]
        narrows += [q.rank.per] if q.rank and q.rank.per not in ("", "season") else []
        return [Having(measure, ">=", seasons * (narrowed if narrows else season_long))]

    def adds_up(self, measure: Measure) -> bool:
        """Whether the rows' counts sum to the count of all: an innings has several phases, a match two sides."""
        by = set(self.query.by)
        by_player = bool(by & set(PLAYER_KEYS))
        spec = SOURCES.get(measure.source)
        if not measure.additive or spec is None or measure.source == "table" or self.query.reach is not None:
            return False
        if measure.source == "field":
            return not (by_player and measure.distinct)
        if measure.source in ("result", "no_result"):
            one_side = any(f.key == "team" and f.op == "=" and len(f.values) == 1 for f in self.query.filters)
            return not by_player and (one_side or not measure.distinct or by <= _OF_MATCHES)
        dims = {dimension_column(measure.source, d) for d in by}
        if spec.innings is None:
            return dims <= self.book.columns["results"] | {"innings", "bowler", *spec.keys}
        parts = dims - self.book.columns[spec.innings]  # an innings has rows of several of them
        return not ((measure.distinct or measure.classed) and parts)


# dimensions that are the same for both sides of a match
_OF_MATCHES = {"venue", "match", "stage", "city", "season", "month", "weekday"}
