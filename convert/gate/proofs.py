"""Proofs that the F16 GGUF is the merged model: equal token ids, equal rendered prompts, equal logits.

Each proof returns what it measured, or raises ProofError with the first difference. Run by `python -m convert gguf`.
"""

from __future__ import annotations

import random
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convert.errors import ConvertError
from convert.gguf.runtime import Runtime, Sequence
from data.dataset.encoding import encode_prompt

# Accepted differences between the F16 GGUF and the merged model in float32: of a logit, in standard deviations of the
# logits, and the mean KL divergence in nats. llama.cpp rounds weights and activations to F16 (11 bits), which gives
# 0.006 (2 layers) to 0.024 (6 layers) and 1e-7 to 1e-5 on random models of five architectures; a wrong rope base or
# norm gives more than 0.5.
LOGIT_BOUND = 0.15
KL_BOUND = 1e-3


class ProofError(ConvertError):
    """A proof failed: the file must not be published."""


@dataclass(frozen=True)
class TokenProof:
    """Texts whose ids are equal."""

    texts: int
    normalised: bool  # to NFC beforehand, because the model's tokenizer does that and llama.cpp does not


@dataclass(frozen=True)
class LogitProof:
    """How far logits differ."""

    positions: int
    max_difference: float  # of the positions that `prove_logits` was asked to bound, in standard deviations
    mean_kl: float  # nats
    top1_agreement: float
    bound: float = LOGIT_BOUND
    kl_bound: float = KL_BOUND


@dataclass(frozen=True)
class Proofs:
    """What all proofs measured; `prompts` is the number of rendered conversations."""

    tokens: TokenProof
    prompts: int
    logits: LogitProof

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return asdict(self)


def hard_texts(seeds: list[str], special: list[str], count: int = 3000, seed: int = 7) -> list[str]:
    """Texts that are difficult for a tokenizer: digits, spaces, many scripts and symbols, special tokens as text.

    `seeds` are texts of the task, whose words are mixed in.
    """
    draw = random.Random(seed)
    scripts = "—–’“”•…€₹ßﬁ你好क्रिकेटمرحباสวัสดี한국어\u200b\u00a0\ufeff🏏😶‍🌫️🧑🏽‍🚀"
    characters = [*(chr(c) for c in range(32, 0x250)), *scripts, "\n", "\t", "\r\n", "  ", "    "]
    words = sorted({word for text in seeds for word in text.split()}) or ["Kohli", "economy", "6.17"]
    texts = ["", " ", "  ", "\n", " leading", "trailing ", "a  b   c", "a" * 20, "1234567890", "6.17 0.5", *seeds]
    texts += [draw.choice(words) + s + draw.choice(words) for s in special] + special
    while len(texts) < count:
        kind = draw.random()
        if kind < 0.3:
            texts.append("".join(draw.choices(characters, k=draw.randint(1, 24))))
        elif kind < 0.45:
            numbers = [draw.uniform(0, 10 ** draw.randint(1, 5)) for _ in range(draw.randint(1, 8))]
            texts.append(" ".join(f"{number:.{draw.randint(0, 3)}f}" for number in numbers))
        elif kind < 0.55:
            texts.append(draw.choice(words)[: draw.randint(1, 3)] * draw.randint(1, 20))
        else:
            gap = draw.choice([" ", " ", "  ", "\n", "-", ", "])
            texts.append(gap.join(draw.choices(words + special, k=draw.randint(1, 16))))
    return texts


def prove_tokens(runtime: Runtime, tokenizer: Any, seeds: list[str]) -> TokenProof:
    """Ids by llama.cpp equal those by transformers, with special tokens as tokens and as plain text."""
    special = [t for t in tokenizer.all_special_tokens if t]
    normalised = '"NFC"' in tokenizer.backend_tokenizer.to_str()
    texts = hard_texts(seeds, special)
    if normalised:
        texts = [unicodedata.normalize("NFC", text) for text in texts]
    for parse in (True, False):
        for text in texts:
            want = tokenizer.encode(text, add_special_tokens=True, split_special_tokens=not parse)
            have = runtime.tokenize(text, add_special=True, parse_special=parse)
            if want != have:
                raise ProofError(
                    f"the tokenizer changed in the conversion: {text!r} is {want[:24]} by transformers and "
                    f"{have[:24]} by llama.cpp (special tokens {'parsed' if parse else 'as plain text'}); "
                    "for a SentencePiece-style tokenizer ship tokenizer.model beside tokenizer.json"
                )
    return TokenProof(len(texts), normalised)


def prove_prompts(runtime: Runtime, tokenizer: Any, conversations: list[list[dict[str, str]]]) -> int:
    """Prompts rendered by the GGUF's chat template have the ids that training saw, BOS and EOS included."""
    from convert.gguf.chat_template import GgufTemplate

    template = GgufTemplate.of(runtime)
    for messages in conversations:
        want = encode_prompt(tokenizer, messages)
        text = template.render(messages)
        # add_special=False: the template writes BOS where the model takes one
        have = runtime.tokenize(text, add_special=False, parse_special=True)
        if want != have:
            raise ProofError(
                f"the rendered prompt {text[:200]!r} has tokens {have[:24]} in the GGUF but {want[:24]} in "
                "training: the chat template or the special tokens changed in the conversion"
            )
    for name, ours, theirs in (
        ("BOS", tokenizer.bos_token_id, template.bos_id),
        ("EOS", tokenizer.eos_token_id, template.eos_id),
    ):
        if ours is not None and ours != theirs:
            raise ProofError(
                f"the {name} token is {ours} by transformers and {theirs} in the GGUF: correct "
                "config.json and tokenizer_config.json of the base model"
            )
    return len(conversations)


def reference_logits(model: torch.nn.Module, ids: list[int]) -> np.ndarray:
    """float32 [len(ids), vocabulary] by transformers."""
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].float().numpy()


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities of the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def prove_logits(
    runtime: Runtime,
    model: torch.nn.Module,
    sequences: list[list[int]],
    bound: float = LOGIT_BOUND,
    kl_bound: float = KL_BOUND,
    quantile: float = 1.0,
) -> LogitProof:
    """Logits of the GGUF equal those of the model within both bounds.

    `bound` holds for that share `quantile` of the positions which differ least, `kl_bound` for the mean of all.
    """
    largest: list[np.ndarray] = []
    divergence, agreed = 0.0, 0
    for ids, have in zip(sequences, runtime.logits([Sequence(ids) for ids in sequences]), strict=True):
        want = reference_logits(model, ids)
        have = have[:, : want.shape[1]]
        largest.append(np.abs(have - want).max(-1) / want.std())
        p, q = log_softmax(want), log_softmax(have)
        divergence += float((np.exp(p) * (p - q)).sum())
        agreed += int((want.argmax(-1) == have.argmax(-1)).sum())
    differences = np.concatenate(largest)
    positions = len(differences)
    worst = float(np.quantile(differences, quantile))
    divergence /= positions
    if not (worst <= bound and divergence <= kl_bound):  # also where one is NaN
        raise ProofError(
            f"the GGUF is not the model in transformers: a logit differs by {worst:.4f} standard deviations (at "
            f"most {bound} is rounding) and the mean KL divergence is {divergence:.2g} (at most "
            f"{kl_bound}); this architecture is not converted faithfully, do not use the file"
        )
    return LogitProof(positions, worst, divergence, agreed / positions, bound, kl_bound)


def prove(gguf: Path, merged: Path, conversations: list[list[dict[str, str]]], texts: list[str]) -> Proofs:
    """All proofs for one F16 GGUF and the merged folder it came from. Raises ProofError at the first difference."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(merged)
    with Runtime(gguf) as runtime:
        tokens = prove_tokens(runtime, tokenizer, texts)
        prompts = prove_prompts(runtime, tokenizer, conversations)
        model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32).eval()
        limit = min(256, getattr(model.config, "max_position_embeddings", 256))
        sequences = [encode_prompt(tokenizer, messages)[:limit] for messages in conversations[:24]]
        return Proofs(tokens, prompts, prove_logits(runtime, model, sequences))
