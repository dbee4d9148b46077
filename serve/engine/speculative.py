"""Drafts without a draft model: what followed the last few tokens the last time they occurred.

An answer copies names and figures from the table in its prompt, and a plan repeats the words of the question, so a
look-up guesses well there and costs nothing elsewhere. Knows nothing about models; the engine verifies every guess.
"""

from __future__ import annotations

import math

from serve.engine.errors import GrammarError
from serve.engine.scheduler import Scheduler
from serve.engine.sequence import Sequence

NGRAM = 3  # two tokens match by chance too often (one digit and a space), four find little in a short prompt
MOST_HOPED = 0.9  # share up to which hope grows; where a token costs more of a step, little could be won
DRAFT_COST = 1.1  # times a token's cost in a step: guessing and checking in Python cost too
PAUSE = 8  # steps; to find that guessing does not pay takes a fiftieth of a step of the embedded model
GRAPH_S = 0.0005  # what a step costs whose size is not that of the last one: llama.cpp builds its graph anew
TRIAL_TOKENS = 24  # as many drafted tokens is the prior worth
DECAY = 0.9
DRIFT = 0.004  # of the share, each time; that is every few steps


class NgramLookup:
    """The last place of every n-gram of one sequence's tokens, kept up as the sequence grows."""

    __slots__ = ("_indexed", "_last", "tokens")

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens
        self._last: dict[tuple[int, ...], int] = {}
        self._indexed = NGRAM

    def propose(self, limit: int) -> list[int]:
        """Up to `limit` tokens that followed the current last n-gram before; empty where it is new."""
        tokens, end = self.tokens, len(self.tokens)
        if end < NGRAM or limit <= 0:
            return []
        for i in range(self._indexed, end):  # an n-gram is entered once a token follows it
            self._last[tuple(tokens[i - NGRAM : i])] = i
        self._indexed = max(end, NGRAM)
        at = self._last.get(tuple(tokens[end - NGRAM :]))
        if at is None:
            return []
        guess = tokens[at : at + limit]
        while len(guess) < limit:  # a text that repeats itself goes on doing so
            guess.append(guess[at - end])
        return guess


class Acceptance:
    """How likely the next guessed token is right, where those before it were: a decaying share; starts from `prior`."""

    __slots__ = ("_accepted", "_judged")

    def __init__(self, prior: float = 0.7) -> None:
        self._judged = float(TRIAL_TOKENS)
        self._accepted = TRIAL_TOKENS * prior

    @property
    def share(self) -> float:
        return self._accepted / self._judged

    def observe(self, drafted: int, accepted: int) -> None:
        """Of `drafted` tokens the first `accepted` were right; those after the first wrong one say nothing."""
        judged = min(drafted, accepted + 1)
        keep = DECAY ** (judged / 8)
        self._judged = self._judged * keep + judged
        self._accepted = self._accepted * keep + accepted

    def worth(self, cost: float, most: int) -> int:
        """How many tokens to draft, each at `cost` of the step that it saves if it and those before are right."""
        share = self.share
        if share < cost:
            return 0
        return most if share >= 1 or cost <= 0 else max(1, min(most, int(math.log(cost) / math.log(share))))

    def rest(self, cost: float) -> None:
        """Nothing was drafted, though it was thought of: drift up to where a single token is tried again some day."""
        self._accepted += min(DRIFT, max(0.0, min(cost, MOST_HOPED) - self.share)) * self._judged


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
