"""Names and seasons in questions about every season of the league: who is meant, and which year."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from data.linking.linker import Linker
from data.linking.mention import ABSENT, AMBIGUOUS, FOUND, Context, Outcome
from data.linking.resolver import Names
from data.season import load

ORDINARY = (Path(__file__).parent / "support" / "questions_without_names.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def names() -> Names:
    return Names.for_season(load("ipl"))


@pytest.fixture(scope="module")
def linker(names: Names) -> Linker:
    return Linker(names)


@pytest.fixture(scope="module")
def linker_2024() -> Linker:
    return Linker(Names.for_season(load("ipl_2024")))


def shown(names: Names, keys: tuple[str, ...]) -> list[str]:
    return [names.display(k) for k in keys]


def resolved(linker: Linker, question: str, role: str, *years: int) -> Outcome:
    """The first mention of the question in a role of a query line about those seasons."""
    mention = next(m for m in linker.link(question).mentions if m.kind != "season")
    return linker.names.resolve(mention, role, Context(seasons=years))


SEASONS = [
    ("who won the 2010 ipl", "who won the Y1", ["2010"]),
    ("who won ipl 2007/08", "who won Y1", ["2008"]),
    ("who won ipl 2009-10", "who won Y1", ["2010"]),
    ("who won ipl 2020/21", "who won Y1", ["2020"]),
    ("orange cap in ipl '16", "orange cap in Y1", ["2016"]),
    ("who won IPL 2025?", "who won Y1?", ["2025"]),
    ("last year's winner", "Y1 winner", ["2023"]),
    ("next season", "Y1", ["2025"]),
    ("who won season 3", "who won Y1", ["2010"]),
    ("who won ipl 3", "who won Y1", ["2010"]),
    ("winner of the 10th edition", "winner of Y1", ["2017"]),
    ("top scorer of the first ever IPL season?", "top scorer of Y1?", ["2008"]),
    ("who won the inaugural season", "who won Y1", ["2008"]),
    ("who won the first ipl", "who won Y1", ["2008"]),
    ("first ipl hundred", "first ipl hundred", []),
    ("runs in his first season", "runs in his first season", []),
    ("most runs since 2018", "most runs since Y1", ["2018"]),
    ("most runs since 2024", "most runs since Y1", ["2024"]),
    ("orange caps from 2015 to 2020", "orange caps from Y1 to Y2", ["2015", "2020"]),
    ("most sixes 2015-2020", "most sixes Y1 - Y2", ["2015", "2020"]),
    ("most sixes 2015-18", "most sixes Y1 - Y2", ["2015", "2018"]),
    ("2016 vs 2024", "Y1 vs Y2", ["2016", "2024"]),
    ("this season vs last season", "Y1 vs Y2", ["2024", "2023"]),
    ("2016 orange cap, 2016 purple cap", "Y1 orange cap, Y1 purple cap", ["2016"]),
    ("most 2014 wickets", "most 2014 wickets", []),
    ("top 2014 wickets", "top Y1 wickets", ["2014"]),
    ("did anybody score 2016 runs", "did anybody score 2016 runs", []),
    ("of people with 2010+ runs", "of people with 2010+ runs", []),
    ("their last ipl game", "their last ipl game", []),
    ("lowest total of all time in ipl history", "lowest total of all time in ipl history", []),
    ("most career sixes", "most career sixes", []),
]


@pytest.mark.parametrize(("question", "text", "years"), SEASONS)
def test_years_become_placeholders(linker: Linker, question: str, text: str, years: list[str]) -> None:
    linked = linker.link(question)
    assert linked.text == text
    assert [m.candidates[0] for m in linked.by_placeholder().values()] == years
    assert all((m.status == FOUND) == (2008 <= int(m.candidates[0]) <= 2024) for m in linked.mentions)


@pytest.mark.parametrize(
    ("question", "years"),
    [("sixes in the last 3 seasons", "2022-2024"), ("winners of the first two seasons", "2008-2009")],
)
def test_several_seasons_are_one_placeholder(linker: Linker, question: str, years: str) -> None:
    (mention,) = linker.link(question).mentions
    assert (mention.candidates, mention.status) == ((years,), FOUND)


@pytest.mark.parametrize(
    "question",
    [
        "kohli runs in 2024",
        "most sixes in ipl 2024",
        "IPL 2024: most sixes?",
        "kohli this season",
        "in 2024 season who won",
        "most runs",
        "kohli v bumrah in 2024",
    ],
)
def test_the_default_season_is_left_out_as_in_a_service_of_one_season(
    linker: Linker, linker_2024: Linker, question: str
) -> None:
    assert linker.link(question).text == linker_2024.link(question).text
    assert not [m for m in linker.link(question).mentions if m.kind == "season"]


def test_a_day_is_of_the_year_that_is_said_else_of_the_latest_with_a_match(linker: Linker) -> None:
    def day(question: str) -> str:
        return linker.link(question).by_placeholder()["D1"].candidates[0]

    assert day("who won on 29 may 2016") == "2016-05-29"
    assert day("in 2016 who won on 29 may") == "2016-05-29"
    assert day("who won on 29 may") == "2023-05-29"
    assert day("who won on 17 may") == "2024-05-17"


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("sachin tendulkar", "Sachin Tendulkar"),
        ("sachin", "Sachin Tendulkar"),
        ("shane warne", "Shane Warne"),
        ("warne", "Shane Warne"),
        ("gayle", "Chris Gayle"),
        ("universe boss", "Chris Gayle"),
        ("sehwag", "Virender Sehwag"),
        ("ABD", "AB de Villiers"),
        ("raina", "Suresh Raina"),
        ("kohli", "Virat Kohli"),
        ("marsh", "Mitchell Marsh"),
        ("malinga", "Lasith Malinga"),
        ("malenga", "Lasith Malinga"),
        ("harmeet singh bansal", "Harmeet Singh Bansal"),
    ],
)
def test_players_of_every_season_are_found_those_of_the_latest_first(names: Names, text: str, display: str) -> None:
    outcome = names.player(text)
    assert (outcome.status, shown(names, outcome.candidates)) == (FOUND, [display])


def test_a_surname_of_the_latest_season_means_those_who_played_in_it(names: Names) -> None:
    assert set(shown(names, names.player("pandya").candidates)) == {"Hardik Pandya", "Krunal Pandya"}
    assert "Ishant Sharma" in shown(names, names.player("sharma").candidates)
    assert "Joginder Sharma" not in shown(names, names.player("sharma").candidates)
    smiths = names.player("smith")
    assert smiths.status == AMBIGUOUS and "Graeme Smith (Pune Warriors, IPL 2008-2011)" in smiths.suggestion


def test_the_season_of_the_question_says_who_of_a_name_is_meant(linker: Linker) -> None:
    def display(question: str, *years: int) -> list[str]:
        return shown(linker.names, resolved(linker, question, "player", *years).candidates)

    assert display("tendulkar runs") == ["Arjun Tendulkar"]
    assert display("tendulkar runs in 2010", 2010) == ["Sachin Tendulkar"]
    assert display("kumar wickets in 2008", 2008) != display("kumar wickets")
    assert display("marsh runs in 2008", 2008) == ["Shaun Marsh"]
    assert display("kohli runs in 2008", 2008) == ["Virat Kohli"]


def test_somebody_who_was_not_in_the_season_is_absent_with_the_seasons_he_played_in(linker: Linker) -> None:
    assert resolved(linker, "tendulkar runs in 2010", "batter", 2010).status == FOUND
    outcome = resolved(linker, "shane warne wickets in 2024", "bowler", 2024)
    assert outcome.status == ABSENT
    assert outcome.suggestion == "Shane Warne did not play in IPL 2024, but in IPL 2008-2011."
    outcome = resolved(linker, "gujarat lions wins in 2024", "team", 2024)
    assert outcome.suggestion == "Gujarat Lions did not play in IPL 2024, but in IPL 2016-2017."
    names = linker.names
    (warne,) = names.player("shane warne").candidates
    assert names.seasons_of(warne) == (2008, 2009, 2010, 2011)
    assert names.absence(warne) == "Shane Warne did not play in IPL 2024, but in IPL 2008-2011."
    assert names.absence(warne, (2011, 2012)) == ""


@pytest.mark.parametrize(
    ("text", "team"),
    [
        ("Delhi Daredevils", "Delhi Capitals"),
        ("daredevils", "Delhi Capitals"),
        ("DD", "Delhi Capitals"),
        ("dc", "Delhi Capitals"),
        ("Kings XI Punjab", "Punjab Kings"),
        ("kings xi", "Punjab Kings"),
        ("KXIP", "Punjab Kings"),
        ("Royal Challengers Bangalore", "Royal Challengers Bengaluru"),
        ("Rising Pune Supergiants", "Rising Pune Supergiant"),
        ("RPS", "Rising Pune Supergiant"),
        ("Deccan Chargers", "Deccan Chargers"),
        ("deccan", "Deccan Chargers"),
        ("Pune Warriors India", "Pune Warriors"),
        ("Kochi Tuskers", "Kochi Tuskers Kerala"),
        ("Gujarat Lions", "Gujarat Lions"),
        ("gujarat", "Gujarat Titans"),
        ("hyderabad", "Sunrisers Hyderabad"),
    ],
)
def test_a_team_is_found_by_the_names_of_every_season(names: Names, text: str, team: str) -> None:
    assert names.team(text).candidates == (team,)


@pytest.mark.parametrize(
    ("question", "year", "team"),
    [
        ("dc wins in 2010", 2010, "Deccan Chargers"),
        ("dc wins in 2020", 2020, "Delhi Capitals"),
        ("delhi capitals wins in 2010", 2010, "Delhi Capitals"),
        ("hyderabad wins in 2012", 2012, "Deccan Chargers"),
        ("gujarat wins in 2016", 2016, "Gujarat Lions"),
        ("pune wins in 2017", 2017, "Rising Pune Supergiant"),
        ("pune wins in 2012", 2012, "Pune Warriors"),
        ("kochi wins in 2011", 2011, "Kochi Tuskers Kerala"),
        ("rcb wins in 2009", 2009, "Royal Challengers Bengaluru"),
    ],
)
def test_the_season_of_the_question_says_which_team_of_a_town_is_meant(
    linker: Linker, question: str, year: int, team: str
) -> None:
    assert resolved(linker, question, "team", year).candidates == (team,)


def test_the_home_grounds_of_a_team_are_those_of_the_season(linker: Linker) -> None:
    assert resolved(linker, "sixes at dc", "venue").candidates == (
        "Arun Jaitley Stadium",
        "Dr. Y.S. Rajasekhara Reddy ACA-VDCA Cricket Stadium",
    )
    assert resolved(linker, "sixes at rps", "venue", 2017).candidates == ("Maharashtra Cricket Association Stadium",)
    assert resolved(linker, "sixes at dc", "venue", 2010).candidates != ("Arun Jaitley Stadium",)  # Deccan's


@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("feroz shah kotla", "Arun Jaitley Stadium"),
        ("M.Chinnaswamy Stadium", "M Chinnaswamy Stadium"),
        ("sardar patel stadium", "Narendra Modi Stadium"),
        ("motera", "Narendra Modi Stadium"),
        ("port elizabeth", "St George's Park"),
        ("subrata roy sahara stadium", "Maharashtra Cricket Association Stadium"),
        ("dubai", "Dubai International Cricket Stadium"),
    ],
)
def test_a_ground_is_found_by_the_names_of_every_season(names: Names, text: str, ground: str) -> None:
    assert names.venue(text).candidates == (ground,)


def test_everybody_who_ever_played_is_found_by_the_name_shown(names: Names) -> None:
    wrong = {
        p.display: shown(names, found.candidates)
        for p in names.roster.players
        if p.matches and p.key not in (found := names.player(p.display)).candidates
    }
    assert wrong == {}


def test_everybody_who_ever_played_is_linked_in_a_question(linker: Linker) -> None:
    wrong = []
    for person in linker.names.roster.players:
        for name in (person.display, person.display.lower()) if person.matches else ():
            linked = linker.link(f"how many runs did {name} score")
            if len(linked.mentions) != 1 or person.key not in linked.mentions[0].candidates:
                wrong.append((name, linked.text))
    assert wrong == []


@pytest.mark.parametrize(
    "write", [str, str.capitalize, str.upper, str.title], ids=["lower", "sentence", "upper", "title"]
)
def test_ordinary_questions_have_no_names(linker: Linker, write) -> None:
    found = {q: [m.text for m in linker.link(write(q)).mentions if m.kind != "season"] for q in ORDINARY}
    assert {q: texts for q, texts in found.items() if texts} == {}


def test_a_question_is_linked_within_two_milliseconds(linker: Linker) -> None:
    took = []
    for question in [q for q, _, _ in SEASONS] + ORDINARY[:100]:
        start = time.perf_counter()
        linker.link(question)
        took.append(time.perf_counter() - start)
    assert sorted(took)[len(took) // 2] < 0.002
