"""A transformers model as the agents' TextModel: greedy, without a grammar, to evaluate what is not converted yet."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import torch
import transformers

from agents.model import Generation
from data.dataset.encoding import encode_prompt
from train.base_model import load_model, load_tokenizer
from train.errors import TrainError


class HfModel:
    """A base, with a LoRA adapter merged into it where one is given. Requests run one after the other.

    The chat template is the adapter's own where it came with one. Raises TrainError.
    """

    def __init__(self, base: str, adapter: Path | None = None, chat_template: str = ""):
        transformers.utils.logging.disable_progress_bar()  # of loading weights
        trained_on = adapter / "chat_template.jinja" if adapter is not None else None
        if trained_on is not None and trained_on.is_file() and not chat_template:
            chat_template = str(trained_on)
        self.tokenizer = load_tokenizer(base, chat_template=chat_template)
        model = load_model(base)
        if adapter is not None:
            if not (adapter / "adapter_config.json").is_file():
                raise TrainError(
                    f"no adapter in {adapter}: run `python -m train` first, or name another with --adapter"
                )
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        self.model = model.eval()
        self._lock = asyncio.Lock()

    async def generate(
        self,
        messages: list[dict[str, str]],
        *,
        grammar: str | None = None,
        max_tokens: int = 128,
        deadline_s: float | None = None,
        temperature: float = 0.0,
        seed: int | None = None,
    ) -> Generation:
        async with self._lock:
            return await asyncio.to_thread(self._generate, messages, max_tokens)

    @torch.inference_mode()
    def _generate(self, messages: list[dict[str, str]], max_tokens: int) -> Generation:
        begin = time.monotonic()
        ids = torch.tensor([encode_prompt(self.tokenizer, messages)])
        out = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_tokens,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
            eos_token_id=self.tokenizer.eos_token_id,
        )[0]
        made = out[ids.shape[1] :].tolist()
        ended = bool(made) and made[-1] == self.tokenizer.eos_token_id
        text = self.tokenizer.decode(made[:-1] if ended else made, skip_special_tokens=True)
        return Generation(
            text,
            "stop" if ended else "length",
            ids.shape[1],
            len(made),
            decode_ms=(time.monotonic() - begin) * 1000,
        )
