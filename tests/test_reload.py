"""Seasons that are imported while the service runs: answered about without a restart, never mixed, never lost.

The service is the real one on a folder of a few seasons, and the seasons come from the real import.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from data.query import Statistics
from data.season import SEASONS, load
from data.season.store import state
from serve.process import ServiceProcess, wait_for
from tests.conftest import ROOT, Launch
from tests.support.cricsheet_files import zip_of

SERVED = ("ipl_2022", "ipl_2023")
RUNS = {"query": "runs by batter | top 1"}
PATIENCE_S = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seasons of one's own, as SEASONS_DIR names them."""
    for name in SERVED:
        shutil.copytree(SEASONS / name, tmp_path / "seasons" / name)
    return tmp_path / "seasons"


@pytest.fixture
def served(launch: Launch, demo_model: Path, folder: Path) -> Iterator[ServiceProcess]:
    found = launch(MODEL_PATH=demo_model, SEASON="ipl", SEASONS_DIR=folder)
    found.wait_ready()
    yield found
    found.stop()


@pytest.fixture
def client(served: ServiceProcess) -> Iterator[httpx.Client]:
    with served.client() as found:
        yield found


def imported(folder: Path, season: str, *more: str) -> subprocess.CompletedProcess[str]:
    """`cricket data import` of a season's real zip into the folder."""
    command = [sys.executable, "cricket.py", "data", "import", str(zip_of(season)), "--name", f"ipl_{season}", *more]
    environment = os.environ | {"SEASONS_DIR": str(folder)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def title(client: httpx.Client) -> str:
    return str(client.get("/readyz").json()["season_title"])


def leader(client: httpx.Client, **season: str) -> list[Any]:
    reply = client.post("/stats", json=RUNS | season)
    return list(reply.json()["tables"][0]["rows"][0][:2])


def test_one_more_season_is_imported_by_one_command_and_asked_about_without_a_restart(
    served: ServiceProcess, client: httpx.Client, folder: Path
) -> None:
    assert title(client) == "IPL 2022-2023" and leader(client) == ["Shubman Gill", 890]
    assert client.post("/stats", json=RUNS | {"season": "ipl_2024"}).status_code == 422
    link = {"params": {"query": RUNS["query"]}}
    tag = client.get("/stats", **link).headers["ETag"]
    listed = client.get("/seasons").headers["ETag"]
    first = client.post("/infer", json={"question": "How many wickets did RCB take?"}).json()

    done = imported(folder, "2024")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: title(client) == "IPL 2022-2024", PATIENCE_S, served.log.read_text)

    assert leader(client) == leader(client, season="ipl_2024") == ["Virat Kohli", 741]
    again = client.get("/stats", **link, headers={"If-None-Match": tag})
    assert again.status_code == 200 and again.headers["ETag"] != tag
    assert client.get("/stats", **link, headers={"If-None-Match": again.headers["ETag"]}).status_code == 304
    assert "ipl_2024" in client.get("/seasons", headers={"If-None-Match": listed}).text
    # the conversation goes on, about a side that has another name since the season that came
    follow = {"question": "and how many sixes did they hit?", "conversation_id": first["conversation_id"]}
    reply = client.post("/infer", json=follow)
    assert reply.status_code == 200 and reply.json()["conversation_id"] == first["conversation_id"]
    assert served.log.read_text().count("was loaded anew: IPL 2022-2024 in place of IPL 2022-2023") == 1


def test_a_follow_up_over_the_change_names_the_side_by_its_new_name(
    trained: None, served: ServiceProcess, client: httpx.Client, folder: Path
) -> None:
    first = client.post("/infer", json={"question": "How many sixes did RCB hit?"}).json()
    assert "Royal Challengers Bangalore" in first["query"], first
    assert imported(folder, "2024").returncode == 0
    wait_for(lambda: title(client) == "IPL 2022-2024", PATIENCE_S, served.log.read_text)
    follow = {"question": "and fours?", "conversation_id": first["conversation_id"]}
    reply = client.post("/infer", json=follow).json()
    assert reply["outcome"] == "answered" and "Royal Challengers Bengaluru" in reply["query"], reply
    assert reply["answer"].startswith("IPL 2024: ")


def test_questions_during_the_change_are_answered_from_one_state_or_the_other(
    served: ServiceProcess, client: httpx.Client, folder: Path
) -> None:
    line = {"query": "runs by season | season=all ; runs by batter | top 1"}
    states: list[Any] = []
    environment = os.environ | {"SEASONS_DIR": str(folder)}
    command = [sys.executable, "cricket.py", "data", "import", str(zip_of("2024")), "--name", "ipl_2024"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None or title(client) != "IPL 2022-2024":
            reply = client.post("/stats", json=line)
            assert reply.status_code == 200, reply.text
            seasons, best = reply.json()["tables"]
            states.append((len(seasons["rows"]), best["rows"][0][0]))
            assert len(states) < 20_000
    seen = list(dict.fromkeys(states))
    assert seen in ([(2, "Shubman Gill")], [(2, "Shubman Gill"), (3, "Virat Kohli")]), seen
    seasons, best = client.post("/stats", json=line).json()["tables"]
    assert (len(seasons["rows"]), best["rows"][0][0]) == (3, "Virat Kohli")


def test_a_damaged_import_is_warned_of_once_and_what_was_served_stays_until_it_is_mended(
    served: ServiceProcess, client: httpx.Client, folder: Path
) -> None:
    (folder / "ipl_2024").mkdir()
    (folder / "ipl_2024" / "season.json").write_text('{"format": 2')
    said = "ipl is served as it was before, since it cannot be loaded anew: season.json of season 'ipl_2024'"
    wait_for(lambda: said in served.log.read_text(), PATIENCE_S)
    assert title(client) == "IPL 2022-2023" and leader(client) == ["Shubman Gill", 890]
    assert [s["name"] for s in client.get("/seasons").json()["seasons"]] == ["ipl", *SERVED]

    # the tables of another state under a season.json that says otherwise
    for file in (SEASONS / "ipl_2024").glob("*.*"):
        shutil.copy(file, folder / "ipl_2024" / file.name)
    (folder / "ipl_2024" / "innings.parquet").write_bytes(b"PAR1")
    wait_for(lambda: "innings.parquet of season 'ipl_2024' is changed" in served.log.read_text(), PATIENCE_S)
    assert leader(client) == ["Shubman Gill", 890]

    done = imported(folder, "2024", "--replace")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: title(client) == "IPL 2022-2024", PATIENCE_S, served.log.read_text)
    assert leader(client) == ["Virat Kohli", 741]
    warned = [line for line in served.log.read_text().splitlines() if "served as it was before" in line]
    assert len(warned) == 2, warned


def test_a_season_that_is_replaced_or_removed_is_so_beside_the_service_s_own(
    served: ServiceProcess, client: httpx.Client, folder: Path
) -> None:
    assert leader(client, season="ipl_2022") == ["Jos Buttler", 863]
    # what a correction of Cricsheet's files does: another season under the name, and so other figures
    for file in (SEASONS / "ipl_2022").glob("*.*"):
        shutil.copy(SEASONS / "ipl_2016" / file.name, folder / "ipl_2022" / file.name)
    about = json.loads((folder / "ipl_2022" / "season.json").read_text()) | {"name": "ipl_2022"}
    (folder / "ipl_2022" / "season.json").write_text(json.dumps(about))
    wait_for(lambda: leader(client, season="ipl_2022") == ["Virat Kohli", 973], PATIENCE_S, served.log.read_text)
    wait_for(lambda: title(client) == "IPL 2016, 2023", PATIENCE_S, served.log.read_text)

    shutil.rmtree(folder / "ipl_2022")
    wait_for(lambda: title(client) == "IPL 2023", PATIENCE_S, served.log.read_text)
    gone = client.post("/stats", json=RUNS | {"season": "ipl_2022"})
    assert gone.status_code == 422 and "no season 'ipl_2022' here" in gone.json()["detail"]
    assert "served as it was before" not in served.log.read_text()


def test_the_state_of_a_folder_changes_with_every_import_and_not_otherwise(folder: Path) -> None:
    before = state(folder)
    assert state(folder) == before and len(before) == len(SERVED)
    assert imported(folder, "2023").returncode == 0, "the same rows again"
    assert state(folder) == before
    shutil.copytree(SEASONS / "ipl_2024", folder / "ipl_2024")
    assert state(folder) - before and before < state(folder)


def test_what_is_no_longer_served_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        season = load("ipl_2024")
        statistics = Statistics(season)
        database = weakref.ref(season.connection)
        del season, statistics
        assert database() is None
    finally:
        gc.enable()


def test_a_season_imported_alone_is_not_served_with_the_others(folder: Path) -> None:
    done = imported(folder, "2024", "--alone")
    assert done.returncode == 0, done.stderr
    assert load("ipl", folder).years == (2022, 2023) and load("ipl_2024", folder).years == (2024,)
