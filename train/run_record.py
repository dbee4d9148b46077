"""What a run leaves behind while it trains: metrics.jsonl, loss.png, exact match on validation, the clock, marked checkpoints.

Trainer callbacks; they know nothing about where examples or models come from.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import TrainerCallback

DONE_MARK = "whole"  # written into a checkpoint after all its files: a kill leaves none of it half-trusted
Encoded = tuple[list[int], int, str]  # ids, length of the prompt, task


@torch.no_grad()
def exact_match(model: torch.nn.Module, examples: Sequence[Encoded], pad: int, batch: int = 64) -> dict[str, float]:
    """Share of completions of each task that greedy decoding reproduces, by one forward pass over the right text.

    Greedy decoding gives the completion if and only if each of its tokens is the likeliest after those before it.
    """
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    right: dict[str, list[bool]] = {}
    order = sorted(range(len(examples)), key=lambda i: len(examples[i][0]))
    for start in range(0, len(order), batch):
        group = [examples[i] for i in order[start : start + batch]]
        width = max(len(ids) for ids, _, _ in group)
        x = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _, _ in group], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _, _ in group], device=device)
        guesses = model(input_ids=x, attention_mask=mask, use_cache=False).logits.argmax(-1).tolist()
        for (ids, prompt, task), guess in zip(group, guesses, strict=True):
            right.setdefault(task, []).append(guess[prompt - 1 : len(ids) - 1] == ids[prompt:])
    model.train(was_training)
    return {task: sum(hits) / len(hits) for task, hits in right.items()}


class Recorder(TrainerCallback):
    """metrics.jsonl and the loss curve; a resumed run goes on where its checkpoint was."""

    def __init__(self, folder: Path, validation: Sequence[Encoded], pad: int):
        self.folder, self.validation, self.pad = folder, validation, pad
        self.began = time.monotonic()

    def on_train_begin(self, args, state, control, **kwargs):
        if state.is_world_process_zero:  # what was logged after the checkpoint will be logged again
            rows = [r for r in read_metrics(self.folder) if state.global_step and r["step"] <= state.global_step]
            (self.folder / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self._add(state, {"loss": logs["loss"], "learning_rate": logs.get("learning_rate"), "tokens": logs.get("num_tokens")})

    def on_evaluate(self, args, state, control, metrics=None, model=None, **kwargs):
        inner = getattr(model, "module", model)
        found = {f"{task}_exact_match": round(share, 4) for task, share in exact_match(inner, self.validation, self.pad).items()}
        metrics.update({f"eval_{name}": value for name, value in found.items()})
        self._add(state, {"validation_loss": metrics["eval_loss"], **found})

    def _add(self, state, values: dict) -> None:
        if not state.is_world_process_zero:
            return
        record = {"step": state.global_step, "epoch": round(state.epoch or 0, 3), "seconds": round(time.monotonic() - self.began, 1)}
        values = {k: round(v, 6) if isinstance(v, float) else v for k, v in values.items() if v is not None}
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record | values) + "\n")
        if "validation_loss" in values:
            draw_loss(self.folder)


class Marker(TrainerCallback):
    """Marks each checkpoint as whole once all its files are there."""

    def on_save(self, args, state, control, **kwargs):
        if state.is_world_process_zero:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / DONE_MARK).write_text("")


class Clock(TrainerCallback):
    """Stops training in good order before `minutes` since `began` are over; all processes stop at the same step."""

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
            axis.plot(*zip(*points, strict=True), color=colour, marker="o" if "val" in name else "", label=name.replace("_", " "))
    axis.set(xlabel="step", ylabel="loss on the completion (nats a token)")
    axis.grid(alpha=0.3)
    other = axis.twinx()
    for task, colour in (("plan", "#059669"), ("answer", "#9333ea"), ("closed_book", "#b45309")):
        points = [(r["step"], 100 * r[f"{task}_exact_match"]) for r in rows if f"{task}_exact_match" in r]
        if points:
            other.plot(*zip(*points, strict=True), color=colour, linestyle="--", marker=".", label=f"{task} exact match")
    other.set(ylabel="exact match on validation (%)", ylim=(0, 100))
    lines = [*axis.get_lines(), *other.get_lines()]
    axis.legend(lines, [line.get_label() for line in lines], loc="center right", fontsize=8)
    figure.tight_layout()
    part = folder / ".loss.part.png"
    figure.savefig(part)
    part.replace(folder / "loss.png")
    pyplot.close(figure)
