"""Asks the agents the questions of a user's file, and counts how many are answered as the file says.

    python -m train.evaluate.own_rows --model models/mine --rows runs/mine/knowledge.jsonl --season ipl_2024
    python -m train.evaluate.own_rows --url http://localhost:8000 --rows runs/mine/knowledge.jsonl --season ipl_2024

An answer is right where it tells every figure and name of the row's answer; of a row that is knowledge it also has to
name that row as its source. With --questions, a JSONL file of `row` and `question`, rows are asked in other words. The
last line printed is JSON; it names rows by their number alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from data.command_line import command_line, reported, run
from data.dataset import knowledge
from data.dataset.answer_facts import AnswerFacts
from data.dataset.knowledge import KNOWLEDGE, Row
from data.errors import DataError
from train.errors import TrainError

AT_ONCE = 8
SHOWN = 20  # wrong rows that are named

app = command_line()


@dataclass(frozen=True)
class Said:
    """A reply: its text, and the number of the row that it names as its source."""

    answer: str
    answered: bool
    row: int | None = None


@dataclass(frozen=True)
class Outcome:
    """How many of the rows that were asked were answered rightly; of knowledge rows, with their source."""

    rows: int
    right: int
    knowledge: int
    knowledge_right: int
    wrong: list[int]  # numbers of rows


Ask = Callable[[str], Awaitable[Said]]


async def examine(asked: Sequence[tuple[str, Row]], ask: Ask, facts: AnswerFacts) -> Outcome:
    """Ask each question and compare the reply with its row."""
    free = asyncio.Semaphore(AT_ONCE)

    async def is_right(question: str, row: Row) -> bool:
        async with free:
            said = await ask(question)
        if not said.answered or (row.kind == KNOWLEDGE and said.row != row.row):
            return False
        return facts.repeats(row.question, row.answer, said.answer)

    right = await asyncio.gather(*(is_right(question, row) for question, row in asked))
    known = [ok for ok, (_, row) in zip(right, asked, strict=True) if row.kind == KNOWLEDGE]
    wrong = [row.row for ok, (_, row) in zip(right, asked, strict=True) if not ok]
    return Outcome(len(asked), sum(right), len(known), sum(known), wrong)


def spread(rows: Sequence[Row], limit: int) -> list[Row]:
    """At most `limit` rows, drawn evenly, half of them from what only the file knows where there is enough; 0: all."""
    if not limit or len(rows) <= limit:
        return list(rows)
    known = [row for row in rows if row.kind == KNOWLEDGE]
    others = [row for row in rows if row.kind != KNOWLEDGE]
    kept = min(len(known), max(limit // 2, limit - len(others)))
    return [*_evenly(known, kept), *_evenly(others, limit - kept)]


def _evenly(rows: Sequence[Row], count: int) -> list[Row]:
    return [rows[i * len(rows) // count] for i in range(count)] if count else []


@app.command()
@reported(TrainError, DataError)
def own_rows(
    rows: Annotated[Path, typer.Option(help="the rows of the file: runs/<run>/knowledge.jsonl")],
    season: Annotated[str, typer.Option(help="that they are about")],
    model: Annotated[Path | None, typer.Option(help="a .gguf file or a model folder, run by the engine")] = None,
    url: Annotated[str | None, typer.Option(help="a running service (with an API key in API_KEY)")] = None,
    questions: Annotated[Path | None, typer.Option(help="other words for rows: JSONL with row and question")] = None,
    limit: Annotated[int, typer.Option(help="rows to ask, drawn evenly; 0: all")] = 0,
    threads: Annotated[int, typer.Option(help="of the engine; 0: as many as the service would take")] = 0,
    show: Annotated[bool, typer.Option("--show", help="print what was answered wrongly, with the answers")] = False,
) -> None:
    """Ask a user's own questions."""
    if (model is None) == (url is None):
        raise typer.BadParameter("give --model or --url")
    found = knowledge.read(rows)
    asked = [(row.question, row) for row in spread(found, limit)]
    if questions:
        by_number = {row.row: row for row in found}
        other = [json.loads(line) for line in questions.read_text(encoding="utf-8").split("\n") if line.strip()]
        asked = [(q["question"], by_number[q["row"]]) for q in other if q["row"] in by_number]
        asked = asked[: limit or None]
    outcome = asyncio.run(_examine(asked, found, season, model, url, threads, show))
    print(
        f"{outcome.right} of {outcome.rows} questions are answered as the file says, {outcome.knowledge_right} of "
        f"{outcome.knowledge} that only the file knows with their row"
        + (f"; not so rows {', '.join(map(str, outcome.wrong[:SHOWN]))}" if outcome.wrong else "")
        + (" ..." if len(outcome.wrong) > SHOWN else "")
    )
    print(json.dumps(asdict(outcome)))


async def _examine(
    asked: Sequence[tuple[str, Row]],
    rows: Sequence[Row],
    season: str,
    model: Path | None,
    url: str | None,
    threads: int,
    show: bool,
) -> Outcome:
    from train.evaluate.systems import of_gguf

    if url:
        from agents.retriever import RetrieverAgent
        from data.season import load

        ask, close = _of_service(url)
        linker = RetrieverAgent(load(season)).linker
    else:
        assert model is not None
        system = of_gguf(model, season, threads)
        system.agents.retriever.know(rows)
        linker = system.agents.retriever.linker

        async def ask(question: str) -> Said:
            reply = await system.agents.ask(question)
            return Said(reply.answer, reply.outcome == "answered", reply.source.row if reply.source else None)

        close = system.close

    async def told(question: str) -> Said:
        said = await ask(question)
        if show:
            print(f"{question}\n    {said.answer}", file=sys.stderr)
        return said

    try:
        return await examine(asked, told, AnswerFacts(linker))
    finally:
        await close()


def _of_service(url: str) -> tuple[Ask, Callable[[], Awaitable[None]]]:
    """A running service as something to ask. Raises TrainError where it does not answer."""
    import httpx

    key = os.environ.get("API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    client = httpx.AsyncClient(base_url=url, timeout=120, headers=headers, trust_env=False)

    async def ask(question: str) -> Said:
        response = await client.post("/infer", json={"question": question})
        if response.status_code != 200:
            raise TrainError(f"{url}/infer answered {response.status_code}")
        body: dict[str, Any] = response.json()
        source = body.get("source") or {}
        return Said(body["answer"], body["outcome"] == "answered", source.get("row"))

    return ask, client.aclose


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
