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
from data.errors import SeasonNotFound
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
            own = self._service.settings.season
            abouts = [stored.about(name) for name in stored.seasons()]
            self._listed = [SeasonInfo(a.name, a.title, tuple(a.years), a.matches, a.name == own) for a in abouts]
        return self._listed

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
