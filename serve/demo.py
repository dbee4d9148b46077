"""The end of `make demo`: starts the service on a model, asks five questions over HTTP and prints the answers.

python -m serve.demo --model models/demo
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

QUESTIONS = (
    "Who scored the most runs in IPL 2024?",
    "bumrah economy at the death?",
    "Narine or Salt, who had the better strike rate?",
    "What was the highest partnership of the season?",
    "who won the final and by how much",
)
START_TIMEOUT_S = 60


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_ready(client: httpx.Client, service: subprocess.Popen) -> float:
    """Seconds until /readyz says 200. Raises SystemExit with the reason if the service ends or stays unready."""
    began = time.monotonic()
    reason = "no answer yet"
    while time.monotonic() - began < START_TIMEOUT_S:
        if service.poll() is not None:
            raise SystemExit(f"the service ended with code {service.returncode}; run `make serve` to see why")
        try:
            reply = client.get("/readyz")
            if reply.status_code == 200:
                return time.monotonic() - began
            reason = reply.text
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"the service was not ready after {START_TIMEOUT_S} s: {reason}")


def show(question: str, reply: dict) -> str:
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


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, default=Path("models/demo"))
    args = parser.parse_args(arguments)
    port = free_port()
    environment = os.environ | {"HOST": "127.0.0.1", "PORT": str(port), "MODEL_PATH": str(args.model), "MODEL_REPO": ""}
    service = subprocess.Popen([sys.executable, "-m", "serve"], env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            print(f"the service was ready in {wait_ready(client, service):.1f} s")
            for question in QUESTIONS:
                reply = client.post("/infer", json={"question": question})
                reply.raise_for_status()
                print(show(question, reply.json()))
    finally:
        service.terminate()
        service.wait(30)
    print(
        f"\nGo on:  make serve\n"
        f"        curl -s localhost:8000/infer -H 'content-type: application/json' "
        f'-d \'{{"question": "{QUESTIONS[1]}"}}\'\n'
        f"        http://localhost:8000/ in a browser"
    )


if __name__ == "__main__":
    main()
