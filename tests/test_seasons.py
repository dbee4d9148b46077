"""All seasons loaded as one: published facts of each season, and the sums that must hold between the tables.

The facts are the league's published ones, written down from memory and compared with nothing of this repository.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data.cricsheet.importer import import_season
from data.cricsheet.league import season_year, teams
from data.query import Statistics, parse
from data.season import Season, about, load, seasons
from tests.support.cricsheet_files import ZIPS

SHORT = {team.name: team.short for team in teams()}
YEARS = range(2008, 2025)


@pytest.fixture(scope="module")
def ipl() -> Season:
    return load("ipl")


def rows(season: Season, query: str) -> list[Any]:
    """Rows of a query; a single column comes as a plain list."""
    found = season.connection.cursor().execute(query).fetchall()
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


# season, matches with those abandoned, champion, runner-up, margin of the final, most runs, most wickets
FACTS = """
2008 59 RR CSK 3 wickets, Shaun Marsh 616, Sohail Tanvir 22
2009 59 DC RCB 6 runs, Matthew Hayden 572, RP Singh 23
2010 60 CSK MI 22 runs, Sachin Tendulkar 618, Pragyan Ojha 21
2011 74 CSK RCB 58 runs, Chris Gayle 608, Lasith Malinga 28
2012 76 KKR CSK 5 wickets, Chris Gayle 733, Morne Morkel 25
2013 76 MI CSK 23 runs, Michael Hussey 733, Dwayne Bravo 32
2014 60 KKR PBKS 3 wickets, Robin Uthappa 660, Mohit Sharma 23
2015 60 MI CSK 41 runs, David Warner 562, Dwayne Bravo 26
2016 60 SRH RCB 8 runs, Virat Kohli 973, Bhuvneshwar Kumar 23
2017 60 MI RPS 1 runs, David Warner 641, Bhuvneshwar Kumar 26
2018 60 CSK SRH 8 wickets, Kane Williamson 735, Andrew Tye 24
2019 60 MI CSK 1 runs, David Warner 692, Imran Tahir 26
2020 60 MI DC 5 wickets, KL Rahul 670, Kagiso Rabada 30
2021 60 CSK KKR 27 runs, Ruturaj Gaikwad 635, Harshal Patel 32
2022 74 GT RR 7 wickets, Jos Buttler 863, Yuzvendra Chahal 27
2023 74 CSK GT 5 wickets, Shubman Gill 890, Mohammed Shami 28
2024 74 KKR SRH 8 wickets, Virat Kohli 741, Harshal Patel 24
"""

LEADER = """
    SELECT display, n FROM (SELECT {who}, sum({what})::INT AS n FROM {table} JOIN matches USING (match_id)
    WHERE season = '{year}' GROUP BY 1) JOIN players ON player = {who} ORDER BY n DESC LIMIT 2"""


@pytest.mark.parametrize("line", FACTS.strip().splitlines(), ids=lambda line: line[:4])
def test_final_and_caps_of_every_season_are_the_published_ones(ipl: Season, line: str) -> None:
    year = line[:4]
    final = rows(
        ipl,
        f"""SELECT (SELECT count(*) FROM matches WHERE season = '{year}'), winner,
        CASE WHEN winner = team1 THEN team2 ELSE team1 END, margin, result
        FROM matches WHERE season = '{year}' AND stage = 'final'""",
    )
    runs = rows(ipl, LEADER.format(who="batter", what="runs", table="batting", year=year))
    wickets = rows(ipl, LEADER.format(who="bowler", what="wickets", table="bowling", year=year))
    [(matches, winner, loser, margin, unit)] = final
    found = f"{year} {matches} {SHORT[winner]} {SHORT[loser]} {margin} {unit}"
    assert f"{found}, {runs[0][0]} {runs[0][1]}, {wickets[0][0]} {wickets[0][1]}" == line
    assert runs[0][1] > runs[1][1] and wickets[0][1] > wickets[1][1]


def test_the_points_table_of_2022_is_the_published_one(ipl: Season) -> None:
    expected = """GT 20 +0.316, RR 18 +0.298, LSG 18 +0.251, RCB 16 -0.253, DC 14 +0.204, PBKS 14 +0.126, KKR 12 +0.146,
        SRH 12 -0.379, CSK 8 -0.203, MI 8 -0.506"""
    found = rows(ipl, "SELECT team, points, net_run_rate FROM standings WHERE season = '2022' ORDER BY position")
    assert [f"{SHORT[team]} {points} {rate:+.3f}" for team, points, rate in found] == [
        line.strip() for line in expected.split(",")
    ]


# stage -> seasons that had it
STAGES = {
    "semi_final": range(2008, 2011),
    "third_place": [2010],
    "qualifier_1": range(2011, 2025),
    "eliminator": range(2011, 2025),
    "qualifier_2": range(2011, 2025),
    "final": YEARS,
    "league": YEARS,
}


def test_every_season_has_its_stages(ipl: Season) -> None:
    found: dict[str, set[int]] = {}
    for stage, year in rows(ipl, "SELECT DISTINCT stage, season::INT FROM matches"):
        found.setdefault(stage, set()).add(year)
    assert found == {stage: set(years) for stage, years in STAGES.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT sum(runs)::INT FROM batting JOIN players ON player = batter WHERE display = 'Virat Kohli'", 8004),
        ("SELECT sum(runs)::INT FROM batting JOIN players ON player = batter WHERE display = 'Sachin Tendulkar'", 2334),
        ("SELECT sum(wickets)::INT FROM bowling JOIN players ON player = bowler WHERE display = 'Shane Warne'", 57),
        ("SELECT sum(wickets)::INT FROM bowling JOIN players ON player = bowler WHERE display = 'Dwayne Bravo'", 183),
        ("SELECT sum(sixes)::INT FROM batting JOIN players ON player = batter WHERE display = 'Chris Gayle'", 357),
        ("SELECT max(runs) FROM batting", 175),  # Gayle v Pune Warriors, 2013
        ("SELECT min(reached_50) FROM batting", 13),  # Jaiswal, 2023
        ("SELECT min(reached_100) FROM batting", 30),  # Gayle, 2013
        ("SELECT max(wickets) FROM bowling", 6),
        ("SELECT min(runs) FROM innings WHERE all_out", 49),  # Bangalore v Kolkata, 2017
        ("SELECT max(margin) FROM matches WHERE result = 'runs'", 146),  # Mumbai v Delhi, 2017
        (
            "SELECT count(*) FROM matches JOIN players ON player = player_of_match WHERE display = 'AB de Villiers'",
            25,
        ),
        ("SELECT count(*) FROM matches WHERE stage = 'final' AND winner = 'Chennai Super Kings'", 5),
        ("SELECT sum(six::INT)::INT FROM deliveries JOIN matches USING (match_id) WHERE season = '2008'", 622),
        ("SELECT sum(six::INT)::INT FROM deliveries JOIN matches USING (match_id) WHERE season = '2024'", 1260),
    ],
)
def test_career_figures_and_records_are_the_published_ones(ipl: Season, query: str, expected: int) -> None:
    assert rows(ipl, query) == [expected]


def test_a_team_that_was_renamed_is_one_and_different_teams_are_not(ipl: Season) -> None:
    names: dict[str, set[str]] = {}
    for team, name in rows(ipl, "SELECT team, name FROM team_names"):
        names.setdefault(team, set()).add(name)
    assert {team for team, called in names.items() if called == {team}} == {
        "Chennai Super Kings", "Deccan Chargers", "Gujarat Lions", "Gujarat Titans", "Kochi Tuskers Kerala",
        "Kolkata Knight Riders", "Lucknow Super Giants", "Mumbai Indians", "Pune Warriors", "Rajasthan Royals",
        "Sunrisers Hyderabad",
    }  # fmt: skip
    assert {team: called for team, called in names.items() if called != {team}} == {
        "Delhi Capitals": {"Delhi Daredevils", "Delhi Capitals"},
        "Punjab Kings": {"Kings XI Punjab", "Punjab Kings"},
        "Royal Challengers Bengaluru": {"Royal Challengers Bangalore", "Royal Challengers Bengaluru"},
        "Rising Pune Supergiant": {"Rising Pune Supergiants", "Rising Pune Supergiant"},
    }
    assert set(rows(ipl, "SELECT team1 FROM matches UNION SELECT unnest(teams) FROM players")) == set(names)
    called = "SELECT name, short FROM team_names WHERE team = 'Delhi Capitals' AND season = '2012'"
    assert rows(ipl, called) == [("Delhi Daredevils", "DD")]
    runs = """SELECT sum(runs)::INT FROM batting JOIN players ON player = batter
        WHERE display = 'David Warner' AND team = 'Delhi Capitals'"""
    assert rows(ipl, runs) == [2551]  # for Daredevils and Capitals together


def test_a_season_alone_has_the_names_of_its_time() -> None:
    assert "Delhi Daredevils" in rows(load("ipl_2012"), "SELECT team FROM standings")


def test_grounds_and_cities_have_one_name(ipl: Season) -> None:
    grounds = rows(ipl, "SELECT venue, count(DISTINCT city) FROM matches GROUP BY venue")
    assert len(grounds) == 36 and {cities for _, cities in grounds} == {1}
    seasons_there = """SELECT count(DISTINCT season) FROM matches WHERE venue = '{}'"""
    assert rows(ipl, seasons_there.format("M Chinnaswamy Stadium")) == [13]  # all but 2009, 2020, 2021, 2022
    assert rows(ipl, "SELECT count(*) FROM matches WHERE city IN ('Bangalore', 'New Delhi', 'Port Elizabeth')") == [0]


def test_the_abandoned_matches_of_every_season_are_there(ipl: Season) -> None:
    found = rows(ipl, "SELECT season, count(*) FROM matches WHERE result = 'abandoned' GROUP BY season ORDER BY season")
    assert dict(found) == {"2008": 1, "2009": 2, "2011": 1, "2012": 2, "2015": 1, "2017": 1, "2024": 3}
    # 2011, 2015 (twice), 2019 and 2023: begun and ended by rain
    assert rows(ipl, "SELECT count(*) FROM matches WHERE result = 'no_result'") == [5]


def test_matches_have_their_officials(ipl: Season) -> None:
    played = "FROM matches WHERE result <> 'abandoned'"
    assert rows(ipl, f"SELECT count(*) {played} AND (umpire1 IS NULL OR umpire2 IS NULL OR referee IS NULL)") == [0]
    assert rows(ipl, f"SELECT count(*) {played} AND tv_umpire IS NULL")[0] < 10
    final = "SELECT umpire1, umpire2, tv_umpire, referee FROM matches WHERE stage = 'final' AND season = '2016'"
    assert rows(ipl, final) == [("HDPK Dharmasena", "BNJ Oxenford", "AK Chaudhary", "RS Madugalle")]


# Sums


@pytest.mark.parametrize(
    "query",
    [
        """SELECT * FROM innings i JOIN (SELECT match_id, innings, sum(total) AS t, sum(extras) AS e,
            count(*) FILTER (legal) AS legal FROM deliveries GROUP BY ALL) USING (match_id, innings)
        WHERE i.runs <> t OR i.extras <> e OR i.balls <> legal""",
        """SELECT * FROM innings i JOIN (SELECT match_id, innings, sum(runs) AS bat, count(*) FILTER (out) AS outs
            FROM batting GROUP BY ALL) USING (match_id, innings) WHERE i.runs <> bat + i.extras OR i.wickets <> outs""",
        """SELECT * FROM (SELECT match_id, innings, sum(wickets) AS w FROM bowling GROUP BY ALL)
        JOIN (SELECT match_id, innings, count(*) FILTER (credited) AS c FROM dismissals GROUP BY ALL)
            USING (match_id, innings) WHERE w <> c""",
        """SELECT * FROM innings i JOIN (SELECT match_id, innings, sum(runs) AS r FROM partnerships GROUP BY ALL)
            USING (match_id, innings) WHERE i.runs <> r""",
        "SELECT season FROM standings GROUP BY season HAVING sum(won) <> sum(lost)",
        "SELECT match_id FROM team_matches GROUP BY match_id HAVING count(*) <> 2",
        "SELECT player FROM players GROUP BY player HAVING count(*) > 1",
        "SELECT display FROM players GROUP BY display HAVING count(*) > 1",
        "SELECT match_id FROM matches GROUP BY match_id HAVING count(*) > 1",
        "SELECT season, number FROM matches GROUP BY ALL HAVING count(*) > 1",
        "SELECT DISTINCT player FROM appearances ANTI JOIN players USING (player)",
    ],
)
def test_the_tables_of_all_seasons_reconcile(ipl: Season, query: str) -> None:
    """The query finds what breaks the rule; nothing may."""
    assert rows(ipl, query) == []


def test_matches_that_a_super_over_decided_count_as_tied(ipl: Season) -> None:
    """The fourteen ties of the IPL up to 2024: ESPNcricinfo's list of tied matches."""
    statistics = Statistics(ipl)
    (row,) = statistics.answer(parse("matches | result=tied season=all").queries[0], lambda key, value: (value,)).rows
    assert row[0] == 14
    table = statistics.answer(parse("wins by team | result=tied season=all").queries[0], lambda key, value: (value,))
    assert sum(row[1] for row in table.rows) == 14  # each has its winner


def test_all_seasons_together_have_the_rows_of_each(ipl: Season) -> None:
    counted = """SELECT season, count(*), sum(total)::INT, sum(wicket::INT)::INT
        FROM deliveries JOIN matches USING (match_id) GROUP BY season ORDER BY season"""
    assert rows(ipl, counted) == [row for year in YEARS for row in rows(load(f"ipl_{year}"), counted)]


def test_a_player_of_several_teams_has_them_in_order_of_matches(ipl: Season) -> None:
    (found,) = rows(ipl, "SELECT teams FROM players WHERE display = 'Brendon McCullum'")
    assert found == [
        "Kolkata Knight Riders",
        "Chennai Super Kings",
        "Gujarat Lions",
        "Kochi Tuskers Kerala",
        "Royal Challengers Bengaluru",
    ]


# Shipped files, time and memory


def test_the_shipped_seasons_are_named_by_their_year() -> None:
    assert seasons() == ["ipl", *(f"ipl_{year}" for year in YEARS)]
    whole = about("ipl")
    assert (whole.title, whole.matches, whole.years) == ("IPL 2008-2024", 1106, list(YEARS))
    assert whole.digest == load("ipl").digest


@pytest.mark.parametrize("path", ZIPS, ids=lambda path: path.name[4:-9])
def test_a_shipped_season_is_what_its_zip_gives(tmp_path: Path, path: Path) -> None:
    year = season_year(path.name[4:-9])
    assert import_season(path, f"ipl_{year}", folder=tmp_path).digest == about(f"ipl_{year}").digest


def test_all_seasons_are_loaded_in_two_seconds_of_processor_time() -> None:
    began = time.process_time()
    load("ipl")
    assert time.process_time() - began < 2


def test_all_seasons_take_at_most_100_megabytes_more_than_one() -> None:
    def megabytes(name: str) -> float:
        code = (
            f"from data.season import load; season = load({name!r}); "
            "print(next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmRSS')))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return int(done.stdout) / 1024

    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc here")
    assert megabytes("ipl") - megabytes("ipl_2024") < 100
