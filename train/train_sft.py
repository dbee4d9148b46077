"""Fine-tunes a base model on a season's questions and answers: TRL's SFTTrainer with a LoRA adapter, on the
completion alone.

    python -m train --season ipl_2024 --base train/base --run demo
    accelerate launch -m train --run big --base Qwen/Qwen2.5-0.5B-Instruct --minutes 0

Writes runs/<name>/: config.yaml, adapter/ (model/ for `--method full`), metrics.jsonl, loss.png, result.json
and the examples as the conversion reads them. The same inputs are not trained twice; a killed run goes on
from its last whole checkpoint."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from datasets import Dataset as Rows
from datasets import disable_progress_bars
from peft import LoraConfig
from transformers import EarlyStoppingCallback, PreTrainedModel, PrinterCallback, ProgressCallback, set_seed
from trl import SFTConfig as TrlConfig

from data.prompts import PROMPT_VERSION
from data.season import SEASONS
from train import examples as dataset
from train.base_model import encode, fingerprint, is_out_of_memory, load_model, load_tokenizer
from train.callbacks import DONE_MARK, Bar, Clock, Marker, Recorder, draw_loss
from train.config import UNHASHED, SftConfig, as_dict
from train.errors import ExamplesError, OutOfMemory, RunExists
from train.examples import Example
from train.trainer import Encoded, Trainer

RUNS = Path("runs")
VALIDATION = 400  # examples of it looked at: enough for a curve, a second a time for the embedded base
BF16_FROM = 3_000_000  # parameters from which bf16 on a CPU is faster than float32 (python -m train.bench)
_MICRO = (
    (20e6, 64),
    (200e6, 16),
    (1e9, 8),
    (float("inf"), 2),
)  # parameters up to which so many examples go at once


@dataclass(frozen=True)
class Result:
    """result.json: that the run is whole, and what came of it. Written last."""

    inputs_sha256: str
    steps: int
    seconds: float
    stopped: str  # epochs | early (no better validation loss) | time
    validation_loss: float
    exact_match: dict[str, float]
    base_exact_match: dict[str, float]
    trained_parameters: int
    parameters: int
    tokens_per_second: float
    adapter_sha256: str


def train(config: SftConfig, root: Path = RUNS, began: float | None = None) -> tuple[Result, bool]:
    """Train, resume or find the finished run: (result, whether anything was done). Raises TrainError."""
    began = time.monotonic() if began is None else began
    source = Path(config.data) if config.data else SEASONS / config.season / "qa"
    if not source.exists():
        how = f"make it with `python -m data qa --season {config.season}`" if not config.data else "check --data"
        raise ExamplesError(f"no dataset at {source}: {how}")
    data = dataset.load(source, config.answer_share, config.closed_book)
    inputs = _inputs(config, data.sha256)
    folder = root / config.run
    finished = _finished(folder, inputs, config)
    if finished:
        return finished, False
    torch.set_num_threads(
        config.threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    set_seed(config.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    tokenizer = load_tokenizer(config.base, config.base_revision, config.chat_template)
    model = load_model(config.base, config.base_revision, config.method == "qlora")
    if _is_main():
        _prepare(folder, config, data, inputs, model)
    try:
        return _run(config, folder, data, tokenizer, model, inputs, began), True
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"out of memory with {_micro(config, model)} examples at once: halve that with --micro-batch, shorten with "
            f"--max-length (now {config.max_length}), take a smaller base, or --method qlora on a GPU"
        ) from error


def _run(
    config: SftConfig,
    folder: Path,
    data: dataset.Dataset,
    tokenizer: Any,
    model: PreTrainedModel,
    inputs: str,
    began: float,
) -> Result:
    encoded, left_out = _encoded(tokenizer, data.train, config.max_length)
    held, _ = _encoded(tokenizer, data.validation[:VALIDATION], config.max_length)
    if not encoded or not held:
        raise ExamplesError(f"no example fits into {config.max_length} tokens: raise --max-length")
    if _is_main():
        tokens = sum(len(ids) for ids, _, _ in encoded)
        print(
            f"train: {len(encoded)} examples, {tokens} tokens{f', {left_out} too long left out' if left_out else ''}; "
            f"validation: {len(held)}"
        )
    arguments = _arguments(config, folder, model, len(encoded))
    clock = Clock(config.minutes, began)
    trainer = Trainer(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=_rows(encoded),
        eval_dataset=_rows(held),
        validation=held,
        pad=tokenizer.pad_token_id,
        peft_config=None
        if config.method == "full"
        else LoraConfig(
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
        callbacks=[Recorder(folder), clock, Marker(), EarlyStoppingCallback(config.patience)],
    )
    for printing in (ProgressCallback, PrinterCallback):  # which of them there is depends on the log level
        trainer.remove_callback(printing)
    trainer.add_callback(Bar())
    resumed = _last_whole(folder / "checkpoints")
    if resumed and _is_main():
        print(f"train: going on from {resumed}")
    base_match = _base_match(folder, trainer, resumed)
    start, done_before = time.monotonic(), _steps(resumed)
    trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    seconds = time.monotonic() - start
    final = trainer.evaluate()
    best = {
        k.removeprefix("eval_").removesuffix("_exact_match"): round(v, 4)
        for k, v in final.items()
        if k.endswith("_exact_match")
    }
    steps = trainer.state.global_step
    stopped = "time" if clock.rang else "early" if steps < trainer.state.max_steps else "epochs"
    result = None
    if _is_main():
        target = folder / ("model" if config.method == "full" else "adapter")
        digest = _save(trainer, tokenizer, target, with_tokenizer=target.name == "model" or bool(config.chat_template))
        share = (steps - done_before) / max(1, trainer.state.max_steps) * arguments.num_train_epochs
        result = Result(
            inputs_sha256=inputs,
            steps=steps,
            seconds=round(seconds, 1),
            stopped=stopped,
            validation_loss=round(final["eval_loss"], 5),
            exact_match=best,
            base_exact_match=base_match,
            trained_parameters=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
            parameters=sum(p.numel() for p in trainer.model.parameters()),
            tokens_per_second=round(share * sum(len(i) for i, _, _ in encoded) / seconds, 1) if seconds else 0.0,
            adapter_sha256=digest,
        )
        draw_loss(folder)
        _write(folder / "result.json", json.dumps(asdict(result), indent=2) + "\n")
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    return result or Result(**json.loads((folder / "result.json").read_text()))


def _arguments(config: SftConfig, folder: Path, model: PreTrainedModel, count: int) -> TrlConfig:
    micro = _micro(config, model)
    devices = int(os.environ.get("WORLD_SIZE", 1))
    accumulate = max(1, config.batch_size // (micro * devices))
    steps = (
        config.max_steps
        if config.max_steps > 0
        else max(1, round(config.epochs * count / (micro * accumulate * devices)))
    )
    every = max(1, steps // config.evaluations)
    gpu = torch.cuda.is_available()
    return TrlConfig(
        output_dir=str(folder / "checkpoints"),
        per_device_train_batch_size=micro,
        per_device_eval_batch_size=micro,
        gradient_accumulation_steps=accumulate,
        max_steps=steps,
        num_train_epochs=steps * micro * accumulate * devices / count,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=round(config.warmup_share * steps),
        weight_decay=config.weight_decay,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        optim="adamw_torch_fused",
        bf16=_bf16(config, model),
        use_cpu=not gpu,
        activation_checkpointing=gpu and sum(p.numel() for p in model.parameters()) > 1e9,
        completion_only_loss=True,
        max_length=None,
        pad_to_multiple_of=16,  # few shapes: oneDNN keeps kernels and memory for each (4 GB without, after 270 steps)
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=3,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, min(10, steps // 20)),
        logging_nan_inf_filter=False,
        report_to="none",
        seed=config.seed,
        data_seed=config.seed,
        dataloader_num_workers=0,
        dataloader_pin_memory=gpu,
        ddp_find_unused_parameters=False if devices > 1 else None,
    )


def _micro(config: SftConfig, model: PreTrainedModel) -> int:
    size = sum(p.numel() for p in model.parameters())
    return min(config.micro_batch or next(n for limit, n in _MICRO if size <= limit), config.batch_size)


def _bf16(config: SftConfig, model: PreTrainedModel) -> bool:
    if config.bf16 != "auto":
        return config.bf16 == "yes"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    # without AMX or AVX512-BF16 a CPU emulates bfloat16 at a fraction of float32's speed
    return torch.cpu._is_avx512_bf16_supported() and sum(p.numel() for p in model.parameters()) >= BF16_FROM


def _encoded(tokenizer: Any, examples: list[Example], limit: int) -> tuple[list[Encoded], int]:
    made = [(*encode(tokenizer, e), e.task) for e in examples]
    fitting = [m for m in made if len(m[0]) <= limit]
    return fitting, len(made) - len(fitting)


def _rows(encoded: list[Encoded]) -> Rows:
    disable_progress_bars()
    return Rows.from_dict(
        {
            "input_ids": [ids for ids, _, _ in encoded],
            "labels": [[-100] * prompt + ids[prompt:] for ids, prompt, _ in encoded],
        }
    )


# -- the run folder ---------------------------------------------------------------------------------------------------


def _inputs(config: SftConfig, data_sha256: str) -> str:
    """A hash of all that decides the result: settings, data, base, prompts."""
    kept = {k: v for k, v in as_dict(config).items() if k not in UNHASHED}
    template = Path(config.chat_template)
    kept["chat_template"] = (
        template.read_text() if config.chat_template and template.is_file() else config.chat_template
    )
    kept |= {
        "data": data_sha256,
        "base": fingerprint(config.base, config.base_revision),
        "prompt": PROMPT_VERSION,
    }
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _finished(folder: Path, inputs: str, config: SftConfig) -> Result | None:
    """The run's result if it is whole and of these inputs. Raises RunExists for another run's folder."""
    if not (folder / "config.yaml").is_file():
        return None
    found = yaml.safe_load((folder / "config.yaml").read_text()) or {}
    if found.get("inputs_sha256") != inputs:
        if config.replace:
            if _is_main():
                print(f"{folder} was made from other inputs: replacing it", flush=True)
                shutil.rmtree(folder)
            return None
        now = as_dict(config)
        differ = [
            f"{k} {found[k]!r} -> {now[k]!r}" for k in now if k not in UNHASHED and k in found and found[k] != now[k]
        ]
        raise RunExists(
            f"{folder} was made from other inputs ({'; '.join(differ) or 'the data or the base changed'}): name "
            "another run with --run, or replace this one with --replace"
        )
    path = folder / "result.json"
    kept = folder / ("model" if config.method == "full" else "adapter")
    return Result(**json.loads(path.read_text())) if path.is_file() and kept.is_dir() else None


def _prepare(folder: Path, config: SftConfig, data: dataset.Dataset, inputs: str, model: PreTrainedModel) -> None:
    (folder / "examples").mkdir(parents=True, exist_ok=True)
    about = as_dict(config) | {
        "base_revision": config.base_revision or getattr(model.config, "_commit_hash", None) or "",
        "base_sha256": fingerprint(config.base, config.base_revision),
        "data_sha256": data.sha256,
        "prompt_version": PROMPT_VERSION,
        "inputs_sha256": inputs,
    }
    for split in ("train", "validation", "test"):
        dataset.write(getattr(data, split), folder / "examples" / f"{split}.jsonl")
    _write(folder / "config.yaml", yaml.safe_dump(about, sort_keys=False))


def _last_whole(checkpoints: Path) -> Path | None:
    """The latest checkpoint that was written to its end."""
    whole = [p.parent for p in checkpoints.glob(f"checkpoint-*/{DONE_MARK}")]
    return max(whole, key=_steps, default=None)


def _steps(checkpoint: Path | None) -> int:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _base_match(folder: Path, trainer: Trainer, resumed: Path | None) -> dict[str, float]:
    """Exact match before any training; kept over a resume."""
    path = folder / "base_exact_match.json"
    if resumed and path.is_file():
        return json.loads(path.read_text())
    found = {task: round(share, 4) for task, share in trainer.look().exact_match.items()}
    if _is_main():
        _write(path, json.dumps(found))
    return found


def _save(trainer: Trainer, tokenizer: Any, target: Path, with_tokenizer: bool) -> str:
    """Write the adapter (or model) beside its place and rename; returns a hash of its weights.

    The tokenizer goes with a whole model, and with an adapter whose template is not the base's own.
    """
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    model = trainer.accelerator.unwrap_model(trainer.model)
    model.save_pretrained(part)
    if with_tokenizer:
        tokenizer.save_pretrained(part)
        base = Path(trainer.model.config._name_or_path)
        if (base / "tokenizer.model").is_file():  # the converter takes the merge order from it
            shutil.copyfile(base / "tokenizer.model", part / "tokenizer.model")
    shutil.rmtree(target, ignore_errors=True)
    part.replace(target)
    digest = hashlib.sha256()
    for path in sorted(target.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def _is_main() -> bool:
    return int(os.environ.get("RANK", 0)) == 0
