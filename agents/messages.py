"""What passes between the agents and to their caller: typed records, from the question to the reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from agents.model import Generation
from agents.notebook import data_frame, html
from agents.trace import Trace, WordedBy
from data.linking.mention import Linked
from data.query import Plan, StatTable

ANSWERED: Final = "answered"
ASK_BACK: Final = "ask_back"
DECLINED: Final = "declined"


@dataclass(frozen=True)
class Before:
    """What a follow-up is read after: the query line before, and the placeholders of what its answer named ("-")."""

    line: str
    leaders: str


@dataclass(frozen=True)
class Planned:
    """The retriever's reading of a question: the best of `drafts` lines, the first of which `generation` is.

    `text` is the question as the model read it, after `before`. `sure` says whether samples of the model agree with it.
    """

    linked: Linked
    text: str
    plan: Plan
    generation: Generation | None = None
    before: Before | None = None
    drafts: int = 1
    sure: bool = True


@dataclass(frozen=True)
class Refusal:
    """Why there is no table: a name is ambiguous (ask back), or the season cannot answer (decline).

    `suggestions` are query lines, each of which can be computed as it stands.
    """

    outcome: Literal["ask_back", "declined"]
    sentence: str
    reason: str  # ambiguous_name | absent_name | unknown_name | prediction | other_season | ... | not_computable
    candidates: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retrieved:
    """Computed tables, and the names that the placeholders stand for; `note` is said before the answer."""

    planned: Planned
    line: str  # with names instead of placeholders
    tables: tuple[StatTable, ...]
    names: Mapping[str, str]
    note: str = ""


@dataclass(frozen=True)
class Worded:
    """The sentence of an answer, by the model, plain from the table, or a row of a user's file.

    `why` says what spoke against the model's.
    """

    text: str
    by: WordedBy
    why: str = ""
    generation: Generation | None = None


@dataclass(frozen=True)
class Source:
    """The row of a user's file that answers (knowledge), or that says something else than what was computed."""

    file: str
    row: int
    kind: Literal["knowledge", "disputed"]
    says: str  # the row's answer


@dataclass(frozen=True)
class Reply:
    """The whole answer. Times in milliseconds by step: queue, link, plan, retrieve, answer, total.

    `suggestions` are query lines that can be computed instead of what was declined.
    """

    answer: str
    outcome: Literal["answered", "ask_back", "declined"]
    query: str | None = None
    tables: tuple[StatTable, ...] = ()
    worded_by: WordedBy = "plain"
    reason: str | None = None
    candidates: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    trace: Trace = field(default_factory=Trace)
    conversation_id: str | None = None
    source: Source | None = None

    def __str__(self) -> str:
        return self.answer

    def to_pandas(self, table: int = 0) -> Any:
        """A table of the answer as a pandas DataFrame, empty where there is none."""
        return data_frame(self.tables, table)

    def _repr_html_(self) -> str:
        return html(self.answer, self.tables, self.query, self.suggestions)


Event = Planned | Retrieved | Worded | Reply  # of an answer that is streamed, in this order
