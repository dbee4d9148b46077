"""Drafts without a draft model: what followed the last few tokens the last time they occurred.

An answer copies names and figures from the table in its prompt, and a plan repeats the words of the question, so a
look-up guesses well there and costs nothing elsewhere. Knows nothing about models; the engine verifies every guess.
"""

from __future__ import annotations

import math

NGRAM = 3  # two tokens match by chance too often (one digit and a space), four find little in a short prompt
MOST_HOPED = 0.9  # share up to which hope grows; where a token costs more of a step, little could be won
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
