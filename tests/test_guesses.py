"""Names that are guesses of the answer: told from those that are asked about, and put around training questions."""

from __future__ import annotations

import random
import re

import pytest

from agents.coverage import names_left_out
from agents.guesses import guessed
from data.phrasing import composer
from data.phrasing.composer import Phrasebook
from data.query import parse
from data.text import PLACEHOLDER, plain

MOST_RUNS = "runs by batter | top 1"


@pytest.mark.parametrize(
    "question",
    [
        "who has the most runs must be P1",
        "who has the most runs is it P1 or P2",
        "most runs this year my money's on P1",
        "who made most runs P1 right",
        "most runs kisne banaye P1 hoga",
    ],
)
def test_a_guess_has_no_place_in_the_line(question: str) -> None:
    assert not names_left_out(parse(MOST_RUNS), question)


@pytest.mark.parametrize(
    ("question", "line", "missing"),
    [
        ("who has the most runs against P1", MOST_RUNS, ["P1"]),
        ("who has the most runs for T1", MOST_RUNS, ["T1"]),
        ("P1 runs in the powerplay", "runs | phase=powerplay", ["P1"]),
        ("runs of P1 and P2", "runs | batter=P1", ["P2"]),
    ],
)
def test_a_name_that_is_asked_about_is_missed(question: str, line: str, missing: list[str]) -> None:
    assert names_left_out(parse(line), question) == missing


def test_nearly_all_guesses_of_the_bank_are_recognised_and_hardly_any_name_that_a_line_has() -> None:
    book = Phrasebook.load()
    guesses = [re.sub(r"\{P\}", "P1", g, count=1).replace("{P}", "P2") for g in book.asides["guess_player"]]
    asked = [plain(f"who has the most runs {guess}") for guess in guesses]
    known = [set(m[0] for m in PLACEHOLDER.finditer(q)) <= guessed(parse(MOST_RUNS), q) for q in asked]
    assert sum(known) >= 0.9 * len(known)
    taken = [q for q, line in book.pairs if guessed(parse(line), plain(q)) & {m[0] for m in PLACEHOLDER.finditer(line)}]
    assert len(taken) <= 0.01 * len(book.pairs)


def test_what_is_said_around_a_question_does_not_change_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "ASIDE_SHARE", 1.0)
    book = Phrasebook.load()
    book.pairs = book.wide = [("who has the most runs", MOST_RUNS), ("how many sixes did P1 hit", "sixes | batter=P1")]
    rng = random.Random(4)
    made = [book._with_aside(rng, composer.Phrasing(q, line, "pair")) for q, line in book.pairs * 50]
    assert {m.line for m in made} == {MOST_RUNS, "sixes | batter=P1"}
    assert len({m.question for m in made}) > 80 and any("P2" in m.question for m in made)
