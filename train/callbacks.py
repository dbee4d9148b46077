"""Trainer callbacks: metrics.jsonl with the loss curve, the progress bar, complete checkpoints, the time limit."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import ProgressCallback, TrainerCallback

from data.atomic_write import temporary_file

DONE_MARK = "whole"  # file written into a checkpoint last: one without it was cut off by a kill


class MetricsRecorder(TrainerCallback):
    """Writes metrics.jsonl and loss.png; a resumed run continues from the step of its checkpoint."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.began = time.monotonic()

    def on_train_begin(self, args, state, control, **kwargs):
        if state.is_world_process_zero:  # what was logged after the checkpoint will be logged again
            rows = [r for r in read_metrics(self.folder) if state.global_step and r["step"] <= state.global_step]
            (self.folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self._add(
                state,
                {
                    "loss": logs["loss"],
                    "learning_rate": logs.get("learning_rate"),
                    "tokens": logs.get("num_tokens"),
                },
            )

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        shown = {k.removeprefix("eval_"): v for k, v in metrics.items() if k.endswith(("_exact_match", "_loss"))}
        self._add(state, {"validation_loss": shown.pop("loss", metrics["eval_loss"]), **shown})

    def _add(self, state, values: dict) -> None:
        if not state.is_world_process_zero:
            return
        record = {
            "step": state.global_step,
            "epoch": round(state.epoch or 0, 3),
            "seconds": round(time.monotonic() - self.began, 1),
        }
        values = {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items() if v is not None}
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record | values) + "\n")
        if "validation_loss" in values:
            draw_loss(self.folder)


class ProgressBar(ProgressCallback):
    """The progress bar with the latest figures in it, where the library prints a dictionary each time."""

    _NAMES = {"loss": "loss", "eval_loss": "validation", "eval_plan_exact_match": "plans"}

    def __init__(self) -> None:
        super().__init__()
        self._shown: dict[str, str] = {}

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is not None and logs:
            self._shown |= {self._NAMES[k]: f"{float(v):.3f}" for k, v in logs.items() if k in self._NAMES}
            self.training_bar.set_postfix(self._shown)


class CheckpointMarker(TrainerCallback):
    """Marks each checkpoint as complete once all its files are written."""

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / DONE_MARK).write_text("")


class TimeLimit(TrainerCallback):
    """Stops training before `minutes` since `began` (time.monotonic) are over, 0: never.

    All processes stop at the same step, with an evaluation and a checkpoint; `spare` is the share of the time that is
    kept for these and for writing the result.
    """

    def __init__(self, minutes: float, began: float, spare: float = 0.08):
        self.limit_s, self.began = minutes * 60 * (1 - spare), began
        self.timed_out = False

    def on_step_end(self, args, state, control, **kwargs):
        late = self.limit_s > 0 and time.monotonic() - self.began > self.limit_s
        if torch.distributed.is_initialized():
            flag = torch.tensor(float(late), device=args.device)
            torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
            late = bool(flag.item())
        if late and not self.timed_out:
            self.timed_out = True
            control.should_training_stop = control.should_evaluate = control.should_save = True


def read_metrics(folder: Path) -> list[dict]:
    """The records of metrics.jsonl, without a last line that a kill cut off."""
    path, rows = folder / "metrics.jsonl", []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def tokens_at(rows: Sequence[Mapping[str, Any]], step: int) -> int:
    """The tokens that training had read at a step, from the records of metrics.jsonl."""
    return round(max((r["tokens"] for r in rows if r.get("tokens") and r["step"] <= step), default=0))


def draw_loss(folder: Path) -> None:
    """Draw loss.png: training and validation loss, and the exact match of each task."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = read_metrics(folder)
    figure, axis = pyplot.subplots(figsize=(8, 4.5), dpi=110)
    for name, colour in (("loss", "#2563eb"), ("validation_loss", "#dc2626")):
        points = [(r["step"], r[name]) for r in rows if name in r]
        if points:
            axis.plot(
                *zip(*points, strict=True),
                color=colour,
                marker="o" if "val" in name else "",
                label=name.replace("_", " "),
            )
    axis.set(xlabel="step", ylabel="loss on the completion (nats a token)")
    axis.grid(alpha=0.3)
    other = axis.twinx()
    for task, colour in (("plan", "#059669"), ("answer", "#9333ea"), ("closed_book", "#b45309")):
        points = [(r["step"], 100 * r[f"{task}_exact_match"]) for r in rows if f"{task}_exact_match" in r]
        if points:
            other.plot(
                *zip(*points, strict=True),
                color=colour,
                linestyle="--",
                marker=".",
                label=f"{task} exact match",
            )
    other.set(ylabel="exact match on validation (%)", ylim=(0, 100))
    lines = [*axis.get_lines(), *other.get_lines()]
    axis.legend(lines, [line.get_label() for line in lines], loc="center right", fontsize=8)
    figure.tight_layout()
    with temporary_file(folder / "loss.png") as part:
        figure.savefig(part)
    pyplot.close(figure)
