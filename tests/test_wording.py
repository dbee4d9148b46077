"""The plain sentence of every construct of the query language: true, complete and readable, and accepted by the
verifier. Each sentence of CASES was checked by eye against the table of its line."""

import functools
import random
from itertools import product
from pathlib import Path

import pytest

from agents.verifier import missing
from data.ask import resolver
from data.dataset.binding import Binder
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook
from data.query import QueryError, Statistics, parse
from data.query.language import DIMENSIONS, FILTERS, MEASURES
from data.query.query import Filter, Query
from data.query.random_lines import random_query
from data.season import load
from data.wording.circumstances import circumstance_phrases, stated_phrases, subject
from data.wording.sentence import sentence, wordings
from data.wording.sheet import fill, sheet

CASES = Path(__file__).parent / "support" / "sentences.txt"


def cases():
    """(season, line, sentence) of each case."""
    found = []
    for text in CASES.read_text(encoding="utf-8").splitlines():
        if text.startswith("#"):
            continue
        if text.startswith("    "):
            found[-1][2].append(text.strip())
        else:
            season, _, line = text.partition(": ")
            found.append((season, line, []))
    return [(season, line, " ".join(said)) for season, line, said in found]


@functools.cache
def statistics_of(season):
    return Statistics(load(season))


@functools.cache
def names_of(season):
    return functools.cache(resolver(Names.for_season(statistics_of(season).season)))


@pytest.mark.parametrize(("season", "line", "said"), cases(), ids=[f"{season}: {line}" for season, line, _ in cases()])
def test_the_plain_sentence_of_a_line(season, line, said):
    tables = [statistics_of(season).answer(query, names_of(season)) for query in parse(line).queries]
    laid = sheet(tables)
    assert fill(sentence(tables, laid), laid.values) == said
    for texts in product(*wordings(tables, laid)):
        assert missing(" ".join(texts), tables, laid, line) == "", texts


def test_the_cases_have_every_kind_of_measure_and_every_filter_and_clause():
    queries = [query for _, line, _ in cases() for query in parse(line).queries]
    assert {MEASURES[m].kind for query in queries for m in query.measures} == {m.kind for m in MEASURES.values()}
    assert {MEASURES[m].source for query in queries for m in query.measures} >= {
        "bat", "bowl", "team", "result", "table", "match", "person", "lineup", "over", "batter_over", "run"
    }  # fmt: skip
    new = {f.name for f in FILTERS.values()} - _WORDED_IN_OTHER_TESTS
    assert new <= {f.key for query in queries for f in query.filters}
    for clause in ("each", "having", "rank", "reach", "place"):
        assert sum(getattr(query, clause) not in (None, ()) for query in queries) >= 2, clause


# those that the language always had: tests/test_verifier.py
_WORDED_IN_OTHER_TESTS = frozenset({
    "fielder", "opponent", "between", "position", "bowling", "hand", "dismissal", "wicket", "toss", "chose", "won_by",
    "margin", "keeper", "shortened", "score", "haul", "stand", "target", "result", "home",
})  # fmt: skip


def check(line, table, names=None):
    """Every wording of a table is filled in, states every condition, and is accepted by the verifier."""
    laid = sheet([table])
    (texts,) = wordings([table], laid)
    assert texts and len(texts) <= 64, line
    for text in texts:
        said = fill(text, {**(names or {}), **laid.values})
        assert "  " not in said and said.endswith((".", ")")), said
        assert missing(text, [table], laid, line) == "", (line, text)
        for phrase in stated_phrases(table.query):
            assert phrase.lower() in text.lower(), (line, text)


@pytest.mark.parametrize(("season", "lines"), [("ipl_2024", 2000), ("ipl", 1000)])
def test_every_random_line_has_wordings_that_state_its_conditions_and_pass_the_verifier(season, lines):
    statistics, rng, tried = statistics_of(season), random.Random(11), 0
    while tried < lines:
        query = random_query(rng, statistics)
        try:
            table = statistics.answer(query)
        except QueryError:
            continue
        check(str(query), table)
        tried += 1


def placeholders(anchor, others):
    """A key for each placeholder that a line may have: of a ball its men, sides, ground and day, and some of others."""
    bound = {"P1": anchor.batter, "P2": anchor.bowler, "T1": anchor.batting, "T2": anchor.bowling, "V1": anchor.venue,
             "D1": anchor.date}  # fmt: skip
    for n, other in enumerate(others, 2):
        bound |= {f"P{n + 1}": other.batter, f"T{n + 1}": other.batting, f"V{n}": other.venue, f"D{n}": other.date}
    return {name: (key,) for name, key in bound.items()} | {f"Y{n}": (f"{2007 + 3 * n}",) for n in range(1, 5)}


def test_the_lines_of_the_phrase_files_have_wordings_that_pass_the_verifier():
    statistics, rng = statistics_of("ipl"), random.Random(12)
    anchors, book, tried = Binder(statistics).anchors, Phrasebook.load(), 0
    for _ in range(1500):
        for query in parse(book.sample(rng).line).queries:
            bound = placeholders(rng.choice(anchors), rng.sample(anchors, 4))
            try:
                table = statistics.answer(query, lambda _, value, bound=bound: bound.get(value, (value,)))
            except QueryError:
                continue
            if not {f"{kind}{n}" for kind in "PTVDY" for n in range(1, 5)} & set(sheet([table]).values):
                check(str(query), table, {name: keys[0] for name, keys in bound.items()})
                tried += 1
    assert tried > 500


def test_every_filter_leaves_its_phrase_beside_every_kind_of_figure():
    """Whatever the subject, no value of a filter is lost."""
    measures = {m.source: m.name for m in MEASURES.values() if m.kind != "summary"}.values()
    values = {"P": ("X Y",), "T": ("Team",), "V": ("Ground",), "D": ("2024-05-26",), "whole": ("4",), "number": ("4",),
              "Y": ("2016", "2018-", "2012-2014"), "range": ("3", "3-", "3-5")}  # fmt: skip
    for measure, key in product(measures, FILTERS.values()):
        for value in values.get(key.takes, ()):
            for op in ("=", "!=") if key.negatable else ("=",):
                query = Query((measure,), ("batter",), (Filter(key.name, op, (value,)),))
                named = query.filters[0] in subject(query)
                said = " ".join(circumstance_phrases(query))
                assert named or any(part in said for part in value.split("-") if part), (query, said)


def test_a_row_is_called_by_what_it_is_a_row_of():
    """Every dimension of every season has rows that are worded."""
    for dimension in DIMENSIONS:
        of_results = "matches" if dimension in _OF_RESULTS else "balls"
        line = f"{'stands' if dimension in ('pair', 'wicket') else of_results} by {dimension}"
        for query in parse(line).queries:
            try:
                table = statistics_of("ipl_2024").answer(query)
            except QueryError:
                continue
            check(line, table)


_OF_RESULTS = ("team", "opponent", "stage", "result", "toss", "home", "city", "season", "month", "weekday", "player")


@pytest.mark.parametrize(("template", "said"), [
    ("T1's total was A1", "Punjab Kings' total was 262"),
    ("P1's strike rate was A1", "Virat Kohli's strike rate was 262"),
    ("B1 five-wicket hauls", "1 five-wicket haul"),
])  # fmt: skip
def test_possessives_and_numbers_are_written_as_in_english(template: str, said: str) -> None:
    assert fill(template, {"T1": "Punjab Kings", "P1": "Virat Kohli", "A1": "262", "B1": "1"}) == said
