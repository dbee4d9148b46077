"""What the rows of a user's file are taken for, which season they are about, and what training makes of them."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from data.dataset import knowledge, user_files
from data.dataset.knowledge import DISPUTED, KNOWLEDGE, PLAN
from data.dataset.user_files import UserRow
from data.season import load
from tests.support import own_questions
from train import own_file
from train.config import SftConfig
from train.errors import ExamplesError
from train.own_file import OwnFile, mix, updates_for
from train.own_season import guess
from train.product_tasks import product_tasks
from train.query_lines import LineWriter
from train.row_plans import RowPlans

SEASON = "ipl_2023"


@pytest.fixture(scope="module")
def writer() -> LineWriter:
    return LineWriter(str(own_file.PLANNER))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, list[own_questions.OwnRow]]:
    """A file of 60 rows of five shapes about IPL 2023, three of them outside the record."""
    folder = tmp_path_factory.mktemp("own")
    return folder, own_questions.write(SEASON, 60, folder, seed=3)


def row(question: str, answer: str, number: int = 1) -> UserRow:
    return UserRow(question, answer, f"line {number}", number)


def decide(writer: LineWriter, *pairs: tuple[str, str]):
    rows = [row(question, answer, number) for number, (question, answer) in enumerate(pairs, 1)]
    return RowPlans(load(SEASON), writer).decide(rows)


def test_a_row_that_the_statistics_give_becomes_a_plan_with_its_line(writer) -> None:
    found, named = decide(
        writer,
        ("How many runs did Shubman Gill score in IPL 2023?", "890"),
        ("Who took the most wickets in IPL 2023?", "Mohammed Shami with 28 wickets"),
    )
    assert (found.kind, found.line, found.linked) == (PLAN, "runs | batter=P1", "how many runs did P1 score")
    assert found.query == 'runs | batter="Shubman Gill"'
    assert (named.kind, named.line) == (PLAN, "wickets by bowler | top 1")


def test_a_row_whose_figure_differs_is_disputed_with_what_is_computed(writer) -> None:
    (found,) = decide(writer, ("How many runs did Shubman Gill score in IPL 2023?", "851"))
    assert found.kind == DISPUTED and "890" in found.computed and "Shubman Gill" in found.computed


@pytest.mark.parametrize(
    "question, answer",
    [
        ("Who captained Gujarat Titans in IPL 2023?", "Hardik Pandya"),
        ("What is the seating capacity of the Narendra Modi Stadium?", "about 132,000"),
        ("In which year was the Gujarat Titans franchise founded?", "2021"),
        ("What is the nickname of Rashid Khan?", "the Wizard"),
        ("How many runs did Sachin Tendulkar score in IPL 2010?", "618"),
        ("?", "nothing"),
    ],
)
def test_what_the_record_does_not_hold_is_knowledge(writer, question: str, answer: str) -> None:
    (found,) = decide(writer, (question, answer))
    assert found.kind == KNOWLEDGE and not found.line and not found.query and not found.computed


def test_rows_in_words_that_training_never_saw_are_computed_by_lines_that_mean_the_same(writer, made) -> None:
    folder, rows = made
    found = RowPlans(load(SEASON), writer).decide(user_files.read(folder / "questions.jsonl").rows)
    line_of = {r.question.lower(): r.line for r in rows}
    outside = [d for d in found if not line_of[d.row.question.lower()]]
    assert len(found) == 60 and len(outside) == 3 and {d.kind for d in outside} == {KNOWLEDGE}
    kinds = Counter(d.kind for d in found if line_of[d.row.question.lower()])
    assert kinds[PLAN] >= 0.95 * 57


# -- the season


def test_the_season_is_the_one_that_the_questions_say(writer) -> None:
    rows = [row(f"How many runs did {name} score in IPL 2016?", "1") for name in ("Virat Kohli", "David Warner")]
    found = guess(rows, lambda: writer)
    assert found.season == "ipl_2016" and "2 of its 2 questions say 2016" in found.why


def test_a_file_about_several_years_is_about_all_seasons(writer) -> None:
    rows = [row(f"Who won the IPL in {year}?", "somebody") for year in (2016, 2017, 2018, 2019)]
    assert guess(rows, lambda: writer).season == "ipl"


def test_where_no_year_is_said_names_and_answers_tell_the_season(writer, made) -> None:
    _, rows = made
    unsaid = [row(r.question.replace("IPL 2023", "the season").replace("2023", ""), r.answer) for r in rows]
    found = guess(unsaid, lambda: writer)
    assert found.season == SEASON and "statistics give" in found.why


def test_a_file_about_nobody_is_taken_to_be_about_the_default_season(writer) -> None:
    found = guess([row("What is it?", "this"), row("What is that?", "that")], lambda: writer)
    assert found.season == "ipl_2024" and "hardly anybody" in found.why


# -- the dataset


def test_of_an_update_three_tenths_are_the_file_with_every_row_as_often_the_rest_product_tasks() -> None:
    own, others = [f"own {i}" for i in range(10)], [f"other {i}" for i in range(500)]
    mixed = mix(own, others, 200, seed=1)
    count = Counter(mixed)
    assert len(mixed) == 200 and {count[e] for e in own} == {6}
    assert mix(own, others, 200, seed=1) == mixed != mix(own, others, 200, seed=2)


def test_a_small_file_is_not_repeated_without_end() -> None:
    count = Counter(mix(["own"], [f"other {i}" for i in range(50)], 1000, seed=1))
    assert count["own"] == own_file.MOST_PASSES


@pytest.mark.parametrize("rows, updates", [(12, 300), (950, 300), (5000, 782)])
def test_updates_follow_the_size_of_the_file(rows: int, updates: int) -> None:
    assert updates_for(rows, 64) == updates


def test_the_product_s_tasks_of_a_season_without_questions_are_the_shipped_ones() -> None:
    train, validation = product_tasks("ipl_2016", seed=1)
    assert {e.task for e in train} == {e.task for e in validation} == {"plan", "answer", "follow"}
    follow_ups = [{str(e.messages) for e in split if e.task == "follow"} for split in (train, validation)]
    assert len(follow_ups[1]) > 50 and not follow_ups[0] & follow_ups[1]


def test_a_file_becomes_examples_knowledge_and_a_report(made, tmp_path) -> None:
    folder, rows = made
    config = SftConfig(data=str(folder / "questions.jsonl"), max_steps=2, batch_size=64)
    own = OwnFile.read(config)
    assert own.season == SEASON
    data = own.dataset(config)
    assert len(data.train) == 128 and len(data.own) == len(data.rows) == 60
    assert {e.task for e in data.validation} == {"plan", "answer", "follow"}, "nothing of the file is held out"
    known = [r for r in data.rows if r.kind == KNOWLEDGE]
    assert [r.row for r in data.rows] == list(range(1, 61)) and {r.file for r in data.rows} == {"questions.jsonl"}
    assert all(r.query and r.linked for r in data.rows if r.kind == PLAN)
    closed_book = {e.messages[0]["content"]: e.completion for e in data.own if e.task == "closed_book"}
    assert closed_book == {r.question: r.answer for r in known}
    assert f"{len(known)} rows are knowledge" in data.report and "season: ipl_2023, guessed" in data.report
    knowledge.write(data.rows, tmp_path / "knowledge.jsonl")
    assert knowledge.read(tmp_path / "knowledge.jsonl") == list(data.rows)


def test_the_report_shows_both_answers_of_a_disputed_row(tmp_path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "question,answer\nHow many runs did Shubman Gill score in IPL 2023?,851\nWho captained GT in IPL 2023?,Pandya\n"
    )
    config = SftConfig(data=str(file), max_steps=1, batch_size=4, season=SEASON)
    data = OwnFile.read(config).dataset(config)
    assert "1 rows are disputed" in data.report
    (line,) = [line for line in data.report.splitlines() if line.startswith("- line 2: ")]
    assert "Your file: 851" in line and "890" in line and 'runs | batter="Shubman Gill"' in line
    assert data.rows[0].kind == DISPUTED and "890" in data.rows[0].computed


def test_a_season_that_is_not_there_is_refused_before_training(made) -> None:
    config = replace(SftConfig(), data=str(made[0] / "questions.jsonl"), season="ipl_1999")
    with pytest.raises(ExamplesError, match="no season 'ipl_1999'.*--season"):
        OwnFile.read(config).dataset(config)


def test_the_generated_file_has_five_shapes_and_no_question_twice(made) -> None:
    folder, rows = made
    lines = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    assert len({tuple(sorted(line)) for line in lines}) == 5
    assert len({r.question.lower() for r in rows}) == 60
