"""The measures: one row each, by source. `LESS_IS_BETTER` names those of which the smaller figure is the better.

A row is (name, label, aggregate, what qualifies it ...) with its kind: a count unless it says otherwise. Ratios of two
counts (`sixes/matches`, `boundary_runs%runs`, `runs%team`) are measures as well; `MEASURES[name]` makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from data.query.language.measure import (
    ROWS,
    WHOLES,
    Aggregate,
    Measure,
    Parts,
    distinct,
    given,
    highest,
    innings_with,
    lowest,
    mean,
    ratio,
    total,
)

BAT_LEAST = ("balls", 100, 30)
BOWL_LEAST = ("balls_bowled", 60, 30)
# Of single innings and spells. Without it the best strike rate in an innings is a six off the only ball; ten balls keep
# those out and Romario Shepherd's 39 off 10 in. Two overs are half of a bowler's share.
LEAST_IN_A_MATCH = {"balls": 10, "balls_bowled": 12}
_BAT_RATE: dict[str, Any] = {"decimals": 2, "kind": "rate", "least": BAT_LEAST}
_BOWL_RATE: dict[str, Any] = {"decimals": 2, "kind": "rate", "least": BOWL_LEAST}
_RATE: dict[str, Any] = {"decimals": 2, "kind": "rate"}
_BEST: dict[str, Any] = {"kind": "best"}
_FACT: dict[str, Any] = {"kind": "fact"}
_EVENT: dict[str, Any] = {"kind": "event"}
_WHOLE: dict[str, Any] = {"per_innings": True}


def _of(source: str) -> Callable[..., Measure]:
    def row(name: str, label: str, aggregate: Aggregate, *shows: str, **more: Any) -> Measure:
        return Measure(name, source, label, aggregate, shows, **more)

    return row


_bat, _bowl, _field, _team, _concede = map(_of, ("bat", "bowl", "field", "team", "concede"))
_result, _table, _stand, _award, _match = map(_of, ("result", "table", "stand", "award", "match"))
_over, _batter_over, _run, _person, _sequence = map(_of, ("over", "batter_over", "run", "person", "sequence"))
_summary = _of("summary")


def _won_by(how: str, column: str) -> Aggregate:
    return highest(f"CASE WHEN won_by = '{how}' AND result = 'won' THEN {column} END")


# fmt: off
_BATTING = (
    _bat("runs", "runs", total("runs"), "balls", "innings"),
    _bat("balls", "balls faced", total("balls"), "innings"),
    _bat("innings", "innings", distinct("(match_id, innings, batter)")),
    _bat("average", "batting average", ratio("runs", "outs"), "runs", "dismissals", "innings",
         decimals=2, kind="rate", least=("innings", 5, 3)),
    _bat("strike_rate", "strike rate", ratio("runs", "balls", 100), "runs", "balls", **_BAT_RATE),
    _bat("fours", "fours", total("fours"), "innings"),
    _bat("sixes", "sixes", total("sixes"), "innings"),
    _bat("boundaries", "boundaries", total("fours + sixes"), "fours", "sixes"),
    _bat("boundary_percent", "boundary percentage", ratio("fours + sixes", "balls", 100), "fours", "sixes", "balls",
         **_BAT_RATE),
    _bat("boundary_runs", "runs in boundaries", total("4 * fours + 6 * sixes"), "fours", "sixes"),
    _bat("balls_per_boundary", "balls per boundary", ratio("balls", "fours + sixes"), "balls", "boundaries",
         **_BAT_RATE),
    _bat("balls_per_six", "balls per six", ratio("balls", "sixes"), "balls", "sixes", **_BAT_RATE),
    _bat("dots", "dot balls faced", total("dots"), "balls"),
    _bat("dot_percent", "dot-ball percentage (batting)", ratio("dots", "balls", 100), "dots", "balls", **_BAT_RATE),
    _bat("dismissals", "dismissals", total("outs"), "innings"),
    _bat("not_outs", "not outs", innings_with("outs = 0"), "innings", **_WHOLE),
    _bat("balls_per_dismissal", "balls per dismissal", ratio("balls", "outs"), "balls", "dismissals", **_BAT_RATE),
    _bat("highest_score", "highest score", highest("runs + CASE WHEN outs = 0 THEN 0.5 ELSE 0 END"), **_BEST),
    _bat("fifties", "fifties", innings_with("runs BETWEEN 50 AND 99"), "innings"),
    _bat("hundreds", "hundreds", innings_with("runs >= 100"), "innings"),
    _bat("fifty_plus", "scores of fifty or more", innings_with("runs >= 50"), "innings"),
    _bat("thirty_plus", "scores of thirty or more", innings_with("runs >= 30"), "innings"),
    _bat("ducks", "ducks", innings_with("runs = 0 AND outs > 0"), "innings", **_WHOLE),
    _bat("golden_ducks", "golden ducks", innings_with("runs = 0 AND outs > 0 AND balls = 1"), "innings", **_WHOLE),
    _bat("balls_to_fifty", "balls to fifty", lowest("reached_50"), **_BEST, **_WHOLE),
    _bat("balls_to_hundred", "balls to a hundred", lowest("reached_100"), **_BEST, **_WHOLE),
    _bat("six_hit", "six", given("sixes > 0"), **_EVENT),
    _bat("four_hit", "four", given("fours > 0"), **_EVENT),
    _bat("wicket_fall", "wicket", given("outs > 0"), **_EVENT),
    _bat("fifty_made", "fifty", given("made < 50 AND made + runs >= 50"), **_EVENT),
    _bat("hundred_made", "hundred", given("made < 100 AND made + runs >= 100"), **_EVENT),
    _bat("winning_hit", "winning hit", given("outs = 0 AND last_ball AND result = 'won' AND won_by = 'wickets'"),
         **_EVENT),
)
_BOWLING = (
    _bowl("wickets", "wickets", total("wickets"), "innings_bowled", "balls_bowled"),
    _bowl("runs_conceded", "runs conceded", total("runs"), "balls_bowled"),
    _bowl("balls_bowled", "balls bowled", total("balls"), "innings_bowled"),
    _bowl("overs_bowled", "overs bowled", total("balls", unit=6), "innings_bowled", **_BEST),
    _bowl("innings_bowled", "innings bowled in", distinct("(match_id, innings, bowler)")),
    _bowl("economy", "economy rate", ratio("runs", "balls", 6), "runs_conceded", "balls_bowled", **_BOWL_RATE),
    _bowl("bowling_average", "bowling average", ratio("runs", "wickets"), "runs_conceded", "wickets", **_BOWL_RATE),
    _bowl("bowling_strike_rate", "bowling strike rate", ratio("balls", "wickets"), "balls_bowled", "wickets",
          **_BOWL_RATE),
    _bowl("dots_bowled", "dot balls bowled", total("dots"), "balls_bowled"),
    _bowl("dot_ball_percent", "dot-ball percentage (bowling)", ratio("dots", "balls", 100), "dots_bowled",
          "balls_bowled", **_BOWL_RATE),
    _bowl("maidens", "maidens", total("maidens"), "innings_bowled"),
    _bowl("best_figures", "best figures", highest("wickets * 1000 - runs"), **_BEST),
    _bowl("three_wicket_hauls", "hauls of three or more", innings_with("wickets >= 3"), "innings_bowled"),
    _bowl("four_wicket_hauls", "hauls of four or more", innings_with("wickets >= 4"), "innings_bowled"),
    _bowl("five_wicket_hauls", "five-wicket hauls", innings_with("wickets >= 5"), "innings_bowled"),
    _bowl("wicketless", "wicketless innings", innings_with("wickets = 0"), "innings_bowled"),
    _bowl("wides", "wides bowled", total("wide_balls"), "balls_bowled"),
    _bowl("noballs", "no-balls", total("no_balls"), "balls_bowled"),
    _bowl("fours_conceded", "fours conceded", total("fours"), "balls_bowled"),
    _bowl("sixes_conceded", "sixes conceded", total("sixes"), "balls_bowled"),
    _bowl("hat_tricks", "hat-tricks", total("hat_tricks"), "innings_bowled"),
    _bowl("wide_runs", "runs in wides", total("wide_runs"), "wides"),
    _bowl("noball_runs", "runs in no-balls", total("noball_runs"), "noballs"),
    _bowl("wides_and_noballs", "runs in wides and no-balls", total("wide_runs + noball_runs"), "wides", "noballs"),
    _bowl("ball_bowled", "ball", given("TRUE"), **_EVENT),
    _over("overs", "overs", ROWS),
    _over("over_runs", "runs in an over", highest("all_runs"), **_BEST),
    _over("over_wickets", "wickets in an over", highest("wickets"), **_BEST),
    _batter_over("overs_batted", "overs", ROWS),
    _batter_over("over_batter_runs", "runs of one batter in an over", highest("runs"), **_BEST),
    _batter_over("over_fours", "fours of one batter in an over", highest("fours"), **_BEST),
    _batter_over("over_sixes", "sixes of one batter in an over", highest("sixes"), **_BEST),
)
_FIELDING = (
    _field("catches", "catches", total("catches")),
    _field("stumpings", "stumpings", total("stumpings")),
    _field("run_outs", "run-outs", distinct("CASE WHEN run_outs > 0 THEN fall END")),
    _field("fielding_dismissals", "dismissals in the field", distinct("fall"), "catches", "stumpings", "run_outs"),
)
_TEAMS = (
    _team("total", "runs (with extras)", total("runs"), "wickets_lost", "innings_played"),
    _team("innings_played", "innings", distinct("(match_id, innings)")),
    _team("wickets_lost", "wickets lost", total("wickets"), "innings_played"),
    _team("highest_total", "highest total", highest("runs * 100 - wickets"), **_BEST),
    _team("lowest_total", "lowest total",
          lowest("CASE WHEN result <> 'no_result' AND shortened = 'no' THEN runs * 100 - wickets END"), **_BEST),
    _team("average_total", "average total", mean("runs"), "innings_played", **_RATE),
    _team("run_rate", "run rate", ratio("runs", "balls", 6), "total", "legal_balls", **_RATE),
    _team("legal_balls", "legal balls", total("balls")),
    _team("extras", "extras", total("extras"), "innings_played"),
    _team("team_fours", "fours", total("fours"), "innings_played"),
    _team("team_sixes", "sixes", total("sixes"), "innings_played"),
    _team("times_all_out", "times all out", total("all_out"), "innings_played", **_WHOLE),
    _concede("conceded", "runs conceded (all extras)", total("runs"), "legal_balls_bowled"),
    _concede("legal_balls_bowled", "legal balls bowled", total("balls")),
    _concede("concede_rate", "runs conceded an over", ratio("runs", "balls", 6), "conceded", "legal_balls_bowled",
             **_RATE),
    _concede("wickets_taken", "wickets taken (run-outs included)", total("wickets")),
    _concede("extras_conceded", "extras conceded", total("extras")),
    _concede("byes", "byes conceded", total("bye_runs")),
    _concede("legbyes", "leg-byes conceded", total("legbye_runs")),
    _concede("penalty_runs", "penalty runs conceded", total("penalty")),
)
_RESULTS = (
    _result("matches", "matches", distinct("match_id")),
    _result("wins", "wins", innings_with("result = 'won'"), "matches"),
    _result("losses", "losses", innings_with("result = 'lost'"), "matches"),
    _result("win_percent", "win percentage", ratio("CASE WHEN result = 'won' THEN 1 ELSE 0 END", "1", 100), "wins",
            "matches", decimals=1, kind="rate"),
    _result("team_matches", "matches of one side or the other", ROWS),
    _result("titles", "titles", innings_with("stage = 'final' AND result = 'won'")),
    Measure("no_results", "no_result", "matches without a result", distinct("match_id")),
    _result("tosses_won", "tosses won", innings_with("toss = 'won'"), "matches"),
    _result("tosses_lost", "tosses lost", innings_with("toss = 'lost'"), "matches"),
    _result("margin_runs", "margin in runs", _won_by("runs", "margin"), **_BEST),
    _result("margin_wickets", "margin in wickets", _won_by("wickets", "margin"), **_BEST),
    _result("balls_left", "balls to spare", _won_by("wickets", "balls_left"), **_BEST),
    _table("points", "points", given("points"), "position", "net_run_rate"),
    _table("net_run_rate", "net run rate", given("net_run_rate"), "points", decimals=3, kind="rate"),
    _table("position", "place in the table", given("position"), "points", **_BEST),
)
_OTHERS = (
    _stand("partnership", "highest partnership", highest("runs + CASE WHEN unbroken THEN 0.5 ELSE 0 END"), **_BEST),
    _stand("stands", "partnerships", ROWS),
    _stand("partnership_runs", "partnership runs", total("runs"), "stands"),
    _stand("partnership_average", "average partnership", mean("runs"), "stands", **_RATE),
    _award("awards", "player-of-the-match awards", ROWS),
    _match("winner", "winner", given("winner"), **_FACT),
    _match("margin", "margin", given("margin"), "winner", **_FACT),
    _match("player_of_match", "player of the match", given("player_of_match"), **_FACT),
    _match("scores", "scores", given("scores"), **_FACT),
    _match("date", "date", given("date"), **_FACT),
    _match("venue", "venue", given("venue"), **_FACT),
    _match("toss", "toss", given("toss"), **_FACT),
    _match("city", "city", given("city"), **_FACT),
    _match("umpires", "umpires", given("umpires"), **_FACT),
    _match("tv_umpire", "television umpire", given("tv_umpire"), **_FACT),
    _match("referee", "match referee", given("referee"), **_FACT),
    _match("super_over", "super over", given("super_over"), **_FACT),
    _person("batting_hand", "bats", given("batting_hand"), **_FACT),
    _person("bowling_style", "bowls", given("bowling_style"), **_FACT),
    _person("country", "country", given("country"), **_FACT),
    _person("role", "role", given("role"), **_FACT),
    _person("born", "born", given("born"), **_FACT),
    _person("sides", "played for", given("sides"), **_FACT),
    Measure("eleven", "lineup", "played as", given("eleven"), kind="fact"),
)
_SEQUENCES = (
    _sequence("streak", "longest streak", given("streak"), kind="streak"),
    _sequence("current_streak", "current streak", given("current_streak"), kind="streak"),
    _run("dot_streak", "dot balls in a row", highest("CASE WHEN kind = 'dot' THEN length END"), **_BEST),
    _run("four_streak", "fours in a row", highest("CASE WHEN kind = 'four' THEN length END"), **_BEST),
    _run("six_streak", "sixes in a row", highest("CASE WHEN kind = 'six' THEN length END"), **_BEST),
    _run("boundary_streak", "boundaries in a row", highest("CASE WHEN kind = 'boundary' THEN length END"), **_BEST),
    _run("wicket_streak", "wickets with successive balls", highest("CASE WHEN kind = 'wicket' THEN length END"),
         **_BEST),
    Measure("count", "number", "count", ROWS, kind="number"),
    _summary("record", "record", given("record"), kind="summary"),
    _summary("batting", "batting", given("batting"), kind="summary"),
    _summary("bowling", "bowling", given("bowling"), kind="summary"),
    _summary("fielding", "fielding", given("fielding"), kind="summary"),
    _summary("squad", "squad", given("squad"), kind="summary"),
    _summary("home_ground", "home ground", given("home_ground"), kind="summary"),
)
# fmt: on


class Measures(dict[str, Measure]):
    """The measures by name. A ratio such as `sixes/matches` is made when it is asked for."""

    def __missing__(self, name: str) -> Measure:
        parts = self.parts(name)
        if parts is None:
            raise KeyError(name)
        above = self[parts.above]
        shows: tuple[str, ...]
        if parts.of_whole:
            whole = "the team's" if parts.below == "team" else "all"
            label, shows = f"share of {whole} {self.whole(parts.above).label} in per cent", (parts.above,)
        elif parts.op == "/":
            label, shows = f"{above.label} per {_SINGULAR.get(parts.below, self[parts.below].label)}", parts.counted
        else:
            label, shows = f"{above.label} in per cent of {self[parts.below].label}", parts.counted
        least = None if parts.of_whole else _PART_LEAST.get(parts.below)
        return Measure(name, above.source, label, given(name), shows, 2, "rate", least, parts=parts)

    def parts(self, name: str) -> Parts | None:
        """How a ratio's name is read; None where it is no ratio of counts."""
        for op in ("/", "%"):
            above, mark, below = name.partition(op)
            whole = op == "%" and below in WHOLES
            if mark and self.counted(above) and (whole or self.counted(below)):
                if below == "matches" and self[above].source == "result":
                    below = "team_matches"  # a win is one side's: of 41 totals of 200, not of the 27 matches with one
                return Parts(above, "/" if op == "/" else "%", below)
        return None

    def counted(self, name: str) -> bool:
        """Whether a measure can be a part of a ratio."""
        return name in self and (self[name].kind == "count" or name == "overs_bowled")

    def whole(self, name: str) -> Measure:
        """What a share is a share of: of a batter's runs the total with extras, of wickets those with run-outs."""
        return self[{"runs": "total", "wickets": "wickets_taken"}.get(name, name)]


# what a leaderboard of a ratio takes, by its divisor
_PART_LEAST: dict[str, tuple[str, int, int]] = {
    "innings": ("innings", 5, 3), "innings_bowled": ("innings_bowled", 5, 3), "matches": ("matches", 5, 3),
    "balls": BAT_LEAST, "balls_bowled": BOWL_LEAST, "overs_bowled": BOWL_LEAST, "runs": ("runs", 100, 30),
    "wickets": ("wickets", 5, 3), "runs_conceded": ("runs_conceded", 100, 30),
}  # fmt: skip
_SINGULAR = {
    "matches": "match", "team_matches": "match", "innings": "innings", "innings_bowled": "innings",
    "innings_played": "innings", "overs_bowled": "over", "wickets": "wicket", "wickets_lost": "wicket",
    "wickets_taken": "wicket", "balls": "ball", "dismissals": "dismissal", "stands": "partnership", "fours": "four",
    "sixes": "six", "boundaries": "boundary",
}  # fmt: skip
MEASURES = Measures((m.name, m) for m in (*_BATTING, *_BOWLING, *_FIELDING, *_TEAMS, *_RESULTS, *_OTHERS, *_SEQUENCES))
# "best" and "better" mean the smaller figure
LESS_IS_BETTER = frozenset({
    "economy", "bowling_average", "bowling_strike_rate", "balls_per_boundary", "balls_per_six", "dot_percent",
    "balls_to_fifty", "balls_to_hundred", "concede_rate", "position",
})  # fmt: skip
