"""What an answer tells, and whether a computed table tells the same."""

from __future__ import annotations

import pytest

from agents.messages import Planned, Retrieved
from agents.retriever import RetrieverAgent
from data.dataset.answer_facts import AnswerFacts
from data.query import parse
from data.season import load
from data.text import plain


@pytest.fixture(scope="module")
def retriever() -> RetrieverAgent:
    return RetrieverAgent(load("ipl_2023"))


@pytest.fixture(scope="module")
def facts(retriever: RetrieverAgent) -> AnswerFacts:
    return AnswerFacts(retriever.linker)


def tables_of(retriever: RetrieverAgent, question: str, line: str):
    linked = retriever.link(question)
    found = retriever.retrieve(Planned(linked, plain(linked.text), parse(line)))
    assert isinstance(found, Retrieved)
    return found.tables


@pytest.mark.parametrize(
    "question, line, answer",
    [
        ("runs of Shubman Gill", "runs | batter=P1", "890"),
        ("runs of Shubman Gill", "runs | batter=P1", "Shubman Gill made 890 runs in IPL 2023."),
        ("runs of Shubman Gill", "runs | batter=P1", "eight hundred and ninety: 890"),
        ("strike rate of Shubman Gill", "strike_rate | batter=P1", "157.8 runs per 100 balls"),
        ("highest score of Shubman Gill", "highest_score | batter=P1", "129"),
        ("best figures of Rashid Khan", "best_figures | bowler=P1", "4 for 30"),
        ("who made most runs", "runs by batter | top 1", "Gill"),
        ("who made most runs", "runs by batter | top 1", "It was Shubman Gill, with 890 runs"),
        ("the three highest scorers", "runs by batter | top 3", "Gill, du Plessis and Conway"),
        ("who won match 5", "winner | match=5", "Royal Challengers Bangalore"),
        ("who won match 5", "winner, margin | match=5", "RCB, by 8 wickets"),
        ("margin of match 5", "margin | match=5", "8 wickets"),
        ("what date was match 5", "date | match=5", "2 April 2023"),
        ("what date was match 5", "date | match=5", "April 2nd"),
        ("how does Shubman Gill bat", "batting_hand | player=P1", "right-handed"),
    ],
)
def test_an_answer_agrees_with_the_table_that_tells_all_of_it(retriever, facts, question, line, answer) -> None:
    assert facts.agrees(question, answer, tables_of(retriever, question, line))


@pytest.mark.parametrize(
    "question, line, answer",
    [
        ("runs of Shubman Gill", "runs | batter=P1", "889"),
        ("runs of Shubman Gill", "balls | batter=P1", "890"),
        ("runs of Shubman Gill", "runs | batter=P1", "890 runs and 20 wickets"),
        ("runs of Shubman Gill", "runs | batter=P1", "Virat Kohli"),
        ("how many innings did Shubman Gill play", "runs | batter=P1", "17"),  # is told with it, and not asked for
        ("who made most runs", "runs by batter | top 1", "Faf du Plessis"),
        ("the three highest scorers", "runs by batter | top 3", "du Plessis, Gill and Conway"),
        ("who won match 5", "margin | match=5", "Royal Challengers Bangalore"),
        ("who won match 5", "winner | match=5", "Mumbai Indians"),
        ("how does Shubman Gill bat", "batting_hand | player=P1", "left-handed"),
        ("economy of Rashid Khan", "economy | bowler=P1", "9.24"),
    ],
)
def test_an_answer_does_not_agree_with_a_table_that_tells_something_else(retriever, facts, question, line, answer):
    assert not facts.agrees(question, answer, tables_of(retriever, question, line))


@pytest.mark.parametrize(
    "question, answer, said",
    [
        ("runs of Shubman Gill", "890", "Shubman Gill scored 890 runs off 564 balls in 17 innings."),
        ("who made most runs", "Shubman Gill (890 runs)", "Shubman Gill scored the most runs: 890 off 564 balls."),
        ("who captained Gujarat Titans", "Arvind Maliwal", "Arvind Maliwal (from your file, row 3)"),
        ("who won match 5", "RCB", "Royal Challengers Bangalore won by 8 wickets."),
        ("margin of match 41", "4 wickets", "CSK v PBKS, 30 April 2023, Chepauk: margin 4 wickets."),
        ("sixes of Moeen Ali", "6", "Moeen Ali hit 6 sixes in 10 innings."),
    ],
)
def test_a_reply_repeats_an_answer_in_other_words(facts, question, answer, said) -> None:
    assert facts.repeats(question, answer, said)


def test_a_reply_without_the_answer_s_figure_does_not_repeat_it(facts) -> None:
    assert not facts.repeats("runs of Shubman Gill", "890", "Shubman Gill scored 89 runs.")
    assert not facts.repeats("who captained Gujarat Titans", "Arvind Maliwal", "The record does not hold it.")


def test_a_year_and_a_count_are_not_of_the_same_kind(retriever, facts) -> None:
    tables = tables_of(retriever, "runs of Shubman Gill", "runs | batter=P1")
    assert facts.same_kind("runs of Shubman Gill", "870", tables)
    assert not facts.same_kind("when was Shubman Gill born", "1999", tables)
    assert not facts.same_kind("who coached Shubman Gill", "Arvind Maliwal", tables)


@pytest.mark.parametrize(
    "answer, weak", [("7", True), ("Gujarat Titans", True), ("890", False), ("Gill", False), ("7 runs off 29", False)]
)
def test_a_small_number_or_a_team_alone_proves_little(facts, answer, weak) -> None:
    assert facts.is_weak("how many", answer) is weak
