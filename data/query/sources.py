"""Where each kind of measure reads: its relations, its subject and the columns behind dimensions and filters."""

from __future__ import annotations

from dataclasses import dataclass

from data.query.line import Filter


@dataclass(frozen=True)
class Source:
    """`innings` holds one row per subject and innings; `balls` (where the source has single balls) sums up to it."""

    innings: str
    subject: str | None = None
    balls: str | None = None
    sums: tuple[str, ...] = ()


SOURCES: dict[str, Source] = {
    "bat": Source("bat_innings", "batter", "bat_balls", ("runs", "balls", "fours", "sixes", "dots", "outs")),
    "bowl": Source("bowl_innings", "bowler", "bowl_balls",
                   ("runs", "balls", "wickets", "dots", "wides", "noballs", "fours", "sixes", "maidens")),
    "team": Source("team_innings", None, "team_balls", ("runs", "balls", "extras", "wickets", "fours", "sixes")),
    "concede": Source("concede_innings", None, "concede_balls",
                      ("runs", "balls", "extras", "wickets", "fours", "sixes")),
    "field": Source("field_balls", "fielder"),
    "stand": Source("stands", None),
    "result": Source("results", None),
    "match": Source("results", None),
    "award": Source("awards", "player"),
    "table": Source("standings", None),
}

_COLUMNS = {"bowling": "pace_or_spin", "kind": "bowling_kind", "match": "match_id", "pair": "pair"}
_BOWLING = {"pace": "pace_or_spin", "spin": "pace_or_spin", "left_arm": "arm", "right_arm": "arm"}
_THRESHOLDS = {"score": "bat", "haul": "bowl", "stand": "stand"}
_THRESHOLD_COLUMN = {"score": "runs", "haul": "wickets", "stand": "runs"}
PLAYER_KEYS = ("batter", "bowler", "fielder", "player")


def dimension_column(source: str, dimension: str) -> str:
    """The column behind a dimension; the engine checks whether a relation has it."""
    if dimension in PLAYER_KEYS:
        subject = SOURCES[source].subject
        if dimension == "player" or (source == "award" and dimension == "batter"):
            return subject or "player"
    return _COLUMNS.get(dimension, dimension)


def threshold(source: str, f: Filter) -> str | None:
    """SQL over innings rows for score, haul and stand, or None if the filter is no such threshold."""
    if f.key not in _THRESHOLDS:
        return None
    if _THRESHOLDS[f.key] != source:
        return ""
    return f"{_THRESHOLD_COLUMN[f.key]} {f.op} {float(f.values[0]):g}"


def condition(source: str, f: Filter, keys: list[str], duel: bool = False) -> tuple[str, str, list[str]]:
    """(column needed, SQL, parameters) of a filter; `keys` are its resolved values. In a `duel` (a batter's figures
    off a named bowler, or the other way round) a side may be meant from either man's point of view."""
    marks = ",".join("?" * len(keys))
    no = "NOT " if f.op == "!=" else ""
    if f.key in PLAYER_KEYS:
        if source == "stand":
            return "batter1", f"{no}(batter1 IN ({marks}) OR batter2 IN ({marks}))", keys * 2
        if source in ("result", "match", "team", "concede") and f.key == "player":
            inner = f"SELECT match_id, team FROM player_matches WHERE player IN ({marks})"
            return "team", f"(match_id, team) {no}IN ({inner})", keys
        column = dimension_column(source, f.key)
        return column, f"{column} {no}IN ({marks})", keys
    if duel and f.key in ("team", "opponent") and f.op == "=":
        return "opponent", f"(team IN ({marks}) OR opponent IN ({marks}))", keys * 2
    if f.key in ("team", "opponent", "venue"):
        return f.key, f"{f.key} {no}IN ({marks})", keys
    if f.key == "between":
        return "opponent", f"(team IN ({marks}) AND opponent IN ({marks}))", keys * 2
    if f.key == "date":
        return "date", f"date IN ({','.join(['?::DATE'] * len(keys))})", keys
    if f.key in ("overs", "position", "wicket", "match"):
        column = {"overs": "over", "match": "number"}.get(f.key, f.key)
        spans = []
        for value in f.values:
            low, _, high = value.partition("-")
            spans.append(f"{column} BETWEEN {int(low)} AND {int(high or low)}")
        return column, f"({' OR '.join(spans)})", []
    if f.key == "last":
        return "from_end", f"from_end <= {int(float(f.values[0]))}", []
    if f.key in ("margin", "total", "target"):
        return f.key, f"{f.key} {f.op} {float(f.values[0]):g}", []
    if f.key == "bowling":
        tests, needed = [], "bowling_kind"
        for value in f.values:
            if value in ("left_arm_pace", "right_arm_pace"):
                tests.append(f"(arm = '{value.split('_')[0]}' AND pace_or_spin = 'pace')")
            else:
                tests.append(f"{_BOWLING.get(value, 'bowling_kind')} = '{value.removesuffix('_arm')}'")
        sql = f"({' OR '.join(tests)})"
        # a run-out is not that bowler's wicket
        return needed, sql + (" AND (outs = 0 OR bowler IS NOT NULL)" if source == "bat" else ""), []
    if f.key == "stage" and "playoffs" in f.values:
        return "stage", "stage <> 'league'", []
    if f.key == "keeper" and source != "field":
        subject = SOURCES[source].subject or "player"
        wanted = "" if f.values == ("yes",) else "NOT "
        return subject, f"{subject} {wanted}IN (SELECT player FROM players WHERE keeper)", []
    column = {"hand": "hand"}.get(f.key, f.key)
    values = [int(v) if f.key == "innings" else v for v in f.values]
    return column, f"{column} IN ({','.join(repr(v) for v in values)})", []
