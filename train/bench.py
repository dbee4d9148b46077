"""Training speed in tokens a second: these settings against TRL's defaults, with the same base and examples.

    python -m train.bench --base train/base --seconds 40

Rounds alternate, so that other load on the machine slows both. Tokens are those of examples: padding is computed but
not counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from datasets import Dataset as Rows
from datasets import disable_progress_bars
from transformers import TrainerCallback
from trl import SFTConfig as TrlConfig
from trl import SFTTrainer

from data import text_table
from data.season import SEASONS
from train import dataset
from train.base_model import load_model, load_tokenizer
from train.config import SftConfig
from train.errors import TrainError
from train.train_sft import lora_config, rows, training_arguments
from train.trainer import Trainer

WARM_STEPS = 2  # the first steps allocate memory and choose kernels


class Timer(TrainerCallback):
    """Stops after `seconds`, and counts the tokens since the warm-up."""

    def __init__(self, seconds: float):
        self.seconds, self.tokens, self.padded = seconds, 0, 0
        self.begin = self.end = 0.0

    def counting(self, collator: Callable[[list[dict[str, Any]]], dict[str, Any]]):
        """The collator, counting the tokens of its batches."""

        def collate(examples: list[dict[str, Any]]) -> dict[str, Any]:
            batch = collator(examples)
            if self.begin:
                padded = batch["input_ids"].numel()
                self.tokens += int(batch["attention_mask"].sum()) if "attention_mask" in batch else padded
                self.padded += padded
            return batch

        return collate

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == WARM_STEPS:
            self.begin = time.perf_counter()
        if self.begin:
            self.end = time.perf_counter()
            control.should_training_stop = self.end - self.begin >= self.seconds


@dataclass(frozen=True)
class Round:
    """One measurement."""

    tokens_per_second: float
    padding: float  # share of what is computed


def ours(config: SftConfig, data: dataset.Dataset, seconds: float) -> Round:
    """What `python -m train` does."""
    tokenizer, model = load_tokenizer(config.base), load_model(config.base)
    encoded = dataset.encode(tokenizer, data.train, config.max_length)
    with tempfile.TemporaryDirectory() as folder:
        arguments = training_arguments(config, Path(folder), model, len(encoded))
        arguments.eval_strategy = arguments.save_strategy = "no"
        arguments.load_best_model_at_end = False
        trainer = Trainer(
            model=model,
            args=arguments,
            processing_class=tokenizer,
            train_dataset=rows(encoded),
            peft_config=lora_config(config),
            validation=[],
            pad=tokenizer.pad_token_id,
        )
        return _timed(trainer, seconds)


def defaults(config: SftConfig, data: dataset.Dataset, seconds: float) -> Round:
    """What `SFTTrainer(model, SFTConfig(), LoraConfig())` does with the same conversations."""
    tokenizer, model = load_tokenizer(config.base), load_model(config.base)
    conversations = Rows.from_dict(
        {
            "prompt": [e.messages for e in data.train],
            "completion": [[{"role": "assistant", "content": e.completion}] for e in data.train],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrlConfig(
            output_dir=folder, report_to="none", use_cpu=not torch.cuda.is_available(), save_strategy="no"
        )
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            processing_class=tokenizer,
            train_dataset=conversations,
            peft_config=lora_config(config),
        )
        return _timed(trainer, seconds)


def _timed(trainer: SFTTrainer, seconds: float) -> Round:
    timer = Timer(seconds)
    trainer.add_callback(timer)
    trainer.data_collator = timer.counting(trainer.data_collator)
    trainer.remove_callback(transformers.ProgressCallback)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return Round(timer.tokens / max(1e-9, timer.end - timer.begin), 1 - timer.tokens / max(1, timer.padded))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--base", default="train/base", help="base model (default: %(default)s)")
    parser.add_argument("--season", default="ipl_2024", help="whose examples to train on (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="of a measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each setting (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's default")
    args = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    disable_progress_bars()
    if args.threads:
        torch.set_num_threads(args.threads)
    kinds = {
        "ours": (ours, SftConfig(base=args.base)),
        "ours, float32": (ours, SftConfig(base=args.base, bf16="no")),
        "ours, bfloat16": (ours, SftConfig(base=args.base, bf16="yes")),
        "TRL's defaults": (defaults, SftConfig(base=args.base)),
    }
    try:
        data = dataset.load(SEASONS / args.season / "qa", SftConfig().answer_share)
        found: dict[str, list[Round]] = {name: [] for name in kinds}
        for number in range(args.rounds):
            for name, (run, config) in kinds.items():
                found[name].append(run(config, data, args.seconds))
                speed = found[name][-1].tokens_per_second
                print(f"round {number + 1}: {name:15} {speed:8.0f} tokens/s", flush=True)
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    base = median(r.tokens_per_second for r in found["TRL's defaults"])
    table = []
    for name, measured in found.items():
        speed = median(r.tokens_per_second for r in measured)
        table.append((name, f"{speed:.0f}", f"{speed / base:.2f}", f"{median(r.padding for r in measured):.0%}"))
    head = ("settings", f"tokens/s (median of {args.rounds})", "times TRL's defaults", "padding")
    print("\n" + text_table.markdown(head, table, "lrrr"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
