"""Query lines for many questions at once, by a model in transformers that knows the product's language.

    writer = LineWriter("train/base")
    writer.likeliest(["runs by P1", "who won match 5"])        # a line for each, as the model writes it
    writer.sampled(["runs by P1"], 8)                          # eight for each

Serving decodes under a grammar; here a line that is none is the caller's to drop.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from data.dataset.encoding import encode_prompt
from data.prompts import plan_messages
from train.base_model import load_model, load_tokenizer

LINE_TOKENS = 64  # of the lines that people's questions need, the longest has some 50
BATCH = 96  # questions at once: 950 take 15 s on two cores
TEMPERATURE = 0.7  # as the agents sample where the first line is in doubt


class LineWriter:
    """The model of a base folder. Raises BaseModelError where it cannot be loaded."""

    def __init__(self, base: str, seed: int = 0) -> None:
        self.tokenizer = load_tokenizer(base)
        self.model = load_model(base).eval()
        self.seed = seed

    def likeliest(self, questions: Sequence[str]) -> list[str]:
        """The greedy line for each plain question with placeholders."""
        return [lines[0] for lines in self._write(questions, 1, sample=False)]

    def sampled(self, questions: Sequence[str], count: int) -> list[list[str]]:
        """`count` lines for each, drawn at TEMPERATURE from the seed."""
        return self._write(questions, count, sample=True)

    def _write(self, questions: Sequence[str], count: int, sample: bool) -> list[list[str]]:
        distinct = list(dict.fromkeys(questions))  # rows that differ in their names alone are one question
        encoded = [encode_prompt(self.tokenizer, plan_messages(question)) for question in distinct]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        made: dict[str, list[str]] = {}
        step = max(1, BATCH // count) if sample else BATCH
        state = torch.get_rng_state()
        torch.manual_seed(self.seed)
        try:
            for start in range(0, len(order), step):
                group = order[start : start + step]
                lines = self._batch([encoded[i] for i in group], count, sample)
                made |= zip((distinct[i] for i in group), lines, strict=True)
        finally:
            torch.set_rng_state(state)
        return [made[question] for question in questions]

    @torch.inference_mode()
    def _batch(self, prompts: list[list[int]], count: int, sample: bool) -> list[list[str]]:
        pad, width = self.tokenizer.pad_token_id, max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        drawing = {"do_sample": True, "temperature": TEMPERATURE, "top_k": 0, "num_return_sequences": count}
        out = self.model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=LINE_TOKENS,
            pad_token_id=pad,
            eos_token_id=self.tokenizer.eos_token_id,
            **(drawing if sample else {"do_sample": False}),
        )
        texts = self.tokenizer.batch_decode(out[:, width:], skip_special_tokens=True)
        return [[text.strip() for text in texts[i : i + count]] for i in range(0, len(texts), count)]
