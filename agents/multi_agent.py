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
from agents.coverage import (
    exceptions_dropped,
    exceptions_turned_round,
    groups_dropped,
    names_left_out,
    not_said,
    people_dropped,
)
from agents.knowledge import Found, answered, with_what_it_says
from agents.leaders import leaders, settled
from agents.messages import ANSWERED, DECLINED, Before, Event, Planned, Refusal, Reply, Retrieved, Worded
from agents.model import TextModel
from agents.retriever import RetrieverAgent
from agents.trace import AnswerStep, LinkStep, PlanFailed, PlanStep, QuestionTrace, RefuseStep, RetrieveStep
from agents.yes_no import yes_or_no
from data.dataset.knowledge import DISPUTED
from data.linking.mention import Linked
from data.phrasing.implications import unmet
from data.query import QueryError
from data.season import Season
from data.text import plain
from data.wording.conditions import of_league

# in Hindi: "Sorry, I understand only English (or Hindi in Latin letters)."
OTHER_SCRIPT = {
    "DEVANAGARI": "माफ़ कीजिए, मैं केवल अंग्रेज़ी (या रोमन अक्षरों में हिंदी) समझता हूँ।",
    "": "Sorry, I can't read that script: I only understand English, or Hindi in Latin letters.",
}
NO_PLAN = Refusal(DECLINED, "I could not understand that question; could you put it more simply?", "no_plan")
UNSURE, MADE_OF_IT = "I'm not sure that I understand that; could you put it more simply?", "This is what I made of it."


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
            found = self.retriever.look_up(question, linked)
            turn = self.conversations.last(owner, conversation_id)
            turn = turn and turn.known_to(self.retriever.names)
            follow_up = turn.join(linked) if turn and len(question.split()) <= MAX_FOLLOW_UP_WORDS else None
        trace.steps.link = _link_step(linked)

        def from_file() -> tuple[Worded, Reply]:
            """The answer of the row that was found."""
            assert found is not None and self.retriever.knowledge is not None
            if conversation_id and (turn := self.retriever.knowledge.turn(found, linked)):
                self.conversations.remember(owner, conversation_id, turn)
            reply = replace(answered(found, trace), conversation_id=conversation_id)
            return Worded(reply.answer, reply.worded_by), reply

        refusal = _refuse_script(question) or self.retriever.refuse_early(linked)
        if found and (refusal or found.alone):
            for event in from_file():
                yield event
            return
        if refusal:
            yield _refused(trace, refusal, None, conversation_id)
            return

        readings = ([follow_up] if follow_up else []) + [(linked, None)]
        try:
            known = self._known(found, linked, trace) if found or linked.mentions or not follow_up else None
            planned, retrieved = known or await self._read(readings, trace)
        except QueryError as error:
            trace.steps.plan = PlanFailed(str(error))
            if found:
                for event in from_file():
                    yield event
                return
            yield _refused(trace, NO_PLAN, None, conversation_id)
            return
        if found and (isinstance(retrieved, Refusal) or not (found.same or self.retriever.is_sure(planned))):
            for event in from_file():
                yield event
            return
        if conversation_id and (new := self._turn(planned, retrieved)):
            self.conversations.remember(owner, conversation_id, new.after(turn))
        yield planned
        if isinstance(retrieved, Refusal):
            yield _refused(trace, retrieved, str(planned.plan), conversation_id)
            return
        trace.steps.retrieve = RetrieveStep(tuple(len(table.rows) for table in retrieved.tables))
        yield retrieved

        with trace.timed("answer"):
            worded = await self.analyst.answer(retrieved, self.model, trace.time_left_s())
        trace.queued("answer", worded.generation)
        said = yes_or_no(planned.text, retrieved.tables, retrieved.names)
        worded = replace(
            worded, text=retrieved.note + (f"{said}. " if said else "") + of_league(worded.text, self.season.league)
        )
        disputed = found if found and found.row.kind == DISPUTED else None
        worded = replace(worded, text=with_what_it_says(disputed, worded.text)) if disputed else worded
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
            source=disputed.source if disputed else None,
        )

    def _known(self, found: Found | None, linked: Linked, trace: QuestionTrace) -> tuple[Planned, Retrieved] | None:
        """What a row of the user's file had computed: its query line and the tables; None where there is none."""
        line = self.retriever.knowledge.plan(found, linked) if self.retriever.knowledge else None
        if line is None:
            return None
        with trace.timed("retrieve"):
            planned = Planned(linked, plain(linked.text), line)
            retrieved = self.retriever.retrieve(planned)
        if isinstance(retrieved, Refusal):
            return None
        trace.steps.plan = PlanStep(planned.text, str(line))
        return planned, retrieved

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
        if isinstance(retrieved, Retrieved) and (unfit := self._unfit(planned)):
            sentence = f"I can't fit {unfit} into what I can compute; could you put it more simply?"
            return planned, Refusal(DECLINED, sentence, "left_out")
        if isinstance(retrieved, Retrieved) and not planned.sure:
            return planned, _unsure(retrieved.line)
        if isinstance(retrieved, Refusal) and retrieved.reason == "unsupported" and _misquotes(planned):
            return planned, _unsure(*retrieved.suggestions)
        return planned, retrieved

    def _unfit(self, planned: Planned) -> str | None:
        """A part of the question that the line certainly does not have: a name, what is to be left out, who it was."""
        plan, text = planned.plan, planned.text
        if names := names_left_out(plan, text):
            return planned.linked.by_placeholder()[names[0]].text
        implied = unmet(plan, text)
        dropped = [w for w in exceptions_dropped(plan, text) if w in implied]
        dropped += people_dropped(plan, text) + groups_dropped(plan, text)
        found = [*exceptions_turned_round(plan, text), *dropped]
        return f'"{found[0]}"' if found else None

    def _turn(self, planned: Planned, retrieved: Retrieved | Refusal) -> Turn | None:
        """What the conversation remembers of a question."""
        if isinstance(retrieved, Refusal):
            return turn_of(planned)
        names, matches = self.retriever.names, self.retriever.statistics.matches
        mentions = [settled(m, retrieved.names[m.placeholder], names) for m in planned.linked.mentions]
        planned = replace(retrieved.planned, linked=replace(planned.linked, mentions=tuple(mentions)))
        return turn_of(planned, leaders(retrieved, names, matches))


def _unsure(*made: str) -> Refusal:
    """What is said where a line is a guess; `made`: the line, if it can be computed."""
    return Refusal(DECLINED, f"{UNSURE} {MADE_OF_IT}" if made else UNSURE, "unsure", suggestions=made)


def _misquotes(planned: Planned) -> bool:
    """Whether a line quotes a condition in words that nobody said."""
    before = planned.before.line.replace('"', " ") if planned.before else ""
    return bool(not_said(planned.plan, f"{planned.text} {before}"))


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
