"""Answers a query line: Query -> SQL over a season's relations -> StatTable, with what qualifies each figure.

    statistics = Statistics(load("ipl_2024"))
    print(statistics.answer(parse("runs by batter | top 3").queries[0]).texts())

Names in filters are resolved by the caller (`resolve(key, value) -> season keys`); without a resolver values are keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from data.query import views
from data.query.language import FILTERS, MEASURES, Measure
from data.query.line import Filter, Having, Query, QueryError, Rank
from data.query.sources import PLAYER_KEYS, SOURCES, condition, dimension_column, threshold
from data.season import Season

_M = "m_"  # in front of a measure's column: "innings" is a dimension too
Resolve = Callable[[str, str], tuple[str, ...]]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Column:
    name: str  # a measure, a dimension, or "at" (where a best figure was made)
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
        return [[show(v, c.decimals) for v, c in zip(row, self.columns)] for row in self.rows]


def show(value: Any, decimals: int = 0) -> str:
    """A cell as people read it: 61.75, 741, 23 Apr 2024, 124*; an undefined rate is a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{decimals}f}" if decimals else f"{value:g}"
    if isinstance(value, date):
        return f"{value.day} {value:%B %Y}"
    return str(value)


class Statistics:
    """The statistics of one loaded season: `answer(query)`. Safe to use from several threads."""

    def __init__(self, season: Season):
        self.season = season
        views.create(season.connection)
        cursor = season.connection.cursor()
        self.displays: dict[str, str] = dict(cursor.execute("SELECT player, display FROM players").fetchall())
        rows = cursor.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall()
        self.columns: dict[str, set[str]] = {}
        for relation, column in rows:
            self.columns.setdefault(relation, set()).add(column)
        self.matches: dict[int, Match] = {}
        for i, (match_id, *rest) in enumerate(cursor.execute(
            "SELECT match_id, date, venue, team1, team2, stage FROM matches ORDER BY date, number, match_id"
        ).fetchall()):
            self.matches[match_id] = Match(i, *rest)

    def answer(self, query: Query, resolve: Resolve | None = None) -> StatTable:
        """Compute `query`. Raises QueryError where a measure cannot be combined with a filter or dimension."""
        return _Run(query, self, resolve or (lambda key, value: (value,))).table()


@dataclass(frozen=True)
class Match:
    """What names a match: its place in the season's order, day, ground, teams and stage."""

    order: int
    date: date
    venue: str
    team1: str
    team2: str
    stage: str

    @property
    def title(self) -> str:
        stage = "" if self.stage == "league" else f" ({self.stage.replace('_', ' ')})"
        return f"{self.team1} v {self.team2}{stage}"


class _Run:
    def __init__(self, query: Query, statistics: Statistics, resolve: Resolve):
        self.statistics, self.resolve = statistics, resolve
        self.cursor = statistics.season.connection.cursor()
        self.query = self._completed(query)
        self.asked = [MEASURES[m] for m in query.measures]

    def _completed(self, query: Query) -> Query:
        """Fill in what the line leaves unsaid: a row for each of several players or teams, a row a match for facts."""
        by = list(query.by)
        for f in query.filters:
            if f.key in (*PLAYER_KEYS, "team") and f.op == "=" and len(f.values) > 1 and f.key not in by:
                stand = any(MEASURES[m].source == "stand" for m in query.measures)
                if not (f.key in PLAYER_KEYS and (stand or set(by) & {"match", "pair"})):
                    by.append(f.key)
        facts = [m for m in query.measures if MEASURES[m].kind == "fact"]
        if (facts or (query.rank and query.rank.kind in ("first", "last"))) and "match" not in by:
            by.append("match")
        if any(MEASURES[m].source == "table" for m in query.measures) and "team" not in by:
            by.append("team")
        if any(MEASURES[m].source == "stand" and MEASURES[m].kind == "best" for m in query.measures) and not by:
            by = ["pair"]
        return replace(query, by=tuple(by))

    # -- one source -> {dimension values: {measure: value}}

    def _values(self, source: str, measures: list[Measure]) -> dict[Key, dict[str, Any]]:
        if source == "table":
            return self._standings(measures)
        if source == "match":
            return self._facts(measures)
        sql, parameters, dims = self._relation(source, [m.name for m in measures])
        parts = [f"{m.sql} AS {_M}{m.name}" for m in measures]
        for m in measures:
            if m.kind == "best" and m.sql.startswith(("max(", "min(")) and not {"match", "pair"} & set(self.query.by):
                parts.append(f"arg_{m.sql[:3]}((match_id, team), {m.sql[4:-1]}) AS {_M}at_{m.name}")
        if source in ("bat", "bowl", "team", "concede", "field", "stand", "award") and not dims:
            parts.append(f"count(*) AS {_M}n_rows")
        group = f" GROUP BY {', '.join(dims)}" if dims else ""
        cursor = self.cursor.execute(f"SELECT {', '.join([*dims, *parts])} FROM ({sql}){group}", parameters)
        names = [d[0] for d in cursor.description]
        found = {}
        for row in cursor.fetchall():
            record = {name.removeprefix(_M): value for name, value in zip(names, row) if name.startswith(_M)}
            if record.pop("n_rows", 1) == 0 and not self._counts_none(source):
                continue
            found[tuple(tuple(v) if isinstance(v, list) else v for v in row[: len(dims)])] = record
        return found

    def _counts_none(self, source: str) -> bool:
        """Whether no rows mean a count of 0, rather than a player who did not take part."""
        return source not in ("bat", "bowl") or any(f.key in ("score", "haul", "dismissal") for f in self.query.filters)

    def _relation(self, source: str, measures: list[str]) -> tuple[str, list[str], list[str]]:
        """SQL of the innings rows that pass the filters, its parameters, and the dimension columns."""
        spec = SOURCES[source]
        dims = [dimension_column(source, d) for d in self.query.by]
        conditions, after, parameters = [], [], []
        duel = self.query.filter({"bat": "bowler", "bowl": "batter"}.get(source, "")) is not None
        needed = set(dims) - {"pair"}
        for f in self.query.filters:
            over_rows = threshold(source, f)
            if over_rows == "":
                raise QueryError(f"{f} does not go with {measures[0]}")
            if over_rows:
                after.append(over_rows)
                continue
            keys = [k for v in f.values for k in self._keys(f, v)]
            column, sql, extra = condition(source, f, keys, duel)
            needed.add(column)
            conditions.append(sql)
            parameters += extra
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        columns = self.statistics.columns[spec.innings]
        if needed <= columns:
            both = " AND ".join(conditions + after)
            if "pair" in dims:
                pair = "list_value(least(batter1, batter2), greatest(batter1, batter2)) AS pair"
                return f"SELECT *, {pair} FROM {spec.innings}" + (f" WHERE {both}" if both else ""), parameters, dims
            return f"SELECT * FROM {spec.innings}" + (f" WHERE {both}" if both else ""), parameters, dims
        if not spec.balls or not needed <= self.statistics.columns[spec.balls]:
            missing = sorted(needed - columns - (self.statistics.columns[spec.balls] if spec.balls else set()))
            raise QueryError(f"{measures[0]} cannot be split by {', '.join(missing)}")
        whole = [m for m in measures if MEASURES[m].per_innings or m == "hat_tricks"]
        if whole:
            raise QueryError(f"{whole[0]} is a matter of whole innings: leave out overs, phase and kind of bowling")
        keep = list(dict.fromkeys(["match_id", "team", "innings", *([spec.subject] if spec.subject else []), *dims]))
        sums = ", ".join(f"sum({c}) AS {c}" for c in spec.sums)
        inner = f"SELECT {', '.join(keep)}, {sums} FROM {spec.balls}{where} GROUP BY {', '.join(keep)}"
        if after:
            inner = f"SELECT * FROM ({inner}) WHERE {' AND '.join(after)}"
        return inner, parameters, dims

    def _keys(self, f: Filter, value: str) -> tuple[str, ...]:
        return self.resolve(f.key, value) if FILTERS[f.key].takes in "PTVD" else (value,)

    def _standings(self, measures: list[Measure]) -> dict[Key, dict[str, Any]]:
        teams, others = None, set()
        for f in self.query.filters:
            named = {k for v in f.values for k in self._keys(f, v)}
            if f.key in ("team", "between"):
                teams, others = (teams, named) if f.op == "!=" else (named, others)
            elif f.key != "stage":
                raise QueryError(f"the league table cannot be filtered by {f.key}")
        rows = self.cursor.execute("SELECT team, points, net_run_rate, position FROM standings").fetchall()
        return {
            (team,): {"points": points, "net_run_rate": nrr, "position": place, "sort_points": -place}
            for team, points, nrr, place in rows
            if (teams is None or team in teams) and team not in others
        }

    def _facts(self, measures: list[Measure]) -> dict[Key, dict[str, Any]]:
        sql, parameters, _ = self._relation("match", [m.name for m in measures])
        rows = self.cursor.execute(
            f"SELECT DISTINCT m.* FROM matches m JOIN ({sql}) r ON r.match_id = m.match_id ORDER BY m.date, m.match_id",
            parameters,
        )
        names = [d[0] for d in rows.description]
        matches = [dict(zip(names, row)) for row in rows.fetchall()]
        return {(m["match_id"],): self._fact(m) for m in matches}

    def _fact(self, m: dict[str, Any]) -> dict[str, Any]:
        innings = self.cursor.execute(
            "SELECT batting_team, runs, wickets FROM innings WHERE match_id = ? ORDER BY innings", [m["match_id"]]
        ).fetchall()
        unit = {"runs": "run", "wickets": "wicket"}.get(m["result"], "")
        margin = f"{m['margin']} {unit}{'s' if m['margin'] != 1 else ''}" if m["margin"] else m["result"].replace("_", " ")
        if m["method"] and m["margin"]:
            margin += f" ({m['method']})"
        if m.get("super_over"):
            margin = "a super over"
        return {
            "winner": m["winner"] or "no winner",
            "margin": margin,
            "player_of_match": self._display(m["player_of_match"]) if m["player_of_match"] else None,
            "scores": ", ".join(f"{team} {_total(runs, wickets)}" for team, runs, wickets in innings),
            "date": m["date"],
            "venue": m["venue"],
            "toss": f"{m['toss_winner']}, who chose to {m['toss_decision']}",
        }

    # -- all sources -> the table

    def table(self) -> StatTable:
        query, asked = self.query, self.asked
        once = {"innings", "innings_bowled", "innings_played", "matches"} if "match" in query.by else set()
        shown = [n for m in asked for n in m.shows if n not in {*query.measures, *query.by, *once}]
        conditions = list(query.having) + self._qualification()
        wanted = list(dict.fromkeys([*query.measures, *shown, *(h.measure for h in conditions)]))
        merged: dict[Key, dict[str, Any]] = {}
        for source in dict.fromkeys(MEASURES[n].source for n in wanted):
            of_source = [MEASURES[n] for n in wanted if MEASURES[n].source == source]
            try:
                found = self._values(source, of_source)
            except QueryError:
                if any(m.name in query.measures for m in of_source):
                    raise
                continue
            for key, record in found.items():
                if source == asked[0].source or key in merged or source in {m.source for m in asked}:
                    merged.setdefault(key, {}).update(record)
        self._fill_zeros(merged, wanted)
        rows = [(k, r) for k, r in merged.items() if all(_holds(r.get(h.measure), h) for h in conditions)]
        rows = [(k, r) for k, r in rows if any(r.get(m.name) is not None for m in asked) or not query.by]
        rows, tied = self._ranked(rows)
        columns = self._columns_of(rows, list(dict.fromkeys(shown)))
        default = conditions[len(query.having) :]
        return StatTable(
            query,
            columns,
            tuple(self._row(columns, key, record) for key, record in rows),
            qualification=f"at least {default[0].value:g} {MEASURES[default[0].measure].label}" if default else None,
            totals=self._totals(rows),
            more_tied=tied,
        )

    def _qualification(self) -> list[Having]:
        """A leaderboard of a rate needs a minimum; the field's custom where the question gives none."""
        q, first = self.query, self.asked[0]
        subject = SOURCES[first.source].subject
        ranked = {dimension_column(first.source, d) for d in q.by}
        named = any(f.key in PLAYER_KEYS and f.op == "=" and f.key in q.by for f in q.filters)
        if not (q.rank and first.least and subject in ranked and "match" not in q.by and not q.having) or named:
            return []
        one_match = any(f.key in ("date", "match") or (f.key == "stage" and f.values[0] not in ("league", "playoffs"))
                        for f in q.filters)  # fmt: skip
        if one_match:
            return []
        measure, season_long, narrowed = first.least
        return [Having(measure, ">=", narrowed if [f for f in q.filters if f.op == "="] else season_long)]

    def _fill_zeros(self, merged: dict[Key, dict[str, Any]], wanted: list[str]) -> None:
        """Counts of two sources meet in one row: a batter who took no catch has 0 of them."""
        for record in merged.values():
            for name in wanted:
                if name not in record and MEASURES[name].kind == "count":
                    record[name] = 0

    def _ranked(self, rows: list[tuple[Key, dict[str, Any]]]) -> tuple[list[tuple[Key, dict[str, Any]]], bool]:
        rank, first = self.query.rank, self.asked[0]
        if first.kind == "fact" or (rank and rank.kind in ("first", "last")):
            place = self.query.by.index("match")
            rows = sorted(rows, key=lambda kr: self.statistics.matches[kr[0][place]].order, reverse=bool(rank and rank.kind == "last"))
            return (rows[: rank.n] if rank else rows), False

        def value(record: dict[str, Any]) -> Any:
            return record.get(f"sort_{first.name}", record.get(first.name))

        rank_or_default = rank or (Rank("top", 10**9) if self.query.by and not _ordered(self.query.by) else None)
        if rank_or_default is None:
            return sorted(rows, key=lambda kr: tuple(map(str_or_number, kr[0]))), False
        rows = [(k, r) for k, r in rows if value(r) is not None]
        if rank and rank.kind == "top" and first.kind == "count":
            rows = [(k, r) for k, r in rows if value(r)]  # nobody leads with none
        tie_break = [m.name for m in self.asked[1:]]
        rows.sort(key=lambda kr: [-(kr[1].get(t) or 0) if not isinstance(kr[1].get(t), str) else 0 for t in tie_break])
        rows.sort(key=lambda kr: value(kr[1]), reverse=rank_or_default.kind == "top")
        if len(rows) <= rank_or_default.n:
            return rows, False
        last = value(rows[rank_or_default.n - 1][1])
        kept = [kr for i, kr in enumerate(rows) if i < rank_or_default.n or value(kr[1]) == last]
        return kept, len(kept) > rank_or_default.n

    def _totals(self, rows: list[tuple[Key, dict[str, Any]]]) -> dict[str, float]:
        if not self.query.by or self.query.rank or not 1 < len(rows):
            return {}
        return {m.name: sum(r.get(m.name) or 0 for _, r in rows) for m in self.asked if m.additive}

    def _columns_of(self, rows: list, shown: list[str]) -> tuple[Column, ...]:
        columns = []
        for d in self.query.by:
            if d == "match":
                facts = {m.name for m in self.asked}
                columns += [Column("match", "match", "dimension")]
                columns += [Column("on", "date", "dimension")] if "date" not in facts else []
                columns += [Column("ground", "ground", "dimension")] if "venue" not in facts else []
            else:
                columns.append(Column(d, d, "dimension"))
        columns += [Column(m.name, m.label, "asked", m.decimals) for m in self.asked]
        columns += [Column(n, MEASURES[n].label, "shown", MEASURES[n].decimals) for n in shown
                    if any(r.get(n) is not None for _, r in rows)]  # fmt: skip
        columns += [Column(f"at_{m.name}", "where", "at") for m in self.asked
                    if any(r.get(f"at_{m.name}") for _, r in rows)]  # fmt: skip
        return tuple(columns)

    def _row(self, columns: tuple[Column, ...], key: Key, record: dict[str, Any]) -> tuple[Any, ...]:
        dims = dict(zip(self.query.by, key))
        return tuple(self._cell(c, dims, record) for c in columns)

    def _cell(self, column: Column, dims: dict[str, Any], record: dict[str, Any]) -> Any:
        name = column.name
        if name in ("match", "on", "ground"):
            match = self.statistics.matches[dims["match"]]
            return {"match": match.title, "on": match.date, "ground": match.venue}[name]
        if column.role == "at":
            at = record.get(name)
            return self._where(*at) if at else None
        if column.role == "dimension":
            value = dims[name]
            if name == "pair":
                return " and ".join(self._display(p) for p in value)
            return self._display(value) if name in PLAYER_KEYS else value
        value = record.get(name)
        if value is None:
            return 0 if column.role == "asked" and name in MEASURES and MEASURES[name].kind == "count" else None
        return _BEST[name](value) if name in _BEST else _number(value, column.decimals)

    def _display(self, player: str) -> str:
        return self.statistics.displays.get(player, player)

    def _where(self, match_id: int, team: str) -> str:
        """'v Delhi Capitals, 24 April 2024' for the side `team`."""
        match = self.statistics.matches[match_id]
        return f"v {match.team2 if match.team1 == team else match.team1}, {show(match.date)}"


def _ordered(by: tuple[str, ...]) -> bool:
    """Dimensions with an order of their own, in which people expect the rows."""
    return bool(set(by) & {"over", "phase", "position", "innings", "wicket", "match"})


def str_or_number(value: Any) -> tuple[int, Any]:
    phases = {"powerplay": 0, "middle": 1, "death": 2}
    if value in phases:
        return (0, phases[value])
    return (1, value) if isinstance(value, (int, float)) else (2, str(value))


def _holds(value: Any, h: Having) -> bool:
    if value is None:
        return False
    value = _COMPARED[h.measure](value) if h.measure in _COMPARED else value
    return {">=": value >= h.value, "<=": value <= h.value, "=": value == h.value,
            ">": value > h.value, "<": value < h.value}[h.op]  # fmt: skip


def _number(value: Any, decimals: int) -> Any:
    if isinstance(value, (bool, str, date)):
        return value
    return round(float(value), max(decimals, 2)) if decimals else (int(value) if value == int(value) else float(value))


def _total(runs: int, wickets: int) -> str:
    return f"{runs}" if wickets >= 10 else f"{runs}/{wickets}"


def _packed_total(value: float) -> str:
    runs = -(-int(value) // 100)
    return _total(runs, runs * 100 - int(value))


def _figures(value: float) -> str:
    wickets = -(-int(value) // 1000)
    return f"{wickets}/{wickets * 1000 - int(value)}"


def _star(value: float) -> str:
    return f"{int(value)}{'*' if value != int(value) else ''}"


_BEST: dict[str, Callable[[Any], Any]] = {
    "highest_score": _star,
    "partnership": _star,
    "best_figures": _figures,
    "highest_total": _packed_total,
    "lowest_total": _packed_total,
    "overs_bowled": lambda v: f"{round(v * 6) // 6}" + (f".{round(v * 6) % 6}" if round(v * 6) % 6 else ""),
}
_COMPARED: dict[str, Callable[[Any], float]] = {
    "highest_score": int,
    "partnership": int,
    "best_figures": lambda v: -(-int(v) // 1000),
    "highest_total": lambda v: -(-int(v) // 100),
    "lowest_total": lambda v: -(-int(v) // 100),
}
