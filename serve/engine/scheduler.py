"""Who computes what in the next step: admission by KV budget, shared prefixes, and a batch of prefill, decode or both.

Two calls make a step: `schedule()` says which tokens of which sequences go into the batch, `finish()` ends a sequence.
KV cells are counted, never more than `n_cells`. A sequence refers to the cells that it has in common with one that runs
and copies those of one that has ended out of a store (serve/engine/prefix_cache.py). One that ran alone rests in the cache when it
ends, and the next goes on from there. The scheduler knows nothing about llama.cpp, text, sampling or threads: the
native cache is changed through the functions of `Cache`, which the property tests replace by a model of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from serve.engine.prefix_cache import Prefix, PrefixStore, common_prefix
from serve.engine.sequence import DECODE, DONE, PREFILL, Cells, Sequence
from serve.engine.step_cost import StepCost

MIN_SHARED = 4  # sharing fewer tokens than this pins another sequence's cells for nothing
WORTH_LOADING = 3  # tokens more than a running sequence has to offer, from which cells are copied out of the store
WORTH_WAITING = 32  # tokens of a prefix under computation for which a request is held back until they are there

MAX_STEP_S = 0.5
MAX_DELAYING = 8  # steps with prefill, then streams decode by themselves: what that takes grows, and has to be known
SHORT_S = 0.04  # a prompt that takes no longer is computed in one piece, which is cheaper; nobody sees such a pause


@dataclass(slots=True)
class Limits:
    """The bounds of scheduling, in tokens unless said otherwise."""

    n_cells: int
    n_slots: int  # sequences that run at once
    n_sequences: int  # native sequence ids: slots, and ended sequences that running ones refer to
    n_batch: int
    max_drafts: int
    stall: float  # how long watched streams may wait, in units of a step that decodes a token of all that run
    apart: int  # prefill tokens from which they are a step of their own, between two that decode


@dataclass(slots=True)
class Chunk:
    """`sequence.tokens[start:end]` and then its drafts go into the batch; `rows` trailing rows of logits are wanted."""

    sequence: Sequence
    start: int
    end: int
    drafts: list[int]
    rows: int


@dataclass(slots=True)
class Step:
    """One batch: chunks of sequences that all use the same adapter."""

    chunks: list[Chunk]
    adapter: str | None
    decode_tokens: int
    prefill_tokens: int
    delays: bool = False  # streams wait for its prefill


class Cache(Protocol):
    """The native KV cache, as far as the scheduler changes it."""

    def copy_cells(self, source: int, target: int, n: int) -> None:
        """Let slot `target` refer to the first `n` cells of slot `source`."""

    def drop_cells(self, slot: int, start: int) -> None:
        """Forget the slot's cells from position `start` on."""

    def save_cells(self, slot: int, most: int) -> np.ndarray | None:
        """The slot's cells as bytes, until the next call; None where they are more than `most` bytes."""

    def load_cells(self, slot: int, data: np.ndarray) -> bool:
        """Fill an empty slot with saved cells; False where they do not fit."""


@dataclass(slots=True)
class CacheFigures:
    """How well prefixes were shared, since the start."""

    requests: int = 0
    hits: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    evicted: int = 0  # prefixes that the store had no room for any more


@dataclass(slots=True)
class Scheduler:
    """Waiting and running sequences; see the module's docstring."""

    limits: Limits
    cache: Cache
    prefixes: PrefixStore
    waiting: deque[Sequence] = field(default_factory=deque)
    running: list[Sequence] = field(default_factory=list)
    ended: dict[int, Cells] = field(default_factory=dict)  # by slot: running sequences refer to them
    resting: Cells | None = None  # of the sequence that ended last, if it ran alone and no other has begun
    used_cells: int = 0
    cost: StepCost = field(init=False)
    figures: CacheFigures = field(default_factory=CacheFigures)
    _free: list[int] = field(default_factory=list)
    _last: Step | None = None  # if it decoded a token of all that run
    _adapters: list[str | None] = field(default_factory=list)  # of the running sequences, each once
    _last_adapter: str | None = None
    _kept: bool = False  # whether what rests is in the store
    _alone: bool = True  # whether one sequence at a time ran since the cache was empty: its cells lie side by side
    _delaying: int = 0  # steps with prefill since streams last decoded by themselves

    def __post_init__(self) -> None:
        self.cost = StepCost(self.limits.apart)
        self._free = list(range(self.limits.n_sequences))[::-1]

    def fits(self, n_prompt: int, max_tokens: int) -> bool:
        """Whether a request could run if it were alone."""
        return n_prompt + max_tokens + self.limits.max_drafts <= self.limits.n_cells

    def add(self, sequence: Sequence) -> None:
        self.waiting.append(sequence)

    # -- one step

    def schedule(self, now: float, drafts: Callable[[Sequence, int], list[int]] | None = None) -> Step | None:
        """Admit what fits, then fill a batch: every decoding sequence, with as much prefill as does not hold it up.

        Much prefill is a step of its own: mixed with others' tokens it costs more. Between two such steps those that
        somebody watches decode; the others wait for some of them, to decode with those that come in.
        """
        if self.waiting:
            self._admit(now)
        if not self.running:
            return None
        step, self._last = self._last, None
        if step is not None and drafts is None and self._again(step):
            return step
        adapter, group = self._choose_group()
        decoding = [s for s in group if s.phase is DECODE]
        prefilling = [s for s in group if s.phase is PREFILL] if len(decoding) < len(group) else []
        if decoding and self._delaying >= MAX_DELAYING:
            prefilling = []
        if prefilling:
            watched = any(s.request.on_text for s in decoding)
            room = self._prefill_room(prefilling, decoding, len(decoding), watched, apart=True)
            much = room if watched else min(sum(s.pending for s in prefilling), self.limits.n_batch)
            if much >= self.limits.apart or not decoding:
                self._delaying = (MAX_DELAYING if watched else self._delaying + 1) if decoding else 0
                chunks, n = self._prefill(prefilling, room)
                return Step(chunks, adapter, 0, n, delays=bool(decoding))
        chunks, n_decode = self._decode(decoding, drafts)
        if not prefilling or n_decode >= self.limits.n_batch:
            self._delaying = 0
            step = Step(chunks, adapter, n_decode, 0)
            if drafts is None and len(chunks) == n_decode == len(self.running) and all(c.rows for c in chunks):
                self._last = step
            return step
        self._delaying += 1
        room = self._prefill_room(prefilling, decoding, n_decode, watched, apart=False)
        more, n_prefill = self._prefill(prefilling, room)
        return Step(chunks + more, adapter, n_decode, n_prefill, delays=True)

    def _again(self, step: Step) -> bool:
        """Make the last step, which decoded a token of all that run, the next one; False where that will not do."""
        for chunk in step.chunks:
            if len(chunk.sequence.tokens) != chunk.end + 1:  # its grammar forced some
                return False
            chunk.start = chunk.end
            chunk.end += 1
        self._last = step
        return True

    def _decode(
        self, decoding: list[Sequence], drafts: Callable[[Sequence, int], list[int]] | None
    ) -> tuple[list[Chunk], int]:
        """A token of every sequence, with what its grammar forced and what was guessed as far as there is room."""
        chunks, used = [], 0
        spare = self.limits.n_batch - len(decoding)  # room beyond one token for each
        below = (self.limits.apart - 1) // max(1, len(decoding)) - 1  # more guesses for all would cost as prefill does
        most = min(self.limits.max_drafts, below)
        for sequence in decoding:
            start, end = sequence.cells.computed, len(sequence.tokens)
            end = min(end, start + 1 + spare)
            whole = end == len(sequence.tokens)
            spare -= end - start - 1
            guess: list[int] = []
            if drafts and whole and min(spare, most) > 0:
                guess = drafts(sequence, min(spare, most))
                spare -= len(guess)
            chunks.append(Chunk(sequence, start, end, guess, 1 + len(guess) if whole else 0))
            used += end - start + len(guess)
        return chunks, used

    def _prefill(self, prefilling: list[Sequence], room: int) -> tuple[list[Chunk], int]:
        """Up to `room` tokens of prompts, in order of arrival."""
        chunks, left = [], room
        for sequence in prefilling:
            if left <= 0:
                break
            start = sequence.cells.computed
            end = min(len(sequence.tokens), start + left)
            chunks.append(Chunk(sequence, start, end, [], 1 if end == len(sequence.tokens) else 0))
            left -= end - start
        return chunks, room - left

    def _prefill_room(
        self, prefilling: list[Sequence], decoding: list[Sequence], n_decode: int, watched: bool, apart: bool
    ) -> int:
        """Prefill tokens for the next step: one of its own that `decoding` wait for, or one with their `n_decode`.

        Those whose tokens somebody watches may wait `stall` times what decoding a token of all that run takes: of all,
        for those that prefill now will decode with the others. A short prompt goes in whole. The others only wait for
        their last token, which comes soonest where many decode together, so that prompts go first; but a step takes
        not much longer than MAX_STEP_S, for a cancelled request, a deadline or a new arrival waits for its end.
        """
        limits, cost = self.limits, self.cost
        most = limits.n_batch - (0 if apart else n_decode)
        token = cost.prefilling(0, limits.apart) / limits.apart if apart else cost.prefilling(1, 1)
        short, left, whole = int(SHORT_S / token) if token else 0, 0, 0
        for sequence in prefilling:
            left += len(sequence.tokens) - sequence.cells.computed
            if left <= short and len(sequence.tokens) - sequence.figures.cached_tokens <= short:
                whole = left
        wait = MAX_STEP_S
        if decoding:
            may_wait = limits.stall * cost.decoding(len(self.running)) - cost.decoding(n_decode)
            wait = may_wait if watched else max(may_wait, MAX_STEP_S)
        if not token or (decoding and not cost.known):
            room = 64
        else:
            room = max(1 if decoding else 32, int(wait / token), whole)
        room = min(most, left, room)
        if not apart and n_decode + 1 < limits.apart <= n_decode + room:
            room = limits.apart - 1 - n_decode
        return room

    def _choose_group(self) -> tuple[str | None, list[Sequence]]:
        """Adapters take turns: one decode call can use only one set of adapter weights."""
        names = self._adapters
        if len(names) == 1:
            return names[0], self.running
        if self._last_adapter in names:
            names = names[names.index(self._last_adapter) + 1 :] + names
        self._last_adapter = name = names[0]
        return name, [s for s in self.running if s.cells.adapter == name]

    def _others_run(self) -> None:
        self._last = None
        self._adapters = list({s.cells.adapter: None for s in self.running})

    # -- admission

    def _admit(self, now: float) -> None:
        """First come, first served; only a request whose prefix is being computed right now lets others pass it."""
        held: list[Sequence] = []
        self._alone |= not self.used_cells
        while self.waiting and len(self.running) + len(held) < self.limits.n_slots:
            sequence = self.waiting.popleft()
            source, shared = self._running_prefix(sequence)
            stored, length = self.prefixes.find(sequence.tokens[:-1], sequence.request.adapter)
            if self._better_soon(sequence, max(shared, length)):
                held.append(sequence)
                continue
            goes_on = self.resting is not None and source is self.resting and length < shared + WORTH_LOADING
            if self.resting is not None and not goes_on:
                self.waiting.appendleft(sequence)
                self.empty()
                continue
            most = sequence.most + self.limits.max_drafts
            if goes_on:
                self._go_on(sequence, shared, most)
            elif length >= shared + WORTH_LOADING and self._has_room(max(most, len(stored.tokens))):
                self._load(sequence, stored, length, most)
            elif self._has_room(most - shared):
                self._refer(sequence, source, shared, most - shared)
            else:
                self.waiting.appendleft(sequence)
                break
            sequence.phase = PREFILL
            sequence.started = now
            sequence.held_for = None
            self.running.append(sequence)
        self.waiting.extendleft(reversed(held))
        self._others_run()
        self._alone &= len(self.running) <= 1

    def _running_prefix(self, sequence: Sequence) -> tuple[Cells | None, int]:
        """The cells that hold the longest prefix of the prompt, and its length. The last token is never shared."""
        best, best_length = None, MIN_SHARED - 1
        most = len(sequence.tokens) - 1
        there = [*self.ended.values(), *(s.cells for s in self.running)]
        for cells in [self.resting, *there] if self.resting else there:
            limit = min(cells.computed, most)
            if limit <= best_length or cells.adapter != sequence.request.adapter:
                continue
            length = common_prefix(cells.tokens, sequence.tokens, limit)
            if length > best_length:
                best, best_length = cells, length
        if best is None:
            return None, 0
        while best.parent is not None and best.shared >= best_length:
            best = best.parent  # refer to the owner, so that the ones between need not stay
        return best, best_length

    def _better_soon(self, sequence: Sequence, shared: int) -> bool:
        """Whether a running prefill will soon hold much more of this prompt; waited for once."""
        if sequence.held_for is not None:
            source = sequence.held_for
            return source.phase is PREFILL and not source.cancelled
        most = len(sequence.tokens) - 1
        for other in self.running:
            if other.phase is PREFILL and other.cells.adapter == sequence.request.adapter:
                limit = min(other.n_prompt, most)
                if limit >= shared + WORTH_WAITING:
                    length = common_prefix(other.tokens, sequence.tokens, limit)
                    if length >= max(shared, other.cells.computed) + WORTH_WAITING:
                        sequence.held_for = other
                        return True
        return False

    def _has_room(self, cells: int) -> bool:
        """Whether a slot and so many cells are free."""
        return bool(self._free) and self.used_cells + cells <= self.limits.n_cells

    def _refer(self, sequence: Sequence, source: Cells | None, shared: int, reserved: int) -> None:
        """Give the sequence a slot, and the first `shared` cells of `source` to look at."""
        cells = self._place(sequence, shared, shared, reserved)
        if source is not None:
            self.cache.copy_cells(source.slot, cells.slot, shared)
            source.users += 1
            source.lent = max(source.lent, shared)
            cells.parent = source

    def _go_on(self, sequence: Sequence, shared: int, most: int) -> None:
        """Let the sequence go on in the slot of the one that rests, after the first `shared` tokens of it.

        Where that is most of it, the rest is not worth the time that keeping it takes while a request waits.
        """
        rest = self.resting
        if 2 * shared < rest.computed:
            self.keep()
        self.cache.drop_cells(rest.slot, shared)
        self.resting = None
        self._free.append(rest.slot)
        self.used_cells -= rest.reserved
        self._place(sequence, shared, 0, most)

    def _load(self, sequence: Sequence, stored: Prefix, length: int, reserved: int) -> None:
        """Give the sequence a slot, and cells of its own for the first `length` of the stored tokens."""
        slot = self._free[-1]
        if not self.cache.load_cells(slot, self.prefixes.read(stored)):
            length = 0
        self.cache.drop_cells(slot, length)
        self.prefixes.touch(stored)
        self._place(sequence, length, 0, reserved)

    def _place(self, sequence: Sequence, cached: int, shared: int, reserved: int) -> Cells:
        """Book the next free slot, of whose first `cached` cells `shared` belong to another sequence."""
        figures, adapter = self.figures, sequence.request.adapter
        figures.requests += 1
        figures.hits += cached > 0
        figures.prompt_tokens += len(sequence.tokens)
        figures.cached_tokens += cached
        sequence.figures.cached_tokens = cached
        sequence.cells = Cells(self._free.pop(), sequence.tokens, adapter, cached, shared, reserved=reserved)
        self.used_cells += reserved
        return sequence.cells

    # -- the end of a sequence

    def finish(self, sequence: Sequence) -> None:
        """Free the sequence's slot; what it computed goes into the store, and stays while others refer to it.

        The cells of one that ran alone rest in the cache instead; `keep` puts them into the store.
        """
        sequence.phase = DONE
        sequence.drafts = []
        cells = sequence.cells
        if cells is None:
            self.waiting.remove(sequence)
            return
        self.running.remove(sequence)
        self._others_run()
        cells.tokens = cells.tokens[: cells.computed]
        if self._alone and self.prefixes.max_bytes:
            self._reserve(cells, cells.computed)
            self.resting, self._kept = cells, False
            return
        self._remember(cells)
        if cells.users == 0:
            self._release(cells)
            return
        self.cache.drop_cells(cells.slot, cells.lent)
        cells.computed = cells.lent
        self._reserve(cells, cells.lent - cells.shared)
        self.ended[cells.slot] = cells

    def keep(self) -> None:
        """Put what rests into the store, if that was not done yet: for when there is nothing else to do."""
        if self.resting is not None and not self._kept:
            self._remember(self.resting)
            self._kept = True

    def empty(self) -> None:
        """Take out of the cache what rests there."""
        if self.resting is not None:
            self.keep()
            self._release(self.resting)
            self.resting = None

    def _reserve(self, cells: Cells, n: int) -> None:
        self.used_cells += n - cells.reserved
        cells.reserved = n

    def _remember(self, cells: Cells) -> None:
        if self.prefixes.max_bytes == 0:
            return
        known, length = self.prefixes.find(cells.tokens, cells.adapter)
        if cells.computed >= length + MIN_SHARED:
            data = self.cache.save_cells(cells.slot, self.prefixes.max_bytes)
            if data is not None:
                self.prefixes.put(cells.tokens, cells.adapter, data)
                self.figures.evicted = self.prefixes.evicted
        elif known is not None:
            self.prefixes.touch(known)

    def _release(self, cells: Cells) -> None:
        """Free the slot of an ended sequence to which nobody refers, and of what only it referred to."""
        self.cache.drop_cells(cells.slot, 0)
        self._free.append(cells.slot)
        self.used_cells -= cells.reserved
        if (parent := cells.parent) is not None:
            parent.users -= 1
            if parent.users == 0 and self.ended.pop(parent.slot, None):
                self._release(parent)
