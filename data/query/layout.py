"""The table of a computed query: which columns it has, and what stands in its cells."""

from __future__ import annotations

from typing import Any

from data.query import reach, streaks
from data.query.book import SeasonBook
from data.query.events import events
from data.query.execution import QueryExecution
from data.query.language import MEASURES, NAMED
from data.query.match import Match
from data.query.ranking import Key, Record, Row
from data.query.relation import run_role
from data.query.shares import whole_column, whole_label
from data.query.sources import PLAYER_KEYS
from data.query.table import Column, StatTable, cell, show

MOST_NAMES = 30  # that stand beside a count
MOST_TOLD = 60  # overs and runs of balls whose other men are looked up


def table(run: QueryExecution) -> StatTable:
    kind = run.asked[0].kind
    return _list(run) if kind == "event" else _number(run) if kind == "number" else _figures(run)


# -- figures by dimension


def _figures(run: QueryExecution) -> StatTable:
    rows, tied = run.ranked()
    told = _told(run, rows)
    columns = _columns(run, rows, told)
    least = run.qualification()
    qualification = f"at least {least[0].value:g} {MEASURES[least[0].measure].label}" if least else None
    cells = tuple(
        tuple(told[i] if c.name == "facing" and told else _cell(run, c, key, record) for c in columns)
        for i, (key, record) in enumerate(rows)
    )
    return StatTable(run.query, columns, cells, qualification, _totals(run, rows), tied)


def _columns(run: QueryExecution, rows: list[Row], told: list[str] | None) -> tuple[Column, ...]:
    query, asked, columns = run.query, run.asked, []
    facts = {m.name for m in asked}
    for d in query.by:
        columns.append(Column(d, d, "dimension"))
        if d == "match":
            columns += [Column("on", "date", "dimension")] if "date" not in facts else []
            columns += [Column("ground", "ground", "dimension")] if "venue" not in facts else []
    if query.place is not None:
        columns.append(Column("place", "place", "asked"))
    columns += [Column(m.name, m.label, "asked", m.decimals) for m in asked]
    if query.place is not None:
        columns.append(Column("of", "of", "shown"))
        columns += [Column("shared", "others in the same place", "shown")] if any(r["shared"] for _, r in rows) else []
    if query.reach is not None:
        return (*columns, *reach.columns(asked[0]))
    if asked[0].kind == "streak":
        return (*columns, *streaks.columns("streak" not in query.measures))
    columns += [Column(n, MEASURES[n].label, "shown", MEASURES[n].decimals) for n in run.shown()
                if any(r.get(n) is not None for _, r in rows)]  # fmt: skip
    columns += [Column(whole_column(m.parts), whole_label(m.parts), "shown") for m in asked
                if m.parts and m.parts.of_whole and not run.bare]  # fmt: skip
    if told is not None:
        columns.append(Column("facing", "to" if asked[0].source == "over" else "off", "shown"))
    columns += [Column(f"at_{m.name}", "where", "at") for m in asked
                if any(r.get(f"at_{m.name}") for _, r in rows)]  # fmt: skip
    return tuple(columns)


def _totals(run: QueryExecution, rows: list[Row]) -> dict[str, float]:
    query = run.query
    if not query.by or query.rank or query.place is not None or not 1 < len(rows) or run.drops_rows:
        return {}
    return {m.name: sum(r.get(m.name) or 0 for _, r in rows) for m in run.asked if run.adds_up(m)}


def _cell(run: QueryExecution, column: Column, key: Key, record: Record) -> Any:
    name = column.name
    if column.role == "at":
        return _where(run, record[name]) if record.get(name) else None
    if column.role == "dimension":
        return _dimension_cell(run.book, name, dict(zip(run.query.by, key, strict=False)))
    value = record.get(name)
    if value is None:
        count = name in MEASURES and MEASURES[name].kind == "count"
        return 0 if column.role == "asked" and count else None
    return cell(name, value, column.decimals)


def _dimension_cell(book: SeasonBook, name: str, dims: dict[str, Any]) -> Any:
    if name in ("match", "on", "ground"):
        match = book.matches[dims["match"]]
        return {"match": match.title, "on": match.date, "ground": match.venue}[name]
    if name == "pair":
        return " and ".join(map(book.display, dims[name]))
    return book.display(dims[name]) if name in PLAYER_KEYS else dims[name]


def _where(run: QueryExecution, place: tuple[Any, ...]) -> str:
    """'v Delhi Capitals, 24 April 2024' for the side whose view it is; with the over, or who was at the other end of a
    row of balls."""
    match_id, team, *rest = place
    text = where(run.book.matches[match_id], team)
    if len(rest) == 2:  # an over
        return f"{text}, innings {rest[0]}, over {rest[1]}"
    if len(rest) == 4:  # a row of balls
        return f"{_others(run, match_id, *rest)}, {text}"
    return text


def where(match: Match, team: str) -> str:
    return f"v {match.other(team)}, {show(match.date)}"


def _others(run: QueryExecution, match_id: int, innings: int, first: int, last: int, player: str) -> str:
    """'off Mayank Markande' or 'to A and B': who bowled the balls that a batter hit, who faced those of a bowler."""
    one, other, word = ("batter", "bowler", "off") if run_role(run.query) == "batter" else ("bowler", "batter", "to")
    run.cursor.execute(
        f"SELECT {other} FROM deliveries WHERE match_id = ? AND innings = ? AND seq BETWEEN ? AND ? AND {one} = ? "
        "ORDER BY seq", [match_id, innings, first, last, player]
    )  # fmt: skip
    return f"{word} {_names(run.book, [name for (name,) in run.cursor.fetchall()])}"


def _names(book: SeasonBook, players: list[str]) -> str:
    names = [book.display(p) for p in dict.fromkeys(players)]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else ""


def _told(run: QueryExecution, rows: list[Row]) -> list[str] | None:
    """Of rows that are overs, who batted in each, or who bowled it."""
    query, source = run.query, run.asked[0].source
    if source not in ("over", "batter_over") or not {"match", "innings", "over"} <= set(query.by) or not rows:
        return None
    at = [query.by.index(d) for d in ("match", "innings", "over")]
    if len(rows) > MOST_TOLD:
        return None
    column = "batter" if source == "over" else "bowler"
    sql = f"SELECT {column} FROM deliveries WHERE match_id = ? AND innings = ? AND over = ? ORDER BY seq"
    found: list[str] = []
    for key, _ in rows:
        run.cursor.execute(sql, [key[i] for i in at])
        found.append(_names(run.book, [player for (player,) in run.cursor.fetchall()]))
    return found


# -- events, and numbers of rows


def _list(run: QueryExecution) -> StatTable:
    found = events(run.request, run.book, run.cursor)
    cells = tuple(tuple(record.get(c.name) for c in found.columns) for record in found.records)
    return StatTable(run.query, found.columns, cells,
                     f"the first {len(cells)} of more" if found.more else None)  # fmt: skip


def _number(run: QueryExecution) -> StatTable:
    """How many rows the question has, and their names while they are few."""
    inner = run.counted()
    rows = _with_any(inner, inner.ranked()[0])
    named = all(d in NAMED or d in ("city", "season", "pair", "match") for d in run.query.by)
    columns = [Column("count", _plural(run.query.by), "asked")]
    cells: list[Any] = [len(rows)]
    if named and 0 < len(rows) <= MOST_NAMES:
        columns.append(Column("who", "namely", "shown"))
        keys = (dict(zip(inner.query.by, key, strict=False)) for key, _ in rows)
        names = (" ".join(str(_dimension_cell(run.book, d, dims)) for d in run.query.by) for dims in keys)
        cells.append(", ".join(names))
    return StatTable(run.query, tuple(columns), (tuple(cells),))


def _with_any(inner: QueryExecution, rows: list[Row]) -> list[Row]:
    """Without those who have none of what is counted, where nothing else is asked."""
    if inner.query.having:
        return rows
    name = inner.query.measures[0]
    return [(key, record) for key, record in rows if record.get(name)]


_PLURALS = {"city": "cities", "match": "matches", "innings": "innings", "dismissal": "kinds of dismissal",
            "kind": "kinds of bowling", "bowling": "kinds of bowling", "hand": "hands", "venue": "grounds"}  # fmt: skip


def _plural(by: tuple[str, ...]) -> str:
    return " and ".join(_PLURALS.get(d, f"{d}s") for d in by)
