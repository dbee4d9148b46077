"""Prefixes that finished sequences leave behind: their KV cells as bytes in ordinary memory, found again by tokens.

In the KV cache itself they would cost time, for attention looks past every cell in use; here they cost only memory, and
copying one back takes far less time than computing it. Knows nothing about llama.cpp or about scheduling.

    store = PrefixStore(2**27)
    store.put(tokens, adapter, data)
    prefix, length = store.find(tokens, adapter)    # (None, 0) where nothing fits
"""

from __future__ import annotations

from bisect import bisect, insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class Data(Protocol):
    """Bytes of whatever kind: only their number matters here."""

    def __len__(self) -> int: ...


@dataclass(eq=False, slots=True)
class Prefix:
    """`data` is what the native cache wrote for `tokens`, perhaps with more cells after them."""

    tokens: list[int]
    adapter: str | None
    data: Data


class PrefixStore:
    """At most `max_bytes` of prefixes; what was used least recently goes first."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes, self.bytes, self.evicted = max_bytes, 0, 0
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

    def put(self, tokens: list[int], adapter: str | None, data: Data) -> None:
        """Keep a prefix that is new, in place of one that it continues; nothing that is larger than all the room."""
        if len(data) > self.max_bytes:
            return
        found, length = self.find(tokens, adapter)
        if found is not None and length == len(found.tokens):
            self._remove(found)
        prefix = Prefix(tokens, adapter, data)
        insort(self._sorted.setdefault(adapter, []), (tokens, prefix))
        self._by_use[prefix] = None
        self.bytes += len(data)
        while self.bytes > self.max_bytes:
            self._remove(next(iter(self._by_use)))
            self.evicted += 1

    def touch(self, prefix: Prefix) -> None:
        """Note that a prefix was of use."""
        self._by_use.move_to_end(prefix)

    def _remove(self, prefix: Prefix) -> None:
        del self._by_use[prefix]
        entries = self._sorted[prefix.adapter]
        del entries[bisect(entries, (prefix.tokens,))]
        self.bytes -= len(prefix.data)


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
