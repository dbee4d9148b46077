"""Season, model and agents in this process, without a server: for notebooks and scripts.

    from agents import Cricket

    cricket = Cricket()                                  # season and model as the settings say; waits until loaded
    reply = cricket.ask("bumrah economy at the death?")  # print(reply), reply.to_pandas(), a table in a notebook
    reply = cricket.ask("and in the powerplay?")         # a follow-up

A conversation goes on until `new_conversation()`. `with Cricket() as cricket:` frees the model at its end.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import uuid
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from agents.messages import Reply
from serve.reload import reload
from serve.seasons import Seasons
from serve.service import Service
from serve.settings import Settings
from serve.telemetry.otel import Telemetry

T = TypeVar("T")


class CannotAnswer(Exception):
    """The season or the model cannot be loaded; says why and what to do."""


class Cricket:
    """Answers questions. Settings as keyword arguments go over the environment: `Cricket(season="ipl_2016")`.

    Raises CannotAnswer where season or model are missing. Safe to use from several threads.
    """

    def __init__(self, **settings: Any) -> None:
        if unknown := sorted(settings.keys() - Settings.model_fields.keys()):
            raise TypeError(f"no setting {', '.join(unknown)}: `python -m serve.settings` prints those there are")
        self.settings = Settings(**settings)
        self._telemetry = Telemetry(self.settings)
        self._service = Service(self.settings, self._telemetry)
        self._watching: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cricket", daemon=True)
        self._thread.start()
        atexit.register(self.close)
        self.new_conversation()
        try:
            self._seasons: Seasons = self._run(self._start())
        except BaseException:
            self.close()
            raise

    def ask(self, question: str, season: str | None = None) -> Reply:
        """Answer, ask back or decline; `season` is a name that `seasons()` has. Raises DataError for another one."""

        async def answered() -> Reply:
            loaded = await self._seasons.loaded(season)
            return await loaded.agents.ask(question, self._conversation, self.settings.deadline_s)

        return self._run(answered())

    def query(self, line: str, season: str | None = None) -> Reply:
        """The tables of a query line, without the model. Raises QueryError."""
        tables = self._run(self._seasons.compute(line, season))
        return Reply("", "answered", line, tuple(tables))

    def seasons(self) -> list[str]:
        """The seasons that can be asked about."""
        return [season.name for season in self._seasons.listed()]

    def new_conversation(self) -> None:
        """Begin anew: the next question is not read as a follow-up."""
        self._conversation = uuid.uuid4().hex

    def close(self) -> None:
        """Free the model. Nothing can be asked afterwards."""
        atexit.unregister(self.close)
        if not self._loop.is_closed():
            self._run(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._telemetry.close()
            # The season's database goes with its last reference: none may outlive the interpreter's own end.
            self._service.loaded = self._service.retriever = None
            self.__dict__.pop("_seasons", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _start(self) -> Seasons:
        service = self._service
        await service.start()
        while not service.state.ready:
            if service.failed or service.retrying:
                raise CannotAnswer(service.state.reason)
            await asyncio.sleep(0.02)
        seasons = Seasons(service)
        self._watching = asyncio.create_task(reload(service, seasons))
        return seasons

    async def _stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        await self._service.stop()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the loop of the model, from any thread, also from a notebook that has a loop of its own."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
