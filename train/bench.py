"""Training speed in tokens a second: our settings against TRL's defaults, on the same base, examples and
machine.

    python -m train.bench --base train/base --seconds 40

Rounds alternate, so that a busy neighbour slows both. Tokens are those of examples; padding is work but not
counted."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import transformers
from datasets import Dataset as Rows
from datasets import disable_progress_bars
from peft import LoraConfig
from transformers import TrainerCallback
from trl import SFTConfig as TrlConfig
from trl import SFTTrainer

from data.season import SEASONS
from train import examples as dataset
from train.base_model import load_model, load_tokenizer
from train.config import SftConfig
from train.errors import TrainError
from train.train_sft import _arguments, _encoded, _rows
from train.trainer import Trainer

WARM_STEPS = 2  # the first steps allocate memory and pick kernels


class Timer(TrainerCallback):
    """Stops after `seconds` and knows how many tokens went through after the warm-up."""

    def __init__(self, seconds: float):
        self.seconds, self.tokens, self.padded, self.begin, self.steps = seconds, 0, 0, 0.0, 0

    def count(self, collator: Any):
        def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
            batch = collator(rows)
            if self.begin:
                self.tokens += (
                    int(batch["attention_mask"].sum()) if "attention_mask" in batch else batch["input_ids"].numel()
                )
                self.padded += batch["input_ids"].numel()
            return batch

        return collate

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == WARM_STEPS:
            self.begin = time.perf_counter()
        if self.begin:
            self.steps += state.global_step > WARM_STEPS
            self.end = time.perf_counter()
            control.should_training_stop = self.end - self.begin >= self.seconds

    def rate(self) -> float:
        return self.tokens / max(1e-9, self.end - self.begin)


@dataclass(frozen=True)
class Round:
    tokens_per_second: float
    padding: float


def ours(config: SftConfig, data: dataset.Dataset, seconds: float) -> Round:
    tokenizer, model = load_tokenizer(config.base), load_model(config.base)
    encoded, _ = _encoded(tokenizer, data.train, config.max_length)
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(config, Path(folder), model, len(encoded))
        arguments.eval_strategy = arguments.save_strategy = "no"
        arguments.load_best_model_at_end = False
        lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
        return _timed(
            Trainer(
                model=model,
                args=arguments,
                processing_class=tokenizer,
                train_dataset=_rows(encoded),
                peft_config=lora,
                validation=[],
                pad=0,
            ),
            seconds,
        )


def defaults(config: SftConfig, data: dataset.Dataset, seconds: float) -> Round:
    """What `SFTTrainer(model, SFTConfig(), LoraConfig())` does with the same conversations."""
    tokenizer, model = load_tokenizer(config.base), load_model(config.base)
    rows = Rows.from_dict(
        {
            "prompt": [e.messages for e in data.train],
            "completion": [[{"role": "assistant", "content": e.completion}] for e in data.train],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrlConfig(
            output_dir=folder, report_to="none", use_cpu=not torch.cuda.is_available(), save_strategy="no"
        )
        lora = LoraConfig(r=config.rank, lora_alpha=config.alpha, target_modules="all-linear", task_type="CAUSAL_LM")
        return _timed(
            SFTTrainer(model=model, args=arguments, processing_class=tokenizer, train_dataset=rows, peft_config=lora),
            seconds,
        )


def _timed(trainer: SFTTrainer, seconds: float) -> Round:
    timer = Timer(seconds)
    trainer.add_callback(timer)
    trainer.data_collator = timer.count(trainer.data_collator)
    trainer.remove_callback(transformers.ProgressCallback)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return Round(timer.rate(), 1 - timer.tokens / max(1, timer.padded))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m train.bench", description=__doc__.split("\n")[0])
    parser.add_argument("--base", default="train/base")
    parser.add_argument("--season", default="ipl_2024")
    parser.add_argument("--seconds", type=float, default=30, help="a round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=0)
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
                print(
                    f"round {number + 1}: {name:15} {found[name][-1].tokens_per_second:8.0f} tokens/s",
                    flush=True,
                )
    except TrainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    base = median(r.tokens_per_second for r in found["TRL's defaults"])
    print(f"\n| settings | tokens/s (median of {args.rounds}) | times TRL's defaults | padding |\n|---|---:|---:|---:|")
    for name, rounds in found.items():
        speed = median(r.tokens_per_second for r in rounds)
        print(f"| {name} | {speed:.0f} | {speed / base:.2f} | {median(r.padding for r in rounds):.0%} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
