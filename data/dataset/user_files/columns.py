"""The questions and answers in a row, under the names and in the shapes of the usual data sets.

turns({"instruction": "Who won?", "output": "KKR"})  ->  [Turn("Who won?", "KKR")]

Known are columns for question and answer, Alpaca's instruction with input, chats (messages, ShareGPT's conversations),
prompt and completion, one text with markers between the two, and SQuAD's list of answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

QUESTION = ("question", "questions", "q", "instruction", "prompt", "query", "input", "user", "human", "question_text")
ANSWER = ("answer", "answers", "a", "response", "completion", "output", "target", "assistant", "answer_text", "reply")
CHAT = ("messages", "conversations", "conversation", "dialog", "dialogue")
CONTEXT = ("context", "passage", "background")
TEXT = ("text",)
MAX_CHARACTERS = 8000  # of a question or an answer: a longer one is likely a wrong column
_ASKING, _ANSWERING = (
    frozenset({"user", "human", "prompter"}),
    frozenset({"assistant", "gpt", "bot", "model", "chatgpt"}),
)

_QUESTION_MARK = r"(?:#{2,}\s*(?:instruction|question|human|user)s?\s*:?|(?:question|instruction|human|user|q)\s*:)"
_INPUT_MARK = r"(?:#{2,}\s*input\s*:?|\binput\s*:)"
_ANSWER_MARK = r"(?:#{2,}\s*(?:response|answer|assistant|output)s?\s*:?|(?:answer|response|assistant|output|a)\s*:)"
_PAIRS = tuple(
    re.compile(pattern, re.I | re.S)
    for pattern in (
        r"<\|im_start\|>\s*user\s*(?P<q>.+?)<\|im_end\|>.*?<\|im_start\|>\s*assistant\s*(?P<a>.+?)(?:<\|im_end\|>|$)",
        r"<\|start_header_id\|>user<\|end_header_id\|>\s*(?P<q>.+?)<\|eot_id\|>.*?"
        r"<\|start_header_id\|>assistant<\|end_header_id\|>\s*(?P<a>.+?)(?:<\|eot_id\|>|$)",
        r"<start_of_turn>\s*user\s*(?P<q>.+?)<end_of_turn>\s*<start_of_turn>\s*model\s*(?P<a>.+?)(?:<end_of_turn>|$)",
        r"\[INST\](?:\s*<<SYS>>.*?<</SYS>>)?\s*(?P<q>.+?)\[/INST\]\s*(?P<a>.+?)(?:</s>|$)",
        r"<\|(?:user|human|prompter)\|>\s*(?P<q>.+?)(?:</s>)?\s*<\|(?:assistant|bot)\|>\s*(?P<a>.+?)(?:</s>|<\||$)",
        rf"(?:^|\n)\s*{_QUESTION_MARK}\s*(?P<q>.+?)\s*(?:\n\s*{_INPUT_MARK}\s*(?P<i>.*?)\s*)?"
        rf"(?:\n|\s(?=#))\s*{_ANSWER_MARK}\s*(?P<a>.+)$",
        rf"^\s*{_QUESTION_MARK}\s*(?P<q>.+?)\s+{_ANSWER_MARK}\s*(?P<a>.+)$",
    )
)
_BEFORE = re.compile(
    rf"^(?:Below is an instruction.*?(?=#)|\s*(?:{_QUESTION_MARK}|<\|(?:user|human)\|>|\[INST\]|<s>))\s*", re.I | re.S
)
_AFTER = re.compile(rf"\s*(?:{_ANSWER_MARK}|<\|assistant\|>|\[/INST\]|</s>|<\|endoftext\|>|<\|im_end\|>)\s*$", re.I)
_ANSWER_BEFORE = re.compile(rf"^\s*(?:{_ANSWER_MARK}|<\|assistant\|>)\s*", re.I)


class RowError(ValueError):
    """A row without a question and its answer. `kind` is the same for all rows with this problem."""

    def __init__(self, kind: str, detail: str = "") -> None:
        self.kind = kind
        super().__init__(detail or kind)


@dataclass(frozen=True)
class Turn:
    """A question and its answer; `context` is what stands before the question and belongs to it."""

    question: str
    answer: str
    context: str = ""


def normalised(column: object) -> str:
    """A column's name in the form in which the known names are written."""
    return re.sub(r"[\s\-]+", "_", str(column).strip().lower())


def known_column(column: object) -> bool:
    """Whether it may hold a question, an answer or both."""
    return normalised(column) in (*QUESTION, *ANSWER, *CHAT, *TEXT)


def is_row(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a row rather than a level above rows."""
    names = {normalised(k): v for k, v in value.items()}
    if any(isinstance(v, list) and v and isinstance(v[0], dict) for k, v in names.items() if k in CHAT):
        return True
    return any(k in (*QUESTION, *TEXT) and isinstance(v, str) for k, v in names.items())


def turns(row: Mapping[str, Any], question_column: str = "", answer_column: str = "") -> list[Turn]:
    """The questions and answers of a row, in order; several only of a chat. Raises RowError."""
    cells = {normalised(k): v for k, v in row.items() if k is not None}
    if question_column or answer_column:
        return [_named(row, cells, question_column, answer_column)]
    if (chat := next((cells[c] for c in CHAT if cells.get(c)), None)) is not None:
        return _chat(chat)
    if isinstance(cells.get("prompt"), list) and isinstance(cells.get("completion"), list):
        return _chat([*cells["prompt"], *cells["completion"]])
    asking = next((c for c in QUESTION if c in cells), None)
    answering = next((c for c in ANSWER if c in cells), None)
    if answering is None and (name := asking if asking else next((c for c in TEXT if c in cells), None)):
        pair = _marked(cells[name]) if isinstance(cells[name], str) else None
        if pair:
            return [pair]
        if name in TEXT:
            raise RowError("no marks between question and answer", "the text has no marks of question and answer")
    if cells.get("is_impossible") is True:
        raise RowError("no answer", "the data set says that its passage does not answer it")
    for name, columns, what in ((asking, QUESTION, "question"), (answering, ANSWER, "answer")):
        if name is None:
            found = ", ".join(map(str, cells)) or "none"
            raise RowError(
                f"no {what} column", f"no {what} column (one of {', '.join(columns)}); found {found}; "
                f"name it with --{what}-column"
            )  # fmt: skip
    question = _question(_text(cells[asking], "question"))
    if asking == "instruction" and isinstance(cells.get("input"), str) and cells["input"].strip():
        question = f"{question} {_tidy(cells['input'])}"
    answer = _ANSWER_BEFORE.sub("", _AFTER.sub("", _text(_first(cells[answering], answering), "answer")))
    context = next((cells[c] for c in CONTEXT if isinstance(cells.get(c), str)), "")
    return [_turn(question, answer, context)]


def _named(row: Mapping[str, Any], cells: Mapping[str, Any], question: str, answer: str) -> Turn:
    """The turn of the columns that the user named; a column not named is found by its usual names."""
    found = []
    for given, columns, what in ((question, QUESTION, "question"), (answer, ANSWER, "answer")):
        name = (
            normalised(given) if given else next((c for c in columns if c in cells and c != normalised(question)), "")
        )
        if name not in cells:
            raise RowError(
                f"no {what} column",
                f"no {what} column {given!r}; found {', '.join(map(str, row)) or 'none'}",
            )
        found.append(_text(_first(cells[name], "answers" if what == "answer" else ""), what))
    context = next((cells[c] for c in CONTEXT if isinstance(cells.get(c), str)), "")
    return _turn(_question(found[0]), found[1], context)


def _first(value: Any, column: str) -> Any:
    """The first of several accepted answers, as SQuAD and Natural Questions list them."""
    if column != "answers":
        return value
    if isinstance(value, dict):
        value = value.get("text")
    while isinstance(value, list) and value:
        value = value[0].get("text") if isinstance(value[0], dict) else value[0]
    return value


def _chat(value: Any) -> list[Turn]:
    """The turns of a list of messages; a question after the first has the one before it as context."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise RowError("no messages", "the messages are neither a list nor JSON") from None
    found: list[Turn] = []
    asked = ""
    for message in value if isinstance(value, list) else []:
        if not isinstance(message, dict):
            continue
        role = str(message.get("role") or message.get("from") or "").lower()
        content = message.get("content", message.get("value"))
        if isinstance(content, list):  # parts of a message, of which the texts are taken
            content = " ".join(str(p.get("text", "")) for p in content if isinstance(p, dict))
        if not isinstance(content, str) or not content.strip():
            continue
        if role in _ASKING:
            asked = content
        elif role in _ANSWERING and asked:
            before = f"{found[-1].question} {found[-1].answer}" if found else ""
            found.append(_turn(_question(asked), content, before))
            asked = ""
    if not found:
        raise RowError("no question with an answer", "the messages hold no user's question with the assistant's answer")
    return found


def _marked(text: str) -> Turn | None:
    """The question and answer of a text that has marks before both; None where it has none."""
    for pattern in _PAIRS:
        if m := pattern.search(text):
            extra = m.groupdict().get("i") or ""
            return _turn(f"{_tidy(m['q'])} {_tidy(extra)}".strip(), _AFTER.sub("", m["a"]))
    return None


def _question(text: str) -> str:
    return _AFTER.sub("", _BEFORE.sub("", text))


def _turn(question: str, answer: str, context: str = "") -> Turn:
    made = Turn(_tidy(question), _tidy(answer), _tidy(context))
    for what, text in (("question", made.question), ("answer", made.answer)):
        if not text:
            raise RowError(f"empty {what}", f"the {what} is empty or no text")
        if len(text) > MAX_CHARACTERS:
            raise RowError(f"long {what}", f"the {what} has {len(text)} characters, at most {MAX_CHARACTERS} are taken")
    return made


def _text(value: Any, what: str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():  # a spreadsheet's 741.0
        value = int(value)
    if value is not None and not isinstance(value, (str, list, dict)):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or value.strip().lower() == "nan":
        raise RowError(f"empty {what}", f"the {what} is empty or no text")
    return value


def _tidy(text: str) -> str:
    return " ".join(text.split())
