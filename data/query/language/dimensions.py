"""What a question can be split by: the name of each dimension and what a row of it is."""

from __future__ import annotations

DIMENSIONS: dict[str, str] = {
    "batter": "each batter",
    "bowler": "each bowler",
    "fielder": "each fielder",
    "player": "each player, whatever he did",
    "pair": "the two batters of a partnership",
    "team": "each team (the one that bats, bowls, fields or plays, as the measure says)",
    "opponent": "each opponent",
    "venue": "each ground",
    "city": "each city",
    "season": "each season",
    "month": "each month",
    "weekday": "each day of the week",
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
# those whose rows are names; the others are kinds of time, place or play
NAMED = {"batter": "P", "bowler": "P", "fielder": "P", "player": "P", "team": "T", "opponent": "T", "venue": "V"}
