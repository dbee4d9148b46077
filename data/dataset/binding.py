"""Binds the placeholders of a plan to names of a season, such that most plans have an answer.

A delivery drawn at random is the anchor: its batter, bowler, teams, ground and day belong together.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from data.query.engine import Statistics
from data.query.language import FILTERS, MEASURES
from data.query.line import Plan

Binding = Mapping[str, tuple[str, ...]]  # placeholder -> keys


@dataclass(frozen=True)
class _Anchor:
    batter: str
    bowler: str
    batting: str
    bowling: str
    venue: str
    date: str


class Binder:
    """Draws bindings of one season."""

    def __init__(self, statistics: Statistics):
        cursor = statistics.season.connection.cursor()
        rows = cursor.execute(
            "SELECT d.batter, d.bowler, d.batting_team, d.bowling_team, m.venue, m.date::TEXT "
            "FROM deliveries d JOIN matches m USING (match_id) ORDER BY d.match_id, d.innings, d.seq"
        ).fetchall()
        self.anchors = [_Anchor(*row) for row in rows]
        self.fielders = [
            f for (f,) in cursor.execute("SELECT fielder FROM fielding WHERE fielder IS NOT NULL ORDER BY 1").fetchall()
        ]
        self.teams = sorted({a.batting for a in self.anchors})

    def bind(self, plan: Plan, rng: random.Random) -> Binding:
        """Keys for every placeholder of `plan`, different ones for different placeholders."""
        anchor = rng.choice(self.anchors)
        chosen: dict[str, str] = {}
        for query in plan.queries:
            source = MEASURES[query.measures[0]].source
            batting = source in ("bat", "team", "result", "match", "stand", "table", "award")
            if source == "bat" and query.filter("bowler") and not query.filter("batter"):
                batting = False
            own, other = (anchor.batting, anchor.bowling) if batting else (anchor.bowling, anchor.batting)
            first = {"batter": anchor.batter, "bowler": anchor.bowler, "fielder": rng.choice(self.fielders),
                     "player": rng.choice([anchor.batter, anchor.bowler]), "team": own, "opponent": other,
                     "venue": anchor.venue}  # fmt: skip
            first |= dict.fromkeys(("date", "after", "before", "from", "to"), anchor.date)
            for f in (*query.filters, *query.place_filter()):
                if FILTERS[f.key].takes not in "PTVD":
                    continue
                for i, name in enumerate(f.values):
                    if name in chosen:
                        continue
                    if f.key == "between":
                        value = (own, other)[i]
                    elif f.op == "!=" or i or f.key not in first or first[f.key] in chosen.values():
                        value = self._another(f.key, rng, set(chosen.values()) | {first.get(f.key, "")})
                    else:
                        value = first[f.key]
                    chosen[name] = value
        return {name: (value,) for name, value in chosen.items()}

    def _another(self, key: str, rng: random.Random, taken: set[str]) -> str:
        """A value for the filter that is not in `taken`, as far as 50 draws find one."""
        for _ in range(50):
            anchor = rng.choice(self.anchors)
            values = {"batter": anchor.batter, "bowler": anchor.bowler, "fielder": rng.choice(self.fielders),
                      "P": anchor.batter, "V": anchor.venue, "T": anchor.batting, "D": anchor.date}  # fmt: skip
            value = values.get(key) or values[FILTERS[key].takes]
            if value not in taken:
                return value
        return value
