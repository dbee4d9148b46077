"""Settings of the embedded base's pre-training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PretrainConfig:
    """HELP says what each is."""

    out: str = "train/base"
    work: str = "runs/pretrain"
    pool: str = ""
    start: str = ""  # a base whose tokenizer and weights are taken up; none: from random weights
    phrasings: float = 1.0
    steps: int = 10_250
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    ffn: int = 704
    vocabulary: int = 4096
    tokens_per_step: int = 4096
    optimizer: str = "muon"
    learning_rate: float = 3e-3
    warmup_steps: int = 100
    decay_share: float = 0.5
    prompt_weight: float = 0.1
    seed: int = 2024
    threads: int = 2
    compile: bool = True


HELP = {
    "out": "folder of the finished model and tokenizer",
    "work": "folder of checkpoints and text; a stopped run goes on from there",
    "pool": "answers computed on other seasons (python -m data.dataset.pretraining); without it: plans only",
    "start": "a base folder whose tokenizer and weights are taken up; empty: random weights",
    "phrasings": "share of the hand-written pairs that is used",
    "steps": "optimiser steps",
    "hidden": "width of the model",
    "layers": "transformer layers",
    "heads": "attention heads",
    "ffn": "width of the feed-forward part",
    "vocabulary": "tokens",
    "tokens_per_step": "tokens a step, padding included",
    "optimizer": "muon for the matrices and AdamW for the rest, or adamw for all",
    "learning_rate": "peak learning rate",
    "warmup_steps": "steps with rising learning rate",
    "decay_share": "share of the steps, at the end, in which the learning rate falls linearly to zero",
    "prompt_weight": "weight of the loss on the question itself",
    "seed": "of weights and text",
    "threads": "CPU threads",
    "compile": "compile the model with torch.compile",
}
