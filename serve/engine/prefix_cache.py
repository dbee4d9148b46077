"""Prefix cache: KV cells of finished sequences as bytes in ordinary memory, found again by their tokens.

In the KV cache itself they would slow every step down, since attention scans past all cells in use. Here they cost only
memory, and copying one back takes far less time than computing it.

    prefixes = PrefixCache(2**27)
    prefixes.put(tokens, adapter, data, owner)
    prefix, length = prefixes.find(tokens, adapter, owner)    # (None, 0) if nothing matches
    data = prefixes.read(prefix)

A prefix is found by its owner alone: what is found in the cache is faster, which would tell others what it holds.

All memory is allocated at the start and divided into blocks: page faults would cost more than the copies themselves.
"""

from __future__ import annotations

import mmap
from bisect import bisect, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK_BYTES = 16_384
MAP_POPULATE = getattr(mmap, "MAP_POPULATE", 0)  # without it, pages are allocated at first use


@dataclass(eq=False, slots=True)
class Prefix:
    """The KV cells of `tokens`: `size` bytes, in these blocks."""

    tokens: list[int]
    adapter: str | None
    size: int
    blocks: list[int]
    owner: str = ""


class PrefixCache:
    """At most `max_bytes` of prefixes, in whole blocks; the least recently used is evicted first."""

    def __init__(self, max_bytes: int, block: int = BLOCK_BYTES) -> None:
        self.max_bytes, self.evicted = max_bytes, 0
        self._block, n = block, max_bytes // block
        memory = mmap.mmap(-1, max(1, n) * block, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_POPULATE)
        self._memory = memoryview(memory)
        self._free = list(range(n))[::-1]
        self._copy = np.empty(0, np.uint8)  # of the prefix read last
        self._by_use: OrderedDict[Prefix, None] = OrderedDict()
        # By adapter and owner, sorted by tokens: the longest common prefix is with an adjacent entry.
        self._sorted: dict[tuple[str | None, str], list[tuple[list[int], Prefix]]] = {}

    def __len__(self) -> int:
        return len(self._by_use)

    def __iter__(self) -> Iterator[Prefix]:
        """All prefixes, the least recently used first."""
        return iter(self._by_use)

    def find(self, tokens: list[int], adapter: str | None, owner: str = "") -> tuple[Prefix | None, int]:
        """The owner's prefix that shares the longest beginning with `tokens`, and the length of that in tokens."""
        entries = self._sorted.get((adapter, owner), [])
        at = bisect(entries, (tokens,))
        best, best_length = None, 0
        for kept, prefix in entries[max(0, at - 1) : at + 1]:
            length = common_prefix(kept, tokens, min(len(kept), len(tokens)))
            if length > best_length:
                best, best_length = prefix, length
        return best, best_length

    def put(self, tokens: list[int], adapter: str | None, data: np.ndarray, owner: str = "") -> None:
        """Store a copy of new cells, in place of a prefix that they extend; not if larger than the whole cache."""
        n = -(-len(data) // self._block)
        if n * self._block > self.max_bytes:
            return
        found, length = self.find(tokens, adapter, owner)
        if found is not None and length == len(found.tokens):
            self._remove(found)
        while len(self._free) < n:
            self._remove(next(iter(self._by_use)))
            self.evicted += 1
        blocks = [self._free.pop() for _ in range(n)]
        source = data.data
        for at, start, size in self._pieces(blocks, len(data)):
            self._memory[start : start + size] = source[at : at + size]
        prefix = Prefix(tokens, adapter, len(data), blocks, owner)
        insort(self._sorted.setdefault((adapter, owner), []), (tokens, prefix))
        self._by_use[prefix] = None

    def read(self, prefix: Prefix) -> np.ndarray:
        """The prefix's cells as bytes: a view that the next call overwrites."""
        if prefix.size > len(self._copy):
            self._copy = np.empty(prefix.size, np.uint8)
        target = self._copy.data
        for at, start, size in self._pieces(prefix.blocks, prefix.size):
            target[at : at + size] = self._memory[start : start + size]
        return self._copy[: prefix.size]

    def _pieces(self, blocks: list[int], size: int) -> Iterator[tuple[int, int, int]]:
        """For each block of `size` bytes: offset in the data, offset in memory, and length.

        Callers copy between memoryviews, which keeps the GIL: regaining it takes longer than copying a piece.
        """
        for i, block in enumerate(blocks):
            at = i * self._block
            yield at, block * self._block, min(self._block, size - at)

    def touch(self, prefix: Prefix) -> None:
        """Mark a prefix as used now."""
        self._by_use.move_to_end(prefix)

    def _remove(self, prefix: Prefix) -> None:
        del self._by_use[prefix]
        key = prefix.adapter, prefix.owner
        entries = self._sorted[key]
        del entries[bisect(entries, (prefix.tokens,))]
        if not entries:
            del self._sorted[key]
        self._free += prefix.blocks


def common_prefix(a: list[int], b: list[int], limit: int) -> int:
    """Length of the common prefix of `a` and `b`, at most `limit`; compares slices, which run in C."""
    if limit <= 0 or a[0] != b[0]:
        return 0
    if a[:limit] == b[:limit]:
        return limit
    low, high = 1, limit  # a[:low] is common, a[:high] is not
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low
