"""Merges a LoRA adapter into its base model in float32, and proves that the merged model computes the same.

`python -m convert merge --run runs/<name>` writes models/<name>/.work/merged/.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from convert.errors import ConvertError
from data.atomic_write import temporary_folder

# Merged and unmerged models compute the same sums in another order, in float32 (24 bits): 1e-6 to 1e-5 standard
# deviations of the logits on tiny models. A lost or doubled adapter differs by more than 0.01.
MERGE_BOUND = 1e-3

_SAMPLE = [
    "top 5 run scorers in the powerplay",
    "economy | bowler=P1 phase=death",
    "Who won on 26 May 2024 by 8 wickets?",
]


@dataclass(frozen=True)
class MergeProof:
    """What was measured; differences are in standard deviations of the logits."""

    logit_difference: float  # merged against base + adapter
    reloaded_difference: float  # the saved folder, read back, against base + adapter
    training_difference: float  # base + adapter against the base alone
    changed_tensors: int
    largest_weight_change: float
    tied_embeddings: bool
    vocabulary: int  # rows of the embedding
    tokens: int  # of the tokenizer, added ones included
    parameters: int

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return asdict(self)


def merge(base: Path, adapter: Path | None, target: Path) -> MergeProof:
    """Write base + adapter as one float32 model with its tokenizer into target; without an adapter the base itself.

    Raises ConvertError where a proof fails.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if adapter is not None and not (adapter / "adapter_config.json").is_file():
        raise ConvertError(f"no adapter in {adapter}: run `python -m train` first, or name another run with --run")
    # a tokenizer saved with the adapter is the one that training used, with its template and added tokens
    own_tokenizer = adapter is not None and (adapter / "tokenizer_config.json").is_file()
    tokenizer_folder = adapter if own_tokenizer else base
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
    tied = bool(model.config.tie_word_embeddings)
    if adapter is not None and len(tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer))
    ids = [tokenizer.encode(text) for text in _SAMPLE]
    before = _logits(model, ids)
    weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()} if adapter else {}
    if adapter is None:
        adapted, changed, largest = before, 0, 0.0
    else:
        model, adapted = _apply(model, adapter, ids)
        changed, largest = _changes(weights, model.state_dict())
        if changed == 0:
            raise ConvertError(f"the adapter in {adapter} changes no weight: training did nothing, train it again")
    merged = _logits(model, ids)
    if tied and model.get_output_embeddings().weight is not model.get_input_embeddings().weight:
        raise ConvertError(
            "the base ties its output to its input embeddings, the merged model does not: the adapter "
            "trained one of them alone; train with ensure_weight_tying or without embeddings"
        )
    _save(model, tokenizer_folder, base, target)
    reloaded_model = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32).eval()
    proof = MergeProof(
        logit_difference=_difference(merged, adapted),
        reloaded_difference=_difference(_logits(reloaded_model, ids), adapted),
        training_difference=_difference(adapted, before),
        changed_tensors=changed,
        largest_weight_change=largest,
        tied_embeddings=tied,
        vocabulary=model.get_input_embeddings().num_embeddings,
        tokens=len(AutoTokenizer.from_pretrained(target)),
        parameters=sum(p.numel() for p in model.parameters()),
    )
    _check(proof, tokenizer, target)
    return proof


def _apply(model: torch.nn.Module, adapter: Path, ids: list[list[int]]) -> tuple[torch.nn.Module, torch.Tensor]:
    """The merged model, and the logits of base + adapter before merging."""
    from peft import PeftModel

    try:
        wrapped = PeftModel.from_pretrained(model, adapter).eval()
    except (RuntimeError, ValueError) as error:
        raise ConvertError(
            f"the adapter in {adapter} does not fit the base model ({str(error).splitlines()[0]}): give "
            "the base that it was trained on with --base"
        ) from error
    adapted = _logits(wrapped, ids)
    return wrapped.merge_and_unload(safe_merge=True).eval(), adapted


def _logits(model: torch.nn.Module, ids: list[list[int]]) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([model(torch.tensor([row])).logits[0] for row in ids]).float()


def _difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The largest difference, in standard deviations of `theirs`."""
    width = min(ours.shape[-1], theirs.shape[-1])
    return float((ours[:, :width] - theirs[:, :width]).abs().max() / theirs.std())


def _changes(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> tuple[int, float]:
    """Number of tensors that changed, and the largest change of a weight."""
    changed, largest = 0, 0.0
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            raise ConvertError(f"the merge lost the tensor {name}")
        difference = float((new - old).abs().max())
        changed += difference > 0
        largest = max(largest, difference)
    return changed, largest


_TOKENIZER_FILES = ("tokenizer", "special_tokens", "added_tokens", "chat_template", "vocab", "merges")


def _save(model: torch.nn.Module, tokenizer_folder: Path, base: Path, target: Path) -> None:
    with temporary_folder(target) as part:
        model.save_pretrained(part)
        # the tokenizer's files are copied, not written anew: transformers rewrites what llama.cpp's converter reads
        # (tokenizer.model above all) in ways that depend on its version
        for folder in (base, tokenizer_folder):
            for path in folder.iterdir():
                if path.name.startswith(_TOKENIZER_FILES) and path.is_file():
                    shutil.copyfile(path, part / path.name)
        _put_template_into_config(part)


def _put_template_into_config(folder: Path) -> None:
    """Leave one chat template: the file that transformers 5 writes beside the config takes precedence over it."""
    separate, config_path = folder / "chat_template.jinja", folder / "tokenizer_config.json"
    if separate.is_file() and config_path.is_file():
        config = json.loads(config_path.read_text(encoding="utf-8"))
        config["chat_template"] = separate.read_text(encoding="utf-8")
        config_path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        separate.unlink()


def _check(proof: MergeProof, tokenizer: Any, target: Path) -> None:
    for what, value in (
        ("merging", proof.logit_difference),
        ("saving and reading back", proof.reloaded_difference),
    ):
        if not value <= MERGE_BOUND:  # also where it is NaN
            raise ConvertError(
                f"{what} changed the logits by {value:.2g} standard deviations, at most {MERGE_BOUND} is "
                f"rounding: {target} has lost training, do not use it"
            )
    if proof.tokens != len(tokenizer):
        raise ConvertError(f"{target} has {proof.tokens} tokens, training had {len(tokenizer)}: added tokens were lost")
    if proof.tokens > proof.vocabulary:
        raise ConvertError(
            f"the tokenizer has {proof.tokens} tokens but the embedding only {proof.vocabulary} rows: "
            "resize the embedding before training"
        )
