"""Training speed: these settings against TRL's defaults, with the same base and the same questions.

    python -m train.bench --base train/base --seconds 40
    python -m train.bench --base smollm2 --threads 1

TRL's defaults include the base's own chat template. Rounds alternate, so that other load on the machine slows both;
with one thread the CPU time of the process is measured, which other load changes little. Padding is computed, but not
counted as tokens.
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

from convert.bases import OWN_TEMPLATE, base_folder, is_gguf_base
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
    """Stops after `seconds`, and counts what was trained on since the warm-up."""

    def __init__(self, seconds: float, clock: Callable[[], float]):
        self.seconds, self.clock = seconds, clock
        self.examples = self.tokens = self.padded = 0
        self.begin = self.end = 0.0

    def counting(self, collator: Callable[[list[dict[str, Any]]], dict[str, Any]]):
        """The collator, counting what is in its batches."""

        def collate(examples: list[dict[str, Any]]) -> dict[str, Any]:
            batch = collator(examples)
            if self.begin:
                padded = batch["input_ids"].numel()
                self.examples += len(examples)
                self.tokens += int(batch["attention_mask"].sum()) if "attention_mask" in batch else padded
                self.padded += padded
            return batch

        return collate

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == WARM_STEPS:
            self.begin = self.clock()
        if self.begin:
            self.end = self.clock()
            control.should_training_stop = self.end - self.begin >= self.seconds


@dataclass(frozen=True)
class Round:
    """One measurement."""

    examples_per_second: float
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
            peft_config=lora_config(config, model),
            validation=[],
            pad=tokenizer.pad_token_id,
        )
        return _timed(trainer, seconds)


def defaults(config: SftConfig, data: dataset.Dataset, seconds: float) -> Round:
    """What `SFTTrainer(model, SFTConfig(), LoraConfig())` does with the same conversations."""
    own = base_folder(config.base) / OWN_TEMPLATE if is_gguf_base(config.base) else None
    template = str(own) if own and own.is_file() else ""
    tokenizer, model = load_tokenizer(config.base, chat_template=template), load_model(config.base)
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
            peft_config=lora_config(config, model),
        )
        return _timed(trainer, seconds)


def _timed(trainer: SFTTrainer, seconds: float) -> Round:
    timer = Timer(seconds, time.process_time if torch.get_num_threads() == 1 else time.perf_counter)
    trainer.add_callback(timer)
    trainer.data_collator = timer.counting(trainer.data_collator)
    trainer.remove_callback(transformers.ProgressCallback)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    measured = max(1e-9, timer.end - timer.begin)
    return Round(timer.examples / measured, timer.tokens / measured, 1 - timer.tokens / max(1, timer.padded))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--base", default="train/base", help="base model (default: %(default)s)")
    parser.add_argument("--season", default="ipl_2024", help="whose examples to train on (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="of a measurement (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each setting (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's default")
    parser.add_argument("--lora-layers", type=int, default=0, help="also measure LoRA on so many of the last layers")
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
    if args.lora_layers:
        name = f"ours, LoRA on the last {args.lora_layers} layers"
        kinds[name] = (ours, SftConfig(base=args.base, lora_layers=args.lora_layers))
    try:
        data = dataset.load(SEASONS / args.season / "qa", SftConfig().answer_share)
        found: dict[str, list[Round]] = {name: [] for name in kinds}
        for number in range(args.rounds):
            for name, (run, config) in kinds.items():
                found[name].append(run(config, data, args.seconds))
                last = found[name][-1]
                print(
                    f"round {number + 1}: {name:15} {last.examples_per_second:6.2f} examples/s, "
                    f"{last.tokens_per_second:6.0f} tokens/s",
                    flush=True,
                )
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    base = median(r.examples_per_second for r in found["TRL's defaults"])
    table = []
    for name, measured in found.items():
        speed = median(r.examples_per_second for r in measured)
        tokens, padding = median(r.tokens_per_second for r in measured), median(r.padding for r in measured)
        table.append((name, f"{speed:.1f}", f"{speed / base:.2f}", f"{tokens:.0f}", f"{padding:.0%}"))
    head = ("settings", f"examples/s (median of {args.rounds})", "times TRL's defaults", "tokens/s", "padding")
    print("\n" + text_table.markdown(head, table, "lrrrr"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
