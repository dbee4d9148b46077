"""An evaluation as eval.json, a Markdown table and a picture. Knows nothing about how it was measured.

python -m train.evaluate.report runs/demo/eval.json runs/by_heart/eval.json     # several side by side
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


@dataclass(frozen=True)
class Scored:
    """One question asked. `plan_right` and `figures_right` are None where there is no gold line."""

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
    system: str
    season: str
    seconds: float
    scored: tuple[Scored, ...]

    def of(self, suite: str) -> list[Scored]:
        return [s for s in self.scored if s.suite == suite]


def share(hits: Sequence[bool | None]) -> float | None:
    known = [h for h in hits if h is not None]
    return round(sum(known) / len(known), 4) if known else None


def figures(evaluation: Evaluation, prefix: str = "") -> dict[str, Any]:
    """The plain figures at the top of eval.json; they go on into the manifest and the model card."""
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
    """eval.json, eval.md and eval.png in `folder`; returns the plain figures."""
    folder.mkdir(parents=True, exist_ok=True)
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
    _write(
        folder / "eval.json",
        json.dumps({**plain, "kinds": by_kind, "outcomes": outcomes, "errors": errors}, indent=1, ensure_ascii=False)
        + "\n",
    )
    _write(folder / "eval.md", markdown(evaluation, control))
    picture(folder / "eval.png", evaluation, control)
    return plain


def kinds(rows: Sequence[Scored]) -> dict[str, tuple[int, int]]:
    """Right and asked by kind."""
    return {
        kind: (sum(r.right for r in rows if r.kind == kind), sum(r.kind == kind for r in rows))
        for kind in sorted({r.kind for r in rows})
    }


def markdown(evaluation: Evaluation, control: Evaluation | None = None, examples: int = 12) -> str:
    parts = [f"# Evaluation of {evaluation.system} on {evaluation.season}\n"]
    titles = {
        "test": "Test split: phrasings that training never saw, mostly about players whose names it never saw",
        "fans": "Fan questions",
    }
    for suite, title in titles.items():
        rows = evaluation.of(suite)
        if not rows:
            continue
        ruled = kinds(control.of(suite)) if control and control.of(suite) else {}
        parts.append(
            f"\n## {title}\n\n| kind | right | asked | % |{' control % |' if ruled else ''}"
            f"\n|---|---:|---:|---:|{'---:|' if ruled else ''}"
        )
        total = (sum(r.right for r in rows), len(rows))
        every = {**kinds(rows), "**all**": total}
        if ruled:
            ruled["**all**"] = (sum(r.right for r in control.of(suite)), len(control.of(suite)))
        for kind, (right, count) in every.items():
            more = f" {100 * ruled[kind][0] / ruled[kind][1]:.1f} |" if kind in ruled else ""
            parts.append(f"| {kind} | {right} | {count} | {100 * right / count:.1f} |{more}")
        plain = figures(evaluation)
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


def picture(path: Path, evaluation: Evaluation, control: Evaluation | None = None) -> None:
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
            ruled = kinds(control.of(suite))
            axis.barh(
                [i - 0.2 for i in y],
                [100 * ruled[k][0] / ruled[k][1] for k in rows],
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
    part = path.with_name(f".{path.name}.part.png")
    figure.savefig(part)
    part.replace(path)
    pyplot.close(figure)


def side_by_side(files: Sequence[Path]) -> str:
    """One row an evaluation, as a Markdown table."""
    rows = ["| system | test split | line exactly right | refused where it should | fan questions |",
            "|---|---:|---:|---:|---:|"]  # fmt: skip
    for found in (json.loads(file.read_text(encoding="utf-8")) for file in files):
        shares = [found.get(f"test_{k}") for k in ("accuracy", "plan_exact_match", "refused_right")]
        cells = [found["system"], *(f"{100 * s:.1f} %" if s is not None else "" for s in shares)]
        rows.append(f"| {' | '.join(cells)} | {found.get('fans_right', '')} of {found.get('fans_count', '')} |")
    return "\n".join(rows)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    print(side_by_side([Path(name) for name in sys.argv[1:]]))
