"""The trace of a question: what each step of the agents read and produced, and how long it took.

reply.trace.link.text, reply.trace.line         the steps as records
reply.trace.as_json()                           the same for replies and the command line
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Literal

from opentelemetry import trace

from agents.model import Generation

tracer = trace.get_tracer("cricket.agents")

WordedBy = Literal["model", "plain", "file"]  # the model, plain wording made from the table, a row of a user's file


@dataclass(frozen=True)
class LinkStep:
    """`text` is the question with placeholders; `mentions` holds the keys each may stand for, none if unknown."""

    text: str
    mentions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class PlanStep:
    """`text` is the question as the model read it, `line` the chosen query line, `generation` the first of `drafts`.

    `before`, of a follow-up: the line before it and what its answer named, as in the prompt.
    """

    text: str
    line: str
    generation: Generation | None = None
    before: str | None = None
    drafts: int = 1


@dataclass(frozen=True)
class PlanFailed:
    """No query line could be read from what the model generated."""

    error: str


@dataclass(frozen=True)
class RetrieveStep:
    """`rows`: the number of rows of each table."""

    rows: tuple[int, ...]


@dataclass(frozen=True)
class AnswerStep:
    """`why` says what was wrong with the model's sentence where plain wording replaced it."""

    by: WordedBy
    why: str = ""
    generation: Generation | None = None


@dataclass(frozen=True)
class RefuseStep:
    """The question was declined or asked back; `reason` as in `agents.messages.Refusal`."""

    reason: str


Step = LinkStep | PlanStep | PlanFailed | RetrieveStep | AnswerStep | RefuseStep


@dataclass
class Trace:
    """The steps that a question went through; None for those it did not reach."""

    link: LinkStep | None = None
    plan: PlanStep | PlanFailed | None = None
    retrieve: RetrieveStep | None = None
    answer: AnswerStep | None = None
    refuse: RefuseStep | None = None

    @property
    def line(self) -> str | None:
        """The query line over placeholders, if there was one."""
        return self.plan.line if isinstance(self.plan, PlanStep) else None

    @property
    def generations(self) -> list[Generation]:
        """What the model generated for the plan and the answer."""
        planned = self.plan.generation if isinstance(self.plan, PlanStep) else None
        worded = self.answer.generation if self.answer else None
        return [generation for generation in (planned, worded) if generation is not None]

    def as_json(self) -> list[dict[str, Any]]:
        """One object for each step, in order: {"step": "link", "text": ...}."""
        reached = ((f.name, getattr(self, f.name)) for f in fields(self))
        return [{"step": name} | _as_json(step) for name, step in reached if step is not None]


def _as_json(step: Step) -> dict[str, Any]:
    found = dict(vars(step))
    if isinstance(step, PlanStep) and step.before is None:
        del found["before"]
    if isinstance(step, PlanStep | AnswerStep):
        generation = found.pop("generation")
        if generation is not None:
            costs = dict(vars(generation))
            found |= {"generated": costs.pop("text")} | costs
    return found


class QuestionTrace:
    """Times the steps of one question and collects its trace. Each timed step is a span of OpenTelemetry too."""

    def __init__(self, deadline_s: float | None) -> None:
        self.steps = Trace()
        self._began: float = time.monotonic()
        self._deadline: float | None = None if deadline_s is None else self._began + deadline_s
        self._times_ms: dict[str, float] = {"queue": 0.0}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began = time.monotonic()
        with tracer.start_as_current_span(step):
            try:
                yield
            finally:
                self._times_ms[step] = self._times_ms.get(step, 0.0) + (time.monotonic() - began) * 1000

    def queued(self, step: str, generation: Generation | None) -> None:
        """Count the time that a step's generation waited for the engine as `queue`, not as the step's own."""
        if generation is not None:
            self._times_ms["queue"] += generation.queued_ms
            self._times_ms[step] = max(0.0, self._times_ms[step] - generation.queued_ms)

    def time_left_s(self) -> float | None:
        """Seconds until the deadline, at least a millisecond; None without a deadline."""
        return None if self._deadline is None else max(0.001, self._deadline - time.monotonic())

    def latency_ms(self) -> dict[str, float]:
        """Milliseconds by step (queue, link, plan, retrieve, answer) and in total, so far."""
        total = (time.monotonic() - self._began) * 1000
        return {name: round(ms, 2) for name, ms in {**self._times_ms, "total": total}.items()}
