"""KV cell manager: which sequence owns, shares or leaves which cells of the native cache, within a budget of cells.

    match = kv_cache.match(sequence)                   # the longest prefix of its prompt that is known
    if kv_cache.allocate(sequence, match, n): ...      # False while there is no room for n tokens
    if kv_cache.grow(sequence.cells, n): ...           # the same for more tokens of a running sequence
    kv_cache.release(sequence.cells)

A sequence references the cells that its prompt has in common with a running one of the same owner, and copies those of
an ended one from the prefix cache (serve/engine/prefix_cache.py). Ended cells that running sequences reference are
pinned. If sequences run one at a time, the last one's cells are parked: they stay in the cache, and the next sequence
continues from them.

The native cache is changed only through `NativeCache`, which the property tests replace by a model of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from serve.engine.prefix_cache import Prefix, PrefixCache, common_prefix
from serve.engine.sequence import Cells, Sequence

MIN_SHARED_TOKENS = 4  # sharing fewer pins another sequence's cells for too little
MIN_LOAD_GAIN = 3  # tokens more than cells in the KV cache offer, from which copying from the prefix cache pays


class NativeCache(Protocol):
    """The native KV cache, as far as the manager changes it; a slot is a native sequence id."""

    def copy_cells(self, source: int, target: int, n: int) -> None:
        """Let slot `target` reference the first `n` cells of slot `source`."""

    def drop_cells(self, slot: int, start: int) -> None:
        """Drop the slot's cells from position `start` on."""

    def save_cells(self, slot: int, max_bytes: int) -> np.ndarray | None:
        """The slot's cells as bytes, valid until the next call; None if they are more than `max_bytes`."""

    def load_cells(self, slot: int, data: np.ndarray) -> bool:
        """Fill an empty slot with saved cells; False if there is no room for them."""


@dataclass(slots=True)
class CacheStats:
    """How many prompts and prompt tokens were found in the cache, since the start."""

    requests: int = 0
    hits: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    evicted: int = 0  # prefixes that the prefix cache dropped for lack of room


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """The longest prefix of a prompt in the KV cache and the longest in the prefix cache, lengths in tokens."""

    source: Cells | None
    shared: int
    stored: Prefix | None
    stored_length: int

    @property
    def length(self) -> int:
        return max(self.shared, self.stored_length)


class KVCache:
    """The cells and slots of one context: `n_cells` are never exceeded. See the module's docstring."""

    def __init__(
        self, native: NativeCache, prefixes: PrefixCache, n_cells: int, n_slots: int, shares: bool = True
    ) -> None:
        self.native, self.prefixes, self.n_cells = native, prefixes, n_cells
        self.shares = shares  # prefixes with other sequences; a preempted one finds its own cells again in any case
        self.used_cells = 0  # owned or reserved
        self.active: list[Cells] = []  # of running sequences, in order of admission
        self.pinned: dict[int, Cells] = {}  # of ended sequences, by slot: running sequences reference them
        self.parked: Cells | None = None  # of the sequence that ended last, if it ran alone
        self.stats = CacheStats()
        self._free_slots = list(range(n_slots))[::-1]
        self._parked_is_stored = False  # whether the prefix cache has a copy
        self._one_at_a_time = True  # since the cache was last empty, so that its cells lie side by side

    # -- allocation

    def match(self, sequence: Sequence) -> PrefixMatch:
        """The longest known prefix of the sequence's prompt.

        Parked cells are evicted here unless this sequence can continue from them.
        """
        if not (self.shares or sequence.stats.preempted):
            self.evict_parked()
            return PrefixMatch(None, 0, None, 0)
        tokens, adapter, owner = sequence.tokens, sequence.request.adapter, sequence.request.owner
        while True:
            source, shared = self._find_shared(tokens, adapter, owner)
            stored, length = self.prefixes.find(tokens[:-1], adapter, owner)
            if self.parked is None or (source is self.parked and length < shared + MIN_LOAD_GAIN):
                return PrefixMatch(source, shared, stored, length)
            self.evict_parked()

    def allocate(self, sequence: Sequence, match: PrefixMatch, max_cells: int) -> bool:
        """Give the sequence a slot with its prefix and reserve up to `max_cells`; False if there is no room yet."""
        self._one_at_a_time |= not self.used_cells
        stored, gains = match.stored, match.stored_length >= match.shared + MIN_LOAD_GAIN
        if match.source is not None and match.source is self.parked:
            self._resume(sequence, match.source, match.shared, max_cells)
        elif stored is not None and gains and self._has_room(max(max_cells, len(stored.tokens))):
            self._load(sequence, stored, match.stored_length, max_cells)
        elif self._has_room(max_cells - match.shared):
            self._share_prefix(sequence, match.source, match.shared, max_cells - match.shared)
        else:
            return False
        self._one_at_a_time &= len(self.active) <= 1
        return True

    def grow(self, cells: Cells, n: int) -> bool:
        """Reserve cells for the first `n` tokens of a running sequence; False if there is no room."""
        more = n - cells.shared - cells.reserved
        if more > 0 and self.used_cells + more > self.n_cells:
            return False
        self._reserve(cells, cells.reserved + max(0, more))
        return True

    def _find_shared(self, tokens: list[int], adapter: str | None, owner: str) -> tuple[Cells | None, int]:
        """The cells with the longest prefix of `tokens`, and its length. The last token is never shared."""
        best, best_length = None, MIN_SHARED_TOKENS - 1
        for cells in self._in_cache():
            limit = min(cells.computed, len(tokens) - 1)
            if limit <= best_length or cells.adapter != adapter or cells.owner != owner:
                continue
            length = common_prefix(cells.tokens, tokens, limit)
            if length > best_length:
                best, best_length = cells, length
        if best is None:
            return None, 0
        while best.parent is not None and best.shared >= best_length:
            best = best.parent  # reference the owner, so that the cells in between can be released
        return best, best_length

    def _in_cache(self) -> Iterator[Cells]:
        if self.parked is not None:
            yield self.parked
        yield from self.pinned.values()
        yield from self.active

    def _has_room(self, cells: int) -> bool:
        """Whether a slot and that many cells are free."""
        return bool(self._free_slots) and self.used_cells + cells <= self.n_cells

    def _share_prefix(self, sequence: Sequence, source: Cells | None, shared: int, reserved: int) -> None:
        """Give the sequence a slot that references the first `shared` cells of `source`."""
        cells = self._assign_slot(sequence, shared, shared, reserved)
        if source is not None:
            self.native.copy_cells(source.slot, cells.slot, shared)
            source.ref_count += 1
            source.shared_out = max(source.shared_out, shared)
            cells.parent = source

    def _resume(self, sequence: Sequence, parked: Cells, shared: int, reserved: int) -> None:
        """Let the sequence take over the parked slot, after its first `shared` tokens.

        The tokens dropped are stored first if they are the larger part; otherwise a waiting request is worth more
        than the time that storing them takes.
        """
        if 2 * shared < parked.computed:
            self.store_parked()
        self.native.drop_cells(parked.slot, shared)
        self.parked = None
        self._free_slots.append(parked.slot)
        self.used_cells -= parked.reserved
        self._assign_slot(sequence, shared, 0, reserved)

    def _load(self, sequence: Sequence, stored: Prefix, length: int, reserved: int) -> None:
        """Give the sequence a slot with its own copy of the first `length` stored tokens."""
        slot = self._free_slots[-1]
        if not self.native.load_cells(slot, self.prefixes.read(stored)):
            length = 0
        self.native.drop_cells(slot, length)
        self.prefixes.touch(stored)
        self._assign_slot(sequence, length, 0, reserved)

    def _assign_slot(self, sequence: Sequence, cached: int, shared: int, reserved: int) -> Cells:
        """Take the next free slot; of its first `cached` cells, `shared` belong to another sequence."""
        stats, adapter = self.stats, sequence.request.adapter
        if not sequence.stats.preempted:
            stats.requests += 1
            stats.hits += cached > 0
            stats.prompt_tokens += len(sequence.tokens)
            stats.cached_tokens += cached
            sequence.stats.cached_tokens = cached
        cells = Cells(
            self._free_slots.pop(),
            sequence.tokens,
            adapter,
            sequence.request.owner,
            computed=cached,
            cached=cached,
            shared=shared,
            reserved=reserved,
        )
        sequence.cells = cells
        self.active.append(cells)
        self.used_cells += reserved
        return cells

    # -- release

    def release(self, cells: Cells) -> None:
        """Take back the cells of a sequence that ended.

        A lone sequence's cells are parked. Others are copied to the prefix cache, and stay pinned while running
        sequences reference them.
        """
        self.active.remove(cells)
        cells.tokens = cells.tokens[: cells.computed]
        if self._one_at_a_time and self.prefixes.max_bytes:
            self._reserve(cells, cells.computed)
            self.parked, self._parked_is_stored = cells, False
            return
        self._store(cells)
        if cells.ref_count == 0:
            self._free(cells)
            return
        self.native.drop_cells(cells.slot, cells.shared_out)
        cells.computed = cells.shared_out
        self._reserve(cells, cells.shared_out - cells.shared)
        self.pinned[cells.slot] = cells

    def store_parked(self) -> None:
        """Copy the parked cells to the prefix cache, once: for when there is nothing else to do."""
        if self.parked is not None and not self._parked_is_stored:
            self._store(self.parked)
            self._parked_is_stored = True

    def evict_parked(self) -> None:
        """Move the parked cells from the KV cache to the prefix cache."""
        if self.parked is not None:
            self.store_parked()
            self._free(self.parked)
            self.parked = None

    def _reserve(self, cells: Cells, n: int) -> None:
        self.used_cells += n - cells.reserved
        cells.reserved = n

    def _store(self, cells: Cells) -> None:
        """Copy the cells to the prefix cache, unless it has all but a few of their tokens."""
        if self.prefixes.max_bytes == 0:
            return
        known, length = self.prefixes.find(cells.tokens, cells.adapter, cells.owner)
        if cells.computed >= length + MIN_SHARED_TOKENS:
            data = self.native.save_cells(cells.slot, self.prefixes.max_bytes)
            if data is not None:
                self.prefixes.put(cells.tokens, cells.adapter, data, cells.owner)
                self.stats.evicted = self.prefixes.evicted
        elif known is not None:
            self.prefixes.touch(known)

    def _free(self, cells: Cells) -> None:
        """Free the slot of unreferenced cells, and the pinned cells that only they referenced."""
        self.native.drop_cells(cells.slot, 0)
        self._free_slots.append(cells.slot)
        self.used_cells -= cells.reserved
        if (parent := cells.parent) is not None:
            parent.ref_count -= 1
            if parent.ref_count == 0 and self.pinned.pop(parent.slot, None) is not None:
                self._free(parent)
