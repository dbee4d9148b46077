"""Systems that an evaluation asks: the agents over a model in this process, or a running service.

The agents and the engine are the service's own, so that what is measured is what is served.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from agents.messages import Planned, Refusal, Reply
from agents.model import TextModel
from agents.multi_agent import MultiAgent
from data.query import QueryError, parse
from data.season import load
from data.text import plain
from train.errors import TrainError

Tables = tuple[str, ...]  # comparable: columns and rows of each as JSON


@dataclass(frozen=True)
class Asked:
    """A system's reply, comparable with another's."""

    answer: str
    outcome: str
    line: str  # the query line over placeholders, empty where there was none
    tables: Tables = ()
    worded_by: str = "plain"
    ms: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)  # milliseconds by step
    closed_book: bool = False  # the answer was not computed


class System(Protocol):
    """Something that answers questions."""

    name: str
    at_once: int  # questions to ask at the same time

    async def ask(self, question: str) -> Asked: ...

    async def close(self) -> None: ...


def comparable(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table as text that is equal for the same rows from the engine and over HTTP: its values, rounded."""
    cells = [
        [round(float(v), 3) if isinstance(v, (int, float)) and not isinstance(v, bool) else v for v in row]
        for row in rows
    ]
    return json.dumps([list(columns), cells], default=str, separators=(",", ":"))


class Agents:
    """The real agents over any text model."""

    def __init__(self, season: str, model: TextModel, name: str, at_once: int = 1, engine: Any = None):
        self.agents = MultiAgent(load(season), model)
        self.name, self.at_once, self._engine = name, at_once, engine

    async def ask(self, question: str) -> Asked:
        reply: Reply = await self.agents.ask(question)
        tables = tuple(comparable([c.name for c in t.columns], t.rows) for t in reply.tables)
        return Asked(
            reply.answer,
            reply.outcome,
            reply.trace.line or "",
            tables,
            reply.worded_by,
            reply.latency_ms.get("total", 0.0),
            dict(reply.latency_ms),
        )

    def gold(self, question: str, line: str) -> Tables:
        """The tables of a gold line, with the question's names resolved as the agents do; none where it fails."""
        retriever = self.agents.retriever
        linked = retriever.link(question)
        try:
            found = retriever.retrieve(Planned(linked, plain(linked.text), parse(line)))
        except (QueryError, KeyError):
            return ()
        return (
            ()
            if isinstance(found, Refusal)
            else tuple(comparable([c.name for c in t.columns], t.rows) for t in found.tables)
        )

    async def close(self) -> None:
        if self._engine is not None:
            await asyncio.to_thread(self._engine.close)


class ClosedBook:
    """A model trained on questions and answers alone (`python -m train --closed-book`): no agents, no table."""

    at_once = 1

    def __init__(self, base: str, adapter: Path):
        from train.evaluate.hf_model import HfModel

        self.name, self._model = f"{adapter}, closed book", HfModel(base, adapter)

    async def ask(self, question: str) -> Asked:
        made = await self._model.generate([{"role": "user", "content": question}], max_tokens=96)
        declined = made.text.startswith(("I can't", "I only"))
        return Asked(made.text, "declined" if declined else "answered", "", ms=made.decode_ms, closed_book=True)

    async def close(self) -> None:
        pass


class Service:
    """A running service, asked over HTTP."""

    at_once = 8

    def __init__(self, url: str, key: str | None = None):
        import httpx

        self.name = url
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(base_url=url, timeout=120, headers=headers, trust_env=False)

    async def ask(self, question: str) -> Asked:
        response = await self._client.post("/infer", json={"question": question, "trace": True})
        if response.status_code != 200:
            raise TrainError(
                f"{self.name}/infer answered {response.status_code} to {question!r}: {response.text[:200]}"
            )
        body = response.json()
        line = next((s["line"] for s in body.get("trace") or () if s.get("step") == "plan" and "line" in s), "")
        tables = tuple(comparable([c["name"] for c in t["columns"]], t["rows"]) for t in body["tables"])
        return Asked(
            body["answer"],
            body["outcome"],
            line,
            tables,
            body["worded_by"],
            body["latency_ms"].get("total", 0.0),
            body["latency_ms"],
        )

    async def close(self) -> None:
        await self._client.aclose()


def of_gguf(path: Path, season: str, threads: int = 0) -> Agents:
    """The agents over a GGUF in this process's engine; of a model folder, its manifest's default file.

    Raises TrainError.
    """
    from convert.manifest import load as load_manifest
    from serve.engine.engine import Engine, EngineConfig
    from serve.local_model import LocalModel

    if path.is_dir():
        if not (path / "manifest.json").is_file():
            raise TrainError(
                f"no manifest.json in {path}: make it with `python -m convert --run runs/<name>`, or name a .gguf file"
            )
        path = path / load_manifest(path).default_file
    if not path.is_file():
        raise TrainError(f"no model at {path}: make it with `python -m convert --run runs/<name>`")
    engine = Engine(EngineConfig(path, queue_size=256, n_threads=threads, n_threads_batch=threads))
    engine.start()
    return Agents(season, LocalModel(engine), path.as_posix(), at_once=8, engine=engine)


def of_base(base: str, adapter: Path | None, season: str) -> Agents:
    """The agents over a transformers model."""
    from train.evaluate.hf_model import HfModel

    return Agents(season, HfModel(base, adapter), f"{base} + {adapter}" if adapter else base)


def of_control(season: str, training: Path | None) -> Agents:
    """The agents over the control without a model."""
    from train.evaluate.nearest_phrasing import NearestPhrasing

    return Agents(season, NearestPhrasing.of(training), "nearest phrasing (no model)")
