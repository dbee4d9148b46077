"""A computed table laid out as named cells: what the model reads, and how references to cells become values.

A sentence that refers to cells can only state the table's figures and names.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.query.engine import StatTable
from data.query.language import ENUMS, MEASURES
from data.text import ordinal

MODEL_ROWS = 5  # rows of a table up to which the model words it
REFERENCE = re.compile(r"\b([A-Z])([1-9]\d?)\b")


@dataclass(frozen=True)
class Sheet:
    """Tables laid out like a spreadsheet."""

    values: Mapping[str, str]  # by cell name: A1, B1 ...; S1 a total, Z1 a difference
    text: str  # what the model reads
    letters: tuple[tuple[str, ...], ...]  # of each table's columns
    rows: tuple[int, ...]  # of each table


def sheet(tables: Sequence[StatTable]) -> Sheet:
    """Lay out tables: letters continue from one table to the next; S is a total, Z the difference of two rows."""
    # placeholders' letters (P, T, V, D, Y) come last; S and Z have a meaning of their own
    free = iter([c for c in string.ascii_uppercase if c not in "PTVDYSZ"] + list("PTVDY"))
    values: dict[str, str] = {}
    parts, letters, counts = [], [], []
    for table in tables:
        columns = [(c, next(free, "X")) for c in table.columns if is_shown(c.role, c.name, table)]
        empty = _is_empty(table)
        texts = {} if empty else {i: _as_said(table, row) for i, row in enumerate(table.texts(), 1)}
        index = {c.name: i for i, c in enumerate(table.columns)}
        for number, row in texts.items():
            for column, letter in columns:
                values[f"{letter}{number}"] = row[index[column.name]]
        letters.append(tuple(letter for _, letter in columns))
        counts.append(0 if empty else len(table.rows))
        if empty or not table.rows:
            parts.append("nothing")
        elif len(table.rows) == 1:
            said = []
            for column, letter in columns:
                raw = table.rows[0][index[column.name]]
                said.append(f"{letter}1 {column.name}{' none' if raw in (0, None) else ''}")
            parts.append(" ".join(said))
        else:
            more = " more" if len(table.rows) > MODEL_ROWS else ""
            parts.append(
                f"{len(table.rows) if not more else 'many'} " + " ".join(f"{letter} {c.name}" for c, letter in columns)
            )
        for k, (name, value) in enumerate(_difference(table).items(), 1):
            values[f"Z{k}"] = value
            parts[-1] += f" Z{k} difference {name}"
        for k, (name, total) in enumerate(_totals(table).items(), 1):
            values[f"S{k}"] = f"{total:g}"
            parts[-1] += f" S{k} total {name}"
    return Sheet(values, " ; ".join(parts), tuple(letters), tuple(counts))


def _totals(table: StatTable) -> dict[str, float]:
    """By measure the total of the rows; none beside a difference, or of people who are listed."""
    people = MEASURES[table.query.measures[0]].source in ("person", "lineup")
    return {} if people or _is_compared(table) else table.totals


def _as_said(table: StatTable, row: list[str]) -> list[str]:
    """The texts of a row as they stand in a sentence: '2nd' of a place, 'April', 'Mondays'."""
    said: dict[str, Callable[[str], str]] = dict.fromkeys(ENUMS, lambda text: text.replace("_", " "))
    said |= dict.fromkeys(("bowling_style", "role"), str.lower)
    said |= {"place": lambda text: ordinal(int(text)), "month": str.title, "weekday": lambda text: f"{text.title()}s"}
    return [said[c.name](text) if c.name in said else text for c, text in zip(table.columns, row, strict=True)]


def _is_empty(table: StatTable) -> bool:
    """Whether the only row is of what does not exist: the highest score of a player who never batted, a ratio to
    nothing."""
    asked = [i for i, c in enumerate(table.columns) if c.role == "asked"]
    names = [table.columns[i].name for i in asked]
    if table.query.by or table.query.reach is not None or any(row[i] is not None for row in table.rows for i in asked):
        return False
    ratio = len(names) == 1 and MEASURES.parts(names[0]) is not None
    return ratio or all(MEASURES[name].kind == "best" for name in names)


def is_shown(role: str, name: str, table: StatTable) -> bool:
    """Whether a column is laid out: a ground is not where the question names it."""
    return not (role == "dimension" and name == "ground" and table.query.filter("venue"))


def _difference(table: StatTable) -> dict[str, str]:
    """By measure the difference between the two rows of a comparison, where there is one."""
    if not _is_compared(table):
        return {}
    found = {}
    for i, column in enumerate(table.columns):
        a, b = table.rows[0][i], table.rows[1][i]
        if column.role == "asked" and _is_number(a) and _is_number(b) and a != b:
            found[column.name] = f"{abs(a - b):.{column.decimals}f}"
    return found


def _is_compared(table: StatTable) -> bool:
    """Whether the table has the figures of two people or two teams, in no order."""
    in_time = table.query.reach is not None or MEASURES[table.query.measures[0]].kind == "streak"
    people = set(table.query.by) & {"batter", "bowler", "fielder", "player", "team"}
    asked = [i for i, column in enumerate(table.columns) if column.role == "asked"]
    two = len(table.rows) == 2 and any(all(_is_number(row[i]) for row in table.rows) for i in asked)
    return two and not table.query.rank and not in_time and bool(people)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with values for its references, and "1 runs" corrected to "1 run".

    Raises KeyError where it refers to a cell that is not in `values`.
    """
    text = REFERENCE.sub(lambda m: values[m[0]], template)
    text = re.sub(rf"(?<![\d./])1 ({'|'.join(_SINGULAR)})\b", lambda m: f"1 {_SINGULAR[m[1]]}", text)
    text = text.replace("level with 1 others", "level with one other")
    text = re.sub(r"s's\b", "s'", text)  # "Punjab Kings' total"
    text = re.sub(r"\b([Tt])here were (?=1 [a-z])", r"\1here was ", text)
    return re.sub(r"(^|\. )([a-z])", lambda m: m[1] + m[2].upper(), re.sub(r"  +", " ", text))


_SINGULAR = {"runs": "run", "balls": "ball", "wickets": "wicket", "matches": "match", "fours": "four", "sixes": "six",
        "fifties": "fifty", "hundreds": "hundred", "ducks": "duck", "catches": "catch", "stumpings": "stumping",
        "times": "time", "maidens": "maiden", "wins": "win", "losses": "loss", "run-outs": "run-out",
        "five-wicket hauls": "five-wicket haul", "hat-tricks": "hat-trick",
        "dismissals": "dismissal", "boundaries": "boundary", "points": "point", "tosses": "toss",
        "legal balls": "legal ball", "dot balls": "dot ball", "scores of": "score of", "hauls of": "haul of",
        "partnerships": "partnership", "player-of-the-match awards": "player-of-the-match award",
        "batters": "batter", "bowlers": "bowler", "fielders": "fielder", "players": "player", "teams": "team",
        "opponents": "opponent", "grounds": "ground", "cities": "city", "seasons": "season", "months": "month",
        "cases": "case", "titles": "title", "overs": "over"}  # fmt: skip
