"""The seasons that can be asked about: the service's own, and others, loaded when somebody first asks about them.

The model reads placeholders instead of names, so that it answers about a season that it was not trained on.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from agents.multi_agent import MultiAgent
from agents.retriever import RetrieverAgent
from data import season as stored
from data.ask import ask
from data.errors import SeasonError, SeasonNotFound
from data.query import StatTable
from serve.service import Loaded, Service

CAPACITY = 3  # other seasons kept in memory: about 35 MB each, 170 MB for all seasons of a league together


@dataclass(frozen=True)
class SeasonInfo:
    """A season or a collection of seasons that questions can name as `season`."""

    name: str
    title: str
    years: tuple[int, ...]
    matches: int
    default: bool


class Seasons:
    """Loads and keeps seasons beside the service's own. Its methods are called on the event loop."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._agents: OrderedDict[str, MultiAgent] = OrderedDict()
        self._loading = asyncio.Lock()
        self._listed: list[SeasonInfo] | None = None

    def listed(self) -> list[SeasonInfo]:
        """Every season there is, collections first."""
        if self._listed is None:
            self._listed = list(self._read().values())
        return self._listed

    def _read(self) -> dict[str, SeasonInfo]:
        """What can be read of the stored seasons; of one that no longer can, what it was before or is in memory."""
        own, before = self._service.settings.season, {info.name: info for info in self._listed or ()}
        for name in self.kept():
            retriever = self.retriever_of(name)
            season, matches = retriever.season, len(retriever.statistics.matches)
            before.setdefault(name, SeasonInfo(name, season.title, season.years, matches, name == own))
        found = {}
        for name in stored.seasons():
            try:
                a = stored.about(name)
                found[name] = SeasonInfo(name, a.title, tuple(a.years), a.matches, name == own)
            except SeasonError:
                if name in before:
                    found[name] = before[name]
        return found

    async def loaded(self, name: str | None) -> Loaded:
        """What answers questions about the season, the service's own for None. Raises NotReady or SeasonNotFound."""
        loaded = self._service.ready()
        if name in (None, loaded.agents.season.name):
            return loaded
        return replace(loaded, agents=await self._other(loaded, name))

    async def compute(self, line: str, name: str | None) -> list[StatTable]:
        """The tables of a query line over that season. Raises NotReady, QueryError or SeasonNotFound."""
        return await asyncio.to_thread(await self.computing(name), line)

    async def computing(self, name: str | None) -> Callable[[str], list[StatTable]]:
        """What computes query lines over that season, in any thread. Raises NotReady or SeasonNotFound."""
        if name in (None, self._service.settings.season):
            return self._service.compute
        retriever = (await self.loaded(name)).agents.retriever
        return lambda line: ask(line, retriever.statistics, retriever.names)

    def digest(self, name: str | None) -> str:
        """The digest of the rows that a query line is computed from; empty where there is no such season."""
        name = name or self._service.settings.season
        if name in self.kept():
            return self.retriever_of(name).season.digest
        return stored.about(name).digest if name in (season.name for season in self.listed()) else ""

    # -- for serve/reload.py

    def kept(self) -> list[str]:
        """The seasons in memory, the service's own first."""
        return [self._service.settings.season] * (self._service.retriever is not None) + list(self._agents)

    def retriever_of(self, name: str) -> RetrieverAgent:
        """What computes over a season that is kept."""
        own = self._service.retriever
        return own if own is not None and name == self._service.settings.season else self._agents[name].retriever

    def put(self, name: str, retriever: RetrieverAgent) -> None:
        """Let this answer from now on. A question that is under way keeps what it began with."""
        if name == self._service.settings.season:
            self._service.put(retriever)
        elif name in self._agents:
            self._agents[name] = self._agents[name].over(retriever)

    def forget(self, name: str) -> bool:
        """No longer keep a season that is not the service's own; whether it was kept."""
        return self._agents.pop(name, None) is not None

    def list_again(self) -> None:
        """Read anew what seasons there are."""
        self._listed = list(self._read().values())

    async def _other(self, loaded: Loaded, name: str) -> MultiAgent:
        if name not in (there := [season.name for season in self.listed()]):
            raise SeasonNotFound(f"no season {name!r} here; there are: {', '.join(there)}")
        async with self._loading:
            if name not in self._agents:
                lexicon = loaded.agents.retriever.lexicon
                season = await asyncio.to_thread(stored.load, name)
                retriever = await asyncio.to_thread(RetrieverAgent, season, None, lexicon)
                await asyncio.to_thread(self._service.know, retriever)
                self._agents[name] = MultiAgent(season, loaded.model, retriever)
            self._agents.move_to_end(name)
            while len(self._agents) > CAPACITY:
                self._agents.popitem(last=False)
            return self._agents[name]
