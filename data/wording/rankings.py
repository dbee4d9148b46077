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
# measures of which each row has its best: the end of the order at which the best of all is, and what that is called
_NATURAL = {
    "highest_score": ("top", "highest score"), "highest_total": ("top", "highest total"),
    "lowest_total": ("bottom", "lowest total"), "best_figures": ("top", "best figures"),
    "partnership": ("top", "highest partnership"), "balls_to_fifty": ("bottom", "fastest fifty"),
    "balls_to_hundred": ("bottom", "fastest hundred"), "margin_runs": ("top", "biggest win by runs"),
    "margin_wickets": ("top", "biggest win by wickets"), "balls_left": ("top", "biggest win by balls to spare"),
}  # fmt: skip
_GROUPS = {"venue": "ground", "kind": "kind of bowling", "bowling": "kind of bowling", "dismissal": "kind of dismissal",
           "position": "batting position"}  # fmt: skip
_UNITS = {"balls_to_fifty": " balls", "balls_to_hundred": " balls", "balls_left": " balls", "margin_runs": " runs",
          "margin_wickets": " wickets"}  # fmt: skip
WHISKER = 0.01  # two figures that differ by less than this share of the greater are level but for a whisker


def superlative(told: Told) -> str:
    """What the first row is by its figure: 'most runs', 'lowest economy rate', 'second most wickets'."""
    query, column = told.query, told.asked[0][0]
    assert query.rank is not None
    kind, called = query.rank.kind, MEASURES[column.name].label if column.name in MEASURES else column.label
    place = f"{nth(query.rank.n)} " if query.rank.nth and query.rank.n > 1 else ""
    natural = _NATURAL.get(column.name)
    if natural and natural[0] == kind:
        return place + natural[1]
    counted = kind_of(column) == "count" or called.startswith(("balls ", "overs ")) or _is_per(column)
    ends = ("most", "fewest") if counted else ("highest", "lowest")
    if column.name == "position":
        ends = ("worst", "best")
    end = ends[kind == "bottom"]
    if natural and "match" not in query.by:  # each row is the best of somebody, and this the end of them
        return f"{place}{end} of each one's {natural[1]}"
    if end == "fewest" and _source(told) == "award":  # nobody is listed with none
        return f"{place}fewest {called} of those with any"
    return f"{place}{end} {called}"


def of_each(told: Told) -> str:
    """The groups in which the rows are ranked: " of each season"."""
    rank = told.query.rank
    if rank is None or not rank.per:
        return ""
    return f" {'against' if rank.per == 'opponent' else 'of'} each {_GROUPS.get(rank.per, rank.per)}"


def _is_per(column: Column) -> bool:
    """Whether it is so much for each of something: sixes per innings."""
    parts = parts_of(column)
    return parts is not None and parts.op == "/"


def is_leader(told: Told) -> bool:
    """Whether the only row is the first by one figure, or one of a place in that order."""
    rank = told.query.rank
    return told.rows == 1 and rank is not None and rank.kind in ("top", "bottom") and not rank.per


def leader(told: Told) -> str:
    """'Travis Head hit the most fours: 64 in 15 innings.', 'Highest score: Marcus Stoinis, 124*, v ...'."""
    (column, letter), rank = told.asked[0], told.query.rank
    assert rank is not None
    if told.name and (column.name, told.query.by) == ("matches", ("venue",)) and told.query.filter("home"):
        return f"{told.name} played most{told.about} at {told.by[0][1]}1: {letter}1 matches{told.qualification}."
    doers = [f"{x}1" for c, x in told.by if _does(told, c.name)]
    others = [c.name for c, _ in told.by if not _does(told, c.name) and c.name not in _PLACES]
    alone = len(told.asked) == 1 and len(doers) == 1 and not others and not told.name
    end = f"{told.qualification}."
    if alone and column.name in DID and not rank.nth and not told.at:
        verb, noun = DID[column.name]
        single = " in a match" if told.cell("match") else ""
        most = "most" if rank.kind == "top" else "fewest"
        where = "".join(f", {told.cell(name)}" for name in _PLACES if told.cell(name))
        after = follows(told.shown, "", column.name)
        made = f"{letter}1{after}"
        if column.name in ("wins", "losses"):
            made = _won_of(told, 1)
        options = [f"{doers[0]} {verb} the {most} {noun}{single}{told.about}: {made}{where}{end}"]
        if not where and column.name not in ("wins", "losses"):
            options.append(f"with {letter}1 {noun}{after}, {doers[0]} {verb} the {most}{told.about}{end}")
        return told.pick(options)
    several = is_subject_listed(told) and " and " in told.name
    whose = f" {'of' if several else 'for'} {told.name}" if told.name else ""
    single = " in a match" if told.cell("match") and column.name in DID else ""
    options = [f"{superlative(told)}{single}{whose}{told.about}: {_row(told, 1)}{end}"]
    if alone and not rank.nth and not told.cell("match") and _is_personal(told) and "each one's" not in options[0]:
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
        return f"{letter}{row}{follows(told.shown, '', column.name, row)}"
    return f"{letter}{row}{_UNITS.get(column.name, '')}{where}{in_brackets(told.shown, row)}"


def is_subject_listed(told: Told) -> bool:
    """Whether the rows are those of whom the question names: runs by batter of two batters."""
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
    return in_order and of_one_figure and len(by) == 1 and _does(told, by[0]) and not told.name and _is_personal(told)


def _is_personal(told: Told) -> bool:
    """Whether a row has the figure rather than gave it away, as a bowler does the runs in an over."""
    counted = kind_of(told.asked[0][0]) == "count"
    return _source(told) not in ("over", "batter_over", "run") or (counted and told.asked[0][0].name in DID)


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
    column, by = told.asked[0][0], [c.name for c, _ in told.by]
    named = [f for f in told.query.filters if f.op == "=" and f.key in (*by, "between") and len(f.values) == 2]
    values = [told.value(column.name, row) for row in (1, 2)] if told.rows == 2 else []
    return (
        len(values) == 2 and bool(named) and not told.query.rank and not told.query.having and not told.at
        and len(told.asked) == 1 and _is_personal(told) and len(by) == 1 and _does(told, by[0])
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
    if column.name == "position":
        return "better"
    return "lower" if column.name in LESS_IS_BETTER else "higher"
