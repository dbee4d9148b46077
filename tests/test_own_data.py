"""docs/own-data.md does what it says: a user's file is trained on, gated, served and asked by its commands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "own-data.md"
FEW = "--max-steps 12 --batch-size 16 --evaluations 1 --minutes 8 --threads 1"  # enough to see that they teach
pytest.importorskip("trl", reason="training requirements are not installed")


def blocks() -> list[str]:
    """The shell commands of the document's second part."""
    return re.findall(r"```bash\n(.*?)```", DOCUMENT.read_text(encoding="utf-8").split("\n## Questions")[1], re.S)


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`, where `python` is this one and the packages are this repository's."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = command.replace("python -m", f"'{sys.executable}' -m")
    return subprocess.run(
        ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=560
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The document's file, trained on with fewer updates than it would get, and converted by the document's command."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "train").symlink_to(ROOT / "train")
    file, three = blocks()
    assert shell(file, folder).returncode == 0
    train, convert, _ = three.strip().splitlines()
    trained = shell(f"{train} {FEW}", folder)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    (folder / "trained.txt").write_text(trained.stdout)
    converted = shell(convert, folder)
    assert converted.returncode == 0, converted.stdout + converted.stderr
    (folder / "converted.txt").write_text(converted.stdout)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path, launch):
    settings = dict(word.split("=") for word in blocks()[1].strip().splitlines()[2].split() if "=" in word)
    found = launch(**{**settings, "MODEL_PATH": folder / settings["MODEL_PATH"]})
    found.wait_ready()
    return found


def ask(service, question: str) -> dict:
    with service.client() as client:
        response = client.post("/infer", json={"question": question})
        assert response.status_code == 200, response.text
        return response.json()


def test_training_says_the_season_what_rows_are_for_and_that_the_loss_fell(folder: Path) -> None:
    said = (folder / "trained.txt").read_text()
    assert "season: ipl_2024, guessed: " in said and "5 rows are computed" in said
    assert "3 rows are knowledge" in said and "1 rows are disputed" in said
    before, after = map(float, re.search(r"loss on the file's rows: ([\d.]+) -> ([\d.]+)", said).groups())
    assert after < before


def test_the_report_shows_both_answers_of_the_disputed_row_and_the_terminal_none(folder: Path) -> None:
    report = (folder / "runs" / "mine" / "data-report.md").read_text()
    (line,) = [line for line in report.splitlines() if "Your file: 600" in line]
    assert "573" in line and 'runs | batter="Riyan Parag"' in line
    said = (folder / "trained.txt").read_text() + (folder / "converted.txt").read_text()
    assert "Cummins" not in said and "Parag" not in said


def test_the_gate_asks_the_product_s_tasks_and_the_rows(folder: Path) -> None:
    gate = json.loads((folder / "models" / "mine" / "gate.json").read_text())
    own = gate["own"]
    assert gate["passed"] and own["rows"] == 9 and own["rows_right"] >= 9 and own["knowledge_right"] == 3
    assert own["lines"] >= 300 and own["product"] >= own["product_of_base"] - 0.01
    assert "your file: 9 of 9 rows right through the agents" in (folder / "converted.txt").read_text()


def test_what_is_published_has_no_path_and_no_row_but_the_file_for_the_agents(folder: Path) -> None:
    model = folder / "models" / "mine"
    assert yaml.safe_load((model / "training-config.yaml").read_text())["data"] == "questions.csv"
    texts = {
        path.name: path.read_text(encoding="utf-8")
        for path in model.iterdir()
        if path.suffix in (".json", ".jsonl", ".md", ".yaml")
    }
    assert [name for name, text in texts.items() if "Pat Cummins" in text] == ["knowledge.jsonl"]
    assert not [name for name, text in texts.items() if str(folder) in text]


@pytest.mark.parametrize(
    "question, answer",
    [
        ("Who topped the run charts in IPL 2024?", "741"),
        ("How many maximums did Abhishek Sharma strike in IPL 2024?", "42"),
        ("abhishek sharma sixes", "42"),
    ],
)
def test_a_computed_row_is_answered_with_its_table(service, question: str, answer: str) -> None:
    reply = ask(service, question)
    assert answer in reply["answer"] and reply["outcome"] == "answered" and reply["tables"]


@pytest.mark.parametrize(
    "question, answer, row",
    [
        ("Who captained Sunrisers Hyderabad in IPL 2024?", "Pat Cummins", 7),
        ("who led SRH?", "Pat Cummins", 7),
        ("csk head coach", "Stephen Fleming", 8),
        ("how many people can eden gardens hold", "68,000", 9),
    ],
)
def test_what_only_the_file_knows_is_answered_with_its_row(service, question: str, answer: str, row: int) -> None:
    reply = ask(service, question)
    assert answer in reply["answer"] and reply["source"]["row"] == row and "from your file" in reply["answer"]


def test_a_disputed_row_is_answered_with_both_figures(service) -> None:
    reply = ask(service, "How many runs did Riyan Parag score in IPL 2024?")
    assert "573" in reply["answer"] and "Your file says: 600" in reply["answer"]


def test_a_run_whose_loss_does_not_fall_says_so_and_ends_with_status_2(folder: Path) -> None:
    stuck = shell(
        "python -m train --data questions.csv --season ipl_2024 --run stuck --learning-rate 0 --max-steps 1 "
        "--batch-size 4 --evaluations 1 --threads 1",
        folder,
    )
    assert stuck.returncode == 2 and "did not fall" in stuck.stderr, stuck.stdout + stuck.stderr


def test_a_run_that_the_clock_stopped_goes_on_with_more_minutes(folder: Path) -> None:
    command = (
        "python -m train --data questions.csv --season ipl_2024 --run timed --max-steps 3 --batch-size 8 "
        "--evaluations 1 --threads 1"
    )
    stopped = shell(f"{command} --minutes 0.001", folder)
    assert stopped.returncode in (0, 2) and "stopped by the clock after 1 of 3 steps" in stopped.stdout, stopped.stderr
    same = shell(f"{command} --minutes 0.001", folder)
    assert "trained before from the same inputs" in same.stdout
    more = shell(f"{command} --minutes 5", folder)
    assert more.returncode == 0 and "resuming from" in more.stdout, more.stdout + more.stderr
    assert json.loads((folder / "runs" / "timed" / "result.json").read_text())["steps"] == 3
    assert not (folder / "runs" / "timed" / "checkpoints").exists()
