"""The stored tables: their columns and types, in order. data/cricsheet/scorebook.py computes them.

Knows nothing about match files, Parquet or questions.
"""

from __future__ import annotations


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (column.split() for column in text.split(","))
    return tuple((name, kind) for name, kind in pairs)


MATCHES = """
    match_id BIGINT, season TEXT, date DATE, number INT, stage TEXT, venue TEXT, city TEXT, team1 TEXT,
    team2 TEXT, toss_winner TEXT, toss_decision TEXT, winner TEXT, result TEXT, margin INT, method TEXT,
    super_over BOOL, overs INT, shortened BOOL, player_of_match TEXT, balls_left INT
"""
INNINGS = """
    match_id BIGINT, innings INT, batting_team TEXT, bowling_team TEXT, runs INT, wickets INT, balls INT,
    quota_balls INT, target INT, all_out BOOL, extras INT, powerplay_overs INT, scheduled_overs INT,
    nrr_balls INT
"""
DELIVERIES = """
    match_id BIGINT, innings INT, over INT, ball INT, seq INT, batting_team TEXT, bowling_team TEXT,
    batter TEXT, bowler TEXT, non_striker TEXT, runs INT, extras INT, total INT, wides INT, noballs INT,
    byes INT, legbyes INT, penalty INT, four BOOL, six BOOL, legal BOOL, faced BOOL, conceded INT,
    wicket BOOL, phase TEXT, position INT, pace_or_spin TEXT, arm TEXT, bowling_kind TEXT,
    batting_hand TEXT, from_end INT, wicket_stand INT
"""
DISMISSALS = """
    match_id BIGINT, innings INT, over INT, ball INT, player_out TEXT, kind TEXT, bowler TEXT,
    credited BOOL, batting_team TEXT, bowling_team TEXT, phase TEXT, wicket_number INT, pace_or_spin TEXT,
    arm TEXT, bowling_kind TEXT, position INT
"""
FIELDING = """
    match_id BIGINT, innings INT, over INT, ball INT, fielder TEXT, kind TEXT, substitute BOOL,
    keeper BOOL, team TEXT, opponent TEXT, player_out TEXT, bowler TEXT, phase TEXT
"""
BATTERS = """
    match_id BIGINT, innings INT, team TEXT, opponent TEXT, batter TEXT, position INT, out BOOL, how TEXT
"""
APPEARANCES = """
    match_id BIGINT, player TEXT, team TEXT, opponent TEXT, substitute BOOL
"""
PLAYERS = """
    player TEXT, name TEXT, display TEXT, full_name TEXT, common_name TEXT, country TEXT, born DATE,
    batting_hand TEXT, bowling_style TEXT, pace_or_spin TEXT, arm TEXT, bowling_kind TEXT, role TEXT,
    keeper BOOL, teams TEXT[]
"""

STORED: dict[str, tuple[tuple[str, str], ...]] = {
    "matches": _columns(MATCHES),
    "innings": _columns(INNINGS),
    "deliveries": _columns(DELIVERIES),
    "super_over_deliveries": _columns(DELIVERIES),
    "dismissals": _columns(DISMISSALS),
    "fielding": _columns(FIELDING),
    "batters": _columns(BATTERS),
    "appearances": _columns(APPEARANCES),
    "players": _columns(PLAYERS),
}

# Order of rows in the files: the same matches give the same bytes in whatever order they were read.
ORDER = {
    "matches": "date, match_id",
    "innings": "match_id, innings",
    "deliveries": "match_id, innings, seq",
    "super_over_deliveries": "match_id, innings, seq",
    "dismissals": "match_id, innings, over, ball, wicket_number",
    "fielding": "match_id, innings, over, ball, player_out, fielder",
    "batters": "match_id, innings, position",
    "appearances": "match_id, team, player",
    "players": "player",
}
