"""Settings of a fine-tuning run: defaults, overridden by a YAML file (`--config`), overridden by the command line.

The resolved settings are saved as runs/<name>/config.yaml.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from train.errors import TrainError

SEASON = "ipl_2024"  # where none is named and none can be guessed
CHOICES: dict[str, Any] = {"method": Literal["lora", "qlora", "full"], "bf16": Literal["auto", "yes", "no"]}


@dataclass(frozen=True)
class SftConfig:
    """The settings; HELP explains each."""

    run: str = "demo"
    season: str = ""
    base: str = "train/base"
    base_revision: str = ""
    data: str = ""
    question_column: str = ""
    answer_column: str = ""
    strict: bool = False
    method: str = "lora"
    minutes: float = 8.0
    epochs: float = 1.0
    max_steps: int = -1
    learning_rate: float = 5e-4
    batch_size: int = 64
    micro_batch: int = 0
    max_length: int = 512
    rank: int = 32
    alpha: int = 64
    lora_layers: int = 0
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    answer_share: float = 0.4
    closed_book: bool = False
    evaluations: int = 6
    patience: int = 3
    keep_checkpoints: bool = False
    bf16: str = "auto"
    seed: int = 2024
    threads: int = 0
    chat_template: str = ""
    replace: bool = False


HELP = {
    "run": "name of the run: everything goes to runs/<name>",
    "season": f"whose questions and answers to train on (data/seasons/<season>/qa, default {SEASON}), or what --data's "
    "file is about; empty: guessed from the file",
    "base": "base model: a local folder, smollm2, smollm2-cricket, a GGUF file, or a Hugging Face id",
    "base_revision": "commit or tag of a Hugging Face base",
    "data": "another dataset: a folder with train.jsonl and validation.jsonl, or a questions-and-answers file",
    "question_column": "of a questions-and-answers file; empty: found by its usual names",
    "answer_column": "of a questions-and-answers file; empty: found by its usual names",
    "strict": "refuse a questions-and-answers file with empty, duplicate or contradicting rows; otherwise skip them",
    "method": "lora, qlora (4-bit base, needs a CUDA GPU and bitsandbytes) or full (all weights)",
    "minutes": "stop after that many minutes of wall time, wherever training is (0: no limit); with more, the same "
    "command goes on from there",
    "epochs": "passes over the training examples; a questions-and-answers file sets the steps by its size",
    "max_steps": "optimiser steps; overrides --epochs where positive",
    "learning_rate": "peak of a schedule with warm-up and linear decay",
    "batch_size": "examples a step, over all devices and accumulation",
    "micro_batch": "examples at once on a device; 0: chosen from the model's size",
    "max_length": "tokens of an example; longer ones are left out and counted",
    "rank": "LoRA rank",
    "alpha": "LoRA alpha",
    "lora_layers": "LoRA on that many of the last layers, which makes a step faster; 0: on all layers",
    "warmup_share": "share of the steps with rising learning rate",
    "weight_decay": "weight decay of AdamW",
    "answer_share": "answers to word, for each plan to write; 0: train on plans alone",
    "closed_book": "learn the answers themselves, from questions alone, without query line and table: a control",
    "evaluations": "how often the validation split is evaluated; a killed run resumes from the last of them",
    "patience": "evaluations without a better validation loss after which training stops",
    "keep_checkpoints": "keep the checkpoint of every evaluation, to draw a learning curve from",
    "bf16": "bfloat16 arithmetic; auto: on GPUs that have it, on CPUs that have it from 3M parameters up",
    "seed": "of the order of examples and the adapter's initial weights",
    "threads": "CPU threads; 0: as many as this process may use",
    "chat_template": "file with a Jinja chat template, for a base that has none",
    "replace": "delete a run of that name that was made from other inputs (one of the same inputs is kept)",
}
# settings that do not change what is trained, or do so by the rows that are hashed with the data
UNHASHED = ("run", "replace", "threads", "minutes", "keep_checkpoints", "question_column", "answer_column", "strict")


def resolve(given: Mapping[str, Any], file: Path | None = None) -> SftConfig:
    """Defaults, over them the YAML file, over it what was given. TrainError for what is unknown or ill-typed."""
    config = SftConfig(**{**(_from_yaml(file) if file else {}), **given})
    if not config.run or "/" in config.run or config.run.startswith("."):
        raise TrainError(f"--run {config.run!r}: give a plain name such as demo, it becomes the folder runs/<name>")
    if config.batch_size < 1 or config.rank < 1:
        raise TrainError("--batch-size and --rank must be 1 or more")
    return config


def _from_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise TrainError(f"--config {path} cannot be read: {error}") from None
    known = {f.name: type(f.default) for f in dataclasses.fields(SftConfig)}
    for name, value in values.items():
        if name not in known:
            raise TrainError(f"{path}: unknown setting {name!r}; known are {', '.join(known)}")
        if not isinstance(value, known[name]) and not (known[name] is float and isinstance(value, int)):
            raise TrainError(f"{path}: {name} is {value!r}, expected {known[name].__name__}")
    return values


def as_dict(config: SftConfig) -> dict[str, Any]:
    """The settings by name."""
    return asdict(config)
