"""Competitions other than the IPL in Cricsheet's format: named and measured as what they are, or refused and why.

The matches are made up; only their format is Cricsheet's.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agents.messages import Reply
from agents.model import Generation
from agents.multi_agent import MultiAgent
from agents.retriever import RetrieverAgent
from data.ask import ask
from data.cricsheet.importer import import_season
from data.errors import QueryError, SourceError
from data.query import StatTable
from data.season import load
from tests.support.cricsheet_files import competition, folder_of

ISLANDS = ("Barbados Royals", "Guyana Warriors", "Saint Lucia Kings")
COUNTIES = ("Kent", "Surrey", "Essex")
COUNTRIES = ("India", "Australia", "England")


def answered(season: RetrieverAgent, line: str) -> list[StatTable]:
    return ask(line, season.statistics, season.names)


def replied(season: RetrieverAgent, question: str, line: str) -> Reply:
    """The agents' reply to a question of which the model makes this line."""

    class Scripted:
        async def generate(self, messages: Any, **_: Any) -> Generation:
            return Generation(line, "stop") if messages[-1]["content"].startswith("plan ") else Generation("", "length")

    return asyncio.run(MultiAgent(season.season, Scripted(), season).ask(question))


@pytest.fixture(scope="module")
def islands(tmp_path_factory: pytest.TempPathFactory) -> RetrieverAgent:
    """Two seasons of a T20 league as a collection."""
    folder = tmp_path_factory.mktemp("islands")
    for year in (2023, 2024):
        source = folder / "in"
        competition(source, "Caribbean Premier League", 20, ISLANDS, str(year), year, venue="Kensington Oval")
    import_season(folder / "in", "cpl", "all", folder / "seasons")
    return RetrieverAgent(load("cpl", folder / "seasons"))


@pytest.fixture(scope="module")
def cup(tmp_path_factory: pytest.TempPathFactory) -> RetrieverAgent:
    """A 50-over cup."""
    folder = tmp_path_factory.mktemp("cup")
    source = competition(folder / "in", "One-Day Cup", 50, COUNTIES, "2023", 2023, match_type="ODM", venue="The Oval")
    import_season(source, "cup_2023", folder=folder / "seasons")
    return RetrieverAgent(load("cup_2023", folder / "seasons"))


def test_a_competition_has_the_name_of_its_event_in_titles_answers_and_refusals(
    islands: RetrieverAgent, cup: RetrieverAgent
) -> None:
    assert islands.season.title == "Caribbean Premier League 2023-2024" and cup.season.title == "One-Day Cup 2023"
    for season, question, line, said in (
        (islands, "most runs in 2023", "runs by batter | season=Y1 | top 1", "in Caribbean Premier League 2023"),
        (
            islands,
            "most runs ever",
            "runs by batter | season=all | top 1",
            "across all Caribbean Premier League seasons",
        ),
        (islands, "runs by season", "runs by season | season=all", "Caribbean Premier League 2023"),
        (islands, "most runs", "runs by batter | top 1", "Caribbean Premier League 2024: "),
        (islands, "who won in 2016", "winner by match | season=Y1", "only have data on Caribbean Premier League"),
        (cup, "who will win next year", "decline prediction", "One-Day Cup 2023"),
        (cup, "most runs by an uncapped man", 'runs by batter | unsupported "uncapped"', "record of One-Day Cup 2023"),
    ):
        reply = replied(season, question, line)
        assert said in reply.answer and "IPL" not in reply.answer, reply.answer


def test_the_phases_are_those_of_the_length(islands: RetrieverAgent, cup: RetrieverAgent) -> None:
    def spans(season: RetrieverAgent) -> list[Any]:
        query = "SELECT phase, min(over), max(over) FROM deliveries GROUP BY phase ORDER BY 2"
        return season.season.connection.execute(query).fetchall()

    assert spans(islands) == [("powerplay", 1, 6), ("middle", 7, 15), ("death", 16, 20)]
    assert spans(cup) == [("powerplay", 1, 10), ("middle", 11, 40), ("death", 41, 50)]
    (table,) = answered(cup, "economy by over | overs=41-50")
    assert [row[0] for row in table.rows] == list(range(41, 51))


def test_the_figures_of_a_long_innings_are_those_of_the_files(cup: RetrieverAgent) -> None:
    (wins,) = answered(cup, "matches, wins, losses by team")
    assert {row[0] for row in wins.rows} == set(COUNTIES) and sum(row[2] for row in wins.rows) == 4
    (total,) = answered(cup, "highest_total by team | top 1")
    (balls,) = answered(cup, "balls_bowled by phase")
    assert int(str(total.rows[0][1]).split("/")[0]) > 300 and sum(row[1] for row in balls.rows) > 4 * 50 * 6


@pytest.mark.parametrize("line", ["points by team", "net_run_rate by team | top 1", "position | team=Kent"])
def test_a_points_table_whose_rules_are_not_known_is_declined_and_not_empty(cup: RetrieverAgent, line: str) -> None:
    with pytest.raises(QueryError, match="no points table of the One-Day Cup, whose rules for points are not known"):
        answered(cup, line)
    reply = replied(cup, "points table", line)
    assert reply.outcome == "declined" and "One-Day Cup" in reply.answer


def test_super_rounds_of_a_world_cup_are_part_of_the_league_stage(tmp_path: Path) -> None:
    source = competition(tmp_path / "in", "ICC Men's T20 World Cup", 20, COUNTRIES, "2024", 2024,
                         team_type="international", match_type="IT20")  # fmt: skip
    for file in list(source.glob("*.json"))[:2]:
        made = json.loads(file.read_text())
        if "stage" not in made["info"]["event"]:
            made["info"]["event"] |= {"stage": "Super 8", "group": 1}
            file.write_text(json.dumps(made))
    about = import_season(source, "t20_world_cup_2024", folder=tmp_path / "out")
    season = load("t20_world_cup_2024", tmp_path / "out")
    assert about.title == "ICC Men's T20 World Cup 2024"
    stages = "SELECT stage, count(*) FROM matches GROUP BY stage ORDER BY stage"
    assert season.connection.execute(stages).fetchall() == [("final", 1), ("league", 3)]


def test_of_a_source_with_events_of_several_names_the_one_of_a_season_can_be_taken(tmp_path: Path) -> None:
    source = competition(tmp_path / "in", "ICC World Twenty20", 20, COUNTRIES, "2013/14", 2014)
    competition(source, "World T20", 20, COUNTRIES, "2016", 2016)
    assert import_season(source, "world_t20", "2016", tmp_path / "out").title == "World T20 2016"
    with pytest.raises(SourceError, match="put the files of one competition into a folder of their own"):
        import_season(source, "world_t20s", "all", tmp_path / "out")


def a_test_match(made: dict[str, Any]) -> None:
    del made["info"]["overs"]
    made["info"] |= {"match_type": "Test", "dates": ["2023-02-09", "2023-02-10"], "outcome": {"result": "draw"}}
    made["innings"] *= 2


def without_an_event(made: dict[str, Any]) -> None:
    del made["info"]["event"]


@pytest.mark.parametrize(
    ("event", "overs", "info", "change", "name", "said"),
    [
        ("Border-Gavaskar Trophy", 20, {}, a_test_match, "bgt_2023", "no limit of overs; only limited-overs matches"),
        ("The Hundred", 20, {"balls_per_over": 5}, None, "hundred_2023", "overs of 5 balls"),
        ("Friendly", 50, {"match_type": "ODI"}, without_an_event, "odi_2023", "a match of no named competition"),
        ("Indian Premier League", 50, {}, None, "ipl_2023", "50 overs; the Indian Premier League plays 20 a side"),
        ("Indian Premier League", 10, {}, None, "mine", "10 overs; the Indian Premier League plays 20 a side"),
        ("One-Day Cup", 50, {}, None, "ipl_2023", "of the One-Day Cup, not of the Indian Premier League"),
        ("Women's Premier League", 20, {"gender": "female"}, None, "ipl", "of the Women's Premier League, not of the"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_by_its_own_rules_is_refused_with_the_reason(
    tmp_path: Path, event: str, overs: int, info: dict[str, Any], change: Any, name: str, said: str
) -> None:
    source = competition(tmp_path / "in", event, overs, COUNTRIES, "2023", 2023, **info)
    if change:
        made = {file.name: json.loads(file.read_text()) for file in source.glob("*.json")}
        for one in made.values():
            change(one)
        folder_of(source, made)
    with pytest.raises(SourceError) as error:
        import_season(source, name, folder=tmp_path / "out")
    assert said in str(error.value) and not list((tmp_path / "out").glob("*"))
