"""Mends a query line where a phrase of the question says for certain what it lacks or has too much: `repaired`.

Each repair is of a phrase that means one thing only: "final score" is no final, "runs per match" is no batting average,
"above the league average" takes the league's figure, too.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agents.coverage import EXCEPT_EXTRAS, exceptions_turned_round
from agents.guesses import guessed
from agents.ranks import HOLDERS, as_many, closest, per_group
from data.query import Plan
from data.query.language import FILTERS, LESS_IS_BETTER, MEASURES
from data.query.line import Filter, Query
from data.query.query import Rank
from data.text import PLACEHOLDER

_NOT_THE_FINAL = re.compile(
    r"\bfinal (?:scores?|totals?|margins?|figures|results?|tally|balls?(?! by)|standings?|tables?)\b|\bfinally\b"
    r"|\bfinal overs?\b(?! (?:the|all|T\d|with|between)\b)"
)
_FINAL = re.compile(r"\bfinals?\b")
_Q1_TO_FINAL = re.compile(
    r"\b(?:q1|qualifiers? (?:1|one)|(?:first|1st) qualifier) (?:to|till|until|through(?: to)?) (?:the )?finals?\b"
)
# "in a match" is a single one
_PER = re.compile(
    r"\b(runs|wickets|sixes|fours|catches) ((?:\w+ ){0,2}?)(?:per|(?<!in )(?:a|each)) (match|game|innings)\b(?! number)"
)
_GIVEN_AWAY = re.compile(r"lost|conceded|given|leaked")
# conditions that pick whole matches; a count per match takes no others
_OF_MATCHES = frozenset(
    "team opponent batter bowler player fielder venue season stage month weekday result home innings toss half from to"
    " after before nth_match last_matches".split()
)
# what is taken for a count per match or innings
_RATES = {"runs": ("average", "strike_rate"), "wickets": ("bowling_average", "bowling_strike_rate")}
_TWO_SEASONS = re.compile(
    r"(?<!between )(?<!from )\b(Y\d) (?:as )?(?:compared (?:to|with)|vs?|versus|against|and|or|than) (?:in )?(Y\d)\b"
)
_TOGETHER = re.compile(r"\b(?:together|combined|total|altogether|added|overall|across|both)\b")
_LISTED = {"runs": "runs", "balls": "balls", "fours": "fours", "sixes": "sixes", "strike rate": "strike_rate",
           "average": "average", "fifties": "fifties", "hundreds": "hundreds"}  # fmt: skip
_LIST = re.compile(
    rf"(?<!\d )(?<!ten )(?<!six )(?<!number )(?<!-)\b(?:{'|'.join(_LISTED)})(?: (?:and )?(?:{'|'.join(_LISTED)}))+\b"
    r"(?! (?:per|apart)\b)"
)
_LEAGUE_AVERAGE = re.compile(
    r"\b(?:above|below|than|compare[sd]? (?:with|to)) (?:the )?(?:tournament|league|season|competition)(?:'s)?"
    r" (?:(?:batting|bowling|run|scoring|economy|strike rate) ){0,2}average\b"
)
_GOES_THROUGH = re.compile(r"\b(?:went|go|goes|made|from|straight|reach\w*|advanc\w*|qualif(?:y|ied))\b")
_SEASON_KEYS = ("season", "after", "before", "from", "to")


def repaired(plan: Plan, question: str) -> Plan:
    """The plan as the plain `question` certainly means it."""
    if plan.decline:
        return plan
    for repair in _REPAIRS:
        plan = repair(plan, question)
    return replace(plan, queries=tuple(dict.fromkeys(plan.queries)))


def _without_final(plan: Plan, question: str) -> Plan:
    """ "Final score" is no final, where something else says which match."""
    if not _NOT_THE_FINAL.search(question) or _FINAL.search(_NOT_THE_FINAL.sub(" ", question)):
        return plan

    def kept(query: Query) -> Query:
        filters = tuple(f for f in query.filters if (f.key, f.values) != ("stage", ("final",)))
        tells = {"team", "batter", "bowler"} & set(query.by) or any(f.key not in _SEASON_KEYS for f in filters)
        return replace(query, filters=filters) if tells and filters != query.filters else query

    return replace(plan, queries=tuple(map(kept, plan.queries)))


def _all_playoffs(plan: Plan, question: str) -> Plan:
    """ "Q1 to final" are the playoffs, not the first qualifier."""
    found = _Q1_TO_FINAL.search(question)
    results = {"winner", "wins", "losses"} & {m for query in plan.queries for m in query.measures}
    if not found or results or _GOES_THROUGH.search(question[: found.start()]):
        return plan

    def whole(query: Query) -> Query:
        filters = (replace(f, values=("playoffs",)) if f.key == "stage" and f.op == "=" else f for f in query.filters)
        return replace(query, filters=tuple(dict.fromkeys(filters)))

    return replace(plan, queries=tuple(map(whole, plan.queries)))


def _per(plan: Plan, question: str) -> Plan:
    """ "Runs per match" are runs over matches."""
    found = _PER.search(question)
    if not found or len(plan.queries) != 1 or len(plan.queries[0].measures) != 1 or _GIVEN_AWAY.search(found[2]):
        return plan
    (query,) = plan.queries
    counted, keys, was = found[1], {f.key for f in query.filters}, query.measures[0]
    if was not in (counted, *_RATES.get(counted, ())) or query.each or {"match", "innings"} & set(query.by):
        return plan
    if not keys <= _OF_MATCHES or {"batter", "bowler"} <= keys | set(query.by):
        return plan
    of_batter = bool({"batter", "player"} & (keys | set(query.by)))
    if found[3] != "innings":
        ratio = "total/matches" if counted == "runs" and not of_batter else f"{counted}/matches"
    elif counted == "wickets":
        ratio = "wickets/innings_bowled"
    elif counted != "catches" and of_batter:
        ratio = f"{counted}/innings"
    else:
        return plan
    rank, having = query.rank, tuple(h for h in query.having if h.measure not in _RATES.get(counted, ()))
    if rank and was in LESS_IS_BETTER and rank.kind in ("top", "bottom"):
        rank = replace(rank, kind="top" if rank.kind == "bottom" else "bottom")
    return replace(plan, queries=(replace(query, measures=(ratio,), rank=rank, having=having),))


def _with_league(plan: Plan, question: str) -> Plan:
    """What is compared with the league's average has that beside it."""
    if not _LEAGUE_AVERAGE.search(question) or len(plan.queries) != 1:
        return plan
    (query,) = plan.queries
    of_all = tuple(
        f for f in query.filters if f.key in _SEASON_KEYS or not any(PLACEHOLDER.fullmatch(v) for v in f.values)
    )
    if query.by or of_all == query.filters or any(MEASURES[m].kind != "rate" for m in query.measures):
        return plan
    return replace(plan, queries=(query, replace(query, filters=of_all)))


def _excluded(plan: Plan, question: str) -> Plan:
    """ "without the playoffs" is no condition that it were in the playoffs."""
    words = [turned.lower() for turned in exceptions_turned_round(plan, question)]

    def turned(f: Filter) -> Filter:
        is_excluded = any(word.endswith(f" {value}") for word in words for value in f.values)
        return replace(f, op="!=") if is_excluded and f.op == "=" and FILTERS[f.key].negatable else f

    return replace(plan, queries=tuple(replace(q, filters=tuple(map(turned, q.filters))) for q in plan.queries))


def _off_the_bat(plan: Plan, question: str) -> Plan:
    """A team's runs "excluding extras" are those of its batters."""
    if len(plan.queries) != 1 or plan.queries[0].measures != ("total",) or not EXCEPT_EXTRAS.search(question):
        return plan
    return replace(plan, queries=(replace(plan.queries[0], measures=("runs",)),))


def _by_season(plan: Plan, question: str) -> Plan:
    """Two seasons that are compared have a figure each."""
    found = _TWO_SEASONS.search(question)
    if not found or len(plan.queries) != 1 or "season" in plan.queries[0].by or _TOGETHER.search(question):
        return plan
    query, both = plan.queries[0], (found[1], found[2])
    season = query.filter("season")
    if season is None or season.op != "=" or season.values != ("-".join(both),):
        return plan
    if query.rank or query.having or query.place or MEASURES[query.measures[0]].kind == "streak":
        return plan
    filters = tuple(replace(f, values=both) if f is season else f for f in query.filters)
    return replace(plan, queries=(replace(query, by=("season", *query.by), filters=filters),))


def _with_holder(plan: Plan, question: str) -> Plan:
    """A best figure of nobody in particular is somebody's: the highest total is a team's."""

    def held(query: Query) -> Query:
        if query.measures[0] not in HOLDERS or len(query.measures) > 1 or query.by or query.rank or query.each:
            return query
        by, kind = HOLDERS[query.measures[0]]
        named = ("player", "batter", "bowler") if by != "team" else ("player", "team", "between")
        if any(f.op == "=" and f.key in named for f in query.filters):
            return query
        return replace(query, by=(by,), rank=Rank(kind, 1))

    return replace(plan, queries=tuple(map(held, plan.queries)))


def _listed(plan: Plan, question: str) -> Plan:
    """Of figures that are asked for one after the other ("runs, balls") none is left out."""
    found = max(_LIST.findall(question), key=len, default="")
    wanted = [_LISTED[noun] for noun in re.findall("|".join(_LISTED), found)]
    if len(plan.queries) != 1 or len(wanted) < 2:
        return plan
    (query,) = plan.queries
    of_batting = all(MEASURES[m].source == "bat" for m in query.measures)
    if not of_batting or not set(query.measures) & set(wanted) or set(wanted) <= set(query.measures):
        return plan
    measures = tuple(dict.fromkeys((*query.measures, *wanted)))
    return replace(plan, queries=(replace(query, measures=measures),))


def _without_guess(plan: Plan, question: str) -> Plan:
    """ "Who took most wickets, must be P1" ranks everybody: first of one is nothing to ask."""
    names = guessed(plan, question)

    def of_all(query: Query) -> Query:
        if query.rank is None or query.rank.kind not in ("top", "bottom") or "match" in query.by:
            return query
        guesses = [f for f in query.filters if f.key in query.by and f.op == "=" and len(f.values) == 1]
        kept = (f for f in query.filters if f not in guesses or f.values[0] not in names)
        return replace(query, filters=tuple(kept))

    return replace(plan, queries=tuple(map(of_all, plan.queries)))


_REPAIRS = (
    _without_guess, _without_final, _all_playoffs, _per, _with_league, _excluded, _off_the_bat, _by_season,
    _with_holder, _listed, per_group, as_many, closest,
)  # fmt: skip
