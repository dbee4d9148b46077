"""Speculative decoding without a draft model: prompt lookup, verified by the model in the same batch.

A draft is what followed the last few tokens the last time they occurred. An answer copies names and figures from the
table in its prompt, and a plan repeats words of the question, so a lookup often predicts those. How many tokens are
drafted follows from the acceptance rate and from what a token costs in a step.
"""

from __future__ import annotations

import math

from serve.engine.errors import GrammarError
from serve.engine.scheduler import Scheduler
from serve.engine.sequence import Sequence

NGRAM = 3  # two tokens match by chance too often (one digit and a space), four rarely match in a short prompt
MAX_RECOVERED_RATE = 0.9  # up to which the rate recovers without drafts; beyond it a draft could save little
DRAFT_OVERHEAD = 1.1  # times a token's cost in a step, for proposing and checking it in Python
PAUSE_STEPS = 8  # finding out that drafting does not pay takes a fiftieth of a step of the embedded model
GRAPH_REBUILD_S = 0.0005  # llama.cpp builds its graph anew for a step of another size than the last one
PRIOR_TOKENS = 24  # weight of the prior, in drafted tokens
DECAY = 0.9
RECOVERY = 0.004  # of the rate, each time no draft was worthwhile; that is every few steps


class NgramLookup:
    """The last position of every n-gram of one sequence's tokens, updated as the sequence grows."""

    __slots__ = ("_indexed", "_last", "tokens")

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = tokens
        self._last: dict[tuple[int, ...], int] = {}
        self._indexed = NGRAM

    def propose(self, limit: int) -> list[int]:
        """Up to `limit` tokens that followed the last n-gram before; empty if it is new."""
        tokens, end = self.tokens, len(self.tokens)
        if end < NGRAM or limit <= 0:
            return []
        for i in range(self._indexed, end):  # an n-gram is indexed once a token follows it
            self._last[tuple(tokens[i - NGRAM : i])] = i
        self._indexed = max(end, NGRAM)
        at = self._last.get(tuple(tokens[end - NGRAM :]))
        if at is None:
            return []
        draft = tokens[at : at + limit]
        while len(draft) < limit:  # the match overlaps the end: continue the repetition
            draft.append(draft[at - end])
        return draft


class AcceptanceRate:
    """Estimate of how often a drafted token is right if those before it were: an exponentially decaying average."""

    __slots__ = ("_accepted", "_judged")

    def __init__(self, prior: float = 0.7) -> None:
        self._judged = float(PRIOR_TOKENS)
        self._accepted = PRIOR_TOKENS * prior

    @property
    def rate(self) -> float:
        return self._accepted / self._judged

    def observe(self, drafted: int, accepted: int) -> None:
        """Record that the first `accepted` of `drafted` tokens were right; those after the first error do not count."""
        judged = min(drafted, accepted + 1)
        keep = DECAY ** (judged / 8)
        self._judged = self._judged * keep + judged
        self._accepted = self._accepted * keep + accepted

    def draft_length(self, cost: float, limit: int) -> int:
        """How many tokens to draft, each at `cost` of the step that it saves if it and those before it are right."""
        rate = self.rate
        if rate < cost:
            return 0
        return limit if rate >= 1 or cost <= 0 else max(1, min(limit, int(math.log(cost) / math.log(rate))))

    def recover(self, cost: float) -> None:
        """Raise the rate a little, after a step in which no draft was worthwhile, until one token is tried again."""
        self._accepted += min(RECOVERY, max(0.0, min(cost, MAX_RECOVERED_RATE) - self.rate)) * self._judged


class Speculator:
    """Proposes drafts for the sequences of one scheduler; `pieces[i]` is the text of token i, for their grammars."""

    def __init__(self, scheduler: Scheduler, pieces: list[bytes]) -> None:
        self._scheduler, self._pieces = scheduler, pieces
        self._acceptance = AcceptanceRate()  # of all sequences
        self._pause = 0  # steps until drafting is considered again
        self._considered = self._worthwhile = False  # in this step: drafting was considered, and paid for a sequence

    def is_active(self) -> bool:
        """Whether to draft in the next step: not for PAUSE_STEPS after a step in which it paid for no sequence."""
        if self._considered and not self._worthwhile:
            self._pause = PAUSE_STEPS
        self._considered = self._worthwhile = False
        self._pause -= self._pause > 0
        return not self._pause

    def add(self, sequence: Sequence) -> None:
        """Prepare a sequence that has arrived."""
        sequence.lookup = NgramLookup(sequence.tokens)
        sequence.acceptance = AcceptanceRate(self._acceptance.rate)

    def propose(self, sequence: Sequence, limit: int) -> list[int]:
        """A draft of up to `limit` tokens that its grammar admits; empty where it is not expected to pay."""
        cost = self._scheduler.cost
        running = len(self._scheduler.running)
        step_s = cost.base / running + cost.slope  # this sequence's part of a step
        relative = (DRAFT_OVERHEAD * cost.slope + GRAPH_REBUILD_S / running) / step_s
        limit = sequence.acceptance.draft_length(relative, limit)
        self._considered = True
        self._worthwhile |= limit > 0
        if not limit:
            sequence.acceptance.recover(relative)
            self._acceptance.recover(relative)
            return []
        draft: list[int] = sequence.lookup.propose(min(limit, sequence.max_length - len(sequence.tokens) - 1))
        state = sequence.grammar
        if state is None or not draft:
            return draft
        for i, token in enumerate(draft):
            try:
                state = state.advance(self._pieces[token])
            except GrammarError:  # raised again, for this request only, if it gets there
                return draft[:i]
            if state is None:
                return draft[:i]
        return draft

    def observe(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        """Record that the first `accepted` of `drafted` tokens of the sequence were right."""
        sequence.stats.drafted_tokens += drafted
        sequence.stats.accepted_tokens += accepted
        sequence.acceptance.observe(drafted, accepted)
        self._acceptance.observe(drafted, accepted)
