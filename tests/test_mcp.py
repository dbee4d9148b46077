"""The MCP server, by the SDK's own client: over HTTP with keys, and over standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.conftest import ROOT, Host, InProcess

T = TypeVar("T")
MOST_RUNS = {"question": "Who scored the most runs?"}


@pytest.fixture(scope="module")
def served(host: Host, demo_model: Path) -> InProcess:
    found = host(model_path=demo_model, api_keys="the-key")
    found.wait_ready()
    return found


def with_client(served: InProcess, work: Callable[[Client], Awaitable[T]], **headers: str) -> T:
    async def run() -> T:
        sent = {"Authorization": "Bearer the-key"} | headers
        async with httpx2.AsyncClient(headers=sent, timeout=60, trust_env=False) as http:
            async with Client(streamable_http_client(f"{served.url}/mcp", http_client=http)) as client:
                return await work(client)

    return asyncio.run(run())


def infer(served: InProcess, body: dict[str, Any]) -> dict[str, Any]:
    with served.client(headers={"Authorization": "Bearer the-key"}) as http:
        reply: dict[str, Any] = http.post("/infer", json=body).json()
        return reply


def test_the_tools_say_what_they_take_and_give_as_json_schemas(served: InProcess) -> None:
    found = with_client(served, lambda client: client.list_tools())
    tools = {tool.name: tool for tool in found.tools}
    assert set(tools) == {"ask", "query", "seasons", "players"}
    assert tools["ask"].input_schema["required"] == ["question"]
    assert tools["ask"].input_schema["properties"]["question"]["maxLength"] == 500
    assert "tables" in tools["query"].output_schema["properties"]
    assert "strike_rate" in tools["query"].description and "having" in tools["query"].description
    assert all(tool.annotations.read_only_hint for tool in found.tools)


def test_ask_gives_the_answer_of_infer_as_text_and_as_structure(served: InProcess) -> None:
    expected = infer(served, MOST_RUNS)
    result = with_client(served, lambda client: client.call_tool("ask", MOST_RUNS))
    assert not result.is_error
    assert {k: result.structured_content[k] for k in ("answer", "query", "tables", "outcome")} == {
        k: expected[k] for k in ("answer", "query", "tables", "outcome")
    }
    assert result.content[0].text.startswith(expected["answer"].split("|")[0])


def test_a_query_line_is_computed_over_any_season(served: InProcess) -> None:
    async def ask(client: Client) -> list[Any]:
        line = {"line": "runs by batter | top 1"}
        return [await client.call_tool("query", line), await client.call_tool("query", line | {"season": "ipl_2016"})]

    own, other = with_client(served, ask)
    assert own.structured_content["tables"][0]["rows"][0][:2] == ["Virat Kohli", 741]
    assert other.structured_content["tables"][0]["rows"][0][:2] == ["Virat Kohli", 973]
    assert "| Virat Kohli | 741 |" in own.content[0].text


def test_seasons_and_players_are_found(served: InProcess) -> None:
    async def ask(client: Client) -> list[Any]:
        return [
            await client.call_tool("seasons", {}),
            await client.call_tool("players", {"name": "pandya"}),
            await client.call_tool("players", {"team": "gujarat"}),
        ]

    seasons, pandyas, titans = with_client(served, ask)
    listed = {s["name"]: s for s in seasons.structured_content["seasons"]}
    assert listed["ipl_2024"]["default"] and listed["ipl_2016"]["matches"] == 60
    assert [p["name"] for p in pandyas.structured_content["players"]] == ["Hardik Pandya", "Krunal Pandya"]
    assert "Shubman Gill" in [p["name"] for p in titans.structured_content["players"]]


def test_the_language_and_the_data_card_can_be_read(served: InProcess) -> None:
    async def read(client: Client) -> tuple[set[str], list[str]]:
        there = {str(resource.uri) for resource in (await client.list_resources()).resources}
        return there, [(await client.read_resource(uri)).contents[0].text for uri in sorted(there)]

    there, (card, language) = with_client(served, read)
    assert there == {"cricket://data-card", "cricket://language"}
    assert "Cricsheet" in card and "## Measures" in language


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("query", {"line": "runz by batter"}, "did you mean runs"),
        ("query", {"line": "runs", "season": "ipl_1999"}, "no season"),
        ("ask", {"question": "   "}, "question"),
        ("ask", {}, "question"),
        ("ask", {"question": "x", "conversation_id": "a b"}, "conversation_id"),
    ],
)
def test_what_a_tool_refuses_is_an_error_of_the_protocol_that_says_why(
    served: InProcess, tool: str, arguments: dict[str, Any], said: str
) -> None:
    result = with_client(served, lambda client: client.call_tool(tool, arguments))
    assert result.is_error and said in result.content[0].text
    assert "Traceback" not in result.content[0].text


def test_malformed_calls_get_json_rpc_errors(served: InProcess) -> None:
    async def read(client: Client) -> None:
        with pytest.raises(MCPError, match="Unknown resource"):
            await client.read_resource("cricket://nothing")

    with_client(served, read)
    headers = {
        "Authorization": "Bearer the-key",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    with served.client(headers=headers) as http:
        for body in (b"{", b'{"jsonrpc": "2.0", "id": 1}', b"[]"):
            response = http.post("/mcp", content=body)
            assert response.status_code == 400 and response.json()["error"]["code"] < -32000, response.text


def test_a_call_needs_a_key_and_a_page_of_another_origin_is_refused(served: InProcess) -> None:
    with served.client() as http:
        response = http.post("/mcp", json={})
        assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
        headers = {"Authorization": "Bearer the-key", "Origin": "https://elsewhere.example"}
        assert http.post("/mcp", json={}, headers=headers).status_code == 403


def test_a_conversation_goes_on_by_its_id_as_over_infer(served: InProcess) -> None:
    questions = ("How many wickets did Jasprit Bumrah take?", "and his economy?")
    first = infer(served, {"question": questions[0]})
    expected = infer(served, {"question": questions[1], "conversation_id": first["conversation_id"]})

    async def ask(client: Client) -> Any:
        began = await client.call_tool("ask", {"question": questions[0]})
        conversation = began.structured_content["conversation_id"]
        return await client.call_tool("ask", {"question": questions[1], "conversation_id": conversation})

    reply = with_client(served, ask).structured_content
    assert (reply["query"], reply["answer"]) == (expected["query"], expected["answer"])


def test_the_server_runs_over_standard_input_and_output(demo_model: Path) -> None:
    environment = {"MODEL_PATH": str(demo_model), "N_THREADS": "1", "N_THREADS_BATCH": "1", "PATH": os.environ["PATH"]}
    command = StdioServerParameters(command=sys.executable, args=["-m", "serve.mcp"], env=environment, cwd=str(ROOT))

    async def run() -> tuple[Any, Any]:
        async with Client(command) as client:
            line = {"line": "wickets by bowler | top 1"}
            return await client.call_tool("query", line), await client.call_tool("ask", MOST_RUNS)

    query, ask = asyncio.run(run())
    assert query.structured_content["tables"][0]["rows"][0][:2] == ["Harshal Patel", 24]
    assert not ask.is_error and ask.structured_content["answer"]
