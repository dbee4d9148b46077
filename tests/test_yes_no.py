"""Yes and no: said where the computed table makes it certain, and nowhere else."""

from __future__ import annotations

import pytest

from agents.yes_no import yes_or_no
from data.ask import ask
from data.linking.resolver import Names
from data.query import Statistics
from data.season import load

NAMES = {"P1": "Virat Kohli", "P2": "Phil Salt", "T1": "Royal Challengers Bengaluru", "T2": "Chennai Super Kings"}


@pytest.fixture(scope="module")
def season() -> tuple[Statistics, Names]:
    loaded = load("ipl_2024")
    return Statistics(loaded), Names.for_season(loaded)


@pytest.mark.parametrize(
    ("question", "line", "said"),
    [
        ("did P1 ever dismiss P2", "dismissals | batter=Klaasen bowler=Chahal", "No"),
        ("was there a hat-trick", "hat_tricks", "No"),
        ("did P1 get a hundred", 'hundreds | batter="Virat Kohli"', "Yes"),
        ("has P1 hit more sixes than P2", 'sixes by batter | batter="Virat Kohli","Phil Salt"', "Yes"),
        ("has P2 hit more sixes than P1", 'sixes by batter | batter="Virat Kohli","Phil Salt"', "No"),
        ("did P2 outscore P1", 'runs by batter | batter="Virat Kohli","Phil Salt"', "No"),
        ("did P1 face fewer balls than P2", 'balls by batter | batter="Virat Kohli","Phil Salt"', "No"),
        ("was P1 faster to fifty than P2", 'balls_to_fifty by batter | batter="Virat Kohli","Phil Salt"', "No"),
        ("is P1 slower than P2", 'strike_rate by batter | batter="Virat Kohli","Phil Salt"', "Yes"),
        ("was P1 strike rate above the average", 'strike_rate | batter="Virat Kohli" ; strike_rate', "Yes"),
        ("is P1 strike rate below the average", 'strike_rate | batter="Virat Kohli" ; strike_rate', "No"),
        # neither is certain
        ("how many sixes has P1 hit", 'sixes | batter="Virat Kohli"', None),
        ("did P1 score more than 40 sixes", 'sixes | batter="Virat Kohli"', None),
        ("did P1 hit sixes in every match", 'sixes | batter="Virat Kohli"', None),
        ("did P1 or P2 hit more sixes", 'sixes by batter | batter="Virat Kohli","Phil Salt"', None),
        ("did P1 score runs", 'runs | batter="Virat Kohli"', None),
        ("is P1 better than most", 'strike_rate | batter="Virat Kohli"', None),
        ("did P1 make a high score", 'highest_score | batter="Virat Kohli"', None),
    ],
)
def test_yes_and_no_follow_from_the_figures(
    season: tuple[Statistics, Names], question: str, line: str, said: str | None
) -> None:
    assert yes_or_no(question, ask(line, *season), NAMES) == said
