"""Sentences about facts of players, about who played in a match, and about how many rows a question has."""

from __future__ import annotations

from data.wording.circumstances import subject
from data.wording.figures import PLAIN_ROWS, Told, figure

MOST_PLAYERS = 26  # both sides of a match with their substitutes


_VERBS = {"batting_hand": "bats", "bowling_style": "bowls", "sides": "played for", "born": "was born"}


def of_people(told: Told) -> str:
    """Facts of players: 'Jasprit Bumrah: bowls Right arm Fast'."""
    asked_of = {f.key for f in subject(told.query)} & {"player", "batter", "bowler", "fielder"}
    whose = f"for {told.name}" if told.name and not asked_of else ""
    opening = " ".join([whose, told.about.strip()]).strip()

    def row(r: int) -> str:
        name = ", ".join(f"{x}{r}" for c, x in told.by if c.name not in ("on", "ground"))
        facts = (f"{c.label} {x}{r}" if told.value(c.name, r) is not None else f"{c.label} not known"
                 for c, x in told.asked)  # fmt: skip
        verb = _VERBS.get(told.asked[0][0].name) if len(told.asked) == 1 else None
        if verb and told.value(told.asked[0][0].name, r) is not None:
            return f"{name} {verb} {told.asked[0][1]}{r}"
        return f"{name}: {', '.join(facts)}"

    return f"{opening + ': ' if opening else ''}{told.listed(row)}."


def of_lineups(told: Told) -> str:
    """Who played, match by match."""
    by_name = {f.key for f in subject(told.query)} & {"player", "batter", "bowler", "fielder"}
    team = told.query.filter("team")
    names = " and ".join(team.values) if team and team.op == "=" and team in subject(told.query) else ""
    whose = f" for {names or told.name}" if (names or told.name) and not by_name else ""
    most = MOST_PLAYERS if len({told.value("match", r) for r in range(1, told.rows + 1)}) == 1 else PLAIN_ROWS
    matches: dict[str, list[str]] = {}
    for r in range(1, min(told.rows, most) + 1):
        came_in = told.value("eleven", r) == "substitute"
        match = ", ".join(str(told.value(c, r)) for c in ("match", "on"))
        matches.setdefault(match, [f"{told.cell('match', r)}, {told.cell('on', r)}: "])
        others = [f"{x}{r}" for c, x in told.by if c.name not in ("player", "match", "on", "ground")]
        figures = [figure(c, f"{x}{r}") for c, x in told.asked if c.name != "eleven"]
        beside = ", ".join([*(["substitute"] if came_in else []), *figures])
        matches[match].append(", ".join([told.cell("player", r), *others]) + (f" ({beside})" if beside else ""))
    listed = "; ".join(head + ", ".join(players) for head, *players in matches.values())
    more = f"; and {told.rows - most} more" if told.rows > most else ""
    return f"played{whose}{told.about}: {listed}{more}."


def of_number(told: Told) -> str:
    """'There were 18 batters with at least 400 runs: ...'"""
    (column, letter), by = told.asked[0], told.query.by
    noun = column.label if len(by) == 1 else f"cases of {' and '.join(by)}"
    who = f": {told.cell('who')}" if told.value("who") is not None else ""
    whose = f" for {told.name}" if told.name else ""
    text = f"{letter}1 {noun}{whose}{told.about}{who}."
    return told.pick([f"there were {text}", text])
