"""Admission: which waiting sequences get a slot and cells, and which running ones have to give theirs back.

A sequence starts with the cells of its prompt and grows by GROWTH_TOKENS at a time. Where cells run out, the owner that
holds most gives up those of its youngest sequence, which waits again at the head of its line and continues, later, from
the prefix cache. Where all slots or cells are taken, a waiting sequence gets those of an owner that runs two more, and
one in the foreground those of a sequence in the background. Orders: serve/engine/fair_queue.py. Cells:
serve/engine/kv_cache.py.
"""

from __future__ import annotations

from collections import Counter

from serve.engine.fair_queue import FairQueue
from serve.engine.kv_cache import KVCache, PrefixMatch
from serve.engine.prefix_cache import common_prefix
from serve.engine.sequence import NO_CELLS, PREFILL, WAITING, Sequence

MIN_WAIT_GAIN = 32  # tokens of a prefix in prefill, from which a request is held back until they are computed
GROWTH_TOKENS = 32  # cells reserved at a time: fewer leave more for others, more need this less often
HOLD_S = 0.05  # the last slot is kept so long after a sequence in the foreground: a question has two calls
MIN_RUN_S = 0.05  # before a sequence gives way to one with a better claim: copying its cells takes some milliseconds


class Admission:
    """Starts, preempts and ends the sequences of `running`, a list that it shares with its scheduler."""

    def __init__(
        self, running: list[Sequence], kv_cache: KVCache, n_slots: int, max_owner_slots: int, max_drafts: int
    ) -> None:
        self.running, self.kv_cache = running, kv_cache
        self.waiting = FairQueue(max_owner_slots)
        self.preempted = 0  # since the start
        self._n_slots, self._max_drafts = n_slots, max_drafts
        self._now = self._foreground_ended = 0.0

    def admit(self, now: float) -> bool:
        """Start waiting sequences while there is room or others have to give way; True if the running ones changed.

        Only a sequence that is held back for a prefix in prefill lets others pass: small ones cannot starve a large.
        """
        held: list[Sequence] = []
        changed, self._now = False, now
        if len(self.running) >= self._n_slots and not self.waiting.contended:
            return False
        while len(held) < self._n_slots and (sequence := self.waiting.pop()) is not None:
            full = self._free_slots(sequence, len(held)) < 1
            if full and not self._claimed(sequence, self._candidates(sequence, now), self._by_owner()):
                self.waiting.put_back(sequence)
                break
            match = self.kv_cache.match(sequence)
            if not full and self._is_held_back(sequence, match.length):
                held.append(sequence)
                continue
            if not self._start(sequence, match, len(held), now):
                self.waiting.put_back(sequence)
                break
            changed = True
        for sequence in reversed(held):
            self.waiting.put_back(sequence)
        return changed

    def grow(self) -> bool:
        """Reserve the cells of the next step; True if sequences were preempted because there are not enough."""
        before = self.preempted
        for sequence in list(self.running):  # the oldest first
            while sequence.phase is not WAITING and not self._has_cells(sequence):
                self._preempt(self._largest_owners_youngest())
        return self.preempted > before

    def end(self, sequence: Sequence) -> None:
        """Take a running sequence's slot and cells back."""
        self.running.remove(sequence)
        if not sequence.request.background:
            self._foreground_ended = self._now
        self.waiting.ended(sequence, sequence.cells.computed - sequence.cells.cached)
        self.kv_cache.release(sequence.cells)

    def _has_cells(self, sequence: Sequence) -> bool:
        """Whether the next step's tokens have cells, after reserving some more where these were the last."""
        cells, kv_cache = sequence.cells, self.kv_cache
        need = len(sequence.tokens) + self._max_drafts
        if need <= cells.shared + cells.reserved:
            return True
        return kv_cache.grow(cells, self._with_growth(sequence)) or kv_cache.grow(cells, need)

    def _with_growth(self, sequence: Sequence) -> int:
        """Tokens that a sequence should have cells for when it starts or grows."""
        return min(len(sequence.tokens) + GROWTH_TOKENS, sequence.max_length) + self._max_drafts

    # -- starting

    def _start(self, sequence: Sequence, match: PrefixMatch, n_held: int, now: float) -> bool:
        """Give a sequence a slot and cells, if need be those of others; False if it has to wait."""
        if not self._allocate(sequence, match, n_held):
            victims = self._victims(sequence, match, n_held, now)
            for victim in victims:
                self._preempt(victim)
            # matched again: its prefix may have been in the cells of a victim
            if not victims or not self._allocate(sequence, self.kv_cache.match(sequence), n_held):
                return False
        sequence.phase = PREFILL
        sequence.started = sequence.started or now
        sequence.resumed = now
        sequence.held_for = None
        self.running.append(sequence)
        self.waiting.started(sequence)
        return True

    def _allocate(self, sequence: Sequence, match: PrefixMatch, n_held: int) -> bool:
        free = self._free_slots(sequence, n_held)
        if free < 1 or (free < 2 and self.running and sequence.request.background and self._is_slot_kept()):
            return False
        n = self._with_growth(sequence)
        if self.running and n - match.shared > self._spare_cells():
            return False
        return self.kv_cache.allocate(sequence, match, n)

    def _is_slot_kept(self) -> bool:
        return bool(self._foreground_ended) and self._now - self._foreground_ended < HOLD_S

    def _free_slots(self, sequence: Sequence, n_held: int) -> int:
        return min(self._n_slots - len(self.running) - n_held, self.waiting.free(sequence.request.owner))

    def _spare_cells(self) -> int:
        """Free cells beyond what the running sequences will need next: who starts should not be preempted soon."""
        spare = self.kv_cache.n_cells - self.kv_cache.used_cells
        for sequence in self.running:
            left = sequence.max_length + self._max_drafts - sequence.cells.shared - sequence.cells.reserved
            spare -= min(GROWTH_TOKENS, max(0, left))
        return spare

    def _is_held_back(self, sequence: Sequence, known: int) -> bool:
        """Whether a running prefill will soon offer many more than the `known` prefix tokens; waited for once."""
        if not self.kv_cache.shares:
            return False
        if sequence.held_for is not None:
            source = sequence.held_for
            return source.phase is PREFILL and not source.cancelled
        adapter, owner = sequence.request.adapter, sequence.request.owner
        for other in self.running:
            if other.phase is PREFILL and other.cells.adapter == adapter and other.cells.owner == owner:
                limit = min(other.n_prompt, len(sequence.tokens) - 1)
                if limit >= known + MIN_WAIT_GAIN:
                    length = common_prefix(other.tokens, sequence.tokens, limit)
                    if length >= max(known, other.cells.computed) + MIN_WAIT_GAIN:
                        sequence.held_for = other
                        return True
        return False

    # -- giving way

    def _victims(self, sequence: Sequence, match: PrefixMatch, n_held: int, now: float) -> list[Sequence]:
        """The sequences that give way to a waiting one; none if those that should do not hold enough."""
        need = self._with_growth(sequence) - match.shared
        slots, spare = self._free_slots(sequence, n_held), self._spare_cells()
        owners, candidates, victims = self._by_owner(), self._candidates(sequence, now), list[Sequence]()
        while slots < 1 or spare < need:
            claimed = self._claimed(sequence, candidates, owners)
            if not claimed:
                return []
            victim = max(claimed, key=lambda s: (owners[s.request.owner], s.request.background, s.resumed))
            victims.append(victim)
            candidates.remove(victim)
            owners[victim.request.owner] -= 1
            slots += 1
            spare += victim.cells.reserved
        return victims

    def _by_owner(self) -> Counter[str]:
        return Counter(s.request.owner for s in self.running)

    def _candidates(self, waiting: Sequence, now: float) -> list[Sequence]:
        """The running sequences whose slots `waiting` could use: its owner's, where that may run no more."""
        owner = waiting.request.owner
        own = self.waiting.free(owner) < 1
        return [s for s in self.running if now - s.resumed >= MIN_RUN_S and (not own or s.request.owner == owner)]

    def _claimed(self, waiting: Sequence, candidates: list[Sequence], owners: Counter[str]) -> list[Sequence]:
        """Of the running `candidates`, those that give way to `waiting`; `owners` has how many each owner runs."""
        return [s for s in candidates if _gives_way(s, waiting, owners)]

    def _largest_owners_youngest(self) -> Sequence:
        """Of the owner that holds most cells, the youngest sequence, those in the background first."""
        cells = Counter[str]()
        for sequence in self.running:
            cells[sequence.request.owner] += sequence.cells.reserved
        largest = max(cells, key=lambda owner: cells[owner])
        youngest = [s for s in self.running if s.request.owner == largest]
        return max(enumerate(youngest), key=lambda pair: (pair[1].request.background, pair[0]))[1]

    def _preempt(self, sequence: Sequence) -> None:
        """Take a running sequence's slot and cells; it waits again with all its tokens."""
        self.waiting.put_back(sequence)
        self.end(sequence)
        sequence.phase, sequence.cells = WAITING, NO_CELLS
        sequence.stats.preempted += 1
        self.preempted += 1


def _gives_way(running: Sequence, waiting: Sequence, owners: Counter[str]) -> bool:
    """Whether a running sequence has the weaker claim; `owners` has the number of running sequences of each."""
    holder, claimant = running.request.owner, waiting.request.owner
    before = running.request.background and not waiting.request.background
    if holder == claimant:
        return before
    return owners[holder] >= owners[claimant] + (1 if before else 2)
