"""The filters: their names, what they take, and the words of those that take one of a few."""

from __future__ import annotations

from dataclasses import dataclass

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
    negatable: bool = False


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
