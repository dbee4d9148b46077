"""Application state and lifecycle: season, model, engine and agents, how they are loaded and how they are shut down.

    service = Service(Settings(), telemetry); await service.start(); ...; await service.stop()

`start` returns at once. Season and model are loaded in the background, and loading is repeated where that may help
(no model yet, the hub unreachable). Independent of HTTP: serve/app.py and serve/api build on it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from agents.multi_agent import MultiAgent
from agents.openai_client import OpenAIModel, ServerError
from agents.retriever import RetrieverAgent
from convert.hub import HubError
from convert.manifest import ManifestError
from data import season as seasons
from data.ask import ask
from data.dataset.knowledge import KNOWLEDGE_FILE, Row
from data.errors import SeasonError
from data.prompts import plan_messages
from data.query import StatTable
from data.query.grammar import gbnf
from serve.engine.engine import Engine, EngineConfig
from serve.engine.errors import EngineError
from serve.local_model import OWNER, LocalModel
from serve.model_store import ModelInfo, ModelMissing, downloaded, locate
from serve.settings import Settings
from serve.telemetry.otel import InstrumentedModel, Telemetry

log = logging.getLogger(__name__)

RETRY_S = (2, 5, 10, 20, 30)  # waits between attempts; the last one is used again and again
# Failures that may go away: somebody puts the missing file in place, or the hub comes back.
RETRYABLE = (ModelMissing, ManifestError, HubError, SeasonError, OSError)
# The placeholders of most questions: their grammars are compiled before the first question comes.
WARM_UP_PLACEHOLDERS: tuple[list[str], ...] = (
    [],
    ["P1"],
    ["T1"],
    ["V1"],
    ["P1", "P2"],
    ["P1", "T1"],
    ["T1", "T2"],
)
STOP_TIMEOUT_S = 30.0  # for a season or engine that is being loaded when the service stops


class NotReady(Exception):
    """Questions cannot be answered yet, or no longer."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"not ready ({stage}): {reason}")
        self.stage = stage


class Overloaded(Exception):
    """The limit of requests under way is reached; `retry_after_s` estimates when one will have ended."""

    def __init__(self, detail: str, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class State:
    """Whether questions are answered; else the stage of loading or stopping, and what it is waiting for."""

    ready: bool
    stage: str
    reason: str


@dataclass(frozen=True)
class Loaded:
    """Everything that answers questions."""

    agents: MultiAgent
    model: InstrumentedModel
    info: ModelInfo


class Service:
    """The state of one service. Its methods are called on the event loop."""

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.settings: Settings = settings
        self.telemetry: Telemetry = telemetry
        self.on_ready: Callable[[], None] | None = None
        self.on_failure: Callable[[], None] | None = None
        self.retriever: RetrieverAgent | None = None
        self.engine: Engine | None = None
        self.loaded: Loaded | None = None
        self.failed: str | None = None  # why only a restart helps
        self.draining = False
        self.retrying = False  # something is missing that a person or the hub may supply
        self.in_flight = 0  # requests between `admit` and their end
        self._under_way: Counter[str] = Counter()  # of them, by owner; as many entries as there are API keys
        self._model: InstrumentedModel | None = None
        self._info: ModelInfo | None = None
        self._rows: tuple[Row, ...] = ()  # of the user's file that the model came with
        self._mean_request_s = 0.3  # for Retry-After
        self._stage, self._reason = "start", "the process has just started"
        self._pending: dict[str, str] = {}  # season and model: what each is waiting for
        self._fetching = False  # a model file is downloaded or checked, which may take minutes
        self._stopping = threading.Event()
        self._threads: dict[str, threading.Thread] = {}  # by what they load: season, model
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- loading

    async def start(self) -> None:
        """Begin loading; `state` tells how far it is."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._load(), name="load")

    async def _load(self) -> None:
        began = time.monotonic()
        try:
            await asyncio.gather(
                self._load_part("season", self._load_season), self._load_part("model", self._load_model)
            )
            self._set_stage("warm", "computing the prompts and grammars that all questions share")
            assert self.retriever is not None and self._model is not None and self._info is not None
            await self.in_thread("knowledge", lambda: self.know(self.retriever))
            loaded = Loaded(MultiAgent(self.retriever.season, self._model, self.retriever), self._model, self._info)
            await self._warm_up(loaded)
            if self.on_ready is not None:
                self.on_ready()
            self.loaded = loaded
            log.info("ready in %.2f s", time.monotonic() - began, extra={"model": asdict(loaded.info)})
        except EngineError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}", error)

    async def _load_part(self, part: str, load: Callable[[], None]) -> None:
        """Run `load` in a thread, again and again while it fails with a retryable error."""
        attempt = 0
        while True:
            try:
                await self.in_thread(part, load)
                self._pending.pop(part, None)
                self.retrying = False
                return
            except RETRYABLE as error:
                await self._pause(part, error, attempt)
                attempt += 1

    async def in_thread(self, part: str, work: Callable[[], None]) -> None:
        """Run `work` in a daemon thread, which a stopping process need not wait for (a download takes minutes)."""
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

        thread = self._threads[part] = threading.Thread(target=run, name=f"load-{part}", daemon=True)
        thread.start()
        await done

    def _load_season(self) -> None:
        self._set_stage("season", f"loading the season {self.settings.season}")
        self.retriever = RetrieverAgent(seasons.load(self.settings.season))

    def _load_model(self) -> None:
        settings = self.settings
        if settings.openai_base_url:
            key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
            client = OpenAIModel(settings.openai_base_url, settings.openai_model or "default", key)
            self._info = ModelInfo(name=client.name)
            self._model = InstrumentedModel(client, client.name, "openai", self.telemetry)
            return
        if settings.model_repo:
            self._set_stage("download", f"fetching {settings.model_repo} at {settings.model_revision or 'main'}")
        else:
            self._set_stage("verify", f"checking {settings.model_path} against its manifest")
        self._fetching = True
        try:
            found = locate(settings)
        finally:
            self._fetching = False
        if self._stopping.is_set():
            return
        self._set_stage("load", f"loading {found.path.name}")
        engine = Engine(
            EngineConfig(
                model=found.path,
                n_ctx=settings.n_ctx,
                n_slots=settings.n_slots,
                prefix_mb=settings.prefix_cache_mb,
                prefix_file=settings.prefix_cache_file,
                queue_size=settings.queue_size,
                max_owner_slots=settings.max_running_per_key,
                max_tokens=settings.max_tokens,
                n_threads=settings.n_threads,
                n_threads_batch=settings.n_threads_batch,
                n_gpu_layers=settings.n_gpu_layers,
                gpu_required=settings.gpu_required,
                flash_attention=settings.flash_attention,
                deterministic=settings.deterministic,
            )
        )
        engine.on_death = self._engine_died
        engine.start()
        self.engine = engine
        self._info, self._rows = found.info, found.knowledge
        self._model = InstrumentedModel(LocalModel(engine), found.info.name, "llama_cpp", self.telemetry)

    def know(self, retriever: RetrieverAgent) -> None:
        """Let the retriever answer from the user's file that came with the model, if it is of the file's season."""
        if not self._rows or self._info is None:
            return
        of = self._info.season or self.settings.season
        if retriever.season.name == of:
            retriever.know(self._rows)
        else:
            log.info("the model's %s is about %s and not used for %s", KNOWLEDGE_FILE, of, retriever.season.name)

    async def _warm_up(self, loaded: Loaded) -> None:
        """Compute what the first questions need; a model server that cannot be reached is tried again and again."""
        attempt = 0
        while True:
            try:
                await self._ask_first(loaded)
                self.retrying = False
                return
            except ServerError as error:
                self._pending.clear()
                await self._pause("model-server", error, attempt)
                attempt += 1

    async def _ask_first(self, loaded: Loaded) -> None:
        deadline_s = self.settings.deadline_s
        if self.engine is None:
            await loaded.model.generate(plan_messages("hello"), max_tokens=1, deadline_s=deadline_s)
            return
        for placeholders in WARM_UP_PLACEHOLDERS:
            messages = plan_messages(" ".join([*placeholders, "runs"]))
            await loaded.model.model.generate(messages, grammar=gbnf(placeholders), max_tokens=1)  # not measured
        await loaded.agents.ask("Who scored the most runs?", deadline_s=deadline_s)

    async def _pause(self, part: str, error: Exception, attempt: int) -> None:
        wait_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
        self.retrying = True
        self._set_stage(part, str(error))
        log.warning("%s: %s (trying again in %d s)", part, error, wait_s)
        await asyncio.sleep(wait_s)

    def _set_stage(self, stage: str, reason: str) -> None:
        if stage != "warm":
            self._pending["season" if stage == "season" else "model"] = reason
        self._stage, self._reason = stage, reason

    def _fail(self, reason: str, error: BaseException | None = None) -> None:
        self.failed = reason
        log.error("failed: %s", reason, exc_info=error)

    def _engine_died(self, error: BaseException) -> None:
        """Called on the engine's thread."""
        self._fail(f"the engine's thread died: {error!r}")  # the engine has logged the stack trace
        if self.on_failure is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self.on_failure)

    # -- answering

    @property
    def state(self) -> State:
        if self.failed:
            return State(False, "failed", self.failed)
        if self.draining:
            return State(False, "drain", "stopping: requests under way are finished, no new ones are accepted")
        if self.loaded is None:
            reason = "; ".join(dict.fromkeys([self._reason, *self._pending.values()]))
            if self._fetching and self.settings.model_repo and not self.retrying:
                here, size = downloaded(self.settings)
                reason += f" ({here / 1e6:.1f} of {size / 1e6:.1f} MB)" if size else f" ({here / 1e6:.1f} MB)"
            return State(False, self._stage, reason)
        return State(True, "ready", "answering")

    def ready(self) -> Loaded:
        """What answers questions. Raises NotReady with the reason where there is none."""
        state = self.state
        if not state.ready or self.loaded is None:
            raise NotReady(state.stage, state.reason)
        return self.loaded

    def admit(self, owner: str | None = None) -> Callable[..., None]:
        """Count a request as under way; the function returned ends it, and fits a task's done callback.

        A question counts once for all its model calls, so that one that was admitted is not refused between them.
        Every API key has places of its own: `owner` is its hash, by default that of the task. Raises Overloaded.
        """
        owner = OWNER.get() if owner is None else owner
        taken = self._under_way[owner]
        if taken >= self.settings.n_slots + self.settings.queue_size:
            wait_s = max(1.0, self._mean_request_s * taken / self.settings.n_slots)
            detail = (
                f"{taken} requests are under way or waiting, which is all that QUEUE_SIZE admits: try again "
                "after the time in Retry-After"
            )
            raise Overloaded(detail, wait_s)
        self.in_flight += 1
        self._under_way[owner] += 1
        began = time.monotonic()

        def leave(*_: object) -> None:
            self.in_flight -= 1
            self._under_way[owner] -= 1
            self._mean_request_s += 0.05 * (time.monotonic() - began - self._mean_request_s)

        return leave

    def put(self, retriever: RetrieverAgent) -> None:
        """Let this retriever, of a newer state of the season, take part in all questions that begin from now on."""
        self.retriever = retriever
        if self.loaded is not None:
            self.loaded = replace(self.loaded, agents=self.loaded.agents.over(retriever))

    def compute(self, line: str) -> list[StatTable]:
        """The tables of a query line, for which the season suffices. Raises NotReady or QueryError."""
        retriever = self.retriever or self.ready().agents.retriever
        return ask(line, retriever.statistics, retriever.names)

    # -- stopping

    async def drain(self) -> None:
        """Accept nothing new and wait for what is under way, at most the longest time of an answer."""
        self.draining = True
        until = time.monotonic() + self.settings.deadline_s + 5
        while self.in_flight and time.monotonic() < until and not self.failed:
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End everything at once. Waits for native code that is loading, but not for a model file to be fetched."""
        self.draining = True
        self._stopping.set()
        if self._task is not None:
            self._task.cancel()
        until = time.monotonic() + STOP_TIMEOUT_S
        for part, thread in self._threads.items():
            while thread.is_alive() and not (part == "model" and self._fetching) and time.monotonic() < until:
                await asyncio.sleep(0.01)
        if self.engine is not None:
            await asyncio.to_thread(self.engine.close)

    @property
    def loading(self) -> bool:
        """Whether a thread still loads something; the interpreter must not end then, but the process by os._exit."""
        return any(thread.is_alive() for thread in self._threads.values())
