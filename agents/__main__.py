"""Ask from the command line.

    python -m agents "most sixes?"                                        starts a service for the question
    python -m agents "most sixes?" --url http://localhost:8000            asks one that runs
    python -m agents "most sixes?" --model-url http://localhost:8080/v1   the agents in this process, generating
                                                                          with any OpenAI-compatible server
    python -m agents                                                      a conversation: one question a line, with
                                                                          history, follow-ups, /new, /run, /csv, /json

A service of one's own is another process, found by the line that it logs when it listens.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from agents.terminal import interactive, lines, show, shown
from data.command_line import (
    Csv,
    Json,
    as_csv,
    as_json,
    command_line,
    output_form,
    reported,
    run,
)

if TYPE_CHECKING:
    import httpx

    from agents.messages import Reply
    from data.query import StatTable

ROOT = Path(__file__).parent.parent
COMPUTED = {"answer": "", "outcome": "answered", "candidates": [], "suggestions": []}  # of a line typed after /run


class Unanswered(Exception):
    """A question got no answer; says why and what to do."""


class Agents(NamedTuple):
    """What answers: the agents in a service or in this process. Replies are as the service names their parts."""

    ask: Callable[[str, str], dict[str, Any]]  # question, conversation
    compute: Callable[[str], dict[str, Any]]  # query line
    close: Callable[[], None]


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
    season: Annotated[
        str | None, typer.Option(help="the season to ask about, such as ipl_2016 (default: the service's own)")
    ] = None,
    json: Json = False,
    csv: Csv = False,
    trace: Annotated[bool, typer.Option("--trace", help="print every step the agents took")] = False,
) -> None:
    """Ask a question, or hold a conversation; without --url or --model-url a service is started for it."""
    form = output_form(json, csv)
    if model_url:
        agents = _here(_with_scheme(model_url), season)
    else:
        agents = _service(_with_scheme(url), season) if url else _own_service(season)
    try:
        _converse([question] if question else lines(), agents, form, trace, ends=bool(question) or not interactive())
    finally:
        agents.close()


def _converse(questions: Iterable[str], agents: Agents, form: str, trace: bool, ends: bool) -> None:
    """Ask question by question; `ends`: the first that fails ends the program."""
    conversation, last = uuid.uuid4().hex, None
    suggested: str | None = None
    for text in questions:
        if text == "/new":
            conversation, last, suggested = uuid.uuid4().hex, None, None
        elif text in ("/csv", "/json"):
            if last is None:
                print("nothing was answered yet", file=sys.stderr)
            else:
                _print(last, text[1:])
        elif text == "/run" and suggested is None:
            print("nothing was suggested yet; /run LINE computes a query line", file=sys.stderr)
        else:
            try:
                command, _, line = text.partition(" ")
                if command == "/run":
                    last = agents.compute(line.strip() or suggested or "")
                else:
                    last = agents.ask(text, conversation)
                    suggested = next(iter(last.get("suggestions", ())), suggested)
            except Unanswered as error:
                if ends:
                    raise SystemExit(str(error)) from None
                print(f"error: {error}", file=sys.stderr)
                continue
            if not trace:
                last.pop("trace", None)
            _print(last, form)


def _print(reply: dict[str, Any], form: str) -> None:
    if form == "csv":
        _print_csv(reply)
    elif form == "json":
        print(as_json(reply), flush=True)
    else:
        show(shown(reply))


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


def _with_scheme(url: str) -> str:
    """`localhost:8000` as http://localhost:8000."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def _service(url: str, season: str | None) -> Agents:
    import httpx

    key = os.environ.get("API_KEY")
    client = httpx.Client(base_url=url, timeout=120, headers={"Authorization": f"Bearer {key}"} if key else {})

    def post(route: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            response = client.post(route, json=body | ({"season": season} if season else {}))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unanswered(
                f"no answer from {url} ({error}): is the service running? `make serve` starts it"
            ) from None
        if response.status_code == 200:
            reply: dict[str, Any] = response.json()
            return reply
        if response.status_code == 401:
            raise Unanswered(f"{url} needs a key: set API_KEY to one of its API_KEYS")
        raise Unanswered(_detail(response) or f"{url} answered {response.status_code}: is it this service?")

    def ask(question: str, conversation: str) -> dict[str, Any]:
        return post("/infer", {"question": question, "conversation_id": conversation, "trace": True})

    def compute(line: str) -> dict[str, Any]:
        return COMPUTED | post("/stats", {"query": line})

    return Agents(ask, compute, client.close)


def _own_service(season: str | None) -> Agents:
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
    agents = _service(url, season)

    def end() -> None:
        agents.close()
        process.terminate()
        process.communicate()

    return agents._replace(close=end)


def _here(model_url: str, season: str | None) -> Agents:
    from agents.multi_agent import MultiAgent
    from agents.openai_client import OpenAIModel, ServerError
    from data.ask import ask as answer
    from data.errors import DataError
    from data.query import QueryError
    from data.season import load

    model = OpenAIModel(model_url, os.environ.get("OPENAI_MODEL", "default"), os.environ.get("OPENAI_API_KEY"))
    try:
        agents = MultiAgent(load(season or os.environ.get("SEASON", "ipl_2024")), model)
    except DataError as error:
        raise SystemExit(str(error)) from None
    loop = asyncio.new_event_loop()

    def ask(question: str, conversation: str) -> dict[str, Any]:
        try:
            return _as_dict(loop.run_until_complete(agents.ask(question, conversation)))
        except ServerError as error:
            raise Unanswered(str(error)) from None

    def compute(line: str) -> dict[str, Any]:
        try:
            tables = answer(line, agents.retriever.statistics, agents.retriever.names)
        except QueryError as error:
            raise Unanswered(str(error)) from None
        return COMPUTED | {"query": line, "tables": _as_dicts(tables)}

    def end() -> None:
        loop.run_until_complete(model.aclose())
        loop.close()

    return Agents(ask, compute, end)


def _as_dict(reply: Reply) -> dict[str, Any]:
    """The parts of a reply that are shown, as the service names them."""
    return {
        "answer": reply.answer,
        "outcome": reply.outcome,
        "query": reply.query,
        "tables": _as_dicts(reply.tables),
        "worded_by": reply.worded_by,
        "reason": reply.reason,
        "candidates": reply.candidates,
        "source": asdict(reply.source) if reply.source else None,
        "suggestions": reply.suggestions,
        "latency_ms": dict(reply.latency_ms),
        "trace": reply.trace.as_json(),
    }


def _as_dicts(tables: Iterable[StatTable]) -> list[dict[str, Any]]:
    return [{"columns": [asdict(c) for c in t.columns], "rows": t.rows} for t in tables]


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return ""


def _print_csv(reply: dict[str, Any]) -> None:
    """The tables, an empty line between two; the answer goes to standard error."""
    if reply["answer"]:
        print(reply["answer"], file=sys.stderr, flush=True)
    tables = [as_csv([c["label"] for c in table["columns"]], table["rows"]) for table in reply["tables"]]
    print("\n".join(tables), end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
