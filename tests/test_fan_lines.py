"""The hand-written query lines of the fan questions give the gold figures and names."""

import json
import re

import pytest

from data.ask import ask
from data.dataset.leakage import FAN_QUESTIONS
from data.linking.resolver import Names
from data.query import Statistics
from data.season import load

CASES = [json.loads(line) for line in FAN_QUESTIONS.read_text(encoding="utf-8").splitlines()]
ANSWERABLE = [case for case in CASES if case["line"]]


@pytest.fixture(scope="module")
def season():
    loaded = load("ipl_2024")
    return Statistics(loaded), Names.for_season(loaded)


def figures(texts: list[str]) -> list[float]:
    return [float(n) for text in texts for n in re.findall(r"\d+(?:\.\d+)?|(?<!\S)-\d+\.\d+", text)]


@pytest.mark.parametrize("case", ANSWERABLE, ids=lambda case: case["id"])
def test_a_hand_written_line_gives_the_gold_figures(case, season):
    tables = ask(case["line"], *season)
    texts = [cell for table in tables for row in table.texts() for cell in row]
    texts += [f"{value:g}" for table in tables for value in table.totals.values()]
    values = [v for t in tables for row in t.rows[:2] for v in row if isinstance(v, (int, float))]
    found = figures(texts) + [abs(a - b) for a in values for b in values]
    expect = case["expect"]
    for number in expect["numbers"]:
        assert any(abs(number - f) <= expect["tolerance"] for f in found), (number, texts)
    said = " | ".join(texts).lower()
    for aliases in expect["entities"]:
        no_dismissal = "did not" in aliases and 0 in values
        assert no_dismissal or any(alias.lower() in said for alias in aliases), (aliases, texts)


def test_at_least_95_percent_of_the_answerable_fan_questions_have_a_line():
    answerable = [c for c in CASES if not c["expect"]["refuse"]]
    assert sum(1 for c in answerable if c["line"]) >= 0.95 * len(answerable)
