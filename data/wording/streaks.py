"""Sentences about what comes one after the other: streaks of innings and matches, and totals that are reached."""

from __future__ import annotations

from data.query.language import MEASURES
from data.query.query import Query
from data.wording.circumstances import source_of, subject
from data.wording.events import in_time
from data.wording.figures import DID, Told, label, nth


def streak_unit(query: Query) -> str:
    """What a streak consists of."""
    return "innings" if source_of(query) in ("bat", "bowl") else "matches"


def of_streaks(told: Told) -> str:
    """The longest or the current streak of each subject, or all streaks in time."""
    query, unit = told.query, streak_unit(told.query)
    own = told.name and not {f.key for f in subject(query)} & set(query.by)
    if not told.by and told.rows == 1:
        which = "longest" if "streak" in query.measures else "current"
        if query.rank and query.rank.kind in ("first", "last"):
            which = in_time(query).strip()
        owner = f"{told.name}'s" if told.name else "the"
        is_or_was = "is" if which == "current" else "was"
        return told.pick([f"{owner} {which} run {is_or_was} {_streak(told, 1, f' {unit}{told.about}')}.",
                          f"{owner} {which} run: {_streak(told, 1, f' {unit}{told.about}')}."])  # fmt: skip
    whose = f" for {told.name}" if own else ""
    if told.rows == 1:
        return f"{_lead(told)}{_row_name(told, 1)}{whose}, {_streak(told, 1, f' {unit}{told.about}')}."
    runs = "runs" if "streak" in query.measures else "current runs"
    opening = f"{_lead(told).removesuffix(': ')} " if query.rank else ""
    listed = told.listed(lambda row: f"{_row_name(told, row)} {_streak(told, row)}")
    return f"{opening}{runs} of {unit}{told.about}{whose}: {listed}."


def _lead(told: Told) -> str:
    rank = told.query.rank
    if not rank:
        return ""
    if rank.kind in ("first", "last"):
        return f"{in_time(told.query).strip()}: "
    which = "longest" if rank.kind == "top" else "shortest"
    if "streak" not in told.query.measures:
        which = f"{which} run still on"
    return f"{nth(rank.n)} {which}: " if rank.nth and rank.n > 1 else f"{which}: "


def _row_name(told: Told, row: int) -> str:
    return ", ".join(f"{'IPL ' if c.name == 'season' else ''}{x}{row}" for c, x in told.by)


def _streak(told: Told, row: int, what: str = "") -> str:
    """How long it is, from when to when, and whether it is still on."""
    longest, now = told.cell("streak", row), told.cell("current_streak", row)
    first, last = told.value("at_first", row), told.value("at_last", row)
    where = ""
    if first is not None:
        where = f" ({told.cell('at_first', row)})"
        if first != last:
            where = f" (first {told.cell('at_first', row)}; last {told.cell('at_last', row)})"
    on = " and still on" if told.value("still_on", row) == "yes" else ""
    if not longest:
        return f"{now}{what}{where}"
    current = f"; the current run is {now}" if now else ""
    return f"{longest}{what}{where}{on}{current}"


# -- totals that are reached


def of_reached(told: Told) -> str:
    """Who reached a number, after how many innings or matches, and where."""
    query = told.query
    name = told.name if not {f.key for f in subject(query)} & set(query.by) else ""
    if not told.by:
        return f"{name or 'they'} got{told.about} {_reached(told, 1)}."
    whose = f" for {name}" if name else ""
    opening = in_time(query).strip() or "got"
    rows = told.listed(lambda row: f"{_row_name(told, row)} {_reached(told, row)}")
    return f"{opening}{told.about}{whose}: {rows}."


def _reached(told: Told, row: int) -> str:
    column, letter = told.asked[0]
    took = "".join(f"in {x}{row} {DID[c.name][1] if c.name in DID else label(c.name)}, " for c, x in told.shown
                   if c.name in MEASURES)  # fmt: skip
    where = told.cell(f"at_{column.name}", row)
    over = told.cell("over", row) if told.value("over", row) is not None else ""
    ball = f"ball {over}, " if over else ""
    return f"{took}{where} ({ball}{letter}{row} {column.label} then)"
