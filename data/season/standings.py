"""The points table of the league stage, with net run rate: one SQL statement over a loaded season's tables.

Points: 2 for a win, 1 for a tie without a super over, no result or an abandoned match. Order: points, then wins, then
net run rate (IPL playing conditions; by wins Mumbai finished above Bangalore in 2015).

Net run rate (IPL and ICC playing conditions): runs scored per over less runs conceded per over, in all matches with a
result. A side that was all out is charged its full quota of overs. In a match decided by Duckworth-Lewis the side
batting first is credited with one run less than the target, off the overs of the side batting second. Super overs are
left out. Of a competition whose rules are not known (data/cricsheet/leagues.json) there is no points table.
"""

from __future__ import annotations

import duckdb

STANDINGS = """
CREATE TABLE standings AS
WITH ruled AS (SELECT season FROM seasons WHERE points_table),
league AS (SELECT * FROM matches WHERE stage = 'league' AND season IN (FROM ruled)),
rated AS (  -- the two innings of every match with a result, as they count
    SELECT m.season, m.match_id, i.batting_team, i.bowling_team,
           CASE WHEN m.method IS NOT NULL AND i.innings = 1 THEN chase.target - 1 ELSE i.runs END AS runs,
           CASE WHEN m.method IS NOT NULL AND i.innings = 1 THEN chase.quota_balls ELSE i.nrr_balls END AS balls
    FROM league m JOIN innings i USING (match_id)
    JOIN innings chase ON chase.match_id = m.match_id AND chase.innings = 2
    WHERE m.result IN ('runs', 'wickets', 'tie')
), scored AS (
    SELECT season, batting_team AS team, sum(runs) AS runs, sum(balls) AS balls FROM rated GROUP BY ALL
), conceded AS (
    SELECT season, bowling_team AS team, sum(runs) AS runs, sum(balls) AS balls FROM rated GROUP BY ALL
), counts AS (
    SELECT season, team, count(*)::INT AS played, (count(*) FILTER (result = 'won'))::INT AS won,
           (count(*) FILTER (result = 'lost'))::INT AS lost, (count(*) FILTER (result = 'tied'))::INT AS tied,
           (count(*) FILTER (result IN ('no_result', 'abandoned')))::INT AS no_result,
           sum(points)::INT AS points
    FROM team_matches WHERE stage = 'league' AND season IN (FROM ruled) GROUP BY ALL
), rates AS (
    SELECT c.*, 6.0 * s.runs / s.balls - 6.0 * o.runs / o.balls AS exact
    FROM counts c LEFT JOIN scored s USING (season, team) LEFT JOIN conceded o USING (season, team)
)
SELECT season, team, played, won, lost, tied, no_result, points, round(exact, 3)::DOUBLE AS net_run_rate,
       (rank() OVER (PARTITION BY season ORDER BY points DESC, won DESC, exact DESC))::INT AS position
FROM rates ORDER BY season, position
"""


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `standings`; needs team_matches."""
    connection.execute(STANDINGS)
