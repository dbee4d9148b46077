"""The persons, teams, grounds and dates of the loaded seasons, for the name resolver; other persons too.

Reads the tables of the seasons and the file of people. Knows nothing about nicknames.

    python -c "from data.linking.roster import *; from data.season import load; print(roster_of(load()).teams)"
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import duckdb

from data.cricsheet.people import load_people
from data.season import Season, season_title


@dataclass(frozen=True)
class Player:
    """A person; `matches` is 0 for somebody who is in no loaded season.

    `teams`, `matches` and `balls_bowled` are of the latest loaded season for those who played in it. For others they
    are of all loaded seasons, `teams` of the last that they played in. `sides` are the teams of every season by year.
    """

    key: str
    name: str
    display: str
    full_name: str
    teams: tuple[str, ...] = ()
    matches: int = 0
    balls_bowled: int = 0
    sides: tuple[tuple[int, str], ...] = ()
    career: int = 0  # matches in all loaded seasons

    @property
    def seasons(self) -> tuple[int, ...]:
        """Years of the loaded seasons that he played in."""
        return tuple(sorted({year for year, _ in self.sides}))


@dataclass(frozen=True)
class Ground:
    name: str
    city: str | None


@dataclass(frozen=True)
class Roster:
    """Everybody and everything that can be named. The last of `years` is the default season.

    `home` counts home matches by (year, team, ground); `team_names` are (year, team, name in that year); `first_season`
    is the year of the league's first season, None if its seasons have no numbers; `sides` are the two teams of each
    match of the default season by the match's number.
    """

    label: str
    years: tuple[int, ...]
    players: tuple[Player, ...]
    teams: tuple[str, ...]
    grounds: tuple[Ground, ...]
    home: dict[tuple[int, str, str], int] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    team_names: tuple[tuple[int, str, str], ...] = ()
    league: str = "IPL"
    first_season: int | None = None
    sides: dict[int, frozenset[str]] = field(default_factory=dict)

    @property
    def year(self) -> int:
        return self.years[-1]

    def title_of(self, *years: int) -> str:
        """`IPL 2016`, or `IPL 2015-2020` of several years."""
        return season_title(self.league, years)

    def years_of_team(self, team: str) -> tuple[int, ...]:
        """Years of the loaded seasons that the team played in, under any name."""
        return tuple(sorted({year for year, key, _ in self.team_names if key == team})) or self.years

    def years_of_name(self, name: str) -> tuple[int, ...]:
        """Years of the loaded seasons in which a team had that name."""
        return tuple(sorted({year for year, _, called in self.team_names if called == name}))


# Appearances by person, season and team; substitute fielders who never played have none.
SIDES = """
    SELECT player, season::INT, team::TEXT, count(*) AS matches
    FROM appearances JOIN matches USING (match_id) GROUP BY ALL
    UNION ALL
    SELECT DISTINCT fielder, season::INT, team::TEXT, 0 FROM fielding JOIN matches USING (match_id)
    WHERE (fielder, season) NOT IN (SELECT (player, season) FROM appearances JOIN matches USING (match_id))
    ORDER BY 1, 2, 4 DESC, 3"""
BALLS = """
    SELECT bowler, season::INT, sum(balls)::INT FROM bowling JOIN matches USING (match_id) GROUP BY ALL"""
PLAYERS = "SELECT player, name, display, coalesce(full_name, display), teams FROM players ORDER BY player"
HOME = """
    SELECT season::INT, team, venue, count(*) FROM team_matches WHERE home GROUP BY ALL"""


def roster_of(season: Season) -> Roster:
    """The roster of loaded seasons; everybody else in the file of people is in it with no matches."""
    cursor = season.connection.cursor()
    here = _players(cursor, season)
    keys = {p.key for p in here}
    others = [
        Player(p.player, p.name, p.display, p.full_name or p.display)
        for p in load_people().values()
        if p.player not in keys
    ]
    teams = cursor.execute("SELECT team1 FROM matches UNION SELECT team2 FROM matches ORDER BY 1").fetchall()
    grounds = cursor.execute("SELECT DISTINCT venue, city FROM matches WHERE venue IS NOT NULL ORDER BY 1").fetchall()
    dates = cursor.execute("SELECT DISTINCT date FROM matches ORDER BY 1").fetchall()
    numbered = cursor.execute(
        "SELECT number, team1, team2 FROM matches WHERE season = ? AND number IS NOT NULL", [season.year]
    ).fetchall()
    (first,) = cursor.execute("SELECT min(first_season) FROM seasons").fetchone()
    return Roster(
        label=season.title,
        years=tuple(season.years),
        players=tuple(here + others),
        teams=tuple(t for (t,) in teams),
        grounds=tuple(Ground(name, city) for name, city in grounds),
        home={(year, team, venue): n for year, team, venue, n in cursor.execute(HOME).fetchall()},
        dates=tuple(d.isoformat() for (d,) in dates),
        team_names=tuple(
            cursor.execute("SELECT season::INT, team::TEXT, name FROM team_names ORDER BY 1, 2").fetchall()
        ),
        league=season.league,
        first_season=first,
        sides={number: frozenset(teams) for number, *teams in numbered},
    )


def _players(cursor: duckdb.DuckDBPyConnection, season: Season) -> list[Player]:
    sides: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for player, year, team, matches in cursor.execute(SIDES).fetchall():
        sides[player].append((year, team, matches))
    balls: dict[str, Counter[int]] = defaultdict(Counter)
    for player, year, count in cursor.execute(BALLS).fetchall():
        balls[player][year] = count
    found = []
    for key, name, display, full, teams in cursor.execute(PLAYERS).fetchall():
        played = sides[key]
        career = max(1, sum(matches for *_, matches in played))
        matches, bowled = career, balls[key].total()
        if len(season.years) > 1 and played:
            last = played[-1][0]
            teams = [team for year, team, _ in played if year == last]
            if last == season.year:
                matches = max(1, sum(n for year, _, n in played if year == last))
                bowled = balls[key][last]
        found.append(
            Player(key, name, display, full, tuple(teams or ()), matches, bowled,
                   tuple((year, team) for year, team, _ in played), career)
        )  # fmt: skip
    return found
