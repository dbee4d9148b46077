"""The verifier between a model's sentence and its reader: what is true of the table passes, what is not does not."""

import pytest

from agents.verifier import missing
from data.query import Statistics, parse
from data.season import load
from data.wording import fill, sentence, sheet

KEYS = {"T1": ("Mumbai Indians",), "T2": ("Chennai Super Kings",)}


@pytest.fixture(scope="module")
def statistics():
    return Statistics(load("ipl_2024"))


def laid_out(statistics, line):
    tables = [statistics.answer(q, lambda key, value: KEYS.get(value, (value,))) for q in parse(line).queries]
    return tables, sheet(tables)


@pytest.mark.parametrize(
    "line",
    [
        "wins by innings | team=T1",
        "runs by position | position=1-5",
        "total by over | overs=16-20 team=T1",
        "partnership by wicket | team=T1 wicket=1-4",
        "runs by batter | phase=death | top 3",
        "wins by team | team=T1,T2",
        "economy by bowler | phase=powerplay innings=2 | having overs_bowled>=10 | bottom 3",
        "winner, margin | stage=final",
    ],
)
def test_the_plain_sentence_of_a_table_passes(statistics, line):
    tables, laid = laid_out(statistics, line)
    assert missing(sentence(tables, laid), tables, laid, line) == ""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Wins: B1 in innings A1; B2 in innings A2.", "the total is not stated"),
        ("Wins: B1 in innings A1; S1 in all.", "row 2 is not stated"),
        ("Wins: B1 in innings A1; B2 in innings A2; B2 more; S1 in all.", "B2 is stated twice"),
        ("Wins against rivals: B1 in innings A1; B2 in innings A2; S1 in all.", "'against' was not asked"),
    ],
)
def test_a_sentence_that_leaves_out_or_adds_something_does_not(statistics, said, why):
    tables, laid = laid_out(statistics, "wins by innings | team=T1")
    assert why in missing(said, tables, laid, "wins by innings | team=T1")


def test_a_split_s_row_is_no_circumstance_and_an_over_that_was_not_asked_is(statistics):
    line = "total by over | overs=16-17 team=T1"
    tables, laid = laid_out(statistics, line)
    right = "Runs (with extras) in overs 16-17: B1 in over A1; B2 in over A2; S1 in all."
    assert missing(right, tables, laid, line) == ""
    assert "was not asked" in missing(right.replace("; S1", " in over 3; S1"), tables, laid, line)


def test_a_single_one_reads_as_one():
    assert fill("there were A1 sixes.", {"A1": "1"}) == "There was 1 six."
    assert fill("there were A1 sixes.", {"A1": "12"}) == "There were 12 sixes."
