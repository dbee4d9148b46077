"""Statistics of an engine: a snapshot of its state and load, and totals since its start."""

from __future__ import annotations

from dataclasses import dataclass

from serve.engine.kv_cache import CacheStats
from serve.engine.sequence import RequestStats


@dataclass(slots=True)
class Totals:
    """Sums over all finished requests and all steps since the start."""

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    overdue: int = 0
    steps: int = 0
    busy_s: float = 0.0  # in all steps
    native_s: float = 0.0  # of those, inside llama.cpp
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    forced_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0

    def add(self, outcome: str | Exception, stats: RequestStats) -> None:
        """Add a request that ended; `outcome` is its finish reason or its error."""
        self.requests += 1
        self.failed += isinstance(outcome, Exception)
        self.cancelled += outcome == "cancelled"
        self.overdue += outcome == "deadline"
        for name in ("prompt", "completion", "cached", "forced", "drafted", "accepted"):
            name += "_tokens"
            setattr(self, name, getattr(self, name) + getattr(stats, name))


@dataclass(frozen=True, slots=True)
class Health:
    """A snapshot of the engine: state, load, and totals since the start."""

    alive: bool
    ready: bool
    draining: bool
    error: str | None
    waiting: int
    running: int
    used_cells: int
    n_cells: int
    cache: CacheStats
    totals: Totals
