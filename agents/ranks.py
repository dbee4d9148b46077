"""Ranks that a question states and its line lacks: within groups, of as many rows as asked, by the least margin."""

from __future__ import annotations

import re
from dataclasses import replace

from data.query import Plan
from data.query.language import MEASURES, Measure
from data.query.query import EVERYWHERE, Query, Rank
from data.query.sources import PLAYER_KEYS, SOURCES
from data.text import ONES

# whose the best figure is, and at which end of the order it is
HOLDERS = {
    "highest_total": ("team", "top"), "lowest_total": ("team", "bottom"), "margin_runs": ("team", "top"),
    "margin_wickets": ("team", "top"), "balls_left": ("team", "top"), "highest_score": ("batter", "top"),
    "balls_to_fifty": ("batter", "bottom"), "balls_to_hundred": ("batter", "bottom"),
    "best_figures": ("bowler", "top"), "partnership": ("pair", "top"),
}  # fmt: skip
_GROUPS = {"team": "team", "franchise": "team", "side": "team", "season": "season", "year": "season",
           "edition": "season", "ground": "venue", "venue": "venue", "stadium": "venue", "match": "match",
           "game": "match", "phase": "phase"}  # fmt: skip
_ANY_GROUP = "|".join(_GROUPS)
# "in every season" may be what one person did in all of them
_EACH_GROUP = re.compile(
    r"\b(?P<against>against |versus |vs? |facing |bowling to )?(?:each|(?<=of )every|(?<=for )every) (?:ipl |single )?"
    rf"(?P<each>{_ANY_GROUP})\b(?!'s last)|\b(?P<wise>{_ANY_GROUP})[- ]?wise\b"
    r"|\bper (?P<per>team|franchise|side|ground|venue|stadium|phase)\b"
)
# "each" in a condition, in a sum, or of what is counted
_NO_GROUP = re.compile(
    r"\b(?:overs?|balls?|game|match|toss|innings|ground|home) of (?:each|every)\b|\boften\b|\btimes\b"
    r"|\b(?:played?|plays|count|where|when|if|across|over|troubled) (?:each|every)\b"
)
_OF_EACH_MATCH = re.compile(r"\b(?:in|of|from|for) (?:each|every) (?:single )?(?:match|game)\b")
_ONE_OF_THEM = re.compile(r"\b(?:which|where|what)\b")  # asks for one of the groups
_WHO = re.compile(r"\b(?:who|whose|whom|which)\b")
_SMALL_WORDS = re.compile(r"\b(?:for|of|in|by|the|at|from)\b")
_WHOLE_MATCHES = frozenset("season stage team opponent venue from to after before month match".split())
_RANKED = frozenset((*PLAYER_KEYS, "pair", "team"))


def per_group(plan: Plan, question: str) -> Plan:
    """ "The top scorer of each team" is the first of each group, not of all or of the groups."""
    found = _EACH_GROUP.search(question)
    if not found or _NO_GROUP.search(question) or len(plan.queries) != 1:
        return plan
    group = "opponent" if found["against"] else _GROUPS[found["each"] or found["wise"] or found["per"]]
    query = plan.queries[0]
    rank = query.rank or _rank_of_best(query, group, question)
    if rank is None or rank.per or rank.kind not in ("top", "bottom") or query.each:
        return plan
    if not _may_be_grouped(query, group, question):
        return plan
    query = replace(query, unsupported=tuple(words for words in query.unsupported if not _says_group(words)))
    others = tuple(d for d in query.by if d != group)
    if not others:
        if found["wise"] or rank.n > 1 or (query.rank and _ONE_OF_THEM.search(question)):
            return plan
        holder = _holder(query)
        if group == holder or any(f.op == "=" and f.key in ("player", holder) for f in query.filters):
            return replace(plan, queries=(replace(query, rank=None),))  # each one's own
        if holder == "team" and group != "season":
            return plan
        others = (holder,)
    if len(others) > 1 or others[0] not in _RANKED:
        return plan
    filters = tuple(f for f in query.filters if f != EVERYWHERE or group != "season")
    grouped = replace(query, by=(group, *others), filters=filters, rank=replace(rank, per=group))
    return replace(plan, queries=(grouped,))


def _may_be_grouped(query: Query, group: str, question: str) -> bool:
    """Whether the query's figure can be ranked within such groups; "sixes each match" may be a rate."""
    measure, keys = MEASURES[query.measures[0]], {f.key for f in query.filters}
    if query.having and measure.kind != "rate":  # of a rate it is the least that a row has to have
        return False
    if group == "match":
        plain = measure.kind in ("count", "best") and not measure.parts and keys <= _WHOLE_MATCHES
        return plain and _OF_EACH_MATCH.search(question) is not None
    return measure.kind in ("count", "rate", "best") and (group not in keys or group == "season")


def _rank_of_best(query: Query, group: str, question: str) -> Rank | None:
    """The rank of a best figure of each group of which the question asks whose it is."""
    holder, kind = HOLDERS.get(query.measures[0], ("", ""))
    asked = kind and query.by == (group,) and group != holder and _WHO.search(question)
    return Rank(kind, 1) if asked else None


def _holder(query: Query) -> str:
    """Whose the query's figure is."""
    measure: Measure = MEASURES[query.measures[0]]
    spec = SOURCES.get(measure.source)
    return HOLDERS[measure.name][0] if measure.name in HOLDERS else (spec and spec.subject) or "team"


def _says_group(words: str) -> bool:
    """Whether quoted words say the group and nothing else."""
    return bool(_EACH_GROUP.search(words)) and not _SMALL_WORDS.sub("", _EACH_GROUP.sub("", words)).strip()


_NUMBERS = {word: n for n, word in enumerate(ONES) if 2 <= n <= 10 and n != 6}  # "the top six hitter" hits sixes
_TOP = re.compile(
    rf"\b(?:top|bottom|leading) ({'|'.join(_NUMBERS)}|[2-9]|1\d|20)\b"
    r"(?! ?(?:overs?|games|matches|for|hundred|hit\w*|wickets? hauls?|years|seasons)\b|-)"
)
_BEST = re.compile(
    r"\b(two|three|five) (?:best|worst|most|highest|lowest|biggest|largest|cheapest|fastest|quickest|slowest|leading)\b"
    r"(?! (?:recent|opening))"
)
_WHICH = re.compile(
    rf"\b(?:which|what) ({'|'.join(_NUMBERS)}) (?:\w+ )?(?:batters|batsmen|bowlers|players|keepers|fielders|teams|sides"
    r"|spinners|pacers|seamers|seasons|years|grounds|venues)\b(?! (?:sorry|in a row))"
)
_FIRST = re.compile(
    r"\b(?:worst|best|cheapest|highest|lowest|most|biggest|largest|dearest)"
    r"(?: (?:offenders?|ones?|figures?|rates?|teams?|sides?|bowlers?|batters?|scores?|totals?))? first$"
)
_BATS_FIRST = re.compile(r"\b(?:bat|batted|batting|bowling|fielding|elect\w*|choos\w*|opt\w*|going)\b")
_LISTED_ROWS = 10  # of "cheapest first"


def as_many(plan: Plan, question: str) -> Plan:
    """ "The two best" are two rows, "cheapest first" is a list."""
    found = _TOP.search(question) or _BEST.search(question) or _WHICH.search(question)
    listed = _FIRST.search(question) and not _BATS_FIRST.search(question)
    if not (found or listed) or len(plan.queries) != 1:
        return plan
    (query,) = plan.queries
    n = (_NUMBERS.get(found[1]) or int(found[1])) if found else _LISTED_ROWS
    rank, of_place = query.rank, "position" in (*query.measures, *(h.measure for h in query.having))
    if rank is None or rank.n > 1 or rank.nth or rank.kind not in ("top", "bottom") or of_place:
        return plan
    if (
        query.filter("position")
        or {"pair", "match"} & set(query.by)
        or any(f.key in query.by or len(f.values) > 1 for f in query.named())
    ):
        return plan
    return replace(plan, queries=(replace(query, rank=replace(rank, n=n)),))


_FEWEST = re.compile(
    r"\bwon by (?:a |the )?(?:minimum|least|fewest|smallest|lowest)(?: number of)? (run|wicket)s?\b(?! lead)"
)


def closest(plan: Plan, question: str) -> Plan:
    """What was "won by the fewest wickets" is the smallest margin, not a margin of some number."""
    found = _FEWEST.search(question)
    if not found or len(plan.queries) != 1:
        return plan
    (query,) = plan.queries
    of_margins = set(query.measures) <= {"winner", "margin", "margin_runs", "margin_wickets"}
    if not of_margins or query.rank is not None or query.by not in ((), ("match",)):
        return plan
    filters = tuple(f for f in query.filters if f.key not in ("won_by", "margin"))
    measures, by = (f"margin_{found[1]}s",), ("team", "match")
    smallest = replace(query, measures=measures, by=by, filters=filters, rank=Rank("bottom", 1))
    return replace(plan, queries=(smallest,))
