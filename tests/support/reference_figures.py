"""What each measure is in the slow reference: a function of the innings rows of one row of the answer."""

from __future__ import annotations

from typing import Any

from tests.support.reference_rows import Row


def total(column: str):
    return lambda rows: sum(r[column] for r in rows) if rows else None


def ratio(above, below, factor: float = 1.0):
    def figure(rows: list[Row]) -> float | None:
        divisor = sum(map(below, rows))
        return factor * sum(map(above, rows)) / divisor if divisor else None

    return figure


def count(test):
    return lambda rows: sum(1 for r in rows if test(r)) if rows else None


def distinct(*columns: str):
    return lambda rows: len({tuple(r.get(c) for c in columns) for r in rows})


def best(pick, value):
    def figure(rows: list[Row]) -> Any:
        values = [v for v in map(value, rows) if v is not None]
        return pick(values) if values else None

    return figure


def col(name: str):
    return lambda row: row[name]


def boundaries(row: Row) -> int:
    return row["fours"] + row["sixes"]


def won(row: Row) -> bool:
    return row["result"] == "won"


def won_by(how: str, column: str):
    return best(max, lambda r: r[column] if won(r) and r["won_by"] == how else None)


def whole_match(row: Row) -> bool:
    return row["result"] != "no_result" and row["shortened"] == "no"


def falls(*kinds: str):
    return lambda rows: len({r["fall"] for r in rows if r["did"] in kinds})


FIGURES = {
    "runs": total("runs"),
    "balls": total("balls"),
    "innings": distinct("match", "innings", "batter"),
    "average": ratio(col("runs"), col("outs")),
    "strike_rate": ratio(col("runs"), col("balls"), 100),
    "fours": total("fours"),
    "sixes": total("sixes"),
    "boundaries": lambda rows: sum(map(boundaries, rows)) if rows else None,
    "boundary_percent": ratio(boundaries, col("balls"), 100),
    "boundary_runs": lambda rows: sum(4 * r["fours"] + 6 * r["sixes"] for r in rows) if rows else None,
    "balls_per_boundary": ratio(col("balls"), boundaries),
    "balls_per_six": ratio(col("balls"), col("sixes")),
    "dots": total("dots"),
    "dot_percent": ratio(col("dots"), col("balls"), 100),
    "dismissals": total("outs"),
    "not_outs": count(lambda r: not r["outs"]),
    "balls_per_dismissal": ratio(col("balls"), col("outs")),
    "highest_score": best(max, lambda r: (r["runs"], not r["outs"])),
    "fifties": count(lambda r: 50 <= r["runs"] < 100),
    "hundreds": count(lambda r: r["runs"] >= 100),
    "fifty_plus": count(lambda r: r["runs"] >= 50),
    "thirty_plus": count(lambda r: r["runs"] >= 30),
    "ducks": count(lambda r: r["outs"] and not r["runs"]),
    "golden_ducks": count(lambda r: r["outs"] and not r["runs"] and r["balls"] == 1),
    "balls_to_fifty": best(min, lambda r: r["reached_50"]),
    "balls_to_hundred": best(min, lambda r: r["reached_100"]),
    "wickets": total("wickets"),
    "runs_conceded": total("runs"),
    "balls_bowled": total("balls"),
    "overs_bowled": lambda rows: sum(r["balls"] for r in rows) / 6 if rows else None,
    "innings_bowled": distinct("match", "innings", "bowler"),
    "economy": ratio(col("runs"), col("balls"), 6),
    "bowling_average": ratio(col("runs"), col("wickets")),
    "bowling_strike_rate": ratio(col("balls"), col("wickets")),
    "dots_bowled": total("dots"),
    "dot_ball_percent": ratio(col("dots"), col("balls"), 100),
    "maidens": total("maidens"),
    "best_figures": best(max, lambda r: (r["wickets"], -r["runs"])),
    "three_wicket_hauls": count(lambda r: r["wickets"] >= 3),
    "four_wicket_hauls": count(lambda r: r["wickets"] >= 4),
    "five_wicket_hauls": count(lambda r: r["wickets"] >= 5),
    "wicketless": count(lambda r: not r["wickets"]),
    "wides": total("wide_balls"),
    "noballs": total("no_balls"),
    "wide_runs": total("wide_runs"),
    "noball_runs": total("noball_runs"),
    "wides_and_noballs": lambda rows: sum(r["wide_runs"] + r["noball_runs"] for r in rows) if rows else None,
    "fours_conceded": total("fours"),
    "sixes_conceded": total("sixes"),
    "hat_tricks": total("hat_tricks"),
    "catches": count(lambda r: r["did"] == "catch"),
    "stumpings": count(lambda r: r["did"] == "stumping"),
    "run_outs": falls("run_out"),
    "fielding_dismissals": falls("catch", "stumping", "run_out"),
    "total": total("runs"),
    "innings_played": distinct("match", "innings"),
    "wickets_lost": total("wickets"),
    "highest_total": best(max, lambda r: (r["runs"], -r["wickets"])),
    "lowest_total": best(min, lambda r: (r["runs"], -r["wickets"]) if whole_match(r) else None),
    "average_total": lambda rows: sum(r["runs"] for r in rows) / len(rows) if rows else None,
    "run_rate": ratio(col("runs"), col("balls"), 6),
    "legal_balls": total("balls"),
    "extras": total("extras"),
    "team_fours": total("fours"),
    "team_sixes": total("sixes"),
    "times_all_out": total("all_out"),
    "conceded": total("runs"),
    "legal_balls_bowled": total("balls"),
    "concede_rate": ratio(col("runs"), col("balls"), 6),
    "wickets_taken": total("wickets"),
    "extras_conceded": total("extras"),
    "byes": total("bye_runs"),
    "legbyes": total("legbye_runs"),
    "penalty_runs": total("penalty"),
    "matches": distinct("match"),
    "team_matches": len,
    "no_results": distinct("match"),
    "titles": count(lambda r: r["stage"] == "final" and won(r)),
    "overs": len,
    "over_runs": best(max, col("all_runs")),
    "over_wickets": best(max, col("wickets")),
    "over_batter_runs": best(max, col("runs")),
    "over_fours": best(max, col("fours")),
    "over_sixes": best(max, col("sixes")),
    "eleven": lambda rows: "substitute" if any(r["substitute"] for r in rows) else "in the eleven",
    "wins": count(won),
    "losses": count(lambda r: r["result"] == "lost"),
    "win_percent": lambda rows: 100 * sum(map(won, rows)) / len(rows) if rows else None,
    "tosses_won": count(lambda r: r["toss"] == "won"),
    "tosses_lost": count(lambda r: r["toss"] == "lost"),
    "margin_runs": won_by("runs", "margin"),
    "margin_wickets": won_by("wickets", "margin"),
    "balls_left": won_by("wickets", "balls_left"),
    "partnership": best(max, lambda r: (r["runs"], r["unbroken"])),
    "stands": len,
    "partnership_runs": total("runs"),
    "partnership_average": lambda rows: sum(r["runs"] for r in rows) / len(rows) if rows else None,
    "awards": len,
    "overs_batted": len,
    **{f"{kind}_streak": best(max, lambda r, kind=kind: r["length"] if r["kind_of_row"] == kind else None)
       for kind in ("dot", "four", "six", "boundary", "wicket")},
}  # fmt: skip
