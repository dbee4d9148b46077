"""Which names and numbers of a question its query line leaves out, and what it quotes that is not there.

A small model sometimes drops a name or miscopies a number. This can be seen without knowing the right line, so such
plans are sampled again and the one that leaves out least is used.
"""

from __future__ import annotations

import re

from agents.guesses import guessed
from data.phrasing.implications import parts_of
from data.query import Plan
from data.query.language import MEASURES
from data.query.line import Query
from data.query.sources import PLAYER_KEYS
from data.text import PLACEHOLDER

_SPAN = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?(?: over)?\s*(?:-|to|and|till|through)\s*(?:the )?(\d{1,2})(?:st|nd|rd|th)?\b"
)
_TOP = re.compile(r"\b(?:top|bottom|best|first|last|leading) (\d{1,2})\b")
_LEAST = re.compile(
    r"\b(?:min|minimum|at least|atleast|more than|over|under|fewer than|less than) (\d{1,4})\b(?! overs?\b)"
)


_EXCEPT = re.compile(
    r"\b(?:without|excluding|except|barring|minus|other than|apart from|aside from|not counting|leaving out|ignoring)\b"
)
EXCEPT_EXTRAS = re.compile(rf"{_EXCEPT.pattern} (?:the |any )?extras\b")
# parts of a line that leave something out; a league match is none of the playoffs
_LEAVES_OUT = frozenset(
    "!= =0 without unsupported stage=league keeper=no all_rounder=no shortened=no wicketless not_outs".split()
)


# "the top scorer of each team": a rank within groups
_EACH = re.compile(
    r"(?<!across )(?<!over )(?<!at )\b(?:each|every|per) "
    r"(team|franchise|side|season|year|edition|ground|venue|stadium|phase)\b"
    r"|\b(team|season|year|venue|ground)[- ]?wise\b"
)
_GROUPS = {"team": {"team", "opponent"}, "franchise": {"team", "opponent"},
           "side": {"team", "opponent"}, "season": {"season"}, "year": {"season"},
           "edition": {"season"}, "ground": {"venue", "city"}, "venue": {"venue", "city"},
           "stadium": {"venue", "city"}, "phase": {"phase"}}  # fmt: skip
_SEVERAL = re.compile(
    r"\bwhich (?:\w+ )?(?:bowlers|batters|batsmen|players|teams|sides|spinners|pacers|seamers|keepers)\b"
)
_AND_AGAINST_WHOM = re.compile(
    r"(?:\band|&) whom? (?:(?:(?:was|were|is) )?(?:it |that |they |this )?(?:against|vs?|versus)"
    r"|did (?:they|he|she|it) (?:play|beat|face))\b"
)
_AND_WHO = re.compile(r"(?:\band|&) whom?\b(?! (?:else|all)\b)")


def left_out(plan: Plan, question: str) -> list[str]:
    """The names and numbers of the plain `question` that the plan does not use; none for a plan that declines."""
    if plan.decline:
        return []
    line, missing = str(plan), names_left_out(plan, question)
    numbers = set(re.findall(r"\d+", PLACEHOLDER.sub(" ", line)))
    for low, high in _SPAN.findall(question):
        if not {low, high} <= numbers and f"{low}-{high}" not in line and not _phase(line, low, high):
            missing.append(f"{low} to {high}")
    for pattern in (_TOP, _LEAST):
        missing += [n for n in pattern.findall(question) if n not in numbers]
    return missing


def names_left_out(plan: Plan, question: str) -> list[str]:
    """The placeholders of the plain `question` that the plan does not have; none for a plan that declines."""
    if plan.decline:
        return []
    used = {m[0] for m in PLACEHOLDER.finditer(str(plan))} | guessed(plan, question)
    return [name for name in dict.fromkeys(m[0] for m in PLACEHOLDER.finditer(question)) if name not in used]


def exceptions_dropped(plan: Plan, question: str) -> list[str]:
    """The words by which the plain `question` leaves something out, where the plan has nothing that does."""
    if plan.decline or parts_of(plan) & _LEAVES_OUT:
        return []
    off_the_bat = all(MEASURES[m].source == "bat" for query in plan.queries for m in query.measures)
    return _EXCEPT.findall(EXCEPT_EXTRAS.sub(" ", question) if off_the_bat else question)


def exceptions_turned_round(plan: Plan, question: str) -> list[str]:
    """What the plain `question` leaves out and the plan asks for alone: "without the playoffs" as `stage=playoffs`."""
    wanted = {v for q in plan.queries for f in q.filters if f.op == "=" and f.key != "without" for v in f.values}
    wanted -= {v for q in plan.queries for f in q.filters if f.op == "!=" for v in f.values}
    found = (re.search(rf"{_EXCEPT.pattern} (?:the |all |any )?{re.escape(v)}\b", question) for v in sorted(wanted))
    return [match[0] for match in found if match]


def not_said(plan: Plan, question: str) -> list[str]:
    """The conditions that the plan quotes as `unsupported` although the plain `question` does not have these words."""
    words = f" {question} "
    return [quote for query in plan.queries for quote in query.unsupported if f" {quote} " not in words]


def people_dropped(plan: Plan, question: str) -> list[str]:
    """The words by which the plain `question` asks for a person beside a figure ("and who hit them"), where no part of
    the plan names anybody."""
    if plan.decline or any(_names_people(query) for query in plan.queries):
        return []
    people = [{f.values for f in q.filters if f.key in (*PLAYER_KEYS, "team") and f.op == "="} for q in plan.queries]
    if len(people) > 1 and people[0] != people[1]:  # a query for each of two
        return []
    shows_opponent = any("match" in q.by or MEASURES[m].kind == "best" for q in plan.queries for m in q.measures)
    return _AND_WHO.findall(_AND_AGAINST_WHOM.sub(" ", question) if shows_opponent else question)


def groups_dropped(plan: Plan, question: str) -> list[str]:
    """The words by which the plain `question` asks within groups ("each team"), where the plan ranks without them, or
    has one row of all groups. "Team-wise" asks for that, too."""
    if plan.decline or not any(query.rank for query in plan.queries):
        return []
    rows = {dimension for query in plan.queries for dimension in query.by}
    several = {d for q in plan.queries if q.rank is None or q.rank.n > 1 for d in q.by}
    several |= {query.rank.per for query in plan.queries if query.rank}
    if len(plan.queries) > 1:  # a query for each of two teams
        several |= set.intersection(*({f.key for f in query.filters} for query in plan.queries))
    return [
        found[0]
        for found in _EACH.finditer(question)
        if not (several & _GROUPS[found[1]] if found[1] else rows & _GROUPS[found[2]])
    ]


def several_dropped(plan: Plan, question: str) -> list[str]:
    """The plural that the plain `question` asks for ("which bowlers"), where the plan has the first one alone."""
    ranks = [query.rank for query in plan.queries if not {"pair", "match"} & set(query.by)]
    one = len(plan.queries) == 1 and any(rank and rank.n == 1 and not rank.nth and not rank.per for rank in ranks)
    return _SEVERAL.findall(question) if one else []


def _names_people(query: Query) -> bool:
    """Whether the rows of a query are, or show, who it was."""
    measure = MEASURES[query.measures[0]]
    shows = measure.kind in ("event", "fact", "summary") or measure.source in ("over", "batter_over", "run", "lineup")
    shows |= (measure.source, measure.kind) == ("stand", "best")
    people = [f for f in query.filters if f.op == "=" and f.key in (*PLAYER_KEYS, "team")]
    named = {f.key for f in people if len(f.values) == 1}
    several = any(len(f.values) > 1 for f in people)
    return shows or several or bool(({*PLAYER_KEYS, "pair", "team", "opponent"} & set(query.by)) - named)


def _phase(line: str, low: str, high: str) -> bool:
    """Whether the line names the phase that these overs are: 16 to 20 is the death."""
    named = {("1", "6"): "powerplay", ("7", "15"): "middle", ("16", "20"): "death"}.get((low, high))
    return named is not None and f"phase={named}" in line
