"""Which tokens to guess for which sequence, and whether guessing pays at all; see serve/drafts.py for the look-up.

Guessed tokens make a step longer and save one each if they are right. How often they are is learnt by sequence, and
from all of them for those that begin.
"""

from __future__ import annotations

from serve.drafts import Acceptance, NgramLookup
from serve.errors import GrammarError
from serve.scheduler import Scheduler
from serve.sequence import Sequence

DRAFT_COST = 1.1  # times a token's cost in a step: guessing and checking in Python cost too
PAUSE = 8  # steps; to find that guessing does not pay takes a fiftieth of a step of the embedded model
GRAPH_S = 0.0005  # what a step costs whose size is not that of the last one: llama.cpp builds its graph anew


class Drafter:
    """Guesses for the sequences of one scheduler; `pieces[i]` is the text of token i, for their grammars."""

    def __init__(self, scheduler: Scheduler, pieces: list[bytes]) -> None:
        self._scheduler, self._pieces = scheduler, pieces
        self._acceptance = Acceptance()
        self._paused = 0  # steps until a guess is thought of again
        self._asked = self._pays = False  # whether a guess was thought of in this step, and worth it for a sequence

    def awake(self) -> bool:
        """Whether to guess in the next step: not for a while after one where that paid for no sequence."""
        if self._asked and not self._pays:
            self._paused = PAUSE
        self._asked = self._pays = False
        self._paused -= self._paused > 0
        return not self._paused

    def begin(self, sequence: Sequence) -> None:
        """Prepare a sequence that has arrived."""
        sequence.lookup = NgramLookup(sequence.tokens)
        sequence.acceptance = Acceptance(self._acceptance.share)

    def __call__(self, sequence: Sequence, limit: int) -> list[int]:
        """Up to `limit` tokens guessed from the sequence's own text, where guessing pays at the current acceptance."""
        cost = self._scheduler.cost
        running = len(self._scheduler.running)
        a_step = cost.base / running + cost.slope  # this sequence's part of one
        relative = (DRAFT_COST * cost.slope + GRAPH_S / running) / a_step
        limit = sequence.acceptance.worth(relative, limit)
        self._asked = True
        self._pays |= limit > 0
        if not limit:
            sequence.acceptance.rest(relative)
            self._acceptance.rest(relative)
            return []
        guess = sequence.lookup.propose(min(limit, sequence.most - len(sequence.tokens) - 1))
        state = sequence.grammar
        if state is None or not guess:
            return guess
        for i, token in enumerate(guess):
            try:
                state = state.advance(self._pieces[token])
            except GrammarError:  # the request fails by itself where it gets there
                return guess[:i]
            if state is None:
                return guess[:i]
        return guess

    def observe(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        """Tell that of `drafted` tokens of the sequence the first `accepted` were right."""
        sequence.figures.drafted_tokens += drafted
        sequence.figures.accepted_tokens += accepted
        sequence.acceptance.observe(drafted, accepted)
        self._acceptance.observe(drafted, accepted)
