"""The relations that the SQL of a query line reads: every source with the same columns of context.

`create(connection)` makes them once when a season is loaded, from the tables of `data.season`. One row of `context` is
a team's view of a match (result, toss, home, own and other total); balls and innings join it, so that any filter on a
match works for any measure. What has a row a ball is a view: a copy of every ball with its context would take half a
gigabyte over all seasons.

Dismissals are event rows among the balls: runs 0, balls 0, outs 1. One that is not the bowler's (a run-out) has no
bowler and no kind of bowling; its hand, position and innings so far are those of the man out.
"""

from __future__ import annotations

import duckdb

SHARED = (
    "match_id", "ord", "season", "date", "month", "weekday", "number", "half", "stage", "venue", "city", "team",
    "opponent", "home", "toss", "chose", "result", "won_by", "margin", "balls_left", "shortened", "total", "target",
)  # fmt: skip
_SHARED = ", ".join(f"c.{column}" for column in SHARED)

_CONTEXT = """
CREATE TABLE context AS
WITH ordered AS (
  SELECT *, (row_number() OVER (ORDER BY date, number, match_id) - 1)::INT AS ord,
    coalesce(try_cast(season AS INT), year(date))::INT AS year
  FROM matches
), halves AS (SELECT year, count(*) / 2 AS middle FROM ordered WHERE stage = 'league' GROUP BY year)
SELECT t.match_id, m.ord, m.year AS season, m.date, lower(strftime(m.date, '%B')) AS month,
  lower(strftime(m.date, '%A')) AS weekday, m.number,
  CASE WHEN m.stage = 'league' THEN CASE WHEN m.number <= h.middle THEN 1 ELSE 2 END END AS half,
  m.stage, m.venue, m.city, t.team, t.opponent, CASE WHEN t.home THEN 'home' WHEN NOT t.home THEN 'away' END AS home,
  t.innings AS bat_innings, i.innings AS bowl_innings,
  CASE WHEN t.toss_won THEN 'won' WHEN NOT t.toss_won THEN 'lost' END AS toss, m.toss_decision AS chose,
  CASE WHEN t.result = 'abandoned' THEN 'no_result' ELSE t.result END AS result, m.result AS won_by, m.margin,
  m.balls_left, CASE WHEN m.shortened THEN 'yes' ELSE 'no' END AS shortened, t.runs AS total, t.opp_runs AS target,
  t.result <> 'abandoned' AS played
FROM team_matches t JOIN ordered m USING (match_id) LEFT JOIN halves h ON h.year = m.year
LEFT JOIN innings i ON i.match_id = t.match_id AND i.bowling_team = t.team
ORDER BY m.ord, t.team
"""

# What a ball is within its innings and its over. `made` are the batter's runs before the ball, `faced_no` the balls
# that he has faced with it, `left_over` those that he is still to face. A wide or no-ball has the number (`legal_no`)
# of the ball that replaces it. A free hit follows a no-ball, wides between them not counted. A maiden, as in
# data.season.derived, is counted on the first ball of the over.
_DELIVERIES = """
CREATE OR REPLACE TABLE deliveries AS
WITH whole AS (
  SELECT match_id, innings, seq, true AS maiden FROM (
    SELECT match_id, innings, over, min(seq) AS seq, count(DISTINCT bowler) = 1 AND sum(conceded) = 0
      AND (count(*) FILTER (legal) >= 6 OR over < max(max(over)) OVER (PARTITION BY match_id, innings)) AS maiden
    FROM deliveries GROUP BY match_id, innings, over) WHERE maiden
), credited AS (
  SELECT match_id, innings, over, ball, any_value(replace(kind, ' ', '_')) AS dismissal FROM dismissals
  WHERE credited GROUP BY ALL
)
SELECT d.*,
  (1 + count(*) FILTER (legal) OVER (PARTITION BY d.match_id, d.innings, over ORDER BY seq
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))::TINYINT AS legal_no,
  (count(*) FILTER (faced) OVER so_far)::SMALLINT AS faced_no,
  (sum(runs) OVER so_far - runs)::SMALLINT AS made,
  (count(*) FILTER (faced) OVER (PARTITION BY d.match_id, d.innings, batter)
    - count(*) FILTER (faced) OVER so_far)::SMALLINT AS left_over,
  seq = max(seq) OVER (PARTITION BY d.match_id, d.innings) AS last_ball,
  coalesce(last_value(CASE WHEN noballs > 0 THEN true WHEN legal THEN false END IGNORE NULLS) OVER (
    PARTITION BY d.match_id, d.innings ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false)
    AS free_hit,
  coalesce(maiden, false) AS maiden, dismissal
FROM deliveries d LEFT JOIN whole USING (match_id, innings, seq)
LEFT JOIN credited USING (match_id, innings, over, ball)
WINDOW so_far AS (PARTITION BY d.match_id, d.innings, batter ORDER BY seq)
ORDER BY match_id, innings, seq
"""

# Every dismissal with the ball on which it fell; `on_*` is who bowled that ball, also where it is not his wicket,
# `score` the team's runs when it had fallen.
_FALLS = """
CREATE TABLE falls AS
WITH scores AS (
  SELECT *, sum(total) OVER (PARTITION BY match_id, innings ORDER BY seq) AS score FROM deliveries
), events AS (
  SELECT x.match_id, x.innings, x.over, x.ball, d.seq, x.player_out AS batter, replace(x.kind, ' ', '_') AS dismissal,
    x.bowler, x.pace_or_spin, x.arm, x.bowling_kind, x.phase, x.wicket_number, x.position, o.batting_hand AS hand,
    d.from_end, d.wicket_stand AS wicket, CASE WHEN x.player_out = d.batter THEN d.non_striker ELSE d.batter END AS
    partner, d.legal_no, d.last_ball, d.free_hit, d.wides, d.noballs, d.byes, d.legbyes, d.bowler AS on_bowler,
    d.pace_or_spin AS on_pace_or_spin, d.arm AS on_arm, d.bowling_kind AS on_bowling_kind, d.score
  FROM dismissals x JOIN scores d USING (match_id, innings, over, ball) JOIN players o ON o.player = x.player_out
)
SELECT x.*, coalesce(d.faced_no, 0) AS faced_no, 0 AS left_over,
  coalesce(CASE WHEN d.seq = x.seq THEN d.made ELSE d.made + d.runs END, 0) AS made
FROM events x ASOF LEFT JOIN deliveries d
  ON d.match_id = x.match_id AND d.innings = x.innings AND d.batter = x.batter AND d.seq <= x.seq
"""

# Of a bowler's innings what the cards of data.season do not have. A hat-trick is three wickets with three balls in a
# row of one bowler in a match, wides and no-balls between them not counted.
_BOWLED = """
CREATE TABLE bowled AS
WITH balls AS (
  SELECT match_id, innings, bowler, wicket, row_number() OVER (PARTITION BY match_id, bowler ORDER BY innings, seq) AS n
  FROM deliveries WHERE legal OR wicket
), runs AS (
  SELECT match_id, innings, bowler, n - row_number() OVER (PARTITION BY match_id, bowler ORDER BY n) AS streak
  FROM balls WHERE wicket
), tricks AS (
  SELECT match_id, innings, bowler, sum(k) AS hat_tricks FROM (
    SELECT match_id, innings, bowler, count(*) // 3 AS k FROM runs GROUP BY match_id, innings, bowler, streak)
  WHERE k > 0 GROUP BY ALL
)
SELECT match_id, innings, bowler, count(*) FILTER (d.wides > 0) AS wides, count(*) FILTER (d.noballs > 0) AS noballs,
  sum(d.wides) AS wide_runs, sum(d.noballs) AS noball_runs, coalesce(any_value(t.hat_tricks), 0) AS hat_tricks
FROM deliveries d LEFT JOIN tricks t USING (match_id, innings, bowler) GROUP BY ALL
"""

# Of a team's innings likewise. Penalty runs may have been given before or after the balls.
_SCORED = """
CREATE TABLE scored AS
SELECT i.match_id, i.innings, sum(d.four::INT) AS fours, sum(d.six::INT) AS sixes, sum(d.byes) AS bye_runs,
  sum(d.legbyes) AS legbye_runs, sum(d.penalty) + any_value(i.extras) - sum(d.extras) AS penalty
FROM innings i JOIN deliveries d USING (match_id, innings) GROUP BY ALL
"""

# Unbroken rows of balls in an innings, of two and more: a bowler's dots and wickets, a batter's dots, fours, sixes and
# boundaries among the balls that he faced. Wides and no-balls break a row of dots; in one of wickets they do not count.
_RUNS = """
CREATE TABLE ball_runs AS
WITH flags AS (
  SELECT 'dot' AS kind, match_id, innings, NULL AS batter, bowler, seq, conceded = 0 AS flag FROM deliveries
  UNION ALL SELECT 'wicket', match_id, innings, NULL, bowler, seq, wicket FROM deliveries WHERE legal OR wicket
  UNION ALL SELECT unnest(['dot', 'four', 'six', 'boundary']), match_id, innings, batter, NULL, seq,
    unnest([runs = 0, four, six, four OR six]) FROM deliveries WHERE faced
), islands AS (
  SELECT *, row_number() OVER w - sum(flag::INT) OVER w AS island FROM flags
  WINDOW w AS (PARTITION BY kind, match_id, innings, batter, bowler ORDER BY seq)
)
SELECT kind, match_id, innings, batter, bowler, count(*)::SMALLINT AS length, min(seq)::SMALLINT AS first_seq,
  max(seq)::SMALLINT AS last_seq
FROM islands WHERE flag GROUP BY kind, match_id, innings, batter, bowler, island HAVING count(*) > 1
"""

# By figures, as the files do not say who is one.
_ALL_ROUNDERS = """
CREATE TABLE all_rounders AS
SELECT season, player FROM (
  SELECT c.season, b.batter AS player, sum(b.runs) AS runs, 0 AS wickets FROM batting b
    JOIN context c ON c.match_id = b.match_id AND c.team = b.team GROUP BY ALL
  UNION ALL SELECT c.season, b.bowler, 0, sum(b.wickets) FROM bowling b
    JOIN context c ON c.match_id = b.match_id AND c.team = b.team GROUP BY ALL)
GROUP BY ALL HAVING sum(runs) >= 100 AND sum(wickets) >= 5
"""

_AT = """innings, over, ball, seq, from_end, phase, legal_no, last_ball, free_hit, wides, noballs, byes, legbyes,
  faced_no, made, left_over, pace_or_spin, arm, bowling_kind, bowler, batter, position, partner"""
_AT_BALL = ", ".join(f"d.{c.strip()}" for c in _AT.split(",")).replace("d.partner", "d.non_striker AS partner")
_AT_BALL += ", d.wicket_stand AS wicket, d.batting_hand AS hand"
_AT_FALL = ", ".join(f"x.{c.strip()}" for c in _AT.split(",")) + ", x.wicket, x.hand"
_BATTING = "c.match_id = {0}.match_id AND c.bat_innings = {0}.innings"
_FIELDING = "c.match_id = {0}.match_id AND c.bowl_innings = {0}.innings"


def _side(innings: str, balls: str, side: str) -> dict[str, str]:
    """The innings of teams, and their balls, from one side's point of view."""
    return {
        innings: f"""
SELECT {_SHARED}, i.innings, i.runs, i.balls, i.extras, i.wickets, i.all_out::INT AS all_out, s.fours, s.sixes,
  s.bye_runs, s.legbye_runs, s.penalty
FROM innings i JOIN context c ON {side.format("i")}
LEFT JOIN scored s ON s.match_id = i.match_id AND s.innings = i.innings""",
        balls: f"""
SELECT {_SHARED}, {_AT_BALL}, d.total AS runs, d.legal::INT AS balls, d.extras, d.four::INT AS fours,
  d.six::INT AS sixes, d.byes AS bye_runs, d.legbyes AS legbye_runs, d.penalty, 0 AS wickets, NULL AS dismissal
FROM deliveries d JOIN context c ON {side.format("d")}
UNION ALL
SELECT {_SHARED}, {_AT_FALL}, 0, 0, 0, 0, 0, 0, 0, 0, 1, x.dismissal
FROM falls x JOIN context c ON {side.format("x")}""",
    }


_VIEWS = {
    "bat_balls": f"""
SELECT {_SHARED}, {_AT_BALL}, d.runs, d.faced::INT AS balls, d.four::INT AS fours, d.six::INT AS sixes,
  (d.faced AND d.runs = 0)::INT AS dots, 0 AS outs, NULL AS dismissal
FROM deliveries d JOIN context c ON {_BATTING.format("d")}
UNION ALL
SELECT {_SHARED}, {_AT_FALL}, 0, 0, 0, 0, 0, 1, x.dismissal
FROM falls x JOIN context c ON {_BATTING.format("x")}""",
    "bat_innings": f"""
SELECT {_SHARED}, b.innings, b.batter, b.position, b.runs, b.balls, b.fours, b.sixes, b.dots, b.out::INT AS outs,
  b.reached_50, b.reached_100, p.batting_hand AS hand
FROM batting b JOIN players p ON p.player = b.batter JOIN context c ON {_BATTING.format("b")}""",
    "bowl_balls": f"""
SELECT {_SHARED}, {_AT_BALL}, d.conceded AS runs, d.legal::INT AS balls, d.wicket::INT AS wickets,
  (d.conceded = 0)::INT AS dots, d.four::INT AS fours, d.six::INT AS sixes, d.maiden::INT AS maidens, d.dismissal,
  (d.wides > 0)::INT AS wide_balls, (d.noballs > 0)::INT AS no_balls, d.wides AS wide_runs, d.noballs AS noball_runs,
  d.total AS all_runs
FROM deliveries d JOIN context c ON {_FIELDING.format("d")}""",
    "bowl_innings": f"""
SELECT {_SHARED}, b.innings, b.bowler, b.runs, b.balls, b.wickets, b.dots, w.wides AS wide_balls, w.noballs AS
  no_balls, w.wide_runs, w.noball_runs, b.fours, b.sixes, b.maidens, w.hat_tricks, p.pace_or_spin, p.arm, p.bowling_kind
FROM bowling b JOIN players p ON p.player = b.bowler JOIN context c ON {_FIELDING.format("b")}
JOIN bowled w ON w.match_id = b.match_id AND w.innings = b.innings AND w.bowler = b.bowler""",
    **_side("team_innings", "team_balls", _BATTING),
    **_side("concede_innings", "concede_balls", _FIELDING),
    # A substitute's catch is his side's but not on his own record; `fall` numbers the dismissals, as two men may share
    # in a run-out.
    "field_balls": f"""
SELECT {_SHARED}, x.innings, CASE WHEN NOT f.substitute THEN f.fielder END AS fielder, x.on_bowler AS bowler, x.batter,
  x.over, x.ball, x.seq, x.legal_no, x.last_ball, x.free_hit, x.wides, x.noballs, x.byes, x.legbyes, x.phase,
  x.from_end, x.on_pace_or_spin AS pace_or_spin, x.on_arm AS arm, x.on_bowling_kind AS bowling_kind, x.hand,
  x.dismissal, CASE WHEN f.keeper THEN 'yes' ELSE 'no' END AS keeper, (f.kind = 'catch')::INT AS catches,
  (f.kind = 'stumping')::INT AS stumpings, (f.kind = 'run_out')::INT AS run_outs,
  (x.match_id, x.innings, x.wicket_number) AS fall
FROM fielding f JOIN falls x ON x.match_id = f.match_id AND x.innings = f.innings AND x.over = f.over
  AND x.ball = f.ball AND x.batter = f.player_out
JOIN context c ON {_FIELDING.format("x")}""",
    "stands": f"""
SELECT {_SHARED}, p.innings, p.wicket, p.batter1, p.batter2,
  list_value(least(batter1, batter2), greatest(batter1, batter2)) AS pair, p.runs, p.balls, p.unbroken
FROM partnerships p JOIN context c ON {_BATTING.format("p")}""",
    "results": f"""
SELECT {_SHARED}, c.bat_innings AS innings, c.bowl_innings, c.played FROM context c""",
    "player_results": f"""
SELECT {_SHARED}, c.bat_innings AS innings, c.bowl_innings, c.played, a.player, a.substitute
FROM context c JOIN appearances a ON a.match_id = c.match_id AND a.team = c.team""",
    "awards": f"""
SELECT {_SHARED}, c.bat_innings AS innings, m.player_of_match AS player
FROM matches m JOIN appearances a ON a.match_id = m.match_id AND a.player = m.player_of_match
JOIN context c ON c.match_id = m.match_id AND c.team = a.team""",
    "runs_of_balls": f"""
SELECT {_SHARED}, r.innings, r.batter, r.bowler, coalesce(r.batter, r.bowler) AS player, r.kind, r.length, r.first_seq,
  r.last_seq
FROM ball_runs r JOIN context c ON c.match_id = r.match_id
  AND CASE WHEN r.bowler IS NULL THEN c.bat_innings ELSE c.bowl_innings END = r.innings""",
}


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the relations in `connection`, which holds a loaded season's tables."""
    for sql in (_CONTEXT, _DELIVERIES, _FALLS, _BOWLED, _SCORED, _RUNS, _ALL_ROUNDERS):
        connection.execute(sql)
    for name, sql in _VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
