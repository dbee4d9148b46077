"""Asks the real agents the test split and the fan questions, and says what share of the answers is right, by kind.

    python -m train.evaluate --model models/demo/model-q8_0.gguf
    python -m train.evaluate --base train/base --adapter runs/demo/adapter
    python -m train.evaluate --closed-book runs/closed_book/adapter
    python -m train.evaluate --url http://127.0.0.1:8000
    python -m train.evaluate --fast --base train/base --adapter runs/demo/adapter

Writes eval.json, eval.md and eval.png. Beside the model a control without one is measured
(`train.evaluate.nearest_phrasing`). `--fast` gives the exact match of query lines on the test split alone, without
grammar, agents or statistics.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.command_line import command_line, reported, run
from data.errors import DataError
from train.errors import TrainError

if TYPE_CHECKING:
    from train.evaluate.report import Evaluation
    from train.evaluate.systems import System

BASE = "train/base"
app = command_line()


@app.command()
@reported(TrainError, DataError)
def evaluate(
    model: Annotated[
        Path | None, typer.Option(help="a .gguf file or a model folder, run by the engine of the service")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="a running service (with an API key in API_KEY where it wants one)")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="the control alone")] = False,
    base: Annotated[
        str | None,
        typer.Option(help=f"a Hugging Face model run by transformers, without grammar (default {BASE})"),
    ] = None,
    adapter: Annotated[Path | None, typer.Option(help="LoRA adapter over --base")] = None,
    closed_book: Annotated[
        Path | None, typer.Option(metavar="ADAPTER", help="adapter that answers without a table")
    ] = None,
    season: Annotated[str, typer.Option(help="whose test split is asked")] = "ipl_2024",
    suites: Annotated[str, typer.Option(help="test, fans or both")] = "test,fans",
    fans: Annotated[
        Path | None, typer.Option(help="other fan questions with what is expected of the answers, JSONL")
    ] = None,
    limit: Annotated[int, typer.Option(help="questions a suite, drawn evenly; 0: all")] = 0,
    out: Annotated[Path | None, typer.Option(help="folder for the report, default the run's or the model's")] = None,
    threads: Annotated[int, typer.Option(help="of the engine; 0: as many as the service would take")] = 0,
    no_control: Annotated[bool, typer.Option("--no-control", help="leave out the control without a model")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="exact match of query lines on the test split alone")] = False,
) -> None:
    """Measure what share of the answers is right, by kind."""
    given = [
        flag for flag, value in (("--model", model), ("--url", url), ("--rules", rules), ("--base", base)) if value
    ]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)}: give one of them")
    # imported here: --help and a mistyped option need neither torch nor the statistics
    from data.dataset.leakage import FAN_QUESTIONS
    from data.season import SEASONS
    from train.evaluate import exam, report, systems

    if fast:
        found = exam.fast(base or BASE, adapter, season, limit)
        for kind, share in found.items():
            print(f"{kind:12} {100 * share:5.1f} %")
        print(json.dumps({"accuracy": round(found["all"], 4)}))
        return
    asked = exam.cases(season, suites.split(","), limit, fans or FAN_QUESTIONS)
    training = SEASONS / season / "qa" / "train.jsonl"
    system: System
    if rules:
        system = systems.of_control(season, training)
    elif url:
        system = systems.Service(url, os.environ.get("API_KEY"))
    elif closed_book:
        system = systems.ClosedBook(base or BASE, closed_book)
    elif model:
        system = systems.of_gguf(model, season, threads)
    else:
        system = systems.of_base(base or BASE, adapter, season)
    reference = system if isinstance(system, systems.Agents) and rules else systems.of_control(season, training)

    async def measure() -> tuple[Evaluation, Evaluation | None]:
        try:
            measured = await exam.evaluate(system, season, asked, reference)
        finally:
            await system.close()
        if rules or no_control:
            return measured, None
        return measured, await exam.evaluate(reference, season, asked, reference)

    measured, control = asyncio.run(measure())
    folder = out or _folder(model, url, rules, base, adapter, closed_book)
    plain = report.write(folder, measured, control)
    print((folder / "eval.md").read_text(encoding="utf-8"))
    print(f"{folder}/eval.json, eval.md, eval.png in {measured.seconds:.0f} s")
    print(json.dumps({"accuracy": plain.get("test_accuracy", plain.get("fans_accuracy"))}))


def _folder(
    model: Path | None, url: str | None, rules: bool, base: str | None, adapter: Path | None, closed_book: Path | None
) -> Path:
    """Where the report goes: the run that the model came from where there is one (the conversion reads it there)."""
    if rules:
        return Path("runs/control")
    if url:
        return Path("runs/service")
    if closed_book:
        return closed_book.parent
    if model:
        folder = model if model.is_dir() else model.parent
        return Path("runs") / folder.name if (Path("runs") / folder.name / "config.yaml").is_file() else folder
    return adapter.parent if adapter else Path("runs") / f"base-{Path(base or BASE).name}"


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
