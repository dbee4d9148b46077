"""Fine-tunes a base model on a season's questions and answers: TRL's SFTTrainer with a LoRA adapter, with loss on the
completions alone.

    python -m train --season ipl_2024 --base train/base --run demo
    accelerate launch -m train --run big --base Qwen/Qwen2.5-0.5B-Instruct --minutes 0

Writes runs/<name>/: config.yaml, adapter/ (model/ for `--method full`), metrics.jsonl, loss.png, result.json and the
examples as the conversion reads them. The same inputs are not trained twice; a run that was killed resumes from its
last complete checkpoint.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset as Rows
from datasets import disable_progress_bars
from peft import LoraConfig
from torch.nn import Linear
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    ProgressCallback,
    set_seed,
)
from trl import SFTConfig as TrlConfig

from data.atomic_write import atomic_write
from data.dataset.encoding import EncodedExample
from data.dataset.examples import Example
from data.season import SEASONS
from train import dataset, run_folder
from train.base_model import is_out_of_memory, load_model, load_tokenizer
from train.callbacks import (
    CheckpointMarker,
    MetricsRecorder,
    ProgressBar,
    TimeLimit,
    draw_loss,
    read_metrics,
    tokens_at,
)
from train.config import SEASON, SftConfig
from train.errors import ExamplesError, OutOfMemory, TrainError
from train.own_file import OWN_ANSWER, OWN_PLAN, OwnFile
from train.run_folder import Result, is_main_process
from train.trainer import EvalResult, Trainer

RUNS = Path("runs")
# (parameters up to which, examples of the validation split), so that an evaluation takes seconds: 1 with the embedded
# base, 10 with one of 135 million parameters
_VALIDATION_EXAMPLES = ((20e6, 400), (float("inf"), 100))
BF16_FROM = 3_000_000  # parameters from which bf16 on a CPU is faster than float32 (python -m train.bench)
# (parameters up to which, examples in a forward pass)
_MICRO_BATCHES = ((20e6, 64), (200e6, 16), (1e9, 8), (float("inf"), 2))


def train(config: SftConfig, root: Path = RUNS, began: float | None = None) -> tuple[Result, bool]:
    """Train, resume, or find the finished run: (result, whether anything was trained). Raises TrainError.

    `began` is the time.monotonic() from which `config.minutes` count.
    """
    began = time.monotonic() if began is None else began
    torch.set_num_threads(cpu_threads(config.threads))
    folder = root / config.run
    own = OwnFile.read(config) if config.data and not Path(config.data).is_dir() else None
    config = replace(config, season=own.season if own else config.season or SEASON)
    data = None if own else _season_data(config)
    inputs = run_folder.inputs_hash(config, data.sha256 if data else own.sha256)
    finished = run_folder.finished_result(folder, inputs, config)
    if finished:
        return finished, False
    if data is None:
        data = run_folder.prepared(folder, inputs) or own.dataset(config)
    set_seed(config.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    tokenizer = load_tokenizer(config.base, config.base_revision, config.chat_template)
    model = load_model(config.base, config.base_revision, config.method == "qlora")
    if is_main_process():
        run_folder.prepare(folder, config, data, inputs, model)
    try:
        return _train(config, folder, data, tokenizer, model, inputs, began), True
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(
            f"out of memory with {_micro_batch(config, model)} examples at once: halve that with --micro-batch, "
            f"shorten with --max-length (now {config.max_length}), take a smaller base, or --method qlora on a GPU"
        ) from error


def _season_data(config: SftConfig) -> dataset.Dataset:
    """The dataset of a folder with split files: `config.data`, or the season's. Raises ExamplesError."""
    source = Path(config.data) if config.data else SEASONS / config.season / "qa"
    if not source.exists():
        how = f"make it with `python -m data qa --season {config.season}`" if not config.data else "check --data"
        raise ExamplesError(f"no dataset at {source}: {how}")
    return dataset.load(source, config.answer_share, config.closed_book)


def cpu_threads(asked: int) -> int:
    """The threads to compute with: `asked`, or for 0 as many CPUs as this process may use."""
    if asked:
        return asked
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _train(
    config: SftConfig,
    folder: Path,
    data: dataset.Dataset,
    tokenizer: PreTrainedTokenizerBase,
    model: PreTrainedModel,
    inputs: str,
    began: float,
) -> Result:
    encoded = dataset.encode(tokenizer, data.train, config.max_length)
    count = _by_size(model, _VALIDATION_EXAMPLES)
    validation = dataset.encode(tokenizer, data.validation[:count], config.max_length)
    own = dataset.encode(tokenizer, _spread(data.own, count), config.max_length)
    if not encoded or not validation or (data.own and not own):
        raise ExamplesError(f"no example fits into {config.max_length} tokens: raise --max-length")
    tokens = sum(len(e.ids) for e in encoded)
    if is_main_process():
        too_long = len(data.train) - len(encoded)
        print(
            f"train: {len(encoded)} examples, {tokens} tokens{f', {too_long} too long left out' if too_long else ''}; "
            f"validation: {len(validation)}"
        )
    arguments = training_arguments(config, folder, model, len(encoded), choose_best=not own)
    limit = TimeLimit(config.minutes, began)
    trainer = Trainer(
        model=model,
        args=arguments,
        processing_class=tokenizer,
        train_dataset=rows(encoded),
        eval_dataset=rows(validation),
        validation=validation + own,
        pad=tokenizer.pad_token_id,
        peft_config=None if config.method == "full" else lora_config(config, model),
        callbacks=[MetricsRecorder(folder), limit, CheckpointMarker()],
    )
    if not own:  # the product's tasks are known before: their loss is no reason to stop learning a file
        trainer.add_callback(EarlyStoppingCallback(config.patience))
    for printing in (ProgressCallback, PrinterCallback):  # which of the two is set depends on the log level
        trainer.remove_callback(printing)
    trainer.add_callback(ProgressBar())
    checkpoint = run_folder.last_checkpoint(folder)
    if checkpoint and is_main_process():
        print(f"train: resuming from {checkpoint}")
    trainer.go_on_from(tokens_at(read_metrics(folder), run_folder.checkpoint_step(checkpoint)))
    base = _of_base(folder, trainer, checkpoint)
    start = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - start
    trainer.evaluate()  # of the best checkpoint, which is loaded now, or of the last step
    final = trainer.last_evaluation
    if is_main_process():
        steps = trainer.state.global_step
        target = run_folder.weights_folder(folder, config)
        digest = run_folder.save_weights(
            trainer.accelerator.unwrap_model(trainer.model),
            tokenizer,
            target,
            config.base,
            # a whole model needs it, and so does an adapter whose template is not the base's own
            with_tokenizer=config.method == "full" or bool(config.chat_template),
        )
        steps_here = steps - run_folder.checkpoint_step(checkpoint)
        passes = steps_here / max(1, trainer.state.max_steps) * arguments.num_train_epochs
        draw_loss(folder)
        run_folder.finish(
            folder,
            Result(
                inputs_sha256=inputs,
                steps=steps,
                seconds=round(seconds, 1),
                stopped="time" if limit.timed_out else "early" if steps < trainer.state.max_steps else "epochs",
                validation_loss=round(final.loss, 5),
                exact_match=_rounded(final.exact_match),
                base_exact_match=_rounded(base.exact_match),
                trained_parameters=sum(p.numel() for p in trainer.model.parameters() if p.requires_grad),
                parameters=sum(p.numel() for p in trainer.model.parameters()),
                tokens_per_second=round(passes * tokens / seconds, 1) if seconds else 0.0,
                adapter_sha256=digest,
                minutes=config.minutes,
                planned_steps=trainer.state.max_steps,
                own_loss_before=_own_loss(base),
                own_loss=_own_loss(final),
            ),
            config.keep_checkpoints,
        )
    trainer.accelerator.wait_for_everyone()
    return run_folder.read_result(folder)


def lora_config(config: SftConfig, model: PreTrainedModel) -> LoraConfig:
    """LoRA on the linear layers of every block, or of the last `config.lora_layers` blocks. Raises TrainError."""
    blocks = model.config.num_hidden_layers
    if config.lora_layers > blocks:
        raise TrainError(f"--lora-layers {config.lora_layers}: {config.base} has {blocks} layers")
    chosen: dict[str, Any] = {"target_modules": "all-linear"}
    if config.lora_layers:
        head = model.get_output_embeddings()
        linear = {n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, Linear) and m is not head}
        last = list(range(blocks))[-config.lora_layers :]
        chosen = {"target_modules": sorted(linear), "layers_to_transform": last}
    return LoraConfig(r=config.rank, lora_alpha=config.alpha, lora_dropout=0.0, task_type="CAUSAL_LM", **chosen)


def training_arguments(
    config: SftConfig, folder: Path, model: PreTrainedModel, count: int, choose_best: bool = True
) -> TrlConfig:
    """TRL's arguments for `count` training examples; with `choose_best` the best checkpoint is what training gives."""
    micro = _micro_batch(config, model)
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
        pad_to_multiple_of=8,  # few shapes: oneDNN keeps kernels and memory for each (4 GB without, after 270 steps)
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=None if config.keep_checkpoints else 3,
        load_best_model_at_end=choose_best,
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


def _micro_batch(config: SftConfig, model: PreTrainedModel) -> int:
    """Examples in a forward pass on one device."""
    return min(config.micro_batch or _by_size(model, _MICRO_BATCHES), config.batch_size)


def _by_size(model: PreTrainedModel, table: Sequence[tuple[float, int]]) -> int:
    """The value for the model's number of parameters in a table of (parameters up to which, value)."""
    size = sum(p.numel() for p in model.parameters())
    return next(value for most, value in table if size <= most)


def _bf16(config: SftConfig, model: PreTrainedModel) -> bool:
    """Whether to compute in bfloat16."""
    if config.bf16 != "auto":
        return config.bf16 == "yes"
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    # without AMX or AVX512-BF16 a CPU emulates bfloat16 at a fraction of float32's speed
    return torch.cpu._is_avx512_bf16_supported() and sum(p.numel() for p in model.parameters()) >= BF16_FROM


def rows(encoded: list[EncodedExample]) -> Rows:
    """The examples as the trainer takes them; prompts have no label and so no loss."""
    disable_progress_bars()
    return Rows.from_dict(
        {
            "input_ids": [e.ids for e in encoded],
            "labels": [[-100] * e.prompt_length + e.ids[e.prompt_length :] for e in encoded],
        }
    )


def _of_base(folder: Path, trainer: Trainer, checkpoint: Path | None) -> EvalResult:
    """The validation before training; a resumed run reads what it measured when it began."""
    path = folder / "before-training.json"
    if checkpoint and path.is_file():
        return EvalResult(**json.loads(path.read_text(encoding="utf-8")))
    found = trainer.evaluate_validation()
    if is_main_process():
        atomic_write(path, json.dumps(asdict(found)))
    return found


def _own_loss(found: EvalResult) -> float | None:
    """The loss on the rows of a user's file, None where there are none."""
    losses = [found.losses[task] for task in (OWN_PLAN, OWN_ANSWER) if task in found.losses]
    return round(sum(losses) / len(losses), 5) if losses else None


def _rounded(shares: dict[str, float]) -> dict[str, float]:
    return {task: round(share, 4) for task, share in shares.items()}


def _spread(examples: Sequence[Example], count: int) -> list[Example]:
    """At most `count` of the examples, evenly drawn."""
    return list(examples[:: max(1, -(-len(examples) // count))])
