"""Accuracy against the amount of training data, time and size of the base, at small scale.

    python -m train.pretrain.scaling

Short pre-trainings that differ in one thing each, judged by the share of query lines exactly right on phrasings by
another author (`data/dataset/exams/validation.txt`). A training that exists is not repeated. Prints a Markdown table
and writes runs/scaling/scaling.png.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from data import text_table
from train.pretrain.training import PretrainConfig, pretrain

FOLDER = Path("runs/scaling")
BASIS = PretrainConfig(steps=300)
TRIALS: dict[str, list[tuple[str, PretrainConfig]]] = {
    "hand-written phrasings": [(f"{s:.0%}", replace(BASIS, phrasings=s)) for s in (0.06, 0.25, 1.0)],
    "steps of 4,096 tokens": [(str(n), replace(BASIS, steps=n)) for n in (75, 150, 300, 600)],
    "parameters": [
        ("1.3 M", replace(BASIS, hidden=128, layers=4, ffn=352)),
        ("5.9 M", BASIS),
        ("11.2 M", replace(BASIS, hidden=320, layers=8, heads=5, ffn=864)),
    ],
}


def measure(config: PretrainConfig) -> float:
    """Share of validation phrasings whose line is exactly right after the training, which is kept in its folder."""
    name = f"{config.hidden}x{config.layers}-{config.steps}-{config.phrasings:g}"
    folder = FOLDER / name
    log = folder / "metrics.jsonl"
    if not (folder / "base").is_dir():
        pretrain(replace(config, work=str(folder), out=str(folder / "base")))
    return json.loads(log.read_text().splitlines()[-1])["unseen_exact_match"]


def main(arguments: list[str] | None = None) -> None:
    """Run the trials."""
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args(arguments)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(TRIALS), figsize=(4 * len(TRIALS), 3.4), sharey=True, constrained_layout=True)
    measured = []
    for axis, (title, trials) in zip(axes, TRIALS.items(), strict=True):
        shares = []
        for label, config in trials:
            shares.append(100 * measure(config))
            measured.append((title, label, f"{shares[-1]:.1f} %"))
        axis.plot(range(len(shares)), shares, "o-", color="#2563eb")
        axis.set_xticks(range(len(shares)), [label for label, _ in trials])
        axis.set(title=title, ylim=(0, 100))
        axis.grid(alpha=0.3)
    print(text_table.markdown(("varied", "value", "line exactly right"), measured, "lrr"))
    axes[0].set_ylabel("% of lines exactly right")
    figure.savefig(FOLDER / "scaling.png", dpi=130)


if __name__ == "__main__":
    main()
