"""The names of figures and rows: "741 runs", "strike rate 154.70", "scored 741 runs", "18 batters"."""

from __future__ import annotations

from data.query.language import MEASURES
from data.query.table import Column

Cells = list[tuple[Column, str]]  # columns, each with its letter

# verb and noun of a count: "scored 741 runs"
DID = {
    "runs": ("scored", "runs"), "balls": ("faced", "balls"), "innings": ("batted in", "innings"),
    "fours": ("hit", "fours"), "sixes": ("hit", "sixes"), "boundaries": ("hit", "boundaries"),
    "dots": ("played out", "dot balls"),
    "dismissals": ("was out", "times"), "not_outs": ("was not out", "times"), "fifties": ("made", "fifties"),
    "hundreds": ("made", "hundreds"), "fifty_plus": ("made", "scores of fifty or more"), "ducks": ("made", "ducks"),
    "wickets": ("took", "wickets"), "runs_conceded": ("conceded", "runs"), "balls_bowled": ("bowled", "balls"),
    "innings_bowled": ("bowled in", "innings"), "maidens": ("bowled", "maidens"),
    "dots_bowled": ("bowled", "dot balls"), "catches": ("took", "catches"), "stumpings": ("made", "stumpings"),
    "run_outs": ("had a hand in", "run-outs"),
    "total": ("scored", "runs with extras"), "wickets_lost": ("lost", "wickets"), "team_sixes": ("hit", "sixes"),
    "team_fours": ("hit", "fours"), "wickets_taken": ("took", "wickets"), "conceded": ("conceded", "runs with extras"),
    "matches": ("played", "matches"), "wins": ("won", "matches"), "losses": ("lost", "matches"),
    "tosses_won": ("won", "tosses"), "tosses_lost": ("lost", "tosses"), "awards": ("won", "player-of-the-match awards"),
    "points": ("had", "points"), "extras_conceded": ("gave away", "extras"), "times_all_out": ("were all out", "times"),
    # figures that came with several seasons
    "titles": ("won", "titles"), "no_results": ("had", "matches without a result"),
    "thirty_plus": ("made", "scores of thirty or more"), "overs": ("bowled", "overs"), "byes": ("conceded", "byes"),
    "legbyes": ("conceded", "leg-byes"), "penalty_runs": ("conceded", "penalty runs"),
    "wide_runs": ("conceded", "runs in wides"), "noball_runs": ("conceded", "runs in no-balls"),
    "wides_and_noballs": ("conceded", "runs in wides and no-balls"),
}  # fmt: skip

_PLURALS = {"city": "cities", "match": "matches", "innings": "innings", "dismissal": "kinds of dismissal",
            "kind": "kinds of bowling", "bowling": "kinds of bowling", "hand": "hands", "venue": "grounds"}  # fmt: skip


def plural(dimension: str) -> str:
    """What several rows are called: batters, grounds."""
    return _PLURALS.get(dimension, f"{dimension}s")


def with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def kind_of(column: Column) -> str:
    """The kind of a column's measure; a column that is none holds a count. Ratios are rates."""
    if column.name in MEASURES:
        return MEASURES[column.name].kind
    return "count"


def figure(column: Column, cell: str) -> str:
    """'741 runs' for a count, 'strike rate 154.70' for a rate."""
    return f"{cell} {column.label}" if kind_of(column) == "count" else f"{column.label} {cell}"


def nouns(column: Column) -> tuple[str, ...]:
    """The nouns by which a sentence may name a column's figure."""
    label = MEASURES[column.name].label if column.name in MEASURES else column.label
    return (label, *((DID[column.name][1],) if column.name in DID else ()))
