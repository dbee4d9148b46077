"""A query line typed by a person: its names are resolved, its tables computed and printed.

python -m data ask 'economy | bowler=Bumrah'
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import replace

from data.linking.mention import FOUND, KINDS, UNKNOWN, Outcome
from data.linking.resolve_plan import resolve_typed
from data.linking.resolver import Names
from data.query import QueryError, Statistics, StatTable, parse
from data.query.language import FILTERS


class NameNotResolved(QueryError):
    """A name in a query line is unknown, or stands for several people or teams."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.suggestion)
        self.outcome = outcome


def resolver(names: Names) -> Callable[[str, str], tuple[str, ...]]:
    """The engine's `resolve(filter, value)`: full names, surnames, nicknames and keys alike. Raises NameNotResolved."""

    def resolve(filter_key: str, value: str) -> tuple[str, ...]:
        outcome = resolve_typed(filter_key, value, names)
        if outcome.status == UNKNOWN and (near := _near(filter_key, value, names)):
            outcome = replace(outcome, suggestion=f"{outcome.suggestion} {near}")
        if outcome.status != FOUND:
            raise NameNotResolved(outcome)
        return outcome.candidates

    return resolve


def _near(filter_key: str, value: str, names: Names) -> str:
    """Which names are near one that is unknown; of teams all, where they are those of one season."""
    roster = names.roster
    match KINDS.get(FILTERS[filter_key].takes):
        case "team":
            there = list(roster.teams)
            if len(roster.years) == 1:
                return f"There are: {', '.join(sorted(there))}."
        case "venue":
            there = [ground.name for ground in roster.grounds]
        case _:
            there = [player.display for player in roster.players]
    near = difflib.get_close_matches(value.title(), there, 3, 0.5)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def ask(line: str, statistics: Statistics, names: Names) -> list[StatTable]:
    """One table for each query of the line. Raises QueryError, whose message says what to write instead."""
    plan = parse(line)
    return [statistics.answer(query, resolver(names)) for query in plan.queries]


def as_text(table: StatTable) -> str:
    """The table in columns for a terminal."""
    texts = [[c.label for c in table.columns], *table.texts()]
    widths = [max(len(row[i]) for row in texts) for i in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in texts]
    lines.insert(1, "  ".join("-" * w for w in widths))
    if not table.rows:
        lines.append("(no such record in this season)")
    if table.totals:
        lines.append("total: " + ", ".join(f"{name} {value:g}" for name, value in table.totals.items()))
    if table.qualification:
        lines.append(f"({table.qualification})")
    lines += [f'(left out, since the record does not hold it: "{words}")' for words in table.query.unsupported]
    return "\n".join(lines)
