"""The first steps of an engine, before its first request."""

from __future__ import annotations

import time

from serve.engine.runner import Runner
from serve.engine.scheduler import Chunk, Step
from serve.engine.sequence import Cells, Request, Sequence
from serve.engine.step_cost import StepCost

WARM_UP_TOKENS = 8, 1, 32, 8, 1, 32  # of the first steps; the very first is slow, and the cost of many is not linear


def warm_up(runner: Runner, cost: StepCost) -> None:
    """Touch the weights, and learn what each token adds to a step: drafting depends on it from the start."""
    start = 0
    warm = Sequence(Request([0]), [0] * sum(WARM_UP_TOKENS), 0.0, 0.0, cells=Cells(0, [], None))
    for n in WARM_UP_TOKENS:
        began = time.perf_counter()
        runner.decode(Step([Chunk(warm, start, start + n, [], 1)], None, n, 0))
        if start:
            cost.observe(n, 0, time.perf_counter() - began)
        start += n
    runner.drop_cells(0, 0)
