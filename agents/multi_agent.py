"""The whole conversation of the two agents about one question: link, plan, retrieve, word, verify.

    agents = MultiAgent(load("ipl_2024"), model)
    reply = await agents.ask("bumrah economy at the death?")

Knows nothing about HTTP, and of the model only `agents.model.TextModel`.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace

from agents.analyst import AnalystAgent
from agents.conversation import Conversations
from agents.messages import ANSWERED, Planned, Refusal, Reply, Retrieved, Worded
from agents.model import Generation, TextModel
from agents.retriever import RetrieverAgent
from data.query import QueryError
from data.season import Season

tracer = trace.get_tracer("cricket.agents")
Listener = Callable[[str, Any], None]  # ("plan", line), ("table", tables), ("text", piece)


class MultiAgent:
    """A retriever and an analyst over one season and one model. One object serves any number of questions at once."""

    def __init__(self, season: Season, model: TextModel, retriever: RetrieverAgent | None = None):
        self.season, self.model = season, model
        self.retriever = retriever or RetrieverAgent(season)
        self.analyst = AnalystAgent()
        self.conversations = Conversations()

    async def ask(
        self,
        question: str,
        conversation_id: str | None = None,
        deadline_s: float | None = None,
        listen: Listener | None = None,
    ) -> Reply:
        """Answer, ask back or decline; never raises for what a question says. `listen` hears of each step once done."""
        watch = _Watch(deadline_s)
        question = unicodedata.normalize("NFKC", question)  # some letters only look like others
        tell = listen or (lambda step, value: None)
        with watch.part("link"):
            question = self.conversations.whole(conversation_id, question, self.retriever.linker)
            linked = self.retriever.link(question)
            if conversation_id:
                self.conversations.remember(conversation_id, question, linked)
        watch.note("link", text=linked.text, mentions={m.placeholder: list(m.candidates) for m in linked.mentions})
        refusal = self.retriever.refuse_early(linked)
        if refusal:
            return watch.refused(refusal, None, conversation_id)
        with watch.part("plan"):
            try:
                planned: Planned = await self.retriever.plan(linked, self.model, watch.left())
            except QueryError as error:  # a plan cut off by its token limit
                refusal = Refusal(
                    "declined", "I could not understand that question; could you put it more simply?", "no_plan"
                )
                watch.note("plan", error=str(error))
                return watch.refused(refusal, None, conversation_id)
        watch.generated("plan", planned.generation, text=planned.text, line=str(planned.plan))
        with watch.part("retrieve"):
            retrieved: Retrieved | Refusal = self.retriever.retrieve(planned)
        if isinstance(retrieved, Refusal):
            return watch.refused(retrieved, str(planned.plan), conversation_id)
        watch.note("retrieve", rows=[len(t.rows) for t in retrieved.tables])
        tell("plan", retrieved.line)
        tell("table", retrieved.tables)
        with watch.part("answer"):
            worded: Worded = await self.analyst.answer(retrieved, self.model, watch.left())
        watch.generated("answer", worded.generation, by=worded.by, why=worded.why)
        tell("text", worded.text)
        return Reply(worded.text, ANSWERED, retrieved.line, retrieved.tables, worded.by, latency_ms=watch.latency(),
                     trace=tuple(watch.notes), conversation_id=conversation_id)  # fmt: skip


class _Watch:
    """Times the parts of one question, and keeps its trace."""

    def __init__(self, deadline_s: float | None):
        self.began = time.monotonic()
        self.deadline = None if deadline_s is None else self.began + deadline_s
        self.parts: dict[str, float] = {"queue": 0.0}
        self.notes: list[dict[str, Any]] = []

    @contextmanager
    def part(self, name: str):
        start = time.monotonic()
        with tracer.start_as_current_span(name):
            try:
                yield
            finally:
                self.parts[name] = self.parts.get(name, 0.0) + (time.monotonic() - start) * 1000

    def left(self) -> float | None:
        return None if self.deadline is None else max(0.001, self.deadline - time.monotonic())

    def note(self, step: str, **what: Any) -> None:
        self.notes.append({"step": step, **what})

    def generated(self, step: str, generation: Generation | None, **what: Any) -> None:
        if generation:
            self.parts["queue"] += generation.queued_ms
            self.parts[step] = max(0.0, self.parts[step] - generation.queued_ms)
            what |= {k: v for k, v in vars(generation).items() if k != "text"}
            what["generated"] = generation.text
        self.note(step, **what)

    def latency(self) -> dict[str, float]:
        total = (time.monotonic() - self.began) * 1000
        return {name: round(ms, 2) for name, ms in {**self.parts, "total": total}.items()}

    def refused(self, refusal: Refusal, line: str | None, conversation_id: str | None) -> Reply:
        self.note("refuse", reason=refusal.reason)
        return Reply(refusal.sentence, refusal.outcome, line, reason=refusal.reason, candidates=refusal.candidates,
                     latency_ms=self.latency(), trace=tuple(self.notes), conversation_id=conversation_id)  # fmt: skip
