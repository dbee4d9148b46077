"""The base model and its tokenizer: a local folder, a model of the hub, a GGUF file, or a public model by name.

Errors say whether the base does not exist, is gated, needs a token or lacks a chat template.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from convert.bases import ADAPTED, PUBLIC, base_folder, is_gguf_base
from convert.errors import ConvertError
from train.errors import BaseModelError, OutOfMemory

WEIGHTS = (".safetensors", ".bin")


def load_tokenizer(base: str, revision: str = "", chat_template: str = "") -> PreTrainedTokenizerBase:
    """The tokenizer, with a chat template and a padding token. Raises BaseModelError.

    `chat_template` is a file with a Jinja template that replaces the tokenizer's own.
    """
    source = _source(base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision or None, token=_token())
    except Exception as error:
        raise _explained(base, revision, error) from error
    if chat_template:
        path = Path(chat_template)
        if not path.is_file():
            raise BaseModelError(
                f"--chat-template {chat_template}: no such file; give a file with a Jinja chat template"
            )
        tokenizer.chat_template = path.read_text(encoding="utf-8")
    if not tokenizer.chat_template:
        raise BaseModelError(
            f"{base} has no chat template, so its prompts have no defined form: take its instruct variant, or give a "
            "template with --chat-template FILE.jinja"
        )
    if tokenizer.eos_token_id is None:
        raise BaseModelError(
            f"the tokenizer of {base} has no end-of-sequence token: answers would never end; take another base"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token  # padding has no loss
    tokenizer.padding_side = "right"
    return tokenizer


def load_model(base: str, revision: str = "", four_bit: bool = False) -> PreTrainedModel:
    """The model in float32 (in 4 bits for QLoRA). Raises BaseModelError or OutOfMemory."""
    source = _source(base)
    extra: dict[str, Any] = {}
    if four_bit:
        if not torch.cuda.is_available():
            raise BaseModelError("--method qlora needs a CUDA GPU, and this machine shows none: take --method lora")
        try:
            import bitsandbytes  # noqa: F401
        except ImportError:
            raise BaseModelError(
                "--method qlora needs bitsandbytes: pip install bitsandbytes, or take --method lora"
            ) from None
        from transformers import BitsAndBytesConfig

        extra["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        extra["device_map"] = {"": int(os.environ.get("LOCAL_RANK", 0))}
    if not torch.cuda.is_available():  # a fifth faster to train on a CPU than the fused kernel, for short texts
        extra["attn_implementation"] = "eager"
    try:
        return AutoModelForCausalLM.from_pretrained(
            source, revision=revision or None, token=_token(), dtype=torch.float32, **extra
        )
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(
                f"{base} does not fit into memory: take a smaller base, or --method qlora on a GPU"
            ) from error
        raise _explained(base, revision, error) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that memory ran out, on a GPU or here."""
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError))
        or "not enough memory" in str(error)
        or "can't allocate memory" in str(error)
    )


def fingerprint(base: str, revision: str = "") -> str:
    """A hash of a local folder's weights and tokenizer, or the id and revision of a hub model."""
    folder = Path(_source(base))
    if not folder.is_dir():
        return f"{base}@{revision or 'main'}"
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in (*WEIGHTS, ".json", ".model", ".jinja", ".txt")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _source(base: str) -> str:
    """The folder or hub id that transformers loads. Raises BaseModelError where `base` is no base model."""
    if is_gguf_base(base):
        try:
            return str(base_folder(base))
        except ConvertError as error:
            raise BaseModelError(str(error)) from None
    path = Path(base)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BaseModelError(
                f"{base} has no config.json, so it is no Hugging Face model folder"
                + (": it is a training run, its base is named in config.yaml" if (path / "adapter").is_dir() else "")
            )
        if not any(p.suffix in WEIGHTS for p in path.iterdir()):
            raise BaseModelError(
                f"{base} has no weights (model.safetensors): download the whole model, git-lfs pointers included"
            )
    elif base.count("/") != 1 or base.startswith((".", "/", "~")) or path.parts[0] in ("train", "runs", "models"):
        hint = "; the embedded base is made by `python -m train.pretrain`" if base == "train/base" else ""
        raise BaseModelError(
            f"no base model at {base}: give a folder with config.json and weights, a GGUF file, one of "
            f"{', '.join([*PUBLIC, *ADAPTED])}, or a Hugging Face id such as Qwen/Qwen2.5-0.5B-Instruct{hint}"
        )
    return base


def _token() -> str | bool:
    return os.environ.get("HF_TOKEN") or False


def _explained(base: str, revision: str, error: Exception) -> BaseModelError:
    """The error for a failed download or a damaged folder, with what to do."""
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < 6:
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    names = {type(e).__name__ for e in chain}
    text = " ".join(str(e) for e in chain).lower()
    has = "HF_TOKEN is set" if _token() else "no HF_TOKEN is set"
    if "GatedRepoError" in names or "gated repo" in text:
        return BaseModelError(
            f"{base} is gated and {has}: accept its licence on its page at huggingface.co, then set HF_TOKEN to a "
            "token that may read it"
        )
    if "RevisionNotFoundError" in names or (revision and "not a valid git identifier" in text):
        return BaseModelError(f"{base} has no revision {revision!r}: give a commit, tag or branch with --base-revision")
    if (
        "RepositoryNotFoundError" in names
        or "is not a valid model identifier" in text
        or "401" in text
        or "404" in text
    ):
        return BaseModelError(
            f"there is no model {base} on the hub, or it is private and {has}: check the spelling, or set HF_TOKEN "
            "to a token that may read it"
        )
    if (
        names
        & {
            "OfflineModeIsEnabled",
            "LocalEntryNotFoundError",
            "ConnectionError",
            "ConnectError",
            "ConnectTimeout",
        }
        or "connect" in text
    ):
        return BaseModelError(
            f"{base} is not in the cache and the hub cannot be reached: go online, or take a local folder (the "
            "embedded base is train/base)"
        )
    return BaseModelError(
        f"{base} cannot be loaded ({type(error).__name__}: {(str(error).splitlines() or [''])[0][:300]})"
    )
