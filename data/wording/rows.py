"""What stands beside the cells of a row: its name ("off Jasprit Bumrah", "over 20") and its day and ground."""

from __future__ import annotations

from data.wording.figures import DID, Cells

_NUMBERED = {"innings": ("in", "innings"), "over": ("in", "over"), "position": ("at", "position"),
             "wicket": ("for", "wicket"), "season": ("in", "IPL"), "month": ("in",), "weekday": ("on",),
             "city": ("in",)}  # fmt: skip


def listed_row(by: Cells, row: int, figures: str, source: str) -> str:
    """A row of a list: "V Kohli 741", but "4 in innings 1"."""
    if len(by) == 1 and (numbered := _NUMBERED.get(by[0][0].name)):
        return f"{figures} {' '.join(numbered)} {by[0][1]}{row}"
    when = [(c, x) for c, x in by if c.name in _NUMBERED]
    match = [(c, x) for c, x in by if c.name == "match"]
    named = [(c, x) for c, x in by if (c, x) not in (*when, *match)] or match
    after = "".join(f" {' '.join(_NUMBERED[c.name])} {x}{row}" for c, x in when)
    if match and named != match:
        return f"{names(named, row, source)} {figures}{after} ({names(match, row, source)}{places(by, row)})"
    return f"{names(named, row, source)}{places(by, row)} {figures}{after}".strip()


# what precedes a row's name where the figure is not that person's or team's own
_BEFORE_ROW = {"bat": {"bowler": "off "}, "team": {"bowler": "off "},
               "bowl": {"batter": "against ", "position": "batters at position "},
               "concede": {"position": "batters at position "},
               "field": {"bowler": "off ", "batter": "dismissing "}}  # fmt: skip


_BEFORE_ANY_ROW = {"opponent": "against ", "toss": "toss "}


def words_before_rows() -> set[str]:
    """What may stand before the cell of a row's name: "against", "in over"."""
    special = (words for by_name in _BEFORE_ROW.values() for words in by_name.values())
    numbered = (text for pair in _NUMBERED.values() for text in (" ".join(pair), pair[-1]))
    return {words.strip() for words in (*special, *_BEFORE_ANY_ROW.values(), *numbered)}


def words_before_cells() -> set[str]:
    """What may stand before a cell without being a circumstance: the words before the name of a row, and the verbs of
    figures, such as "had a hand in"."""
    return words_before_rows() | {verb for verb, _ in DID.values()}


def before_row(name: str, source: str) -> str:
    """What precedes a row's name: "off ", "over ", or nothing."""
    special = _BEFORE_ROW.get(source, {}).get(name) or _BEFORE_ANY_ROW.get(name)
    return special or (f"{_NUMBERED[name][-1]} " if name in _NUMBERED else "")


def names(by: Cells, row: int, source: str) -> str:
    """The cells that name a row: "A1, B1", "off A1"."""
    said = ((before_row(c.name, source), x, c.name) for c, x in by)
    return ", ".join(f"{before}{x}{row}" for before, x, name in said if name not in ("on", "ground"))


def places(by: Cells, row: int) -> str:
    """ ", 8 May 2024, Eden Gardens" of a row that is a match, or nothing."""
    return "".join(f", {x}{row}" for c, x in by if c.name in ("on", "ground"))
