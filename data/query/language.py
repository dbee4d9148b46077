"""The one definition of the query line: its measures, dimensions, filters and decline reasons.

The parser, the GBNF, the documentation table (`python -m data language`), the random lines of the property tests and
the SQL all come from these tables. Knows nothing about text, SQL execution or models.

    strike_rate by batter | phase=death | having balls>=60 | top 3
    runs, wickets | player=P1 team=T1 ; margin | stage=final

A measure is an aggregate over *innings rows*: one row per batter, bowler, fielder or team and innings. Where a
filter or dimension looks at single balls, the engine first sums the balls that pass into such rows, so
`highest_score | phase=powerplay` means the best score within powerplays.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measure:
    """`sql` aggregates innings rows of `source`; `shows` names what qualifies the figure; `least` is the default
    qualification of a leaderboard, (measure, season-long minimum, minimum under narrowing filters)."""

    name: str
    source: str
    sql: str
    label: str
    shows: tuple[str, ...] = ()
    decimals: int = 0
    kind: str = "count"  # count | rate | best | fact
    least: tuple[str, int, int] | None = None
    per_innings: bool = False  # cannot be taken from a part of an innings

    @property
    def additive(self) -> bool:
        return self.kind == "count"


def _m(source: str, *rows: Measure) -> dict[str, Measure]:
    return {row.name: row for row in rows}


BAT_LEAST = ("balls", 100, 30)
BOWL_LEAST = ("balls_bowled", 60, 30)


def _bat(name: str, sql: str, label: str, *shows: str, **more) -> Measure:
    return Measure(name, "bat", sql, label, shows, **more)


def _bowl(name: str, sql: str, label: str, *shows: str, **more) -> Measure:
    return Measure(name, "bowl", sql, label, shows, **more)


def _team(name: str, sql: str, label: str, *shows: str, **more) -> Measure:
    return Measure(name, "team", sql, label, shows, **more)


def _result(name: str, sql: str, label: str, *shows: str, **more) -> Measure:
    return Measure(name, "result", sql, label, shows, **more)


_ALL = [
    # batting
    _bat("runs", "sum(runs)", "runs", "balls", "innings"),
    _bat("balls", "sum(balls)", "balls faced", "innings"),
    _bat("innings", "count(DISTINCT (match_id, innings, batter))", "innings"),
    _bat(
        "average",
        "sum(runs) / nullif(sum(outs), 0)",
        "batting average",
        "runs",
        "dismissals",
        "innings",
        decimals=2,
        kind="rate",
        least=("innings", 5, 3),
    ),
    _bat(
        "strike_rate",
        "100.0 * sum(runs) / nullif(sum(balls), 0)",
        "strike rate",
        "runs",
        "balls",
        decimals=2,
        kind="rate",
        least=BAT_LEAST,
    ),
    _bat("fours", "sum(fours)", "fours", "innings"),
    _bat("sixes", "sum(sixes)", "sixes", "innings"),
    _bat("boundaries", "sum(fours + sixes)", "boundaries", "fours", "sixes"),
    _bat(
        "boundary_percent",
        "100.0 * sum(fours + sixes) / nullif(sum(balls), 0)",
        "boundary percentage",
        "fours",
        "sixes",
        "balls",
        decimals=2,
        kind="rate",
        least=BAT_LEAST,
    ),
    _bat("boundary_runs", "sum(4 * fours + 6 * sixes)", "runs in boundaries", "fours", "sixes"),
    _bat(
        "balls_per_boundary",
        "1.0 * sum(balls) / nullif(sum(fours + sixes), 0)",
        "balls per boundary",
        "balls",
        "boundaries",
        decimals=2,
        kind="rate",
        least=BAT_LEAST,
    ),
    _bat(
        "balls_per_six",
        "1.0 * sum(balls) / nullif(sum(sixes), 0)",
        "balls per six",
        "balls",
        "sixes",
        decimals=2,
        kind="rate",
        least=BAT_LEAST,
    ),
    _bat("dots", "sum(dots)", "dot balls faced", "balls"),
    _bat(
        "dot_percent",
        "100.0 * sum(dots) / nullif(sum(balls), 0)",
        "dot-ball percentage (batting)",
        "dots",
        "balls",
        decimals=2,
        kind="rate",
        least=BAT_LEAST,
    ),
    _bat("dismissals", "sum(outs)", "dismissals", "innings"),
    _bat("not_outs", "sum(CASE WHEN outs = 0 THEN 1 ELSE 0 END)", "not outs", "innings", per_innings=True),
    _bat(
        "balls_per_dismissal",
        "1.0 * sum(balls) / nullif(sum(outs), 0)",
        "balls per dismissal",
        "balls",
        "dismissals",
        decimals=2,
        kind="rate",
        least=BAT_LEAST,
    ),
    _bat("highest_score", "max(runs + CASE WHEN outs = 0 THEN 0.5 ELSE 0 END)", "highest score", kind="best"),
    _bat("fifties", "sum(CASE WHEN runs BETWEEN 50 AND 99 THEN 1 ELSE 0 END)", "fifties", "innings"),
    _bat("hundreds", "sum(CASE WHEN runs >= 100 THEN 1 ELSE 0 END)", "hundreds", "innings"),
    _bat("fifty_plus", "sum(CASE WHEN runs >= 50 THEN 1 ELSE 0 END)", "scores of fifty or more", "innings"),
    _bat("thirty_plus", "sum(CASE WHEN runs >= 30 THEN 1 ELSE 0 END)", "scores of thirty or more", "innings"),
    _bat("ducks", "sum(CASE WHEN runs = 0 AND outs > 0 THEN 1 ELSE 0 END)", "ducks", "innings", per_innings=True),
    _bat(
        "golden_ducks",
        "sum(CASE WHEN runs = 0 AND outs > 0 AND balls = 1 THEN 1 ELSE 0 END)",
        "golden ducks",
        "innings",
        per_innings=True,
    ),
    _bat("balls_to_fifty", "min(reached_50)", "balls to fifty", kind="best", per_innings=True),
    _bat("balls_to_hundred", "min(reached_100)", "balls to a hundred", kind="best", per_innings=True),
    # bowling
    _bowl("wickets", "sum(wickets)", "wickets", "innings_bowled", "balls_bowled"),
    _bowl("runs_conceded", "sum(runs)", "runs conceded", "balls_bowled"),
    _bowl("balls_bowled", "sum(balls)", "balls bowled", "innings_bowled"),
    _bowl("overs_bowled", "sum(balls) / 6.0", "overs bowled", "innings_bowled", kind="best"),
    _bowl("innings_bowled", "count(DISTINCT (match_id, innings, bowler))", "innings bowled in"),
    _bowl(
        "economy",
        "6.0 * sum(runs) / nullif(sum(balls), 0)",
        "economy rate",
        "runs_conceded",
        "balls_bowled",
        decimals=2,
        kind="rate",
        least=BOWL_LEAST,
    ),
    _bowl(
        "bowling_average",
        "1.0 * sum(runs) / nullif(sum(wickets), 0)",
        "bowling average",
        "runs_conceded",
        "wickets",
        decimals=2,
        kind="rate",
        least=BOWL_LEAST,
    ),
    _bowl(
        "bowling_strike_rate",
        "1.0 * sum(balls) / nullif(sum(wickets), 0)",
        "bowling strike rate",
        "balls_bowled",
        "wickets",
        decimals=2,
        kind="rate",
        least=BOWL_LEAST,
    ),
    _bowl("dots_bowled", "sum(dots)", "dot balls bowled", "balls_bowled"),
    _bowl(
        "dot_ball_percent",
        "100.0 * sum(dots) / nullif(sum(balls), 0)",
        "dot-ball percentage (bowling)",
        "dots_bowled",
        "balls_bowled",
        decimals=2,
        kind="rate",
        least=BOWL_LEAST,
    ),
    _bowl("maidens", "sum(maidens)", "maidens", "innings_bowled"),
    _bowl("best_figures", "max(wickets * 1000 - runs)", "best figures", kind="best"),
    _bowl(
        "three_wicket_hauls",
        "sum(CASE WHEN wickets >= 3 THEN 1 ELSE 0 END)",
        "hauls of three or more",
        "innings_bowled",
    ),
    _bowl(
        "four_wicket_hauls", "sum(CASE WHEN wickets >= 4 THEN 1 ELSE 0 END)", "hauls of four or more", "innings_bowled"
    ),
    _bowl("five_wicket_hauls", "sum(CASE WHEN wickets >= 5 THEN 1 ELSE 0 END)", "five-wicket hauls", "innings_bowled"),
    _bowl("wicketless", "sum(CASE WHEN wickets = 0 THEN 1 ELSE 0 END)", "wicketless innings", "innings_bowled"),
    _bowl("wides", "sum(wides)", "wides bowled", "balls_bowled"),
    _bowl("noballs", "sum(noballs)", "no-balls", "balls_bowled"),
    _bowl("fours_conceded", "sum(fours)", "fours conceded", "balls_bowled"),
    _bowl("sixes_conceded", "sum(sixes)", "sixes conceded", "balls_bowled"),
    _bowl("hat_tricks", "sum(hat_tricks)", "hat-tricks", "innings_bowled"),
    # fielding
    Measure("catches", "field", "sum(catches)", "catches", ()),
    Measure("stumpings", "field", "sum(stumpings)", "stumpings", ()),
    Measure("run_outs", "field", "count(DISTINCT CASE WHEN run_outs > 0 THEN fall END)", "run-outs", ()),
    Measure(
        "fielding_dismissals",
        "field",
        "count(DISTINCT fall)",
        "dismissals in the field",
        ("catches", "stumpings", "run_outs"),
    ),
    # a team's innings
    _team("total", "sum(runs)", "runs (with extras)", "wickets_lost", "innings_played"),
    _team("innings_played", "count(DISTINCT (match_id, innings))", "innings"),
    _team("wickets_lost", "sum(wickets)", "wickets lost", "innings_played"),
    _team("highest_total", "max(runs * 100 - wickets)", "highest total", kind="best"),
    _team("lowest_total", "min(runs * 100 - wickets)", "lowest total", kind="best"),
    _team("average_total", "avg(runs)", "average total", "innings_played", decimals=2, kind="rate"),
    _team(
        "run_rate",
        "6.0 * sum(runs) / nullif(sum(balls), 0)",
        "run rate",
        "total",
        "legal_balls",
        decimals=2,
        kind="rate",
    ),
    _team("legal_balls", "sum(balls)", "legal balls"),
    _team("extras", "sum(extras)", "extras", "innings_played"),
    _team("team_fours", "sum(fours)", "fours", "innings_played"),
    _team("team_sixes", "sum(sixes)", "sixes", "innings_played"),
    _team("times_all_out", "sum(all_out)", "times all out", "innings_played", per_innings=True),
    Measure("conceded", "concede", "sum(runs)", "runs conceded (all extras)", ("legal_balls_bowled",)),
    Measure("legal_balls_bowled", "concede", "sum(balls)", "legal balls bowled"),
    Measure(
        "concede_rate",
        "concede",
        "6.0 * sum(runs) / nullif(sum(balls), 0)",
        "runs conceded an over",
        ("conceded", "legal_balls_bowled"),
        2,
        "rate",
    ),
    Measure("wickets_taken", "concede", "sum(wickets)", "wickets taken (run-outs included)", ()),
    Measure("extras_conceded", "concede", "sum(extras)", "extras conceded", ()),
    # results
    _result("matches", "count(DISTINCT match_id)", "matches"),
    _result("wins", "sum(CASE WHEN result = 'won' THEN 1 ELSE 0 END)", "wins", "matches"),
    _result("losses", "sum(CASE WHEN result = 'lost' THEN 1 ELSE 0 END)", "losses", "matches"),
    _result(
        "win_percent",
        "100.0 * sum(CASE WHEN result = 'won' THEN 1 ELSE 0 END) / nullif(count(*), 0)",
        "win percentage",
        "wins",
        "matches",
        decimals=1,
        kind="rate",
    ),
    _result("tosses_won", "sum(CASE WHEN toss = 'won' THEN 1 ELSE 0 END)", "tosses won", "matches"),
    _result("tosses_lost", "sum(CASE WHEN toss = 'lost' THEN 1 ELSE 0 END)", "tosses lost", "matches"),
    _result(
        "margin_runs",
        "max(CASE WHEN won_by = 'runs' AND result = 'won' THEN margin END)",
        "margin in runs",
        kind="best",
    ),
    _result(
        "margin_wickets",
        "max(CASE WHEN won_by = 'wickets' AND result = 'won' THEN margin END)",
        "margin in wickets",
        kind="best",
    ),
    _result(
        "balls_left",
        "max(CASE WHEN won_by = 'wickets' AND result = 'won' THEN balls_left END)",
        "balls to spare",
        kind="best",
    ),
    # league table
    Measure("points", "table", "max(points)", "points", ("position", "net_run_rate")),
    Measure("net_run_rate", "table", "max(net_run_rate)", "net run rate", ("points",), 3, "rate"),
    Measure("position", "table", "max(position)", "place in the table", ("points",), kind="best"),
    # partnerships
    Measure(
        "partnership",
        "stand",
        "max(runs + CASE WHEN unbroken THEN 0.5 ELSE 0 END)",
        "highest partnership",
        (),
        kind="best",
    ),
    Measure("stands", "stand", "count(*)", "partnerships"),
    Measure("partnership_runs", "stand", "sum(runs)", "partnership runs", ("stands",)),
    Measure("partnership_average", "stand", "avg(runs)", "average partnership", ("stands",), 2, "rate"),
    # awards
    Measure("awards", "award", "count(*)", "player-of-the-match awards"),
    # match facts, one row a match
    Measure("winner", "match", "winner", "winner", (), kind="fact"),
    Measure("margin", "match", "margin", "margin", ("winner",), kind="fact"),
    Measure("player_of_match", "match", "player_of_match", "player of the match", (), kind="fact"),
    Measure("scores", "match", "scores", "scores", (), kind="fact"),
    Measure("date", "match", "date", "date", (), kind="fact"),
    Measure("venue", "match", "venue", "venue", (), kind="fact"),
    Measure("toss", "match", "toss", "toss", (), kind="fact"),
]
MEASURES: dict[str, Measure] = {m.name: m for m in _ALL}
# "best" and "better" mean the smaller figure
LESS_IS_BETTER = frozenset({
    "economy", "bowling_average", "bowling_strike_rate", "balls_per_boundary", "balls_per_six", "dot_percent",
    "balls_to_fifty", "balls_to_hundred", "concede_rate", "position",
})  # fmt: skip

# dimension -> what a row of it is
DIMENSIONS: dict[str, str] = {
    "batter": "each batter",
    "bowler": "each bowler",
    "fielder": "each fielder",
    "player": "each player, whatever he did",
    "pair": "the two batters of a partnership",
    "team": "each team (the one that bats, bowls, fields or plays, as the measure says)",
    "opponent": "each opponent",
    "venue": "each ground",
    "match": "each match",
    "innings": "first and second innings",
    "over": "each over, 1 to 20",
    "phase": "powerplay, middle, death",
    "position": "batting position",
    "bowling": "pace and spin",
    "kind": "bowling kind: left_arm_pace, leg_spin ...",
    "hand": "right- and left-handed batters",
    "dismissal": "kind of dismissal",
    "wicket": "wicket of the partnership, 1 to 10",
    "stage": "league, qualifier_1 ... final",
    "result": "won, lost",
    "toss": "toss won, toss lost",
    "home": "home and away",
}

ENUMS: dict[str, tuple[str, ...]] = {
    "innings": ("1", "2"),
    "phase": ("powerplay", "middle", "death"),
    "bowling": (
        "pace",
        "spin",
        "left_arm_pace",
        "right_arm_pace",
        "off_spin",
        "leg_spin",
        "left_arm_orthodox",
        "left_arm_wrist_spin",
        "left_arm",
        "right_arm",
    ),
    "hand": ("left", "right"),
    "dismissal": (
        "caught",
        "bowled",
        "lbw",
        "stumped",
        "run_out",
        "caught_and_bowled",
        "hit_wicket",
        "obstructing_the_field",
        "retired_out",
    ),
    "result": ("won", "lost", "tied", "no_result"),
    "home": ("home", "away"),
    "stage": ("league", "playoffs", "qualifier_1", "eliminator", "qualifier_2", "final"),
    "toss": ("won", "lost"),
    "chose": ("bat", "field"),
    "won_by": ("runs", "wickets"),
    "keeper": ("yes", "no"),
    "shortened": ("yes", "no"),
}


@dataclass(frozen=True)
class FilterKey:
    """`takes`: P player, T team, V venue, D date, range (a or a-b), number (compared), or enum."""

    name: str
    takes: str
    text: str
    ball: bool = False  # looks at single balls
    negatable: bool = field(default=False)


FILTERS: dict[str, FilterKey] = {
    f.name: f
    for f in (
        FilterKey("batter", "P", "the batter", negatable=True),
        FilterKey("bowler", "P", "the bowler", negatable=True),
        FilterKey("fielder", "P", "the fielder", negatable=True),
        FilterKey("player", "P", "the player, whatever he did", negatable=True),
        FilterKey("team", "T", "the team that bats, bowls, fields or plays", negatable=True),
        FilterKey("opponent", "T", "its opponent", negatable=True),
        FilterKey("between", "T", "matches between these two teams"),
        FilterKey("venue", "V", "the ground, or a city's grounds"),
        FilterKey("date", "D", "the day of the match"),
        FilterKey("match", "range", "match number of the league stage"),
        FilterKey("innings", "enum", "1: batting first (bowling first for a bowler), 2: second"),
        FilterKey("overs", "range", "overs a to b, 1-based", ball=True),
        FilterKey("last", "number", "the last n scheduled overs", ball=True),
        FilterKey("phase", "enum", "powerplay, middle or death", ball=True),
        FilterKey("position", "range", "batting position"),
        FilterKey("bowling", "enum", "kind of bowling faced or bowled", ball=True),
        FilterKey("hand", "enum", "the batter's hand", ball=True),
        FilterKey("dismissal", "enum", "kind of dismissal", ball=True),
        FilterKey("wicket", "range", "wicket of the partnership"),
        FilterKey("result", "enum", "won, lost: of the player's or team's own side"),
        FilterKey("home", "enum", "home or away"),
        FilterKey("stage", "enum", "stage of the season"),
        FilterKey("toss", "enum", "toss won or lost by that side"),
        FilterKey("chose", "enum", "what the toss winner chose"),
        FilterKey("won_by", "enum", "matches won by runs or by wickets"),
        FilterKey("margin", "number", "size of the margin"),
        FilterKey("keeper", "enum", "wicket-keepers only, or without them"),
        FilterKey("shortened", "enum", "matches cut short by rain, or full ones"),
        FilterKey("score", "number", "innings of that many runs (batter)"),
        FilterKey("haul", "number", "innings with that many wickets (bowler)"),
        FilterKey("stand", "number", "partnerships of that many runs"),
        FilterKey("total", "number", "own side's innings total"),
        FilterKey("target", "number", "the other side's innings total"),
    )
}

RANKS = ("top", "bottom", "first", "last")  # highest, lowest, earliest, latest
OPERATORS = (">=", "<=", "=", ">", "<")
DECLINES: dict[str, str] = {
    "prediction": "it asks about the future",
    "other_season": "it is about another season or competition",
    "not_recorded": "ball-by-ball data does not record it",
    "opinion": "it asks for an opinion rather than a figure",
    "off_topic": "it is not a question about the season's cricket",
}
