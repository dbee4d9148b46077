"""Scheduling: which tokens of which sequences the next batch holds (continuous batching, chunked prefill).

`schedule()` admits waiting sequences and says what the next step computes; `finish()` ends a sequence. Who is admitted
and who has to give way is decided in serve/engine/admission.py, KV cells are managed in serve/engine/kv_cache.py. Pure
bookkeeping: the property tests run it over a model of the native cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serve.engine.admission import Admission
from serve.engine.kv_cache import KVCache
from serve.engine.sequence import DECODE, DONE, NO_CELLS, PREFILL, Sequence
from serve.engine.step_cost import StepCost

MAX_STEP_S = 0.5
MAX_PREFILL_STEPS = 8  # in a row, then a decode-only step: its duration grows with the context and has to be known
FOREGROUND_SHARE = 3.0  # times as long as the background takes part in a step, the others have steps to themselves
SHORT_PREFILL_S = 0.04  # a prompt that takes no longer is not split, which is cheaper; nobody notices such a pause

Propose = Callable[[Sequence, int], list[int]]  # (sequence, at most so many tokens) -> draft


@dataclass(slots=True)
class Limits:
    """The bounds of scheduling, in tokens unless a comment says otherwise."""

    n_slots: int  # sequences that run at once
    n_batch: int
    max_drafts: int
    max_stall_factor: float  # longest wait of streaming sequences, in units of a step that decodes one token of all
    separate_prefill_tokens: int  # minimum size of a prefill-only step, run between two decode steps
    max_owner_slots: int = 0  # sequences of one owner that run at once; 0: n_slots
    fixed_chunks: bool = False  # prompts are computed n_batch tokens at a time, however long that takes


@dataclass(slots=True)
class Chunk:
    """Batch entry: `sequence.tokens[start:end]`, then its drafts; logits of the last `rows` positions are needed."""

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
    delays_decode: bool = False  # decoding sequences wait for its prefill


class Scheduler:
    """Waiting and running sequences; see the module's docstring."""

    def __init__(self, limits: Limits, kv_cache: KVCache) -> None:
        self.limits, self.kv_cache = limits, kv_cache
        self.running: list[Sequence] = []
        slots = limits.n_slots
        self._admission = Admission(self.running, kv_cache, slots, limits.max_owner_slots or slots, limits.max_drafts)
        self.waiting = self._admission.waiting
        self.cost = StepCost(limits.separate_prefill_tokens)
        self._last: Step | None = None  # the last step, if it decoded one token of every running sequence
        self._adapters: list[str | None] = []  # of the running sequences, each once
        self._last_adapter: str | None = None
        self._foreground_s = 0.0  # expected, since sequences in the background last had a turn
        self._prefill_steps = 0  # since decoding sequences last had a step to themselves

    def fits(self, n_prompt: int, max_tokens: int) -> bool:
        """Whether a request could run if it were the only one."""
        return n_prompt + max_tokens + self.limits.max_drafts <= self.kv_cache.n_cells

    def add(self, sequence: Sequence) -> None:
        self.waiting.add(sequence)

    def finish(self, sequence: Sequence) -> None:
        """End a waiting or running sequence and release its cells."""
        sequence.phase = DONE
        if sequence.cells is NO_CELLS:
            self.waiting.remove(sequence)
            return
        self._admission.end(sequence)
        self._running_changed()

    # -- one step

    def schedule(self, now: float, propose: Propose | None = None) -> Step | None:
        """Admit what fits, then fill a batch with all decoding sequences and as much prefill as does not stall them.

        A large prefill is a step of its own: mixed with decode tokens it costs more. Between two such steps streaming
        sequences decode; if none streams, up to MAX_PREFILL_STEPS prefills come first, so that more decode together.
        """
        if self.waiting and self._admission.admit(now):
            self._running_changed()
        step, self._last = self._last, None
        if step is not None and propose is None and self._repeat_last(step):
            return step
        if self._admission.grow():
            self._admission.admit(now)  # where nothing else runs, what was preempted starts again
            self._running_changed()
        if not self.running:
            return None
        adapter, group = self._choose_group()
        group = self._with_background_in_turn(group)
        decoding = [s for s in group if s.phase is DECODE]
        prefilling = [s for s in group if s.phase is PREFILL] if len(decoding) < len(group) else []
        if decoding and self._prefill_steps >= MAX_PREFILL_STEPS:
            prefilling = []
        streaming = False
        if prefilling:
            streaming = any(s.request.on_text for s in decoding) or _delays_foreground(prefilling, decoding)
            room = self._prefill_room(prefilling, decoding, len(decoding), streaming, separate=True)
            size = room if streaming else min(sum(s.pending for s in prefilling), self.limits.n_batch)
            if size >= self.limits.separate_prefill_tokens or not decoding:
                self._prefill_steps = (MAX_PREFILL_STEPS if streaming else self._prefill_steps + 1) if decoding else 0
                chunks, n = self._prefill(prefilling, room)
                return Step(chunks, adapter, 0, n, delays_decode=bool(decoding))
        chunks, n_decode = self._decode(decoding, propose)
        if not prefilling or n_decode >= self.limits.n_batch:
            self._prefill_steps = 0
            step = Step(chunks, adapter, n_decode, 0)
            all_run = len(chunks) == n_decode == len(self.running) and not self.waiting.mixed
            if propose is None and all_run and all(c.rows for c in chunks):
                self._last = step
            return step
        self._prefill_steps += 1
        room = self._prefill_room(prefilling, decoding, n_decode, streaming, separate=False)
        more, n_prefill = self._prefill(prefilling, room)
        return Step(chunks + more, adapter, n_decode, n_prefill, delays_decode=True)

    def _repeat_last(self, step: Step) -> bool:
        """Move the last step, which decoded one token of every running sequence, on by one; False if not reusable."""
        for chunk in step.chunks:
            cells = chunk.sequence.cells
            if len(chunk.sequence.tokens) != chunk.end + 1:  # its grammar forced tokens
                return False
            if chunk.end >= cells.shared + cells.reserved:
                return False
            chunk.start = chunk.end
            chunk.end += 1
        self._last = step
        return True

    def _decode(self, decoding: list[Sequence], propose: Propose | None) -> tuple[list[Chunk], int]:
        """The pending tokens of every sequence, forced ones included, with drafts as far as there is room."""
        chunks, used = [], 0
        spare = self.limits.n_batch - len(decoding)  # room beyond one token of each
        # with more drafts of all, the step would cost what a prefill of that size does
        below = (self.limits.separate_prefill_tokens - 1) // max(1, len(decoding)) - 1
        most = min(self.limits.max_drafts, below)
        for sequence in decoding:
            start, end = sequence.cells.computed, len(sequence.tokens)
            end = min(end, start + 1 + spare)
            complete = end == len(sequence.tokens)
            spare -= end - start - 1
            draft: list[int] = []
            if propose and complete and min(spare, most) > 0:
                draft = propose(sequence, min(spare, most))
                spare -= len(draft)
            chunks.append(Chunk(sequence, start, end, draft, 1 + len(draft) if complete else 0))
            used += end - start + len(draft)
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
        self, prefilling: list[Sequence], decoding: list[Sequence], n_decode: int, streaming: bool, separate: bool
    ) -> int:
        """Prefill tokens for the next step: a prefill-only one that `decoding` wait for, or one with their `n_decode`.

        Streaming sequences may wait `max_stall_factor` times as long as decoding one token of every running sequence
        takes: of every one, since those in prefill will decode with the others. A short prompt is not split.
        Sequences that do not stream only wait for their last token, which comes soonest if many decode together, so
        prefill goes first; but a step takes not much longer than MAX_STEP_S, since cancellations, deadlines and new
        requests are handled between steps.
        """
        limits, cost = self.limits, self.cost
        separate_size = limits.separate_prefill_tokens
        most = limits.n_batch - (0 if separate else n_decode)
        if limits.fixed_chunks:
            return most
        token_s = cost.prefill_s(0, separate_size) / separate_size if separate else cost.prefill_s(1, 1)
        short, left, unsplit = int(SHORT_PREFILL_S / token_s) if token_s else 0, 0, 0
        for sequence in prefilling:
            left += len(sequence.tokens) - sequence.cells.computed
            if left <= short and len(sequence.tokens) - sequence.stats.cached_tokens <= short:
                unsplit = left
        wait_s = MAX_STEP_S
        if decoding:
            may_wait_s = limits.max_stall_factor * cost.decode_s(len(self.running)) - cost.decode_s(n_decode)
            wait_s = may_wait_s if streaming else max(may_wait_s, MAX_STEP_S)
        if not token_s or (decoding and not cost.decode_is_known):
            room = 64
        else:
            room = max(1 if decoding else 32, int(wait_s / token_s), unsplit)
        room = min(most, left, room)
        if not separate and n_decode + 1 < separate_size <= n_decode + room:
            room = separate_size - 1 - n_decode
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

    def _with_background_in_turn(self, group: list[Sequence]) -> list[Sequence]:
        """The group, without its sequences in the background until the others had FOREGROUND_SHARE of the time.

        Where a step of many takes hardly longer than one of few, as in a large model, that is most of the time.
        """
        if not self.waiting.mixed:
            return group
        foreground = [s for s in group if not s.request.background]
        alone_s = self.cost.decode_s(len(foreground))
        self._foreground_s += alone_s
        if foreground and self._foreground_s < FOREGROUND_SHARE * (self.cost.decode_s(len(group)) - alone_s):
            return foreground
        self._foreground_s = 0.0
        return group

    def _running_changed(self) -> None:
        self._last = None
        self._adapters = list({s.cells.adapter: None for s in self.running})


def _delays_foreground(prefilling: list[Sequence], decoding: list[Sequence]) -> bool:
    """Whether sequences in the foreground wait for prefill of the background alone."""
    return all(s.request.background for s in prefilling) and any(not s.request.background for s in decoding)
