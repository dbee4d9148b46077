"""How fast query lines are answered: `python -m data bench --season ipl_2024 --lines 500`.

Random lines over a season, one after the other in one thread: p50 and p99 in milliseconds, of the clock and of the
processor (on a machine that does other work the clock includes waiting).
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from data.query import QueryError, Statistics
from data.query.random_lines import random_query


@dataclass(frozen=True)
class Speed:
    """Milliseconds a line; `slowest` holds the lines that took most of the processor."""

    lines: int
    refused: int
    p50: float
    p99: float
    cpu_p50: float
    cpu_p99: float
    slowest: tuple[tuple[float, str], ...]

    def __str__(self) -> str:
        return (f"{self.lines} lines ({self.refused} more refused): p50 {self.p50:.1f} ms, p99 {self.p99:.1f} ms; "
                f"of the processor p50 {self.cpu_p50:.1f} ms, p99 {self.cpu_p99:.1f} ms")  # fmt: skip


def measure(statistics: Statistics, lines: int = 500, seed: int = 1) -> Speed:
    """Answer `lines` random lines; lines that the engine refuses are not counted."""
    rng = random.Random(seed)
    clock: list[float] = []
    cpu: list[tuple[float, str]] = []
    refused = 0
    while len(clock) < lines:
        query = random_query(rng, statistics)
        began, began_cpu = time.perf_counter(), time.thread_time()
        try:
            statistics.answer(query)
        except QueryError:
            refused += 1
            continue
        clock.append(1000 * (time.perf_counter() - began))
        cpu.append((1000 * (time.thread_time() - began_cpu), str(query)))
    times = sorted(t for t, _ in cpu)
    clock.sort()
    middle, late = lines // 2, int(lines * 0.99)
    return Speed(lines, refused, clock[middle], clock[late], times[middle], times[late],
                 tuple(sorted(cpu, reverse=True)[:3]))  # fmt: skip
