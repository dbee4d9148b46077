"""The service as an MCP server: tools ask, query, seasons and players, the query language and the data card to read.

mcp = server(service, Seasons(service))     # served at /mcp (serve/api/mcp_http.py) and by `python -m serve.mcp`
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

from fastapi import Request
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from data.query.documentation import text as language
from data.season import SEASONS
from data.version import version
from serve.api.formats import markdown_of
from serve.api.infer import answer_events, whole
from serve.api.problems import problem_of
from serve.api.schemas import Answer, Id, Question, SeasonList, Stats, Text, season_of
from serve.api.stats import StatsPool
from serve.seasons import Seasons
from serve.service import Service

MAX_PLAYERS = 100
INSTRUCTIONS = """Figures about cricket seasons (IPL), computed from ball-by-ball records and never guessed. `ask` takes
a question in plain English; `query` takes a line of the query language for exact control. A reply says whether it
answered, asked back (which of several people is meant) or declined (what the records do not hold). `suggestions` of a
declined reply are lines for `query`: something near that can be computed, but not what was asked."""
QueryText = Annotated[Text, Field(examples=["runs by batter | phase=death | top 3"])]
SeasonName = Annotated[Id | None, Field(description="a name that `seasons` lists; without one the service's own")]
T = TypeVar("T")


class Player(BaseModel):
    name: str
    full_name: str
    teams: list[str]
    years: list[int] = Field(description="seasons played in, of those loaded")


class PlayerList(BaseModel):
    season: str
    players: list[Player]
    more: int = Field(description="how many more fit; narrow the search to see them")


def server(service: Service, seasons: Seasons, pool: StatsPool) -> MCPServer[Any]:
    """The MCP server over one service."""
    mcp = _without_its_logging()
    reads = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

    @mcp.tool(title="Ask a question", annotations=reads)
    async def ask(
        question: Annotated[Text, Field(examples=["bumrah economy at the death?"])],
        ctx: Context[Any, Any],
        season: SeasonName = None,
        conversation_id: Annotated[
            str | None,
            Field(pattern=r"^[A-Za-z0-9_.:-]{1,64}$", description="of an earlier reply: makes this a follow-up"),
        ] = None,
    ) -> Annotated[CallToolResult, Answer]:
        """Answer a cricket question in plain English with computed figures: a sentence, its table, the query line."""
        asked = Question(question=question, conversation_id=conversation_id, season=season)

        async def answered() -> Answer:
            loaded = await seasons.loaded(season)
            leave = service.admit()
            try:
                return await whole(answer_events(service, loaded, asked, _request(ctx)))
            finally:
                leave()

        answer = await _told(answered())
        return _result(markdown_of(answer.answer, answer.tables, answer.query, answer.suggestions), answer)

    @mcp.tool(title="Compute a query line", annotations=reads, description=_query_description())
    async def query(line: QueryText, season: SeasonName = None) -> Annotated[CallToolResult, Stats]:
        stats = await _told(pool.stats(line, season))
        return _result(markdown_of(None, stats.tables, stats.query), stats)

    @mcp.tool(name="seasons", title="List seasons", annotations=reads)
    async def list_seasons() -> Annotated[CallToolResult, SeasonList]:
        """The seasons that questions can be about, and which one is meant where none is named."""
        found = [season_of(s) for s in seasons.listed()]
        lines = [f"- {s.name}: {s.title}, {s.matches} matches{' (default)' if s.default else ''}" for s in found]
        return _result("\n".join(lines), SeasonList(seasons=found))

    @mcp.tool(title="Find players", annotations=reads)
    async def players(
        name: Annotated[str | None, Field(max_length=64, description="a part of the name")] = None,
        team: Annotated[str | None, Field(max_length=64, description="a part of the team's name")] = None,
        season: SeasonName = None,
    ) -> Annotated[CallToolResult, PlayerList]:
        """Who played in a season, by a part of the name or of the team, as the query language spells them."""
        agents = (await _told(seasons.loaded(season))).agents
        fitting = [
            Player(name=p.display, full_name=p.full_name, teams=list(p.teams), years=list(p.seasons))
            for p in sorted(agents.retriever.names.roster.players, key=lambda p: p.display)
            if p.career
            and (name or "").lower() in f"{p.display} {p.full_name}".lower()
            and any((team or "").lower() in side.lower() for side in p.teams)
        ]
        found = PlayerList(
            season=agents.season.name, players=fitting[:MAX_PLAYERS], more=max(0, len(fitting) - MAX_PLAYERS)
        )
        lines = [f"- {p.name} ({', '.join(p.teams)})" for p in found.players] or ["nobody"]
        return _result("\n".join(lines + [f"and {found.more} more"] * bool(found.more)), found)

    @mcp.resource("cricket://language", title="The query language", mime_type="text/markdown")
    def query_language() -> str:
        """Measures, dimensions, filters and clauses of a query line."""
        return language()

    @mcp.resource("cricket://data-card", title="The data card", mime_type="text/markdown")
    def data_card() -> str:
        """Where the records come from, their licence, and what was made from them."""
        card = SEASONS / service.settings.season / "qa" / "DATA_CARD.md"
        return (card if card.is_file() else SEASONS / "README.md").read_text(encoding="utf-8")

    return mcp


def _without_its_logging() -> MCPServer[Any]:
    """The SDK's server. Its constructor gives the root logger a handler, which is this program's to do."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        return MCPServer(
            "cricket-inference",
            title="Cricket inference",
            instructions=INSTRUCTIONS,
            version=version(),
            subscriptions=False,
        )
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _query_description() -> str:
    return f"Compute the tables of a query line, such as `runs by batter | phase=death | top 3`.\n\n{language()}"


async def _told(result: Awaitable[T]) -> T:
    """The result; what the service refuses or cannot do becomes the tool's error, with what to do about it."""
    try:
        return await result
    except Exception as error:
        problem = problem_of(error)
        if problem.status == 500:
            raise
        raise ToolError(problem.detail) from error


def _result(text: str, structured: BaseModel) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured.model_dump(mode="json")
    )


def _request(ctx: Context[Any, Any]) -> Request:
    """The HTTP request that the call came with; over stdio one of its own."""
    request = ctx.request_context.request
    if isinstance(request, Request):
        return request
    return Request(
        {"type": "http", "headers": [], "request_id": uuid.uuid4().hex, "log_fields": {}, "state": {"owner": ""}}
    )
