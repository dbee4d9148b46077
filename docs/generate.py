"""Write the tables of the documents that repeat what code says, so that they cannot differ from it.

    python docs/generate.py            # writes them
    python docs/generate.py --check    # changes nothing; exits 1 and names the documents that are not up to date

A table stands between the lines `<!-- generated: NAME -->` and `<!-- end -->`; TABLES has the names. The text around it
is written by hand. The metrics are those that a service on random weights exposes: that takes a few seconds and the
package gguf, which is a training requirement.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a file: this repository's packages come before namesakes in site-packages

_BLOCK = re.compile(r"(<!-- generated: ([\w ]+) -->\n)(.*?)(<!-- end -->)", re.S)
READY_S = 120  # longest start of a service on random weights


def documents() -> list[Path]:
    """Every document written by hand."""
    return [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "k8s").rglob("*.md")),
        *(ROOT / folder / "README.md" for folder in ("data/seasons", "serve", "train/base")),
    ]


def settings() -> str:
    """Settings of the service: name, default, description."""
    from serve.settings import Settings

    def default(value: object) -> str:
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        return "" if value is None else f"`{shown}`"

    fields = Settings.model_fields.items()
    return table(
        ("setting", "default", "meaning"),
        ((f"`{name.upper()}`", default(field.default), field.description or "") for name, field in fields),
    )


def metrics() -> str:
    """Metrics of a service that has answered, failed and been judged: name, labels, help text."""
    from prometheus_client.parser import text_string_to_metric_families

    rows = []
    for family in text_string_to_metric_families(scrape()):
        samples = [s.labels for s in family.samples if not s.name.endswith("_created")]
        if not samples:
            continue
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted(set().union(*samples) - {"le"})
        rows.append((f"`{name}`", ", ".join(f"`{label}`" for label in labels), family.documentation))
    return table(("metric", "labels", "meaning"), rows)


def scrape() -> str:
    """GET /metrics of a service on random weights, after one question, one failed model call and one judgement."""
    from fastapi.testclient import TestClient

    from serve.app import create_app
    from serve.bench.random_model import SHAPES, write_gguf
    from serve.settings import Settings

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # set by a user, it is no cause for a warning in the log
    with tempfile.TemporaryDirectory() as folder:
        model = write_gguf(Path(folder) / "model.gguf", SHAPES["tiny"], quantised=True)
        # defaults alone: no variable of this shell and no .env file counts
        chosen = Settings.model_construct(
            model_path=model, feedback_db=Path(folder) / "feedback.sqlite", raw_model=True
        )
        app = create_app(chosen)
        with TestClient(app) as client:
            until = time.monotonic() + READY_S
            while not (state := client.get("/readyz").json())["ready"]:
                if state["stage"] == "failed" or time.monotonic() > until:
                    raise SystemExit(f"the service did not become ready: {state['reason']}")
                time.sleep(0.1)
            asked = client.post("/infer", json={"question": "Who scored the most runs?"})
            too_long = {"model": "cricket-raw", "messages": [{"role": "user", "content": "runs " * 2 * chosen.n_ctx}]}
            failed = client.post("/v1/chat/completions", json=too_long)
            judged = client.post("/feedback", json={"request_id": asked.json()["request_id"], "verdict": "right"})
            replies = (asked.status_code, failed.status_code, judged.status_code)
            if replies != (200, 422, 201):
                raise SystemExit(f"expected the replies 200, 422 and 201 of a working service, got {replies}")
            return client.get("/metrics").text


def query_language() -> str:
    """The query language: measures, dimensions, filters, reasons to decline."""
    from data.query.documentation import text

    return text()


def chart_values() -> str:
    """Values of the Helm chart, from the `# --` comments of values.yaml."""
    from k8s.render import documented_values

    rows = ((f"`{v.key}`", f"`{v.default}`", v.text) for v in documented_values())
    return table(("value", "default", "meaning"), rows)


def make_targets() -> str:
    """Targets of the Makefile that have a `##` comment."""
    targets = re.findall(r"^([a-z-]+):.*?## (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    return table(("target", "what it does"), ((f"`make {name}`", text) for name, text in targets))


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "query language": query_language,
    "chart values": chart_values,
    "make targets": make_targets,
}


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; a `|` in a cell is escaped."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def filled(text: str, tables: Mapping[str, str]) -> str:
    """A document with its tables made anew. Raises KeyError for a name that is not in `tables`."""
    return _BLOCK.sub(lambda m: f"{m[1]}{tables[m[2]]}\n{m[4]}", text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if something would change")
    check = parser.parse_args(arguments).check
    texts = {path: path.read_text(encoding="utf-8") for path in documents()}
    placed = {name for text in texts.values() for _, name, _, _ in _BLOCK.findall(text)}
    if placed != set(TABLES):
        print(f"the documents have tables {sorted(placed)}, this file makes {sorted(TABLES)}", file=sys.stderr)
        return 2
    tables = {name: make() for name, make in TABLES.items()}
    stale = {path: new for path, text in texts.items() if (new := filled(text, tables)) != text}
    for path, text in stale.items():
        print(f"{'not up to date' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(text, encoding="utf-8")
    if check and stale:
        print("run `python docs/generate.py`", file=sys.stderr)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
