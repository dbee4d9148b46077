"""What qualifies a figure, as it follows it: "off 479 balls in 15 innings", "(223 runs off 75 balls)"."""

from __future__ import annotations

from collections.abc import Sequence

from data.query.table import Column
from data.wording.figures import Cells, figure

# A figure of another: the preposition before it and its noun. The first kind stands beside the figure even where
# conditions follow ("249 runs off 116 balls in overs 16-20 (12 innings)"), the others go into brackets then.
_BESIDE = {"balls": ("off", "balls")}
_AFTER = {"innings": ("in", "innings"), "innings_bowled": ("in", "innings"), "innings_played": ("in", "innings"),
          "matches": ("in", "matches")}  # fmt: skip
_SHORT = {"balls": "balls", "balls_bowled": "balls", "innings_bowled": "innings", "overs_bowled": "overs"}
# what two figures are together, of which a rate is made
_TOGETHER = {
    ("runs", "balls"): "{} runs off {} balls",
    ("runs", "dismissals"): "{} runs, out {} times",
    ("runs_conceded", "balls_bowled"): "{} runs off {} balls",
    ("runs_conceded", "wickets"): "{} runs for {} wickets",
    ("total", "legal_balls"): "{} runs off {} legal balls",
    ("conceded", "legal_balls_bowled"): "{} runs off {} legal balls",
    ("wins", "matches"): "{} wins in {} matches",
}


def follows(cells: Cells, about: str, of: str, row: int = 1) -> str:
    """The qualifying figures of a count around the conditions: " off 116 balls in overs 16-20 (12 innings)"."""
    if about.startswith(" off ") or (of != "runs" and any(c.name in _BESIDE for c, _ in cells)):
        return f"{about}{in_brackets(cells, row)}"
    beside = "".join(f" {_BESIDE[c.name][0]} {x}{row} {_BESIDE[c.name][1]}" for c, x in cells if c.name in _BESIDE)
    rest = [(c, x) for c, x in cells if c.name not in _BESIDE]
    if not about and rest and rest[0][0].name in _AFTER:
        (column, letter), *rest = rest
        beside += f" {_AFTER[column.name][0]} {letter}{row} {_AFTER[column.name][1]}"
    return f"{beside}{about}{in_brackets(rest, row)}"


def in_brackets(cells: Cells, row: int = 1) -> str:
    """' (479 balls, 15 innings)', or nothing."""
    return f" ({made_of(cells, row)})" if cells else ""


def made_of(cells: Cells, row: int = 1) -> str:
    """'223 runs off 75 balls', '741 runs, out 12 times, 15 innings'."""
    names = [c.name for c, _ in cells]
    said: list[str] = []
    rest: Sequence[tuple[Column, str]] = cells
    for pair, together in _TOGETHER.items():
        if set(pair) <= set(names):
            letters = {c.name: f"{x}{row}" for c, x in cells}
            said.append(together.format(*(letters[name] for name in pair)))
            rest = [(c, x) for c, x in cells if c.name not in pair]
            break
    return ", ".join([*said, *(_short(c, f"{x}{row}") for c, x in rest)])


def _short(column: Column, cell: str) -> str:
    return f"{cell} {_SHORT[column.name]}" if column.name in _SHORT else figure(column, cell)
