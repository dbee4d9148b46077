"""The matches of a season as records in memory: their order, what they are called, and the facts of one.

book = read_matches(season.connection)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from data.query.table import team_score


@dataclass(frozen=True)
class Match:
    """A match: its season by the year, its place in the order of play, day, ground, teams, stage, and its facts."""

    match_id: int
    season: int
    order: int
    date: date
    venue: str
    team1: str
    team2: str
    stage: str
    facts: dict[str, Any]  # by the name of the measure: winner, margin, player_of_match, scores, date, venue, toss ...

    @property
    def title(self) -> str:
        stage = "" if self.stage == "league" else f" ({self.stage.replace('_', ' ')})"
        return f"{self.team1} v {self.team2}{stage}"

    def other(self, team: str) -> str:
        """The opponent of `team`."""
        return self.team2 if self.team1 == team else self.team1


def read_matches(connection: duckdb.DuckDBPyConnection) -> dict[int, Match]:
    """Every match by its id, in the order of play."""
    cursor = connection.cursor()
    scores: dict[int, list[str]] = {}
    for match_id, team, runs, wickets in cursor.execute(
        "SELECT match_id, batting_team, runs, wickets FROM innings ORDER BY match_id, innings"
    ).fetchall():
        scores.setdefault(match_id, []).append(f"{team} {team_score(runs, wickets)}")
    years = dict(cursor.execute("SELECT match_id, season FROM context").fetchall())
    cursor.execute(
        "SELECT m.*, p.display FROM matches m LEFT JOIN players p ON p.player = m.player_of_match "
        "ORDER BY m.date, m.number, m.match_id"
    )
    names = [d[0] for d in cursor.description]
    found = {}
    for order, row in enumerate(cursor.fetchall()):
        m = dict(zip(names, row, strict=False))
        key = m["match_id"]
        found[key] = Match(key, years[key], order, m["date"], m["venue"], m["team1"], m["team2"], m["stage"],
                           _facts(m, scores.get(key, [])))  # fmt: skip
    return found


def _facts(m: dict[str, Any], scores: list[str]) -> dict[str, Any]:
    """Seasons that were imported before umpires were kept have none."""
    umpires = [name for name in (m.get("umpire1"), m.get("umpire2")) if name]
    return {
        "winner": m["winner"] or "no winner",
        "margin": _margin(m),
        "player_of_match": m["display"],
        "scores": ", ".join(scores) or None,
        "date": m["date"],
        "venue": m["venue"],
        "city": m["city"],
        "toss": f"{m['toss_winner']}, who chose to {m['toss_decision']}" if m["toss_winner"] else None,
        "umpires": " and ".join(umpires) or None,
        "tv_umpire": m.get("tv_umpire"),
        "referee": m.get("referee"),
        "super_over": "yes" if m["super_over"] else "no",
    }


def _margin(m: dict[str, Any]) -> str:
    if m["super_over"]:
        return "a super over"
    if not m["margin"]:
        return str(m["result"]).replace("_", " ")
    unit = {"runs": "run", "wickets": "wicket"}[m["result"]]
    method = f" ({m['method']})" if m["method"] else ""
    return f"{m['margin']} {unit}{'s' if m['margin'] != 1 else ''}{method}"
