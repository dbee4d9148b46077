"""Guessing tokens: `python -m pytest tests/test_drafts.py`."""

import pytest

from serve.engine.errors import GrammarError
from serve.engine.grammar.automaton import Grammar
from serve.engine.prefix_cache import PrefixStore
from serve.engine.scheduler import Limits, Scheduler
from serve.engine.sequence import Request, Sequence
from serve.engine.speculative import PAUSE, Acceptance, Drafter, NgramLookup


def test_lookup_proposes_what_followed_before_and_nothing_when_new():
    tokens = [1, 2, 3, 4, 5, 6, 9, 1, 2, 3]
    lookup = NgramLookup(tokens)
    assert lookup.propose(3) == [4, 5, 6]
    tokens.append(8)
    assert lookup.propose(3) == []
    tokens += [1, 2, 3]
    assert lookup.propose(2) == [8, 1], "the latest place counts"
    assert lookup.propose(0) == []


def test_a_text_that_repeats_itself_is_guessed_to_go_on():
    assert NgramLookup([7, 5, 6, 5, 6, 5, 6]).propose(5) == [5, 6, 5, 6, 5]
    assert NgramLookup([9, 4, 4, 4, 4]).propose(3) == [4, 4, 4]


def test_acceptance_is_that_of_one_token_and_recovers_slowly_when_nothing_is_drafted():
    acceptance = Acceptance()
    for _ in range(12):
        acceptance.observe(4, 0)
    assert acceptance.share < 0.5
    for _ in range(200):
        acceptance.observe(4, 0)
    assert acceptance.share < 0.05
    for _ in range(2000):
        acceptance.rest(0.8)
    assert acceptance.worth(0.8, 6) == 1, "whatever a token costs, a single one is tried again"
    for _ in range(2000):
        acceptance.rest(0.95)
    assert acceptance.worth(0.95, 6) == 0, "but where it costs nearly as much as it can save"
    for _ in range(200):
        acceptance.observe(6, 3)
    assert 0.7 < acceptance.share < 0.8, "three of four; those after the wrong one were not judged"


@pytest.mark.parametrize(("cost", "expected"), [(0.0, 6), (0.1, 6), (0.5, 2), (0.7, 1), (0.8, 0), (1.0, 0)])
def test_as_many_tokens_are_drafted_as_pay_each(cost, expected):
    acceptance = Acceptance(prior=0.75)
    assert acceptance.worth(cost, 6) == expected
    gains = [0.75**k - cost for k in range(1, 7)]
    assert expected == sum(gain >= 0 for gain in gains), "a token is right where all before it are"


def test_where_guessing_pays_for_no_sequence_it_is_thought_of_only_now_and_then():
    limits = Limits(n_cells=100, n_slots=2, n_sequences=4, n_batch=32, max_drafts=3, stall=1.0, apart=16)
    scheduler = Scheduler(limits, cache=None, prefixes=PrefixStore(0))
    drafter = Drafter(scheduler, [b""] * 10)
    costly, cheap = (Sequence(Request([0]), [5, 6, 7, 8] * 3, 0.0, 0.0) for _ in range(2))
    scheduler.running = [costly, cheap]

    def awake(steps: int, *sequences: Sequence) -> list[bool]:
        found = []
        for _ in range(steps):
            found.append(drafter.awake())
            if found[-1]:
                for sequence in sequences:
                    drafter(sequence, 3)
        return found

    for sequence in (costly, cheap):
        drafter.begin(sequence)
    scheduler.cost.base, scheduler.cost.slope = 10.0, 3.0
    assert all(awake(20, costly, cheap))
    for _ in range(200):
        costly.acceptance.observe(3, 0)
    assert all(awake(20, costly, cheap)), "for one of them it pays"
    assert awake(3 * PAUSE + 1, costly) == 3 * [True, *[False] * (PAUSE - 1)] + [True]


def test_a_grammar_that_fails_on_a_guess_ends_the_guess_and_not_the_engine():
    limits = Limits(n_cells=100, n_slots=2, n_sequences=4, n_batch=32, max_drafts=3, stall=1.0, apart=16)
    scheduler = Scheduler(limits, cache=None, prefixes=PrefixStore(0))
    pieces = [bytes([token]) for token in range(128)]
    drafter = Drafter(scheduler, pieces)
    sequence = Sequence(Request([0]), list(b"abababababababababab"), 0.0, 0.0)
    sequence.grammar = Grammar('root ::= [^x] root "c" | [^x] root "d" | [^x]').start.advance(b"a")
    scheduler.running = [sequence]
    scheduler.cost.base, scheduler.cost.slope = 1.0, 0.001
    drafter.begin(sequence)
    state, admitted = sequence.grammar, 0
    with pytest.raises(GrammarError, match="too ambiguous"):
        for piece in 10 * [b"a", b"b"]:
            state, admitted = state.advance(piece), admitted + 1
    assert drafter(sequence, 20) == list(b"ab" * 10)[:admitted]
