"""Mends a query line where a phrase of the question says for certain what it lacks or has too much: `repaired`.

Each repair is of a phrase that means one thing only: "final score" is no final, "runs per match" is no batting average,
"above the league average" takes the league's figure, too.
"""

from __future__ import annotations

import re
from dataclasses import replace

from agents.coverage import EXCEPT_EXTRAS, exceptions_turned_round
from data.query import Plan
from data.query.language import FILTERS, MEASURES
from data.query.line import Filter, Query
from data.text import PLACEHOLDER

_NOT_THE_FINAL = re.compile(
    r"\bfinal (?:scores?|totals?|margins?|figures|results?|tally|overs?|balls?|standings?|tables?)\b|\bfinally\b"
)
_FINAL = re.compile(r"\bfinals?\b")
_Q1_TO_FINAL = re.compile(
    r"\b(?:q1|qualifiers? (?:1|one)|(?:first|1st) qualifier) (?:to|till|until|through(?: to)?) (?:the )?finals?\b"
)
_PER = re.compile(r"\b(runs|wickets|sixes|fours|catches) (?:\w+ ){0,2}?(?:per|a|each|every) (match|game|innings)\b")
# what is taken for a count per match or innings
_RATES = {"runs": ("average", "strike_rate"), "wickets": ("bowling_average", "bowling_strike_rate")}
_TWO_SEASONS = re.compile(r"\b(Y\d) (?:as )?(?:compared (?:to|with)|vs?|versus|against|and|or|than) (?:in )?(Y\d)\b")
_LEAGUE_AVERAGE = re.compile(
    r"\b(?:above|below|over|under|than|with|to|against) (?:the )?(?:tournament|league|overall|season|competition)"
    r"(?:'s)? (?:\w+ ){0,2}?average\b"
)


def repaired(plan: Plan, question: str) -> Plan:
    """The plan as the plain `question` certainly means it."""
    if plan.decline:
        return plan
    for repair in (_without_final, _all_playoffs, _per, _with_league, _excluded, _off_the_bat, _by_season):
        plan = repair(plan, question)
    return plan


def _without_final(plan: Plan, question: str) -> Plan:
    if not _NOT_THE_FINAL.search(question) or _FINAL.search(_NOT_THE_FINAL.sub(" ", question)):
        return plan

    def kept(query: Query) -> Query:
        filters = tuple(f for f in query.filters if (f.key, f.values) != ("stage", ("final",)))
        return query if filters == query.filters else replace(query, filters=filters)

    return replace(plan, queries=tuple(map(kept, plan.queries)))


def _all_playoffs(plan: Plan, question: str) -> Plan:
    """ "Q1 to final" are the playoffs, not the first qualifier."""
    if not _Q1_TO_FINAL.search(question):
        return plan

    def whole(query: Query) -> Query:
        filters = (replace(f, values=("playoffs",)) if f.key == "stage" and f.op == "=" else f for f in query.filters)
        return replace(query, filters=tuple(dict.fromkeys(filters)))

    return replace(plan, queries=tuple(map(whole, plan.queries)))


def _per(plan: Plan, question: str) -> Plan:
    found = _PER.search(question)
    if not found or len(plan.queries) != 1 or len(plan.queries[0].measures) != 1:
        return plan
    counted, each = found[1], "innings" if found[2] == "innings" else "matches"
    if plan.queries[0].measures[0] not in (counted, *_RATES.get(counted, ())) or "match" in plan.queries[0].by:
        return plan
    return replace(plan, queries=(replace(plan.queries[0], measures=(f"{counted}/{each}",)),))


def _with_league(plan: Plan, question: str) -> Plan:
    if not _LEAGUE_AVERAGE.search(question) or len(plan.queries) != 1:
        return plan
    (query,) = plan.queries
    of_all = tuple(f for f in query.filters if not any(PLACEHOLDER.fullmatch(value) for value in f.values))
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
    if not found or len(plan.queries) != 1 or "season" in plan.queries[0].by:
        return plan
    query, both = plan.queries[0], (found[1], found[2])
    season = query.filter("season")
    if season is None or season.op != "=" or season.values not in (both, ("-".join(both),)):
        return plan
    filters = tuple(replace(f, values=both) if f is season else f for f in query.filters)
    return replace(plan, queries=(replace(query, by=("season", *query.by), filters=filters),))
