"""What the words of a question say about its query line, and the choice among sampled lines that follows."""

from __future__ import annotations

import json

import pytest

from agents.coverage import left_out
from data.phrasing.composer import Phrasebook
from data.phrasing.implications import (
    EVIDENCE_FILE,
    FILE,
    count,
    count_evidence,
    made_up,
    parts_of,
    read,
    unmet,
    words_of,
)
from data.phrasing.phrase_files import PHRASES, read_pairs
from data.query import parse
from data.query.language import DIMENSIONS, FILTERS, MEASURES


def test_the_parts_of_a_line_are_its_measures_dimensions_conditions_and_clauses() -> None:
    plan = parse("sixes/matches by batter | weekday=monday team!=T1 | each runs>=50 | having balls>=60 | top nth 2")
    assert parts_of(plan) >= {
        "sixes", "matches", "/", "by batter", "weekday", "weekday=", "weekday=monday", "team!=", "each", "runs>=",
        "having", "balls>=", "top", "nth",
    }  # fmt: skip
    assert "team=T1" not in parts_of(parse("runs | team=T1"))


def test_words_are_taken_alone_and_in_pairs_but_not_across_a_name() -> None:
    assert words_of("runs by P1 on mondays") == {"runs", "by", "runs by", "on", "mondays", "on mondays"}


def test_a_word_implies_what_nearly_all_of_its_lines_have_and_few_others() -> None:
    mondays = [(f"{verb} on monday {n}", "runs | weekday=monday") for verb in ("runs", "made") for n in range(60)]
    others = [(f"runs of P1 {n}", "runs | batter=P1") for n in range(400)]
    found = count(read([*mondays, *others]))
    assert found["monday"] and set(found["monday"]) <= {"weekday", "weekday=", "weekday=monday"}
    assert "runs" not in found


def test_words_that_a_line_quotes_or_declines_imply_nothing() -> None:
    quoted = [(f"runs by uncapped men {n}", 'runs by batter | top 1 | unsupported "uncapped men"') for n in range(90)]
    declined = [(f"who wins tomorrow {n}", "decline prediction") for n in range(90)]
    others = [(f"sixes of P1 {n}", "sixes | batter=P1") for n in range(400)]
    assert not {"uncapped", "men", "tomorrow"} & count(read([*quoted, *declined, *others])).keys()


@pytest.mark.parametrize(
    ("question", "line", "dropped"),
    [
        ("sixes hit on a monday", "sixes", "monday"),
        ("sixes hit on a monday", "sixes | weekday=monday", None),
        ("P1 runs in april", "runs | batter=P1", "april"),
        ("P1 runs in april", "runs | batter=P1 month=april", None),
        ("will P1 score on a monday", "decline prediction", None),
    ],
)
def test_a_dropped_condition_is_noticed(question: str, line: str, dropped: str | None) -> None:
    found = unmet(parse(line), question)
    assert (dropped in found) if dropped else not found


def test_the_evidence_of_a_condition_is_the_words_that_nearly_all_of_its_questions_have() -> None:
    asked = [f"{verb} {day} {n}" for verb in ("runs", "made") for day in ("monday", "mon") for n in range(60)]
    mondays = [(question, "runs | weekday=monday") for question in asked]
    others = [(f"runs of P1 {n}", "runs | batter=P1") for n in range(700)]
    found = count_evidence(read([*mondays, *others]))
    assert {"monday", "mon"} <= set(found["weekday=monday"])
    assert "runs" not in found["weekday=monday"] and "batter" not in found


@pytest.mark.parametrize(
    ("question", "line", "invented"),
    [
        ("second highest wicket taker in sql", "wickets by bowler | stage=qualifier_2 | top nth 2", "stage"),
        ("total sixes in the whole tournament", "team_sixes | target>=126", "target"),
        ("P1 n P2 runs", "runs | batter=P1 without=P2", "without"),
        ("runs of P1 when P2 was missing", "runs | batter=P1 without=P2", None),
        ("second highest wicket taker in the second qualifier", "wickets by bowler | stage=qualifier_2 | top 1", None),
        ("will P1 score on a monday", "decline prediction", None),
    ],
)
def test_an_invented_condition_is_noticed(question: str, line: str, invented: str | None) -> None:
    found = made_up(parse(line), question)
    assert (invented in found) if invented else not found


def test_few_hand_written_pairs_have_a_condition_without_evidence() -> None:
    pairs = [pair for path in (PHRASES / "time.txt", PHRASES / "exceptions.txt") for pair in read_pairs(path)]
    strange = [q for q, line in pairs if made_up(parse(line), q)]
    assert len(strange) <= 0.05 * len(pairs)
    assert json.loads(EVIDENCE_FILE.read_text(encoding="utf-8"))["weekday=monday"]


def test_the_kept_implications_speak_of_the_language_as_it_is() -> None:
    known = {*MEASURES, *FILTERS, *(f"by {d}" for d in DIMENSIONS), "/", "%", "each", "having", "nth", "top", "bottom"}
    known |= {"first", "last", "reach", "place", "unsupported", "all", "=0", "=", "!=", ">=", "<=", ">", "<"}
    kept = {part for parts in json.loads(FILE.read_text(encoding="utf-8")).values() for part in parts}
    strange = {p for p in kept if p not in known and p.rstrip("=<>!") not in known and p.partition("=")[0] not in known}
    assert not strange


def test_few_hand_written_pairs_contradict_the_implications() -> None:
    pairs = [pair for path in (PHRASES / "players.txt", PHRASES / "time.txt") for pair in read_pairs(path)]
    contradicted = [q for q, line in pairs if unmet(parse(line), q)]
    assert len(contradicted) <= 0.1 * len(pairs)
    assert Phrasebook.load().pairs


def test_names_and_numbers_that_a_line_leaves_out_are_listed() -> None:
    assert left_out(parse("runs by batter | from=D1 | top 3"), "top 5 between D1 and D2") == ["D2", "5"]
    assert left_out(parse("economy | phase=death"), "economy in overs 16 to 20") == []
