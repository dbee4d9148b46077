"""Who computes what in the next step: admission by KV budget, shared prefixes, and one batch of prefill and decode.

Two calls make a step: `schedule()` says which tokens of which sequences go into the batch, `finish()` ends a sequence.
KV cells are counted, never more than `n_cells`; finished sequences stay as prefixes for later ones until their place is
needed. The scheduler knows nothing about llama.cpp, text, sampling or threads: the native cache is changed through two
functions that it is given (`copy_cells`, `drop_cells`), which the property tests replace by a model of the cache.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from serve.sequence import Cells, Phase, Sequence

MIN_SHARED = 4  # sharing fewer tokens than this pins another sequence's cells for nothing
WORTH_WAITING = 32  # tokens of a prefix under computation for which a request is held back until they are there

MAX_STEP_S = 0.5


@dataclass(slots=True)
class Limits:
    """The bounds of scheduling, in tokens unless said otherwise."""

    n_cells: int
    n_slots: int  # sequences that run at once
    n_sequences: int  # native sequence ids: slots and kept prefixes
    n_batch: int
    kept_cells: int  # KV cells of finished sequences that are kept though no other request has shared them yet
    proven_cells: int  # and of those that others did share
    max_drafts: int
    stall: float  # how long a step may take, in units of one that decodes a token of every running sequence


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


@dataclass(slots=True)
class CacheFigures:
    """How well prefixes were shared, since the start."""

    requests: int = 0
    hits: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    evicted: int = 0


class StepCost:
    """What steps cost, in seconds, learnt from those that were made.

    A step of decode tokens alone takes base + slope * tokens (least squares over recent steps); `prefill_token` is what
    a prefill token adds to it, followed closely, since it grows with the context.
    """

    def __init__(self, decay: float = 0.98) -> None:
        self._decay = decay
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0)
        self.base, self.slope = 1.0, 0.05  # a guess until steps of different sizes were seen; only ratios matter
        self.known = False  # whether a step without prefill was seen
        self.prefill_token = 0.0

    def observe(self, decode_tokens: int, prefill_tokens: int, seconds: float) -> None:
        if prefill_tokens:
            added = (seconds - self.decoding(decode_tokens)) / prefill_tokens
            added = max(added, 0.1 * seconds / (decode_tokens + prefill_tokens))
            self.prefill_token += (added - self.prefill_token) * (0.4 if self.prefill_token else 1.0)
            return
        self.known = True
        n, x, y, xx, xy = self._sums
        keep, tokens = self._decay, decode_tokens
        n, x, y = keep * n + 1, keep * x + tokens, keep * y + seconds
        xx, xy = keep * xx + tokens * tokens, keep * xy + tokens * seconds
        self._sums = n, x, y, xx, xy
        spread = n * xx - x * x
        if n < 3:
            return
        if spread > 1e-3 * n * n:
            slope = max((n * xy - x * y) / spread, 1e-9)
            self.slope, self.base = slope, max((y - slope * x) / n, slope)
        else:  # all steps alike: keep the ratio, follow the level
            scale = (y / n) / (self.base + self.slope * x / n)
            self.base, self.slope = self.base * scale, self.slope * scale

    def decoding(self, tokens: int) -> float:
        """Seconds of a step that decodes `tokens` and does nothing else."""
        return self.base + self.slope * tokens if tokens and self.known else 0.0

    def expected(self, decode_tokens: int, prefill_tokens: int) -> float:
        """Seconds that such a step usually takes; 0 while too little was seen."""
        if (decode_tokens and not self.known) or (prefill_tokens and not self.prefill_token):
            return 0.0
        return self.decoding(decode_tokens) + self.prefill_token * prefill_tokens

    def prefill_room(self, stall: float, most: int, decode_tokens: int, streams: int) -> int:
        """Prefill tokens for a step of `decode_tokens`: it may take `stall` times what decoding all `streams` takes.

        Measured by all that run, for those that wait for their prefill now will decode with the others. Alone they may
        fill a batch, but not take much longer than MAX_STEP_S: a cancelled request, a deadline or a new arrival waits
        for the end of a step.
        """
        if not self.prefill_token or (decode_tokens and not self.known):
            return min(most, 64)
        allowed = stall * self.decoding(streams) - self.decoding(decode_tokens) if decode_tokens else MAX_STEP_S
        return max(1 if decode_tokens else 32, min(most, int(allowed / self.prefill_token)))


@dataclass(slots=True)
class Scheduler:
    """Waiting, running and kept sequences; see the module's docstring."""

    limits: Limits
    copy_cells: Callable[[int, int, int], None]  # (source slot, target slot, first n tokens)
    drop_cells: Callable[[int, int], None]  # (slot, from this position on)
    waiting: deque[Sequence] = field(default_factory=deque)
    running: list[Sequence] = field(default_factory=list)
    kept: OrderedDict[int, Cells] = field(default_factory=OrderedDict)  # by slot, least recently used first
    used_cells: int = 0
    cost: StepCost = field(default_factory=StepCost)
    figures: CacheFigures = field(default_factory=CacheFigures)
    _free: list[int] = field(default_factory=list)
    _last_adapter: str | None = None

    def __post_init__(self) -> None:
        self._free = list(range(self.limits.n_sequences))[::-1]

    def fits(self, n_prompt: int, max_tokens: int) -> bool:
        """Whether a request could run if it were alone."""
        return n_prompt + max_tokens + self.limits.max_drafts <= self.limits.n_cells

    def add(self, sequence: Sequence) -> None:
        self.waiting.append(sequence)

    # -- one step

    def schedule(self, now: float, drafts: Callable[[Sequence, int], list[int]] | None = None) -> Step | None:
        """Admit what fits, then fill a batch: every decoding sequence first, prefill with what room and time allow."""
        if self.waiting:
            self._admit(now)
        if not self.running:
            return None
        adapter, group = self._choose_group()
        decoding = [s for s in group if s.phase is Phase.DECODE]
        chunks: list[Chunk] = []
        used = 0
        spare = self.limits.n_batch - len(decoding)  # room beyond one token for each decoding sequence
        for sequence in decoding:
            start, end = sequence.cells.computed, len(sequence.tokens)
            end = min(end, start + 1 + spare)
            whole = end == len(sequence.tokens)
            spare -= end - start - 1
            guess: list[int] = []
            if drafts and whole and spare > 0:
                guess = drafts(sequence, min(self.limits.max_drafts, spare))
                spare -= len(guess)
            chunks.append(Chunk(sequence, start, end, guess, 1 + len(guess) if whole else 0))
            used += end - start + len(guess)
        n_decode, room = used, self.limits.n_batch - used
        if room > 0 and len(group) > len(decoding):
            room = self.cost.prefill_room(self.limits.stall, room, n_decode, len(group))
            for sequence in group:
                if sequence.phase is not Phase.PREFILL or room <= 0:
                    continue
                start = sequence.cells.computed
                end = min(len(sequence.tokens), start + room)
                chunks.append(Chunk(sequence, start, end, [], 1 if end == len(sequence.tokens) else 0))
                room -= end - start
                used += end - start
        return Step(chunks, adapter, n_decode, used - n_decode)

    def _choose_group(self) -> tuple[str | None, list[Sequence]]:
        """Adapters take turns: one decode call can use only one set of adapter weights."""
        names = list({s.cells.adapter: None for s in self.running})
        if len(names) == 1:
            return names[0], self.running
        if self._last_adapter in names:
            names = names[names.index(self._last_adapter) + 1 :] + names
        self._last_adapter = name = names[0]
        return name, [s for s in self.running if s.cells.adapter == name]

    # -- admission

    def _admit(self, now: float) -> None:
        """First come, first served; only a request whose prefix is being computed right now lets others pass it."""
        held: list[Sequence] = []
        while self.waiting and len(self.running) + len(held) < self.limits.n_slots:
            sequence = self.waiting.popleft()
            source, shared = self._best_prefix(sequence)
            if self._better_soon(sequence, shared):
                held.append(sequence)
                continue
            if not self._place(sequence, source, shared):
                self.waiting.appendleft(sequence)
                break
            sequence.phase = Phase.PREFILL
            sequence.started = now
            sequence.held_for = None
            self.running.append(sequence)
        self.waiting.extendleft(reversed(held))

    def _best_prefix(self, sequence: Sequence) -> tuple[Cells | None, int]:
        """The cells that hold the longest prefix of the prompt, and its length. The last token is never shared."""
        best, best_length = None, MIN_SHARED - 1
        most = len(sequence.tokens) - 1
        candidates = list(self.kept.values()) + [s.cells for s in self.running]
        for cells in candidates:
            limit = min(cells.computed, most)
            if limit <= best_length or cells.adapter != sequence.request.adapter:
                continue
            length = common_prefix(cells.tokens, sequence.tokens, limit)
            if length > best_length:
                best, best_length = cells, length
        if best is None:
            return None, 0
        while best.parent is not None and best.shared >= best_length:
            best = best.parent  # refer to the owner, so that the ones between need not be kept
        return best, best_length

    def _better_soon(self, sequence: Sequence, shared: int) -> bool:
        """Whether a running prefill will soon hold much more of this prompt; waited for once."""
        if sequence.held_for is not None:
            source = sequence.held_for
            return source.phase is Phase.PREFILL and not source.cancelled
        most = len(sequence.tokens) - 1
        for other in self.running:
            if other.phase is Phase.PREFILL and other.cells.adapter == sequence.request.adapter:
                limit = min(other.n_prompt, most)
                if limit >= shared + WORTH_WAITING:
                    length = common_prefix(other.tokens, sequence.tokens, limit)
                    if length >= max(shared, other.cells.computed) + WORTH_WAITING:
                        sequence.held_for = other
                        return True
        return False

    def _place(self, sequence: Sequence, source: Cells | None, shared: int) -> bool:
        """Give the sequence a slot and its cells, making room if need be. False where it has to wait."""
        total = sequence.n_prompt + sequence.request.max_tokens + self.limits.max_drafts
        if not self._make_room(total - shared, source):
            # The prefix itself may be what is in the way; only then can nobody else free the room.
            if self.running or source is None or not self._make_room(total, None):
                return False
            source, shared = None, 0
        slot = self._free.pop()
        cells = Cells(slot, sequence.tokens, sequence.request.adapter, reserved=total - shared)
        if source is not None:
            self.copy_cells(source.slot, slot, shared)
            source.users += 1
            source.proven = max(source.proven, shared)
            cells.parent, cells.shared, cells.computed = source, shared, shared
            if source.slot in self.kept:
                self.kept.move_to_end(source.slot)
            self.figures.hits += 1
            self.figures.cached_tokens += shared
        self.figures.requests += 1
        self.figures.prompt_tokens += len(sequence.tokens)
        self.used_cells += cells.reserved
        sequence.cells = cells
        sequence.figures.cached_tokens = shared
        return True

    def _make_room(self, needed: int, keep: Cells | None) -> bool:
        """Let go of prefixes, least recently used first, until `needed` cells and a slot are free."""
        while not self._free or self.used_cells + needed > self.limits.n_cells:
            victim = next((c for c in self.kept.values() if c.users == 0 and c is not keep), None)
            if victim is None:
                return False
            self._release(victim)
            self.figures.evicted += 1
        return True

    # -- the end of a sequence

    def finish(self, sequence: Sequence) -> None:
        """Free the sequence's slot; what it computed stays as a prefix for others while there is room."""
        sequence.phase = Phase.DONE
        sequence.drafts = []
        cells = sequence.cells
        if cells is None:
            self.waiting.remove(sequence)
            return
        self.running.remove(sequence)
        self.drop_cells(cells.slot, cells.computed)
        self.used_cells -= cells.reserved
        cells.reserved = cells.computed - cells.shared
        self.used_cells += cells.reserved
        cells.tokens = cells.tokens[: cells.computed]
        self.kept[cells.slot] = cells
        self._shrink()

    def _shrink(self) -> None:
        """Keep within the limits, least recently used first: the ends that nobody shared, then what has no users."""
        ends = [(cells, cells.unproven) for cells in self.kept.values()]
        unproven = sum(n for _, n in ends)
        for cells, n in ends:
            n = max(0, min(n, unproven - self.limits.kept_cells))
            unproven -= n
            cells.computed -= n
            cells.reserved -= n
            self.used_cells -= n
            if cells.reserved == 0 and cells.users == 0:
                self._release(cells)
            elif n:
                cells.tokens = cells.tokens[: cells.computed]
                self.drop_cells(cells.slot, cells.computed)
        excess = sum(c.reserved for c in self.kept.values()) - unproven - self.limits.proven_cells
        while excess > 0 and (victim := next((c for c in self.kept.values() if c.users == 0), None)):
            excess -= victim.reserved - victim.unproven
            self._release(victim)
            self.figures.evicted += 1

    def forget_prefixes(self) -> None:
        """Let go of every kept prefix that no running sequence refers to."""
        while victim := next((c for c in self.kept.values() if c.users == 0), None):
            self._release(victim)

    def _release(self, cells: Cells) -> None:
        del self.kept[cells.slot]
        self.drop_cells(cells.slot, 0)
        self._free.append(cells.slot)
        self.used_cells -= cells.reserved
        if cells.parent is not None:
            cells.parent.users -= 1
            cells.parent = None


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
