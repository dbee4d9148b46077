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
    """A match: its place in the season's order, day, ground, teams, stage, and the facts of its result."""

    match_id: int
    season: str
    order: int
    date: date
    venue: str
    team1: str
    team2: str
    stage: str
    facts: dict[str, Any]  # winner, margin, player_of_match, scores, date, venue, toss

    @property
    def title(self) -> str:
        stage = "" if self.stage == "league" else f" ({self.stage.replace('_', ' ')})"
        return f"{self.team1} v {self.team2}{stage}"


def read_matches(connection: duckdb.DuckDBPyConnection) -> dict[int, Match]:
    """Every match by its id, in the order of play."""
    cursor = connection.cursor()
    scores: dict[int, list[str]] = {}
    for match_id, team, runs, wickets in cursor.execute(
        "SELECT match_id, batting_team, runs, wickets FROM innings ORDER BY match_id, innings"
    ).fetchall():
        scores.setdefault(match_id, []).append(f"{team} {team_score(runs, wickets)}")
    cursor.execute(
        "SELECT m.*, p.display FROM matches m LEFT JOIN players p ON p.player = m.player_of_match "
        "ORDER BY m.date, m.number, m.match_id"
    )
    names = [d[0] for d in cursor.description]
    found = {}
    for order, row in enumerate(cursor.fetchall()):
        m = dict(zip(names, row, strict=False))
        facts = {
            "winner": m["winner"] or "no winner",
            "margin": _margin(m),
            "player_of_match": m["display"],
            "scores": ", ".join(scores.get(m["match_id"], ())) or None,
            "date": m["date"],
            "venue": m["venue"],
            "toss": f"{m['toss_winner']}, who chose to {m['toss_decision']}" if m["toss_winner"] else None,
        }
        found[m["match_id"]] = Match(
            m["match_id"], m["season"], order, m["date"], m["venue"], m["team1"], m["team2"], m["stage"], facts
        )
    return found


def _margin(m: dict[str, Any]) -> str:
    if m["super_over"]:
        return "a super over"
    if not m["margin"]:
        return m["result"].replace("_", " ")
    unit = {"runs": "run", "wickets": "wicket"}[m["result"]]
    method = f" ({m['method']})" if m["method"] else ""
    return f"{m['margin']} {unit}{'s' if m['margin'] != 1 else ''}{method}"
