"""The end of `make demo`: starts the service on a model, asks five questions over HTTP and prints the answers.

python -m serve.demo --model models/demo
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from serve.process import ServiceProcess, StartError

QUESTIONS = (
    "Who scored the most runs in IPL 2024?",
    "bumrah economy at the death?",
    "Narine or Salt, who had the better strike rate?",
    "What was the highest partnership of the season?",
    "who won the final and by how much",
)
READY_TIMEOUT_S = 60


def show(question: str, reply: dict[str, Any]) -> str:
    """Question, answer, the first rows of the table and how long each step took, as text."""
    lines = [f"\nQ  {question}", f"A  {reply['answer']}"]
    table = reply.get("table")
    if table:
        rows = [[c["label"] for c in table["columns"]], *([str(v) for v in row] for row in table["rows"][:5])]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        padded = ([cell.ljust(w) for cell, w in zip(row, widths, strict=False)] for row in rows)
        lines += ["     " + "  ".join(cells).rstrip() for cells in padded]
    parts = ", ".join(f"{k} {v:.0f}" for k, v in reply["latency_ms"].items())
    lines.append(f"   {reply['query'] or reply['outcome']}   [{parts} ms; worded by the {reply['worded_by']}]")
    return "\n".join(lines)


def ask_all(model: Path) -> None:
    """Start a service on `model` and print its answers. Raises StartError."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ServiceProcess(Path(folder, "log"), MODEL_PATH=model) as service,
    ):
        print(f"the service was ready in {service.wait_ready(READY_TIMEOUT_S):.1f} s")
        for question in QUESTIONS:
            reply = service.ask(question)
            reply.raise_for_status()
            print(show(question, reply.json()))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("models/demo"))
    args = parser.parse_args(arguments)
    try:
        ask_all(args.model)
    except StartError as error:
        raise SystemExit(str(error)) from None
    print(
        f"\nGo on:  make serve\n"
        f"        curl -s localhost:8000/infer -H 'content-type: application/json' "
        f'-d \'{{"question": "{QUESTIONS[1]}"}}\'\n'
        f"        http://localhost:8000/ in a browser"
    )


if __name__ == "__main__":
    main()
