"""Numbers of a query line that its question does not say are noticed, idioms and neighbouring numbers are not."""

import random
import re
from collections import Counter

import pytest

from agents.coverage import several_dropped
from agents.numbers import numbers_made_up, put_right
from data.phrasing.phrase_files import PAIR_FILES, PHRASES, expand, read_pairs
from data.query import parse
from data.text import plain


@pytest.mark.parametrize(("question", "line", "found"), [
    ("P1 versus P2 in overs eighteen to twenty", "economy by bowler | bowler=P1,P2 overs=8-20", ["overs=8-20"]),
    ("P1 s scores game by game from march onwards", "runs by match | batter=P1 from_score=10", ["from_score=10"]),
    ("most dot balls min 1500 legal deliveries", "dots_bowled by bowler | having balls_bowled>=150 | top 1",
     ["balls_bowled>=150"]),
    ("who hit most sixes", "sixes by batter | top 7", ["top 7"]),
    ("when did P1 get to his next landmark", "runs | batter=P1 | reach 500", ["reach 500"]),
    ("won by minimum wicket", "winner, margin | won_by=wickets margin=5", ["margin=5"]),
    ("best economy with more than five overs", "economy by bowler | having overs_bowled>=6 | bottom 1", []),
    ("best economy with at least three overs", "economy by bowler | having balls_bowled>=18 | bottom 1", []),
    ("P1 out in the nineties", "dismissals | batter=P1 score>=90 score<=99", []),
    ("totals in the 190s", "innings_played | total>=190 total<=199", []),
    ("P1 versus P2 in overs eighteen to twenty at the end", "economy by bowler | overs=8-20", ["overs=8-20"]),
    ("one hundred and fifty dots or more", "dots_bowled by bowler | having dots_bowled>=150", []),
    ("a strike rate of one fifty plus", "strike_rate by batter | having strike_rate>=150", []),
    ("batters with two half-centuries in a chase", "fifties by batter | each runs>=50 | having fifties>=2", []),
    ("two hundred balls or more", "strike_rate by batter | having balls>=200 | top 1", []),
    ("most runs in chases by openers off the last over", "runs by batter | innings=2 position=1-2 overs=20 | top 1",
     []),
    ("the leading scorers", "runs by batter | top 5", []),
    ("thoughts on the weather", "decline off_topic", []),
    ("\u0000 ?!", "runs by batter | top 40", ["top 40"]),
])  # fmt: skip
def test_numbers_that_nobody_said_are_found(question: str, line: str, found: list[str]) -> None:
    assert numbers_made_up(parse(line), question) == found


def test_right_lines_of_the_phrase_files_hardly_ever_have_such_numbers() -> None:
    rng, seen, found = random.Random(1), 0, 0
    for name in PAIR_FILES:
        for words, line in read_pairs(PHRASES / name):
            seen += 1
            found += bool(numbers_made_up(parse(line), plain(expand(words, rng))))
    assert 0 < found < seen / 300


@pytest.mark.parametrize(("question", "line", "found"), [
    ("which bowlers got P1 out more than once", "dismissals by bowler | batter=P1 | top 1", ["which bowlers"]),
    ("which bowlers got P1 out more than once", "dismissals by bowler | batter=P1 | having dismissals>=2", []),
    ("which openers put on the highest stand", "partnership by pair | wicket=1 | top 1", []),
    ("which teams won most and fewest tosses", "tosses_won by team | top 1 ; tosses_won by team | bottom 1", []),
    ("which bowler got P1 out most", "dismissals by bowler | batter=P1 | top 1", []),
])  # fmt: skip
def test_several_that_are_asked_for_are_missed_in_the_first_one(question: str, line: str, found: list[str]) -> None:
    assert several_dropped(parse(line), question) == found


@pytest.mark.parametrize(("question", "known", "line", "mended"), [
    ("strike rates with 200 or more balls first three", "", "strike_rate by batter | having balls>=300 | top 3",
     "strike_rate by batter | having balls>=200 | top 3"),
    ("most runs in the 19th over", "", "runs by batter | overs=17 | top 1", "runs by batter | overs=19 | top 1"),
    ("runs of P1 in 30 balls", "", "runs | batter=P1 overs=4", "runs | batter=P1 overs=4"),  # another length
    ("between 150 and 180", "", "innings_played | total>=160 total<=190", "innings_played | total>=160 total<=190"),
    ("two hundred balls or more", "", "strike_rate by batter | having balls>=300",
     "strike_rate by batter | having balls>=300"),  # no digits
    ("and in the last 16", "balls>=20", "runs by batter | having balls>=20 | top 1",
     "runs by batter | having balls>=20 | top 1"),  # of the line before
])  # fmt: skip
def test_one_miscopied_number_is_put_right(question: str, known: str, line: str, mended: str) -> None:
    assert str(put_right(parse(line), question, known)) == mended


def test_miscopied_numbers_are_put_right_and_no_right_line_is_changed() -> None:
    rng, kinds = random.Random(5), Counter()
    for name in PAIR_FILES:
        for words, line in read_pairs(PHRASES / name):
            question, right = plain(expand(words, rng)), parse(line)
            assert put_right(right, question) == right, (question, line)
            digits = [match.start() for match in re.finditer(r"(?<=\d)\d\b", line)]  # the last of two or more
            if digits and (wrong := parse(_with_another_digit(line, rng.choice(digits)))) != right:
                mended = put_right(wrong, question)
                kinds["right" if mended == right else "left" if mended == wrong else "another"] += 1
    assert kinds["right"] > 1000
    assert kinds["another"] < kinds["right"] / 200


def _with_another_digit(line: str, at: int) -> str:
    return f"{line[:at]}{(int(line[at]) + 3) % 10}{line[at + 1 :]}"
