"""The two agents on one question: link its names, plan, retrieve, word, verify.

agents = MultiAgent(load("ipl_2024"), model)
reply = await agents.ask("bumrah economy at the death?")
async for event in agents.stream("bumrah economy at the death?"): ...     # Planned, Retrieved, Worded, Reply
"""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from agents.analyst import AnalystAgent
from agents.conversation import MAX_FOLLOW_UP_WORDS, Conversations, Turn, turn_of, used
from agents.coverage import names_left_out
from agents.leaders import leaders, settled
from agents.messages import ANSWERED, DECLINED, Before, Event, Planned, Refusal, Reply, Retrieved
from agents.model import TextModel
from agents.retriever import RetrieverAgent
from agents.trace import AnswerStep, LinkStep, PlanFailed, PlanStep, QuestionTrace, RefuseStep, RetrieveStep
from data.linking.mention import Linked
from data.query import QueryError
from data.season import Season
from data.wording.conditions import of_league

# in Hindi: "Sorry, I understand only English (or Hindi in Latin letters)."
OTHER_SCRIPT = {
    "DEVANAGARI": "माफ़ कीजिए, मैं केवल अंग्रेज़ी (या रोमन अक्षरों में हिंदी) समझता हूँ।",
    "": "Sorry, I can't read that script: I only understand English, or Hindi in Latin letters.",
}
NO_PLAN = Refusal(DECLINED, "I could not understand that question; could you put it more simply?", "no_plan")


class MultiAgent:
    """A retriever and an analyst over one season and one model. One object serves any number of questions at once."""

    def __init__(self, season: Season, model: TextModel, retriever: RetrieverAgent | None = None) -> None:
        self.season: Season = season
        self.model: TextModel = model
        self.retriever: RetrieverAgent = retriever or RetrieverAgent(season)
        self.analyst = AnalystAgent()
        self.conversations = Conversations()

    def over(self, retriever: RetrieverAgent) -> MultiAgent:
        """The same agents over another state of the season, with the conversations there are."""
        other = copy.copy(self)
        other.season, other.retriever = retriever.season, retriever
        return other

    async def ask(
        self, question: str, conversation_id: str | None = None, deadline_s: float | None = None, owner: str = ""
    ) -> Reply:
        """Answer, ask back or decline. Raises what the model raises, and nothing for what a question says."""
        *_, reply = [event async for event in self.stream(question, conversation_id, deadline_s, owner)]
        assert isinstance(reply, Reply)
        return reply

    async def stream(
        self, question: str, conversation_id: str | None = None, deadline_s: float | None = None, owner: str = ""
    ) -> AsyncGenerator[Event, None]:
        """The results of the steps as each is done, the Reply last; a refused question has fewer. Raises as `ask`.

        A conversation belongs to its `owner`: others who send its id begin one of their own.
        """
        trace = QuestionTrace(deadline_s)
        question = unicodedata.normalize("NFKC", question)  # styled letters become plain ones
        with trace.timed("link"):
            linked = self.retriever.link(question)
            turn = self.conversations.last(owner, conversation_id)
            turn = turn and turn.known_to(self.retriever.names)
            follow_up = turn.join(linked) if turn and len(question.split()) <= MAX_FOLLOW_UP_WORDS else None
        trace.steps.link = _link_step(linked)
        if refusal := _refuse_script(question) or self.retriever.refuse_early(linked):
            yield _refused(trace, refusal, None, conversation_id)
            return

        readings = ([follow_up] if follow_up else []) + [(linked, None)]
        try:
            planned, retrieved = await self._read(readings, trace)
        except QueryError as error:
            trace.steps.plan = PlanFailed(str(error))
            yield _refused(trace, NO_PLAN, None, conversation_id)
            return
        if conversation_id and (turn := self._turn(planned, retrieved)):
            self.conversations.remember(owner, conversation_id, turn)
        yield planned
        if isinstance(retrieved, Refusal):
            yield _refused(trace, retrieved, str(planned.plan), conversation_id)
            return
        trace.steps.retrieve = RetrieveStep(tuple(len(table.rows) for table in retrieved.tables))
        yield retrieved

        with trace.timed("answer"):
            worded = await self.analyst.answer(retrieved, self.model, trace.time_left_s())
        trace.queued("answer", worded.generation)
        worded = replace(worded, text=retrieved.note + of_league(worded.text, self.season.league))
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

    async def _read(
        self, readings: Sequence[tuple[Linked, Before | None]], trace: QuestionTrace
    ) -> tuple[Planned, Retrieved | Refusal]:
        """The first reading whose line can be read and computed, or the last one. Raises QueryError."""
        for linked, before in readings[:-1]:
            try:
                planned, retrieved = await self._read_once(linked, before, trace)
            except QueryError:
                continue
            if not (isinstance(retrieved, Refusal) and retrieved.reason == "not_computable"):
                return planned, retrieved
        return await self._read_once(*readings[-1], trace)

    async def _read_once(
        self, linked: Linked, before: Before | None, trace: QuestionTrace
    ) -> tuple[Planned, Retrieved | Refusal]:
        with trace.timed("plan"):
            planned = await self.retriever.plan(linked, self.model, trace.time_left_s(), before)
            planned = used(planned) if before else planned
        trace.queued("plan", planned.generation)
        trace.steps.link = _link_step(planned.linked)
        shown = f"{before.line} > {before.leaders}" if before else None
        trace.steps.plan = PlanStep(planned.text, str(planned.plan), planned.generation, shown, planned.drafts)
        with trace.timed("retrieve"):
            retrieved = self.retriever.retrieve(planned)
        if isinstance(retrieved, Retrieved) and (names := names_left_out(planned.plan, planned.text)):
            mention = planned.linked.by_placeholder()[names[0]]
            sentence = f"I can't fit {mention.text} into what I can compute; could you put it more simply?"
            return planned, Refusal(DECLINED, sentence, "left_out")
        return planned, retrieved

    def _turn(self, planned: Planned, retrieved: Retrieved | Refusal) -> Turn | None:
        """What the conversation remembers of a question."""
        if isinstance(retrieved, Refusal):
            return turn_of(planned)
        names, matches = self.retriever.names, self.retriever.statistics.matches
        mentions = [settled(m, retrieved.names[m.placeholder], names) for m in planned.linked.mentions]
        planned = replace(retrieved.planned, linked=replace(planned.linked, mentions=tuple(mentions)))
        return turn_of(planned, leaders(retrieved, names, matches))


def _refuse_script(question: str) -> Refusal | None:
    """The refusal of a question most of whose letters are not Latin ones, in its own script where that is known."""
    scripts = [unicodedata.name(c, "").partition(" ")[0] for c in question if c.isalpha()]
    if 2 * scripts.count("LATIN") >= len(scripts):
        return None
    return Refusal(DECLINED, OTHER_SCRIPT.get(max(scripts, key=scripts.count), OTHER_SCRIPT[""]), "no_plan")


def _link_step(linked: Linked) -> LinkStep:
    return LinkStep(linked.text, {m.placeholder: m.candidates for m in linked.mentions})


def _refused(trace: QuestionTrace, refusal: Refusal, line: str | None, conversation_id: str | None) -> Reply:
    trace.steps.refuse = RefuseStep(refusal.reason)
    return Reply(
        refusal.sentence,
        refusal.outcome,
        line,
        reason=refusal.reason,
        candidates=refusal.candidates,
        suggestions=refusal.suggestions,
        latency_ms=trace.latency_ms(),
        trace=trace.steps,
        conversation_id=conversation_id,
    )
