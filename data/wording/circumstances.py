"""A query's subject and conditions in English: "P1", " against T1 in the powerplay".

Names and numerals are those of the query line. data.wording.conditions words the single conditions.
"""

from __future__ import annotations

from data.query.completion import counted, streak_subject
from data.query.in_a_row import run_role
from data.query.language import FILTERS, MEASURES
from data.query.line import Filter, Query
from data.query.sources import PLAYER_KEYS, SOURCES
from data.wording.conditions import (
    BOUND,
    balls_of_innings,
    days,
    each_words,
    filter_words,
    having_words,
    own_part,
)

__all__ = ["BOUND", "circumstance_phrases", "circumstances", "source_of", "stated_phrases", "subject", "who"]


def who(query: Query) -> str:
    """The subject's names: "P1 and P2", or nothing."""
    return " and ".join(value for f in subject(query) for value in f.values)


_SUBJECTS = {"bat": ("batter", "player", "team"), "bowl": ("bowler", "player", "team"),
             "field": ("fielder", "player", "team"), "team": ("team",), "concede": ("team",),
             "result": ("team", "player", "batter", "bowler", "fielder"),
             "person": ("player", "batter", "bowler", "fielder")}  # fmt: skip
_OTHERS = {"bat": "bowler", "bowl": "batter", "field": "batter"}  # the player on the other side
_LIKE = {"over": "bowl", "batter_over": "bat", "no_result": "result", "lineup": "person"}
_OF_STREAK = {"batter": "bat", "bowler": "bowl"}


def source_of(query: Query) -> str:
    """Whose figure it is: bat, bowl, field, team ..., of overs, streaks and counts that of their innings or matches."""
    source = MEASURES[query.measures[0]].source
    if source == "run":
        return "bowl" if run_role(query) == "bowler" else "bat"
    if source == "sequence":
        return _OF_STREAK.get(streak_subject(query), "result") if query.each else "result"
    if source == "number":
        source = MEASURES[counted(query).measures[0]].source if query.by else "result"
    return _LIKE.get(source, source)


def subject(query: Query) -> list[Filter]:
    """The filters that name whose figure it is: of wickets with a bowler and a batter given, the bowler."""
    source = source_of(query)
    keys = _SUBJECTS.get(source, ("batter", "bowler", "fielder", "player", "team"))
    if source in ("bat", "bowl") and query.filter(_OTHERS[source]):
        keys = keys[:2]  # a team may then be either player's
    named = ([f for f in query.filters if f.key == key and f.op == "="] for key in keys)
    return next(filter(None, named), [])


def circumstances(query: Query) -> str:
    """The conditions in English, each after a space: " against T1 in the powerplay"."""
    return "".join(f" {w}" for w in circumstance_phrases(query))


def circumstance_phrases(query: Query) -> list[str]:
    """The conditions in English, without those that name the subject."""
    source, named = source_of(query), subject(query)
    grouped = bool(set(query.by) & set(PLAYER_KEYS))
    words = [own_part(f, _owner(f, query, source)) for f in query.filters if FILTERS[f.key].looks == "sequence"]
    for f in query.filters:
        if f.key == "innings":
            does = "bowling" if source in ("bowl", "field", "concede") else "batting"
            words.append(f"{does} {' and '.join('first' if v == '1' else 'second' for v in f.values)}")
    by_whom = _of_whom(query, named) if query.each else ""  # "in matches with at least 50 runs by P1" names him
    for f in query.filters:
        if f in named or f.key in ("innings", *_DAYS) or FILTERS[f.key].looks == "sequence":
            continue
        if by_whom and source == "result" and f.key in PLAYER_KEYS and f.op == "=":
            continue
        if f.key in ("first_balls", "last_balls"):
            words.append(balls_of_innings(f, "his" if source == "bat" and _is_one_man(named) else ""))
        else:
            words.append(_team_phrase(f, query, source) or filter_words(f, source, grouped))
    words.append(days(query.filters))
    if query.each:
        in_a_row = MEASURES[query.measures[0]].kind == "streak"
        own = MEASURES[query.measures[0]].source
        own = own if own in ("over", "batter_over") else source
        said = each_words(query.each, own, in_a_row, by_whom)
        if query.measures in COUNTED:
            said = said.removeprefix(f"in {COUNTED[query.measures]} ")  # "7 innings with at least 30 runs"
        words.insert(0 if in_a_row else len(words), said)
    words += [having_words(h) for h in query.having]
    if query.reach is not None:
        words.insert(0, f"to {query.reach} {MEASURES[query.measures[0]].label}")
    return [w for w in words if w]


def stated_phrases(query: Query) -> list[str]:
    """The conditions that a sentence has to state: facts of matches name the match, which shows most of them."""
    if MEASURES[query.measures[0]].source == "match" and not query.each:
        if not {f.key for f in query.filters} & _UNSEEN:
            return []
    return circumstance_phrases(query)


# what a match's title, day, ground and stage do not show
_UNSEEN = {"season", "with", "without", "half", "nth_match", "last_matches", "nth_innings", "last_innings", "month",
           "weekday", "after", "before", "from", "to"}  # fmt: skip


# what single figures count: a condition on each of them is one on what is counted
COUNTED = {("innings",): "innings", ("innings_played",): "innings", ("matches",): "matches", ("overs",): "overs",
            ("stands",): "partnerships", ("wins",): "matches", ("losses",): "matches"}  # fmt: skip
_DAYS = ("after", "before", "from", "to")


def _is_one_man(named: list[Filter]) -> bool:
    return len(named) == 1 and named[0].key in PLAYER_KEYS and len(named[0].values) == 1


def _owner(f: Filter, query: Query, source: str) -> str:
    """Whose own matches or innings a filter picks: 'his', 'their', "T1's", "each batter's"."""
    spec = SOURCES.get(source)
    person = spec.subject if spec and spec.subject else None
    keys = ("player", person) if person in ("batter", "bowler", "fielder") else PLAYER_KEYS
    named = [g for g in query.filters if g.op == "=" and g.key in keys]
    if not named and query.filter("team") and query.filter("team").op == "=":
        return "their"  # the team's, which is named as the subject or by "for T1"
    if named:
        values = [value for g in named for value in g.values]
        if named != subject(query) or set(query.by) & {*PLAYER_KEYS, "pair"} - {g.key for g in named}:
            return f"{' and '.join(values)}'s"
        return "his" if _is_one_man(named) else "their"
    by_player = source in ("result", "stand") and set(query.by) & set(PLAYER_KEYS)
    return f"each {person or ('player' if by_player else 'team')}'s"


def _of_whom(query: Query, named: list[Filter]) -> str:
    """Of a player who is named beside a figure that is not his: 'by P1'."""
    people = [f for f in query.filters if f.key in PLAYER_KEYS and f.op == "=" and f not in named]
    players = any(MEASURES[h.measure].source in ("bat", "bowl", "field", "award") for h in query.each)
    names = " and ".join(value for f in people for value in f.values)
    return f"by {names}" if names and players and not set(query.by) & set(PLAYER_KEYS) else ""


def _team_phrase(f: Filter, query: Query, source: str) -> str:
    """A filter by team where "for T1" and "against T1" would leave open whose team it is; empty elsewhere."""
    other = _OTHERS.get(source)
    if f.key not in ("team", "opponent") or f.op != "=" or other is None:
        return ""
    side = " and ".join(f.values)
    if source != "field" and query.filter(other):
        return f"in matches of {side}"
    if other not in query.by:
        return ""
    own, theirs = {"bat": ("by batters", "off bowlers"), "bowl": ("by bowlers", "to batters"),
                   "field": ("by fielders", "dismissing batters")}[source]  # fmt: skip
    return f"{own if f.key == 'team' else theirs} of {side}"
