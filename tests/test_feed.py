"""A season as a private feed: the same tables as Cricsheet's, differences reported, broken files refused."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.cricsheet.importer import import_season
from data.errors import SeasonNotFound, SourceError
from data.feed.files import LARGEST_FILE, MOST_FILES, is_feed
from data.feed.format import Profile
from data.feed.importer import REPORT, import_feed
from data.feed.matches import officials_of
from data.feed.people import known, persons
from data.query import QueryError, Statistics
from data.query.language import MEASURES
from data.query.random_lines import random_query
from data.season import Season, load
from tests.support.cricsheet_files import CRICSHEET, folder_of, match
from tests.support.feed_writer import FOLDER, FeedWriter, Files, named, smaller, write_feed, zip_feed

ROOT = Path(__file__).parent.parent
NAME = "my_ipl_2022"
# What a feed cannot hold, so that the imported column is not compared, or not for everybody.
NOT_HELD = {
    ("matches", "reserve_umpire"): "`umpires` names those on the field and on TV",
    ("*", "match_id"): "a feed has ids of its own; compared by the match's number",
    ("*", "player"): "of seven persons who are not in people.csv; compared by the usual name",
    ("players", "name"): "Cricsheet's spelling in that season; the import has that of people.csv, or the feed's",
    ("players", "full_name"): "of persons not in people.csv, whom the feed describes and Cricsheet's files only name",
    ("players", "role"): "of persons not in people.csv, as before",
}


@pytest.fixture(scope="module")
def cricsheet(tmp_path_factory: pytest.TempPathFactory) -> Season:
    """The season of 2022 from Cricsheet's file, or as shipped where that is not there."""
    path = CRICSHEET / "ipl_2022_json.zip"
    if not path.exists():
        return load("ipl_2022")
    folder = tmp_path_factory.mktemp("cricsheet")
    import_season(path, "ipl_2022", folder=folder)
    return load("ipl_2022", folder)


@pytest.fixture(scope="module")
def files(cricsheet: Season) -> Files:
    return FeedWriter(cricsheet).files


@pytest.fixture(scope="module")
def folder(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the feed in `feed/`, and the season imported from it in `seasons/`."""
    made = tmp_path_factory.mktemp("feed")
    imported = import_feed(write_feed(files, made / "feed"), folder=made / "seasons")
    assert imported.differences == ()
    return made


@pytest.fixture(scope="module")
def imported(folder: Path) -> Season:
    return load(NAME, folder / "seasons")


@pytest.fixture(scope="module")
def two(files: Files) -> Files:
    """The feed of two matches, for tests that change it; to be copied."""
    return smaller(files, sorted(m["match_id"] for m in files["matches/matches.json"])[:2])


def rows_of(season: Season, table: str) -> list[tuple[Any, ...]]:
    """Rows with matches by number and players by name, without what a feed cannot hold."""
    execute = season.connection.cursor().execute
    number = dict(execute("SELECT match_id, number FROM matches").fetchall())
    display = dict(execute("SELECT player::TEXT, display FROM players").fetchall())
    unknown = {p for (p,) in execute("SELECT player::TEXT FROM players WHERE born IS NULL").fetchall()}
    names = [name for name, *_ in execute(f"DESCRIBE {table}").fetchall()]
    found = []
    for row in execute(f"SELECT * FROM {table}").fetchall():
        cells = []
        for name, value in zip(names, row, strict=True):
            if name == "match_id":
                value = number[value]
            elif (table, name) in (("matches", "reserve_umpire"), ("players", "name")):
                value = None
            elif table == "players" and name in ("full_name", "role") and row[0] in unknown:
                value = None
            cells.append(display.get(value, value) if isinstance(value, str) else value)
        found.append(tuple(cells))
    return sorted(found, key=str)


TABLES = ("seasons", "team_names", "matches", "innings", "deliveries", "super_over_deliveries", "dismissals",
          "fielding", "batters", "appearances", "players", "batting", "bowling", "partnerships", "team_matches",
          "standings")  # fmt: skip


def test_every_table_of_a_loaded_season_is_compared(cricsheet: Season) -> None:
    there = cricsheet.connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
    assert {table for (table,) in there} == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_a_feed_gives_the_same_table_as_cricsheet_s_file(table: str, cricsheet: Season, imported: Season) -> None:
    ours, theirs = rows_of(imported, table), rows_of(cricsheet, table)
    assert len(ours) == len(theirs)
    assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []


def test_only_persons_outside_people_csv_have_other_ids(cricsheet: Season, imported: Season) -> None:
    of_both = [dict(s.connection.execute("SELECT display, player::TEXT FROM players").fetchall())
               for s in (cricsheet, imported)]  # fmt: skip
    differing = {name for name in of_both[0] if of_both[0][name] != of_both[1][name]}
    assert {of_both[1][name].partition("-")[0] for name in differing} == {"feed"} and len(differing) == 7
    assert ("*", "player") in NOT_HELD and "seven" in NOT_HELD["*", "player"]


def compared_cells(line: str, row: tuple[Any, ...]) -> list[Any]:
    """A row's cells; of streaks and stands the figures only, as ids decide which of equal ones is named, and in what
    order a pair is."""
    named = not any(word in line for word in ("streak", "stand", "partnership", "pair"))
    return [cell for cell in row if named or not isinstance(cell, str)]


@pytest.fixture(scope="module")
def both(imported: Season, cricsheet: Season) -> tuple[Statistics, Statistics]:
    """The statistics of the imported season and of Cricsheet's; made once, since they add views to a season."""
    return Statistics(imported), Statistics(cricsheet)


@pytest.mark.parametrize("lines", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_query_lines_have_the_same_answers(lines: int, both: tuple[Statistics, Statistics]) -> None:
    (ours, theirs), rng = both, random.Random(lines)
    strangers = {p for (p,) in theirs.season.connection.execute("SELECT player::TEXT FROM players").fetchall()} - {
        p for (p,) in ours.season.connection.execute("SELECT player::TEXT FROM players").fetchall()
    }
    compared, wrong = 0, []
    while compared < lines:
        query = random_query(rng, theirs)
        line = str(query)
        if any(player in line for player in strangers):
            continue
        if any(MEASURES[m].source == "person" for m in query.measures if m in MEASURES):
            continue  # a feed's profiles tell roles of players of whom people.csv has nothing
        answers = []
        for statistics in (theirs, ours):
            try:
                answers.append(sorted(str(compared_cells(line, row)) for row in statistics.answer(query).rows))
            except QueryError as error:
                answers.append([str(error)])
        compared += 1
        if answers[0] != answers[1]:
            wrong.append(line)
    assert wrong == []


def test_a_zip_gives_what_its_folder_gives(files: Files, two: Files, tmp_path: Path) -> None:
    of_zip = import_feed(zip_feed(two, tmp_path / "feed.zip"), folder=tmp_path / "a")
    of_folder = import_feed(write_feed(two, tmp_path / "feed"), folder=tmp_path / "b")
    assert of_zip.about == of_folder.about and of_zip.about.digest
    assert (tmp_path / "a" / NAME / REPORT).read_text() == of_folder.report.read_text()


def test_a_feed_is_told_by_its_folders(folder: Path, two: Files, tmp_path: Path) -> None:
    assert is_feed(folder / "feed") and is_feed(folder / "feed" / FOLDER)
    assert is_feed(zip_feed(two, tmp_path / "feed.zip"))
    cricsheet = folder_of(tmp_path / "cricsheet", {"1.json": match([])})
    (tmp_path / "page.zip").write_text("<html>not found</html>")
    assert not any(map(is_feed, (cricsheet, tmp_path / "page.zip", tmp_path / "gone")))


def test_what_a_feed_has_beyond_a_season_is_in_its_own_tables(imported: Season, cricsheet: Season) -> None:
    def value(sql: str) -> Any:
        return imported.connection.cursor().execute(sql).fetchone()

    assert value("SELECT count(*), count(DISTINCT team) FROM squads") == (190, 10)
    assert value("SELECT team, name, country, born::TEXT FROM squads WHERE name = 'Virat Kohli'") == (
        "Royal Challengers Bangalore", "Virat Kohli", "India", "1988-11-05")  # fmt: skip
    assert value("SELECT count(*) FROM match_awards WHERE award = 'player of the match'") == (74,)
    assert value("SELECT format, matches, highest, average FROM career_batting WHERE name = 'MS Dhoni'") == (
        "t20", 100, 101, 31.2)  # fmt: skip
    assert value("SELECT count(*), min(best_innings), min(ten_wickets) FROM career_bowling") == (190, "3/21", None)
    assert value("SELECT count(*), count(seq) FROM shots") == (17912, 17912)
    joined = "SELECT count(*) FROM shots s JOIN deliveries d USING (match_id, innings, seq) WHERE s.runs = d.runs AND "
    assert value(f"{joined} s.batter = d.batter AND s.bowler = d.bowler::TEXT") == (17912,)
    there = cricsheet.connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
    assert not {table for (table,) in there} & {"squads", "match_awards", "career_batting", "career_bowling", "shots"}


# -- the commands


@pytest.fixture(scope="module")
def checkout(files: Files, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with one season, in which the commands may write, and the feed as a zip beside it."""
    made = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "data", made / "data", ignore=shutil.ignore_patterns("seasons", "__pycache__"))
    shipped = "data/seasons/ipl_2024"  # which questions and answers of any season are checked against
    shutil.copytree(ROOT / shipped, made / shipped, ignore=shutil.ignore_patterns("qa"))
    zip_feed(files, made / "feed.zip")
    done = run(made, "import", "feed.zip")
    assert done.returncode == 0, done.stderr
    assert f"IPL 2022: 74 matches in {made / 'data' / 'seasons' / NAME}" in done.stdout
    return made


def run(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "data", *arguments], cwd=checkout, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(checkout), **environment})  # fmt: skip


def test_the_command_asks_a_season_that_it_imported_from_a_feed(checkout: Path) -> None:
    asked = run(checkout, "ask", "runs by batter | top 1", "--csv", SEASON=NAME)
    assert asked.stdout.splitlines()[1].startswith("Jos Buttler,863"), asked.stderr
    names = run(checkout, "names", "--season", NAME, "thala")
    assert "MS Dhoni" in names.stdout, names.stderr


def test_the_command_makes_questions_and_answers_of_it(checkout: Path) -> None:
    made = run(checkout, "qa", "--season", NAME, "--train", "60", "--validation", "10", "--test", "20")
    assert made.returncode == 0, made.stderr
    lines = (checkout / "data" / "seasons" / NAME / "qa" / "train.jsonl").read_text().splitlines()
    assert len(lines) == 60 and all(json.loads(line) for line in lines)


def test_the_command_says_what_is_wrong_in_one_line(checkout: Path, two: Files) -> None:
    broken = dict(two)
    broken[named(two, "scorecards/")] = "{"
    zip_feed(broken, checkout / "broken.zip")
    done = run(checkout, "import", "broken.zip", "--name", "broken")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "malformed or truncated JSON" in done.stderr and "scorecards/" in done.stderr
    assert not (checkout / "data" / "seasons" / "broken").exists()
    assert "give the season a name" in run(checkout, "import", "nothing.zip").stderr
    assert "leave --pick out" in run(checkout, "import", "feed.zip", "--pick", "2022").stderr


# -- two sources that do not agree


def changed(two: Files, pattern: str, change: Callable[[Any], None]) -> Files:
    """A copy of the feed with the first file of that pattern changed in place."""
    made = json.loads(json.dumps(two))
    change(made[named(made, pattern)])
    return made


def imported_from(made: Files, tmp_path: Path) -> tuple[Season, list[str]]:
    result = import_feed(write_feed(made, tmp_path / "in"), folder=tmp_path / "out")
    return load(result.about.name, tmp_path / "out"), [str(difference) for difference in result.differences]


def test_a_scorecard_that_says_something_else_is_one_line_and_the_commentary_counts(two: Files, tmp_path: Path) -> None:
    def change(card: Any) -> None:
        card["innings"][0]["batsmen"][0]["runs"] = "999"
        card["innings"][0]["bowlers"][0]["wickets"] = "9"
        card["innings"][0]["equations"]["runs"] += 1

    season, lines = imported_from(changed(two, "scorecards/Chennai", change), tmp_path)
    assert lines == [
        "match 1 (CSK v KKR), innings 1: the innings: runs 131 by the commentary, 132 by the scorecard",
        "match 1 (CSK v KKR), innings 1: Ruturaj Gaikwad: runs 0 by the commentary, 999 by the scorecard",
        "match 1 (CSK v KKR), innings 1: Varun Chakravarthy (bowling): wickets 1 by the commentary, 9 by the scorecard",
    ]
    total = "SELECT runs FROM innings JOIN matches USING (match_id) WHERE number = 1 AND innings = 1"
    assert season.connection.execute(total).fetchone() == (131,)
    report = (tmp_path / "out" / NAME / REPORT).read_text()
    assert all(f"- {line}" in report for line in lines) and "Differences: 3" in report


def test_runs_of_no_kind_are_given_to_the_kind_that_the_scorecard_has(two: Files, tmp_path: Path) -> None:
    def no_ball_of_five(log: Any) -> None:
        event = next(e for e in log["commentaries"] if e.get("run") == 0 and e["event"] == "ball")
        event |= {"run": 5, "noball": "true", "noball_run": "1"}

    made = changed(two, "innings_1_Chennai", no_ball_of_five)
    season, lines = imported_from(made, tmp_path)
    assert "4 of 5 runs are of no kind in the commentary; they were taken as byes" in lines[0]
    deliveries = season.connection.execute("SELECT total, noballs, byes FROM deliveries WHERE total = 5 AND byes > 0")
    assert deliveries.fetchall() == [(5, 1, 4)]


def test_a_wicket_that_only_one_source_has_is_reported(two: Files, tmp_path: Path) -> None:
    def not_out(card: Any) -> None:
        card["innings"][0]["batsmen"][0] |= {"dismissal": "", "how_out": "not out"}

    _, lines = imported_from(changed(two, "scorecards/Chennai", not_out), tmp_path)
    assert any("Ruturaj Gaikwad is out in the commentary and not in the scorecard" in line for line in lines)

    def no_wicket(log: Any) -> None:
        event = next(e for e in log["commentaries"] if e["event"] == "wicket")
        event["event"] = "ball"

    _, lines = imported_from(changed(two, "innings_1_Chennai", no_wicket), tmp_path / "other")
    assert len(lines) == 1
    assert "Ruturaj Gaikwad is out in the scorecard (caught) on no ball of the commentary" in lines[0]


def test_a_points_table_that_the_matches_do_not_give_is_reported(files: Files, two: Files, tmp_path: Path) -> None:
    made = {**two, "standings/standings.json": files["standings/standings.json"]}
    _, lines = imported_from(made, tmp_path)
    assert "points table, Delhi Capitals: net run rate 0.914 by the matches, 0.204 by the feed's table" in lines
    assert "points table, Gujarat Titans: in the feed's table, and in none of the matches" in lines


def test_without_the_batters_at_the_crease_the_order_of_the_scorecard_tells_the_non_striker(
    cricsheet: Season, two: Files, tmp_path: Path
) -> None:
    made = json.loads(json.dumps(two))
    for name, log in made.items():
        if name.startswith("match_innings_commentary/"):
            for event in log["commentaries"]:
                event.pop("batsmen", None)
    season, lines = imported_from(made, tmp_path)
    assert lines == []
    pairs = ("SELECT number, d.innings, seq, batter::TEXT, non_striker::TEXT FROM deliveries d "
             "JOIN matches USING (match_id) WHERE number <= 2 ORDER BY ALL")  # fmt: skip
    ours, theirs = (s.connection.execute(pairs).fetchall() for s in (season, cricsheet))
    right = sum(a == b for a, b in zip(ours, theirs, strict=True))
    assert right > 0.97 * len(ours), f"{right} of {len(ours)}"


def test_the_newest_event_first_is_turned_round(two: Files, tmp_path: Path) -> None:
    made = changed(two, "innings_1_Chennai", lambda log: log["commentaries"].reverse())
    first, second = (import_feed(write_feed(f, tmp_path / at), folder=tmp_path / at / "out").about
                     for f, at in ((two, "a"), (made, "b")))  # fmt: skip
    assert first.digest == second.digest


def test_the_side_batting_second_can_win_by_runs_where_rain_ended_its_innings(two: Files, tmp_path: Path) -> None:
    def by_duckworth_lewis(info: Any) -> None:
        info |= {"match_dls_affected": "true", "win_margin": "6 runs (D/L method)", "status_note": "", "result": ""}

    season, lines = imported_from(changed(two, "match_info/Chennai", by_duckworth_lewis), tmp_path)
    result = "SELECT winner::TEXT, result::TEXT, margin, method::TEXT FROM matches WHERE number = 1"
    assert season.connection.execute(result).fetchone() == ("Kolkata Knight Riders", "runs", 6, "D/L")
    assert lines == []


def test_super_overs_of_a_feed_are_super_overs(tmp_path: Path) -> None:
    season = load("ipl_2021")
    tied = season.connection.execute("SELECT match_id FROM matches WHERE super_over").fetchone()
    writer = FeedWriter(season)
    ours, lines = imported_from(smaller(writer.files, [writer.match_ids[tied[0]]]), tmp_path)
    assert lines == []
    balls = "SELECT innings, seq, batter::TEXT, total FROM super_over_deliveries ORDER BY ALL"
    assert len(season.connection.execute(balls).fetchall()) == 12
    assert ours.connection.execute(balls).fetchall() == season.connection.execute(balls).fetchall()
    outcome = "SELECT result::TEXT, winner::TEXT, super_over FROM matches"
    assert ours.connection.execute(outcome).fetchall() == [("tie", "Delhi Capitals", True)]


# -- bad input


def without(pattern: str) -> Callable[[Files], Files]:
    return lambda two: {name: c for name, c in two.items() if not name.startswith(pattern)}


def without_first(pattern: str) -> Callable[[Files], Files]:
    return lambda two: {name: c for name, c in two.items() if name != named(two, pattern)}


def text_in(pattern: str, text: str) -> Callable[[Files], Files]:
    return lambda two: {**two, named(two, pattern): text}


def change_in(pattern: str, change: Callable[[Any], None]) -> Callable[[Files], Files]:
    return lambda two: changed(two, pattern, change)


LOG = "innings_1_Chennai"
BAD: list[tuple[Callable[[Files], Files], str, str]] = [
    (without("scorecards/"), "in", "the folder scorecards/ (one file a match) is missing"),
    (without("match_innings_commentary/"), "in", "the folder match_innings_commentary/ (one file an innings) is"),
    (without("squads/"), "in", "the folder squads/ (the players of each team) is missing"),
    (without_first("scorecards/"), "matches/matches.json", "has no file in scorecards/; copy the feed again"),
    (without_first("match_info/"), "matches/matches.json", "has no file in match_info/; copy the feed again"),
    (without_first(LOG), "scorecards/", "has no file in match_innings_commentary/; copy the feed again"),
    (text_in("scorecards/", "{"), "scorecards/", "malformed or truncated JSON"),
    (text_in("scorecards/", ""), "scorecards/", "malformed or truncated JSON"),
    (text_in("scorecards/", "[" * 100_000), "scorecards/", "nested deeper"),
    (text_in("scorecards/", "[]"), "scorecards/", "match_id is missing"),
    (text_in("matches/matches.json", '{"a": 1}'), "matches/matches.json", "expected a list"),
    (text_in("matches/matches.json", "[]"), "", "matches/matches.json does not list"),
    (text_in("squads/", "7"), "squads/squads.json", "holds a int, expected a list"),
    (change_in("matches/", lambda m: m.pop()), "scorecards/", "does not list; remove one or the other"),
    (change_in("scorecards/", lambda c: c["innings"][0].update(number="x")), "scorecards/", "innings.0.number"),
    (change_in("scorecards/", lambda c: c["innings"][0].update(batting_team_id=1)), "scorecards/", "is of team 1, not"),
    (change_in(LOG, lambda c: c["inning"].pop("iid")), LOG, "inning.iid"),
    (change_in(LOG, lambda c: c["commentaries"][3].update(run="many")), LOG, "commentaries.3.run"),
    (change_in(LOG, lambda c: c["commentaries"][3].update(four="perhaps")), LOG, "neither true nor false"),
    (change_in(LOG, lambda c: c["commentaries"][3].update(over="x")), LOG, "over 'x' is no number"),
    (change_in(LOG, lambda c: c["commentaries"][3].update(bowler_id="")), LOG, "has no bowler_id"),
    (change_in(LOG, lambda c: c["commentaries"][3].update(bowler_id="999999")), "scorecards/", "player 999999 is"),
    (change_in(LOG, lambda c: c.update(commentaries=c["commentaries"][:50])), LOG, "it is cut off, get"),
    (change_in("match_info/C", lambda i: i.update(subtitle="Warm-up")), "scorecards/", "subtitle 'Warm-up' of match 1"),
    (change_in("match_info/C", lambda i: i.update(date_start_ist="soon")), "scorecards/", "date_start_ist 'soon' of"),
    (
        change_in("match_info/C", lambda i: i["competition"].update(season="spring")),
        "scorecards/",
        "competition.season: 'spring' is not the name of a season",
    ),
    (
        change_in("match_info/C", lambda i: i["competition"].update(title="Big Bash League")),
        "scorecards/",
        "is of Big Bash League",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "file", "expected"), BAD)
def test_a_feed_that_cannot_be_right_is_refused_with_the_file_and_the_remedy(
    spoil: Callable[[Files], Files], file: str, expected: str, two: Files, tmp_path: Path
) -> None:
    source = write_feed(spoil(two), tmp_path / "in").parent
    with pytest.raises(SourceError) as refused:
        import_feed(source, folder=tmp_path / "out")
    assert expected in str(refused.value) and file in refused.value.file and "\n" not in str(refused.value)
    assert not list((tmp_path / "out").glob("*"))


def test_a_zip_that_promises_more_than_a_season_is_refused(two: Files, tmp_path: Path) -> None:
    bomb = zip_feed(two, tmp_path / "bomb.zip")
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("scorecards/x.json", "w") as file:
        for _ in range(LARGEST_FILE // (1 << 20) + 1):
            file.write(b" " * (1 << 20))
    assert bomb.stat().st_size < 4 << 20
    with pytest.raises(SourceError, match=r"scorecards/x.json: unpacks to more than 64 MB"):
        import_feed(bomb, folder=tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(MOST_FILES + 1):
            archive.writestr(f"scorecards/{number}.json", "")
    with pytest.raises(SourceError, match=f"has {MOST_FILES + 1} files"):
        import_feed(tmp_path / "many.zip", folder=tmp_path / "out")
    with pytest.raises(SourceError, match="not a readable zip"):
        import_feed(folder_of(tmp_path / "x", {"a.zip": "no"}) / "a.zip", folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_refused_feed_leaves_the_season_that_was_there(two: Files, tmp_path: Path) -> None:
    first = import_feed(write_feed(two, tmp_path / "in"), folder=tmp_path / "out").about
    write_feed(text_in(LOG, "{")(two), tmp_path / "in")
    with pytest.raises(SourceError):
        import_feed(tmp_path / "in", folder=tmp_path / "out", replace=True)
    assert load(NAME, tmp_path / "out").digest == first.digest
    with pytest.raises(SeasonNotFound):
        load("my_ipl_2021", tmp_path / "out")


# -- persons and officials


def test_a_player_is_the_person_of_his_name_and_date_of_birth() -> None:
    kohli, chakravarthy = "ba607b88", "5b7ab5a9"
    assert known(Profile(title="Virat Kohli", birthdate="1988-11-05"), 2022) == kohli
    assert known(Profile(title="V Kohli", last_name="Kohli", birthdate="1988-11-05"), 2022) == kohli
    assert known(Profile(title="Virat Kohli"), 2022) == kohli
    assert known(Profile(title="Virat Kohli", birthdate="1971-01-01"), 1999) is None
    assert known(Profile(title="Varun Chakaravarthy", birthdate="1991-08-29"), 2022) == chakravarthy
    assert known(Profile(title="Nobody Known", birthdate="1988-11-05"), 2022) is None


def test_a_player_who_is_nobody_known_is_as_the_feed_says() -> None:
    profile = Profile(pid="77", title="Someone New", first_name="Someone", last_name="New", birthdate="2001-02-03",
                      country="lk", batting_style="Left Hand Bat", bowling_style="Left-arm orthodox",
                      playing_role="wkbat")  # fmt: skip
    (person,) = persons([Profile(pid=77, title="S New"), profile], 2022).values()
    assert (person.player, person.display, person.full_name, person.country, str(person.born)) == (
        "feed-77", "Someone New", "Someone New", "Sri Lanka", "2001-02-03")  # fmt: skip
    assert (person.batting_hand, person.bowling.kind, person.keeper) == ("left", "left_arm_orthodox", True)


def test_two_ids_for_one_person_stay_two_players() -> None:
    twice = persons(
        [Profile(pid=1, title="Virat Kohli", birthdate="1988-11-05"), Profile(pid=2, title="Virat Kohli")], 2022
    )
    assert [twice[pid].player for pid in (1, 2)] == ["ba607b88", "feed-2"]


def test_officials_are_told_apart_by_their_marks() -> None:
    assert officials_of(
        "Nitin Menon(India), A Chaudhary (India),  B Oxenford (Australia, TV)", "J Srinath (India)"
    ) == {
        "umpires": ("Nitin Menon", "A Chaudhary"),
        "tv_umpires": ("B Oxenford",),
        "match_referees": ("J Srinath",),
    }
    assert officials_of("", "") == {}
