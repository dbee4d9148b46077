"""What a question means that names no figure: one reviewed table of default senses.

A summary stands for figures: `record | player=P1` for those of the role that he has, `batting`, `bowling` and
`fielding` for fixed ones. A shorthand stands for a longer line: `squad | team=T1` for `matches by player | team=T1`.
"""

from __future__ import annotations

from dataclasses import dataclass

SUMMARIES: dict[str, tuple[str, ...]] = {
    "batting": ("innings", "runs", "average", "strike_rate", "highest_score", "fifties", "hundreds", "sixes"),
    "bowling": ("innings_bowled", "wickets", "economy", "bowling_average", "bowling_strike_rate", "best_figures"),
    "fielding": ("catches", "stumpings", "run_outs"),
    "all_round": ("runs", "average", "strike_rate", "highest_score", "wickets", "economy", "bowling_average",
                  "best_figures"),
    # of a team: the first where the league table has it, else the second
    "season": ("matches", "wins", "losses", "no_results", "position", "points", "net_run_rate"),
    "matches": ("matches", "wins", "losses", "no_results", "titles"),
}  # fmt: skip


@dataclass(frozen=True)
class Shorthand:
    """`figure by dimension | filters`, and the rank where the line has none."""

    measure: str
    by: str
    filters: tuple[tuple[str, str], ...] = ()
    top: int | None = None

    def __str__(self) -> str:
        filters = " ".join(f"{key}={value}" for key, value in self.filters)
        return f"{self.measure} by {self.by}" + (f" | {filters}" if filters else "") + (
            f" | top {self.top}" if self.top else "")  # fmt: skip


SHORTHANDS: dict[str, Shorthand] = {
    "squad": Shorthand("matches", "player"),
    "sides": Shorthand("matches", "team"),
    "home_ground": Shorthand("matches", "venue", (("home", "home"),), 1),
}
