"""How many examples a model in transformers completes exactly, which is what its GGUF files are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from convert.gate.proofs import reference_logits
from data.dataset.encoding import EncodedExample


def merged_accuracy(merged: Path, examples: Sequence[EncodedExample]) -> float:
    """Share of examples that the merged model in transformers (float32) answers exactly right by greedy decoding."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
    right = 0
    for example in examples:
        logits = reference_logits(model, example.ids[:-1])[example.prompt_length - 1 :]
        right += bool((logits.argmax(-1) == np.array(example.ids[example.prompt_length :])).all())
    return right / len(examples)
