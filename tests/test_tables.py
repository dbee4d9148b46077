"""The laws and the league's conventions in the tables, each shown by a real match where one is known.

Tests of imports of other seasons than 2024 need their Cricsheet zips and are skipped without them; rules that no real
match shows are tested with a made-up one.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from data.cricsheet.league import team_of, teams, venue_of
from data.cricsheet.people import batting_hand_of, bowling_of, display_name, load_people, usual_names
from data.season import Season, load
from data.season.tables import STORED
from tests.support.cricsheet_files import BATTERS, ball, loaded, match, season_of

DERIVED = {
    "batting": """match_id innings team opponent batter position runs balls fours sixes dots out how
        reached_50 reached_100""",
    "bowling": """match_id innings team opponent bowler balls runs wickets dots wides noballs maidens fours
        sixes""",
    "partnerships": "match_id innings team opponent wicket batter1 batter2 runs balls unbroken",
    "team_matches": """match_id season date team opponent venue stage home innings toss_won chose result runs
        wickets balls quota_balls opp_runs opp_wickets opp_balls opp_quota_balls all_out opp_all_out margin
        points""",
    "team_names": "season team name short",
    "standings": "season team played won lost tied no_result points net_run_rate position",
}


def rows(season: Season, query: str) -> list[Any]:
    """Rows of a query; a single column comes as a plain list."""
    found = season.connection.cursor().execute(query).fetchall()
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


@pytest.mark.parametrize("table", sorted({*STORED, *DERIVED}))
def test_a_loaded_season_has_the_tables_with_their_columns(table: str) -> None:
    expected = DERIVED[table].split() if table in DERIVED else [c for c, _ in STORED[table]]
    season = load("ipl_2024")  # afresh: statistics add columns to the deliveries of a season that tests share
    assert rows(season, f"SELECT column_name FROM (DESCRIBE {table})") == expected


def test_cursors_in_many_threads_see_the_same_season() -> None:
    season, seen = season_of("2024"), []

    def ask() -> None:
        seen.extend(rows(season, "SELECT sum(total) FROM deliveries") for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 160 and all(total == seen[0] for total in seen)


# Legal balls, balls faced, and who is charged with runs


def test_a_no_ball_is_faced_but_not_legal_and_its_runs_are_the_bowlers() -> None:
    # KKR v SRH, 23 March 2024, 12th over: Ramandeep Singh hits a no-ball for six.
    assert rows(
        season_of("2024"),
        """SELECT runs, total, noballs, faced, legal, conceded, six FROM deliveries
        WHERE match_id = 1422121 AND innings = 1 AND over = 12 AND ball = 1""",
    ) == [(6, 7, 1, True, False, 7, True)]


def test_a_wide_is_neither_faced_nor_legal_and_conceded_by_the_bowler(tmp_path: Path) -> None:
    season = loaded(
        tmp_path, match([[ball(extras={"wides": 5}), ball(extras={"byes": 4}), ball(extras={"legbyes": 1})]])
    )
    assert rows(season, "SELECT faced, legal, conceded FROM deliveries ORDER BY seq") == [
        (False, False, 5),
        (True, True, 0),
        (True, True, 0),
    ]
    assert rows(season, "SELECT balls, runs, dots, wides FROM bowling") == [(2, 5, 2, 5)]  # wides in runs
    assert rows(season, "SELECT batter, balls, runs, dots FROM batting ORDER BY position") == [
        ("00000001", 2, 0, 2),
        ("00000002", 0, 0, 0),
    ]


def test_overthrow_fours_and_run_sixes_are_no_boundaries() -> None:
    # CSK v GT, 26 March 2024: Rahane runs four; GT v CSK, 10 May 2024: Sai Sudharsan gets six with
    # overthrows.
    assert rows(
        season_of("2024"),
        """SELECT match_id, runs, four, six FROM deliveries
        WHERE runs >= 4 AND NOT four AND NOT six AND runs <> 5 ORDER BY match_id""",
    ) == [(1422125, 4, False, False), (1426297, 6, False, False)]


def test_penalty_runs_count_for_the_team_and_not_against_the_bowler() -> None:
    # Deccan Chargers v Delhi Daredevils, 22 April 2008: five penalty runs in Ojha's over.
    assert rows(
        season_of("2007_08"),
        """SELECT total, penalty, conceded FROM deliveries
        WHERE match_id = 335988 AND penalty > 0""",
    ) == [(5, 5, 0)]
    # DD v MI, 27 April 2014: with two wides, which are Malinga's.
    assert rows(
        season_of("2014"),
        """SELECT total, penalty, conceded, legal FROM deliveries
        WHERE match_id = 729309 AND penalty > 0""",
    ) == [(7, 5, 2, False)]


def test_penalty_runs_outside_a_delivery_count_for_the_innings(tmp_path: Path) -> None:
    made = match([[ball(runs=1)]])
    made["innings"][0]["penalty_runs"] = {"pre": 5}
    assert rows(loaded(tmp_path, made), "SELECT runs, extras FROM innings") == [(6, 5)]


def test_a_miscounted_over_has_the_balls_bowled_but_is_one_over() -> None:
    # SRH v RR, 9 April 2018: seven balls in the chase's 12th over; SRH won with 25 balls left, as published.
    season = season_of("2018")
    assert rows(season, "SELECT balls, nrr_balls FROM innings WHERE match_id = 1136564 AND innings = 2") == [(96, 95)]
    assert rows(season, "SELECT balls_left FROM matches WHERE match_id = 1136564") == [25]


def test_an_innings_that_ends_with_a_miscounted_over_has_that_over_complete(tmp_path: Path) -> None:
    made = match([[ball()] * 6, [ball()] * 5])
    made["innings"][0]["miscounted_overs"] = {"1": {"balls": 5, "umpire": "An Umpire"}}
    assert rows(loaded(tmp_path, made), "SELECT balls, nrr_balls FROM innings") == [(11, 12)]


# Wickets


def test_bowlers_are_not_credited_with_run_outs_and_obstruction() -> None:
    # RR v CSK, 12 May 2024: Ravindra Jadeja out obstructing the field.
    season = season_of("2024")
    assert rows(
        season,
        """SELECT display, bowler, credited FROM dismissals JOIN players ON player = player_out
        WHERE kind = 'obstructing the field'""",
    ) == [("Ravindra Jadeja", None, False)]
    assert rows(season, "SELECT DISTINCT kind FROM dismissals WHERE credited ORDER BY kind") == [
        "bowled",
        "caught",
        "caught and bowled",
        "lbw",
        "stumped",
    ]


def test_two_wickets_on_a_ball_are_two_dismissals_and_one_is_the_bowlers(tmp_path: Path) -> None:
    both = [
        {"kind": "caught", "player_out": BATTERS[0], "fielders": [{"name": "BC Bowler"}]},
        {
            "kind": "run out",
            "player_out": BATTERS[1],
            "fielders": [{"name": "BD Bowler"}, {"name": "BA Bowler"}],
        },
    ]
    season = loaded(tmp_path, match([[ball(wickets=both), ball(2, 3, runs=2)]]))
    assert rows(season, "SELECT wickets FROM innings") == [2]
    assert rows(season, "SELECT wicket_number, kind, credited FROM dismissals") == [
        (1, "caught", True),
        (2, "run out", False),
    ]
    assert rows(season, "SELECT wickets FROM bowling") == [1]
    assert rows(season, "SELECT wicket, runs, unbroken FROM partnerships") == [(1, 0, False), (3, 2, True)]
    assert rows(season, "SELECT kind, count(*) FROM fielding GROUP BY kind ORDER BY kind") == [
        ("catch", 1),
        ("run_out", 2),
    ]


def test_retired_hurt_is_not_out_and_the_next_partnership_is_for_the_same_wicket() -> None:
    # RR v PBKS, 5 April 2023: Rajapaksa retires hurt on 1 in the second-wicket stand.
    season = season_of("2023")
    assert rows(
        season,
        """SELECT runs, balls, out, how FROM batting JOIN players ON player = batter
        WHERE match_id = 1359482 AND display = 'Bhanuka Rajapaksa'""",
    ) == [(1, 1, False, "retired hurt")]
    assert rows(
        season,
        """SELECT runs, unbroken FROM partnerships
        WHERE match_id = 1359482 AND innings = 1 AND wicket = 2""",
    ) == [(2, True), (66, False)]
    assert rows(season, "SELECT count(*) FROM dismissals WHERE kind = 'retired hurt'") == [0]


def test_a_batter_who_retired_hurt_may_come_back_and_be_out(tmp_path: Path) -> None:
    hurt, out = ({"kind": k, "player_out": BATTERS[0]} for k in ("retired hurt", "bowled"))
    overs = [
        [
            ball(runs=4, wickets=[hurt]),
            ball(2, 1, runs=1),
            ball(1, 2, wickets=[out | {"player_out": BATTERS[1]}]),
            ball(0, 2, runs=3),
            ball(0, 2, wickets=[out]),
        ]
    ]
    season = loaded(tmp_path, match(overs))
    assert rows(season, "SELECT runs, out, how FROM batting ORDER BY position") == [
        (7, True, "bowled"),
        (0, True, "bowled"),
        (1, False, None),
    ]
    assert rows(season, "SELECT wickets FROM innings") == [2]


def test_retired_out_is_a_dismissal_credited_to_no_bowler() -> None:
    # PBKS v DC, 17 May 2023: Atharva Taide; GT v MI, 26 May 2023: Sai Sudharsan.
    assert rows(
        season_of("2023"),
        """SELECT display, credited, b.out FROM dismissals d
        JOIN batting b ON b.match_id = d.match_id AND b.batter = d.player_out JOIN players ON player =
            player_out
        WHERE kind = 'retired out' ORDER BY display""",
    ) == [("Atharva Taide", False, True), ("Sai Sudharsan", False, True)]


def test_a_side_with_a_batter_absent_hurt_is_all_out_with_nine_wickets() -> None:
    # MI v DD, 17 March 2010: Gambhir did not bat; 16.3 overs count as 20 for the net run rate.
    assert rows(
        season_of("2009_10"),
        """SELECT wickets, balls, all_out, nrr_balls FROM innings
        WHERE match_id = 419114 AND innings = 2""",
    ) == [(9, 99, True, 120)]


def test_catches_of_substitutes_are_marked() -> None:
    season = season_of("2024")
    assert rows(season, "SELECT count(*) FROM fielding WHERE substitute")[0] > 0
    assert rows(season, "SELECT count(*) FROM fielding WHERE kind = 'stumping' AND NOT keeper") == [0]


def test_caught_and_bowled_is_a_catch_of_the_bowler() -> None:
    assert rows(
        season_of("2024"),
        """SELECT count(*), count(*) FILTER (f.fielder = d.bowler) FROM dismissals d
        JOIN fielding f USING (match_id, innings, over, ball) WHERE d.kind = 'caught and bowled'""",
    ) == [(18, 18)]


# Who batted and played


def test_a_batter_who_faced_no_ball_has_a_row_with_no_balls(tmp_path: Path) -> None:
    out = {"kind": "run out", "player_out": BATTERS[1]}
    season = loaded(tmp_path, match([[ball(runs=1, wickets=[out])]]))
    assert rows(season, "SELECT position, runs, balls, out, how FROM batting ORDER BY position") == [
        (1, 1, 1, False, None),
        (2, 0, 0, True, "run out"),
    ]


def test_milestones_count_the_balls_faced_to_reach_them() -> None:
    # The season's fastest fifties: Fraser-McGurk, 15 balls, v SRH (20 April) and v MI (27 April 2024).
    assert rows(
        season_of("2024"),
        """SELECT display, match_id FROM batting JOIN players ON player = batter
        WHERE reached_50 = (SELECT min(reached_50) FROM batting) AND reached_50 = 15 ORDER BY match_id""",
    ) == [("Jake Fraser-McGurk", 1426273), ("Jake Fraser-McGurk", 1426281)]


def test_impact_players_and_those_they_replaced_all_played() -> None:
    # RR v RCB, 6 April 2024: Shubham Dubey was named for Chahal, and did not bat.
    assert rows(
        season_of("2024"),
        """SELECT display, substitute FROM appearances JOIN players USING (player)
        WHERE match_id = 1422137 AND team = 'Rajasthan Royals'
            AND display IN ('Shubham Dubey', 'Yuzvendra Chahal')
        ORDER BY display""",
    ) == [("Shubham Dubey", True), ("Yuzvendra Chahal", False)]


def test_a_concussion_substitute_may_bat() -> None:
    # GT v MI, 26 May 2023: Vishnu Vinod for Ishan Kishan.
    assert rows(
        season_of("2023"),
        """SELECT a.substitute, b.runs FROM appearances a
        JOIN players USING (player) JOIN batting b ON b.match_id = a.match_id AND b.batter = player
        WHERE a.match_id = 1370352 AND display = 'Vishnu Vinod'""",
    ) == [(True, 5)]


# Overs, phases and results


def test_a_match_shortened_for_both_sides_has_its_own_powerplay_and_death_overs() -> None:
    # KKR v MI, 11 May 2024, 16 overs a side, powerplay of five.
    season = season_of("2024")
    assert rows(season, "SELECT overs, shortened, method FROM matches WHERE match_id = 1426298") == [(16, True, None)]
    assert rows(
        season,
        """SELECT phase, min(over), max(over), max(from_end) FROM deliveries
        WHERE match_id = 1426298 GROUP BY phase ORDER BY 2""",
    ) == [("powerplay", 1, 5, 16), ("middle", 6, 12, 11), ("death", 13, 16, 4)]
    assert rows(season, "SELECT match_id FROM matches WHERE shortened") == [1426298]


def test_full_innings_have_death_overs_16_to_20() -> None:
    assert rows(
        season_of("2024"),
        """SELECT phase, min(over), max(over) FROM deliveries WHERE match_id <> 1426298
        GROUP BY phase ORDER BY 2""",
    ) == [("powerplay", 1, 6), ("middle", 7, 15), ("death", 16, 20)]


@pytest.mark.parametrize(
    ("match_id", "innings", "quota_balls", "scheduled_overs", "powerplay_overs"),
    [
        (1370353, 2, 90, 15, 4),  # the final, 29 May: CSK's 15 overs were known before the chase
        (1359476, 2, 96, 20, 6),  # PBKS v KKR, 1 April: rain ended a chase of 20 overs after 16
        (1359476, 1, 120, 20, 6),
    ],
)
def test_a_chase_that_rain_ended_keeps_the_phases_of_its_scheduled_overs(
    match_id: int, innings: int, quota_balls: int, scheduled_overs: int, powerplay_overs: int
) -> None:
    assert rows(
        season_of("2023"),
        f"""SELECT quota_balls, scheduled_overs, powerplay_overs FROM innings
        WHERE match_id = {match_id} AND innings = {innings}""",
    ) == [(quota_balls, scheduled_overs, powerplay_overs)]


def test_a_result_by_duckworth_lewis_keeps_target_method_and_margin() -> None:
    # The final, 29 May 2023: CSK needed 171 in 15 overs after GT's 214/4 and won off the last ball.
    season = season_of("2023")
    assert rows(
        season,
        "SELECT winner, result, margin, method, overs, balls_left FROM matches WHERE match_id = 1370353",
    ) == [("Chennai Super Kings", "wickets", 5, "D/L", 15, 0)]
    assert rows(season, "SELECT runs, target FROM innings WHERE match_id = 1370353") == [
        (214, None),
        (171, 171),
    ]


def test_super_overs_decide_the_match_and_count_in_no_other_figure() -> None:
    # MI v KXIP, 18 October 2020: tied at 176, and won in the second super over.
    season = season_of("2020_21")
    assert rows(season, "SELECT result, winner, margin, super_over FROM matches WHERE match_id = 1216517") == [
        ("tie", "Kings XI Punjab", None, True)
    ]
    assert rows(season, "SELECT innings, runs FROM innings WHERE match_id = 1216517") == [(1, 176), (2, 176)]
    assert rows(season, "SELECT max(innings), sum(total)::INT FROM deliveries WHERE match_id = 1216517") == [(2, 352)]
    assert rows(
        season,
        """SELECT innings, sum(total)::INT FROM super_over_deliveries WHERE match_id = 1216517
        GROUP BY innings ORDER BY innings""",
    ) == [(3, 5), (4, 5), (5, 11), (6, 15)]
    assert rows(season, "SELECT team, result, points FROM team_matches WHERE match_id = 1216517 ORDER BY team") == [
        ("Kings XI Punjab", "won", 2),
        ("Mumbai Indians", "lost", 0),
    ]


def test_a_match_without_a_result_gives_a_point_each_and_its_runs_count_for_players() -> None:
    # LSG v CSK, 3 May 2023: LSG 125/7 in 19.2 overs, then rain.
    season = season_of("2023")
    assert rows(season, "SELECT result, points FROM team_matches WHERE match_id = 1359519") == [("no_result", 1)] * 2
    assert rows(season, "SELECT sum(runs)::INT > 0 FROM batting WHERE match_id = 1359519") == [True]


def test_abandoned_matches_are_rows_without_innings() -> None:
    assert rows(
        season_of("2024"),
        """SELECT strftime(date, '%d %B'), number, team1, team2, city FROM matches
        WHERE result = 'abandoned' ORDER BY date""",
    ) == [
        ("13 May", 63, "Gujarat Titans", "Kolkata Knight Riders", "Ahmedabad"),
        ("16 May", 66, "Sunrisers Hyderabad", "Gujarat Titans", "Hyderabad"),
        ("19 May", 70, "Rajasthan Royals", "Kolkata Knight Riders", "Guwahati"),
    ]
    assert rows(season_of("2024"), "SELECT number FROM matches ORDER BY number") == list(range(1, 75))


def test_a_match_file_without_innings_is_an_abandoned_match(tmp_path: Path) -> None:
    made = match([], event={"name": "Indian Premier League", "match_number": 63}, dates=["2024-05-13"])
    season = loaded(tmp_path, made | {"innings": []})
    assert rows(season, "SELECT match_id, result FROM matches WHERE number = 63") == [(1, "abandoned")]
    assert rows(season, "SELECT points FROM team_matches WHERE match_id = 1") == [1, 1]


def test_home_is_the_ground_where_the_team_plays_its_league_matches() -> None:
    season = season_of("2024")
    assert rows(
        season,
        """SELECT team, venue FROM team_matches WHERE home AND stage = 'league'
        AND team IN ('Delhi Capitals', 'Rajasthan Royals', 'Punjab Kings') GROUP BY ALL ORDER BY ALL""",
    ) == [
        ("Delhi Capitals", "Arun Jaitley Stadium"),
        ("Delhi Capitals", "Dr. Y.S. Rajasekhara Reddy ACA-VDCA Cricket Stadium"),
        ("Punjab Kings", "Himachal Pradesh Cricket Association Stadium"),
        ("Punjab Kings", "Maharaja Yadavindra Singh International Cricket Stadium"),
        ("Rajasthan Royals", "Barsapara Cricket Stadium"),
        ("Rajasthan Royals", "Sawai Mansingh Stadium"),
    ]
    assert rows(
        season,
        "SELECT DISTINCT count(*) FILTER (home) FROM team_matches WHERE stage = 'league' GROUP BY team",
    ) == [7]
    # The play-offs were at Ahmedabad and Chennai, home of neither side.
    assert rows(season, "SELECT count(*) FROM team_matches WHERE stage <> 'league' AND home IS NULL") == [8]


def test_seasons_abroad_have_no_home_matches() -> None:
    assert rows(season_of("2009"), "SELECT count(*) FROM team_matches WHERE home IS NOT NULL") == [0]


# Names of grounds, teams and people


@pytest.mark.parametrize(
    ("given", "city", "name", "canonical_city"),
    [
        ("MA Chidambaram Stadium, Chepauk, Chennai", "Chennai", "MA Chidambaram Stadium", "Chennai"),
        ("MA Chidambaram Stadium, Chepauk", "Chennai", "MA Chidambaram Stadium", "Chennai"),
        ("M.Chinnaswamy Stadium", "Bengaluru", "M Chinnaswamy Stadium", "Bengaluru"),
        ("M Chinnaswamy Stadium", "Bangalore", "M Chinnaswamy Stadium", "Bengaluru"),
        ("Feroz Shah Kotla", "Delhi", "Arun Jaitley Stadium", "Delhi"),
        ("Sardar Patel Stadium, Motera", "Ahmedabad", "Narendra Modi Stadium", "Ahmedabad"),
        (
            "Punjab Cricket Association IS Bindra Stadium, Mohali, Chandigarh",
            "Chandigarh",
            "Punjab Cricket Association IS Bindra Stadium",
            "Mohali",
        ),
        ("Dubai International Cricket Stadium", None, "Dubai International Cricket Stadium", "Dubai"),
        ("Somewhere Oval, Townsville", "Townsville", "Somewhere Oval", "Townsville"),
        ("Somewhere Oval", None, "Somewhere Oval", None),
    ],
)
def test_a_ground_has_one_name(given: str, city: str | None, name: str, canonical_city: str | None) -> None:
    venue = venue_of(given, city)
    assert (venue.name, venue.city) == (name, canonical_city)


@pytest.mark.parametrize(
    ("given", "year", "name"),
    [
        ("Delhi Capitals", 2012, "Delhi Daredevils"),
        ("Delhi Daredevils", 2019, "Delhi Capitals"),
        ("Punjab Kings", 2020, "Kings XI Punjab"),
        ("Punjab Kings", 2024, "Punjab Kings"),
        ("Royal Challengers Bangalore", 2024, "Royal Challengers Bengaluru"),
        ("Royal Challengers Bengaluru", 2016, "Royal Challengers Bangalore"),
        ("Rising Pune Supergiants", 2017, "Rising Pune Supergiant"),
        ("Rising Pune Supergiant", 2016, "Rising Pune Supergiants"),
        ("Deccan Chargers", 2010, "Deccan Chargers"),
        ("Sydney Sixers", 2024, "Sydney Sixers"),
    ],
)
def test_a_team_has_the_name_of_its_season(given: str, year: int, name: str) -> None:
    assert team_of(given, year) == name


def test_no_two_teams_of_a_year_share_a_short_name() -> None:
    for year in range(2008, 2025):
        short = [t.short for t in teams() if t.first <= year <= (t.last or 9999)]
        assert len(short) == len(set(short)) and len(short) >= 8


@pytest.mark.parametrize(
    ("style", "kind"),
    [
        ("Right arm Fast medium", "right_arm_pace"),
        ("Right-arm fast", "right_arm_pace"),
        ("Left-arm fast", "left_arm_pace"),
        ("Left arm Medium", "left_arm_pace"),
        ("Right arm Offbreak", "off_spin"),
        ("Right-arm offbreak", "off_spin"),
        ("Legbreak Googly", "leg_spin"),
        ("Slow Left arm Orthodox", "left_arm_orthodox"),
        ("Slow left-arm orthodox", "left_arm_orthodox"),
        ("Left arm Wrist spin", "left_arm_wrist_spin"),
        ("Right arm Medium, Right arm Offbreak", "off_spin"),
        ("Right arm Bowler", None),
        ("", None),
        (None, None),
    ],
)
def test_both_spellings_of_a_bowling_style_are_one_kind(style: str | None, kind: str | None) -> None:
    assert bowling_of(style).kind == kind


def test_everybody_who_bowled_in_2024_has_a_kind_and_everybody_who_batted_a_hand() -> None:
    season = season_of("2024")
    assert rows(season, "SELECT count(*) FROM deliveries WHERE bowling_kind IS NULL OR pace_or_spin IS NULL") == [0]
    assert rows(season, "SELECT count(*) FROM deliveries WHERE batting_hand IS NULL") == [0]
    assert batting_hand_of("Left-hand bat") == "left" and batting_hand_of("Right hand Bat") == "right"


@pytest.mark.parametrize(
    ("name", "full", "common", "display"),
    [
        ("JJ Bumrah", "Jasprit Jasbirsingh Bumrah", None, "Jasprit Bumrah"),
        ("Arshad Khan (2)", "Mohd Arshad Khan", None, "Arshad Khan"),
        ("KT Maphaka", "Kwena Tshegofatso Maphaka", "Kwena Maphaka", "Kwena Maphaka"),
        ("AB Newcomer", None, None, "AB Newcomer"),
        ("Q de Kock", "Quinton de Kock", None, "Quinton de Kock"),
        ("Naveen-ul-Haq", None, None, "Naveen-ul-Haq"),
        ("XY Smith", "John Smith", None, "XY Smith"),
    ],
)
def test_initials_become_the_given_name(name: str, full: str | None, common: str | None, display: str) -> None:
    assert display_name(name, full, common) == display


def test_players_have_the_names_people_use() -> None:
    found = rows(season_of("2024"), "SELECT display FROM players")
    usual = """Jasprit Bumrah|Varun Chakravarthy|MS Dhoni|KL Rahul|Yashasvi Jaiswal|Ravichandran Ashwin
        |Rinku Singh|Virat Kohli|Suryakumar Yadav|Faf du Plessis|Dinesh Karthik|Jos Buttler|Phil Salt
        |Axar Patel|Sai Sudharsan|T Natarajan|Ravindra Jadeja|Sam Curran|Pat Cummins|Umesh Yadav
        |Nitish Kumar Reddy|Prabhsimran Singh|Tim David|Naveen-ul-Haq"""
    assert {name.strip() for name in usual.split("|")} <= set(found)
    assert len(found) == len(set(found)), "two players of a season under one name"


def test_every_reviewed_name_is_of_a_person_and_differs_from_the_rule() -> None:
    people = load_people()
    for player, display in usual_names().items():
        person = people[player]
        assert display != display_name(person.name, person.full_name, person.common_name)


def test_keepers_are_those_by_role_or_by_stumping() -> None:
    season = season_of("2024")
    assert rows(season, "SELECT display FROM players WHERE keeper AND (role IS NULL OR role NOT LIKE '%keeper%')") == [
        "KL Rahul"
    ]
    assert rows(
        season,
        """SELECT fielder_name, n FROM (SELECT p.display AS fielder_name, count(*) AS n FROM fielding f
        JOIN players p ON p.player = f.fielder WHERE f.keeper AND kind = 'stumping' GROUP BY ALL)
        ORDER BY n DESC, 1 LIMIT 1""",
    ) == rows(
        season,
        """SELECT display, count(*) AS n FROM fielding
        JOIN players ON player = fielder WHERE kind = 'stumping' GROUP BY ALL ORDER BY n DESC, 1 LIMIT 1""",
    )
