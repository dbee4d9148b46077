"""A request, the sequence it becomes while it runs, the completion it ends with, and the caller's handle of it."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as TokenList
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from serve.engine.errors import BadSetting
from serve.engine.grammar.automaton import State


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is sampled; the defaults are greedy. Names and meanings are llama.cpp's.

    Raises BadSetting for a value out of range.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    penalty_last_n: int = 64
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("temperature", 0.0, 10.0),
            ("top_p", 0.0, 1.0),
            ("min_p", 0.0, 1.0),
            ("repeat_penalty", 0.1, 10.0),
            ("frequency_penalty", -2.0, 2.0),
            ("presence_penalty", -2.0, 2.0),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise BadSetting(f"{name} is {value}: give a number from {low:g} to {high:g}")
        if self.top_k < 0 or self.penalty_last_n < 0:
            raise BadSetting("top_k and penalty_last_n are counts: give 0 (off) or more")
        if not all(math.isfinite(bias) for bias in self.logit_bias.values()):
            raise BadSetting("logit_bias has a value that is not finite: use -100 to forbid a token")

    @property
    def greedy(self) -> bool:
        """True if the next token is the one with the largest logit, so that no sampler chain is needed."""
        penalised = self.repeat_penalty != 1.0 or self.frequency_penalty or self.presence_penalty
        return self.temperature == 0.0 and not penalised and not self.logit_bias


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to complete. `prompt` holds token ids; `deadline_s` counts from submission.

    A string of `stop` ends the text and is not part of it. `on_text` receives UTF-8 text as it is generated, on the
    engine's thread, and must return at once. `grammar` is GBNF. Slots and cells are shared fairly between owners, and
    prefixes are not shared between them; a request in the background gives way to others.
    """

    prompt: TokenList[int]
    max_tokens: int = 128
    sampling: Sampling = Sampling()
    grammar: str | None = None
    deadline_s: float | None = None
    adapter: str | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    on_text: Callable[[str], None] | None = None
    owner: str = ""
    background: bool = False


@dataclass(slots=True)
class RequestStats:
    """Usage of one request: tokens by origin, milliseconds by stage."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    forced_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    queued_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    preempted: int = 0  # times that its cells were needed for others


@dataclass(frozen=True, slots=True)
class Completion:
    """The tokens and text generated; `finish_reason` is "stop", "length", "deadline" or "cancelled"."""

    tokens: list[int]
    text: str
    finish_reason: str
    stats: RequestStats


class Phase(enum.Enum):
    """The stage a sequence is in."""

    WAITING = "waiting"
    PREFILL = "prefill"
    DECODE = "decode"
    DONE = "done"


WAITING, PREFILL, DECODE, DONE = Phase  # read several times a step; an enum's attribute takes ten times as long


@dataclass(eq=False, slots=True)
class Cells:
    """The KV cells of one sequence: `tokens[:computed]` are in the cache under the native sequence id `slot`.

    The first `shared` of them belong to `parent` and are only referenced. `ref_count` other runs of cells reference
    this one, none of them more than its first `shared_out` cells, which stay when its own sequence ends. `reserved`
    cells count against the cache's budget: those that this sequence owns, and some that it will need next.
    """

    slot: int
    tokens: list[int]
    adapter: str | None
    owner: str = ""
    computed: int = 0
    cached: int = 0  # of `computed`, those that were found in a cache
    shared: int = 0
    shared_out: int = 0
    reserved: int = 0
    ref_count: int = 0
    parent: Cells | None = None


NO_CELLS = Cells(-1, [], None)  # of a sequence that waits; never changed


@dataclass(eq=False, slots=True)
class Sequence:
    """A request that waits or runs. `tokens` is the prompt and the completion; `cells.computed` of them are cached."""

    request: Request
    tokens: list[int]
    submitted: float
    deadline: float
    phase: Phase = WAITING
    cancelled: bool = False
    cells: Cells = NO_CELLS
    held_for: Sequence | None = None  # the sequence whose prefill computes the prefix that this one waits for
    stats: RequestStats = field(default_factory=RequestStats)
    future: Future[Completion] = field(default_factory=Future)
    started: float = 0.0
    resumed: float = 0.0  # when it last got cells
    first_token: float = 0.0
    max_length: int = field(init=False)  # in tokens, with the prompt
    grammar: State | None = None
    error: Exception | None = None  # why it fails before it starts
    # A SamplerChain, an NgramLookup and an AcceptanceRate; importing these types would make a cycle.
    sampler: Any = None
    lookup: Any = None
    acceptance: Any = None
    text: bytearray = field(default_factory=bytearray)
    sent: int = 0  # bytes of `text` that on_text has received

    def __post_init__(self) -> None:
        self.max_length = len(self.tokens) + self.request.max_tokens

    @property
    def n_prompt(self) -> int:
        return self.stats.prompt_tokens

    @property
    def n_generated(self) -> int:
        """Tokens of the completion so far, forced ones included."""
        return len(self.tokens) - self.stats.prompt_tokens

    @property
    def pending(self) -> int:
        """Tokens that are known and not yet in the cache."""
        return len(self.tokens) - self.cells.computed


class Handle:
    """The caller's side of a request; `on_cancel` wakes the engine."""

    def __init__(self, sequence: Sequence, on_cancel: Callable[[], None]) -> None:
        self.future = sequence.future
        self._sequence, self._on_cancel = sequence, on_cancel
        self.future.add_done_callback(self._cancel_if_cancelled)

    def result(self, timeout: float | None = None) -> Completion:
        """Wait for the completion; raises what the request failed with."""
        return self.future.result(timeout)

    def cancel(self) -> None:
        """Stop the request: its slot is free before the next step, its finish reason is "cancelled"."""
        self._sequence.cancelled = True
        self._on_cancel()

    def _cancel_if_cancelled(self, future: Future[Completion]) -> None:
        if future.cancelled():
            self.cancel()
