"""Request and reply bodies as pydantic models: the HTTP contract and the source of /openapi.json.

`table_of` and `reply_of` make them from the agents' records.
"""

from __future__ import annotations

import datetime
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from agents.messages import Reply
from data.query import StatTable
from serve.model_store import ModelInfo
from serve.seasons import SeasonInfo

MAX_BATCH = 50  # questions in one request
MAX_QUESTION = 500  # characters; the longest of the fan questions has about 150
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUESTION)]


class RequestBody(BaseModel):
    """Base of request bodies: unknown fields are errors, so that a typo is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


def _question_schema(schema: dict[str, Any]) -> None:
    schema["examples"] = [
        {"question": "Who took the most wickets at the death?"},
        {"question": "bumrah economy at the death?", "stream": True},
        {"question": "Who hit the most sixes?", "season": "ipl_2016"},
        {"questions": ["most runs", "most wickets"]},
    ]
    schema.pop("required", None)  # one of question and questions is


class Question(RequestBody):
    """A question in plain English, or several of them that have nothing to do with each other."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_question_schema)
    question: Text = Field(description=f"the question, up to {MAX_QUESTION} characters")
    questions: Annotated[list[Text], Field(min_length=1, max_length=MAX_BATCH)] | None = Field(
        None, description=f"instead of `question`: up to {MAX_BATCH}, each with its own answer or problem in `answers`"
    )
    season: Id | None = Field(None, description="a name that GET /seasons lists; without one the service's own season")
    conversation_id: Id | None = Field(None, description="of an earlier reply: makes this a follow-up")
    stream: bool = Field(False, description="server-sent events: plan, table, token, done")
    trace: bool = Field(False, description="add every step the agents took")

    @model_validator(mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """Several questions instead of one: the first stands in `question`, which one question requires."""
        if not (isinstance(value, dict) and value.get("questions")):
            return value
        for name in ("question", "conversation_id", "stream"):
            if value.get(name):
                raise ValueError(f"{name} is for one question: leave it out or send no `questions`")
        many = value["questions"]
        return value | {"question": many[0] if isinstance(many, list) else many}


class QueryLine(RequestBody):
    """A query line, to compute without a model."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"query": "runs by batter | top 3"}]})
    query: Text = Field(description="a query line as in replies; `python -m data language` has all of it")
    season: Id | None = Field(None, description="a name that GET /seasons lists; without one the service's own season")


class Feedback(RequestBody):
    """A person's judgement of an answer. All texts are stored as they are sent."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"request_id": "4c1d...", "verdict": "wrong", "comment": "he bowled 4 overs, not 3"}]
        },
    )
    request_id: Id = Field(description="X-Request-ID of the answer")
    verdict: Literal["right", "wrong", "unsure"]
    comment: Annotated[str, StringConstraints(max_length=1000)] | None = None
    question: Annotated[str, StringConstraints(max_length=MAX_QUESTION)] | None = None
    answer: Annotated[str, StringConstraints(max_length=2000)] | None = None
    query: Annotated[str, StringConstraints(max_length=MAX_QUESTION)] | None = None


class Stored(BaseModel):
    stored: bool = True


class Column(BaseModel):
    name: str
    label: str
    role: str = Field(description="dimension, asked, shown (what qualifies a figure) or at (where it was made)")
    decimals: int = 0


class Table(BaseModel):
    """Computed figures. Rows hold raw values; `decimals` says how they are shown."""

    columns: list[Column]
    rows: list[list[float | int | str | bool | None]]
    totals: dict[str, float]
    qualification: str | None
    more_tied: bool = Field(False, description="more rows share the last place than are shown")


class Stats(BaseModel):
    query: str
    tables: list[Table]


class Season(BaseModel):
    name: str = Field(description="what the field `season` takes")
    title: str
    years: list[int]
    matches: int
    default: bool = Field(description="whether this season is meant where none is named")


class SeasonList(BaseModel):
    seasons: list[Season]


class Usage(BaseModel):
    """Tokens of the model calls for the plan and the sentence; cached ones are part of the prompt's."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


class Source(BaseModel):
    """A row of the user's file that the model was trained on."""

    file: str
    row: int
    kind: Literal["knowledge", "disputed"] = Field(
        description="knowledge: the answer is the row's; disputed: the answer was computed, and the row says otherwise"
    )
    says: str = Field(description="the row's answer")


class Answer(BaseModel):
    """The reply of POST /infer."""

    answer: str
    outcome: Literal["answered", "ask_back", "declined"]
    query: str | None = Field(description="the query line that was computed; null where none was")
    table: Table | None = Field(description="the first of `tables`")
    tables: list[Table]
    worded_by: Literal["model", "plain", "file"] = Field(
        description="plain: the model's sentence did not state what was asked; file: as in the user's file"
    )
    reason: str | None = Field(description="why it was declined or asked back")
    candidates: list[str] = Field(description="who may be meant, where the reply asks back")
    suggestions: list[str] = Field(description="query lines for POST /stats: what can be computed where it declines")
    model: ModelInfo
    season: str = Field(description="the season that the figures are of")
    source: Source | None = Field(None, description="the row of the user's file that answers or says otherwise")
    latency_ms: dict[str, float] = Field(description="queue, link, plan, retrieve, answer, total")
    usage: Usage
    conversation_id: str
    request_id: str
    trace: list[dict[str, Any]] | None = None


class Readiness(BaseModel):
    ready: bool
    stage: str
    reason: str
    model: ModelInfo
    season: str
    season_title: str


def table_of(table: StatTable) -> Table:
    """A computed table with days as ISO texts."""
    columns = [Column(name=c.name, label=c.label, role=c.role, decimals=c.decimals) for c in table.columns]
    rows = [[_cell(value) for value in row] for row in table.rows]
    return Table(
        columns=columns,
        rows=rows,
        totals=table.totals,
        qualification=table.qualification,
        more_tied=table.more_tied,
    )


def stats_of(line: str, tables: list[StatTable]) -> Stats:
    """The body of POST /stats."""
    return Stats(query=line, tables=[table_of(table) for table in tables])


def season_of(season: SeasonInfo) -> Season:
    """An entry of GET /seasons."""
    return Season(
        name=season.name,
        title=season.title,
        years=list(season.years),
        matches=season.matches,
        default=season.default,
    )


def reply_of(reply: Reply, model: ModelInfo, season: str, request_id: str, conversation: str, trace: bool) -> Answer:
    """The body of POST /infer; `trace`: with the agents' steps."""
    tables = [table_of(t) for t in reply.tables]
    return Answer(
        answer=reply.answer,
        outcome=reply.outcome,
        query=reply.query if reply.tables else None,  # that of a refusal still has placeholders for names
        table=tables[0] if tables else None,
        tables=tables,
        worded_by=reply.worded_by,
        reason=reply.reason,
        candidates=list(reply.candidates),
        suggestions=list(reply.suggestions),
        model=model,
        season=season,
        source=Source.model_validate(asdict(reply.source)) if reply.source else None,
        latency_ms=dict(reply.latency_ms),
        usage=_usage(reply),
        conversation_id=conversation,
        request_id=request_id,
        trace=reply.trace.as_json() if trace else None,
    )


def _usage(reply: Reply) -> Usage:
    made = reply.trace.generations
    return Usage(
        prompt_tokens=sum(generation.prompt_tokens for generation in made),
        completion_tokens=sum(generation.completion_tokens for generation in made),
        cached_tokens=sum(generation.cached_tokens for generation in made),
    )


def _cell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date) else value
