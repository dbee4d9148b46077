"""Ask from the command line.

    python -m agents "most sixes?"                                        starts a service for the question
    python -m agents "most sixes?" --url http://localhost:8000            asks one that runs
    python -m agents "most sixes?" --model-url http://localhost:8080/v1   the agents in this process, generating
                                                                          with any OpenAI-compatible server
    python -m agents                                                      a conversation: one question a line

A service of one's own is another process, found by the line that it logs when it listens.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.command_line import (
    Csv,
    Json,
    as_csv,
    as_json,
    aside,
    command_line,
    heading,
    output_form,
    reported,
    run,
)
from data.text_table import columns

if TYPE_CHECKING:
    import httpx

    from agents.messages import Reply

Ask = Callable[[str], dict[str, Any]]
ROOT = Path(__file__).parent.parent

app = command_line()


@app.command()
@reported(interrupted="")
def ask(
    question: Annotated[str | None, typer.Argument(help="without one, questions are read line by line")] = None,
    url: Annotated[
        str | None, typer.Option(help="a running service; API_KEY in the environment is sent as its key")
    ] = None,
    model_url: Annotated[
        str | None, typer.Option(help="an OpenAI-compatible server to generate with; OPENAI_MODEL names the model")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    trace: Annotated[bool, typer.Option("--trace", help="print every step the agents took")] = False,
) -> None:
    """Ask a question, or hold a conversation; without --url or --model-url a service is started for it."""
    form = output_form(json, csv)
    conversation = uuid.uuid4().hex
    if model_url:
        answer, close = _here(model_url, conversation)
    else:
        answer, close = _service(url, conversation) if url else _own_service(conversation)
    try:
        for text in [question] if question else _lines():
            reply = answer(text)
            if not trace:
                reply.pop("trace", None)
            if form == "csv":
                _print_csv(reply)
            else:
                print(as_json(reply) if form == "json" else _shown(reply), flush=True)
    finally:
        close()


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


def _lines() -> Iterable[str]:
    if sys.stdin.isatty():
        print("one question a line, an empty line ends", file=sys.stderr)
    for line in sys.stdin:
        if not line.strip():
            return
        yield line.strip()


def _service(url: str, conversation: str) -> tuple[Ask, Callable[[], None]]:
    import httpx

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
            reply: dict[str, Any] = response.json()
            return reply
        raise SystemExit(_detail(response) or f"{url} answered {response.status_code}: is it this service?")

    return ask, client.close


def _own_service(conversation: str) -> tuple[Ask, Callable[[], None]]:
    """Start `python -m serve` on a free port for as long as the conversation lasts."""
    import httpx

    environment = os.environ | {"HOST": "127.0.0.1", "PORT": "0", "LOG_LEVEL": "INFO", "API_KEYS": ""}
    # ours, and not a folder of that name where the user is
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-P", "-m", "serve"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url: str | None = None
        said: list[str] = []
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
    from agents.multi_agent import MultiAgent
    from agents.openai_client import OpenAIModel, ServerError
    from data.errors import DataError
    from data.season import load

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
    lines = [heading(reply["answer"])]
    for table in reply["tables"]:
        cells = [
            [_cell(v, c.get("decimals", 0)) for v, c in zip(row, table["columns"], strict=True)]
            for row in table["rows"][:15]
        ]
        labels, *rows = columns([c["label"] for c in table["columns"]], cells).split("\n")
        lines += [f"  {heading(labels)}", *(f"  {row}" for row in rows)]
    if reply["query"]:
        how = f"[{reply['query']}; {reply['latency_ms']['total']:.0f} ms, worded by the {reply['worded_by']}]"
        lines.append(f"  {aside(how)}")
    for step in reply.get("trace", ()):
        lines.append(f"  {json.dumps(step, ensure_ascii=False, default=str)}")
    return "\n".join(lines)


def _print_csv(reply: dict[str, Any]) -> None:
    """The tables, an empty line between two; the answer goes to standard error."""
    print(reply["answer"], file=sys.stderr, flush=True)
    tables = [as_csv([c["label"] for c in table["columns"]], table["rows"]) for table in reply["tables"]]
    print("\n".join(tables), end="", flush=True)


def _cell(value: Any, decimals: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{decimals}f}" if isinstance(value, float) and decimals else str(value)


if __name__ == "__main__":
    sys.exit(main())
