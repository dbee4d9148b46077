"""The relations that the SQL of a query line reads: every source with the same columns of context.

`create(connection)` makes them once when a season is loaded, from the tables of `data.season`. One row of `context`
is a team's view of a match (result, toss, home, own and other total); balls and innings join it on (match_id,
team), so that any filter on a match works for any measure. Dismissals are event rows among the balls: runs 0, balls
0, outs 1. One that is not the bowler's (a run-out) has no bowler and no kind of bowling; its hand and position are
those of the man out.
"""

from __future__ import annotations

import duckdb

_CONTEXT_SQL = """
CREATE TABLE context AS
SELECT t.match_id, m.date, m.number, m.stage, m.venue, m.city, t.team, t.opponent,
  CASE WHEN t.home THEN 'home' WHEN NOT t.home THEN 'away' END AS home, t.innings AS bat_innings,
  CASE WHEN t.toss_won THEN 'won' ELSE 'lost' END AS toss, m.toss_decision AS chose, t.result,
  m.result AS won_by, m.margin, m.balls_left, CASE WHEN m.shortened THEN 'yes' ELSE 'no' END AS shortened,
  t.runs AS total, t.opp_runs AS target
FROM team_matches t JOIN matches m USING (match_id) WHERE t.result <> 'abandoned'
ORDER BY m.date, m.match_id
"""

_SHARED = """c.match_id, c.date, c.number, c.stage, c.venue, c.city, c.team, c.opponent, c.home, c.toss, c.chose,
  c.result, c.won_by, c.margin, c.balls_left, c.shortened, c.total, c.target"""

_AT = "d.innings, d.over, d.ball, d.from_end, d.phase, d.wicket_stand AS wicket"
_BOWLED = "d.bowler, d.pace_or_spin, d.arm, d.bowling_kind, d.batter, d.position, d.batting_hand AS hand"
_OUT = """x.bowler, x.pace_or_spin, x.arm, x.bowling_kind, x.player_out, x.position, o.batting_hand AS hand"""
_OUT_FROM = """FROM dismissals x JOIN deliveries d USING (match_id, innings, over, ball)
JOIN players o ON o.player = x.player_out"""

# Maidens as in data.season.derived, counted on the first ball of the over. Wides and no-balls count deliveries, not runs.
_OVERS = """SELECT match_id, innings, seq FROM (
  SELECT match_id, innings, over, min(seq) AS seq, count(DISTINCT bowler) = 1 AND sum(conceded) = 0
    AND (count(*) FILTER (legal) >= 6 OR over < max(max(over)) OVER (PARTITION BY match_id, innings)) AS maiden
  FROM deliveries GROUP BY match_id, innings, over) WHERE maiden"""

_TABLES = {
    "bat_balls": f"""
SELECT {_SHARED}, {_AT}, {_BOWLED}, d.runs, d.faced::INT AS balls, d.four::INT AS fours, d.six::INT AS sixes,
  (d.faced AND d.runs = 0)::INT AS dots, 0 AS outs, NULL AS dismissal
FROM deliveries d JOIN context c ON c.match_id = d.match_id AND c.team = d.batting_team
UNION ALL
SELECT {_SHARED}, {_AT}, {_OUT}, 0, 0, 0, 0, 0, 1, replace(x.kind, ' ', '_')
{_OUT_FROM} JOIN context c ON c.match_id = x.match_id AND c.team = x.batting_team""",
    "bat_innings": f"""
SELECT {_SHARED}, b.innings, b.batter, b.position, b.runs, b.balls, b.fours, b.sixes, b.dots, b.out::INT AS outs,
  b.reached_50, b.reached_100, p.batting_hand AS hand
FROM batting b JOIN players p ON p.player = b.batter JOIN context c ON c.match_id = b.match_id AND c.team = b.team
ORDER BY c.date, c.match_id""",
    "bowl_balls": f"""
SELECT {_SHARED}, {_AT}, {_BOWLED}, d.conceded AS runs, d.legal::INT AS balls, d.wicket::INT AS wickets,
  (d.conceded = 0)::INT AS dots, (d.wides > 0)::INT AS wides, (d.noballs > 0)::INT AS noballs, d.four::INT AS fours,
  d.six::INT AS sixes, (v.seq IS NOT NULL)::INT AS maidens, replace(x.kind, ' ', '_') AS dismissal
FROM deliveries d JOIN context c ON c.match_id = d.match_id AND c.team = d.bowling_team
LEFT JOIN ({_OVERS}) v ON v.match_id = d.match_id AND v.innings = d.innings AND v.seq = d.seq
LEFT JOIN (SELECT * FROM dismissals WHERE credited) x
  ON x.match_id = d.match_id AND x.innings = d.innings AND x.over = d.over AND x.ball = d.ball""",
    "bowl_innings": f"""
SELECT {_SHARED}, b.innings, b.bowler, b.runs, b.balls, b.wickets, b.dots, w.wides, w.noballs, b.fours, b.sixes,
  b.maidens, coalesce(h.hat_tricks, 0) AS hat_tricks, p.pace_or_spin, p.arm, p.bowling_kind
FROM bowling b JOIN players p ON p.player = b.bowler JOIN context c ON c.match_id = b.match_id AND c.team = b.team
JOIN (SELECT match_id, innings, bowler, count(*) FILTER (wides > 0) AS wides, count(*) FILTER (noballs > 0) AS noballs
      FROM deliveries GROUP BY ALL) w ON w.match_id = b.match_id AND w.innings = b.innings AND w.bowler = b.bowler
LEFT JOIN hat_tricks h ON h.match_id = b.match_id AND h.innings = b.innings AND h.bowler = b.bowler
ORDER BY c.date, c.match_id""",
    "team_balls": f"""
SELECT {_SHARED}, {_AT}, {_BOWLED}, d.total AS runs, d.legal::INT AS balls, d.extras, d.four::INT AS fours,
  d.six::INT AS sixes, 0 AS wickets, NULL AS dismissal
FROM deliveries d JOIN context c ON c.match_id = d.match_id AND c.team = d.batting_team
UNION ALL
SELECT {_SHARED}, {_AT}, {_OUT}, 0, 0, 0, 0, 0, 1, replace(x.kind, ' ', '_')
{_OUT_FROM} JOIN context c ON c.match_id = x.match_id AND c.team = x.batting_team""",
    "team_innings": f"""
SELECT {_SHARED}, i.innings, i.runs, i.balls, i.extras, i.wickets, i.all_out::INT AS all_out, s.fours, s.sixes
FROM innings i JOIN context c ON c.match_id = i.match_id AND c.team = i.batting_team
LEFT JOIN (SELECT match_id, innings, sum(four::INT) AS fours, sum(six::INT) AS sixes FROM deliveries GROUP BY ALL) s
  ON s.match_id = i.match_id AND s.innings = i.innings
ORDER BY c.date, c.match_id""",
    # A substitute's catch is his side's but not on his own record; `fall` numbers the dismissals, as two men may share
    # in a run-out.
    "field_balls": f"""
SELECT {_SHARED}, f.innings, CASE WHEN NOT f.substitute THEN f.fielder END AS fielder, f.bowler, f.player_out AS batter,
  f.over, f.ball, f.phase, d.from_end, d.pace_or_spin, d.arm, d.bowling_kind, o.batting_hand AS hand,
  replace(x.kind, ' ', '_') AS dismissal, CASE WHEN f.keeper THEN 'yes' ELSE 'no' END AS keeper,
  (f.kind = 'catch')::INT AS catches, (f.kind = 'stumping')::INT AS stumpings, (f.kind = 'run_out')::INT AS run_outs,
  dense_rank() OVER (ORDER BY f.match_id, f.innings, f.over, f.ball, f.player_out) AS fall
FROM fielding f JOIN deliveries d USING (match_id, innings, over, ball)
JOIN dismissals x ON x.match_id = f.match_id AND x.innings = f.innings AND x.over = f.over AND x.ball = f.ball
  AND x.player_out = f.player_out
JOIN players o ON o.player = f.player_out
JOIN context c ON c.match_id = f.match_id AND c.team = f.team""",
    "stands": f"""
SELECT {_SHARED}, p.innings, p.wicket, p.batter1, p.batter2,
  list_value(least(batter1, batter2), greatest(batter1, batter2)) AS pair, p.runs, p.balls, p.unbroken
FROM partnerships p JOIN context c ON c.match_id = p.match_id AND c.team = p.team
ORDER BY c.date, c.match_id""",
    "results": f"""
SELECT {_SHARED}, c.bat_innings AS innings FROM context c""",
    "player_results": f"""
SELECT {_SHARED}, c.bat_innings AS innings, a.player
FROM context c JOIN appearances a ON a.match_id = c.match_id AND a.team = c.team""",
    "awards": f"""
SELECT {_SHARED}, c.bat_innings AS innings, m.player_of_match AS player
FROM matches m JOIN appearances a ON a.match_id = m.match_id AND a.player = m.player_of_match
JOIN context c ON c.match_id = m.match_id AND c.team = a.team""",
}

_HAT_TRICKS = """
CREATE TABLE hat_tricks AS
WITH balls AS (
  SELECT match_id, innings, bowler, wicket, row_number() OVER (PARTITION BY match_id, bowler ORDER BY innings, seq) AS n
  FROM deliveries WHERE legal OR wicket),
runs AS (
  SELECT match_id, innings, bowler, n - row_number() OVER (PARTITION BY match_id, bowler ORDER BY n) AS streak
  FROM balls WHERE wicket)
SELECT match_id, innings, bowler, sum(k) AS hat_tricks FROM (
  SELECT match_id, innings, bowler, count(*) // 3 AS k FROM runs GROUP BY match_id, innings, bowler, streak)
WHERE k > 0 GROUP BY ALL
"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the relations in `connection`, which holds a loaded season's tables."""
    connection.execute(_CONTEXT_SQL)
    connection.execute(_HAT_TRICKS)
    for name, sql in _TABLES.items():
        connection.execute(f"CREATE TABLE {name} AS {sql}")
    for name in ("team_balls", "team_innings"):  # the same innings seen by the side in the field
        sql = _TABLES[name].replace("c.team = d.batting_team", "c.team = d.bowling_team")
        sql = sql.replace("c.team = x.batting_team", "c.team = x.bowling_team")
        sql = sql.replace("c.team = i.batting_team", "c.team = i.bowling_team")
        connection.execute(f"CREATE TABLE {name.replace('team', 'concede')} AS {sql}")
