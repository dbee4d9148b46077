"""Where each kind of measure reads: its relations, its subject, and the SQL behind every filter.

Knows the columns of data.query.views; runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from data.query.line import Filter, QueryError


@dataclass(frozen=True)
class Source:
    """`innings` holds one row per subject and innings; `balls` (where the source has single balls) sums up to it;
    `people` holds the rows of `innings` once for each player of the side."""

    innings: str
    subject: str | None = None
    balls: str | None = None
    sums: tuple[str, ...] = ()
    people: str | None = None


SOURCES: dict[str, Source] = {
    "bat": Source("bat_innings", "batter", "bat_balls", ("runs", "balls", "fours", "sixes", "dots", "outs")),
    "bowl": Source("bowl_innings", "bowler", "bowl_balls",
                   ("runs", "balls", "wickets", "dots", "wides", "noballs", "fours", "sixes", "maidens")),
    "team": Source("team_innings", None, "team_balls", ("runs", "balls", "extras", "wickets", "fours", "sixes")),
    "concede": Source("concede_innings", None, "concede_balls",
                      ("runs", "balls", "extras", "wickets", "fours", "sixes")),
    "field": Source("field_balls", "fielder"),
    "stand": Source("stands"),
    "result": Source("results", people="player_results"),
    "match": Source("results", people="player_results"),
    "award": Source("awards", "player"),
    "table": Source("standings"),
}  # fmt: skip

PLAYER_KEYS = ("batter", "bowler", "fielder", "player")
# the only measures that a kind of dismissal can be asked of
DISMISSAL_COUNTS = frozenset({"dismissals", "wickets", "wickets_lost", "wickets_taken", "catches", "stumpings",
                              "run_outs", "fielding_dismissals"})  # fmt: skip
_COLUMNS = {"bowling": "pace_or_spin", "kind": "bowling_kind", "match": "match_id"}
_SPANS = {"overs": "over", "match": "number", "position": "position", "wicket": "wicket"}
_THRESHOLDS = {"score": ("bat", "runs"), "haul": ("bowl", "wickets"), "stand": ("stand", "runs")}


@dataclass(frozen=True)
class Condition:
    """`sql` with its parameters, over a relation that has `column`."""

    column: str
    sql: str
    parameters: tuple[str, ...] = ()


def dimension_column(source: str, dimension: str) -> str:
    """The column behind a dimension; data.query.relation checks whether a relation has it."""
    if dimension in PLAYER_KEYS:
        if SOURCES[source].people or (source == "award" and dimension == "batter"):
            return "player"
        if dimension == "player":
            return SOURCES[source].subject or "player"
    return _COLUMNS.get(dimension, dimension)


def threshold(source: str, f: Filter) -> str | None:
    """SQL over innings rows for score, haul and stand, or None if the filter is no such threshold."""
    if f.key not in _THRESHOLDS:
        return None
    wanted, column = _THRESHOLDS[f.key]
    if wanted != source:
        things = {"bat": "a batter's", "bowl": "a bowler's", "stand": "partnership"}[wanted]
        raise QueryError(f"{f} goes with {things} figures only: leave it out, or ask for those")
    return f"{column} {f.op} {_number(f)}"


def condition(source: str, f: Filter, keys: tuple[str, ...], by_player: bool = False, duel: bool = False) -> Condition:
    """The SQL of a filter; `keys` are its resolved values, `by_player` says that the rows are single players'. In a
    `duel` (a batter's figures off a named bowler, or the other way round) a side may be meant from either man's point
    of view."""
    marks = ",".join("?" * len(keys)) or "NULL"
    no = "NOT " if f.op == "!=" else ""
    if f.key in PLAYER_KEYS:
        if source == "stand" and f.key in ("batter", "player"):
            return Condition("batter1", f"{no}(batter1 IN ({marks}) OR batter2 IN ({marks}))", keys * 2)
        in_side = f.key == "player" if source in ("team", "concede") else bool(SOURCES[source].people)
        if in_side and not by_player:
            inner = f"SELECT match_id, team FROM appearances WHERE player IN ({marks})"
            return Condition("team", f"(match_id, team) {no}IN ({inner})", keys)
        column = dimension_column(source, f.key)
        nobody = f"{column} IS NULL OR " if no else ""  # a run-out is no bowler's: not his either
        return Condition(column, f"({nobody}{column} {no}IN ({marks}))", keys)
    if duel and f.key in ("team", "opponent") and f.op == "=":
        return Condition("opponent", f"(team IN ({marks}) OR opponent IN ({marks}))", keys * 2)
    if f.key in ("team", "opponent", "venue"):
        return Condition(f.key, f"{f.key} {no}IN ({marks})", keys)
    if f.key == "between":
        return Condition("opponent", f"(team IN ({marks}) AND opponent IN ({marks}))", keys * 2)
    if f.key == "date":
        return Condition("date", f"date IN ({marks})", tuple(_day(f, k) for k in keys))
    if f.key in _SPANS:
        column = _SPANS[f.key]
        return Condition(column, _any(f"{column} BETWEEN {low} AND {high}" for low, high in _spans(f)))
    if f.key == "last":
        if f.op != "=":
            raise QueryError(f"{f}: last takes '=' only, such as last=3 for the last three overs")
        return Condition("from_end", f"from_end <= {_number(f)}")
    if f.key in ("margin", "total", "target"):
        return Condition(f.key, f"{f.key} {f.op} {_number(f)}")
    if f.key == "bowling":
        return Condition("bowling_kind", _any(_bowling(v) for v in f.values))
    if f.key == "stage":
        return Condition("stage", _any("stage <> 'league'" if v == "playoffs" else f"stage = '{v}'" for v in f.values))
    if f.key == "keeper" and source != "field":
        subject = SOURCES[source].subject or "player"
        tests = ("" if v == "yes" else "NOT " for v in f.values)
        return Condition(subject, _any(f"{subject} {t}IN (SELECT player FROM players WHERE keeper)" for t in tests))
    values = (v if f.key == "innings" else f"'{v}'" for v in f.values)
    return Condition(f.key, f"{f.key} IN ({','.join(values)})")


def _any(tests) -> str:
    return f"({' OR '.join(tests)})"


def _number(f: Filter) -> str:
    if len(f.values) > 1:
        raise QueryError(f"{f}: {f.key} takes one number")
    return f"{float(f.values[0]):g}"


def _spans(f: Filter) -> list[tuple[int, int]]:
    spans = []
    for value in f.values:
        low, _, high = value.partition("-")
        if high and int(high) < int(low):
            raise QueryError(f"{f}: the range {value} is reversed, write {f.key}={high}-{low}")
        spans.append((int(low), int(high or low)))
    return spans


def _day(f: Filter, value: str) -> str:
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
