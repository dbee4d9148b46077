"""The verifier: a sentence that is true of its table passes, any other does not."""

import json
import random
from itertools import product

import pytest

from agents.analyst import gbnf
from agents.circumstance_marks import circumstance_marks
from agents.messages import Planned, Retrieved
from agents.retriever import RetrieverAgent
from agents.verifier import missing
from data.ask import resolver
from data.linking.resolver import Names
from data.query import Statistics, parse
from data.season import SEASONS, load
from data.text import plain
from data.wording.sentence import sentence, wordings
from data.wording.sheet import MODEL_ROWS, fill, sheet
from serve.engine.grammar.automaton import Grammar

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
def test_a_sentence_that_omits_or_adds_something_is_refused(statistics, said, why):
    tables, laid = laid_out(statistics, "wins by innings | team=T1")
    assert why in missing(said, tables, laid, "wins by innings | team=T1")


def test_every_wording_of_the_test_split_passes_and_the_grammar_admits_only_these():
    retriever = RetrieverAgent(load("ipl_2024"))
    lines = (SEASONS / "ipl_2024" / "qa" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    records = {r["query"]: r for r in map(json.loads, lines) if r["wording"]}
    tried = several = 0
    for line, record in records.items():
        linked = retriever.link(record["question"])
        found = retriever.retrieve(Planned(linked, plain(linked.text), parse(line)))
        if not isinstance(found, Retrieved) or max((laid := sheet(found.tables)).rows) > MODEL_ROWS:
            continue
        parts = wordings(found.tables, laid)
        every = {" ".join(texts) for texts in product(*parts)}
        tried, several = tried + 1, several + (len(every) > 1)
        start = Grammar(gbnf(parts)).start
        for text in every:
            assert missing(text, found.tables, laid, line) == "", text
            assert start.advance(text.encode()).complete
            other = text.replace("A1", "A2", 1)
            assert other in every or start.advance(other.encode()) is None
        assert sentence(found.tables, laid) == " ".join(texts[0] for texts in parts)
        assert {sentence(found.tables, laid, random.Random(seed)) for seed in range(5)} <= every
    assert tried > 200 and several > 100


def test_a_minimum_that_the_table_does_not_have_is_refused(statistics):
    line = "strike_rate by batter | top 1"
    tables, laid = laid_out(statistics, line)
    right = sentence(tables, laid)
    assert tables[0].qualification in right and missing(right, tables, laid, line) == ""
    for wrong in ("at least 1 sixes", "at least 1"):
        assert "is not stated" in missing(right.replace(tables[0].qualification, wrong), tables, laid, line)


def test_the_name_of_a_row_is_no_circumstance_but_an_over_that_was_not_asked_is(statistics):
    line = "total by over | overs=16-17 team=T1"
    tables, laid = laid_out(statistics, line)
    right = "Runs (with extras) in overs 16-17: B1 in over A1; B2 in over A2; S1 in all."
    assert missing(right, tables, laid, line) == ""
    assert "was not asked" in missing(right.replace("; S1", " in over 3; S1"), tables, laid, line)


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ("scored 40 runs during the powerplay", "powerplay"),
        ("took 3 wickets against kkr", "against"),
        ("won 7 matches in defeats", "defeats"),
        ("won 7 matches in wins", "in wins"),
        ("scored 40 runs in innings of at least 30", "of at least"),
        ("had 12 scores with more than 50 runs", "with more than"),
        ("took 2 catches off spin bowlers", "spin bowlers"),
        ("hit 9 sixes in the last 4 overs", "the last"),
        ("scored 3 fifties once he lost the toss", "the toss"),
        ("scored 3 fifties after 30 april", "after"),
        ("scored 183 runs (with extras) batting first", "batting first"),
        ("won 5 matches away", "away"),
        ("had 4 wins and 3 losses and the highest total 200/3", None),
        ("strike rate 154.70 (741 runs, 479 balls faced, 15 innings)", None),
    ],
)
def test_a_circumstance_is_recognised_by_a_mark_that_no_column_has(said, mark):
    found = circumstance_marks().search(said)
    assert (found and found[0]) == mark


def test_words_before_a_cell_name_a_row_or_a_figure_and_no_circumstance(statistics):
    for line, said in [
        ("wins by opponent | team=T1 | top 1", "Against A1 for T1: B1 wins."),
        ("extras_conceded | team=T1", "T1 conceded A1 extras."),
    ]:
        tables, laid = laid_out(statistics, line)
        assert "was not asked" not in missing(said, tables, laid, line)
        assert "was not asked" in missing(said.replace(".", " away."), tables, laid, line)


def test_a_count_of_one_is_singular():
    assert fill("there were A1 sixes.", {"A1": "1"}) == "There was 1 six."
    assert fill("there were A1 sixes.", {"A1": "12"}) == "There were 12 sixes."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("wickets | bowler=Bumrah batter=Kohli", "Bumrah took 1 wicket against Kohli ("),
        ("runs | bowler=Bumrah batter=Kohli", "Kohli scored 0 runs off 3 balls against Bumrah (1 innings)."),
        ("economy | batter=Kohli bowler=Bumrah", "Bumrah's economy rate against Kohli was 0.00: 0 runs off 3 balls."),
        ("runs_conceded | bowler=Chahal batter=Kohli", "Chahal conceded 25 runs against Kohli ("),
        ("runs | bowler=Bumrah", "There were 315 runs off 315 balls against Bumrah."),
        ("catches | bowler=Bumrah", "There were 13 catches off Bumrah."),
        ("catches | bowler=Bumrah fielder='Ishan Kishan'", "Ishan Kishan took 4 catches off Bumrah."),
        ("runs | batter!=Kohli team=RCB", "RCB scored 2048 runs off 1255 balls other than Kohli."),
        (
            "runs | batter=Kohli phase=powerplay,death",
            "Kohli scored 470 runs off 281 balls in the powerplay and at the death (",
        ),
        ("matches | player=Kohli result=won,tied", "Kohli played 7 matches in wins and in ties."),
        ("runs | team=RCB innings=1,2", "RCB scored 2789 runs off 1734 balls batting first and second."),
        (
            "partnership_runs | batter=Kohli batter='Faf du Plessis'",
            "Kohli and Faf du Plessis had 707 partnership runs (15 partnerships).",
        ),
        (
            "fours, balls_to_hundred | batter='Ashutosh Sharma'",
            "Ashutosh Sharma hit 10 fours with balls to a hundred of –",
        ),
        ("losses by opponent | team=RR | top 1", "Most losses for RR: against Sunrisers Hyderabad, 2 in 2 matches."),
        ("catches by batter | top 2", "Most catches: dismissing Abhishek Sharma 14; dismissing KL Rahul 14."),
        ("fours_conceded by position | top 1", "Most fours conceded: batters at position 1, 471 (2792 balls)."),
        (
            "runs by batter | bowler='Harshal Patel' opponent=GT | top 1",
            "Shubman Gill scored the most runs against Harshal Patel in match",
        ),
        ("catches by batter | fielder='Shikhar Dhawan' team=PBKS", "Catches for Shikhar Dhawan by fielders of PBKS: "),
        ("sixes | bowler=Bumrah team=MI", "There were 10 sixes against Bumrah in matches of MI."),
        ("highest_total, team_sixes | team=DC", "DC hit 135 sixes with a highest total of 257/4 (v Mumbai Indians, 27"),
        ("boundary_runs | team=CSK", "CSK scored 1474 runs in boundaries (208 fours, 107 sixes)."),
        ("team_sixes by home | team=MI", "Sixes for MI: away 70; home 63; 133 in all."),
        ("sixes_conceded by home | team=KKR", "Sixes conceded for KKR: home 86; away 39."),
        ("points by team | top 2", "Kolkata Knight Riders had the most points (20), ahead of "),
        ("winner, margin | team=MI margin=1", "There was no such match of MI by exactly 1."),
        ("dismissals by bowler | batter=Lomror | having dismissals>=3", "There is no bowler for Lomror with at least"),
        ("win_percent | player='Daryl Mitchell'", "Daryl Mitchell had a win percentage of 53.8: 7 wins in 13 matches."),
        ("wickets | bowler=Nortje position=1-2", "Nortje took 2 wickets to batters at 1-2 ("),
        ("catches | bowling=spin", "There were 165 catches off spin bowlers."),
        ("total | player=Rohit", "There were 2568 runs (with extras) with Rohit playing ("),
        ("runs | batter=Kohli bowler!=Bumrah", "Kohli scored 741 runs off bowlers other than Bumrah ("),
        ("strike_rate by batter | bowler=Bumrah | top 1", "Nobody against Bumrah has at least 30 balls faced, which a"),
    ],
)
def test_a_sentence_names_the_subject_and_every_circumstance_of_the_query(statistics, line, said):
    names = resolver(Names.for_season(statistics.season))
    tables = [statistics.answer(query, names) for query in parse(line.replace("'", '"')).queries]
    laid = sheet(tables)
    assert fill(sentence(tables, laid), laid.values).startswith(said)
