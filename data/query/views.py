"""The relations that the SQL of a query line reads: every source with the same columns of context.

`create(connection)` makes them once when a season is loaded, from the tables of `data.season`. One row of `context` is a
team's view of a match (result, toss, home, own and other total); balls and innings join it on (match_id, team), so that
any filter on a match works for any measure. Dismissals are event rows among the balls: runs 0, balls 0, outs 1.
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
"""

_SHARED = """c.match_id, c.date, c.number, c.stage, c.venue, c.city, c.team, c.opponent, c.home, c.toss, c.chose, c.result,
  c.won_by, c.margin, c.balls_left, c.shortened, c.total, c.target"""

_BALL = """d.over, d.from_end, d.phase, d.pace_or_spin, d.arm, d.bowling_kind, d.batting_hand AS hand,
  d.wicket_stand AS wicket, d.bowler"""

_TABLES = {
    "bat_balls": f"""
SELECT {_SHARED}, d.innings, d.batter, d.position, {_BALL}, d.runs, d.faced::INT AS balls, d.four::INT AS fours,
  d.six::INT AS sixes, (d.faced AND d.runs = 0)::INT AS dots, 0 AS outs, NULL AS dismissal
FROM deliveries d JOIN context c ON c.match_id = d.match_id AND c.team = d.batting_team
UNION ALL
SELECT {_SHARED}, d.innings, x.player_out, x.position, {_BALL.replace("d.bowler", "CASE WHEN x.credited THEN d.bowler END AS bowler")},
  0, 0, 0, 0, 0, 1, replace(x.kind, ' ', '_')
FROM dismissals x JOIN deliveries d USING (match_id, innings, over, ball)
JOIN context c ON c.match_id = x.match_id AND c.team = x.batting_team""",
    "bat_innings": f"""
SELECT {_SHARED}, b.innings, b.batter, b.position, b.runs, b.balls, b.fours, b.sixes, b.dots, b.out::INT AS outs,
  b.reached_50, b.reached_100, p.batting_hand AS hand
FROM batting b JOIN players p ON p.player = b.batter JOIN context c ON c.match_id = b.match_id AND c.team = b.team""",
    "bowl_balls": f"""
SELECT {_SHARED}, d.innings, d.batter, d.position, {_BALL}, d.conceded AS runs, d.legal::INT AS balls, d.wicket::INT AS wickets,
  (d.conceded = 0)::INT AS dots, d.wides, d.noballs, d.four::INT AS fours, d.six::INT AS sixes,
  (v.maiden AND row_number() OVER (PARTITION BY d.match_id, d.innings, d.over ORDER BY d.seq) = 1)::INT AS maidens,
  CASE WHEN d.wicket THEN (SELECT replace(any_value(x.kind), ' ', '_') FROM dismissals x
    WHERE x.match_id = d.match_id AND x.innings = d.innings AND x.over = d.over AND x.ball = d.ball AND x.credited) END AS dismissal
FROM deliveries d JOIN context c ON c.match_id = d.match_id AND c.team = d.bowling_team
JOIN (SELECT match_id, innings, over, count(DISTINCT bowler) = 1 AND sum(conceded) = 0 AND sum(legal::INT) >= 6 AS maiden
      FROM deliveries GROUP BY ALL) v ON v.match_id = d.match_id AND v.innings = d.innings AND v.over = d.over""",
    "bowl_innings": f"""
SELECT {_SHARED}, b.innings, b.bowler, b.runs, b.balls, b.wickets, b.dots, b.wides, b.noballs, b.fours, b.sixes, b.maidens,
  coalesce(h.hat_tricks, 0) AS hat_tricks
FROM bowling b JOIN context c ON c.match_id = b.match_id AND c.team = b.team
LEFT JOIN hat_tricks h ON h.match_id = b.match_id AND h.innings = b.innings AND h.bowler = b.bowler""",
    "team_balls": f"""
SELECT {_SHARED}, d.innings, d.batter, d.position, {_BALL}, d.total AS runs, d.legal::INT AS balls, d.extras, d.four::INT AS fours,
  d.six::INT AS sixes, 0 AS wickets, NULL AS dismissal
FROM deliveries d JOIN context c ON c.match_id = d.match_id AND c.team = d.batting_team
UNION ALL
SELECT {_SHARED}, d.innings, x.player_out, x.position, {_BALL}, 0, 0, 0, 0, 0, 1, replace(x.kind, ' ', '_')
FROM dismissals x JOIN deliveries d USING (match_id, innings, over, ball)
JOIN context c ON c.match_id = x.match_id AND c.team = x.batting_team""",
    "team_innings": f"""
SELECT {_SHARED}, i.innings, i.runs, i.balls, i.extras, i.wickets, s.fours, s.sixes
FROM innings i JOIN context c ON c.match_id = i.match_id AND c.team = i.batting_team
LEFT JOIN (SELECT match_id, innings, sum(four::INT) AS fours, sum(six::INT) AS sixes FROM deliveries GROUP BY ALL) s
  ON s.match_id = i.match_id AND s.innings = i.innings""",
    "field_balls": f"""
SELECT {_SHARED}, f.innings, f.fielder, f.bowler, f.player_out AS batter, f.over, f.phase, d.from_end, d.pace_or_spin, d.arm,
  d.bowling_kind, d.batting_hand AS hand, NULL AS dismissal, CASE WHEN f.keeper THEN 'yes' ELSE 'no' END AS keeper,
  (f.kind = 'catch')::INT AS catches, (f.kind = 'stumping')::INT AS stumpings, (f.kind = 'run_out')::INT AS run_outs
FROM fielding f JOIN deliveries d USING (match_id, innings, over, ball)
JOIN context c ON c.match_id = f.match_id AND c.team = f.team""",
    "stands": f"""
SELECT {_SHARED}, p.innings, p.wicket, p.batter1, p.batter2, p.runs, p.balls, p.unbroken
FROM partnerships p JOIN context c ON c.match_id = p.match_id AND c.team = p.team""",
    "results": f"""
SELECT {_SHARED}, c.bat_innings AS innings FROM context c""",
    "awards": f"""
SELECT {_SHARED}, c.bat_innings AS innings, m.player_of_match AS player
FROM matches m JOIN player_matches pm ON pm.match_id = m.match_id AND pm.player = m.player_of_match
JOIN context c ON c.match_id = m.match_id AND c.team = pm.team""",
}

_HELPERS = """
CREATE TABLE player_matches AS
SELECT DISTINCT match_id, player, team FROM (
  SELECT match_id, batter AS player, batting_team AS team FROM deliveries
  UNION SELECT match_id, non_striker, batting_team FROM deliveries
  UNION SELECT match_id, bowler, bowling_team FROM deliveries
  UNION SELECT match_id, fielder, team FROM fielding WHERE NOT substitute);
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
    connection.execute(_HELPERS)
    for name, sql in _TABLES.items():
        connection.execute(f"CREATE TABLE {name} AS {sql}")
    for name in ("team_balls", "team_innings"):  # the same innings seen by the side in the field
        sql = _TABLES[name].replace("c.team = d.batting_team", "c.team = d.bowling_team")
        sql = sql.replace("c.team = x.batting_team", "c.team = x.bowling_team")
        sql = sql.replace("c.team = i.batting_team", "c.team = i.bowling_team")
        connection.execute(f"CREATE TABLE {name.replace('team', 'concede')} AS {sql}")
