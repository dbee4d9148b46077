"""A request, the sequence it becomes while it runs, and the completion it ends as.

Plain records without behaviour of their own beyond bookkeeping. This module knows nothing about scheduling, about
llama.cpp or about HTTP.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as TokenList
from dataclasses import dataclass, field
from typing import Any

from serve.engine.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn; the defaults are greedy. Names and meanings are llama.cpp's."""

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
            raise BadSetting("logit_bias holds a value that is not finite: use -100 to forbid a token")

    @property
    def greedy(self) -> bool:
        """True where the answer is the largest logit and no sampler chain is needed."""
        penalised = self.repeat_penalty != 1.0 or self.frequency_penalty or self.presence_penalty
        return self.temperature == 0.0 and not penalised and not self.logit_bias


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to complete. `prompt` is token ids, `deadline_s` counts from the moment it is submitted.

    `stop` strings end the text before themselves. `on_text` receives UTF-8 text as it appears; it is called on the
    engine's thread and must return at once. `grammar` is GBNF.
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


@dataclass(slots=True)
class Figures:
    """What one request cost: milliseconds by stage and tokens by origin."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    forced_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    queued_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a request: "stop" | "length" | "deadline" | "cancelled", with the tokens and text made until then."""

    tokens: list[int]
    text: str
    finish_reason: str
    figures: Figures


class Phase(enum.Enum):
    """Where a sequence is in its life."""

    WAITING = "waiting"
    PREFILL = "prefill"
    DECODE = "decode"
    DONE = "done"


WAITING, PREFILL, DECODE, DONE = Phase  # looked at several times a step; an enum's attribute takes ten times as long


@dataclass(eq=False, slots=True)
class Cells:
    """A run of KV cells: `tokens[:computed]` are in the cache under the native sequence id `slot`.

    The first `shared` of them belong to `parent` and are only referenced. `users` refer to this run, to no more than
    its first `lent` cells, which stay for them when its sequence ends. `reserved` is what this run may come to own, in
    cells, and what the budget counts.
    """

    slot: int
    tokens: list[int]
    adapter: str | None
    computed: int = 0
    shared: int = 0
    lent: int = 0
    reserved: int = 0
    users: int = 0
    parent: Cells | None = None


@dataclass(eq=False, slots=True)
class Sequence:
    """A request under way. `tokens` is the prompt and all that was made; `cells.computed` of them are in the cache."""

    request: Request
    tokens: list[int]
    submitted: float
    deadline: float
    phase: Phase = WAITING
    cancelled: bool = False
    cells: Cells | None = None
    held_for: Sequence | None = None
    drafts: list[int] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)
    started: float = 0.0
    first_token: float = 0.0
    most: int = field(init=False)  # tokens at which it ends, the prompt's included
    # What only the engine's postprocessing looks at:
    handle: Any = None
    chain: Any = None
    grammar: Any = None
    lookup: Any = None
    acceptance: Any = None
    text: bytearray = field(default_factory=bytearray)
    sent: int = 0

    def __post_init__(self) -> None:
        self.most = len(self.tokens) + self.request.max_tokens

    @property
    def n_prompt(self) -> int:
        return self.figures.prompt_tokens

    @property
    def made(self) -> int:
        """Tokens made so far, forced ones included."""
        return len(self.tokens) - self.figures.prompt_tokens

    @property
    def pending(self) -> int:
        """Tokens that are known and not yet in the cache."""
        return len(self.tokens) - (self.cells.computed if self.cells else 0)
