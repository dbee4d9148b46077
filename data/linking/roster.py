"""The persons, teams, grounds and dates of a loaded season, for the name resolver; persons of other seasons too.

Reads the season's tables and the file of people. Knows nothing about nicknames.

    python -c "from data.linking.roster import *; from data.season import load; print(roster_of(load()).teams)"
"""

from __future__ import annotations

from dataclasses import dataclass, field

from data.cricsheet.people import load_people
from data.season import Season


@dataclass(frozen=True)
class Player:
    """A person; `matches` is 0 for somebody who is not in the season."""

    key: str
    name: str
    display: str
    full_name: str
    teams: tuple[str, ...] = ()
    matches: int = 0
    balls_bowled: int = 0


@dataclass(frozen=True)
class Ground:
    name: str
    city: str | None


@dataclass(frozen=True)
class Roster:
    """`home` counts a team's home matches by (team, ground)."""

    label: str
    years: tuple[int, ...]
    players: tuple[Player, ...]
    teams: tuple[str, ...]
    grounds: tuple[Ground, ...]
    home: dict[tuple[str, str], int] = field(default_factory=dict)
    dates: tuple[str, ...] = ()


PLAYERS = """
    SELECT player, name, display, coalesce(full_name, display), teams,
           (SELECT count(DISTINCT match_id) FROM appearances a WHERE a.player = p.player),
           (SELECT coalesce(sum(balls), 0) FROM bowling b WHERE b.bowler = p.player)
    FROM players p ORDER BY player"""


def roster_of(season: Season) -> Roster:
    """The roster of a loaded season; everybody else in the file of people is in it with no matches."""
    cursor = season.connection.cursor()
    here = [
        Player(key, name, display, full, tuple(teams or ()), max(matches, 1), int(balls))
        for key, name, display, full, teams, matches, balls in cursor.execute(PLAYERS).fetchall()
    ]
    keys = {p.key for p in here}
    others = [
        Player(p.player, p.name, p.display, p.full_name or p.display)
        for p in load_people().values()
        if p.player not in keys
    ]
    teams = cursor.execute("SELECT team1 FROM matches UNION SELECT team2 FROM matches ORDER BY 1").fetchall()
    grounds = cursor.execute("SELECT DISTINCT venue, city FROM matches WHERE venue IS NOT NULL ORDER BY 1").fetchall()
    home = cursor.execute("SELECT team, venue, count(*) FROM team_matches WHERE home GROUP BY ALL").fetchall()
    dates = cursor.execute("SELECT DISTINCT date FROM matches ORDER BY 1").fetchall()
    return Roster(
        label=season.title,
        years=tuple(season.years),
        players=tuple(here + others),
        teams=tuple(t for (t,) in teams),
        grounds=tuple(Ground(name, city) for name, city in grounds),
        home={(team, venue): n for team, venue, n in home},
        dates=tuple(d.isoformat() for (d,) in dates),
    )
