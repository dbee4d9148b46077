"""A tiny random-weight GGUF for tests that need a real model file: `tiny_gguf(folder)` gives its path."""

from pathlib import Path

from serve.bench.random_model import SHAPES, write_gguf, write_lora

SHAPE = SHAPES["tiny"]


def tiny_gguf(folder: Path, seed: int = 0) -> Path:
    """Write (once per folder and seed) a Llama of about 1.5 million random parameters and return its path."""
    path = Path(folder) / f"tiny-{seed}.gguf"
    return path if path.exists() else write_gguf(path, SHAPE, seed=seed)


def tiny_lora(folder: Path, seed: int = 1) -> Path:
    """Write a LoRA adapter in GGUF that fits `tiny_gguf` and return its path."""
    path = Path(folder) / f"lora-{seed}.gguf"
    return path if path.exists() else write_lora(path, SHAPE, seed=seed)
