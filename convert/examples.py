"""The task's examples (JSONL with "messages" and "completion", or records of `data.dataset.build`) as the ids training saw.

Knows nothing about how they were made. `load(Path("data/seasons/ipl_2024/qa/validation.jsonl"), 200)`.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convert.errors import ConvertError
from data.prompts import answer_messages, plan_messages

Message = dict[str, str]


@dataclass(frozen=True)
class Example:
    messages: list[Message]
    completion: str


@dataclass(frozen=True)
class EncodedExample:
    """Prompt and completion ids; the completion ends with EOS. first predicts the completion's first token."""

    ids: list[int]
    first: int


def load(path: Path, count: int, seed: int = 0) -> list[Example]:
    """At most count examples, drawn evenly and reproducibly. Raises ConvertError naming the line that is wrong."""
    if not path.is_file():
        raise ConvertError(
            f"no examples at {path}: make them with `python -m data qa`, or name a JSONL file with --examples whose "
            'lines have "messages" and "completion"'
        )
    lines = [(n, line) for n, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1) if line.strip()]
    if not lines:
        raise ConvertError(f'{path} has no examples: its lines must have "messages" and "completion"')
    if len(lines) > count:
        lines = sorted(random.Random(seed).sample(lines, count))
    found = [example for number, line in lines for example in _parse(line, f"{path}:{number}")]
    # a record of the season's questions holds two: without another draw the answers would double the count
    return random.Random(seed).sample(found, count) if len(found) > count else found


def _parse(line: str, where: str) -> list[Example]:
    try:
        record = json.loads(line)
        if "messages" not in record and record.get("query"):
            return _of_question(record)
        messages, completion = record["messages"], record["completion"]
        if not isinstance(completion, str):  # TRL's conversational form
            completion = completion[0]["content"]
        return [Example([{"role": m["role"], "content": m["content"]} for m in messages], completion)]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ConvertError(
            f"{where} is not an example ({type(error).__name__}: {error}): expected "
            '{"messages": [{"role": ..., "content": ...}], "completion": "..."} or a record of `python -m data qa`'
        ) from error


def _of_question(record: dict[str, Any]) -> list[Example]:
    """A record of data/seasons/<season>/qa: the query line to plan and, where there is one, the answer to word."""
    made = [Example(plan_messages(record["linked"]), record["query"])]
    if record.get("wording"):
        prompt = answer_messages(record["linked"], record["query"], record["cells"])
        made.append(Example(prompt, record["wording"]))
    return made


def encode(tokenizer: Any, examples: list[Example], limit: int) -> list[EncodedExample]:
    """Token ids by the chat template, as training made them; examples longer than limit tokens are left out.

    The completion's ids are what the template adds for an assistant message, up to and with EOS.
    """
    encoded = []
    for example in examples:
        prompt = tokenizer.apply_chat_template(example.messages, add_generation_prompt=True, return_dict=False)
        answer = {"role": "assistant", "content": example.completion}
        whole = tokenizer.apply_chat_template([*example.messages, answer], return_dict=False)
        if whole[: len(prompt)] != prompt:
            raise ConvertError(
                "the chat template renders the prompt differently once an answer follows it, so no "
                f"training example can match what is served: {example.messages!r}"
            )
        if tokenizer.eos_token_id in whole[len(prompt) :]:  # some templates add a line break after EOS
            whole = whole[: whole.index(tokenizer.eos_token_id, len(prompt)) + 1]
        if len(whole) <= limit:
            encoded.append(EncodedExample(whole, len(prompt) - 1))
    if not encoded:
        raise ConvertError(f"none of {len(examples)} examples fits into {limit} tokens: give shorter ones")
    return encoded
