"""The store of prefixes: `python -m pytest tests/test_prefixes.py`."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serve.engine.prefix_cache import PrefixStore, common_prefix

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=12)


@given(
    st.lists(st.tuples(tokens, st.sampled_from([None, "a"])), max_size=30),
    tokens,
    st.integers(0, 60),
    st.integers(1, 5),
)
def test_the_store_finds_the_longest_common_prefix_and_keeps_to_its_size(puts, asked, size, block):
    store = PrefixStore(size, block)
    for prompt, adapter in puts:
        if store.find(prompt, adapter)[1] < len(prompt):
            store.put(prompt, adapter, np.array(prompt, np.uint8))
        kept = list(store)
        blocks = [block for prefix in kept for block in prefix.blocks]
        assert sorted(blocks + store._free) == list(range(size // block)), "every block is free or of one prefix"
        assert all(store.read(prefix).tolist() == prefix.tokens for prefix in kept)
        assert sorted(map(id, kept)) == sorted(id(p) for entries in store._sorted.values() for _, p in entries)
    lengths = [common_prefix(p.tokens, asked, min(len(p.tokens), len(asked))) for p in kept] if puts else []
    for adapter in (None, "a"):
        best = max((n for n, p in zip(lengths, kept, strict=True) if p.adapter == adapter), default=0) if puts else 0
        found, length = store.find(asked, adapter)
        assert length == best and (found is None) == (best == 0)
        assert found is None or found.tokens[:length] == asked[:length]


def test_the_store_drops_what_was_used_least_recently_and_what_a_longer_prefix_continues():
    store = PrefixStore(10, block=2)
    for first in (1, 2):
        store.put([first] * 4, None, np.zeros(4, np.uint8))
    store.touch(store.find([1], None)[0])
    store.put([3] * 4, None, np.zeros(4, np.uint8))
    assert [store.find([first], None)[1] for first in (1, 2, 3)] == [1, 0, 1] and store.evicted == 1
    store.put([3] * 6, None, np.zeros(6, np.uint8))
    assert len(store) == 2 and not store._free
    store.put([3] * 11, None, np.zeros(11, np.uint8))
    assert len(store) == 2 and not store._free, "what is larger than all there is room for takes nothing else's place"


@given(st.lists(st.integers(0, 1), max_size=40), st.lists(st.integers(0, 1), max_size=40))
def test_common_prefix_is_what_a_loop_finds(a, b):
    n = min(len(a), len(b))
    expected = next((i for i in range(n) if a[i] != b[i]), n)
    assert common_prefix(a, b, n) == expected
