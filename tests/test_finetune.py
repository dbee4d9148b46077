"""`make finetune`: the composed text, a run of 20 steps, the adapter as it is shipped, and the learning curve."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs requirements-train.txt")

import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from convert import bases
from convert.bases import base_folder
from convert.errors import ConvertError
from data.dataset.composed import write_dataset
from train import shipped_adapter
from train.config import SftConfig
from train.errors import TrainError
from train.evaluate import learning_curve
from train.train_sft import train

ROOT = Path(__file__).parent.parent
SETTINGS = {"base": "train/base", "max_steps": 20, "batch_size": 16, "rank": 4, "learning_rate": 1e-3, "evaluations": 4,
            "patience": 9, "minutes": 0, "threads": 1, "keep_checkpoints": True}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of 20 steps on text that was composed twice; the second one's folder."""
    folder = tmp_path_factory.mktemp("finetune")
    hashes = []
    for name in ("first", "second"):
        write_dataset(folder / f"{name}-text", 200, None, seed=5)
        result, _ = train(SftConfig(run=name, data=str(folder / f"{name}-text"), **SETTINGS), root=folder)
        hashes.append(result.adapter_sha256)
    assert hashes[0] == hashes[1], "two runs give one adapter"
    return folder / "second"


def test_make_finetune_trains_on_composed_text_and_answers_of_other_seasons() -> None:
    name = f"finetune-of-the-tests-{os.getpid()}"
    small = {"FINETUNE_RUN": f"runs/{name}", "FINETUNE_BASE": "train/base", "FINETUNE_ANSWERS": "12",
             "FINETUNE_COUNT": "700", "FINETUNE_STEPS": "20", "OTHER_SEASONS": "ipl_2010",
             "ANSWERS": f"runs/{name}-text/answers.jsonl"}  # fmt: skip
    try:
        made = subprocess.run(
            ["make", "--old-file", ".venv/installed", "finetune", *(f"{k}={v}" for k, v in small.items())],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        result = json.loads((ROOT / "runs" / name / "result.json").read_text())
        examples = (ROOT / "runs" / name / "examples" / "train.jsonl").read_text().splitlines()
        assert result["steps"] == 20
        assert {json.loads(line)["task"] for line in examples} == {"plan", "follow", "answer"}
    finally:
        for folder in (ROOT / "runs").glob(f"{name}*"):
            shutil.rmtree(folder)


def test_the_shipped_adapter_is_the_run_s_in_half_the_size_and_its_card_says_what_it_saw(
    run: Path, tmp_path: Path
) -> None:
    config = run / "config.yaml"
    other = tmp_path / "run"
    shutil.copytree(run, other)
    (other / "config.yaml").write_text(config.read_text().replace("base: train/base", "base: smollm2"))
    shipped_adapter.ship(other, tmp_path / "adapter")
    before = load_file(run / "adapter" / "adapter_model.safetensors")
    after = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], weight.to(torch.bfloat16)) for name, weight in before.items())
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert "base_model: HuggingFaceTB/SmolLM2-135M-Instruct" in card and "20 steps of 16 examples" in card
    assert "200 examples" in card and str(tmp_path) not in card


def test_only_a_finished_run_over_the_public_base_is_shipped(run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="was trained on train/base, expected smollm2"):
        shipped_adapter.ship(run, tmp_path / "adapter")
    with pytest.raises(TrainError, match="not finished"):
        shipped_adapter.ship(tmp_path, tmp_path / "adapter")


def test_a_base_with_our_adapter_is_the_public_base_with_the_adapter_merged(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bases.ADAPTED, "ours", ("public", run / "adapter"))
    monkeypatch.setattr(bases, "cache_folder", lambda: tmp_path)
    real = bases.base_folder
    monkeypatch.setattr(bases, "base_folder", lambda name: ROOT / "train/base" if name == "public" else real(name))
    (tmp_path / "bases").mkdir()
    folder = base_folder("ours")
    merged, base = load_file(folder / "model.safetensors"), load_file(ROOT / "train/base/model.safetensors")
    changed = [name for name in base if not torch.equal(merged[name], base[name].float())]
    assert changed and all(".mlp." in name or ".self_attn." in name for name in changed)
    assert base_folder("ours") == folder
    monkeypatch.setitem(bases.ADAPTED, "gone", ("public", tmp_path / "none"))
    with pytest.raises(ConvertError, match="make finetune"):
        base_folder("gone")


def test_the_learning_curve_asks_every_kept_checkpoint(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [c.name for c in learning_curve.checkpoints(run, every=1)]
    assert kept == ["checkpoint-5", "checkpoint-10", "checkpoint-15", "checkpoint-20"]
    exams = tmp_path / "exams"
    exams.mkdir()
    rows = (learning_curve.EXAMS / "conditions.jsonl").read_text().splitlines()[:3]
    (exams / "conditions.jsonl").write_text("\n".join(rows))
    monkeypatch.setattr(learning_curve, "EXAMS", exams)
    monkeypatch.setattr(learning_curve, "CURVE_SETS", ("conditions",))
    monkeypatch.setattr(learning_curve, "COLOURS", {"conditions": "#2563eb"})
    said = CliRunner().invoke(learning_curve.app, ["--run", str(run), "--every", "4", "--threads", "1", "--untrained"])
    assert said.exit_code == 0, said.output
    points = json.loads((run / "curve.json").read_text())
    assert [p["step"] for p in points] == [0, 20] and points[0]["tokens"] == 0 < points[1]["tokens"]
    for point in points:
        counts = point["sets"]["conditions"]
        assert counts["asked"] == 3 == counts["right"] + counts["declined"] + counts["wrong"]
    assert (run / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(TrainError, match="--keep-checkpoints"):
        learning_curve.checkpoints(tmp_path, every=1)
