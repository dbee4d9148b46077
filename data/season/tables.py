"""The stored tables: their columns and types, in order. data/cricsheet/scorebook.py computes them.

Knows nothing about match files, Parquet or questions.
"""

from __future__ import annotations


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    pairs = (column.split() for column in text.split(","))
    return tuple((name, kind) for name, kind in pairs)


# One row per season. `season` is its year (2008 for Cricsheet's `label` 2007/08), `first_season` the year of the first
# of the league's yearly seasons; `neutral` is true if no team was at home, `points_table` if the rules of
# data/season/standings.py are the league's.
SEASONS = """
    season TEXT, title TEXT, label TEXT, league TEXT, first_season INT, overs INT, neutral BOOL,
    points_table BOOL
"""
# What each team was called in a season; `franchise` is the same for all names of a team.
TEAM_NAMES = """
    season TEXT, franchise TEXT, name TEXT, short TEXT
"""
MATCHES = """
    match_id BIGINT, season TEXT, date DATE, number INT, stage TEXT, venue TEXT, city TEXT, team1 TEXT,
    team2 TEXT, toss_winner TEXT, toss_decision TEXT, winner TEXT, result TEXT, margin INT, method TEXT,
    super_over BOOL, overs INT, shortened BOOL, player_of_match TEXT, balls_left INT, umpire1 TEXT,
    umpire2 TEXT, tv_umpire TEXT, reserve_umpire TEXT, referee TEXT
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
    "seasons": _columns(SEASONS),
    "team_names": _columns(TEAM_NAMES),
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

# Tables that only some seasons have: those imported from a feed (data/feed), which knows more than the matches. All are
# as the feed has them; squads and careers are of the day on which it was saved, so later than the season.
SQUADS = """
    season TEXT, team TEXT, player TEXT, name TEXT, short_name TEXT, country TEXT, born DATE,
    batting_style TEXT, bowling_style TEXT, role TEXT
"""
AWARDS = """
    season TEXT, award TEXT, match_id BIGINT, player TEXT
"""
CAREER_BATTING = """
    player TEXT, name TEXT, format TEXT, matches INT, innings INT, not_outs INT, runs INT, balls INT, highest INT,
    hundreds INT, fifties INT, fours INT, sixes INT, average DOUBLE, strike_rate DOUBLE, catches INT, stumpings INT
"""
CAREER_BOWLING = """
    player TEXT, name TEXT, format TEXT, matches INT, innings INT, balls INT, runs INT, wickets INT,
    best_innings TEXT, best_match TEXT, economy DOUBLE, average DOUBLE, strike_rate DOUBLE, four_wickets INT,
    five_wickets INT, ten_wickets INT
"""
# A shot's `seq` is that of its delivery, NULL where the rows of an innings are not as many as its deliveries.
SHOTS = """
    match_id BIGINT, innings INT, seq INT, batter TEXT, bowler TEXT, runs INT, x DOUBLE, y DOUBLE, zone TEXT
"""
SUPPLEMENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "squads": _columns(SQUADS),
    "match_awards": _columns(AWARDS),
    "career_batting": _columns(CAREER_BATTING),
    "career_bowling": _columns(CAREER_BOWLING),
    "shots": _columns(SHOTS),
}

# Order of rows in the files: the same matches give the same bytes in whatever order they were read.
ORDER = {
    "seasons": "season",
    "team_names": "season, franchise",
    "matches": "date, match_id",
    "innings": "match_id, innings",
    "deliveries": "match_id, innings, seq",
    "super_over_deliveries": "match_id, innings, seq",
    "dismissals": "match_id, innings, over, ball, wicket_number",
    "fielding": "match_id, innings, over, ball, player_out, fielder",
    "batters": "match_id, innings, position",
    "appearances": "match_id, team, player",
    "players": "player",
    "squads": "season, team, player",
    "match_awards": "season, match_id, award",
    "career_batting": "player, format",
    "career_bowling": "player, format",
    "shots": "match_id, innings, seq",
}

_PLAYERS = {"player", "batter", "bowler", "non_striker", "player_out", "fielder", "player_of_match"}
_TEAMS = {"team", "opponent", "batting_team", "bowling_team", "team1", "team2", "winner", "toss_winner"}
_OFFICIALS = {"umpire1", "umpire2", "tv_umpire", "reserve_umpire", "referee"}
# Columns of few distinct values, which DuckDB holds in one or two bytes as an ENUM instead of 16 as text.
_REPEATED = {"season", "stage", "venue", "city", "toss_decision", "result", "method", "phase", "pace_or_spin", "arm",
             "bowling_kind", "batting_hand", "kind", "how"}  # fmt: skip


def enum_of(column: str) -> str | None:
    """The ENUM type of a text column in a loaded season; columns that are compared share one. None: plain text."""
    if column in _PLAYERS:
        return "player_id"
    if column in _TEAMS:
        return "team_name"
    if column in _OFFICIALS:
        return "official_name"
    return f"{column}_value" if column in _REPEATED else None
