"""Where each kind of measure reads: its relations, its subject, and the columns behind the dimensions.

Knows the columns of data.query.views; runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """`innings` holds one row per subject and innings; `balls` (where the source has single balls) sums up to it, by
    `keys` besides match, side, innings and subject; `people` holds the rows of `innings` once for each player of the
    side. A source without `innings` is always summed up from its balls."""

    innings: str | None
    subject: str | None = None
    balls: str | None = None
    sums: tuple[str, ...] = ()
    people: str | None = None
    keys: tuple[str, ...] = ()


_TEAM_SUMS = ("runs", "balls", "extras", "wickets", "fours", "sixes", "bye_runs", "legbye_runs", "penalty")
SOURCES: dict[str, Source] = {
    "bat": Source("bat_innings", "batter", "bat_balls", ("runs", "balls", "fours", "sixes", "dots", "outs")),
    "bowl": Source("bowl_innings", "bowler", "bowl_balls",
                   ("runs", "balls", "wickets", "dots", "wide_balls", "no_balls", "wide_runs", "noball_runs", "fours",
                    "sixes", "maidens")),
    "team": Source("team_innings", None, "team_balls", _TEAM_SUMS, keys=("result", "shortened")),
    "concede": Source("concede_innings", None, "concede_balls", _TEAM_SUMS),
    "field": Source("field_balls", "fielder"),
    "stand": Source("stands"),
    "over": Source(None, "bowler", "bowl_balls", ("all_runs", "wickets"), keys=("over",)),
    "batter_over": Source(None, "batter", "bat_balls", ("runs", "fours", "sixes"), keys=("over",)),
    "run": Source("runs_of_balls", "player"),
    "result": Source("results", people="player_results"),
    "no_result": Source("results", people="player_results"),
    "match": Source("results", people="player_results"),
    "person": Source("player_results", "player"),
    "lineup": Source("player_results", "player"),
    "award": Source("awards", "player"),
    "table": Source("standings"),
}  # fmt: skip

PLAYER_KEYS = ("batter", "bowler", "fielder", "player")
# the only measures that a kind of dismissal can be asked of
DISMISSAL_COUNTS = frozenset({"dismissals", "wickets", "wickets_lost", "wickets_taken", "catches", "stumpings",
                              "run_outs", "fielding_dismissals"})  # fmt: skip
_COLUMNS = {"bowling": "pace_or_spin", "kind": "bowling_kind", "match": "match_id"}


def dimension_column(source: str, dimension: str) -> str:
    """The column behind a dimension; data.query.relation checks whether a relation has it."""
    spec = SOURCES[source]
    if dimension in PLAYER_KEYS:
        if spec.people or source in ("person", "lineup") or (source == "award" and dimension == "batter"):
            return "player"
        if dimension == "player":
            return spec.subject or "player"
    return _COLUMNS.get(dimension, dimension)
