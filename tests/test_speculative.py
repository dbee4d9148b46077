"""Drafts: prompt lookup, acceptance rate and when drafting pays: `python -m pytest tests/test_speculative.py`."""

import pytest

from serve.engine.errors import GrammarError
from serve.engine.grammar.automaton import Grammar
from serve.engine.sequence import Request, Sequence
from serve.engine.speculative import PAUSE_STEPS, AcceptanceRate, NgramLookup, Speculator
from tests.support.cache_model import Simulation


def test_lookup_proposes_what_followed_before_and_nothing_for_a_new_ngram():
    tokens = [1, 2, 3, 4, 5, 6, 9, 1, 2, 3]
    lookup = NgramLookup(tokens)
    assert lookup.propose(3) == [4, 5, 6]
    tokens.append(8)
    assert lookup.propose(3) == []
    tokens += [1, 2, 3]
    assert lookup.propose(2) == [8, 1], "the latest position counts"
    assert lookup.propose(0) == []


def test_lookup_continues_a_text_that_repeats_itself():
    assert NgramLookup([7, 5, 6, 5, 6, 5, 6]).propose(5) == [5, 6, 5, 6, 5]
    assert NgramLookup([9, 4, 4, 4, 4]).propose(3) == [4, 4, 4]


def test_the_acceptance_rate_is_per_token_and_recovers_slowly_without_drafts():
    acceptance = AcceptanceRate()
    for _ in range(12):
        acceptance.observe(4, 0)
    assert acceptance.rate < 0.5
    for _ in range(200):
        acceptance.observe(4, 0)
    assert acceptance.rate < 0.05
    for _ in range(2000):
        acceptance.recover(0.8)
    assert acceptance.draft_length(0.8, 6) == 1, "even if a token is expensive, a single one is tried again"
    for _ in range(2000):
        acceptance.recover(0.95)
    assert acceptance.draft_length(0.95, 6) == 0, "but not if it costs nearly as much as it can save"
    for _ in range(200):
        acceptance.observe(6, 3)
    assert 0.7 < acceptance.rate < 0.8, "three of four; those after the first error do not count"


@pytest.mark.parametrize(("cost", "expected"), [(0.0, 6), (0.1, 6), (0.5, 2), (0.7, 1), (0.8, 0), (1.0, 0)])
def test_the_draft_ends_at_the_last_token_that_pays(cost, expected):
    acceptance = AcceptanceRate(prior=0.75)
    assert acceptance.draft_length(cost, 6) == expected
    gains = [0.75**k - cost for k in range(1, 7)]
    assert expected == sum(gain >= 0 for gain in gains), "a token is right only if all before it are"


def test_drafting_pauses_after_a_step_in_which_it_pays_for_no_sequence():
    scheduler = Simulation(stored=0, n_slots=2).scheduler
    speculator = Speculator(scheduler, [b""] * 10)
    costly, cheap = (Sequence(Request([0]), [5, 6, 7, 8] * 3, 0.0, 0.0) for _ in range(2))
    scheduler.running = [costly, cheap]

    def active(steps: int, *sequences: Sequence) -> list[bool]:
        found = []
        for _ in range(steps):
            found.append(speculator.is_active())
            if found[-1]:
                for sequence in sequences:
                    speculator.propose(sequence, 3)
        return found

    for sequence in (costly, cheap):
        speculator.add(sequence)
    scheduler.cost.base, scheduler.cost.slope = 10.0, 3.0
    assert all(active(20, costly, cheap))
    for _ in range(200):
        costly.acceptance.observe(3, 0)
    assert all(active(20, costly, cheap)), "it pays for one of them"
    assert active(3 * PAUSE_STEPS + 1, costly) == 3 * [True, *[False] * (PAUSE_STEPS - 1)] + [True]


def test_a_grammar_that_fails_on_a_draft_ends_the_draft_and_not_the_engine():
    scheduler = Simulation(stored=0, n_slots=2).scheduler
    pieces = [bytes([token]) for token in range(128)]
    speculator = Speculator(scheduler, pieces)
    sequence = Sequence(Request([0]), list(b"abababababababababab"), 0.0, 0.0)
    sequence.grammar = Grammar('root ::= [^x] root "c" | [^x] root "d" | [^x]').start.advance(b"a")
    scheduler.running = [sequence]
    scheduler.cost.base, scheduler.cost.slope = 1.0, 0.001
    speculator.add(sequence)
    state, admitted = sequence.grammar, 0
    with pytest.raises(GrammarError, match="too ambiguous"):
        for piece in 10 * [b"a", b"b"]:
            state, admitted = state.advance(piece), admitted + 1
    assert speculator.propose(sequence, 20) == list(b"ab" * 10)[:admitted]
