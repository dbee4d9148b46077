"""The names of figures and rows: "741 runs", "strike rate 154.70", "scored 741 runs", "18 batters"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from data.query.language import MEASURES, Parts
from data.query.query import Query
from data.query.table import Column, StatTable
from data.text import ordinal, with_article

PLAIN_ROWS = 12  # rows that the plain sentence lists
WHOLE_LIST = 30  # of those that are asked for as a whole

Pick = Callable[[Sequence[str]], str]  # chooses one of several wordings
Cells = list[tuple[Column, str]]  # columns, each with its letter


@dataclass(frozen=True)
class Told:
    """One table as a sentence tells it: its columns by role, with their letters, and the conditions in English."""

    table: StatTable
    by: Cells
    asked: Cells
    shown: Cells
    at: Cells
    rows: int
    about: str  # " against T1 in the powerplay"
    name: str  # of the subject, or nothing
    pick: Pick

    @property
    def query(self) -> Query:
        return self.table.query

    def cell(self, column: str, row: int = 1) -> str:
        """The cell of a column in a row: "B1"; empty where the table has no such column."""
        found = (x for c, x in (*self.by, *self.asked, *self.shown, *self.at) if c.name == column)
        letter = next(found, "")
        return letter and f"{letter}{row}"

    def value(self, column: str, row: int = 1) -> Any:
        """The raw value of a column in a row; None where there is no such column."""
        place = next((i for i, c in enumerate(self.table.columns) if c.name == column), None)
        return None if place is None else self.table.rows[row - 1][place]

    @property
    def most_rows(self) -> int:
        """How many rows are listed: of a squad, of seasons and of groups all."""
        query = self.query
        whole = (
            query.by == ("season",)
            or bool(query.rank and query.rank.per)
            or ((query.measures, query.by, query.rank) == (("matches",), ("player",), None) and query.filter("team"))
        )
        return WHOLE_LIST if whole else PLAIN_ROWS

    def listed(self, row: Callable[[int], str], most: int = PLAIN_ROWS) -> str:
        """The rows one after the other, and how many more there are."""
        more = f"; and {self.rows - most} more" if self.rows > most else ""
        return "; ".join(row(r) for r in range(1, min(self.rows, most) + 1)) + more

    @property
    def qualification(self) -> str:
        return f" ({self.table.qualification})" if self.table.qualification else ""


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
    "points": ("had", "points"), "extras_conceded": ("conceded", "extras"), "times_all_out": ("were all out", "times"),
    # figures that came with several seasons
    "titles": ("won", "titles"), "no_results": ("had", "matches without a result"),
    "overs": ("bowled", "overs"), "byes": ("conceded", "byes"),
    "overs_bowled": ("bowled", "overs"),
    "legbyes": ("conceded", "leg-byes"), "penalty_runs": ("conceded", "penalty runs"),
    "wides": ("bowled", "wides"), "noballs": ("bowled", "no-balls"), "fours_conceded": ("conceded", "fours"),
    "sixes_conceded": ("conceded", "sixes"), "boundary_runs": ("scored", "runs in boundaries"),
    "golden_ducks": ("made", "golden ducks"), "thirty_plus": ("made", "scores of thirty or more"),
    "hat_tricks": ("took", "hat-tricks"), "five_wicket_hauls": ("took", "five-wicket hauls"),
    "wide_runs": ("conceded", "runs in wides"), "noball_runs": ("conceded", "runs in no-balls"),
    "wides_and_noballs": ("conceded", "runs in wides and no-balls"),
}  # fmt: skip

_PLURALS = {"city": "cities", "match": "matches", "innings": "innings", "dismissal": "kinds of dismissal",
            "kind": "kinds of bowling", "bowling": "kinds of bowling", "hand": "hands", "venue": "grounds"}  # fmt: skip


_ONE = {"matches": "match", "team_matches": "match", "innings": "innings", "innings_bowled": "innings",
        "innings_played": "innings", "overs_bowled": "over", "wickets": "wicket", "wickets_lost": "wicket",
        "wickets_taken": "wicket", "balls": "ball", "balls_bowled": "ball", "dismissals": "dismissal",
        "stands": "partnership", "fours": "four", "sixes": "six", "boundaries": "boundary"}  # fmt: skip
# what an over's figures are called beside the over
_IN_AN_OVER = {"over_runs": "runs", "over_wickets": "wickets", "over_batter_runs": "runs", "over_fours": "fours",
               "over_sixes": "sixes"}  # fmt: skip
NTH = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def plural(dimension: str) -> str:
    """What several rows are called: batters, grounds."""
    return _PLURALS.get(dimension, f"{dimension}s")


def nth(number: int) -> str:
    """second, tenth, 11th."""
    return NTH[number] if number < len(NTH) else ordinal(number)


def label(measure: str) -> str:
    """What a measure is called in a sentence about it."""
    return "matches" if measure == "team_matches" else MEASURES[measure].label


def each_one(measure: str) -> str:
    """The divisor of a ratio: 'a match', 'an innings'; empty where it has no such word."""
    one = _ONE.get(measure, "")
    return one and with_article(one)


def parts_of(column: Column) -> Parts | None:
    """What a ratio is made of; None for other columns."""
    return MEASURES.parts(column.name)


def kind_of(column: Column) -> str:
    """The kind of a column's measure; a column that is none holds a count."""
    if parts_of(column):
        return "rate"
    if column.name not in MEASURES or MEASURES[column.name].source in ("over", "batter_over", "run"):
        return "count"
    return MEASURES[column.name].kind


def in_an_over(column: Column) -> str:
    """What an over's figure is called: runs, wickets ..."""
    return _IN_AN_OVER[column.name]


def figure(column: Column, cell: str) -> str:
    """'741 runs' for a count, 'strike rate 154.70' for a rate."""
    called = label(column.name) if column.name == "team_matches" else column.label
    return f"{cell} {called}" if kind_of(column) == "count" else f"{called} {cell}"


def figures(cells: Cells, row: int = 1) -> str:
    return ", ".join(figure(c, f"{x}{row}") for c, x in cells)


def listing(parts: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def nouns(column: Column) -> tuple[str, ...]:
    """The nouns by which a sentence may name a column's figure; none for a column that is no measure."""
    if parts := parts_of(column):
        above = Column(parts.above, label(parts.above), "shown")
        return (column.label, *nouns(above))
    if column.name not in MEASURES or column.label.startswith("the team's "):  # a share's whole is called team_sixes
        return ()
    found = [column.label, MEASURES[column.name].label, label(column.name)]
    found += [words[column.name] for words in (_IN_AN_OVER,) if column.name in words]
    return tuple(dict.fromkeys([*found, *(DID[column.name][1:] if column.name in DID else ())]))
