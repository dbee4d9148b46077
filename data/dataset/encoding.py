"""Training examples as token ids: the prompt as it is served, the completion, and one EOS at its end.

    encode(tokenizer, examples)

The only place where examples become ids: fine-tuning, pre-training, the quality gate and the importance matrix all
read what this module makes. Works with any tokenizer of transformers, and imports none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from data.dataset.examples import Example
from data.errors import DataError
from data.prompts import Messages


class ChatTemplateError(DataError):
    """A chat template that cannot render examples for training."""


class Tokenizer(Protocol):
    """What is needed of a transformers tokenizer."""

    eos_token_id: int | None

    def apply_chat_template(self, conversation: Messages, *, add_generation_prompt: bool, tokenize: bool) -> Any: ...

    def __call__(self, text: list[str], *, add_special_tokens: bool) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class EncodedExample:
    """An example as token ids: the prompt's, the completion's and EOS."""

    ids: list[int]
    prompt_length: int  # ids of the prompt
    task: str = "closed_book"


def encode_prompt(tokenizer: Tokenizer, messages: Messages) -> list[int]:
    """The ids of a prompt, with what opens the assistant's message. Raises ChatTemplateError."""
    text = _render(tokenizer, messages, prompt=True)
    return list(tokenizer([text], add_special_tokens=False)["input_ids"][0])


def encode(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[EncodedExample]:
    """The ids of each example. Raises ChatTemplateError."""
    if not examples:
        return []
    prompts = [_render(tokenizer, e.messages, prompt=True) for e in examples]
    answers = [{"role": "assistant", "content": e.completion} for e in examples]
    wholes = [
        _render(tokenizer, [*e.messages, answer], prompt=False) for e, answer in zip(examples, answers, strict=True)
    ]
    for prompt, whole in zip(prompts, wholes, strict=True):
        if not whole.startswith(prompt):
            raise ChatTemplateError(
                "the chat template renders the prompt differently once an answer follows it, so what is trained would "
                f"not be what is served: give another template with --chat-template (prompt {prompt[:200]!r}, with an "
                f"answer {whole[:200]!r})"
            )
    prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    whole_ids = tokenizer(wholes, add_special_tokens=False)["input_ids"]
    merged = [i for i, (head, ids) in enumerate(zip(prompt_ids, whole_ids, strict=True)) if ids[: len(head)] != head]
    if merged:  # a token spans the end of the prompt, where serving always begins a new one
        rests = tokenizer([wholes[i][len(prompts[i]) :] for i in merged], add_special_tokens=False)["input_ids"]
        for i, rest in zip(merged, rests, strict=True):
            whole_ids[i] = [*prompt_ids[i], *rest]
    eos = tokenizer.eos_token_id
    return [
        EncodedExample(_with_one_eos(ids, len(head), eos), len(head), example.task)
        for ids, head, example in zip(whole_ids, prompt_ids, examples, strict=True)
    ]


def _with_one_eos(ids: list[int], prompt_length: int, eos: int | None) -> list[int]:
    """The ids up to the first EOS after the prompt, where serving stops; with EOS added where there is none.

    Some templates write a line break after EOS, and some write no EOS.
    """
    if eos is None:
        return list(ids)
    end = next((i for i in range(prompt_length, len(ids)) if ids[i] == eos), None)
    return [*ids, eos] if end is None else list(ids[: end + 1])


def _render(tokenizer: Tokenizer, messages: Messages, *, prompt: bool) -> str:
    try:
        return tokenizer.apply_chat_template(list(messages), add_generation_prompt=prompt, tokenize=False)
    except Exception as error:
        roles = " and ".join(m["role"] for m in messages)
        raise ChatTemplateError(
            f"the chat template refuses a conversation of {roles} messages ({error}): give another template with "
            "--chat-template"
        ) from None
