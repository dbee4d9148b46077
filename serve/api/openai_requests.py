"""Request bodies of the OpenAI-compatible routes, and what they refuse.

Fields that change nothing here are ignored, since clients send many. What would change the form of a reply and is not
supported is refused with 400: a client that gets no tool call must not wait for one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from serve.api.problems import Problem
from serve.api.schemas import MAX_QUESTION
from serve.engine import sequence
from serve.engine.grammar.json_schema import grammar_from_schema

CRICKET, RAW = "cricket", "cricket-raw"
MAX_CHOICES = 8
Stop = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class TextPart(BaseModel):
    type: Literal["text", "input_text", "output_text"]
    text: str


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]

    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)

    def plain(self) -> dict[str, str]:
        return {"role": "system" if self.role == "developer" else self.role, "content": self.text()}


class StreamOptions(BaseModel):
    include_usage: bool = False


class ResponseFormat(BaseModel):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class _OpenAIRequest(BaseModel):
    """Unknown fields are ignored; null counts as not given."""

    model: str | None = Field(None, max_length=200, description="`cricket`, or `cricket-raw` where RAW_MODEL is set")
    stream: bool = False
    tools: list[Any] | None = Field(None, description="refused: no model here calls tools")
    top_logprobs: int | None = Field(None, description="refused")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value

    def refuse(self) -> None:
        """Raises Problem 400 for what would change the reply's form and is not supported."""
        if self.tools:
            raise refused("tools", "no model here calls tools: leave `tools` out (MCP clients find tools at /mcp)")
        if self.top_logprobs:
            raise refused("top_logprobs", "log probabilities are not given: leave `top_logprobs` out")


class GenerationRequest(_OpenAIRequest):
    """The fields that chat and text completions both take. Those of sampling are for `cricket-raw` alone."""

    max_tokens: int | None = Field(None, ge=1)
    temperature: float = Field(0.0, ge=0, le=10)
    top_p: float = Field(1.0, ge=0, le=1)
    top_k: int = Field(0, ge=0)
    min_p: float = Field(0.0, ge=0, le=1)
    repeat_penalty: float = Field(1.0, ge=0.1, le=10)
    frequency_penalty: float = Field(0.0, ge=-2, le=2)
    presence_penalty: float = Field(0.0, ge=-2, le=2)
    logit_bias: dict[int, float] | None = Field(None, max_length=300)
    seed: int | None = Field(None, ge=0, lt=2**32)
    n: int = Field(1, ge=1, le=MAX_CHOICES, description="choices; of `cricket` all are the same computed answer")
    stop: Stop | list[Stop] | None = None
    stream_options: StreamOptions | None = None
    grammar: str | None = Field(None, max_length=50_000, description="GBNF, for `cricket-raw`")
    response_format: ResponseFormat | None = None
    functions: list[Any] | None = Field(None, description="refused, as tools")
    logprobs: bool | int | None = Field(None, description="refused")

    def refuse(self) -> None:
        super().refuse()
        if self.functions:
            raise refused("functions", "no model here calls functions: leave `functions` out")
        if self.logprobs is not None and self.logprobs is not False:
            raise refused("logprobs", "log probabilities are not given: leave `logprobs` out")

    def sampling(self) -> sequence.Sampling:
        return sequence.Sampling(
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repeat_penalty=self.repeat_penalty,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            logit_bias=self.logit_bias or {},
            seed=self.seed,
        )

    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())[:16]

    def gbnf(self) -> str | None:
        """The requested grammar as GBNF. Raises GrammarError for a schema that cannot be made one."""
        if self.grammar is not None or self.response_format is None or self.response_format.type == "text":
            return self.grammar
        if self.response_format.type == "json_object":
            return grammar_from_schema({"type": "object"})
        given = self.response_format.json_schema or {}
        return grammar_from_schema(given.get("schema", given))


class ChatRequest(GenerationRequest):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": CRICKET, "messages": [{"role": "user", "content": "bumrah economy at the death?"}]}]
        }
    )
    messages: list[Message] = Field(min_length=1, max_length=100)
    max_completion_tokens: int | None = Field(None, ge=1)

    def questions(self) -> list[str]:
        """The user's turns, for `cricket`. Raises Problem 400 for what that model cannot do."""
        if self.grammar is not None or (self.response_format and self.response_format.type != "text"):
            raise refused(
                "response_format",
                f"the model {CRICKET} answers in sentences: leave `response_format` and `grammar` out; its figures are "
                f"in the reply's field `{CRICKET}`",
            )
        return questions(self.messages, "messages")


class CompletionRequest(GenerationRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"model": RAW, "prompt": "runs by", "max_tokens": 8}]})
    prompt: str | list[int] = Field(min_length=1)


class InputMessage(Message):
    type: Literal["message"] = "message"


class TextSettings(BaseModel):
    format: ResponseFormat | None = None


class ResponsesRequest(_OpenAIRequest):
    """POST /v1/responses. `instructions` and sampling change nothing: figures are computed."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": CRICKET, "input": "Who took the most wickets at the death?"}]}
    )
    input: str | Annotated[list[InputMessage], Field(min_length=1, max_length=100)]
    instructions: str | list[Any] | None = Field(None, description="ignored")
    text: TextSettings | None = None
    previous_response_id: str | None = Field(None, description="refused: nothing is stored")
    conversation: Any = Field(None, description="refused: nothing is stored")
    background: bool = Field(False, description="refused: nothing is stored")
    metadata: dict[str, str] | None = Field(None, max_length=16, description="comes back as it is")

    def refuse(self) -> None:
        super().refuse()
        for name in ("previous_response_id", "conversation", "background"):
            if getattr(self, name):
                raise refused(name, f"no response is stored: leave `{name}` out and send the turns before in `input`")
        if self.text and self.text.format and self.text.format.type != "text":
            raise refused("text", f"the model {CRICKET} answers in sentences: leave `text.format` out")

    def questions(self) -> list[str]:
        """The user's turns. Raises Problem 400 where there is none."""
        given = [Message(role="user", content=self.input)] if isinstance(self.input, str) else self.input
        return questions(given, "input")


def questions(messages: list[Message] | list[InputMessage], field: str) -> list[str]:
    """The user's turns, the last one being asked now. What others said changes nothing about the figures.

    Earlier turns too long to have been answered are left out. Raises Problem 400 where there is no question.
    """
    asked = [message.text().strip() for message in messages if message.role == "user"]
    if not asked or not asked[-1]:
        raise refused(field, f"`{field}` has no question: the last turn of the role `user` is what is answered")
    if len(asked[-1]) > MAX_QUESTION:
        raise refused(field, f"the question has {len(asked[-1])} characters: send at most {MAX_QUESTION}")
    return [text for text in asked if 0 < len(text) <= MAX_QUESTION]


def refused(field: str, detail: str) -> Problem:
    """The refusal of a request's field."""
    return Problem(400, "unsupported", detail, param=field)
