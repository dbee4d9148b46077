"""Kinds of questions that people's own files ask: matches by number, rates in one innings. Needs no model."""

from __future__ import annotations

import pytest

from data.linking.fixtures import Fixtures, NamedTeam
from data.linking.linker import Linker
from data.linking.resolver import Names
from data.phrasing.phrase_files import PHRASES, read_pairs
from data.query import Statistics, parse
from data.season import load

KEYS = {"T1": ("Sunrisers Hyderabad",), "T2": ("Kolkata Knight Riders",), "P1": ("9d430b40",), "Y1": ("2024",)}


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker(Names.for_season(load("ipl_2024")))


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("powerplay of match 45 (GT v RCB)", "powerplay of match 45"),
        ("Who won match 1 (CSK vs. RCB)?", "who won match 1?"),
        ("match 45: gt v rcb, top scorer", "match 45, top scorer"),
        ("in match no. 45 between GT and Royal Challengers Bengaluru how many sixes", "in match no. 45 how many sixes"),
        ("the 45th match, GT v RCB, top scorer", "the 45th match, top scorer"),
        ("GT vs RCB (match 45), who was player of the match?", "match 45, who was player of the match?"),
        ("GT vs RCB match 45 winner", "match 45 winner"),
    ],
)
def test_the_sides_of_a_match_given_by_its_number_are_left_out(linker: Linker, question: str, read: str):
    linked = linker.link(question)
    assert linked.text == read
    assert linked.mentions == ()


def test_a_side_named_apart_from_the_match_is_kept(linker: Linker):
    linked = linker.link("What was the powerplay score of RCB in match 45 (GT v RCB)?")
    assert linked.text == "what was the powerplay score of T1 in match 45?"
    (team,) = linked.mentions
    assert team.candidates == ("Royal Challengers Bengaluru",)


@pytest.mark.parametrize(
    ("question", "read"),
    [
        ("who won match 1 (RCB v MI)?", "who won match 1 (T1 v T2)?"),  # match 1 was RCB v CSK: the answer says so
        ("match 45 (GT v RCB) of 2023", "match 45 (T1 v T2) of Y1"),  # another season has other fixtures
        ("runs by GT and RCB in match 45", "runs by T1 and T2 in match 45"),
        ("match 45 (GT v RCB, at home) winner", "match 45 (T1 v T2, at home) winner"),
        ("best of GT v RCB match 4-5 overs", "best of T1 v T2 match 4-5 overs"),
    ],
)
def test_sides_that_say_more_than_the_number_are_kept(linker: Linker, question: str, read: str):
    assert linker.link(question).text == read


def test_two_matches_each_lose_their_own_sides():
    text = "compare match 1 (A v B) and match 2 (A v C)"
    teams = [NamedTeam(i, i + 1, text[i]) for i in (17, 21, 37, 41)]
    fixtures = Fixtures({1: frozenset("AB"), 2: frozenset("AC")})
    parts = fixtures.repeated(text, teams)
    assert [text[start:end] for start, end in parts] == [" (A v B)", " (A v C)"]


@pytest.mark.parametrize(
    ("line", "least", "leader"),
    [
        ("strike_rate by batter, match | top 1", "at least 10 balls faced", "Romario Shepherd"),
        ("strike_rate by batter, match | having balls>=25 | top 1", None, "Jake Fraser-McGurk"),
        ("strike_rate by batter, match | score>=50 | top 1", None, "Jake Fraser-McGurk"),
    ],
)
def test_a_leaderboard_of_a_rate_in_one_innings_leaves_out_innings_of_a_few_balls(line, least, leader):
    statistics = Statistics(load("ipl_2024"))
    (query,) = parse(line).queries
    table = statistics.answer(query)
    assert table.qualification == least
    assert leader in map(str, table.rows[0])


def test_economy_in_one_match_needs_two_overs():
    (query,) = parse("economy by bowler, match | bottom 1").queries
    assert Statistics(load("ipl_2024")).answer(query).qualification == "at least 12 balls bowled"


def test_the_phrases_of_these_kinds_are_lines_that_can_be_computed():
    pairs = read_pairs(PHRASES / "own_file_kinds.txt")
    assert len({question for question, _ in pairs}) == len(pairs) >= 40
    statistics = Statistics(load("ipl_2024"))
    for question, line in pairs:
        for query in parse(line).queries:
            assert query.unsupported == (), question
            assert statistics.answer(query, lambda key, value: KEYS[value]).rows, f"{question} => {line}"
