"""What each row of a user's file is for: decides between a query line to learn and an answer to keep.

    plans = RowPlans(load("ipl_2023"), LineWriter("train/base"))
    decided = plans.decide(rows)            # a Decision for each row

A row is a plan where a query line computes its answer, disputed where a line that is not in doubt computes another
figure, and knowledge where the record does not hold the fact or no line is found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.coverage import exceptions_dropped, left_out, not_said
from agents.messages import Planned, Refusal, Retrieved
from agents.retriever import RetrieverAgent
from data.dataset.answer_facts import AnswerFacts
from data.dataset.knowledge import DISPUTED, KNOWLEDGE, PLAN, Kind
from data.dataset.user_files import UserRow
from data.linking.mention import Linked
from data.phrasing.implications import unmet
from data.query import QueryError, parse
from data.season import Season
from data.text import PLACEHOLDER, plain
from data.wording.sentence import sentence
from data.wording.sheet import fill, sheet
from train.query_lines import LineWriter

SAMPLES = 8  # lines drawn for a row whose likeliest line does not compute its answer
LEAST_VOTES = 2  # of them for an answer with which a wrong line may agree by chance
SURE_VOTES = 6  # of them that compute the same as the likeliest line, before it overrules a row


@dataclass(frozen=True)
class Decision:
    """What a row is for. `line` is over placeholders, `query` the same with names; empty for knowledge.

    `computed`: the sentence of the statistics where they say something else.
    """

    row: UserRow
    kind: Kind
    linked: str = ""
    line: str = ""
    query: str = ""
    computed: str = ""


@dataclass(frozen=True)
class _Reading:
    """One query line of a question, computed."""

    line: str
    retrieved: Retrieved
    doubtful: bool

    @property
    def figures(self) -> tuple[object, ...]:
        """What two lines that mean the same have in common: the leading rows."""
        return tuple(tuple(table.rows[:1]) for table in self.retrieved.tables)


class RowPlans:
    """Decides about rows over one season. `writer` proposes the lines."""

    def __init__(self, season: Season, writer: LineWriter) -> None:
        self.retriever = RetrieverAgent(season)
        self.facts = AnswerFacts(self.retriever.linker)
        self.writer = writer

    def decide(self, rows: Sequence[UserRow]) -> list[Decision]:
        """A decision for each row, in their order."""
        linked = [self.retriever.link(row.question) for row in rows]
        texts = [plain(one.text) for one in linked]
        able = [i for i, one in enumerate(linked) if not self.retriever.refuse_early(one) and texts[i]]
        likeliest = dict(zip(able, self.writer.likeliest([texts[i] for i in able]), strict=True))
        first = {i: self._read(linked[i], likeliest[i]) for i in able}
        decided = [Decision(row, KNOWLEDGE, text) for row, text in zip(rows, texts, strict=True)]
        open_rows = []
        for i in able:
            reading = first[i]
            weak = bool(rows[i].context) and self.facts.is_weak(rows[i].question, rows[i].answer)
            if reading and not reading.doubtful and not weak and self._agrees(rows[i], reading):
                decided[i] = self._plan(rows[i], texts[i], reading)
            else:
                open_rows.append(i)
        drawn = self.writer.sampled([texts[i] for i in open_rows], SAMPLES) if open_rows else []
        for i, lines in zip(open_rows, drawn, strict=True):
            decided[i] = self._of_draws(rows[i], linked[i], texts[i], first[i], lines)
        return decided

    def agreement(self, rows: Sequence[UserRow]) -> float:
        """The share of the rows whose likeliest line computes their answer."""
        linked = [self.retriever.link(row.question) for row in rows]
        lines = self.writer.likeliest([plain(one.text) for one in linked])
        readings = (self._read(one, line) for one, line in zip(linked, lines, strict=True))
        right = sum(r is not None and self._agrees(row, r) for row, r in zip(rows, readings, strict=True))
        return right / max(1, len(rows))

    def _of_draws(
        self, row: UserRow, linked: Linked, text: str, first: _Reading | None, lines: Sequence[str]
    ) -> Decision:
        """The decision about a row whose likeliest line does not settle it."""
        votes = Counter(lines)
        readings = [r for line in dict.fromkeys(lines) if (r := self._read(linked, line)) is not None]
        weak = self.facts.is_weak(row.question, row.answer)
        agreeing = [
            r
            for r in ([first] if first else []) + sorted(readings, key=lambda r: -votes[r.line])
            if not r.doubtful and self._agrees(row, r) and (not weak or votes[r.line] >= LEAST_VOTES)
        ]
        if agreeing:
            return self._plan(row, text, agreeing[0])
        if (
            first
            and not first.doubtful
            and not row.context  # which may say what the question is about
            and not _corrected(row.question, text)
            and self.facts.same_kind(row.question, row.answer, first.retrieved.tables)
        ):
            same = sum(votes[r.line] for r in readings if r.figures == first.figures)
            if same >= SURE_VOTES and first.figures != ((),):
                query, computed = first.retrieved.line, self._said(first)
                return Decision(row, DISPUTED, text, first.line, query, computed)
        return Decision(row, KNOWLEDGE, text)

    def _plan(self, row: UserRow, text: str, reading: _Reading) -> Decision:
        return Decision(row, PLAN, text, reading.line, reading.retrieved.line)

    def _agrees(self, row: UserRow, reading: _Reading) -> bool:
        return self.facts.agrees(row.question, row.answer, reading.retrieved.tables)

    def _read(self, linked: Linked, line: str) -> _Reading | None:
        """The line computed; None where it is none, declines, or cannot be computed."""
        text = plain(linked.text)
        try:
            plan = parse(line).canonical()
            known = set(linked.by_placeholder())
            if plan.decline or not {m[0] for m in PLACEHOLDER.finditer(line)} <= known:
                return None
            found = self.retriever.retrieve(Planned(linked, text, plan))
        except QueryError:
            return None
        if isinstance(found, Refusal):
            return None
        doubts: Iterator[list[str]] = (find(plan, text) for find in (left_out, unmet, exceptions_dropped, not_said))
        return _Reading(line, found, any(doubts))

    def _said(self, reading: _Reading) -> str:
        tables = reading.retrieved.tables
        layout = sheet(tables)
        said = fill(sentence(tables, layout), {**reading.retrieved.names, **layout.values})
        return said[0].upper() + said[1:]


def _corrected(question: str, text: str) -> bool:
    """Whether linking took a word for a misspelt one: the line may be about another word than was meant."""
    return bool(set(PLACEHOLDER.sub(" ", text).split()) - set(plain(question).split()))
