"""The reference for what follows the order of play: streaks, who reaches a number first, single events.

Plain loops over the rows of tests/support/reference_engine.py, independent of the engine's SQL.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from data.query.language import MEASURES
from data.query.query import Query
from tests.support.reference_engine import Key, Reference
from tests.support.reference_figures import FIGURES
from tests.support.reference_rows import Row


def events(reference: Reference, query: Query) -> list[tuple[Any, ...]]:
    """(batter, bowler, match, innings, over.ball, how, score) of every event, as ranked, cut to the rank."""
    measure = MEASURES[query.measures[0]]
    years = reference.seasons(query)
    found = []
    for e in _balls(reference, measure.source, query, years):
        if _happened(measure.name, e):
            found.append(e)
    found.sort(key=lambda e: (e["order"], e["innings"], e["seq"]))
    rank = query.rank
    if rank and rank.kind == "last":
        found.reverse()
    if rank:
        found = found[rank.n - 1 : rank.n] if rank.nth else found[: rank.n]

    def name(player: str | None) -> str | None:
        return player and reference.players[player]["display"]

    return [(name(e["batter"]), name(e["bowler"]), e["match"], e["innings"], f"{e['over'] - 1}.{e['legal_no']}",
             e["dismissal"] and e["dismissal"].replace("_", " "), e.get("score")) for e in found]  # fmt: skip


def _balls(reference: Reference, source: str, query: Query, years: list[int]) -> list[Row]:
    tests = [reference.sequence(source, f, query, [], years) for f in query.filters
             if f.key in ("nth_match", "last_matches", "nth_innings", "last_innings")]  # fmt: skip
    elsewhere = ("season", "nth_match", "last_matches", "nth_innings", "last_innings", "score", "haul", "stand")
    filters = [f for f in query.filters if f.key not in elsewhere]
    return [e for e in reference.balls[source] if e["season"] in years
            and all(reference.passes(source, f, e, query, []) for f in filters)
            and all(test(e) for test in tests)]  # fmt: skip


def _happened(name: str, e: Row) -> bool:
    if name == "ball_bowled":
        return True
    after = e["made"] + e["runs"]
    return {
        "six_hit": e["sixes"] == 1, "four_hit": e["fours"] == 1, "wicket_fall": e.get("outs") == 1,
        "fifty_made": e["made"] < 50 <= after, "hundred_made": e["made"] < 100 <= after,
        "winning_hit": not e.get("outs") and e["last_ball"] and e["result"] == "won" and e["won_by"] == "wickets",
    }[name]  # fmt: skip


def streaks(reference: Reference, query: Query) -> list[dict[str, Any]]:
    """For each subject in the order of its first row: key, longest and current streak with their matches."""
    subject = _subject(query)
    source = {"batter": "bat", "bowler": "bowl"}.get(subject, "result")
    years = reference.seasons(query)
    by, _ = reference.completed(query, years)
    rows = reference.rows(source, query, by, years, each=False)
    dims = [reference.column(source, d) for d in by]
    tests = [reference.each_test(source, h, query, dims) for h in query.each]
    rows.sort(key=lambda r: (r["order"], r["innings"] or 0))
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[d] for d in dims)].append(row)
    found = []
    for key, own in groups.items():
        runs: list[list[Row]] = []
        before = False
        for row in own:
            good = all(test(row) for test in tests)
            if good:
                runs = [*runs[:-1], [*runs[-1], row]] if before else [*runs, [row]]
            before = good
        current = runs[-1] if before else []
        if query.rank and query.rank.kind in ("first", "last"):
            found += [{"key": key, "streak": run, "current": current} for run in runs]
        else:
            longest = max(runs, key=len, default=[])
            found.append({"key": key, "streak": longest, "current": current})
    return found


def _subject(query: Query) -> str:
    known = ("batter", "bowler", "player", "team")
    found = next((d for d in query.by if d in known), None)
    found = found or next(f.key for f in query.filters if f.op == "=" and f.key in known)
    if found == "player":  # his innings, where they are about batting or bowling
        return {"bat": "batter", "bowl": "bowler"}.get(MEASURES[query.each[0].measure].source, "player")
    return found


def reached(reference: Reference, query: Query) -> list[dict[str, Any]]:
    """Everybody who reaches the number, in order: key, count then, innings so far, match, side, over.ball if known."""
    name = query.measures[0]
    measure = MEASURES[name]
    years = reference.seasons(query)
    by, _ = reference.completed(query, years)
    dims = [reference.column(measure.source, d) for d in by]
    groups: dict[Key, dict[tuple[Any, ...], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in reference.rows(measure.source, query, by, years):
        key = tuple(row[d] for d in dims)
        if None not in key:
            groups[key][row["order"], row["innings"] or 0, row["team"]].append(row)
    found = []
    for key, innings in groups.items():
        count = 0
        for n, (place, rows) in enumerate(sorted(innings.items()), 1):
            after = count + (FIGURES[name](rows) or 0)
            if count < query.reach <= after:
                item = {"key": key, "count": after, "took": n, "order": place[0], "team": place[2], "over": None,
                        "time": (place[0], place[1], 0, 0)}  # fmt: skip
                if measure.aggregate.how == "sum" and measure.source in reference.balls and not measure.per_innings:
                    item |= _ball(reference, query, name, dims, key, place, count, years)
                found.append(item)
                break
            count = after
    rank = query.rank
    found.sort(key=lambda item: item["time"], reverse=bool(rank and rank.kind == "last"))
    return found


def _ball(
    reference: Reference, query: Query, name: str, dims: list[str], key: Key, place: Key, count: int, years: list[int]
) -> dict[str, Any]:
    source = MEASURES[name].source
    for e in sorted(_balls(reference, source, query, years), key=lambda e: e["seq"]):
        if (e["order"], e["innings"], e["team"]) == place and tuple(e[d] for d in dims) == key:
            count += FIGURES[name]([e]) or 0
            if count >= query.reach:
                return {"count": count, "over": f"{e['over'] - 1}.{e['legal_no']}",
                        "time": (*place[:2], e["over"], e["seq"])}  # fmt: skip
    return {}
