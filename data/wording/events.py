"""Sentences about single events and single overs: "First six: Virat Kohli off Maheesh Theekshana, ball 9.2 ...".

A ball is named by over.ball as scorers write it, 0.1 to 19.6.
"""

from __future__ import annotations

from data.query.language import MEASURES
from data.query.query import Query
from data.wording.circumstances import subject
from data.wording.figures import Told, in_an_over, nth

EVENTS = {"six_hit": "sixes", "four_hit": "fours", "wicket_fall": "wickets", "fifty_made": "fifties",
            "hundred_made": "hundreds", "ball_bowled": "balls", "winning_hit": "winning hits"}  # fmt: skip


_DONE = {"six_hit": "hit", "four_hit": "hit", "fifty_made": "made", "hundred_made": "made"}


def of_events(told: Told) -> str:
    """Sixes, wickets, fifties reached ... in the order of play."""
    measure = told.query.measures[0]
    one = told.rows == 1
    noun = MEASURES[measure].label if one else EVENTS[measure]
    one_man = {f.key for f in subject(told.query)} & {"batter", "bowler", "player"}
    whose = f" {'of' if one_man else 'for'} {told.name}" if told.name and (in_time(told.query) or not one_man) else ""
    first = in_time(told.query) == "first "  # "the last" is how a condition on the last ball is worded
    if one and not whose and first and measure in _DONE:
        return f"{_event(told, 1, one, f'{_DONE[measure]} the first {noun}{told.about}')}."
    if one and not whose and first and measure == "wicket_fall":
        return f"the first {noun}{told.about} was {_event(told, 1, one)}."
    opening = told.pick([f"{in_time(told.query)}{noun}{whose}{told.about}: "])
    return f"{opening}{told.listed(lambda row: _event(told, row, one))}{told.qualification}."


def in_time(query: Query) -> str:
    """'first ', 'second ', 'last ', 'second from last ', or nothing."""
    if not query.rank:
        return ""
    if not query.rank.nth or query.rank.n == 1:
        return f"{query.rank.kind} "
    return f"{nth(query.rank.n)}{' from last' if query.rank.kind == 'last' else ''} "


def _event(told: Told, row: int, one: bool, done: str = "") -> str:
    """'Virat Kohli off Maheesh Theekshana, ball 9.2 ...'; `done` is what the batter did: 'hit the first six'."""
    measure = told.query.measures[0]
    batter, bowler = told.cell("batter", row), told.cell("bowler", row)
    has_bowler = told.value("bowler", row) is not None
    runs = f", {told.cell('runs', row)} runs" if told.cell("runs") else ""
    if measure == "wicket_fall":
        how = f" ({told.cell('dismissal', row)})" if told.value("dismissal", row) else ""
        score = f", score {told.cell('score', row)}" if told.value("score", row) else ""
        did = f"{batter}{how}{f', bowler {bowler}' if has_bowler else ''}{score}"
    elif measure == "ball_bowled":
        did = f"{bowler} to {batter}{runs}"
    else:
        did = f"{batter}{f' {done},' if done else ''} off {bowler}{runs}"
    ground = f", {told.cell('ground', row)}" if one and told.cell("ground") else ""
    ball = f"ball {told.cell(measure, row)} of innings {told.cell('innings', row)}"
    return f"{did}, {ball}, {told.cell('match', row)}, {told.cell('on', row)}{ground}"


# -- overs


def of_overs(told: Told) -> str:
    """Rows that are single overs: who bowled it, to whom, how much it cost."""
    query, lead = told.query, ""
    noun = " and ".join(c.label for c, _ in told.asked)
    if query.rank and query.rank.kind in ("first", "last"):
        noun = "over" if told.rows == 1 else "overs"
        lead = in_time(query)
    elif query.rank:
        most = "most" if query.rank.kind == "top" else "fewest"
        lead = f"{nth(query.rank.n)} {most} " if query.rank.nth and query.rank.n > 1 else f"{most} "
    opening = f"{lead}{noun}{_whose(told)}{told.about}: "
    return f"{opening}{told.listed(lambda row: _over(told, row))}{told.qualification}."


def _whose(told: Told) -> str:
    return "" if {f.key for f in subject(told.query)} & set(told.query.by) or not told.name else f" for {told.name}"


def _over(told: Told, row: int) -> str:
    people = [f"{x}{row}" for c, x in told.by if c.name not in ("match", "on", "ground", "innings", "over")]
    costs = ", ".join(f"{x}{row} {in_an_over(c)}" for c, x in told.asked)
    more = "".join(f", {c.label} {x}{row}" for c, x in told.shown if c.name == "facing")
    ground = f", {told.cell('ground', row)}" if told.rows == 1 and told.cell("ground") else ""
    over = f"over {told.cell('over', row)} of innings {told.cell('innings', row)}"
    match = f"{told.cell('match', row)}, {told.cell('on', row)}{ground}"
    return f"{' '.join([', '.join(people), costs])}{more}, {over}, {match}"
