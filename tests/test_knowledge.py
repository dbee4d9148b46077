"""Answers of a user's own file through the agents: the same question, other words, and what it must not answer."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agents.knowledge import Knowledge
from agents.messages import Reply
from agents.model import Generation
from agents.multi_agent import MultiAgent
from agents.retriever import RetrieverAgent
from data.dataset.knowledge import COMPUTED, DISPUTED, Entry, read, write
from data.errors import SourceError
from data.season import load
from data.text import plain

ROOT = Path(__file__).parent.parent
ROWS = [
    Entry("Who captained Gujarat Titans in IPL 2024?", "Shubman Gill", 1),
    Entry("Who was the captain of Royal Challengers Bengaluru in IPL 2024?", "Faf du Plessis", 2),
    Entry("Who is the head coach of Chennai Super Kings?", "Stephen Fleming", 3),
    Entry("Who is the batting coach of Chennai Super Kings?", "Michael Hussey", 4),
    Entry("What is the capacity of the Eden Gardens?", "About 68,000", 5),
    Entry("What is the anthem of Chennai Super Kings?", "Whistle Podu", 6),
    Entry("What is the full name of RR?", "Rajasthan Royals", 7),
    Entry("When was Andre Russell born?", "29 April 1988", 8),
    Entry("Where was Andre Russell born?", "Kingston", 9),
    Entry("Who owns Kolkata Knight Riders?", "Red Chillies and the Mehta Group", 10),
    Entry("How many runs did Virat Kohli score in IPL 2024?", "700", 11, DISPUTED),
    Entry("What was the winning margin of match 3?", "4 runs", 12, COMPUTED, "", "margin | match=3"),
]


@pytest.fixture(scope="module")
def retriever() -> RetrieverAgent:
    found = RetrieverAgent(load("ipl_2024"))
    found.knowledge = Knowledge(ROWS, found.linker)
    return found


def row_of(retriever: RetrieverAgent, question: str) -> int | None:
    assert retriever.knowledge is not None
    found = retriever.knowledge.find(question, retriever.link(question))
    return found.entry.row if found else None


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: entry.question)
def test_a_question_of_the_file_is_found_whatever_its_case_and_punctuation(retriever, entry: Entry) -> None:
    for question in (entry.question, entry.question.upper(), entry.question.rstrip("?").lower()):
        assert row_of(retriever, question) == entry.row


@pytest.mark.parametrize(
    "question, row",
    [
        ("gt captain", 1),
        ("who led gujarat?", 1),
        ("who was captaining GT in 2024", 1),
        ("tell me the name of the skipper of RCB", 2),
        ("csk head coach name?", 3),
        ("batting coach of csk", 4),
        ("how many people can eden gardens hold", 5),
        ("capacity of eden gardens stadium", 5),
        ("which song is csk's anthem", 6),
        ("rr full name", 7),
        ("date of birth of andre russell", 8),
        ("when was russell born", 8),
        ("andre russell was born where?", 9),
        ("who is the owner of kkr", 10),
    ],
)
def test_a_question_in_other_words_is_found(retriever, question: str, row: int) -> None:
    assert row_of(retriever, question) == row


@pytest.mark.parametrize(
    "question",
    [
        "Who captained Mumbai Indians?",
        "who was the vice captain of RCB",
        "who is the bowling coach of csk",
        "who is the assistant coach of csk",
        "where was Sunil Narine born?",
        "why was Andre Russell born?",
        "how many runs did the captain of RCB score",
        "what is the average first innings score at Eden Gardens?",
        "how many matches were played at Eden Gardens",
        "who scored the most runs for csk",
        "who won the toss in match 3",
        "what was the winning margin of match 4",
        "how many runs did Virat Kohli score in the powerplay",
        "how many wickets did Andre Russell take",
        "hello",
        "",
        "?!",
    ],
)
def test_a_row_about_something_else_does_not_answer(retriever, question: str) -> None:
    assert row_of(retriever, question) is None


def test_no_question_that_the_statistics_answer_is_answered_by_the_file(retriever) -> None:
    folder = ROOT / "data" / "dataset" / "exams"
    lines = (folder / "fan_questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines if line.strip()]
    asked += [json.loads(line)["question"] for line in (ROOT / "data/seasons/ipl_2024/qa/test.jsonl").open()]
    taken = {q: row for q in asked if (row := row_of(retriever, q)) and row != 11}
    assert len(asked) > 600 and taken == {}


class Writes:
    """A model that writes one line as every plan, and no sentence. Counts what it is asked."""

    def __init__(self, line: str) -> None:
        self.line, self.asked = line, 0

    async def generate(self, messages, **kwargs) -> Generation:
        self.asked += 1
        is_plan = messages[-1]["content"].startswith("plan ")
        return Generation(self.line if is_plan else "", "stop" if is_plan else "length")


def ask(retriever: RetrieverAgent, question: str, line: str = "decline not_recorded") -> tuple[Reply, int]:
    model = Writes(line)
    return asyncio.run(MultiAgent(retriever.season, model, retriever).ask(question)), model.asked


def test_what_the_record_cannot_hold_is_answered_from_the_file_with_its_row(retriever) -> None:
    reply, asked = ask(retriever, "who led gt?")
    assert reply.answer == "Shubman Gill (from your file, row 1)"
    assert reply.outcome == "answered" and not reply.tables and asked == 0


def test_another_question_about_the_same_team_is_still_declined(retriever) -> None:
    reply, asked = ask(retriever, "who is the physio of gt?")
    assert reply.outcome == "declined" and asked > 0


def test_a_computed_answer_stands_first_and_the_file_s_other_answer_is_said_too(retriever) -> None:
    reply, _ = ask(retriever, "how many runs did virat kohli score?", "runs | batter=P1")
    assert "741" in reply.answer and reply.answer.endswith("Your file says: 700 (from your file, row 11).")
    assert reply.tables


def test_the_line_that_a_row_proved_is_used_for_the_same_question_about_other_names() -> None:
    found = RetrieverAgent(load("ipl_2024"))
    question = "Runs put together by Virat Kohli, in total?"
    linked = plain(found.link(question).text)
    found.knowledge = Knowledge([Entry(question, "741", 1, COMPUTED, linked, "runs | batter=P1")], found.linker)
    reply, asked = ask(found, "runs put together by Riyan Parag in total", "decline chat")
    assert "573" in reply.answer and reply.outcome == "answered" and asked == 1  # the sentence, not the plan


def test_entries_are_read_as_they_were_written(tmp_path: Path) -> None:
    write(ROWS, tmp_path / "knowledge.jsonl")
    assert read(tmp_path / "knowledge.jsonl") == ROWS
    (tmp_path / "bad.jsonl").write_text('{"question": 1}\n')
    with pytest.raises(SourceError, match="no entries of a user's file"):
        read(tmp_path / "bad.jsonl")
