"""Query lines are mended where a phrase of the question means one thing only, and left alone elsewhere."""

import random

import pytest

from agents import repairs
from agents.coverage import groups_dropped, people_dropped
from agents.messages import Planned, Refusal, Retrieved
from agents.repairs import repaired
from agents.retriever import RetrieverAgent
from data.ask import ask
from data.phrasing.phrase_files import PAIR_FILES, PHRASES, expand, read_pairs
from data.query import parse
from data.season import load
from data.text import plain


@pytest.mark.parametrize(("question", "line", "mended"), [
    ("highest successful chase team and final score", "highest_total by team | innings=2 stage=final | top 1",
     "highest_total by team | innings=2 | top 1"),
    ("how many innings before somebody finally got P1 out", "innings | batter=P1 stage!=final", "innings | batter=P1"),
    ("runs per match of P1 on average", "average | batter=P1", "runs/matches | batter=P1"),
    ("how many sixes a game did P1 hit", "sixes | batter=P1", "sixes/matches | batter=P1"),
    ("most wickets per match", "bowling_strike_rate by bowler | bottom 1", "wickets/matches by bowler | top 1"),
    ("P1 s wickets per innings", "wickets | bowler=P1", "wickets/innings_bowled | bowler=P1"),
    ("runs per match at V1", "runs | venue=V1", "total/matches | venue=V1"),
    ("P1 s strike rate in Y1 above the league average", "strike_rate | batter=P1 season=Y1",
     "strike_rate | batter=P1 season=Y1 ; strike_rate | season=Y1"),
    ("is the average score at V1 above the tournament average", "average_total | venue=V1 innings=1",
     "average_total | venue=V1 innings=1 ; average_total | innings=1"),
    ("did P1 ever dismiss P2 and what did P2 take off him runs balls", "dismissals, balls | batter=P2 bowler=P1",
     "dismissals, balls, runs | batter=P2 bowler=P1"),
    ("most runs with fours sixes and strike rate", "runs, fours, strike_rate by batter | top 1",
     "runs, fours, strike_rate, sixes by batter | top 1"),
    ("P1 s economy without the playoffs", "economy | bowler=P1 stage=playoffs", "economy | bowler=P1 stage!=playoffs"),
    ("how many runs did T1 score excluding extras", "total | team=T1", "runs | team=T1"),
    ("what was the highest total and the best score for T1", "highest_total ; highest_score | team=T1",
     "highest_total by team | top 1 ; highest_score by batter | team=T1 | top 1"),
    ("most wickets in the playoffs q1 to final", "wickets by bowler | stage=qualifier_1 | top 1",
     "wickets by bowler | stage=playoffs | top 1"),
    ("who was the top scorer of each team", "runs by batter | top 1", "runs by team, batter | top 1 per team"),
    ("top 3 wicket takers for every franchise", "wickets by bowler, team | top 3",
     "wickets by team, bowler | top 3 per team"),
    ("season wise top run scorer", "runs by batter | season=all | top 1",
     "runs by season, batter | top 1 per season"),
    ("which bowler took the most wickets against each team", "wickets by bowler | top 1",
     "wickets by opponent, bowler | top 1 per opponent"),
    ("best strike rate in each phase", "strike_rate by batter | top 1",
     "strike_rate by phase, batter | top 1 per phase"),
    ("top run scorer for each side", 'runs by batter | top 1 | unsupported "for each side"',
     "runs by team, batter | top 1 per team"),
    ("most wickets v each team", "wickets by bowler | top 1", "wickets by opponent, bowler | top 1 per opponent"),
    ("best economy per team", "economy by team | bottom 1", "economy by team, bowler | bottom 1 per team"),
    ("who made the highest score of each season", "highest_score by season",
     "highest_score by season, batter | top 1 per season"),
    ("P1 s most runs against each team", "runs by opponent | batter=P1 | top 1", "runs by opponent | batter=P1"),
    ("highest total of each team", "highest_total by team | top 1", "highest_total by team"),
    ("his two most prolific seasons", "wickets by season | bowler=P1 | top 1", "wickets by season | bowler=P1 | top 2"),
    ("which team had won by minimum wicket", "winner, margin | won_by=wickets margin=1",
     "margin_wickets by team, match | bottom 1"),
    ("which team won by least runs in a day game", 'winner | won_by=runs margin=1 | unsupported "in a day game"',
     'margin_runs by team, match | unsupported "in a day game" | bottom 1'),
    ("which two batters had the most sixes in the powerplay", "sixes by batter | phase=powerplay | top 1",
     "sixes by batter | phase=powerplay | top 2"),
    ("best economy for every side at least 100 balls", "economy by team | having balls_bowled>=100 | bottom 1",
     "economy by team, bowler | having balls_bowled>=100 | bottom 1 per team"),
    ("leading 5 wicket takers", "wickets by bowler | top 1", "wickets by bowler | top 5"),
    ("wides by team worst offender first", "wides by team | top 1", "wides by team | top 10"),
    ("20th over economy min 5 of them bowled cheapest first", "economy by bowler | overs=20 | bottom 1",
     "economy by bowler | overs=20 | bottom 10"),
    ("200 totals in Y1 compared to Y2", "innings_played | season=Y1-Y2 total>=200",
     "innings_played by season | season=Y1,Y2 total>=200"),
])  # fmt: skip
def test_a_line_is_mended(question: str, line: str, mended: str) -> None:
    assert repaired(parse(line), question) == parse(mended)


@pytest.mark.parametrize(("question", "line"), [
    ("what was the final score in the final", "scores | stage=final"),
    ("who won the final", "winner | stage=final"),
    ("runs per match by season of P1", "runs by match | batter=P1"),
    ("P1 batting average", "average | batter=P1"),
    ("P1 s runs with extras", "total | team=T1"),
    ("runs of P1 from Y1 to Y2", "runs | batter=P1 season=Y1-Y2"),
    ("what is the league average", "average"),
    ("P1 s highest score and T1 s highest total", "highest_score | batter=P1 ; highest_total | team=T1"),
    ("highest totals by season", "highest_total by season"),
    ("who hits the most sixes each match", "sixes/matches by batter | top 1"),
    ("who bowled the last over of each match most often", "overs_bowled by bowler | overs=20 | top 1"),
    ("who scored most among those who played each game", "runs by batter | top 1"),
    ("highest score in a game where each side made 200", "highest_score by batter | total>=200 target>=200 | top 1"),
    ("of each phase which sees most wickets", "wickets by phase | top 1"),
    ("average score at each venue which is highest", "average_total by venue | top 1"),
    ("most runs by an uncapped batter of each team",
     'runs by team, batter | unsupported "uncapped batter of each team" | top 1 per team'),
    ("who scored most runs in T1 s two most recent games", "runs by batter | team=T1 last_matches=2 | top 1"),
    ("who is the top 6 hitter", "sixes by batter | top 1"),
    ("which side scores most going first", "average_total by team | innings=1 | top 1"),
    ("which team finished in the top 4 with the worst net run rate",
     "net_run_rate by team | having position<=4 | bottom 1"),
    ("player of the match in the game won by the fewest runs", "player_of_match | won_by=runs margin=1"),
    ("which two batters put on the most in one go", "partnership by pair | top 1"),
    ("most ducks when batting in the top three", "ducks by batter | position=1-3 | top 1"),
    ("which side averages most batting first", "average_total by team | innings=1 | top 1"),
    ("scalps per match who is top 8 games or more", "wickets/matches by bowler | having matches>=8 | top 1"),
    ("who passed 400 in each season", "runs by batter | having runs>=400 | top 1"),
    ("most sixes against every team", "sixes by batter | top 1"),
    ("most runs across each season", "runs by season | top 1"),
    ("P1 wickets between Y1 and Y2", "wickets | bowler=P1 season=Y1-Y2"),
    ("Y1 final scores winner margin", "scores, winner, margin | stage=final season=Y1"),
    ("how lopsided was the final margin", "margin | stage=final"),
    ("how many times did T1 lose in the final over the years", "losses | team=T1 season=all stage=final"),
    ("how many wickets did P1 take in a match at V1", "wickets by match | bowler=P1 venue=V1"),
    ("fours in a game T1 lost", "fours | team=T1 result=lost"),
    ("sixes per innings number", "sixes by innings"),
    ("P1 s runs per match in the powerplay", "runs | batter=P1 phase=powerplay"),
    ("P1 runs and sixes in the powerplay", "runs, sixes | batter=P1 phase=powerplay"),
    ("P1 first 10 balls strike rate", "strike_rate | batter=P1 first_balls=10"),
    ("sixes and balls per six P1", "sixes, balls_per_six | batter=P1"),
    ("runs balls and wickets of P1", "wickets | bowler=P1"),
    ("over the season what average did P1 have", "average | batter=P1"),
    ("who went straight from qualifier 1 to the final", "winner | stage=qualifier_1"),
    ("P1 s strike rate in the powerplay and excluding the powerplay",
     "strike_rate | batter=P1 phase=powerplay ; strike_rate | batter=P1 phase!=powerplay"),
    ("can you predict the final score", "decline prediction"),
])  # fmt: skip
def test_a_line_is_left_as_it_is(question: str, line: str) -> None:
    assert repaired(parse(line), question) == parse(line)


def test_no_right_line_of_the_phrase_files_is_changed_but_for_whose_a_best_figure_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repairs, "_REPAIRS", tuple(r for r in repairs._REPAIRS if r is not repairs._with_holder))
    rng = random.Random(1)
    for name in PAIR_FILES:
        for words, line in read_pairs(PHRASES / name):
            question = plain(expand(words, rng))
            assert repaired(parse(line), question) == parse(line), (name, question)


def test_who_leads_is_asked_of_all_where_a_name_is_only_a_guess() -> None:
    plan = parse("wickets by bowler | bowler=P1 phase=powerplay | top 1")
    everybody = parse("wickets by bowler | phase=powerplay | top 1")
    assert repaired(plan, "who took the most wickets in the powerplay must be P1") == everybody
    assert repaired(plan, "most wickets of P1 in the powerplay") == plan
    two = parse("runs by batter | batter=P1,P2 | top 1")
    assert repaired(two, "who scored more runs P1 or P2") == two


def test_a_person_who_is_asked_for_beside_a_figure_is_missed_where_no_row_names_anybody() -> None:
    question = "how many runs did P1 concede in the last over and who hit them"
    assert people_dropped(parse("runs_conceded by match | bowler=P1 overs=20"), question)
    assert people_dropped(parse("runs_conceded by bowler | bowler=P1 overs=20"), question)  # names P1 alone
    assert not people_dropped(parse("runs_conceded by batter | bowler=P1 overs=20"), question)
    assert not people_dropped(parse("over_runs | bowler=P1 | last 1"), question)


@pytest.mark.parametrize(("question", "line"), [
    ("biggest stand at V1 and who were they", "partnership | venue=V1 | top 1"),
    ("T1 s highest total and who was it against", "highest_total | team=T1"),
    ("P1 and P2 runs and who has more", "runs | batter=P1,P2"),
    ("P1 s fours P2 s fours and who has more", "fours | batter=P1 ; fours | batter=P2"),
])  # fmt: skip
def test_no_person_is_missed_where_the_table_shows_who_it_was(question: str, line: str) -> None:
    assert not people_dropped(parse(line), question)


@pytest.fixture(scope="module")
def retriever() -> RetrieverAgent:
    return RetrieverAgent(load("ipl_2024"))


def retrieved(retriever: RetrieverAgent, question: str, line: str) -> Retrieved | Refusal:
    linked = retriever.link(question)
    return retriever.retrieve(Planned(linked, plain(linked.text), parse(line)))


@pytest.mark.parametrize(("question", "line"), [
    ("Virat Kohli's runs across all seasons", "runs | batter=P1 season=all"),
    ("how many runs has Virat Kohli made in his IPL career", "runs | batter=P1"),
    ("who has won the IPL most often", "titles by player | top 1"),
])  # fmt: skip
def test_a_career_is_declined_where_one_season_is_loaded_and_the_season_s_line_suggested(
    retriever: RetrieverAgent, question: str, line: str
) -> None:
    found = retrieved(retriever, question, line)
    assert isinstance(found, Refusal) and found.reason == "other_season" and "only have data on" in found.sentence
    assert ask(found.suggestions[0], retriever.statistics, retriever.names)[0].rows


@pytest.mark.parametrize(("question", "line"), [
    ("not his career just this season Virat Kohli strike rate", "strike_rate | batter=P1"),
    ("Virat Kohli's career best score", "highest_score | batter=P1"),
    ("who won the title this year", "titles by team | top 1"),
    ("head to head history of KKR and SRH", "wins by team | between=T1,T2"),
])  # fmt: skip
def test_one_season_is_answered_where_it_is_meant(retriever: RetrieverAgent, question: str, line: str) -> None:
    assert isinstance(retrieved(retriever, question, line), Retrieved)


def test_without_such_words_the_only_season_is_meant(retriever: RetrieverAgent) -> None:
    found = retrieved(retriever, "most ducks in the IPL", "ducks by batter | season=all | top 1")
    assert isinstance(found, Retrieved) and found.note


@pytest.mark.parametrize(("question", "is_over_all"), [
    ("biggest win by runs in ipl", True), ("most wickets in the ipl", True), ("how many times have RCB won", True),
    ("most wickets this ipl season", False), ("most wickets", False), ("ipl me is saal sabse zyada wicket", False),
    ("most wickets in the ipl this time", False),
])  # fmt: skip
def test_in_the_league_without_a_year_means_all_seasons_where_they_are_loaded(
    question: str, is_over_all: bool, every_season: RetrieverAgent
) -> None:
    found = retrieved(every_season, question, "wickets by bowler | top 1")
    assert isinstance(found, Retrieved) and ("season=all" in found.line) == is_over_all


@pytest.mark.parametrize(
    ("question", "line", "is_over_all"),
    [
        ("who took at least 170 wickets", "wickets by bowler | having wickets>=170", True),
        ("who took at least 170 wickets this season", "wickets by bowler | having wickets>=170", False),
        ("who took at least 20 wickets", "wickets by bowler | having wickets>=20", False),
        ("wins of Kochi Tuskers Kerala", "wins | team=T1", True),
        ("how many sixes did KKR hit altogether", "team_sixes | team=T1", False),
        ("who hit most sixes all season", "sixes by batter | top 1", False),
        ("the highest score ever made", "highest_score by batter | top 1", True),
        ("in which year did they lose most", "losses by season | top 1", False),
    ],
)
def test_what_the_latest_season_has_nothing_of_is_looked_up_in_all(
    question: str, line: str, is_over_all: bool, every_season: RetrieverAgent
) -> None:
    found = retrieved(every_season, question, line)
    assert isinstance(found, Retrieved) and ("season=all" in found.line) == is_over_all
    assert all(table.rows for table in found.tables) != ("this season" in question)


@pytest.fixture(scope="module")
def every_season() -> RetrieverAgent:
    return RetrieverAgent(load("ipl"))


@pytest.mark.parametrize(
    ("question", "line", "missed"),
    [
        ("the top run scorer of each team", "runs by batter | top 1", ["each team"]),
        ("who won the orange cap in every season", "runs by batter | season=all | top 1", ["every season"]),
        ("season-wise top wicket taker", "wickets by bowler | season=all | top 1", ["season-wise"]),
        ("the top run scorer of each team", "runs by team | top 1", ["each team"]),
        ("runs of each team", "runs by team | top 10", []),
        ("the best economy of every side", "economy by bowler | bottom 1", ["every side"]),
        ("top scorer on each side", "runs by batter | team=T1 | top 1 ; runs by batter | team=T2 | top 1", []),
        ("most sixes across every season", "sixes by batter | season=all | top 1", []),
        ("P1 runs in each season", "runs by season | batter=P1 season=all", []),
    ],
)
def test_a_rank_within_groups_is_missed_where_no_row_is_a_group(question: str, line: str, missed: list[str]) -> None:
    assert groups_dropped(parse(line), question) == missed
