"""Prefixes that finished sequences leave behind: their KV cells as bytes in ordinary memory, found again by tokens.

In the KV cache itself they would cost time, for attention looks past every cell in use; here they cost only memory, and
copying one back takes far less time than computing it. Knows nothing about llama.cpp or about scheduling.

    store = PrefixStore(2**27)
    store.put(tokens, adapter, data)
    prefix, length = store.find(tokens, adapter)    # (None, 0) where nothing fits
    data = store.read(prefix)

All the memory is taken at once and given out in blocks: page faults would cost more than the copies themselves.
"""

from __future__ import annotations

import mmap
from bisect import bisect, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 16_384  # bytes
POPULATED = getattr(mmap, "MAP_POPULATE", 0)  # where there is none, memory comes with its first use


@dataclass(eq=False, slots=True)
class Prefix:
    """The blocks that hold what the native cache wrote for `tokens`, in bytes."""

    tokens: list[int]
    adapter: str | None
    size: int
    blocks: list[int]


class PrefixStore:
    """At most `max_bytes` of prefixes, in whole blocks; what was used least recently goes first."""

    def __init__(self, max_bytes: int, block: int = BLOCK) -> None:
        self.max_bytes, self.evicted = max_bytes, 0
        self._block, n = block, max_bytes // block
        memory = mmap.mmap(-1, max(1, n) * block, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | POPULATED)
        self._memory = memoryview(memory)
        self._free = list(range(n))[::-1]
        self._copy = np.empty(0, np.uint8)  # of the prefix that was read last
        self._by_use: OrderedDict[Prefix, None] = OrderedDict()
        # By adapter, sorted by tokens: the longest common prefix is with a neighbour.
        self._sorted: dict[str | None, list[tuple[list[int], Prefix]]] = {}

    def __len__(self) -> int:
        return len(self._by_use)

    def __iter__(self) -> Iterator[Prefix]:
        """All prefixes, the one that was used least recently first."""
        return iter(self._by_use)

    def find(self, tokens: list[int], adapter: str | None) -> tuple[Prefix | None, int]:
        """The prefix that has the longest beginning in common with `tokens`, and the length of that."""
        entries = self._sorted.get(adapter, [])
        at = bisect(entries, (tokens,))
        best, best_length = None, 0
        for kept, prefix in entries[max(0, at - 1) : at + 1]:
            length = common_prefix(kept, tokens, min(len(kept), len(tokens)))
            if length > best_length:
                best, best_length = prefix, length
        return best, best_length

    def put(self, tokens: list[int], adapter: str | None, data: np.ndarray) -> None:
        """Keep a copy of what is new, in place of what it continues; nothing that is larger than all the room."""
        n = -(-len(data) // self._block)
        if n * self._block > self.max_bytes:
            return
        found, length = self.find(tokens, adapter)
        if found is not None and length == len(found.tokens):
            self._remove(found)
        while len(self._free) < n:
            self._remove(next(iter(self._by_use)))
            self.evicted += 1
        blocks = [self._free.pop() for _ in range(n)]
        source = memoryview(data)
        for at, start, size in self._pieces(blocks, len(data)):
            self._memory[start : start + size] = source[at : at + size]
        prefix = Prefix(tokens, adapter, len(data), blocks)
        insort(self._sorted.setdefault(adapter, []), (tokens, prefix))
        self._by_use[prefix] = None

    def read(self, prefix: Prefix) -> np.ndarray:
        """The prefix's data, a view that the next call overwrites."""
        if prefix.size > len(self._copy):
            self._copy = np.empty(prefix.size, np.uint8)
        target = memoryview(self._copy)
        for at, start, size in self._pieces(prefix.blocks, prefix.size):
            target[at : at + size] = self._memory[start : start + size]
        return self._copy[: prefix.size]

    def _pieces(self, blocks: list[int], size: int) -> Iterator[tuple[int, int, int]]:
        """Of `size` bytes in those blocks: where a block's share begins, where that lies in memory, and its length.

        Copied as memoryviews, which keep the GIL: getting it back takes longer than copying a piece.
        """
        for i, block in enumerate(blocks):
            at = i * self._block
            yield at, block * self._block, min(self._block, size - at)

    def touch(self, prefix: Prefix) -> None:
        """Note that a prefix was of use."""
        self._by_use.move_to_end(prefix)

    def _remove(self, prefix: Prefix) -> None:
        del self._by_use[prefix]
        entries = self._sorted[prefix.adapter]
        del entries[bisect(entries, (prefix.tokens,))]
        self._free += prefix.blocks


def common_prefix(a: list[int], b: list[int], limit: int) -> int:
    """Length of the common prefix of `a` and `b`, at most `limit`; compares slices, which run in C."""
    if limit <= 0 or a[0] != b[0]:
        return 0
    if a[:limit] == b[:limit]:
        return limit
    low, high = 1, limit  # a[:low] agrees, a[:high] does not
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low
