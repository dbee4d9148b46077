"""The gate's result for people: a table for the terminal and the card, and a picture of size against quality."""

from __future__ import annotations

from pathlib import Path

from convert.gate import GateResult
from data.atomic_write import temporary_file
from data.text_table import columns, markdown

_HEAD = ("quantisation", "size MB", "mean KL", "p99 KL", "top-1 %", "perplexity", "task acc. %", "prefill tok/s",
         "decode tok/s", "gate")  # fmt: skip


def rows(result: GateResult) -> list[list[str]]:
    """A row of the table for each quantisation."""
    table = []
    for score in result.scores:
        verdict = "default" if score.quantisation == result.default else "passed" if score.passed else "FAILED"
        table.append([
            score.quantisation,
            f"{score.size / 1e6:.2f}",
            f"{score.kl_mean:.2g}",
            f"{score.kl_p99:.2g}",
            f"{100 * score.top1_agreement:.2f}",
            f"{score.perplexity:.4f}",
            f"{100 * score.accuracy:.1f}",
            f"{score.prefill_tokens_s:.0f}",
            f"{score.decode_tokens_s:.0f}",
            verdict,
        ])  # fmt: skip
    return table


def text_table(result: GateResult) -> str:
    """The table and the verdict, for the terminal."""
    table = columns(_HEAD, rows(result), "l" + "r" * (len(_HEAD) - 1))
    return "\n".join([table, *([result.own.line()] if result.own else []), summary(result)])


def markdown_table(result: GateResult) -> str:
    """The table for the card."""
    return markdown(_HEAD, rows(result))


def summary(result: GateResult) -> str:
    """The verdict in one line."""
    reference = f"{result.reference}: {100 * result.reference_accuracy:.1f} % of {result.examples} examples"
    if result.passed:
        return f"gate passed, default {result.default} ({reference})"
    return f"gate FAILED: {'; '.join(result.reasons)} ({reference})"


def picture(result: GateResult, path: Path) -> None:
    """Plot size against mean KL divergence to F16, with the task accuracy beside each point."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    floor = 1e-8  # F16 against itself has 0, which a logarithmic axis cannot show
    for score in result.scores:
        colour = "#1a7f37" if score.quantisation == result.default else "#57606a" if score.passed else "#cf222e"
        point = (score.size / 1e6, max(score.kl_mean, floor))
        axes.scatter(*point, color=colour, zorder=3)
        axes.annotate(
            f"{score.quantisation}, {100 * score.accuracy:.1f} %",
            point,
            textcoords="offset points",
            xytext=(6, 5),
            fontsize=8,
            color=colour,
        )
    axes.set_yscale("log")
    axes.set_xlabel("size, MB")
    axes.set_ylabel("mean KL divergence to F16, nats a token")
    axes.set_title("Quantisations: size, divergence and task accuracy (green: default, red: failed)", fontsize=10)
    axes.margins(x=0.15, y=0.15)
    axes.grid(True, alpha=0.3)
    with temporary_file(path) as part:
        figure.savefig(part, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
