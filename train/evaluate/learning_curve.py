"""How what people ask is understood as fine-tuning goes on: every kept checkpoint of a run, through the whole service.

    python -m train.evaluate.learning_curve --run runs/adapter

Each checkpoint is merged into its base and quantised to Q8_0, and asked the sets of `train.evaluate.people`. Writes
curve.json and curve.png into the run's folder; points that curve.json has are not measured again.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from convert.bases import as_gguf
from convert.errors import ConvertError
from data.atomic_write import atomic_write, temporary_file
from data.command_line import command_line, reported, run
from data.errors import DataError
from train.callbacks import read_metrics, tokens_at
from train.errors import TrainError
from train.evaluate.people import EXAMS, ask_set
from train.evaluate.systems import of_gguf
from train.run_folder import checkpoint_step

CURVE_SETS = ("fan_questions", "public_questions", "language_questions", "conditions")
COLOURS = dict(zip(CURVE_SETS, ("#2563eb", "#059669", "#9333ea", "#dc2626"), strict=True))
LABEL_HEIGHT = 4.5  # percent: nearer labels would cover each other

app = command_line()


def checkpoints(folder: Path, every: int) -> list[Path]:
    """The kept checkpoints of a run in their order, each `every`-th and the last. Raises TrainError for none."""
    found = sorted((folder / "checkpoints").glob("checkpoint-*"), key=checkpoint_step)
    if not found:
        raise TrainError(f"no checkpoints in {folder}: train with --keep-checkpoints")
    return found[::-1][::every][::-1]


def measure(base: str, adapter: Path | None, season: str, threads: int) -> dict[str, dict[str, int]]:
    """By set: how many questions, and how many of them right, declined and wrong."""
    with tempfile.TemporaryDirectory() as work:
        model = as_gguf(base, adapter, Path(work) / "q8_0.gguf")

        async def asked() -> dict[str, dict[str, int]]:
            found = {}
            for name in CURVE_SETS:
                rows = [json.loads(line) for line in (EXAMS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
                system = of_gguf(model, season, threads)
                try:
                    said = [v.said for v in await ask_set(system, rows, name)]
                finally:
                    await system.close()
                found[name] = {"asked": len(said)} | {what: said.count(what) for what in ("right", "declined", "wrong")}
            return found

        return asyncio.run(asked())


def draw(points: Sequence[Mapping[str, Any]], path: Path) -> None:
    """The shares of right answers over the tokens of training, as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4.5), dpi=110)
    tokens = [p["tokens"] / 1e6 for p in points]
    ends: dict[str, float] = {}
    for name, colour in COLOURS.items():
        shares = [100 * p["sets"][name]["right"] / p["sets"][name]["asked"] for p in points]
        axis.plot(tokens, shares, color=colour, marker="o", label=name.replace("_", " "))
        ends[name] = shares[-1]
    height = -100.0
    for name, share in sorted(ends.items(), key=lambda item: item[1]):
        height = max(share, height + LABEL_HEIGHT)
        at = {"xy": (tokens[-1], share), "xytext": (tokens[-1] + 0.015 * max(tokens), height)}
        axis.annotate(f"{share:.0f}", **at, va="center", color=COLOURS[name])
    axis.set(xlabel="tokens of fine-tuning (millions)", ylabel="right through the whole service (%)", ylim=(0, 100))
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    with temporary_file(path) as part:
        figure.savefig(part, format="png")
    pyplot.close(figure)


@app.command()
@reported(TrainError, ConvertError, DataError)
def curve(
    folder: Annotated[Path, typer.Option("--run", help="the run's folder, trained with --keep-checkpoints")],
    every: Annotated[int, typer.Option(help="measure each n-th checkpoint, counted from the last")] = 1,
    season: Annotated[str, typer.Option(help="the season that is asked about")] = "ipl_2024",
    threads: Annotated[int, typer.Option(help="of the engine; 0: as many as the service would take")] = 0,
    untrained: Annotated[
        bool, typer.Option(help="measure the base without adapter, too: it rambles, a quarter of an hour")
    ] = False,
) -> None:
    """Ask every kept checkpoint what people ask, and draw the curve."""
    base = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["base"]
    rows, file = read_metrics(folder), folder / "curve.json"
    known = {p["step"]: p for p in json.loads(file.read_text())} if file.is_file() else {}
    kept: list[tuple[int, Path | None]] = [(checkpoint_step(c), c) for c in checkpoints(folder, every)]
    for step, adapter in [(0, None), *kept] if untrained else kept:
        if step in known:
            continue
        known[step] = {
            "step": step,
            "tokens": tokens_at(rows, step),
            "sets": measure(base, adapter, season, threads),
        }
        atomic_write(file, json.dumps([known[s] for s in sorted(known)], indent=1) + "\n")
        right = {name: f"{s['right']}/{s['asked']}" for name, s in known[step]["sets"].items()}
        print(f"step {step}, {known[step]['tokens']} tokens: {right}", flush=True)
    draw([known[s] for s in sorted(known)], folder / "curve.png")
    print(f"curve: {folder / 'curve.png'}")


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
