"""Pre-training: a stopped run takes the same steps as one that was not stopped; what is missing is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs requirements-train.txt")

from train.pretrain import training as module
from train.pretrain.__main__ import main
from train.pretrain.config import PretrainConfig
from train.pretrain.training import learning_rate, pretrain, sha256

TOKENIZER = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")


def tiny(folder: Path) -> PretrainConfig:
    """Settings of a run of four steps, with the embedded base's tokenizer, which takes long to train."""
    (folder / "tokenizer").mkdir(parents=True)
    for name in TOKENIZER:
        shutil.copy(Path("train/base") / name, folder / "tokenizer")
    return PretrainConfig(out=str(folder / "base"), work=str(folder), steps=4, hidden=32, layers=1, heads=2, ffn=48,
                          tokens_per_step=256, warmup_steps=1, threads=1, compile=False)  # fmt: skip


def test_a_stopped_run_resumes_and_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 2)
    whole = tiny(tmp_path / "whole")
    pretrain(whole)
    stopped, real, made = tiny(tmp_path / "stopped"), learning_rate, []

    def stops(config: PretrainConfig, step: int) -> float:
        if step == 3 and not made:
            made.append(step)
            raise KeyboardInterrupt
        return real(config, step)

    monkeypatch.setattr(module, "learning_rate", stops)
    with pytest.raises(KeyboardInterrupt):
        pretrain(stopped)
    assert not Path(stopped.out).exists()
    pretrain(stopped)
    weights = [sha256(Path(config.out) / "model.safetensors") for config in (whole, stopped)]
    assert made and weights[0] == weights[1]


def test_a_missing_pool_names_the_command_that_makes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pool", str(tmp_path / "none.jsonl"), "--work", str(tmp_path)]) == 1
    assert "python -m data.dataset.pretraining" in capsys.readouterr().err


def test_the_learning_rate_rises_stays_and_falls_to_zero() -> None:
    config = PretrainConfig(steps=1000, warmup_steps=100, decay_share=0.5, learning_rate=1.0)
    rates = [learning_rate(config, step) for step in (0, 99, 500, 750, 999)]
    assert rates == pytest.approx([0.01, 1.0, 1.0, 0.5, 0.002])
