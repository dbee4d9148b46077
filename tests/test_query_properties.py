"""Random query lines: the engine and the plain-Python reference of tests/support give the same tables."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from functools import cache
from typing import Any

import pytest

from data.query import Query, QueryError, Statistics, StatTable, parse
from data.query.completion import counted
from data.query.language import MEASURES
from data.query.random_lines import random_query
from data.query.table import show
from tests.support.cricsheet_files import ZIPS, season_of
from tests.support.reference_engine import Reference, holds
from tests.support.reference_order import events, reached, streaks

LINES = int(os.environ.get("PROPERTY_LINES", "60"))  # a season; raise it for a longer search
SEED = int(os.environ.get("PROPERTY_SEED", "2024"))
_OTHERS = sorted(path.name.removeprefix("ipl_").removesuffix("_json.zip") for path in ZIPS)
OTHERS = random.Random(SEED).sample([s for s in _OTHERS if s != "2024"], 2) if len(_OTHERS) > 2 else ["2011", "2019"]
# values of these may be unknown, and rows without them are left out: such rows need not sum to the whole
SOME_UNKNOWN = {"bowler", "fielder", "bowling", "kind", "hand", "home", "dismissal"}


@cache
def both(season: str) -> tuple[Statistics, Reference]:
    loaded = season_of(season)
    return Statistics(loaded), Reference(loaded)


def cell(reference: Reference, measure: str, value: Any) -> Any:
    """The reference's value as the engine's table writes it."""
    if value is None:
        return 0 if MEASURES[measure].kind == "count" else None
    if MEASURES[measure].parts:
        return value
    if measure in ("highest_score", "partnership"):
        return f"{value[0]}*" if value[1] else f"{value[0]}"
    if measure == "best_figures":
        return f"{value[0]}/{-value[1]}"
    if measure in ("highest_total", "lowest_total"):
        return f"{value[0]}" if value[1] <= -10 else f"{value[0]}/{-value[1]}"
    if measure == "overs_bowled":
        balls = round(value * 6)
        return f"{balls // 6}.{balls % 6}" if balls % 6 else f"{balls // 6}"
    return value


def shown_key(reference: Reference, by: list[str], key: tuple[Any, ...], columns: list[str]) -> tuple[Any, ...]:
    found = []
    for dimension, value in zip(by, key, strict=True):
        if dimension == "match":
            m = reference.matches[value]
            stage = "" if m["stage"] == "league" else f" ({m['stage'].replace('_', ' ')})"
            facts = {"match": f"{m['team1']} v {m['team2']}{stage}", "on": m["date"], "ground": m["venue"]}
            found += [facts[c] for c in ("match", "on", "ground") if c in columns]
        elif dimension == "pair":
            found.append(frozenset(reference.players[p]["display"] for p in value))
        elif dimension in ("batter", "bowler", "fielder", "player"):
            found.append(reference.players[value]["display"])
        else:
            found.append(value)
    return tuple(found)


def engine_key(table: StatTable, row: tuple[Any, ...]) -> tuple[Any, ...]:
    values = [(c.name, v) for c, v in zip(table.columns, row, strict=True) if c.role == "dimension"]
    return tuple(frozenset(v.split(" and ")) if name == "pair" else v for name, v in values)


def same(a: Any, b: Any, decimals: int) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= 0.5 * 10.0 ** -(decimals or 2) + 1e-9
    return a == b


def compare(statistics: Statistics, reference: Reference, query: Query) -> None:
    kind = MEASURES[query.measures[0]].kind
    if kind == "event":
        return compare_events(statistics, reference, query)
    if kind == "streak":
        return compare_streaks(statistics, reference, query)
    if kind == "number":
        return compare_counts(statistics, reference, query)
    if query.reach is not None:
        return compare_reached(statistics, reference, query)
    return compare_figures(statistics, reference, query)


def named(table: StatTable) -> list[dict[str, Any]]:
    """The rows by column name; the asked column of a name goes before one that is shown."""
    order = sorted(range(len(table.columns)), key=lambda i: table.columns[i].role == "asked")
    return [{table.columns[i].name: row[i] for i in order} for row in table.rows]


def compare_events(statistics: Statistics, reference: Reference, query: Query) -> None:
    rows = named(statistics.answer(query))
    theirs = events(reference, query)
    assert len(rows) == min(len(theirs), 500 if query.rank is None else len(theirs))
    for row, (batter, bowler, match, innings, ball, how, score) in zip(rows, theirs, strict=False):
        m = reference.matches[match]
        assert (row["batter"], row["bowler"], row["on"], row["innings"]) == (batter, bowler, m["date"], innings)
        assert row[query.measures[0]] == ball
        if query.measures[0] == "wicket_fall":
            assert (row["dismissal"], row["score"]) == (how, score)


def compare_streaks(statistics: Statistics, reference: Reference, query: Query) -> None:
    table = statistics.answer(query)
    by, rank, asked = list(table.query.by), query.rank, query.measures[0]

    def told(item: dict[str, Any]) -> dict[str, Any]:
        lengths = {"streak": len(item["streak"]), "current_streak": len(item["current"])}
        shown = item["streak"] if "streak" in query.measures else item["current"]
        if rank and rank.kind in ("first", "last"):
            shown = item["streak"]
        ends = [where(reference, r["match"], r["team"]) for r in (shown[:1] + shown[-1:])] or [None, None]
        return lengths | {"key": shown_key(reference, by, item["key"], []), "ends": ends, "shown": shown,
                          "on": bool(item["streak"]) and item["streak"] == item["current"]}  # fmt: skip

    theirs = [told(item) for item in streaks(reference, query)]
    theirs = [t for t in theirs if None not in t["key"]]
    if rank and rank.kind in ("first", "last"):
        theirs.sort(key=lambda t: t["shown"][0]["order"], reverse=rank.kind == "last")
        orders = [t["shown"][0]["order"] for t in theirs]
        assert len(table.rows) == min(1 if rank.nth else rank.n, max(0, len(theirs) - (rank.n - 1 if rank.nth else 0)))
        begun = [str(row["at_first"]).split(", ")[-1] for row in named(table)]
        cut = orders[rank.n - 1 : rank.n] if rank.nth else orders[: rank.n]
        days = [show(m["date"]) for n in cut for m in list(reference.matches.values())[n : n + 1]]
        assert begun == days
    elif rank:
        values = sorted((t[asked] for t in theirs if rank.kind == "bottom" or t[asked]), reverse=rank.kind == "top")
        last = values[rank.n - 1] if len(values) >= rank.n else None
        wanted = values if last is None else [v for v in values if (v >= last if rank.kind == "top" else v <= last)]
        if rank.nth:
            wanted = [v for v in values if v == last] if last is not None else []
        assert [row[asked] for row in named(table)] == wanted
    else:
        assert len(table.rows) == len(theirs)
    for row in named(table):
        key = tuple(row[d] for d in by)
        alike = [t for t in theirs if t["key"] == key]
        ends = [row["at_first"], row["at_last"]]
        assert any(all(row[m] == t[m] for m in query.measures) and ends == t["ends"]
                   and row.get("still_on", "yes" if t["on"] else "no") == ("yes" if t["on"] else "no")
                   for t in alike), (row, alike)  # fmt: skip


def compare_counts(statistics: Statistics, reference: Reference, query: Query) -> None:
    inner = counted(query)
    years = reference.seasons(inner)
    by, asked = reference.completed(inner, years)
    rows = reference.records(inner, by, asked, years)
    if not query.having:
        rows = {key: row for key, row in rows.items() if row[asked[0]]}
    (row,) = named(statistics.answer(query))
    assert row["count"] == len(rows)
    if "who" in row and tuple(by) in (("batter",), ("bowler",), ("player",)):
        assert Counter(row["who"].split(", ")) == Counter(reference.players[key[0]]["display"] for key in rows)


def compare_reached(statistics: Statistics, reference: Reference, query: Query) -> None:
    table, rank = statistics.answer(query), query.rank
    theirs = reached(reference, query)
    by = list(table.query.by)
    cut = theirs if rank is None else theirs[rank.n - 1 : rank.n] if rank.nth else theirs[: rank.n]
    assert len(table.rows) == len(cut), (len(table.rows), len(cut))
    counts = {"bat": "innings", "bowl": "innings_bowled", "team": "innings_played"}
    took = counts.get(MEASURES[query.measures[0]].source, "matches")
    for row, item in zip(named(table), cut, strict=True):
        alike = [t for t in theirs if t["time"] == item["time"]]
        own = {(tuple(shown_key(reference, by, t["key"], [])), t["count"], t["over"]) for t in alike}
        key = tuple(frozenset(row[d].split(" and ")) if d == "pair" else row[d] for d in by)
        assert (key, row[query.measures[0]], row.get("over")) in own, (row, own)
        if took in row and took != query.measures[0] and len(alike) == 1:
            assert row[took] == item["took"]
        if len(alike) == 1:
            match = list(reference.matches)[item["order"]]
            assert row[f"at_{query.measures[0]}"] == where(reference, match, item["team"])


def compare_figures(statistics: Statistics, reference: Reference, query: Query) -> None:
    table = statistics.answer(query)
    expected = reference.answer(query)
    by, asked = reference.completed(query, reference.seasons(query))
    assert table.query.by == tuple(by) and table.query.measures == tuple(asked)
    items, n = expected["items"], expected["n"]
    columns = [c.name for c in table.columns]
    places = {
        name: next(i for i, c in enumerate(table.columns) if c.name == name and c.role == "asked") for name in asked
    }
    ours = [(engine_key(table, row), tuple(row[places[m]] for m in asked)) for row in table.rows]
    theirs = [(shown_key(reference, by, key, columns), tuple(cell(reference, m, record[m]) for m in asked))
              for key, record in items]  # fmt: skip
    if query.place is not None:
        told = [tuple(row.get(k, 0) for k in ("place", "of", "shared")) for row in named(table)]
        assert sorted(told) == sorted((r["place"], r["of"], r["shared"]) for _, r in items)
    cut = theirs[:n] if n else theirs
    assert len(ours) == len(cut), (len(ours), len(cut), ours[:3], cut[:3])
    if n and len(theirs) > n or "before" in expected:  # some rows of one match may stand in any order: any of them
        everybody = theirs + [(shown_key(reference, by, key, columns), tuple(cell(reference, m, r[m]) for m in asked))
                              for key, r in expected.get("before", ())]  # fmt: skip
        assert [reference_day(k) for k, _ in ours] == [reference_day(k) for k, _ in cut]
        for key, values in ours:
            alike = [v for k, v in everybody if k == key]
            assert any(all(same(a, b, MEASURES[m].decimals) for m, a, b in zip(asked, values, v, strict=True))
                       for v in alike), (key, values)  # fmt: skip
        return
    elif expected.get("by_match"):
        assert [reference_day(k) for k, _ in ours] == [reference_day(k) for k, _ in cut]
    elif not expected.get("unordered"):
        first = MEASURES[asked[0]]
        for mine, other in zip(ours, cut, strict=True):
            assert same(mine[1][0], other[1][0], first.decimals), (mine, other)
    pairs = zip(sorted(ours, key=repr_key), sorted(cut, key=repr_key), strict=True)
    for (key, values), (other_key, others) in pairs:
        assert key == other_key
        for m, a, b in zip(asked, values, others, strict=True):
            assert same(a, b, MEASURES[m].decimals), (key, m, a, b)
    if query.place is None:
        check_totals(table, reference, query, by)
        check_best_places(table, reference, query, by)


def reference_day(key: tuple[Any, ...]) -> list[Any]:
    return [v for v in key if hasattr(v, "isoformat")]


def repr_key(row: tuple[tuple[Any, ...], Any]) -> str:
    parts = [sorted(v) if isinstance(v, frozenset) else v for v in row[0]]
    return repr((parts, [round(v, 1) if isinstance(v, float) else v for v in row[1]]))


def check_totals(table: StatTable, reference: Reference, query: Query, by: list[str]) -> None:
    for name, total in table.totals.items():
        at = next(i for i, c in enumerate(table.columns) if c.name == name and c.role == "asked")
        assert total == sum(row[at] for row in table.rows)
        thresholds = any(query.filter(k) for k in ("score", "haul", "stand"))  # within an over, if split by overs
        one_source = len({MEASURES[m].source for m in query.measures}) == 1 and MEASURES[name].source != "table"
        if one_source and not query.having and not thresholds and not set(by) & SOME_UNKNOWN:
            whole = reference.figures(name, MEASURES[name].source, query, [], reference.seasons(query))
            assert total == (whole.get(()) or 0), name


def check_best_places(table: StatTable, reference: Reference, query: Query, by: list[str]) -> None:
    """Where a best figure was made is a match in which it was made (ties: any of them)."""
    for column, place in ((c, i) for i, c in enumerate(table.columns) if c.role == "at"):
        name = column.name.removeprefix("at_")
        years = reference.seasons(query)
        figures = reference.figures(name, MEASURES[name].source, query, [*by, "match", "team"], years)
        at = next(i for i, c in enumerate(table.columns) if c.name == name and c.role == "asked")
        made = {(shown_key(reference, by, key[:-2], []), cell(reference, name, value), where(reference, *key[-2:]))
                for key, value in figures.items()}  # fmt: skip
        for row in table.rows:
            if row[at] is not None:
                told = re.sub(r"^(?:off|to) .*?, (?=v )|, innings \d, over \d+$", "", row[place])
                assert (engine_key(table, row), row[at], told) in made


def where(reference: Reference, match_id: int, team: str) -> str:
    m = reference.matches[match_id]
    return f"v {m['team2'] if team == m['team1'] else m['team1']}, {show(m['date'])}"


def run(season: str, lines: int, seed: int) -> Counter:
    statistics, reference = both(season)
    rng, seen = random.Random(seed), Counter()
    while seen["compared"] < lines:
        query = random_query(rng, statistics)
        try:
            statistics.answer(query)
        except QueryError as error:
            seen["refused"] += 1
            assert len(str(error)) > 15
            continue
        try:
            compare(statistics, reference, query)
        except AssertionError as error:
            raise AssertionError(f"{season}: {query}\n{error}") from error
        seen["compared"] += 1
    return seen


@pytest.mark.parametrize("part", range(3))
def test_random_lines_over_2024_are_what_plain_python_counts(part):
    seen = run("2024", LINES, SEED + part)
    assert seen["refused"] < LINES / 2  # most of what is drawn can be answered


@pytest.mark.parametrize("season", OTHERS)
def test_random_lines_over_other_seasons_are_what_plain_python_counts(season):
    run(season, LINES, SEED)


@pytest.mark.parametrize("season", ["2024", *OTHERS])
def test_every_measure_is_what_plain_python_counts(season):
    """Each measure over the whole season, and by each dimension that it can be split by."""
    statistics, reference = both(season)
    rng = random.Random(SEED)
    for name, measure in MEASURES.items():
        splits = rng.sample(["venue", "team", "opponent", "innings", "batter", "bowler", "player", "phase", "toss"], 2)
        for by in ((), *((d,) for d in splits)):
            query = Query((name,), by)
            try:
                statistics.answer(query)
            except QueryError:
                assert by, f"{name} alone is refused"
                continue
            compare(statistics, reference, query)
        assert measure.kind == "fact" or MEASURES[name].source == "table" or statistics.answer(Query((name,))).rows


@pytest.mark.parametrize("seed", range(2))
def test_the_deliveries_of_a_trace_add_up_to_the_figure(seed):
    statistics, _ = both("2024")
    rng, done = random.Random(seed), 0
    counted = {"sixes": "six", "fours": "four", "wickets": "wicket", "sixes_conceded": "six", "fours_conceded": "four"}
    flags = {(m, i, o, b): row for m, i, o, b, *row in statistics.season.connection.cursor().execute(
        "SELECT match_id, innings, over, ball, six, four, wicket FROM deliveries").fetchall()}  # fmt: skip
    while done < 15:
        query = random_query(rng, statistics)
        names = [m for m in query.measures if m in counted]
        if len(query.measures) != 1 or not names or (query.rank and query.rank.kind in ("first", "last")):
            continue
        try:
            table, traced = statistics.answer(query), statistics.trace(query)
        except QueryError:
            continue
        at = next(i for i, c in enumerate(table.columns) if c.role == "asked")
        place = ("six", "four", "wicket").index(counted[names[0]])
        assert sum(row[at] for row in table.rows) == len(traced.deliveries), str(query)
        for d in traced.deliveries:
            assert flags[d.match.match_id, d.innings, d.over, d.ball][place], (str(query), str(d))
        assert {d.match.match_id for d in traced.deliveries} == {m.match_id for m in traced.matches}
        done += 1


def test_the_comparison_notices_a_wrong_figure():
    statistics, reference = both("2024")
    query = parse("sixes by batter | top 3").queries[0]
    compare(statistics, reference, query)
    card = max(reference.cards["bat"], key=lambda c: c["sixes"])
    card["sixes"] += 1
    try:
        with pytest.raises(AssertionError):
            compare(statistics, reference, parse("sixes by venue").queries[0])
    finally:
        card["sixes"] -= 1


def test_the_reference_compares_as_the_language_says():
    assert holds(3, ">=", 3) and holds(3, "=", 3.0) and not holds(None, "<", 5) and not holds(2, ">", 2)
