"""The importer accepts what Cricsheet publishes and refuses incomplete files, naming the file and the reason."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import pytest

from data.cricsheet.importer import import_season
from data.errors import SeasonDamaged, SeasonExists, SeasonNotFound, SourceError
from data.season import about as about_season
from data.season import load, seasons, store
from tests.support.cricsheet_files import ZIPS, ball, folder_of, match, parsed, zip_of

OVER = [ball(runs=1)] * 6


def changed(path: str, value: object) -> dict:
    """A valid match with the value at a dotted path replaced."""
    made = json.loads(json.dumps(match([OVER])))
    at = made
    *parents, last = path.split(".")
    for part in parents:
        at = at[int(part)] if isinstance(at, list) else at[part]
    at[int(last) if isinstance(at, list) else last] = value
    return made


def test_a_folder_of_match_files_becomes_a_season(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", {"1.json": match([OVER]), "README.txt": "about these files"})
    about = import_season(source, "ipl_2024", folder=tmp_path / "out")
    loaded = load("ipl_2024", tmp_path / "out")
    assert (about.title, loaded.title, loaded.year, loaded.digest) == (
        "IPL 2024",
        "IPL 2024",
        2024,
        about.digest,
    )
    assert loaded.connection.execute("SELECT sum(total) FROM deliveries").fetchone() == (6,)
    assert seasons(tmp_path / "out") == ["ipl", "ipl_2024"]


def test_a_zip_with_a_readme_and_a_folder_inside_is_taken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ipl_json.zip", "w") as archive:
        archive.writestr("README.txt", "This is the readme of Cricsheet")
        archive.writestr("ipl/1.json", json.dumps(match([OVER])))
        archive.writestr("__MACOSX/ipl/._1.json", b"\0\5")
    assert import_season(tmp_path / "ipl_json.zip", "ipl_2024", folder=tmp_path / "out").matches == 4  # 3 abandoned


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "malformed or truncated JSON"),
        ("", "malformed or truncated JSON"),
        ("[]", "Input should be an object"),
        (json.dumps(match([OVER]))[:-700], "malformed or truncated JSON"),
        (changed("info.weather", "sunny"), "unknown field info.weather"),
        (
            changed("innings.0.overs.0.deliveries.0.runs.sevens", 1),
            "unknown field innings.0.overs.0.deliveries.0.runs",
        ),
        (changed("innings.0.overs.0.deliveries.0.runs.total", 5), "not the sum of their parts"),
        (changed("innings.0.overs.0.deliveries.0.runs.total", -1), "greater than or equal to 0"),
        (
            changed("innings.0.overs.0.deliveries.0.bowler", "Nobody"),
            "'Nobody' is not in info.registry.people",
        ),
        (changed("innings.0.overs.0.over", 3), "over 3 where over 0 was expected"),
        (changed("innings.0.team", "Rajasthan Royals"), "not one of"),
        (changed("info.season", "spring"), "info.season: 'spring' is not the name of a season"),
        (changed("info.dates", []), "info.dates"),
        (changed("info.dates", ["2024-13-01"]), "info.dates"),
        (changed("info.outcome", {}), "neither a winner nor a result"),
        (changed("info.outcome", {"winner": "Mumbai Indians", "by": {"runs": 3}}), "the file is incomplete"),
        (changed("info.event.stage", "Play-in"), "unknown stage 'Play-in'"),
        (changed("info.overs", 0), "limited-overs"),
        (changed("info.balls_per_over", 5), "overs of 5 balls"),
        (changed("info.overs", 50), "a match of 50 overs; the Indian Premier League plays 20 a side"),
        (
            changed("info.event.name", "Big Bash League"),
            "a match of Big Bash League (male, 20 overs), but 1.json is of",
        ),
        (changed("info.gender", "female"), "a match of Indian Premier League (female, 20 overs), but 1.json is of"),
    ],
)
def test_a_file_that_is_not_a_complete_match_is_named_with_the_reason(
    tmp_path: Path, content: object, expected: str
) -> None:
    good = match([OVER], event={"name": "Indian Premier League", "match_number": 2})
    source = folder_of(tmp_path / "in", {"1.json": good, "1234.json": content})
    with pytest.raises(SourceError, match="1234.json") as error:
        import_season(source, "ipl_2024", folder=tmp_path / "out")
    assert expected in str(error.value) and error.value.file == "1234.json"
    assert not list((tmp_path / "out").glob("*"))


def test_a_result_that_the_deliveries_do_not_give_is_refused() -> None:
    made = match(
        [OVER],
        [[ball(second=True, runs=4)] * 2],
        outcome={"winner": "Chennai Super Kings", "by": {"wickets": 10}},
    )
    parsed(made)
    with pytest.raises(SourceError, match="won by 9 wickets, but the deliveries have 0 wickets"):
        parsed(made | {"info": made["info"] | {"outcome": {"winner": "Chennai Super Kings", "by": {"wickets": 9}}}})
    made["info"]["outcome"] = {"winner": "Mumbai Indians", "by": {"runs": 2}}
    with pytest.raises(SourceError, match="won by 2 runs, but the deliveries give 6 and 8"):
        parsed(made)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"1.json": match([OVER]), "again/1.json": match([OVER])}, "match 1 is there twice"),
        ({"1.json": match([OVER]), "2.json": match([OVER])}, "the same match as 1.json"),
        ({"people.json": "{}"}, "people.json: a match file is named <match id>.json"),
        ({"README.txt": "x"}, "holds no .json match file"),
    ],
)
def test_duplicates_and_other_files_are_refused(tmp_path: Path, files: dict, expected: str) -> None:
    with pytest.raises(SourceError) as error:
        import_season(folder_of(tmp_path / "in", files), "ipl_2024", folder=tmp_path / "out")
    assert expected in str(error.value)


def test_a_source_that_is_missing_or_no_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file or folder"):
        import_season(tmp_path / "gone.zip", "ipl_2024", folder=tmp_path / "out")
    (tmp_path / "page.zip").write_text("<html>not found</html>")
    with pytest.raises(SourceError, match="page.zip: not a readable zip"):
        import_season(tmp_path / "page.zip", "ipl_2024", folder=tmp_path / "out")


@pytest.mark.parametrize("name", ["", "../x", "IPL 2024", ".hidden", "a/b"])
def test_a_season_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="cannot be a season's name"):
        import_season(tmp_path, name, folder=tmp_path / "out")


def two_seasons(tmp_path: Path) -> Path:
    old = match([OVER], dates=["2008-05-01"], season="2007/08")
    return folder_of(tmp_path / "in", {"1.json": old, "2.json": match([OVER, OVER])})


@pytest.mark.parametrize(
    ("name", "option", "years"),
    [
        ("ipl_2024", None, [2024]),
        ("ipl_2008", None, [2008]),
        ("mine", "2007/08", [2008]),
        ("mine", "2008", [2008]),
        ("mine", "ipl_2024", [2024]),
        ("ipl_all", None, [2008, 2024]),
        ("ipl", "all", [2008, 2024]),
        ("ipl_all", "2024", [2024]),
        ("ipl_2024", "2024", [2024]),
    ],
)
def test_of_several_seasons_the_option_or_the_name_selects(
    tmp_path: Path, name: str, option: str | None, years: list[int]
) -> None:
    about = import_season(two_seasons(tmp_path), name, option, tmp_path / "out")
    assert about.years == years
    assert about.title == ("IPL 2008, 2024" if len(years) > 1 else f"IPL {years[0]}")


@pytest.mark.parametrize(("name", "option"), [("mine", None), ("mine", "2019"), ("mine", "last"), ("ipl_2019", None)])
def test_of_several_seasons_none_selected_is_an_error_that_lists_them(
    tmp_path: Path, name: str, option: str | None
) -> None:
    with pytest.raises(SourceError, match="2008, 2024"):
        import_season(two_seasons(tmp_path), name, option, tmp_path / "out")


def test_importing_the_same_matches_again_changes_nothing_and_other_matches_need_replace(tmp_path: Path) -> None:
    source, out = folder_of(tmp_path / "in", {"1.json": match([OVER])}), tmp_path / "out"
    first = import_season(source, "ipl_2024", folder=out)
    stamp = (out / "ipl_2024" / "season.json").stat().st_mtime_ns
    assert import_season(source, "ipl_2024", folder=out) == first
    assert (out / "ipl_2024" / "season.json").stat().st_mtime_ns == stamp
    folder_of(source, {"1.json": match([OVER, OVER])})
    with pytest.raises(SeasonExists, match="ask to replace it"):
        import_season(source, "ipl_2024", folder=out)
    assert load("ipl_2024", out).digest == first.digest
    assert import_season(source, "ipl_2024", folder=out, replace=True).digest != first.digest
    assert [p.name for p in out.iterdir()] == ["ipl_2024"]


def test_an_interrupted_import_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = folder_of(tmp_path / "in", {"1.json": match([OVER])}), tmp_path / "out"

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store.os, "rename", stopped)
    with pytest.raises(KeyboardInterrupt):
        import_season(source, "ipl_2024", folder=out)
    assert not list(out.iterdir())


def test_a_missing_or_damaged_season_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SeasonNotFound, match=r"no season 'ipl_1999'.*python -m data import .* --name ipl_1999"):
        load("ipl_1999", tmp_path)
    import_season(folder_of(tmp_path / "in", {"1.json": match([OVER])}), "ipl_2024", folder=tmp_path)
    table = tmp_path / "ipl_2024" / "innings.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(SeasonDamaged, match="innings.parquet of season 'ipl_2024' is changed since the import"):
        load("ipl_2024", tmp_path)
    table.unlink()
    with pytest.raises(SeasonDamaged, match="is missing"):
        load("ipl_2024", tmp_path)
    (tmp_path / "ipl_2024" / "season.json").write_text("{")
    with pytest.raises(SeasonDamaged, match="season.json"):
        load("ipl_2024", tmp_path)


def test_the_digest_is_of_the_matches_not_of_the_order_of_files(tmp_path: Path) -> None:
    second = match([OVER, OVER], dates=["2024-04-02"], event={"name": "Indian Premier League", "match_number": 2})
    one = folder_of(tmp_path / "one", {"1.json": match([OVER]), "2.json": second})
    two = folder_of(tmp_path / "two", {"a/2.json": second, "b/1.json": match([OVER])})
    assert (
        import_season(one, "x", folder=tmp_path / "o").digest == import_season(two, "y", folder=tmp_path / "o").digest
    )


def test_the_shipped_season_is_what_the_zip_gives(tmp_path: Path) -> None:
    started = time.perf_counter()
    about = import_season(zip_of("2024"), "ipl_2024", folder=tmp_path)
    assert time.perf_counter() - started < 5
    assert about.digest == load("ipl_2024").digest


def test_all_seasons_in_one_zip_are_separated(tmp_path: Path) -> None:
    if len(ZIPS) < 2:
        pytest.skip("the real seasons are not there")
    chosen = [zip_of("2009_10"), zip_of("2023")]
    with zipfile.ZipFile(tmp_path / "ipl_json.zip", "w") as everything:
        everything.writestr("README.txt", "Cricsheet")
        for path in chosen:
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    everything.writestr(member, archive.read(member))
    import_season(tmp_path / "ipl_json.zip", "ipl_all", folder=tmp_path / "out")
    seasons_there = "SELECT season, count(*) FROM matches GROUP BY season ORDER BY season"
    assert load("ipl_all", tmp_path / "out").connection.execute(seasons_there).fetchall() == [
        ("2010", 60),
        ("2023", 74),
    ]
    one = import_season(tmp_path / "ipl_json.zip", "ipl_2023", folder=tmp_path / "out")
    alone = import_season(chosen[1], "alone", folder=tmp_path / "out")
    assert one.digest == alone.digest


# Several seasons as one


def test_a_season_is_added_to_the_collection_of_its_name_by_its_import(tmp_path: Path) -> None:
    source = two_seasons(tmp_path)
    import_season(source, "ipl_2024", folder=tmp_path / "out")
    before = load("ipl", tmp_path / "out")
    assert (before.title, before.years) == ("IPL 2024", (2024,))
    import_season(source, "ipl_2008", folder=tmp_path / "out")
    after = load("ipl", tmp_path / "out")
    assert (after.title, after.years, after.year) == ("IPL 2008, 2024", (2008, 2024), 2024)
    assert (
        about_season("ipl", tmp_path / "out").digest == after.digest != before.digest
    )  # a service sees the new season
    assert seasons(tmp_path / "out") == ["ipl", "ipl_2008", "ipl_2024"]
    assert load("ipl_2024", tmp_path / "out").years == (2024,)


def test_a_season_imported_alone_is_in_no_collection(tmp_path: Path) -> None:
    source = two_seasons(tmp_path)
    import_season(source, "ipl_2024", folder=tmp_path / "out")
    import_season(source, "ipl_2008", folder=tmp_path / "out", alone=True)
    assert load("ipl", tmp_path / "out").years == (2024,)
    assert load("ipl_2008", tmp_path / "out").years == (2008,)


def test_a_name_with_the_year_of_another_season_is_refused(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", {"1.json": match([OVER])})
    with pytest.raises(SourceError, match="the matches are of 2024, not of 2023"):
        import_season(source, "ipl_2023", folder=tmp_path / "out")


def test_a_collection_has_seasons_of_one_competition_only(tmp_path: Path) -> None:
    import_season(folder_of(tmp_path / "in", {"1.json": match([OVER])}), "ipl_2024", folder=tmp_path / "out")
    other = match([OVER], event={"name": "Big Bash League"}, season="2023/24", dates=["2023-12-30"])
    source = folder_of(tmp_path / "other", {"2.json": other})
    with pytest.raises(SourceError, match="'ipl' is of IPL, the matches of Big Bash League"):
        import_season(source, "ipl_2023", folder=tmp_path / "out")
    assert import_season(source, "bbl_2023", folder=tmp_path / "out").title == "Big Bash League 2023"
    assert load("ipl", tmp_path / "out").years == (2024,)


def test_a_season_and_a_collection_cannot_share_a_name(tmp_path: Path) -> None:
    source = two_seasons(tmp_path)
    import_season(source, "ipl_2024", folder=tmp_path / "out")
    with pytest.raises(SourceError, match="'ipl' is the name of a collection; name the season ipl_2008"):
        import_season(source, "ipl", "2008", folder=tmp_path / "out")
    import_season(source, "cup", "2008", folder=tmp_path / "out")
    with pytest.raises(SourceError, match="'cup' is the name of a season"):
        import_season(source, "cup", "all", folder=tmp_path / "out")


def test_replacing_a_season_keeps_what_else_is_in_its_folder(tmp_path: Path) -> None:
    source, out = folder_of(tmp_path / "in", {"1.json": match([OVER])}), tmp_path / "out"
    import_season(source, "ipl_2024", folder=out)
    (out / "ipl_2024" / "qa").mkdir()
    (out / "ipl_2024" / "qa" / "train.jsonl").write_text("{}\n")
    (out / "ipl_2024" / "notes.txt").write_text("mine")
    folder_of(source, {"1.json": match([OVER, OVER])})
    import_season(source, "ipl_2024", folder=out, replace=True)
    assert (out / "ipl_2024" / "qa" / "train.jsonl").read_text() == "{}\n"
    assert (out / "ipl_2024" / "notes.txt").read_text() == "mine"
    assert load("ipl_2024", out).connection.execute("SELECT sum(total) FROM deliveries").fetchone() == (12,)


def test_a_damaged_season_of_a_collection_is_named_and_does_not_go_missing(tmp_path: Path) -> None:
    import_season(two_seasons(tmp_path), "ipl", "all", folder=tmp_path / "out")
    (tmp_path / "out" / "ipl_2008" / "season.json").write_text("{")
    with pytest.raises(SeasonDamaged, match="season.json of season 'ipl_2008' cannot be read"):
        load("ipl", tmp_path / "out")
    assert load("ipl_2024", tmp_path / "out").year == 2024
    import_season(two_seasons(tmp_path), "ipl_2008", folder=tmp_path / "out", replace=True)
    assert load("ipl", tmp_path / "out").years == (2008, 2024)


def test_a_season_of_an_older_format_names_the_command_that_replaces_it(tmp_path: Path) -> None:
    import_season(folder_of(tmp_path / "in", {"1.json": match([OVER])}), "ipl_2024", folder=tmp_path)
    path = tmp_path / "ipl_2024" / "season.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 1}))
    with pytest.raises(SeasonDamaged, match=r"format 1, this version reads 2.*--name ipl_2024 --replace"):
        load("ipl_2024", tmp_path)


# Other competitions


def test_a_fifty_over_cup_has_its_own_name_length_and_phases_and_no_points_table(tmp_path: Path) -> None:
    overs = [[ball(runs=1)] * 6 for _ in range(50)]
    made = match(overs, overs=50, match_type="ODM", event={"name": "Royal London One-Day Cup", "match_number": 1})
    made["innings"][0]["powerplays"] = [{"from": 0.1, "to": 9.6, "type": "mandatory"}]
    about = import_season(folder_of(tmp_path / "in", {"1.json": made}), "cup_2024", folder=tmp_path)
    season = load("cup_2024", tmp_path)
    assert about.title == season.title == "Royal London One-Day Cup 2024"
    phases = "SELECT phase, min(over), max(over) FROM deliveries GROUP BY phase ORDER BY 2"
    assert season.connection.execute(phases).fetchall() == [
        ("powerplay", 1, 10),
        ("middle", 11, 40),
        ("death", 41, 50),
    ]
    assert season.connection.execute("SELECT overs, shortened FROM matches").fetchall() == [(50, False)]
    assert season.connection.execute("SELECT count(*) FROM standings").fetchone() == (0,)
    assert about.matches == 1, "the abandoned matches of the IPL are not in it"


def test_a_t20_league_over_the_new_year_is_one_season_of_its_first_year(tmp_path: Path) -> None:
    event = {"name": "Big Bash League"}
    made = {
        "1.json": match([OVER], event=event | {"match_number": 1}, season="2023/24", dates=["2023-12-30"]),
        "2.json": match([OVER], event=event | {"stage": "Challenger"}, season="2023/24", dates=["2024-01-22"]),
    }
    about = import_season(folder_of(tmp_path / "in", made), "bbl_2023", folder=tmp_path)
    rows = load("bbl", tmp_path).connection.execute("SELECT season, number, stage FROM matches ORDER BY date")
    assert (about.title, rows.fetchall()) == (
        "Big Bash League 2023",
        [("2023", 1, "league"), ("2023", 2, "challenger")],
    )
