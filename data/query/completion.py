"""What a query leaves unsaid: `complete(query, book)` fills it in, or says why the query makes no sense.

A summary becomes its figures, several named players a row each, facts a row a match, an over or a streak a row of its
own. `seasons_of` says which seasons are meant where the line does not: the latest, or those of its dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from data.query.book import SeasonBook
from data.query.conditions import day
from data.query.in_a_row import run_role
from data.query.language import FILTERS, MEASURES, Measure
from data.query.language.summaries import SHORTHANDS, SUMMARIES
from data.query.query import Filter, Query, QueryError, Rank
from data.query.sources import PLAYER_KEYS, SOURCES

Keys = Mapping[Filter, tuple[str, ...]]


def complete(query: Query, book: SeasonBook, keys: Keys, years: tuple[int, ...]) -> Query:
    """The query with everything that it leaves unsaid. Raises QueryError where its parts do not fit together."""
    query = _of_batters(_written_out(query, book, keys, years))
    query = replace(query, measures=tuple(dict.fromkeys(query.measures)), by=tuple(dict.fromkeys(query.by)))
    kinds = {MEASURES[m].kind for m in query.measures}
    for kind, check in _ALONE.items():
        if kind in kinds:
            if kinds != {kind}:
                raise QueryError(f"{listed_measures(query, kind)} stands alone: split the line with ` ; `")
            query = check(query)
    if query.reach is not None:
        query = _reach(query)
    if "number" in kinds:
        return query
    return _with_rows(query, [MEASURES[m] for m in query.measures], years)


def _of_batters(query: Query) -> Query:
    """Overs are a batter's where a condition on them is: `overs by batter | each over_sixes>=3`."""
    if "overs" not in query.measures or not any(MEASURES[h.measure].source == "batter_over" for h in query.each):
        return query
    return replace(query, measures=tuple("overs_batted" if m == "overs" else m for m in query.measures))


def listed_measures(query: Query, kind: str) -> str:
    return " and ".join(m for m in query.measures if MEASURES[m].kind == kind)


# -- rows


def _with_rows(query: Query, measures: list[Measure], years: tuple[int, ...]) -> Query:
    """With a row for each of several that are named, for each match, over, pair ... where one is meant."""
    by = list(query.by)
    sources = {m.source for m in measures}
    if query.place is not None and not by:
        by.append(_subject(measures[0].source))
    for f in query.filters:
        several = f.op == "=" and len(f.values) > 1 and f.key not in by
        if several and f.key in (*PLAYER_KEYS, "team", "season"):
            if not (f.key in PLAYER_KEYS and ("stand" in sources or set(by) & {"match", "pair"})):
                by.append(f.key)
    if any(m.source == "stand" and m.kind == "best" for m in measures) and not by:
        by = ["pair"]
    people = [d for d in by if d in PLAYER_KEYS]
    if len(people) > 1 and sources & {"person", "lineup", "match", "result", "award"}:  # they know of one player a row
        raise QueryError(f"{measures[0].name} has a row a player: leave out by {', '.join(people[1:])}")
    if {"person", "lineup"} & sources and not people:
        by.append("player")
    if "run" in sources and not by and not any(query.filter(k) for k in PLAYER_KEYS):
        by = [run_role(query)]
    overs = next((m for m in measures if m.source in ("over", "batter_over") and m.kind == "best"), None)
    if overs and not by:
        by = [str(SOURCES[overs.source].subject), "match", "innings", "over"]
    slowest = query.rank is not None and query.rank.kind == "top" and len(by) == 1
    if slowest and {"balls_to_fifty", "balls_to_hundred"} & {m.name for m in measures}:
        by.append("match")  # the slowest fifty of all, not the slowest of each one's fastest
    in_time = query.rank is not None and query.rank.kind in ("first", "last")
    one_row_each = query.reach is not None or {m.kind for m in measures} & {"event", "streak"} or "season" in by
    if "match" not in by and ({"match", "lineup"} & sources or (in_time and not one_row_each)):
        by.append("match")
    if query.rank is not None and by == [query.rank.per] != [_subject(measures[0].source)]:
        by.append(_subject(measures[0].source))
    if "table" in sources:
        by += [d for d in ("team", *(("season",) if len(years) > 1 else ())) if d not in by]
    return replace(query, by=tuple(by))


def _subject(source: str) -> str:
    """Whose figures those of the source are."""
    return SOURCES[source].subject or "team" if source in SOURCES else "team"


# -- measures that stand alone


def _event(query: Query) -> Query:
    if query.by or query.each or query.having or query.reach is not None or query.place is not None:
        raise QueryError(f"{query.measures[0]} is a list of single events: leave out all but filters and first or last")
    if query.rank and query.rank.kind in ("top", "bottom"):
        raise QueryError(f"{query.rank}: {query.measures[0]} has an order of time, write first or last")
    return query


def _streak(query: Query) -> Query:
    if not query.each:
        raise QueryError(f"{query.measures[0]} needs what has to hold each time, such as `| each runs>=50`, "
                         "`| each wins=1` or `| each wickets=0`")  # fmt: skip
    if query.reach is not None:
        raise QueryError(f"{query.measures[0]} has a length, no running total: leave out reach {query.reach}")
    if any(d in query.by for d in ("match", "over", "phase", "innings", "dismissal", "pair")):
        raise QueryError(f"{query.measures[0]} goes through matches: ask it by batter, bowler, player, team or season")
    subject = streak_subject(query)
    if not {subject, *(("player", "fielder") if subject != "team" else ())} & set(query.by):
        return query if _one_named(query, subject) else replace(query, by=(subject, *query.by))
    return query


def streak_subject(query: Query) -> str:
    """Whose innings or matches a streak goes through: as asked, else of whom the conditions are. A player's are his
    innings where the conditions are about batting or bowling, else his matches."""
    of_conditions = {"bat": "batter", "bowl": "bowler"}.get(MEASURES[query.each[0].measure].source)
    named = (key for key in _SUBJECTS if any(f.key == key and f.op == "=" for f in query.filters))
    found = next((d for d in query.by if d in _SUBJECTS), None) or next(named, None)
    if found in ("player", "fielder"):
        return of_conditions or "player"
    source = MEASURES[query.each[0].measure].source
    return found or of_conditions or ("player" if source in ("field", "award") else "team")


_SUBJECTS = ("batter", "bowler", "player", "fielder", "team")


def _one_named(query: Query, key: str) -> bool:
    keys = (key,) if key == "team" else (key, "player", "fielder")
    return any(f.key in keys and f.op == "=" and len(f.values) == 1 for f in query.filters)


def _number(query: Query) -> Query:
    if not query.by:
        raise QueryError("count needs what is counted, such as `count by batter | having runs>=400`")
    if query.rank or query.reach is not None or query.place is not None:
        raise QueryError("count is one number: leave out the rank")
    return query


def counted(query: Query) -> Query:
    """The query whose rows a count counts."""
    measures = [h.measure for h in query.having]
    if not measures:
        first = query.by[0]
        of_each = {"bat": "innings", "bowl": "innings_bowled", "team": "innings_played"}
        measures = [
            _COUNTED.get(first) or of_each.get(MEASURES[query.each[0].measure].source if query.each else "", "matches")
        ]
    return replace(query, measures=tuple(dict.fromkeys(measures)))


_COUNTED = {"batter": "innings", "bowler": "innings_bowled", "fielder": "fielding_dismissals", "pair": "stands",
            "player": "matches", "position": "innings", "hand": "innings", "kind": "innings_bowled",
            "bowling": "innings_bowled", "dismissal": "wickets_lost", "wicket": "stands", "over": "balls",
            "phase": "balls"}  # fmt: skip
_ALONE: dict[str, Callable[[Query], Query]] = {"event": _event, "streak": _streak, "number": _number}


def _reach(query: Query) -> Query:
    """A count that grows: who reaches it, one row each."""
    measure = MEASURES[query.measures[0]]
    if len(query.measures) > 1 or measure.kind != "count" or measure.parts or measure.source not in _GROWS:
        raise QueryError(f"reach {query.reach} goes with one count that grows, such as runs, wickets, sixes or wins")
    if query.having or query.place is not None:
        raise QueryError(f"reach {query.reach} is the condition: leave out having and place")
    if query.rank and query.rank.kind in ("top", "bottom"):
        raise QueryError(f"{query.rank}: who reaches a number has an order of time, write first or last")
    subject = _subject(measure.source)
    named = any(f.op == "=" and f.key in (*PLAYER_KEYS, "team") for f in query.filters)
    return query if query.by or named else replace(query, by=(subject,))


_GROWS = ("bat", "bowl", "team", "concede", "field", "result", "award", "stand")


# -- summaries


def _written_out(query: Query, book: SeasonBook, keys: Keys, years: tuple[int, ...]) -> Query:
    """Summaries as the figures that they stand for, shorthands as the line."""
    kinds = {m: MEASURES[m].kind for m in query.measures}
    if "summary" not in kinds.values():
        return query
    name = query.measures[0]
    if name in SHORTHANDS:
        short = SHORTHANDS[name]
        if len(query.measures) > 1:
            raise QueryError(f"{name} stands alone: split the line with ` ; `")
        filters = tuple(Filter(k, "=", (v,)) for k, v in short.filters if not query.filter(k))
        rank = query.rank or (Rank("top", short.top) if short.top else None)
        return replace(query, measures=(short.measure,), by=(short.by, *query.by), filters=query.filters + filters,
                       rank=rank)  # fmt: skip
    measures = [figure for m in query.measures for figure in
                (_summary(m, query, book, keys, years) if kinds[m] == "summary" else (m,))]  # fmt: skip
    return replace(query, measures=tuple(measures))


def _summary(name: str, query: Query, book: SeasonBook, keys: Keys, years: tuple[int, ...]) -> tuple[str, ...]:
    if name in SUMMARIES:
        return SUMMARIES[name]
    for key, of in (("batter", "batting"), ("bowler", "bowling"), ("fielder", "fielding")):
        if key in query.by or query.filter(key):
            return SUMMARIES[of]
    named = query.filter("player")
    if named:
        roles = {role_of(book, player) for player in keys[named]}
        return SUMMARIES[roles.pop() if len(roles) == 1 else "all_round"]
    if "team" in query.by or query.filter("team") or query.filter("between"):
        in_table = {f.key for f in query.filters} <= {"team", "season"} and set(query.by) <= {"team", "season"}
        return SUMMARIES["season" if in_table and len(years) == 1 else "matches"]
    raise QueryError(f"{name} is of a player or a team: write `{name} | player=Bumrah` or `{name} | team=MI`")


def role_of(book: SeasonBook, player: str) -> str:
    """batting, bowling or all_round: the role that he is known for, by his figures where none is known."""
    person = book.people.get(player, {})
    role, faced, bowled = person.get("role") or "", person.get("faced", 0), person.get("bowled", 0)
    if "llrounder" in role:
        return "all_round" if bowled else "batting"
    if "Bowler" in role and bowled:
        return "bowling"
    if "Batter" in role:
        return "batting"
    if min(faced, bowled) >= _BOTH:
        return "all_round"
    return "bowling" if bowled > faced else "batting"


_BOTH = 60  # balls faced and bowled that make somebody without a known role an all-rounder


# -- seasons


def seasons_of(query: Query, book: SeasonBook, keys: Keys) -> tuple[int, ...]:
    """The seasons that a question is about: those it names, all where it is split by season, those of its dates, else
    the latest. Raises QueryError where a season is not loaded."""
    here = book.years
    named = [f for f in query.filters if f.key == "season"]
    found = set(here)
    for f in named:
        meant = {year for value in keys[f] for year in _years(f, value, here)}
        found &= set(here) - meant if f.op == "!=" else meant
    if named or "season" in query.by:
        return tuple(sorted(found))
    of_days = (f for f in query.filters if FILTERS[f.key].takes == "D" and f.op == "=")
    days = [int(day(f, key)[:4]) for f in of_days for key in keys[f]]
    dated = tuple(year for year in here if days and min(days) <= year <= max(days))
    return dated or here[-1:]


def _years(f: Filter, value: str, here: tuple[int, ...]) -> list[int]:
    if value == "all":
        return list(here)
    low, dash, high = value.partition("-")
    low = low or str(here[0]) if dash else low
    if not low.isdigit() or (high and not high.isdigit()):
        raise QueryError(f"{f}: {value!r} is no season: write a year, such as season={here[-1]}")
    last = int(high) if high else here[-1] if dash else int(low)
    found = [year for year in here if int(low) <= year <= last]
    if not found:
        span = f"{here[0]} to {here[-1]}" if len(here) > 1 else f"{here[0]} only"
        raise QueryError(f"season {value} is not here: there is {span}")
    return found
