"""Command line of fine-tuning: `python -m train --season ipl_2024 --base train/base --run demo`. `--help`
lists all settings."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import typer

from data.command_line import Setting, command_line, command_of, reported, run
from train.config import CHOICES, HELP, SftConfig, resolve
from train.errors import TrainError

LEARNED_NOTHING = 2  # exit status

_FILE = Setting("config", Path, None, "YAML file with any of the settings below")


@reported(TrainError, interrupted="interrupted: the same command goes on from the last checkpoint")
def _train(given: dict[str, Any]) -> None:
    began = time.monotonic()
    config = resolve({name: value for name, value in given.items() if name != "config"}, given.get("config"))
    if config.threads and "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = str(config.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # imported here: --help and a mistyped setting need no torch
    warnings.filterwarnings("ignore", category=UserWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()  # of loading weights
    logging.getLogger("trl").setLevel(logging.ERROR)
    from train.train_sft import RUNS, train

    result, worked = train(config, began=began)
    if int(os.environ.get("RANK", 0)) == 0:
        gained = ", ".join(
            f"{task} {100 * result.base_exact_match.get(task, 0):.1f} -> {100 * share:.1f} %"
            for task, share in result.exact_match.items()
        )
        made = (
            f"{result.steps} steps in {result.seconds:.0f} s ({result.stopped})"
            if worked
            else "trained before from the same inputs"
        )
        print(
            f"{RUNS / config.run}: {made}; validation loss {result.validation_loss:.4f}; exact match {gained}; "
            f"adapter {result.adapter_sha256[:12]}; {time.monotonic() - began:.0f} s in all"
        )
        if result.stopped == "time":
            print(
                f"stopped by the clock after {result.steps} of {result.planned_steps} steps: the same command with "
                f"more than --minutes {result.minutes:g} goes on from there"
            )
        if result.own_loss is not None:
            print(f"loss on the file's rows: {result.own_loss_before:.3f} -> {result.own_loss:.3f} nats a token")
    if result.learned_nothing:
        print(
            "error: the loss on the file's rows did not fall, so nothing was learned: give more --minutes, or another "
            "--learning-rate",
            file=sys.stderr,
        )
        raise typer.Exit(LEARNED_NOTHING)


def _settings() -> list[Setting]:
    return [
        Setting(field.name, CHOICES.get(field.name, type(field.default)), field.default, HELP[field.name])
        for field in dataclasses.fields(SftConfig)
    ]


app = command_line()
app.command(help="Fine-tune a base model on questions and answers.")(command_of([_FILE, *_settings()], _train))


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
