"""Sentences about one ratio or share ("2.63 sixes a match", "25.29 % of the team's runs"), and about a place in a
ranking ("2nd of 170")."""

from __future__ import annotations

from data.query.language import Parts
from data.wording.backing import in_brackets
from data.wording.figures import DID, Told, each_one, figures, label, parts_of


def of_ratio(told: Told) -> str:
    """The only figure is a ratio, of one subject."""
    column, letter = told.asked[0]
    parts, cell = parts_of(column), f"{letter}1"
    assert parts is not None
    if parts.op == "/":
        return _per(told, parts, cell, column.label)
    if parts.of_whole:
        verb = DID[parts.above][0] if parts.above in DID and told.name else ""
        share = f"{cell} % of {whole(told, parts)}"
        who = f"{told.name} {verb or 'had'}" if told.name else "it was"
        return told.pick([f"{who} {share}{told.about}{_of_how_many(told)}."])
    owner = f"{told.name}'s" if told.name else "all"
    return told.pick([
        f"{label(parts.above)} were {cell} % of {owner} {label(parts.below)}{told.about}{in_brackets(told.shown)}.",
    ])  # fmt: skip


def _per(told: Told, parts: Parts, cell: str, called: str) -> str:
    each, tail = each_one(parts.below), f"{told.about}{in_brackets(told.shown)}."
    options = []
    if parts.above in DID and each:
        verb, noun = DID[parts.above]
        options.append(f"{f'{told.name} {verb}' if told.name else 'there were'} {cell} {noun} {each}{tail}")
    owner = f"{told.name}: " if told.name else ""
    return told.pick([*options, f"{owner}{cell} {called}{tail}"])


def whole(told: Told, parts: Parts) -> str:
    """What a share is of: "the team's runs with extras", "all sixes"."""
    column = next((c for c, _ in told.shown if c.name == f"{parts.below}_{parts.above}"), None)
    owner = "the team's" if parts.below == "team" else "all"
    said = column.label if column else f"{owner} {label(parts.above)}"
    return said.replace("taken (run-outs included)", "with run-outs").replace("(", "").replace(")", "")


def share_of_row(told: Told, row: int) -> str:
    """'14.13 % of all sixes (178 of 1260)', of a row whose only figure is a share of the whole."""
    column, letter = told.asked[0]
    parts = parts_of(column)
    assert parts is not None
    return f"{letter}{row} % of {whole(told, parts)}{_of_how_many(told, row)}"


def _of_how_many(told: Told, row: int = 1) -> str:
    cells = [f"{x}{row}" for _, x in told.shown]
    return f" ({' of '.join(cells[:2])})" if len(cells) >= 2 else ""


# -- a place in a ranking


def of_place(told: Told) -> str:
    """'Virat Kohli was 2nd of 170 by sixes (38 sixes), level with one other.'"""
    figures_asked = [(c, x) for c, x in told.asked if c.name != "place"]
    ranked = figures_asked[0][0].label
    names = ", ".join

    def row(r: int) -> str:
        name = names(f"{x}{r}" for c, x in told.by if c.name not in ("on", "ground"))
        level = f", level with {told.cell('shared', r)} others" if told.value("shared", r) else ""
        return (f"{name} was {told.cell('place', r)} of {told.cell('of', r)} by {ranked}{told.about} "
                f"({figures(figures_asked, r)}){level}")  # fmt: skip

    whose = f"for {told.name}, " if told.name else ""
    return f"{whose}{told.listed(row)}{told.qualification}."
