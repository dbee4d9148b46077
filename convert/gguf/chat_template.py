"""The chat template inside a GGUF, rendered as a server renders it."""

from __future__ import annotations

from dataclasses import dataclass

import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from convert.errors import ConvertError
from convert.gguf.runtime import Runtime


@dataclass(frozen=True)
class GgufTemplate:
    """A GGUF's chat template with its BOS and EOS tokens (id -1 and no text where it has none)."""

    source: str
    bos_id: int
    eos_id: int
    bos: str
    eos: str

    @classmethod
    def of(cls, runtime: Runtime) -> GgufTemplate:
        """The template of a loaded model. Raises ConvertError where it has none."""
        raw = llama_cpp.llama_model_chat_template(runtime.model, None)
        if not raw:
            raise ConvertError("the GGUF has no chat template: give the base model's tokenizer_config.json one")
        bos, eos = llama_cpp.llama_vocab_bos(runtime.vocab), llama_cpp.llama_vocab_eos(runtime.vocab)
        return cls(raw.decode(), bos, eos, _text(runtime, bos), _text(runtime, eos))

    def render(self, messages: list[dict[str, str]]) -> str:
        """The prompt for the messages, with what opens the assistant's message."""
        formatter = Jinja2ChatFormatter(self.source, eos_token=self.eos, bos_token=self.bos)
        return formatter(messages=messages).prompt


def _text(runtime: Runtime, token: int) -> str:
    if token < 0:
        return ""
    return llama_cpp.llama_vocab_get_text(runtime.vocab, token).decode()
