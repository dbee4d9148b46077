"""The numbers that people name with a measure: 400 runs of a batter, 20 wickets of a bowler, 25 sixes of a match.

level(rng, "runs")  ->  350
level(rng, "sixes", "match")  ->  20
"""

from __future__ import annotations

import random

from data.text import ordinal

_ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth".split()

_TENS = [20, 30, 40, 50, 60, 75, 80, 100]
_FEW = [2, 3, 4, 5, 6]
# of a player in a season
_PLAYER: dict[str, list[int]] = {
    "runs": [100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 700], "balls": [100, 150, 200, 250, 300, 400],
    "innings": [5, 8, 10, 12, 14], "fours": [10, 20, 25, 30, 40, 50, 60], "sixes": [5, 10, 15, 20, 25, 30, 35, 40],
    "boundaries": _TENS, "boundary_runs": [100, 150, 200, 250, 300, 400], "dots": [50, 75, 100, 120, 150],
    "dismissals": [5, 8, 10, 12], "not_outs": _FEW, "fifties": [1, 2, 3, 4, 5], "hundreds": [1, 2],
    "fifty_plus": _FEW, "thirty_plus": [3, 4, 5, 6, 8], "ducks": [1, 2, 3, 4], "golden_ducks": [1, 2],
    "wickets": [5, 8, 10, 12, 15, 16, 18, 20, 22, 25], "runs_conceded": [150, 200, 250, 300, 350, 400, 450, 500],
    "balls_bowled": [60, 100, 120, 150, 200, 240, 300], "overs_bowled": [10, 15, 20, 25, 30, 40, 50],
    "innings_bowled": [5, 8, 10, 12, 14], "dots_bowled": [30, 50, 75, 100, 120, 150], "maidens": [1, 2],
    "three_wicket_hauls": [1, 2, 3, 4], "four_wicket_hauls": [1, 2], "five_wicket_hauls": [1, 2],
    "wicketless": _FEW, "wides": [5, 8, 10, 15, 20], "noballs": [2, 3, 5], "fours_conceded": [15, 20, 30, 40],
    "sixes_conceded": [5, 10, 15, 20, 25], "hat_tricks": [1, 2], "catches": [3, 5, 8, 10, 12],
    "stumpings": [1, 2, 3, 4], "run_outs": [1, 2, 3, 4], "fielding_dismissals": [5, 8, 10, 12, 15],
    "awards": [1, 2, 3, 4, 5],
}  # fmt: skip
# of a team in a season
_TEAM: dict[str, list[int]] = {
    "runs": [1500, 1800, 2000, 2200, 2500], "sixes": [50, 80, 100, 120, 150], "fours": [100, 150, 180, 200, 250],
    "fifty_plus": [8, 10, 12, 15], "hundreds": [1, 2, 3], "wickets": [50, 60, 70, 75, 80, 90], "ducks": [5, 8, 10],
    "catches": [40, 50, 60, 70], "total": [1800, 2000, 2200, 2400, 2500], "wickets_lost": [60, 70, 80, 90],
    "extras": [80, 100, 120, 150], "team_fours": [150, 180, 200, 250], "team_sixes": [80, 100, 120, 150],
    "times_all_out": [1, 2, 3, 4, 5], "conceded": [2000, 2200, 2400, 2500], "wickets_taken": [60, 70, 75, 80, 90],
    "extras_conceded": [80, 100, 120, 150], "wins": [4, 5, 6, 7, 8, 9, 10], "losses": [4, 5, 6, 7, 8, 9, 10],
    "tosses_won": [5, 6, 7, 8, 10], "tosses_lost": [5, 6, 7, 8, 10], "points": [8, 10, 12, 14, 16, 18, 20],
}  # fmt: skip
_MATCH: dict[str, list[int]] = {
    "runs": [300, 350, 400, 450, 500], "total": [300, 350, 400, 450, 500], "sixes": [10, 15, 20, 25, 30, 40],
    "team_sixes": [10, 15, 20, 25, 30, 40], "fours": [20, 25, 30, 35, 40], "team_fours": [20, 25, 30, 35, 40],
    "wickets": [8, 10, 12, 15], "fifty_plus": [2, 3, 4], "hundreds": [1, 2], "extras": [10, 15, 20, 25, 30],
    "ducks": [2, 3, 4], "catches": [5, 8, 10, 12], "wides": [5, 8, 10, 15],
}  # fmt: skip
_VENUE: dict[str, list[int]] = {
    "runs": [1000, 1500, 2000, 2500, 3000], "sixes": [50, 75, 100, 150, 200], "fours": [100, 150, 200, 250],
    "wickets": [40, 50, 75, 80, 100], "hundreds": [1, 2, 3], "fifty_plus": [5, 10, 15, 20], "matches": [5, 6, 7, 8, 9],
    "total": [1000, 1500, 2000, 2500, 3000], "team_sixes": [50, 75, 100, 150, 200], "catches": [20, 30, 50, 75],
}  # fmt: skip
_RATES: dict[str, list[float]] = {
    "average": [20, 25, 30, 35, 40, 45, 50], "strike_rate": [120, 125, 130, 140, 150, 160, 175, 180, 200],
    "boundary_percent": [15, 20, 25, 30], "dot_percent": [25, 30, 35, 40], "balls_per_boundary": [4, 4.5, 5, 6, 8],
    "balls_per_six": [8, 10, 12, 15, 20], "balls_per_dismissal": [15, 20, 25, 30],
    "economy": [6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 11], "bowling_average": [15, 18, 20, 25, 30, 35],
    "bowling_strike_rate": [12, 15, 18, 20, 24], "dot_ball_percent": [25, 30, 35, 40], "win_percent": [40, 50, 60, 70],
    "run_rate": [8, 8.5, 9, 9.5, 10, 10.5], "average_total": [160, 170, 175, 180, 190, 200],
    "concede_rate": [8, 8.5, 9, 9.5, 10], "net_run_rate": [0.1, 0.2, 0.5, 1], "partnership_average": [20, 25, 30],
}  # fmt: skip
_OF = {"team": _TEAM, "match": _MATCH, "venue": _VENUE}


def level(rng: random.Random, measure: str, by: str = "player") -> float | None:
    """A number of the measure that a player (team, match or ground, as `by` says) might have; None where nobody would
    name one. Counts are integers."""
    return rng.choice(known) if (known := levels(measure, by)) else None


def levels(measure: str, by: str = "player") -> list[int] | list[float]:
    """The numbers that `level` chooses from."""
    return _OF.get(by, _PLAYER).get(measure) or _RATES.get(measure, [])


def spoken_ordinal(rng: random.Random, n: int) -> str:
    """2nd, second: as people write it."""
    return _ORDINALS[n] if n < len(_ORDINALS) and rng.random() < 0.45 else ordinal(n)
