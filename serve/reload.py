"""Replaces what answers about a season when its stored tables change, without a restart.

    task = asyncio.create_task(reload(service, seasons))        # until it is cancelled

Every few seconds the folder of the seasons is looked at, with a few calls of stat. What changed, and rested for one
look, is loaded beside what is served and takes its place in one step: a question that is under way keeps the season it
began with, conversations go on. What cannot be loaded is logged once, and what was served before stays.
"""

from __future__ import annotations

import asyncio
import logging

from agents.retriever import RetrieverAgent
from data import season as stored
from data.errors import SeasonNotFound
from data.season import store
from serve.seasons import Seasons
from serve.service import Service

log = logging.getLogger(__name__)

LOOK_S = 3.0
LOOKS_TO_RETRY = 20  # after a failure that no change of the folder announces the end of, such as a slow copy


async def reload(service: Service, seasons: Seasons) -> None:
    """Watch the stored seasons for as long as the task runs."""
    watch = _Watch(service, seasons)
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            await watch.look()
        except Exception:
            log.exception("the stored seasons could not be looked at")


class _Watch:
    def __init__(self, service: Service, seasons: Seasons) -> None:
        self._service, self._seasons = service, seasons
        self._seen: object = None  # the state of the folder at the last look
        self._done: object = None  # the state for which everything was renewed, or tried
        self._failed = False
        self._looks = 0  # since then
        self._warned: dict[str, str] = {}

    async def look(self) -> None:
        """Renew what changed, once the folder is the same as at the look before."""
        state = await asyncio.to_thread(store.state)
        rests, self._seen = state == self._seen, state
        self._looks += 1
        due = state != self._done or (self._failed and self._looks >= LOOKS_TO_RETRY)
        if self._service.loaded is None or not (rests and due):
            return
        renewed = [await self._renew(name) for name in self._seasons.kept()]
        self._failed, self._looks, self._done = not all(renewed), 0, state
        self._seasons.list_again()

    async def _renew(self, name: str) -> bool:
        """Load the season anew if its digest is another one. False where that failed."""
        retriever = self._seasons.retriever_of(name)
        found: list[RetrieverAgent] = []

        def load() -> None:
            if stored.about(name).digest != retriever.season.digest:
                newer = RetrieverAgent(stored.load(name), None, retriever.lexicon)
                self._service.know(newer)
                found.append(newer)

        try:
            await self._service.in_thread("season", load)
        except Exception as error:
            if isinstance(error, SeasonNotFound) and self._seasons.forget(name):
                return True
            if self._warned.get(name) != str(error):
                log.warning("%s is served as it was before, since it cannot be loaded anew: %s", name, error)
            self._warned[name] = str(error)
            return False
        self._warned.pop(name, None)
        if found:
            before = retriever.season.title
            self._seasons.put(name, found[0])
            log.info("%s was loaded anew: %s in place of %s", name, found[0].season.title, before)
        return True
