"""What a run leaves behind while it trains: metrics.jsonl, loss.png, the clock, marked checkpoints.

Trainer callbacks; they know nothing about where examples or models come from.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from transformers import ProgressCallback, TrainerCallback

DONE_MARK = "whole"  # written into a checkpoint after all its files: a kill leaves none of it half-trusted


class Recorder(TrainerCallback):
    """metrics.jsonl and the loss curve; a resumed run goes on where its checkpoint was."""

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


class Bar(ProgressCallback):
    """The progress bar with the latest figures in it instead of a printed dictionary each time."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        if self.training_bar is not None and logs:
            names = {"loss": "loss", "eval_loss": "validation", "eval_plan_exact_match": "plans"}
            self.shown = {
                **getattr(self, "shown", {}),
                **{names[k]: f"{float(v):.3f}" for k, v in logs.items() if k in names},
            }
            self.training_bar.set_postfix(self.shown)


class Marker(TrainerCallback):
    """Marks each checkpoint as whole once all its files are there."""

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / DONE_MARK).write_text("")


class Clock(TrainerCallback):
    """Stops training in good order before `minutes` since `began` are over; all processes stop at the same
    step."""

    def __init__(self, minutes: float, began: float, spare: float = 0.08):
        self.limit, self.began = minutes * 60 * (1 - spare), began
        self.rang = False

    def on_step_end(self, args, state, control, **kwargs):
        late = self.limit > 0 and time.monotonic() - self.began > self.limit
        if torch.distributed.is_initialized():
            flag = torch.tensor(float(late), device=args.device)
            torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
            late = bool(flag.item())
        if late and not self.rang:
            self.rang = True
            control.should_training_stop = control.should_evaluate = control.should_save = True


def read_metrics(folder: Path) -> list[dict]:
    """The records of metrics.jsonl; a line cut off by a kill is left out."""
    path, rows = folder / "metrics.jsonl", []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def draw_loss(folder: Path) -> None:
    """loss.png: training and validation loss, and the share of plans exactly right."""
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
    part = folder / ".loss.part.png"
    figure.savefig(part)
    part.replace(folder / "loss.png")
    pyplot.close(figure)
