"""SQL of the derived tables: batting and bowling figures per innings, partnerships, a row per team and match.

Knows nothing about files; every statement reads only the stored tables of a loaded season.
"""

from __future__ import annotations

import duckdb

BATTING = """
CREATE TABLE batting AS
WITH faced AS (
    SELECT match_id, innings, batter, runs, faced, four, six,
           sum(runs) OVER so_far AS score, count(*) FILTER (faced) OVER so_far AS balls
    FROM deliveries
    WINDOW so_far AS (PARTITION BY match_id, innings, batter ORDER BY seq)
), cards AS (
    SELECT match_id, innings, batter, sum(runs)::INT AS runs, (count(*) FILTER (faced))::INT AS balls,
           (count(*) FILTER (four))::INT AS fours, (count(*) FILTER (six))::INT AS sixes,
           (count(*) FILTER (faced AND runs = 0))::INT AS dots,
           (min(balls) FILTER (score >= 50))::INT AS reached_50,
           (min(balls) FILTER (score >= 100))::INT AS reached_100
    FROM faced GROUP BY ALL
)
SELECT b.match_id, b.innings, b.team, b.opponent, b.batter, b.position, coalesce(c.runs, 0) AS runs,
       coalesce(c.balls, 0) AS balls, coalesce(c.fours, 0) AS fours, coalesce(c.sixes, 0) AS sixes,
       coalesce(c.dots, 0) AS dots, b.out, b.how, c.reached_50, c.reached_100
FROM batters b LEFT JOIN cards c USING (match_id, innings, batter)
ORDER BY b.match_id, b.innings, b.position
"""

# A maiden is a complete over of one bowler off which he conceded nothing; an over that another follows is complete even
# if the umpire miscounted it.
BOWLING = """
CREATE TABLE bowling AS
WITH overs AS (
    SELECT match_id, innings, over, count(DISTINCT bowler) = 1 AND sum(conceded) = 0
           AND (count(*) FILTER (legal) >= 6 OR over < max(max(over)) OVER (PARTITION BY match_id, innings))
               AS maiden
    FROM deliveries GROUP BY match_id, innings, over
), credited AS (
    SELECT match_id, innings, bowler, count(*)::INT AS wickets FROM dismissals WHERE credited GROUP BY ALL
), cards AS (
    SELECT match_id, innings, bowling_team AS team, batting_team AS opponent, bowler,
           (count(*) FILTER (legal))::INT AS balls, sum(conceded)::INT AS runs,
           (count(*) FILTER (conceded = 0))::INT AS dots, sum(wides)::INT AS wides, sum(noballs)::INT AS noballs,
           (count(DISTINCT over) FILTER (maiden))::INT AS maidens,
           (count(*) FILTER (four))::INT AS fours, (count(*) FILTER (six))::INT AS sixes
    FROM deliveries JOIN overs USING (match_id, innings, over) GROUP BY ALL
)
SELECT match_id, innings, team, opponent, bowler, balls, runs, coalesce(wickets, 0) AS wickets, dots, wides,
       noballs, maidens, fours, sixes
FROM cards LEFT JOIN credited USING (match_id, innings, bowler)
ORDER BY match_id, innings, bowler
"""

# A partnership is a run of deliveries with the same pair and number of wickets down: when a batter retires hurt, the
# next pair's partnership is for the same wicket. batter1 is the one who came in first.
PARTNERSHIPS = """
CREATE TABLE partnerships AS
WITH pairs AS (
    SELECT *, least(batter, non_striker) AS one, greatest(batter, non_striker) AS other FROM deliveries
), changes AS (
    SELECT *, (wicket_stand, one, other) IS DISTINCT FROM
              lag((wicket_stand, one, other)) OVER (PARTITION BY match_id, innings ORDER BY seq) AS starts
    FROM pairs
), stands AS (
    SELECT *, sum(starts::INT) OVER (PARTITION BY match_id, innings ORDER BY seq) AS stand FROM changes
), sums AS (
    SELECT match_id, innings, batting_team AS team, bowling_team AS opponent, wicket_stand AS wicket, one, other,
           sum(total)::INT AS runs, (count(*) FILTER (faced))::INT AS balls, min(seq) AS first, max(seq) AS last
    FROM stands GROUP BY match_id, innings, stand, batting_team, bowling_team, wicket_stand, one, other
), falls AS (
    SELECT DISTINCT match_id, innings, seq AS last
    FROM deliveries JOIN dismissals USING (match_id, innings, over, ball)
)
SELECT s.match_id, s.innings, s.team, s.opponent, s.wicket,
       CASE WHEN a.position < b.position THEN one ELSE other END AS batter1,
       CASE WHEN a.position < b.position THEN other ELSE one END AS batter2,
       s.runs, s.balls, f.last IS NULL AS unbroken
FROM sums s
JOIN batters a ON a.match_id = s.match_id AND a.innings = s.innings AND a.batter = s.one
JOIN batters b ON b.match_id = s.match_id AND b.innings = s.innings AND b.batter = s.other
LEFT JOIN falls f ON f.match_id = s.match_id AND f.innings = s.innings AND f.last = s.last
ORDER BY s.match_id, s.innings, s.first
"""

# The files do not say who is at home. A ground is a team's home in a season if the team plays (nearly) all the league
# matches there and no other team does.
HOMES = """
CREATE TEMP TABLE homes AS
WITH played AS (
    SELECT season, venue, unnest([team1, team2]) AS team FROM matches
    WHERE stage = 'league' AND season NOT IN (SELECT season FROM seasons WHERE neutral)
), counts AS (SELECT season, venue, team, count(*) AS n FROM played GROUP BY ALL),
totals AS (
    SELECT season, venue, count(*) AS matches FROM matches WHERE stage = 'league' GROUP BY ALL
), regular AS (
    SELECT season, venue, team FROM counts JOIN totals USING (season, venue) WHERE n >= 0.8 * matches
)
SELECT season, venue, any_value(team) AS team FROM regular GROUP BY season, venue HAVING count(*) = 1
"""

TEAM_MATCHES = """
CREATE TABLE team_matches AS
WITH sides AS (
    SELECT *, team1 AS team, team2 AS opponent FROM matches
    UNION ALL
    SELECT *, team2 AS team, team1 AS opponent FROM matches
), results AS (
    SELECT *, CASE WHEN result IN ('no_result', 'abandoned') THEN result
                   WHEN winner IS NULL THEN 'tied' WHEN winner = team THEN 'won' ELSE 'lost' END AS outcome
    FROM sides
)
SELECT r.match_id, r.season, r.date, r.team, r.opponent, r.venue, r.stage,
       CASE WHEN h.team = r.team THEN true WHEN h.team = r.opponent THEN false END AS home,
       own.innings, r.toss_winner = r.team AS toss_won,
       CASE WHEN r.toss_winner = r.team THEN r.toss_decision END AS chose,
       r.outcome AS result, own.runs, own.wickets, own.balls, own.quota_balls,
       opp.runs AS opp_runs, opp.wickets AS opp_wickets, opp.balls AS opp_balls, opp.quota_balls AS opp_quota_balls,
       own.all_out, opp.all_out AS opp_all_out, r.margin,
       (CASE WHEN r.stage <> 'league' OR NOT s.points_table THEN NULL WHEN r.outcome = 'won' THEN 2
             WHEN r.outcome = 'lost' THEN 0 ELSE 1 END)::INT AS points
FROM results r JOIN seasons s USING (season)
LEFT JOIN homes h ON h.season = r.season AND h.venue = r.venue
LEFT JOIN innings own ON own.match_id = r.match_id AND own.batting_team = r.team
LEFT JOIN innings opp ON opp.match_id = r.match_id AND opp.batting_team = r.opponent
ORDER BY r.date, r.match_id, r.team
"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the derived tables in a database that has the stored ones."""
    for statement in (BATTING, BOWLING, PARTNERSHIPS, HOMES, TEAM_MATCHES):
        connection.execute(statement)
    connection.execute("DROP TABLE homes")
