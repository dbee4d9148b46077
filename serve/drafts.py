"""Drafts without a draft model: what followed the last few tokens the last time they occurred.

An answer copies names and figures from the table in its prompt, and a plan repeats the words of the question, so a
look-up guesses well there and costs nothing elsewhere. Knows nothing about models; the engine verifies every guess.
"""

from __future__ import annotations

NGRAM = 3  # two tokens match by chance too often (one digit and a space), four find little in a short prompt
TRIAL_TOKENS = 24  # drafted tokens before acceptance is judged
DECAY = 0.9


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
        return tokens[at : at + limit] if at is not None else []


class Acceptance:
    """A decaying share of drafted tokens that turned out right; starts from `prior`."""

    __slots__ = ("_accepted", "_drafted", "_prior")

    def __init__(self, prior: float = 0.5) -> None:
        self._prior = prior
        self._drafted = float(TRIAL_TOKENS)
        self._accepted = TRIAL_TOKENS * prior

    @property
    def share(self) -> float:
        return self._accepted / self._drafted

    def observe(self, drafted: int, accepted: int) -> None:
        keep = DECAY ** (drafted / 8)
        self._drafted = self._drafted * keep + drafted
        self._accepted = self._accepted * keep + accepted

    def rest(self) -> None:
        """Drift back towards the prior while nothing is drafted, so that drafting is tried again some day."""
        self._accepted += 0.0005 * (self._prior * self._drafted - self._accepted)
