"""Sentences about who leads, in what order the others follow, and which of two is ahead."""

from __future__ import annotations

from data.query.language import LESS_IS_BETTER, MEASURES
from data.query.table import Column
from data.wording.backing import follows, in_brackets
from data.wording.circumstances import subject
from data.wording.figures import DID, Told, figure, kind_of, listing, nth, parts_of
from data.wording.rows import before_row, names, places

PERSONS = ("batter", "bowler", "fielder", "player", "pair")
_WHOSE = (*PERSONS, "team")
_PLACES = ("match", "on", "ground")
# labels that say already which end of the order they mean
_SUPERLATIVES = {"highest_score": "top", "highest_total": "top", "partnership": "top", "best_figures": "top",
                 "lowest_total": "bottom"}  # fmt: skip
WHISKER = 0.01  # two figures that differ by less than this share of the greater are level but for a whisker


def superlative(told: Told) -> str:
    """What the first row is by its figure: 'most runs', 'lowest economy rate', 'second most wickets'."""
    query, column = told.query, told.asked[0][0]
    assert query.rank is not None
    kind, called = query.rank.kind, MEASURES[column.name].label if column.name in MEASURES else column.label
    place = f"{nth(query.rank.n)} " if query.rank.nth and query.rank.n > 1 else ""
    if _SUPERLATIVES.get(column.name) == kind:
        return place + called
    counted = kind_of(column) == "count" or called.startswith(("balls ", "overs ")) or _is_per(column)
    ends = ("most", "fewest") if counted else ("highest", "lowest")
    return f"{place}{ends[kind == 'bottom']} {called}"


def _is_per(column: Column) -> bool:
    """Whether it is so much for each of something: sixes per innings."""
    parts = parts_of(column)
    return parts is not None and parts.op == "/"


def is_leader(told: Told) -> bool:
    """Whether the only row is the first by one figure, or one of a place in that order."""
    rank = told.query.rank
    return told.rows == 1 and rank is not None and rank.kind in ("top", "bottom")


def leader(told: Told) -> str:
    """'Travis Head hit the most fours: 64 in 15 innings.', 'Highest score: Marcus Stoinis, 124*, v ...'."""
    (column, letter), rank = told.asked[0], told.query.rank
    assert rank is not None
    doers = [f"{x}1" for c, x in told.by if _does(told, c.name)]
    others = [c.name for c, _ in told.by if not _does(told, c.name) and c.name not in _PLACES]
    alone = len(told.asked) == 1 and len(doers) == 1 and not others and not told.name
    end = f"{told.qualification}."
    if alone and column.name in DID and not rank.nth and not told.at:
        verb, noun = DID[column.name]
        single = " in a match" if told.cell("match") else ""
        most = "most" if rank.kind == "top" else "fewest"
        where = "".join(f", {told.cell(name)}" for name in _PLACES if told.cell(name))
        made = _won_of(told, 1) if column.name in ("wins", "losses") else f"{letter}1{follows(told.shown, '', 1)}"
        did = f"{doers[0]} {verb} the {most} {noun}{single}{told.about}"
        options = [f"{did}: {made}{where}{end}"]
        return told.pick(options if where else [*options, f"with {made}, {did}{end}"])
    whose = f" for {told.name}" if told.name and not _is_subject_listed(told) else ""
    options = [f"{superlative(told)}{whose}{told.about}: {_row(told, 1)}{end}"]
    if alone and not rank.nth and not told.cell("match"):
        options.append(f"{doers[0]} had the {superlative(told)}{told.about}: {_made(told, 1)}{end}")
    return told.pick(options)


def _does(told: Told, dimension: str) -> bool:
    """Whether a row of this dimension is who made the figure: not the bowler off whom runs were scored."""
    return dimension in _WHOSE and not before_row(dimension, _source(told))


def _source(told: Told) -> str:
    return MEASURES[told.query.measures[0]].source


def _names(told: Told, row: int) -> str:
    return names(told.by, row, _source(told))


def _row(told: Told, row: int) -> str:
    """'Ruturaj Gaikwad, 583 off 413 balls in 14 innings'."""
    who = _names(told, row)
    if len(told.asked) > 1:
        made_in = {c.name.removeprefix("at_"): f" ({x}{row})" for c, x in told.at}
        said = ", ".join(figure(c, f"{x}{row}") + made_in.get(c.name, "") for c, x in told.asked)
        return f"{who}, {said}{places(told.by, row)}{in_brackets(told.shown, row)}"
    return f"{who}, {_made(told, row)}"


def _made(told: Told, row: int) -> str:
    """The figure with what qualifies it: '583 off 413 balls in 14 innings', '124*, v Chennai Super Kings, ...'."""
    column, letter = told.asked[0]
    where = "".join(f", {x}{row}" for _, x in told.at) or places(told.by, row)
    if kind_of(column) == "count" and not where:
        return f"{letter}{row}{follows(told.shown, '', row)}"
    return f"{letter}{row}{where}{in_brackets(told.shown, row)}"


def _is_subject_listed(told: Told) -> bool:
    return bool({f.key for f in subject(told.query)} & set(told.query.by))


def _won_of(told: Told, row: int) -> str:
    """'6 of 7' matches won."""
    won, played = told.asked[0][1], told.cell("matches", row)
    return f"{won}{row} of {played}" if played else f"{won}{row}"


# -- several rows


def is_order(told: Told) -> bool:
    """Whether the rows are people or teams in the order of one figure."""
    rank, by, column = told.query.rank, [c.name for c, _ in told.by], told.asked[0][0]
    in_order = told.rows > 1 and rank is not None and rank.kind in ("top", "bottom") and not rank.nth
    of_one_figure = len(told.asked) == 1 and (_is_per(column) or not parts_of(column))
    return in_order and of_one_figure and len(by) == 1 and _does(told, by[0]) and not told.name


def order(told: Told, sums: str) -> str:
    """'Virat Kohli scored the most runs (741), ahead of Ruturaj Gaikwad (583) and Riyan Parag (573).'"""
    (column, letter), rank = told.asked[0], told.query.rank
    assert rank is not None
    shown = min(told.rows, told.most_rows)
    values = [told.value(column.name, row) for row in range(1, shown + 1)]
    figures = [f"{letter}{row}{''.join(f', {x}{row}' for _, x in told.at)}" for row in range(1, shown + 1)]
    who = [_names(told, row) for row in range(1, shown + 1)]
    more = [f"{told.rows - shown} more"] if told.rows > shown else []
    if values[0] == values[1]:
        level = ", level" if len(set(map(str, values))) == 1 and not more else ""
        listed = "; ".join(f"{name} {said}" for name, said in zip(who, figures, strict=True))
        return f"{superlative(told)}{told.about}{level}: {'; and '.join([listed, *more])}{sums}{told.qualification}."
    if column.name in DID:
        first = f"{who[0]} {DID[column.name][0]} the {superlative(told).split()[0]} {DID[column.name][1]}"
    else:
        first = f"{who[0]} had the {superlative(told)}"
    others = listing([f"{name} ({said})" for name, said in zip(who[1:], figures[1:], strict=True)] + more)
    then = "ahead of" if rank.kind == "top" else "followed by"
    listed = "; ".join([f"{name} {said}" for name, said in zip(who, figures, strict=True)] + more)
    return told.pick([
        f"{first}{told.about} ({figures[0]}), {then} {others}{sums}{told.qualification}.",
        f"{superlative(told)}{told.about}: {listed}{sums}{told.qualification}.",
    ])  # fmt: skip


def is_comparison(told: Told) -> bool:
    """Whether the rows are two people or teams whose figures differ by a number that is laid out."""
    column = told.asked[0][0]
    values = [told.value(column.name, row) for row in (1, 2)] if told.rows == 2 else []
    return (
        len(values) == 2 and not told.query.rank and not told.name and not told.at
        and len(told.asked) == 1 and [_does(told, c.name) for c, _ in told.by] == [True]
        and all(isinstance(v, (int, float)) for v in values) and not parts_of(column)
    )  # fmt: skip


def comparison(told: Told, difference: str) -> str:
    """'Rohit Sharma scored more runs for Mumbai Indians: 417 to Hardik Pandya's 216, a difference of 201.'"""
    column, letter = told.asked[0]
    a, b = (told.value(column.name, row) for row in (1, 2))
    if a == b:
        one, two = (f"{_names(told, row)} {letter}{row}" for row in (1, 2))
        return f"level on {column.label}{told.about}: {one}, {two}{told.qualification}."
    less = column.name in LESS_IS_BETTER
    first, second = (1, 2) if (a < b) == less else (2, 1)
    one, two = (f"{_names(told, row)} {letter}{row}" for row in (first, second))
    whisker = " by a whisker" if abs(a - b) <= WHISKER * max(abs(a), abs(b)) else ""
    if column.name in DID:
        did = f"{DID[column.name][0]} {'fewer' if less else 'more'} {DID[column.name][1]}"
    else:
        called = column.label.removeprefix("highest ").removeprefix("best ")
        did = f"had the {_better(column)} {called}"
    figures = f"{letter}{first} to {_names(told, second)}'s {letter}{second}"
    end = f"{difference}{told.qualification}."
    return told.pick([
        f"{_names(told, first)} {did}{told.about}{whisker}: {figures}{end}",
        f"{column.label}{told.about}: {one}, {two}{end}",
    ])  # fmt: skip


def _better(column: Column) -> str:
    return "lower" if column.name in LESS_IS_BETTER else "higher"
