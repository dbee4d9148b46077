"""The SQL behind every filter: conditions on the columns of data.query.views. Runs nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from data.query.query import Filter, QueryError
from data.query.sources import PLAYER_KEYS, SOURCES, dimension_column

_SPANS = {"overs": "over", "match": "number", "position": "position", "wicket": "wicket", "ball": "legal_no"}
_MOST = {"last": "from_end", "first_balls": "faced_no", "last_balls": "left_over + 1"}
_DAYS = {"after": ">", "before": "<", "from": ">=", "to": "<="}
_EXTRAS = {"wide": "wides", "noball": "noballs", "bye": "byes", "legbye": "legbyes"}
_THRESHOLDS = {"score": ("bat", "runs"), "haul": ("bowl", "wickets"), "stand": ("stand", "runs")}
# whose origin, and whether he is an all-rounder, is asked: the subject's, or one of the two at the ball
_PERSONS = {"origin": None, "all_rounder": None, "batter_origin": "batter", "bowler_origin": "bowler"}


@dataclass(frozen=True)
class Condition:
    """`sql` with its parameters, over a relation that has `column`."""

    column: str
    sql: str
    parameters: tuple[str, ...] = ()


def threshold(source: str, f: Filter) -> str | None:
    """SQL over innings rows for score, haul and stand, or None if the filter is no such threshold."""
    if f.key not in _THRESHOLDS:
        return None
    wanted, column = _THRESHOLDS[f.key]
    if wanted != source:
        things = {"bat": "a batter's", "bowl": "a bowler's", "stand": "partnership"}[wanted]
        raise QueryError(f"{f} goes with {things} figures only: leave it out, or ask for those")
    return f"{column} {f.op} {number(f)}"


# scores level: a side that then wins the super over has won as well
_TIED = "match_id IN (SELECT match_id FROM matches WHERE result = 'tie')"


def condition(source: str, f: Filter, keys: tuple[str, ...], by_player: bool = False, duel: bool = False) -> Condition:
    """The SQL of a filter; `keys` are its resolved values, `by_player` says that the rows are single players'. In a
    `duel` (a batter's figures off a named bowler, or the other way round) a side may be meant from either man's point
    of view."""
    marks = ",".join("?" * len(keys)) or "NULL"
    no = "NOT " if f.op == "!=" else ""
    if f.key in PLAYER_KEYS:
        return _of_player(source, f, keys, by_player)
    if duel and f.key in ("team", "opponent") and f.op == "=":
        return Condition("opponent", f"(team IN ({marks}) OR opponent IN ({marks}))", keys * 2)
    if f.key == "partner":
        if source == "stand":
            return Condition("batter1", f"(batter1 IN ({marks}) OR batter2 IN ({marks}))", keys * 2)
        return Condition("partner", f"partner IN ({marks})", keys)
    if f.key in ("with", "without"):
        no = "NOT " if f.key == "without" else ""
        inner = f"SELECT match_id FROM appearances WHERE player IN ({marks})"
        return Condition("match_id", f"match_id {no}IN ({inner})", keys)
    if f.key in ("team", "opponent", "venue"):
        return Condition(f.key, f"{f.key} {no}IN ({marks})", keys)
    if f.key == "between":
        return Condition("opponent", f"(team IN ({marks}) AND opponent IN ({marks}))", keys * 2)
    if f.key == "date":
        return Condition("date", f"date {no}IN ({marks})", tuple(day(f, k) for k in keys))
    if f.key in _DAYS:
        tests = _all(f"date {_DAYS[f.key]} CAST(? AS DATE)" for _ in keys)
        return Condition("date", tests, tuple(day(f, k) for k in keys))
    if f.key in _SPANS:
        column = _SPANS[f.key]
        return Condition(column, no + within(column, f))
    if f.key in _MOST:
        if f.op != "=":
            raise QueryError(f"{f}: {f.key} takes '=' only, such as {f.key}=3")
        return Condition(_MOST[f.key].split()[0], f"{_MOST[f.key]} <= {number(f)}")
    if f.key == "from_score":
        return Condition("made", f"made >= {number(f)}")
    if f.key in ("margin", "total", "target"):
        return Condition(f.key, f"{f.key} {f.op} {number(f)}")
    return _of_words(source, f, no)


def _of_player(source: str, f: Filter, keys: tuple[str, ...], by_player: bool) -> Condition:
    marks = ",".join("?" * len(keys)) or "NULL"
    no = "NOT " if f.op == "!=" else ""
    if source == "stand" and f.key in ("batter", "player"):
        return Condition("batter1", f"{no}(batter1 IN ({marks}) OR batter2 IN ({marks}))", keys * 2)
    spec = SOURCES[source]
    in_side = f.key == "player" if source in ("team", "concede") else bool(spec.people)
    if in_side and not by_player:
        inner = f"SELECT match_id, team FROM appearances WHERE player IN ({marks})"
        return Condition("team", f"(match_id, team) {no}IN ({inner})", keys)
    column = dimension_column(source, f.key)
    nobody = f"{column} IS NULL OR " if no else ""  # a run-out is no bowler's: not his either
    return Condition(column, f"({nobody}{column} {no}IN ({marks}))", keys)


def _of_words(source: str, f: Filter, no: str) -> Condition:
    if f.key == "bowling":
        return Condition("bowling_kind", _any(_bowling(v) for v in f.values))
    if f.key == "stage":
        tests = (("stage <> 'league'" if v == "playoffs" else f"stage = '{v}'") for v in f.values)
        return Condition("stage", no + _any(tests))
    if f.key == "weekday":
        weekend = "weekday IN ('saturday', 'sunday')"
        kinds = {"weekend": weekend, "weekday": f"NOT {weekend}"}
        return Condition("weekday", no + _any(kinds.get(v, f"weekday = '{v}'") for v in f.values))
    if f.key == "extra":
        return Condition("wides", _any(f"{_EXTRAS[v]} > 0" for v in f.values))
    if f.key in ("last_ball", "free_hit"):
        return Condition(f.key, _any(f.key if v == "yes" else f"NOT {f.key}" for v in f.values))
    if f.key in _PERSONS:
        return _of_person(source, f)
    if f.key == "keeper" and source != "field":
        person = subject_column(source)
        tests = ("" if v == "yes" else "NOT " for v in f.values)
        return Condition(person, _any(f"{person} {t}IN (SELECT player FROM players WHERE keeper)" for t in tests))
    if f.key == "result":
        return Condition("result", no + _any(_TIED if v == "tied" else f"result = '{v}'" for v in f.values))
    values = (v if f.key in ("innings", "half") else f"'{v}'" for v in f.values)
    return Condition(f.key, f"{f.key} {no}IN ({','.join(values)})")


def _of_person(source: str, f: Filter) -> Condition:
    """Where a player comes from, or what he is by figures."""
    person = _PERSONS[f.key] or subject_column(source)
    if f.key == "all_rounder":
        inner = f"(season, {person}) {{}}IN (SELECT season, player FROM all_rounders)"
        return Condition(person, _any(inner.format("" if v == "yes" else "NOT ") for v in f.values))
    tests = (f"country {'=' if v == 'indian' else '<>'} 'India'" for v in f.values)
    return Condition(person, f"{person} IN (SELECT player FROM players WHERE {_any(tests)})")


def subject_column(source: str) -> str:
    """Whose figure a row of the source is, where it is a person's."""
    return SOURCES[source].subject or "player"


def seasons_condition(years: tuple[int, ...]) -> Condition:
    """The seasons that a question is about."""
    return Condition("season", f"season IN ({', '.join(map(str, years))})")


def _any(tests: Iterable[str]) -> str:
    return f"({' OR '.join(tests)})"


def _all(tests: Iterable[str]) -> str:
    return f"({' AND '.join(tests)})"


def number(f: Filter) -> str:
    if len(f.values) > 1:
        raise QueryError(f"{f}: {f.key} takes one number")
    return f"{float(f.values[0]):g}"


def spans(f: Filter) -> list[tuple[int, int | None]]:
    """The ranges of a filter; an open one has no end."""
    found: list[tuple[int, int | None]] = []
    for value in f.values:
        low, dash, high = value.partition("-")
        if high and int(high) < int(low):
            raise QueryError(f"{f}: the range {value} is reversed, write {f.key}={high}-{low}")
        found.append((int(low), int(high) if high else None if dash else int(low)))
    return found


def within(column: str, f: Filter) -> str:
    """SQL: the column is in one of the filter's ranges."""
    return _any(f"{column} >= {low}" if high is None else f"{column} BETWEEN {low} AND {high}"
                for low, high in spans(f))  # fmt: skip


def day(f: Filter, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise QueryError(f"{f}: {value!r} is no day: write it as 2024-04-24") from None


def _bowling(value: str) -> str:
    if value in ("pace", "spin"):
        return f"pace_or_spin = '{value}'"
    if value in ("left_arm", "right_arm"):
        return f"arm = '{value.removesuffix('_arm')}'"
    if value.endswith("_arm_pace"):
        return f"(arm = '{value.split('_')[0]}' AND pace_or_spin = 'pace')"
    return f"bowling_kind = '{value}'"
