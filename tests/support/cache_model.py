"""A model of the native KV cache, and a scheduler that runs over it with a made-up language model."""

import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from serve.engine.kv_cache import KVCache
from serve.engine.prefix_cache import PrefixCache
from serve.engine.scheduler import Limits, Scheduler, Step
from serve.engine.sequence import Phase, Request, RequestStats, Sequence


class CacheModel:
    """The unified KV cache as lists of cells; a cell is [token], and slots reference cells.

    Fails where llama.cpp would: a position that does not follow the last one, or more cells than there are.
    """

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells
        self.slots: dict[int, list[list[int]]] = defaultdict(list)

    def used(self) -> int:
        return len({id(cell) for cells in self.slots.values() for cell in cells})

    def copy_cells(self, source: int, target: int, n: int) -> None:
        assert not self.slots[target], "the target slot must be empty"
        assert len(self.slots[source]) >= n, "only computed cells can be shared"
        self.slots[target] = self.slots[source][:n]

    def drop_cells(self, slot: int, start: int) -> None:
        del self.slots[slot][start:]

    def save_cells(self, slot: int, max_bytes: int) -> np.ndarray | None:
        data = np.array([cell[0] % 256 for cell in self.slots[slot]], np.uint8)
        return data if len(data) <= max_bytes else None

    def load_cells(self, slot: int, data: np.ndarray) -> bool:
        assert not self.slots[slot], "the target slot must be empty"
        if self.used() + len(data) > self.n_cells:
            return False
        self.slots[slot] = [[token] for token in data.tolist()]
        return True

    def decode(self, step: Step) -> None:
        for chunk in step.chunks:
            cells = self.slots[chunk.sequence.cells.slot]
            assert len(cells) == chunk.start, "a chunk continues where its sequence's cells end"
            cells += [[token] for token in chunk.sequence.tokens[chunk.start : chunk.end] + chunk.drafts]
        assert self.used() <= self.n_cells, "the cache overflowed"


class Simulation:
    """A scheduler over a cache model; tokens and the number of accepted drafts are random.

    `check()` compares the KV cache manager with the model after every step.
    """

    def __init__(
        self, seed: int = 0, stored: int = 500, n_cells: int = 200, n_sequences: int = 7, **limits: Any
    ) -> None:
        defaults: dict[str, Any] = dict(
            n_slots=4, n_batch=32, max_drafts=3, max_stall_factor=1.0, separate_prefill_tokens=16
        )
        self.limits, self.n_sequences = Limits(**(defaults | limits)), n_sequences
        self.native = CacheModel(n_cells)
        self.kv_cache = KVCache(self.native, PrefixCache(stored, block=4), n_cells, n_sequences)
        self.scheduler = Scheduler(self.limits, self.kv_cache)
        self.random = random.Random(seed)
        self.finished: list[Sequence] = []
        self.order: list[Sequence] = []  # of the first admission
        self.steps = 0
        self.forced = 0.1  # share of steps after which text is forced
        self.propose: Callable[[Sequence, int], list[int]] | None = self._random_draft

    def submit(
        self,
        prompt: list[int],
        max_tokens: int,
        adapter: str | None = None,
        streaming: bool = False,
        owner: str = "",
        background: bool = False,
    ) -> Sequence:
        on_text = print if streaming else None
        request = Request(prompt, max_tokens, adapter=adapter, on_text=on_text, owner=owner, background=background)
        sequence = Sequence(request, list(prompt), 0.0, 1e9, stats=RequestStats(prompt_tokens=len(prompt)))
        assert self.scheduler.fits(len(prompt), max_tokens)
        self.scheduler.add(sequence)
        return sequence

    def end(self, sequence: Sequence) -> None:
        self.scheduler.finish(sequence)
        self.finished.append(sequence)

    def _random_draft(self, sequence: Sequence, limit: int) -> list[int]:
        return [self.random.randrange(3) for _ in range(self.random.randrange(limit + 1))]

    def step(self) -> bool:
        """Schedule and compute one step; False if there is nothing to do."""
        before = {id(s) for s in [*self.scheduler.running, *self.order]}
        step = self.scheduler.schedule(float(self.steps), self.propose)
        self.steps += 1
        self.order += [s for s in self.scheduler.running if id(s) not in before]
        if step is None:
            return False
        assert step.chunks, "a step without work would be an endless loop"
        assert (
            step.decode_tokens + step.prefill_tokens
            == sum(c.end - c.start + len(c.drafts) for c in step.chunks)
            <= self.limits.n_batch
        )
        assert len(self.scheduler.running) <= self.limits.n_slots
        assert self.kv_cache.used_cells <= self.native.n_cells
        assert {c.sequence.cells.adapter for c in step.chunks} == {step.adapter}
        self.native.decode(step)
        for chunk in step.chunks:
            sequence, right = chunk.sequence, self.random.randrange(4)
            sequence.cells.computed = chunk.end
            if chunk.rows == 0:
                continue
            accepted = min(len(chunk.drafts), right, sequence.request.max_tokens - sequence.n_generated - 1)
            sequence.tokens += chunk.drafts[:accepted] + [self.random.randrange(3)]
            sequence.cells.computed += accepted
            self.native.drop_cells(sequence.cells.slot, sequence.cells.computed)
            sequence.phase = Phase.DECODE
            if sequence.n_generated >= sequence.request.max_tokens:
                self.end(sequence)
            elif self.random.random() < self.forced:  # forced text: several tokens become known at once
                left = sequence.request.max_tokens - sequence.n_generated
                sequence.tokens += [1] * self.random.randrange(left + 1)
                if sequence.n_generated >= sequence.request.max_tokens:
                    self.end(sequence)
        self.check()
        return True

    def check(self) -> None:
        """The count of cells is an upper bound of the truth, and the cache holds what the sequences say."""
        kv_cache, running = self.kv_cache, self.scheduler.running
        assert self.native.used() <= kv_cache.used_cells <= self.native.n_cells
        assert kv_cache.active == [s.cells for s in running]
        held = list(kv_cache.pinned.values()) + kv_cache.active
        if kv_cache.parked is not None:
            assert not running, "parked cells would slow running sequences down"
            held.append(kv_cache.parked)
        slots = [cells.slot for cells in held]
        assert sorted(slots + kv_cache._free_slots) == list(range(self.n_sequences))
        for cells in held:
            actual, expected = self.native.slots[cells.slot], cells.tokens[: cells.computed]
            assert [cell[0] % 256 for cell in actual] == [token % 256 for token in expected]
            assert cells.ref_count == sum(other.parent is cells for other in held)
        assert all(cells.ref_count for cells in kv_cache.pinned.values()), "only referenced cells stay in the cache"

    def drain(self, limit: int = 3000) -> None:
        for _ in range(limit):
            if not self.step():
                break
        assert not self.scheduler.running and not self.scheduler.waiting, "a sequence starved"
