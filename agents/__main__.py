"""Ask from the command line.

    python -m agents "most sixes?"                                        starts a service for the question
    python -m agents "most sixes?" --url http://localhost:8000            asks one that runs
    python -m agents "most sixes?" --model-url http://localhost:8080/v1   the agents in this process, generating
                                                                          with any OpenAI-compatible server
    python -m agents                                                      a conversation: one question a line

`agents` knows nothing of `serve`: a service of one's own is a process, found by the line it logs when it
listens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

import httpx

from agents.messages import Reply
from agents.multi_agent import MultiAgent
from agents.openai_client import OpenAIModel, ServerError
from data.errors import DataError
from data.season import load

Ask = Callable[[str], dict[str, Any]]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m agents", description=__doc__.split("\n")[0])
    parser.add_argument("question", nargs="?", help="without one, questions are read line by line")
    parser.add_argument("--url", help="a running service; API_KEY in the environment is sent as its key")
    parser.add_argument(
        "--model-url", help="an OpenAI-compatible server to generate with; OPENAI_MODEL names the model"
    )
    parser.add_argument("--json", action="store_true", help="print the whole reply as JSON")
    parser.add_argument("--trace", action="store_true", help="print every step the agents took")
    args = parser.parse_args(arguments)
    conversation = uuid.uuid4().hex
    if args.model_url:
        ask, close = _here(args.model_url, conversation)
    else:
        ask, close = _service(args.url, conversation) if args.url else _own_service(conversation)
    try:
        for question in [args.question] if args.question else _lines():
            reply = ask(question)
            if not args.trace:
                reply.pop("trace", None)
            print(
                json.dumps(reply, indent=2, ensure_ascii=False, default=str) if args.json else _shown(reply),
                flush=True,
            )
    except KeyboardInterrupt:
        return 130
    finally:
        close()
    return 0


def _lines() -> Iterable[str]:
    if sys.stdin.isatty():
        print("one question a line, an empty line ends", file=sys.stderr)
    for line in sys.stdin:
        if not line.strip():
            return
        yield line.strip()


def _service(url: str, conversation: str) -> tuple[Ask, Callable[[], None]]:
    key = os.environ.get("API_KEY")
    client = httpx.Client(base_url=url, timeout=120, headers={"Authorization": f"Bearer {key}"} if key else {})

    def ask(question: str) -> dict[str, Any]:
        body = {"question": question, "conversation_id": conversation, "trace": True}
        try:
            response = client.post("/infer", json=body)
        except httpx.HTTPError as error:
            raise SystemExit(
                f"no answer from {url} ({error}): is the service running? `make serve` starts it"
            ) from None
        if response.status_code == 200:
            return response.json()
        raise SystemExit(_detail(response) or f"{url} answered {response.status_code}: is it this service?")

    return ask, client.close


def _own_service(conversation: str) -> tuple[Ask, Callable[[], None]]:
    """Start `python -m serve` on a free port for as long as the conversation lasts."""
    environment = os.environ | {"HOST": "127.0.0.1", "PORT": "0", "LOG_LEVEL": "INFO", "API_KEYS": ""}
    process = subprocess.Popen([sys.executable, "-m", "serve"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        url, said = None, []
        while url is None:
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"the service did not start: {' '.join(said[-3:]) or 'it said nothing'}")
            said.append(line.strip())
            url = line.split("listening on ")[1].split('"')[0] if "listening on http" in line else None
        with httpx.Client(base_url=url, timeout=5, trust_env=False) as client:
            while (response := client.get("/readyz")).status_code != 200:
                if response.json().get("retrying") or response.json().get("stage") == "failed":
                    raise SystemExit(_detail(response))
                time.sleep(0.1)
    except BaseException:
        process.terminate()
        raise
    ask, close = _service(url, conversation)

    def end() -> None:
        close()
        process.terminate()
        process.communicate()

    return ask, end


def _here(model_url: str, conversation: str) -> tuple[Ask, Callable[[], None]]:
    model = OpenAIModel(model_url, os.environ.get("OPENAI_MODEL", "default"), os.environ.get("OPENAI_API_KEY"))
    try:
        agents = MultiAgent(load(os.environ.get("SEASON", "ipl_2024")), model)
    except DataError as error:
        raise SystemExit(str(error)) from None
    loop = asyncio.new_event_loop()

    def ask(question: str) -> dict[str, Any]:
        try:
            return _as_dict(loop.run_until_complete(agents.ask(question, conversation)))
        except ServerError as error:
            raise SystemExit(str(error)) from None

    def end() -> None:
        loop.run_until_complete(model.aclose())
        loop.close()

    return ask, end


def _as_dict(reply: Reply) -> dict[str, Any]:
    """The parts of a reply that are shown, as the service names them."""
    tables = [{"columns": [asdict(c) for c in t.columns], "rows": t.rows} for t in reply.tables]
    return {
        "answer": reply.answer,
        "outcome": reply.outcome,
        "query": reply.query,
        "tables": tables,
        "worded_by": reply.worded_by,
        "reason": reply.reason,
        "candidates": reply.candidates,
        "latency_ms": dict(reply.latency_ms),
        "trace": reply.trace.as_json(),
    }


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def _shown(reply: dict[str, Any]) -> str:
    lines = [reply["answer"]]
    for table in reply["tables"]:
        cells = [
            [_cell(v, c.get("decimals", 0)) for v, c in zip(row, table["columns"], strict=True)]
            for row in table["rows"][:15]
        ]
        rows = [[c["label"] for c in table["columns"]], *cells]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines += ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    if reply["query"]:
        lines.append(f"  [{reply['query']}; {reply['latency_ms']['total']:.0f} ms, worded by the {reply['worded_by']}]")
    for step in reply.get("trace", ()):
        lines.append(f"  {json.dumps(step, ensure_ascii=False, default=str)}")
    return "\n".join(lines)


def _cell(value: Any, decimals: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{decimals}f}" if isinstance(value, float) and decimals else str(value)


if __name__ == "__main__":
    sys.exit(main())
