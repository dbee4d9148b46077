"""A query's subject and filters in English: "P1", " against T1 in the powerplay".

Names and numerals are those of the query line.
"""

from __future__ import annotations

import re

from data.query.language import ENUMS, MEASURES
from data.query.line import Filter, Query


def who(query: Query) -> str:
    """The subject's names: "P1 and P2", or nothing."""
    return " and ".join(value for f in subject(query) for value in f.values)


_SUBJECTS = {"bat": ("batter", "player", "team"), "bowl": ("bowler", "player", "team"),
             "field": ("fielder", "player", "team"), "team": ("team",), "concede": ("team",),
             "result": ("team", "player")}  # fmt: skip
_OTHERS = {"bat": "bowler", "bowl": "batter", "field": "batter"}  # the player on the other side


def subject(query: Query) -> list[Filter]:
    """The filters that name whose figure it is: of wickets with a bowler and a batter given, the bowler."""
    source = MEASURES[query.measures[0]].source
    keys = _SUBJECTS.get(source, ("batter", "bowler", "fielder", "player", "team"))
    if source in ("bat", "bowl") and query.filter(_OTHERS[source]):
        keys = keys[:2]  # a team may then be either player's
    named = ([f for f in query.filters if f.key == key and f.op == "="] for key in keys)
    return next(filter(None, named), [])


def circumstances(query: Query) -> str:
    """The filters in English, each after a space: " against T1 in the powerplay"."""
    return "".join(f" {w}" for w in circumstance_phrases(query))


def circumstance_phrases(query: Query) -> list[str]:
    """The filters in English, without those that name the subject."""
    source = MEASURES[query.measures[0]].source
    words = [
        _team_phrase(f, query, source) or _words(f, source)
        for f in query.filters
        if f not in subject(query) and f.key != "innings"
    ]
    for f in query.filters:
        if f.key == "innings":
            does = "bowling" if source in ("bowl", "field", "concede") else "batting"
            words.insert(0, f"{does} {' and '.join('first' if v == '1' else 'second' for v in f.values)}")
    words += [f"with {BOUND[h.op]} {h.value:g} {MEASURES[h.measure].label}" for h in query.having]
    return [w for w in words if w]


BOUND = {">=": "at least", "<=": "at most", "=": "exactly", ">": "more than", "<": "fewer than"}


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


def _words(f: Filter, source: str) -> str:
    """One filter in English, as it reads beside a measure of the source."""
    values = " and ".join(v.replace("_", " ") for v in f.values)
    no = f.op == "!="
    if f.key in ENUMS:
        fixed = {
            ("phase", "powerplay"): "in the powerplay", ("phase", "middle"): "in the middle overs",
            ("phase", "death"): "at the death",
            ("result", "won"): "in wins", ("result", "lost"): "in defeats", ("result", "tied"): "in ties",
            ("result", "no_result"): "without a result", ("home", "home"): "at home", ("home", "away"): "away",
            ("toss", "won"): "having won the toss", ("toss", "lost"): "having lost the toss",
            ("chose", "bat"): "when the toss winner chose to bat",
            ("chose", "field"): "when the toss winner chose to field",
            ("won_by", "runs"): "in matches won by runs", ("won_by", "wickets"): "in matches won by wickets",
            ("keeper", "yes"): "among wicket-keepers", ("keeper", "no"): "leaving wicket-keepers aside",
            ("shortened", "yes"): "in shortened matches", ("shortened", "no"): "in full matches",
            ("stage", "league"): "in the league stage", ("stage", "playoffs"): "in the playoffs",
            ("stage", "final"): "in the final", ("stage", "eliminator"): "in the eliminator",
            ("stage", "qualifier_1"): "in qualifier 1", ("stage", "qualifier_2"): "in qualifier 2",
        }  # fmt: skip
        if all((f.key, value) in fixed for value in f.values):
            return " and ".join(fixed[f.key, value] for value in f.values)
        by = {"bowl": f"by {values} bowlers", "concede": f"by {values} bowlers", "field": f"off {values} bowlers"}
        return {
            "bowling": by.get(source, f"against {values}"),
            "hand": f"with {values}-handers on strike",
            "dismissal": f"({values})",
        }[f.key]
    if f.key == "venue" and re.fullmatch(r"T\d", f.values[0]):
        return f"at the home of {values}"
    if f.key == "batter" and source in ("team", "concede") and not no:
        return f"with {values} on strike"
    if f.key == "bowler" and source in ("field", "concede", "bat", "team"):
        how = {"field": "off", "concede": "with"}.get(source, "off" if no else "against")
        return f"{how} {'bowlers other than ' if no else ''}{values}{' bowling' if source == 'concede' else ''}"
    return {
        "batter": f"{'against batters ' if source == 'bowl' else ''}other than {values}" if no else f"against {values}",
        "bowler": f"other than {values}" if no else f"against {values}",
        "fielder": f"other than {values}" if no else f"with {values} in the field",
        "player": f"other than {values}" if no else f"with {values} playing",
        "team": f"other than {values}" if no else f"for {values}",
        "opponent": f"against sides other than {values}" if no else f"against {values}",
        "between": f"between {values}",
        "venue": f"at {values}",
        "date": f"on {values}",
        "match": f"in match {values}",
        "overs": f"in over {values}" if "-" not in values else f"in overs {values}",
        "last": f"in the last {f.values[0]} overs",
        "position": f"to batters at {values}" if source in ("bowl", "concede") else f"batting at {values}",
        "wicket": f"for wicket {values}",
        "margin": f"by {_bound(f)}",
        "score": f"in innings of {_bound(f)}",
        "haul": f"in hauls of {_bound(f)}",
        "stand": f"in stands of {_bound(f)}",
        "total": f"with a total of {_bound(f)}",
        "target": f"with the other side on {_bound(f)}",
    }[f.key]  # fmt: skip


def _bound(f: Filter) -> str:
    """A numeric filter's bound: "at least 50"."""
    return f"{BOUND.get(f.op, 'other than')} {f.values[0]}"
