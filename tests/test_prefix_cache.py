"""The prefix cache in memory: `python -m pytest tests/test_prefix_cache.py`."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve.engine.prefix_cache import PrefixCache, common_prefix

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=12)


@given(
    st.lists(st.tuples(tokens, st.sampled_from([None, "a"])), max_size=30),
    tokens,
    st.integers(0, 60),
    st.integers(1, 5),
)
def test_the_cache_finds_the_longest_common_prefix_and_stays_within_its_size(puts, asked, size, block):
    cache = PrefixCache(size, block)
    for prompt, adapter in puts:
        if cache.find(prompt, adapter)[1] < len(prompt):
            cache.put(prompt, adapter, np.array(prompt, np.uint8))
        prefixes = list(cache)
        blocks = [block for prefix in prefixes for block in prefix.blocks]
        assert sorted(blocks + cache._free) == list(range(size // block)), "every block is free or in one prefix"
        assert all(cache.read(prefix).tolist() == prefix.tokens for prefix in prefixes)
        assert sorted(map(id, prefixes)) == sorted(id(p) for entries in cache._sorted.values() for _, p in entries)
    found = [(common_prefix(p.tokens, asked, min(len(p.tokens), len(asked))), p) for p in cache]
    for adapter in (None, "a"):
        best = max((n for n, prefix in found if prefix.adapter == adapter), default=0)
        prefix, length = cache.find(asked, adapter)
        assert length == best and (prefix is None) == (best == 0)
        assert prefix is None or prefix.tokens[:length] == asked[:length]


def test_the_cache_evicts_the_least_recently_used_and_replaces_what_a_longer_prefix_extends():
    cache = PrefixCache(10, block=2)
    for first in (1, 2):
        cache.put([first] * 4, None, np.zeros(4, np.uint8))
    cache.touch(cache.find([1], None)[0])
    cache.put([3] * 4, None, np.zeros(4, np.uint8))
    assert [cache.find([first], None)[1] for first in (1, 2, 3)] == [1, 0, 1] and cache.evicted == 1
    cache.put([3] * 6, None, np.zeros(6, np.uint8))
    assert len(cache) == 2 and not cache._free
    cache.put([3] * 11, None, np.zeros(11, np.uint8))
    assert len(cache) == 2 and not cache._free, "a prefix larger than the cache evicts nothing"


@given(st.lists(st.integers(0, 1), max_size=40), st.lists(st.integers(0, 1), max_size=40))
def test_common_prefix_is_the_same_as_by_a_plain_loop(a, b):
    n = min(len(a), len(b))
    expected = next((i for i in range(n) if a[i] != b[i]), n)
    assert common_prefix(a, b, n) == expected
