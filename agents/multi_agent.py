"""The two agents on one question: link its names, plan, retrieve, word, verify.

agents = MultiAgent(load("ipl_2024"), model)
reply = await agents.ask("bumrah economy at the death?")
async for event in agents.stream("bumrah economy at the death?"): ...     # Planned, Retrieved, Worded, Reply
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncGenerator

from agents.analyst import AnalystAgent
from agents.conversation import Conversations
from agents.messages import ANSWERED, DECLINED, Event, Refusal, Reply
from agents.model import TextModel
from agents.retriever import RetrieverAgent
from agents.trace import AnswerStep, LinkStep, PlanFailed, PlanStep, QuestionTrace, RefuseStep, RetrieveStep
from data.query import QueryError
from data.season import Season

NO_PLAN = Refusal(DECLINED, "I could not understand that question; could you put it more simply?", "no_plan")


class MultiAgent:
    """A retriever and an analyst over one season and one model. One object serves any number of questions at once."""

    def __init__(self, season: Season, model: TextModel, retriever: RetrieverAgent | None = None) -> None:
        self.season: Season = season
        self.model: TextModel = model
        self.retriever: RetrieverAgent = retriever or RetrieverAgent(season)
        self.analyst = AnalystAgent()
        self.conversations = Conversations()

    async def ask(self, question: str, conversation_id: str | None = None, deadline_s: float | None = None) -> Reply:
        """Answer, ask back or decline. Raises what the model raises, and nothing for what a question says."""
        *_, reply = [event async for event in self.stream(question, conversation_id, deadline_s)]
        assert isinstance(reply, Reply)
        return reply

    async def stream(
        self, question: str, conversation_id: str | None = None, deadline_s: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """The results of the steps as each is done, the Reply last; a refused question has fewer. Raises as `ask`."""
        trace = QuestionTrace(deadline_s)
        question = unicodedata.normalize("NFKC", question)  # styled letters become plain ones
        with trace.timed("link"):
            question = self.conversations.complete(conversation_id, question, self.retriever.linker)
            linked = self.retriever.link(question)
            if conversation_id:
                self.conversations.remember(conversation_id, question, linked)
        trace.steps.link = LinkStep(linked.text, {m.placeholder: m.candidates for m in linked.mentions})
        if refusal := self.retriever.refuse_early(linked):
            yield _refused(trace, refusal, None, conversation_id)
            return

        planned, failure = None, ""
        with trace.timed("plan"):
            try:
                planned = await self.retriever.plan(linked, self.model, trace.time_left_s())
            except QueryError as error:
                failure = str(error)
        if planned is None:
            trace.steps.plan = PlanFailed(failure)
            yield _refused(trace, NO_PLAN, None, conversation_id)
            return
        trace.queued("plan", planned.generation)
        trace.steps.plan = PlanStep(planned.text, str(planned.plan), planned.generation)
        yield planned

        with trace.timed("retrieve"):
            retrieved = self.retriever.retrieve(planned)
        if isinstance(retrieved, Refusal):
            yield _refused(trace, retrieved, str(planned.plan), conversation_id)
            return
        trace.steps.retrieve = RetrieveStep(tuple(len(table.rows) for table in retrieved.tables))
        yield retrieved

        with trace.timed("answer"):
            worded = await self.analyst.answer(retrieved, self.model, trace.time_left_s())
        trace.queued("answer", worded.generation)
        trace.steps.answer = AnswerStep(worded.by, worded.why, worded.generation)
        yield worded
        yield Reply(
            worded.text,
            ANSWERED,
            retrieved.line,
            retrieved.tables,
            worded.by,
            latency_ms=trace.latency_ms(),
            trace=trace.steps,
            conversation_id=conversation_id,
        )


def _refused(trace: QuestionTrace, refusal: Refusal, line: str | None, conversation_id: str | None) -> Reply:
    trace.steps.refuse = RefuseStep(refusal.reason)
    return Reply(
        refusal.sentence,
        refusal.outcome,
        line,
        reason=refusal.reason,
        candidates=refusal.candidates,
        latency_ms=trace.latency_ms(),
        trace=trace.steps,
        conversation_id=conversation_id,
    )
