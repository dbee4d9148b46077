"""No words, however odd, make a check or a repair of a query line fail."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.numbers import numbers_made_up
from agents.repairs import repaired
from agents.retriever import _SPEAKS_AGAINST
from data.phrasing.phrase_files import PAIR_FILES, PHRASES, read_pairs
from data.query import Plan, parse
from data.text import plain


@cache
def _pairs() -> list[tuple[str, str]]:
    return [pair for name in PAIR_FILES for pair in read_pairs(PHRASES / name)]


@st.composite
def _questions(draw: st.DrawFn) -> tuple[Plan, str]:
    """A line of the phrase files, and words of it in any order with any text between."""
    words, line = draw(st.sampled_from(_pairs()))
    parts = draw(st.lists(st.sampled_from(words.split()) | st.text(max_size=6), max_size=12))
    return parse(line), plain(" ".join(parts))


@settings(max_examples=300, deadline=None)
@given(_questions())
def test_checks_and_repairs_take_any_words(asked: tuple[Plan, str]) -> None:
    for check in (*_SPEAKS_AGAINST, numbers_made_up):
        assert all(isinstance(part, str) for part in check(*asked)), check.__name__
    mended = repaired(*asked)
    assert parse(str(mended)) == mended
