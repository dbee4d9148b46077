"""The report on what people ask: verdicts, intervals, table."""

from __future__ import annotations

import pytest

from train.evaluate.people import Verdict, report, verdict, wilson

RUNS = {"numbers": [741]}


@pytest.mark.parametrize(
    ("expect", "answer", "declined", "said"),
    [
        (RUNS, "Virat Kohli scored 741 runs.", False, "right"),
        (RUNS, "Virat Kohli scored 12 runs.", False, "wrong"),
        (RUNS, "I can't answer that: the record does not hold it.", True, "declined"),
        (RUNS, "I can't answer that, but he made 12 runs.", True, "wrong"),
        ({"refuse": True}, "I can't predict the future.", True, "right"),
        ({"refuse": True}, "He will score 600 runs.", False, "wrong"),
        ({"chat": True}, "Glad to help!", True, "right"),
        ({"chat": True}, "741 runs.", False, "wrong"),
    ],
)
def test_a_reply_is_right_honestly_declined_or_wrong(expect: dict, answer: str, declined: bool, said: str) -> None:
    assert verdict(expect, "How many runs did Kohli score?", answer, declined)[0] == said


def test_the_interval_of_a_share_is_wilson_s() -> None:
    low, high = wilson(8, 10)  # 0.490 to 0.943: Newcombe (1998), Statistics in Medicine 17, by the same formula
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert wilson(0, 0) == (0.0, 1.0) and wilson(10, 10)[1] == 1.0


def test_the_report_counts_single_questions_and_whole_conversations() -> None:
    single = [
        Verdict("a1", "batting", "q", "right", "", "a", "runs"),
        Verdict("a2", "toss", "q", "wrong", "w", "a", ""),
    ]
    talk = [Verdict(f"v1.{n}", "phase", "q", "right", "", "a", "") for n in (1, 2)]
    text = report("demo", {"fan_questions": single, "conversations": talk})
    assert "| all single questions | 2 | 1 (50 %) |" in text and "wholly right: 1 of 1" in text
    assert "- wrong: q | a | `no line` (w)" in text
