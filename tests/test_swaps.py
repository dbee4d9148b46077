"""Questions made from hand-written ones by exchanging a phrase whose meaning is known."""

import random
import re

import pytest

from data.phrasing.composer import Phrasebook
from data.phrasing.conditions import Conditions
from data.phrasing.phrase_files import expand
from data.phrasing.swaps import Swaps
from data.query import parse
from data.text import plain

BANK = {
    "phase=death": {"all": ["at the death"]},
    "opponent=T": {"all": ["against {T}"]},
    "home=away": {"all": ["away from home"]},
}
NOUNS = {
    "runs": {"noun": ["runs"], "plural": ["runs"]},
    "sixes": {"noun": ["six count"], "plural": ["sixes"]},
    "boundary_runs": {"noun": ["runs in boundaries"]},
    "economy": {"noun": ["economy"]},
    "dot_ball_percent": {"noun": ["dot ball share"]},
}


@pytest.fixture
def swaps():
    return Swaps(Conditions(BANK), NOUNS)


def draws(make, question, line, n=40):
    (query,) = parse(line).queries
    made = [make(random.Random(seed), question, query) for seed in range(n)]
    return {(m[0], str(m[1])) for m in made if m}


def test_a_condition_is_exchanged_in_question_and_line(swaps):
    made = draws(swaps.condition, "what did P1 get at the death when it mattered", "runs | batter=P1 phase=death")
    assert made == {
        ("what did P1 get against T1 when it mattered", "runs | batter=P1 opponent=T1"),
        ("what did P1 get away from home when it mattered", "runs | batter=P1 home=away"),
        ("what did P1 get when it mattered", "runs | batter=P1"),
        ("what did P1 get at the death when it mattered", "runs | batter=P1 phase=death"),
    }


def test_a_condition_that_the_bank_does_not_word_is_kept(swaps):
    assert not draws(swaps.condition, "what did P1 get late on", "runs | batter=P1 phase=death")


def test_a_measure_is_exchanged_for_one_of_its_kind(swaps):
    assert draws(swaps.measure, "how many runs for P1", "runs | batter=P1") == {
        ("how many sixes for P1", "sixes | batter=P1")
    }
    # the longest noun counts, and a number before it belongs to something else
    assert not draws(swaps.measure, "how many runs in boundaries for P1", "runs | batter=P1")
    assert not draws(swaps.measure, "was P1 good for 300 runs", "runs | batter=P1")
    # the best economy is the lowest, the best dot ball share the highest: no exchange in a ranking
    assert not draws(swaps.measure, "who had the best economy", "economy by bowler | bottom 1")


def test_questions_made_from_the_real_pairs_parse_and_name_what_they_filter_by():
    book, rng = Phrasebook.load(), random.Random(7)
    made = 0
    for question, line in rng.sample(book.pairs, 1500):
        queries = parse(line).queries
        if len(queries) != 1:
            continue
        for make in (book._swaps.condition, book._swaps.measure):
            swapped = make(rng, plain(expand(question, rng)), queries[0])
            if swapped:
                text, query = swapped
                made += 1
                assert parse(str(query)).queries[0].canonical() == query.canonical()
                named = {v for f in query.filters for v in f.values if v[0] in "PTVD" and v[1:].isdigit()}
                assert named <= set(re.findall(r"[PTVD]\d", text)), (text, str(query))
    assert made > 300
