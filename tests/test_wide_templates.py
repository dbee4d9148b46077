"""Questions composed about ranks, shares, counts, totals reached, streaks, splits and yes or no."""

import random
import re
from functools import cache

import pytest

from data.phrasing.comparison_templates import ComparisonTemplates
from data.phrasing.composer import Phrasebook
from data.phrasing.sequence_templates import SequenceTemplates
from data.phrasing.share_templates import ShareTemplates
from data.phrasing.templates import Phrasing
from data.phrasing.wide_templates import WideTemplates, fill, is_sound
from data.query import parse
from data.query.language import LESS_IS_BETTER, MEASURES

CLASSES = (WideTemplates, ShareTemplates, SequenceTemplates, ComparisonTemplates)
PER_MAKER = 250
# kind of question -> what its lines have
CONSTRUCTS = {
    "nth": r"\| (?:top|bottom) nth \d+",
    "place": r"\| place [PT]\d",
    "per": r"^[a-z_]+/[a-z_]+",
    "share": r"^[a-z_]+%[a-z_]+",
    "count": r"^count by ",
    "reach": r"\| reach \d+",
    "streak": r"^(?:current_)?streak\b.*\| each ",
    "average": r"^([a-z_]+) \| (?:batter|bowler|team)=[PT]\d.* ; \1(?: \||$)",
    "split": r"^([a-z_]+) (?:by [a-z]+.*|.* ; \1 .*)",
    "yes": r"\| (?:place|each|having) | (?:batter|bowler|fielder|player|team)=",
    "event": r"^(?:six_hit|four_hit|wicket_fall|fifty_made|hundred_made)\b.*\| (?:first|last) (?:nth )?\d+",
    "seasons": r" by season \|.*season=all",
}


@cache
def phrasebook() -> Phrasebook:
    return Phrasebook.load()


def composers() -> list[WideTemplates]:
    book = phrasebook()
    return [of(book.measures, book.frames, book._conditions, book.ranks) for of in CLASSES]


@cache
def samples() -> list[Phrasing]:
    rng = random.Random(22)
    makers = [maker for composer in composers() for _, maker in composer.makers]
    made = [[maker(rng) for _ in range(PER_MAKER)] for maker in makers]
    assert all(sum(p is not None for p in of_one) > PER_MAKER / 3 for of_one in made)
    return [p for of_one in made for p in of_one if p is not None]


def of_kind(kind: str) -> list[Phrasing]:
    return [p for p in samples() if p.kind == kind]


def test_every_line_parses_and_is_canonical():
    for p in samples():
        assert str(parse(p.line).canonical()) == p.line


def test_question_and_line_have_the_same_placeholders_and_no_mark_is_left():
    for p in samples():
        assert set(re.findall(r"\b[PTVDY]\d\b", p.question)) == set(re.findall(r"\b[PTVDY]\d\b", p.line)), p
        assert not re.search(r"[{}]|=[A-Z]\b", p.question + p.line), p
        assert not re.search(r"\b(?:noun|dims?|n th|k th|units?)\b", p.question), p


@pytest.mark.parametrize("kind", CONSTRUCTS)
def test_a_maker_makes_the_construct_it_is_named_for(kind):
    made = of_kind(kind)
    assert len(made) > PER_MAKER / 3
    for p in made:
        assert re.search(CONSTRUCTS[kind], p.line), p


def test_every_kind_is_known_here():
    assert {p.kind for p in samples()} <= {*CONSTRUCTS, "overs"}


def test_the_makers_weigh_about_a_third_of_the_older_ones():
    wide = sum(weight for composer in composers() for weight, _ in composer.makers)
    assert 30 <= wide <= 40


def test_a_number_asked_for_is_in_the_question_in_digits_or_words():
    words = "zero one two three four five six seven eight nine ten".split()
    for p in of_kind("reach"):
        n = int(re.search(r"reach (\d+)", p.line)[1])
        assert re.search(rf"\b{n}\b", p.question) or (n <= 10 and words[n] in p.question), p


def test_the_second_lowest_is_a_bottom_rank_and_the_second_most_a_top_rank():
    for p in of_kind("nth"):
        rank = re.search(r"(top|bottom) nth", p.line)[1]
        if re.search(r"\b(?:lowest|fewest|least|sabse kam)\b", re.sub(r"at least", "", p.question)):
            assert rank == "bottom", p
        elif re.search(r"\d(?:nd|rd|th) most\b", p.question):
            assert rank == "top", p


def test_the_nth_best_of_what_should_be_small_is_a_bottom_rank():
    best = [p for p in of_kind("nth") if re.search(r"(?:\d(?:nd|rd|th)|second|third) best\b", p.question)]
    small = [p for p in best if parse(p.line).queries[0].measures[0] in LESS_IS_BETTER]
    assert small and len(small) < len(best)
    for p in best:
        rank = parse(p.line).queries[0].rank
        assert (rank.kind == "bottom") == (p in small), p


def test_a_comparison_with_the_league_leaves_only_the_subject_out():
    for p in of_kind("average"):
        one, everybody = parse(p.line).queries
        assert set(everybody.filters) < set(one.filters)
        assert one.measures == everybody.measures
        assert MEASURES[one.measures[0]].kind == "rate"


def test_the_two_parts_of_a_split_differ_in_one_filter():
    twofold = [parse(p.line).queries for p in of_kind("split") if " ; " in p.line]
    assert twofold
    for a, b in twofold:
        assert len(set(a.filters) - set(b.filters)) == len(set(b.filters) - set(a.filters)) == 1


@pytest.mark.parametrize(
    ("line", "sound"),
    [
        ("ducks by batter | phase=death | top nth 2", False),
        ("sixes by batter | phase=death | top nth 2", True),
        ("not_outs by over | top nth 2", False),
        ("runs/matches | batter=P1 phase=death", False),
        ("runs/innings | batter=P1 phase=death", True),
        ("hat_tricks by team | batter=P1 | place T1", False),
        ("economy by bowler | dismissal=lbw | top nth 2", False),
        ("wickets by bowler | dismissal=lbw | top nth 2", True),
        ("runs by batter | having balls>=100 | reach 500", False),
        ("streak by team | result=won | each wins=1 | top 1", False),
        ("streak by batter | result=won | each ducks=1 | top 1", True),
    ],
)
def test_conditions_that_cannot_be_computed_are_not_added(line, sound):
    assert is_sound(parse(line).queries[0]) == sound


def test_marks_are_filled_in_digits_where_a_sign_follows():
    rng = random.Random(1)
    assert {fill(rng, "{n}+ scores a innings", n=5) for _ in range(30)} == {"5+ scores an innings"}
    assert {fill(rng, "a {noun} of {n}", n=7.5, noun="economy") for _ in range(5)} == {"an economy of 7.5"}
    assert {fill(rng, "{n_th} place", n=2) for _ in range(60)} == {"2nd place", "second place"}


def test_overs_are_asked_for_where_the_bank_has_words_for_them():
    book = phrasebook()
    measures = book.measures | {"over_runs": {"most": ["most expensive over"], "ask": ["{s}'s dearest over"]}}
    overs = SequenceTemplates(measures, book.frames, book._conditions, book.ranks)
    rng = random.Random(3)
    lines = {p.line for _ in range(1500) if (p := overs._overs(rng))}
    assert {"over_runs | top 1", "over_runs | bowler=P1 | top 1"} <= lines


def test_the_phrasebook_composes_them_and_knows_their_words():
    book, rng = phrasebook(), random.Random(4)
    kinds = {book.sample(rng).kind for _ in range(1500)}
    assert {"nth", "place", "share", "streak", "count"} <= kinds
    assert {"lagatar", "wicketless", "percentage"} <= book.words()
