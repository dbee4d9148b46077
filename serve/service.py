"""What lives as long as the process: season, model, engine, agents; how they come up and how they end.

    service = Service(Settings(), telemetry); await service.start(); ...; await service.stop()

`start` returns at once: season and model are loaded in the background, and tried again where that may help
(no model yet, hub away). Knows nothing about HTTP; serve/app.py does.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict

from agents.multi_agent import MultiAgent
from agents.openai_client import OpenAIModel, ServerError
from agents.retriever import RetrieverAgent
from convert.hub import HubError
from convert.manifest import ManifestError
from data import season as seasons
from data.ask import ask
from data.errors import SeasonError
from data.prompts import plan_messages
from data.query import StatTable
from data.query.grammar import gbnf
from serve.engine.engine import Engine, EngineConfig
from serve.engine.errors import EngineError
from serve.local_model import LocalModel
from serve.model_store import ModelInfo, ModelMissing, downloaded, locate
from serve.settings import Settings
from serve.telemetry.otel import InstrumentedModel, Telemetry

log = logging.getLogger(__name__)

RETRY_S = (2, 5, 10, 20, 30)  # the last one again and again
_AGAIN = (
    ModelMissing,
    ManifestError,
    HubError,
    SeasonError,
    OSError,
)  # what a person or the hub may put right meanwhile
_WARM = (
    [],
    ["P1"],
    ["T1"],
    ["V1"],
    ["P1", "P2"],
    ["P1", "T1"],
    ["T1", "T2"],
)  # placeholders of most questions


class NotReady(Exception):
    """Questions cannot be answered yet, or no longer."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"not ready ({stage}): {reason}")
        self.stage = stage


class Overloaded(Exception):
    """All places are taken; `retry_after_s` says when one should be free."""

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Service:
    """All state of the service. Its methods belong on the event loop."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.settings, self.telemetry = settings, telemetry
        self.stage, self.reason = "start", "the process has just started"
        self.failed: str | None = None  # for good: only a restart helps
        self.draining = False
        self.retrying = False  # something is missing that a person or the hub may supply
        self.agents: MultiAgent | None = None
        self.engine: Engine | None = None
        self.model: InstrumentedModel | None = None
        self.info: ModelInfo | None = None
        self.retriever: RetrieverAgent | None = None
        self.on_ready: Callable[[], None] | None = None
        self.on_failure: Callable[[], None] | None = None
        self.entered = 0  # requests between admission and their end
        self._mean_s = 0.3  # of a request, for Retry-After
        self._pending: dict[str, str] = {}
        self._downloading = False
        self._threads: list[threading.Thread] = []
        self._task: asyncio.Task | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- coming up

    async def start(self) -> None:
        """Begin loading; /readyz follows."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._load(), name="load")

    async def _load(self) -> None:
        began = time.monotonic()
        try:
            await asyncio.gather(self._again("season", self._load_season), self._again("model", self._load_model))
            self._say("warm", "computing the prompts and grammars that all questions share")
            assert self.retriever is not None and self.model is not None
            agents = MultiAgent(self.retriever.season, self.model, self.retriever)
            await self._warm_up(agents)
            if self.on_ready is not None:
                self.on_ready()
            self.agents = agents
            log.info("ready in %.2f s", time.monotonic() - began, extra={"model": asdict(self.info)})
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._fail(
                f"{type(error).__name__}: {error}" if not isinstance(error, EngineError) else str(error),
                error,
            )

    async def _again(self, part: str, load: Callable[[], None]) -> None:
        """Run `load` in a thread until it succeeds, as long as its failure is one that may go away."""
        attempt = 0
        while True:
            try:
                await self._in_thread(load)
                self._pending.pop(part, None)
                self.retrying = False
                return
            except _AGAIN as error:
                await self._pause(part, error, attempt)
                attempt += 1

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """Run `work` in a daemon thread, which a stopping process does not wait for (a download takes minutes)."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        def run() -> None:
            error: Exception | None = None
            try:
                work()
            except Exception as caught:
                error = caught
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, error)

        self._threads.append(threading.Thread(target=run, name=work.__name__, daemon=True))
        self._threads[-1].start()
        await done

    @property
    def loading(self) -> bool:
        """A thread is still at it; the interpreter cannot be taken down in good order under native code."""
        return any(thread.is_alive() for thread in self._threads)

    def _load_season(self) -> None:
        self._say("season", f"loading the season {self.settings.season}")
        season = seasons.load(self.settings.season)
        self.retriever = RetrieverAgent(season)

    def _load_model(self) -> None:
        settings = self.settings
        if settings.openai_base_url:
            key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
            client = OpenAIModel(settings.openai_base_url, settings.openai_model or "default", key)
            self.info = ModelInfo(name=client.name)
            self.model = InstrumentedModel(client, client.name, "openai", self.telemetry)
            return
        if settings.model_repo:
            self._downloading = True
            self._say("download", f"fetching {settings.model_repo} at {settings.model_revision or 'main'}")
        else:
            self._say("verify", f"checking {settings.model_path} against its manifest")
        try:
            found = locate(settings)
        finally:
            self._downloading = False
        self._say("load", f"loading {found.path.name}")
        engine = Engine(
            EngineConfig(
                model=found.path,
                n_ctx=settings.n_ctx,
                n_slots=settings.n_slots,
                prefix_mb=settings.prefix_cache_mb,
                prefix_file=settings.prefix_cache_file,
                queue_size=settings.queue_size,
                n_threads=settings.n_threads,
                n_threads_batch=settings.n_threads_batch,
                n_gpu_layers=settings.n_gpu_layers,
                flash_attention=settings.flash_attention,
            )
        )
        engine.on_death = self._engine_died
        engine.start()
        self.engine, self.info = engine, found.info
        self.model = InstrumentedModel(LocalModel(engine), found.info.name, "llama_cpp", self.telemetry)

    async def _warm_up(self, agents: MultiAgent) -> None:
        """Warm; a model server that is away is asked again and again."""
        attempt = 0
        while True:
            try:
                await self._warm(agents)
                self.retrying = False
                return
            except ServerError as error:
                self._pending.clear()
                await self._pause("model-server", error, attempt)
                attempt += 1

    async def _pause(self, part: str, error: Exception, attempt: int) -> None:
        wait = RETRY_S[min(attempt, len(RETRY_S) - 1)]
        self.retrying = True
        self._say(part, str(error))
        log.warning("%s: %s (trying again in %d s)", part, error, wait)
        await asyncio.sleep(wait)

    async def _warm(self, agents: MultiAgent) -> None:
        if self.engine is None:
            await self.model.generate(plan_messages("hello"), max_tokens=1, deadline_s=self.settings.deadline_s)
            return
        for placeholders in _WARM:
            text = " ".join([*placeholders, "runs"])
            await self.model.model.generate(plan_messages(text), grammar=gbnf(placeholders), max_tokens=1)
        await agents.ask("Who scored the most runs?", deadline_s=self.settings.deadline_s)

    def _say(self, stage: str, reason: str) -> None:
        if stage != "warm":
            self._pending["season" if stage == "season" else "model"] = reason
        self.stage, self.reason = stage, reason

    def _fail(self, reason: str, error: BaseException | None = None) -> None:
        self.failed = reason
        log.error("failed: %s", reason, exc_info=error if not isinstance(error, EngineError) else None)

    def _engine_died(self, error: BaseException) -> None:
        """Called on the engine's thread."""
        self._fail(f"the engine's thread died: {error!r}")
        if self.on_failure is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self.on_failure)

    # -- state

    @property
    def state(self) -> tuple[bool, str, str]:
        """Ready or not, the stage, and why it is not further."""
        if self.failed:
            return False, "failed", self.failed
        if self.draining:
            return False, "drain", "stopping: requests under way are finished, no new ones are taken"
        if self.agents is None:
            reason = "; ".join(dict.fromkeys([self.reason, *self._pending.values()]))
            if self._downloading and not self.retrying:
                here, size = downloaded(self.settings)
                reason += f" ({here / 1e6:.1f} of {size / 1e6:.1f} MB)" if size else f" ({here / 1e6:.1f} MB)"
            return False, self.stage, reason
        return True, "ready", "answering"

    @property
    def places(self) -> int:
        return self.settings.n_slots + self.settings.queue_size

    def ready_agents(self) -> MultiAgent:
        """The agents, or the problem that says why there are none yet."""
        ready, stage, reason = self.state
        if not ready:
            raise NotReady(stage, reason)
        assert self.agents is not None
        return self.agents

    def enter(self) -> Callable[..., None]:
        """Take a place among the requests under way; what it returns gives the place back (a task's done callback).

        A question keeps its place through all its model calls, so that one that was let in is never turned away
        half-way. Raises Overloaded.
        """
        if self.entered >= self.places:
            wait = max(1.0, self._mean_s * self.entered / self.settings.n_slots)
            detail = (
                f"{self.entered} requests are under way or waiting, which is all that QUEUE_SIZE admits: try again "
                "after the time in Retry-After"
            )
            raise Overloaded(detail, wait)
        self.entered += 1
        began = time.monotonic()

        def leave(*_: object) -> None:
            self.entered -= 1
            self._mean_s += 0.05 * (time.monotonic() - began - self._mean_s)

        return leave

    def compute(self, line: str) -> list[StatTable]:
        """The tables of a query line; needs the season, not the model."""
        if self.retriever is None:
            self.ready_agents()
        return ask(line, self.retriever.statistics, self.retriever.names)

    # -- going down

    async def drain(self) -> None:
        """Take nothing new, wait for what is under way, at most the longest time of an answer."""
        self.draining = True
        until = time.monotonic() + self.settings.deadline_s + 5
        while self.entered and time.monotonic() < until and not self.failed:
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self.draining = True
        if self._task is not None:
            self._task.cancel()
        if self.engine is not None:
            await asyncio.to_thread(self.engine.close)
