"""A reply against the rows of a gold query line: what counts as the same, and what does not."""

from __future__ import annotations

import pytest

from agents.messages import Reply
from data.ask import ask
from data.linking.resolver import Names
from data.query import QueryError, Statistics
from data.season import load
from train.evaluate.gold_lines import gold_tables, holds


@pytest.fixture(scope="module")
def season() -> tuple[Statistics, Names]:
    loaded = load("ipl_2024")
    return Statistics(loaded), Names.for_season(loaded)


@pytest.mark.parametrize(
    ("line", "gold", "right"),
    [
        ("runs by batter | top 5", "runs by batter | top 1", True),  # more rows
        ("runs, strike_rate | batter=Kohli", "runs | batter=Kohli", True),  # more figures
        ("runs by batter | batter=Kohli,Salt", "runs | batter=Kohli", True),
        ("runs | batter=Kohli", "runs by batter | batter=Kohli", True),  # the line says the name
        ("runs by batter | top 1", "runs by batter | top 5", False),
        ("runs | batter=Kohli phase=powerplay", "runs | batter=Kohli", False),
        ("runs | batter=Salt", "runs | batter=Kohli", False),
        ("runs | batter=Kohli", "runs | batter=Kohli ; runs | batter=Salt", False),  # half of it
        ("hat_tricks", "hat_tricks by bowler | having hat_tricks>=1", True),  # nobody
        ("runs by batter | top 1", "hat_tricks by bowler | having hat_tricks>=1", False),
    ],
)
def test_a_reply_holds_the_rows_of_the_gold_line(
    season: tuple[Statistics, Names], line: str, gold: str, right: bool
) -> None:
    reply = Reply("As computed.", "answered", line.replace("Kohli", '"Virat Kohli"'), tuple(ask(line, *season)))
    (tables,) = gold_tables([gold], *season)
    assert holds(reply, tables) is right


def test_a_gold_line_that_cannot_be_computed_is_named(season: tuple[Statistics, Names]) -> None:
    with pytest.raises(QueryError, match=r"gold line runs by umpire"):
        gold_tables(["runs by umpire"], *season)
