"""An evaluation as eval.json, a Markdown report and a picture.

    python -m train.evaluate.report runs/demo/eval.json runs/closed_book/eval.json

prints several evaluations side by side.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from data import text_table
from data.atomic_write import atomic_write, temporary_file


@dataclass(frozen=True)
class Scored:
    """A reply to one question, judged. `plan_right` and `figures_right` are None where there is no gold line."""

    id: str
    suite: str  # test | fans
    kind: str
    question: str
    right: bool
    why: str
    expected: str  # outcome
    outcome: str
    answer: str
    line: str = ""
    gold_line: str = ""
    plan_right: bool | None = None
    figures_right: bool | None = None
    worded_by: str = "plain"
    ms: float = 0.0


@dataclass(frozen=True)
class Evaluation:
    """The replies of a system to the suites."""

    system: str
    season: str
    seconds: float
    scored: tuple[Scored, ...]

    def of(self, suite: str) -> list[Scored]:
        return [s for s in self.scored if s.suite == suite]


def share(hits: Sequence[bool | None]) -> float | None:
    """The share of True among the values that are not None; None where there are none."""
    known = [h for h in hits if h is not None]
    return round(sum(known) / len(known), 4) if known else None


def figures(evaluation: Evaluation, prefix: str = "") -> dict[str, Any]:
    """The figures at the top of eval.json, which the manifest and the model card repeat."""
    found: dict[str, Any] = {}
    for suite in ("test", "fans"):
        rows = evaluation.of(suite)
        if not rows:
            continue
        answered = [r for r in rows if r.expected == "answered"]
        refused = [r for r in rows if r.expected != "answered"]
        found |= {
            f"{suite}_accuracy": share([r.right for r in rows]),
            f"{suite}_right": sum(r.right for r in rows),
            f"{suite}_count": len(rows),
            f"{suite}_plan_exact_match": share([r.plan_right for r in rows]),
            f"{suite}_figures_right": share([r.figures_right for r in rows]),
            f"{suite}_wrongly_refused": sum(r.outcome != "answered" for r in answered),
            f"{suite}_wrongly_answered": sum(r.outcome == "answered" for r in refused),
            f"{suite}_refused_right": share([r.right for r in refused]),
            f"{suite}_worded_by_model": share([r.worded_by == "model" for r in rows if r.outcome == "answered"]),
            f"{suite}_ms_median": round(median(r.ms for r in rows), 1),
        }
    return {f"{prefix}{k}": v for k, v in found.items() if v is not None}


def write(folder: Path, evaluation: Evaluation, control: Evaluation | None = None) -> dict[str, Any]:
    """Write eval.json, eval.md and eval.png into `folder`; returns the figures."""
    plain = {
        "system": evaluation.system,
        "season": evaluation.season,
        "seconds": round(evaluation.seconds, 1),
        **figures(evaluation),
    }
    if control:
        plain |= {
            k: v for k, v in figures(control, "control_").items() if k.endswith(("accuracy", "exact_match", "right"))
        }
    by_kind = {
        suite: {kind: {"right": r, "count": n} for kind, (r, n) in kinds(evaluation.of(suite)).items()}
        for suite in ("test", "fans")
    }
    outcomes = {
        suite: {
            f"{e} -> {o}": n
            for (e, o), n in sorted(Counter((r.expected, r.outcome) for r in evaluation.of(suite)).items())
        }
        for suite in ("test", "fans")
    }
    errors = [{k: v for k, v in asdict(s).items() if v not in (None, "")} for s in evaluation.scored if not s.right]
    atomic_write(
        folder / "eval.json",
        json.dumps({**plain, "kinds": by_kind, "outcomes": outcomes, "errors": errors}, indent=1, ensure_ascii=False)
        + "\n",
    )
    atomic_write(folder / "eval.md", markdown(evaluation, control))
    picture(folder / "eval.png", evaluation, control)
    return plain


def kinds(rows: Sequence[Scored]) -> dict[str, tuple[int, int]]:
    """Kind of question -> (right, asked)."""
    return {
        kind: (sum(r.right for r in rows if r.kind == kind), sum(r.kind == kind for r in rows))
        for kind in sorted({r.kind for r in rows})
    }


def markdown(evaluation: Evaluation, control: Evaluation | None = None, examples: int = 12) -> str:
    """The report: for each suite a table by kind, with the control's shares, and its first `examples` errors."""
    parts = [f"# Evaluation of {evaluation.system} on {evaluation.season}\n"]
    titles = {
        "test": "Test split: phrasings that training never saw, mostly about players whose names it never saw",
        "fans": "Fan questions",
    }
    plain = figures(evaluation)
    for suite, title in titles.items():
        rows = evaluation.of(suite)
        if not rows:
            continue
        parts.append(f"\n## {title}\n\n{_table_by_kind(rows, control.of(suite) if control else [])}")
        exact, same = plain.get(f"{suite}_plan_exact_match"), plain.get(f"{suite}_figures_right")
        if exact is not None:
            parts.append(f"\nQuery line exactly right: {100 * exact:.1f} %; figures right: {100 * (same or 0):.1f} %.")
        parts.append(
            f"Refused or asked back despite an answer: {plain[f'{suite}_wrongly_refused']}; answered although "
            f"there is none: {plain[f'{suite}_wrongly_answered']}. Worded by the model: "
            f"{100 * plain.get(f'{suite}_worded_by_model', 0):.1f} % of the answers. "
            f"Median {plain[f'{suite}_ms_median']:.0f} ms.\n"
        )
        wrong = [r for r in rows if not r.right]
        if wrong:
            parts.append(f"The first {min(examples, len(wrong))} of {len(wrong)} errors:\n")
            for r in wrong[:examples]:
                gold = f", expected `{r.gold_line}`" if r.gold_line else ""
                parts.append(f"- {r.question!r}: {r.outcome}, `{r.line}`{gold}; {r.why}")
    return "\n".join(parts) + "\n"


def _table_by_kind(rows: Sequence[Scored], control: Sequence[Scored]) -> str:
    """Right, asked and their share for each kind of question and for all, beside the control's share."""
    ours = {**kinds(rows), "**all**": (sum(r.right for r in rows), len(rows))}
    theirs = {**kinds(control), "**all**": (sum(r.right for r in control), len(control))} if control else {}
    lines = []
    for kind, (right, count) in ours.items():
        shares = [f"{100 * right / count:.1f}"]
        if control:
            shares.append(f"{100 * theirs[kind][0] / theirs[kind][1]:.1f}" if kind in theirs else "")
        lines.append([kind, str(right), str(count), *shares])
    head = ["kind", "right", "asked", "%", *(["control %"] if control else [])]
    return text_table.markdown(head, lines, "l" + "r" * (len(head) - 1))


def picture(path: Path, evaluation: Evaluation, control: Evaluation | None = None) -> None:
    """Bars of the share of right answers by kind, beside the control's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    suites = [s for s in ("test", "fans") if evaluation.of(s)]
    figure, axes = pyplot.subplots(1, len(suites) or 1, figsize=(6.2 * (len(suites) or 1), 5), dpi=110, squeeze=False)
    for axis, suite in zip(axes[0], suites, strict=False):
        ours = kinds(evaluation.of(suite))
        rows = list(reversed(ours))
        y = range(len(rows))
        axis.barh(
            [i + 0.2 for i in y],
            [100 * ours[k][0] / ours[k][1] for k in rows],
            0.4,
            color="#2563eb",
            label="this model",
        )
        if control and control.of(suite):
            theirs = kinds(control.of(suite))
            axis.barh(
                [i - 0.2 for i in y],
                [100 * theirs[k][0] / theirs[k][1] for k in rows],
                0.4,
                color="#d1d5db",
                label="nearest phrasing",
            )
        axis.set_yticks(list(y), [f"{k} ({ours[k][1]})" for k in rows])
        right = sum(r.right for r in evaluation.of(suite))
        axis.set(
            xlim=(0, 100),
            xlabel="% right",
            title=f"{'test split' if suite == 'test' else 'fan questions'}: {right} of {len(evaluation.of(suite))}",
        )
        axis.legend(fontsize=8, loc="lower right")
        axis.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    with temporary_file(path) as part:
        figure.savefig(part)
    pyplot.close(figure)


def side_by_side(files: Sequence[Path]) -> str:
    """One row for each evaluation (eval.json), as a Markdown table."""
    rows = []
    for found in (json.loads(file.read_text(encoding="utf-8")) for file in files):
        shares = [found.get(f"test_{k}") for k in ("accuracy", "plan_exact_match", "refused_right")]
        cells = [f"{100 * share:.1f} %" if share is not None else "" for share in shares]
        rows.append([found["system"], *cells, f"{found.get('fans_right', '')} of {found.get('fans_count', '')}"])
    head = ("system", "test split", "line exactly right", "refused where it should", "fan questions")
    return text_table.markdown(head, rows, "lrrrr")


if __name__ == "__main__":
    print(side_by_side([Path(name) for name in sys.argv[1:]]))
