"""One condition of a query in English: a filter ("in the powerplay", "since IPL 2018"), a bound on single innings or
matches ("in innings without a six"), a bound on rows ("with at least 300 runs").

Which filters name the subject is said in data.wording.circumstances.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from data.query.language import ENUMS, MEASURES
from data.query.query import Filter, Having
from data.text import ordinal, with_article

BOUND = {">=": "at least", "<=": "at most", "=": "exactly", ">": "more than", "<": "fewer than"}


def joined(words: Iterable[str], last: str = "and") -> str:
    """'a', 'a and b', 'a and b and c'."""
    return f" {last} ".join(words)


# -- filters of a few words


_FIXED = {
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
    ("half", "1"): "in the first half of the league stage", ("half", "2"): "in the second half of the league stage",
    ("weekday", "weekend"): "at weekends", ("weekday", "weekday"): "on weekdays",
    ("last_ball", "yes"): "on the last ball of the innings",
    ("last_ball", "no"): "before the last ball of the innings",
    ("extra", "wide"): "on wides", ("extra", "noball"): "on no-balls",
    ("extra", "bye"): "on balls with byes", ("extra", "legbye"): "on balls with leg-byes",
    ("free_hit", "yes"): "on free hits", ("free_hit", "no"): "on balls other than free hits",
    ("all_rounder", "yes"): "among all-rounders (at least 100 runs and 5 wickets in the season)",
    ("all_rounder", "no"): "leaving all-rounders aside (at least 100 runs and 5 wickets in the season)",
    **{("month", month): f"in {month.title()}" for month in ENUMS["month"]},
    **{("weekday", day): f"on {day.title()}s" for day in ENUMS["weekday"] if day not in ("weekend", "weekday")},
}  # fmt: skip


def _fixed(f: Filter) -> str:
    """A filter each of whose words has its phrase; empty for others."""
    if not all((f.key, value) in _FIXED for value in f.values):
        return ""
    words = [_FIXED[f.key, value] for value in f.values]
    if f.op == "=":
        return joined(words)
    if f.key == "weekday":
        return f"except {joined(words)}"
    inside = [re.sub(r"^(?:in|at) ", "", w) for w in words]  # "in the final" -> "outside the final"
    return f"outside {joined('the death overs' if w == 'the death' else w for w in inside)}"


_ORIGIN = {"bat": "batters", "batter_over": "batters", "bowl": "bowlers", "field": "fielders"}


def _of_people(f: Filter, source: str, grouped: bool) -> str:
    """Filters on where the players come from, or how they bat and bowl."""
    values = joined(v.replace("_", " ") for v in f.values)
    people = joined(("Indian" if v == "indian" else v) for v in f.values)
    if f.key == "origin":
        return f"{'among' if grouped else 'by'} {people} {_ORIGIN.get(source, 'players')}"
    if f.key == "batter_origin":
        return {"bat": f"by {people} batters", "field": f"dismissing {people} batters",
                "bowl": f"against {people} batters"}.get(source, f"with {people} batters on strike")  # fmt: skip
    if f.key == "bowler_origin":
        return {"bowl": f"by {people} bowlers", "concede": f"by {people} bowlers",
                "field": f"off {people} bowlers"}.get(source, f"against {people} bowlers")  # fmt: skip
    by = {"bowl": f"by {values} bowlers", "concede": f"by {values} bowlers", "field": f"off {values} bowlers"}
    return {
        "bowling": by.get(source, f"against {values}"),
        "hand": f"with {values}-handers on strike",
        "dismissal": f"({values})",
    }[f.key]


# -- seasons, days and numbers


def of_league(text: str, league: str) -> str:
    """A sentence of another competition than the IPL, of which the wordings speak as the model was trained on them."""
    return text if league == "IPL" else re.sub(r"\bIPL(?= (?:\d|seasons\b))", lambda _: league, text)


def _season(f: Filter) -> str:
    if "all" in f.values:
        return "across all IPL seasons" if f.op == "=" else "outside all IPL seasons"
    spans = [v for v in f.values if not v.endswith("-")]
    since = [v[:-1] for v in f.values if v.endswith("-")]
    if f.op == "!=":
        left_out = [*spans, *(f"{v} and later" for v in since)]
        return f"outside IPL {joined(left_out)}"
    parts = [f"in IPL {joined(spans)}"] if spans else []
    return joined([*parts, *(f"since IPL {v}" for v in since)])


def days(filters: Iterable[Filter]) -> str:
    """The filters after, before, from and to as one phrase: 'from D1 to D2', 'after D1 and before D2'."""
    found: dict[str, list[str]] = {}
    for f in filters:
        if f.key in ("after", "before", "from", "to"):
            found.setdefault(f.key, []).extend(f.values)
    if len(found.get("from", ())) == len(found.get("to", ())) == 1 and len(found) == 2:
        return f"from {found['from'][0]} to {found['to'][0]}"
    words = {"after": "after {}", "before": "before {}", "from": "from {} on", "to": "up to {}"}
    return joined(words[key].format(day) for key, values in found.items() for day in values)


def nth(number: str) -> str:
    """'3rd' of '3'."""
    return ordinal(int(number)) if number.isdigit() else f"{number}th"


def _span(f: Filter, one: str, several: str, open_end: str) -> str:
    """A filter that takes numbers and ranges, in the words for one number, for several, and for a range without end
    (with {} for the number)."""
    ended = [v for v in f.values if not v.endswith("-")]
    parts = [open_end.format(v[:-1]) for v in f.values if v.endswith("-")]
    if ended:
        many = len(ended) > 1 or "-" in ended[0]
        parts.insert(0, f"{several if many else one} {joined(ended)}")
    return joined(parts)


def bound(f: Filter) -> str:
    """A numeric filter's bound: "at least 50"."""
    return f"{BOUND.get(f.op, 'other than')} {f.values[0]}"


def own_part(f: Filter, owner: str) -> str:
    """Which of somebody's own matches or innings, or which balls of his innings: 'in his last 5 matches'."""
    unit = {"nth_match": "match", "last_matches": "match"}.get(f.key, "innings")
    units = {"match": "matches"}.get(unit, unit)
    if f.key.startswith("last"):
        number = f.values[0]
        return f"in {owner} last {unit if number == '1' else f'{number} {units}'}"
    parts = []
    for value in f.values:
        low, dash, high = value.partition("-")
        if not dash:
            parts.append(f"in {owner} {'first' if low == '1' else nth(low)} {unit}")
        elif not high:
            parts.append(f"from {owner} {nth(low)} {unit} on")
        else:
            parts.append(f"in {owner} " + (f"first {high} {units}" if low == "1" else f"{units} {low}-{high}"))
    return joined(parts)


def balls_of_innings(f: Filter, whose: str) -> str:
    """first_balls and last_balls: 'in his first 10 balls of the innings'."""
    which, number = f.key.partition("_")[0], f.values[0]
    balls = "ball" if number == "1" else f"{number} balls"
    return f"in {whose} {which} {balls} of the innings" if whose else f"in a batter's {which} {balls} of the innings"


# -- any filter


def filter_words(f: Filter, source: str, grouped: bool = False) -> str:
    """One filter as it reads beside a figure of the source. `grouped`: whether each row is a player of his own."""
    if words := _fixed(f):
        return words
    if f.key in ENUMS:
        return _of_people(f, source, grouped)
    if f.key == "season":
        return _season(f)
    values = joined(f.values)
    no = f.op == "!="
    if f.key == "venue":
        home = "the home of " if re.fullmatch(r"T\d", f.values[0]) else ""
        return f"at grounds other than {home}{values}" if no else f"at {home}{values}"
    if f.key == "batter" and source in ("team", "concede") and not no:
        return f"with {values} on strike"
    if f.key == "bowler" and source in ("field", "concede", "bat", "team"):
        how = {"field": "off", "concede": "with"}.get(source, "off" if no else "against")
        return f"{how} {'bowlers other than ' if no else ''}{values}{' bowling' if source == 'concede' else ''}"
    if f.key in ("batter", "bowler", "fielder") and source in ("result", "person") and not no:
        return f"with {values} playing"
    either = joined(f.values, "or")
    return {
        "batter": f"{'against batters ' if source == 'bowl' else ''}other than {values}" if no else f"against {values}",
        "bowler": f"other than {values}" if no else f"against {values}",
        "fielder": f"other than {values}" if no else f"with {values} in the field",
        "player": f"other than {values}" if no else f"with {values} playing",
        "partner": f"with {either} at the other end",
        "with": f"when {either} played",
        "without": f"when {either} did not play",
        "team": f"other than {values}" if no else f"for {values}",
        "opponent": f"against sides other than {values}" if no else f"against {values}",
        "between": f"between {values}",
        "date": f"on days other than {values}" if no else f"on {values}",
        "match": _match(f),
        "overs": _overs(f),
        "last": f"in the last {f.values[0]} overs" if f.values[0] != "1" else "in the last over",
        "ball": _ball(f),
        "from_score": f"after reaching {values}" if source == "bat" else f"after the batter reached {values}",
        "position": _position(f, source),
        "wicket": _span(f, "for wicket", "for wicket", "for wicket {} or later"),
        "margin": f"by {bound(f)}",
        "score": f"in innings of {bound(f)}",
        "haul": f"in hauls of {bound(f)}",
        "stand": f"in stands of {bound(f)}",
        "total": f"with a total of {bound(f)}",
        "target": f"with the other side on {bound(f)}",
    }[f.key]  # fmt: skip


def _match(f: Filter) -> str:
    if f.op == "!=":
        return _span(f, "outside match", "outside matches", "outside match {} and later")
    return _span(f, "in match", "in match", "from match {} on")


def _overs(f: Filter) -> str:
    return _span(f, "in over", "in overs", "from over {} on")


def _ball(f: Filter) -> str:
    value = f.values[0]
    if len(f.values) == 1 and "-" not in value:
        return f"on the {nth(value)} ball of an over"
    if len(f.values) == 1 and value.endswith("-"):
        return f"on the {nth(value[:-1])} and later balls of an over"
    return f"on balls {joined(v + '6' if v.endswith('-') else v for v in f.values)} of an over"


def _position(f: Filter, source: str) -> str:
    at = "to batters at" if source in ("bowl", "concede") else "batting at"
    return _span(f, at, at, f"{at} {{}} or lower")


# -- bounds


def having_words(h: Having) -> str:
    """A bound on the rows of an answer: 'with at least 300 runs'."""
    if MEASURES[h.measure].kind == "streak":
        return f"with a {'current streak' if h.measure == 'current_streak' else 'streak'} of {BOUND[h.op]} {h.value:g}"
    measure = MEASURES[h.measure]
    if h.op == "=" and h.value == 0 and measure.kind == "count":
        return f"without any {measure.label}"
    if measure.kind in ("rate", "best") and not measure.label.split()[0].endswith("s"):
        return f"with {with_article(measure.label)} of {BOUND[h.op].replace('fewer', 'less')} {h.value:g}"
    return f"with {BOUND[h.op]} {h.value:g} {measure.label}"


_UNITS = {"bat": "innings", "bowl": "innings", "team": "innings", "concede": "innings", "over": "overs",
          "batter_over": "overs", "stand": "partnerships"}  # fmt: skip
# of a condition that holds or does not: how matches in which it does are called, alone and in a row
HELD_ONCE = {
    "wins": ("in wins", "won"), "losses": ("in defeats", "lost"),
    "tosses_won": ("in matches with the toss won", "with the toss won"),
    "tosses_lost": ("in matches with the toss lost", "with the toss lost"),
    "awards": ("in matches as player of the match", "as player of the match"),
    "titles": ("in won finals", "with a title"),
    "times_all_out": ("in innings all out", "all out"),
}  # fmt: skip
_ONE_OF = {
    "runs": "run", "balls": "ball faced", "fours": "four", "sixes": "six", "boundaries": "boundary",
    "dots": "dot ball", "fifties": "fifty", "hundreds": "hundred", "fifty_plus": "fifty", "wickets": "wicket",
    "maidens": "maiden", "catches": "catch", "stumpings": "stumping", "run_outs": "run-out",
    "wickets_lost": "wicket lost", "team_fours": "four", "team_sixes": "six", "wickets_taken": "wicket taken",
    "over_wickets": "wicket", "over_fours": "four", "over_sixes": "six", "wides": "wide", "noballs": "no-ball",
    "thirty_plus": "score of thirty", "dots_bowled": "dot ball", "sixes_conceded": "six conceded",
    "fours_conceded": "four conceded", "extras": "extra", "extras_conceded": "extra conceded", "wins": "win",
    "losses": "defeat", "awards": "player-of-the-match award",
}  # fmt: skip
_IN_ONE = {"over_runs": "runs", "over_wickets": "wickets", "over_batter_runs": "runs of one batter",
           "over_fours": "fours of one batter", "over_sixes": "sixes of one batter"}  # fmt: skip


def each_words(conditions: tuple[Having, ...], source: str, in_a_row: bool = False, owner: str = "") -> str:
    """Bounds on single innings or matches of a figure's own: 'in innings without a six', in a row 'in a row won'.
    `owner`: whose, where it is not the subject's."""
    of_rows = [h for h in conditions if MEASURES[h.measure].source == source]
    others = [h for h in conditions if h not in of_rows]
    if in_a_row:
        return f"in a row {joined(_each(h, 1, '' if h in of_rows else owner) for h in conditions)}"
    parts = []
    for held, unit, whose in ((of_rows, _UNITS.get(source, "matches"), ""), (others, "matches", owner)):
        said = [h for h in held if not _is_once(h)]
        parts += [
            HELD_ONCE[h.measure][0] if h.measure in HELD_ONCE else "in not-out innings" for h in held if h not in said
        ]
        if said:
            parts.append(f"in {unit} {joined(_each(h, 1, whose) for h in said)}")
    return joined(parts)


def _holds_once(h: Having) -> bool:
    return (h.op, h.value) in ((">=", 1), ("=", 1), (">", 0))


def _holds_never(h: Having) -> bool:
    return (h.op, h.value) in (("=", 0), ("<", 1), ("<=", 0))


def _is_once(h: Having) -> bool:
    never_out = (h.measure == "dismissals" and _holds_never(h)) or (h.measure == "not_outs" and _holds_once(h))
    return never_out or (h.measure in HELD_ONCE and _holds_once(h))


def _each(h: Having, row: int, owner: str) -> str:
    """The condition after 'in innings' or 'in a row'."""
    measure = MEASURES[h.measure]
    whose = f" {owner}" if owner else ""
    if _is_once(h):
        return (HELD_ONCE[h.measure][row] if h.measure in HELD_ONCE else "not out") + whose
    if h.measure == "ducks" and _holds_once(h):
        return f"out for a duck{whose}"
    if h.measure in ("total", "conceded"):
        noun = "total" if h.measure == "total" else "total against"
        return f"with a {noun} of {BOUND[h.op]} {h.value:g}{whose}"
    if measure.kind == "rate":
        less = "less than" if h.op == "<" else BOUND[h.op]
        return f"with {with_article(measure.label)} of {less} {h.value:g}{whose}"
    if h.measure in ("margin_runs", "margin_wickets"):
        return f"won by {BOUND[h.op]} {h.value:g} {h.measure.partition('_')[2]}"
    if _holds_never(h):
        one = _ONE_OF.get(h.measure)
        return (f"without {with_article(one)}" if one else f"with no {measure.label}") + whose
    return f"with {BOUND[h.op]} {h.value:g} {_IN_ONE.get(h.measure, measure.label)}{whose}"
