"""A model server that is not to be trusted: nothing false, foreign or secret that it sends reaches a client."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from agents.messages import Reply
from agents.multi_agent import MultiAgent
from agents.openai_client import OpenAIModel, ServerBusy, ServerError
from agents.retriever import RetrieverAgent
from agents.verifier import missing
from data.query import parse
from data.season import load
from data.wording.sentence import sentence
from data.wording.sheet import sheet

SECRET = "sk-live-0123456789abcdef"


class HostileServer:
    """An OpenAI-compatible server that sends what a test says. `plan` answers the first call, `answer` the second."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                status, headers, body = outer.replies.pop(0) if len(outer.replies) > 1 else outer.replies[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:  # the client had enough
                    pass

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://user:{SECRET}@127.0.0.1:{self.port}/v1"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def sends(self, *bodies: bytes) -> None:
        self.replies = [(200, {}, body) for body in bodies]


@pytest.fixture(scope="module")
def hostile() -> Iterator[HostileServer]:
    server = HostileServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture(scope="module")
def retriever() -> RetrieverAgent:
    return RetrieverAgent(load("ipl_2024"))


def events(text: str, finish: str | None = "stop", **more: Any) -> bytes:
    chunk = {"choices": [{"delta": {"content": text}, "finish_reason": finish}], **more}
    return f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()


def asked(retriever: RetrieverAgent, server: HostileServer, question: str) -> Reply:
    async def ask() -> Reply:
        model = OpenAIModel(server.url, "m", SECRET)
        try:
            return await MultiAgent(retriever.season, model, retriever).ask(question, deadline_s=20)
        finally:
            await model.aclose()

    return asyncio.run(ask())


def generated(server: HostileServer) -> Any:
    async def generate() -> Any:
        model = OpenAIModel(server.url, "m", SECRET)
        try:
            return await model.generate([{"role": "user", "content": "x"}], deadline_s=20)
        finally:
            await model.aclose()

    return asyncio.run(generate())


def ranked(line: str, retriever: RetrieverAgent) -> tuple[Any, Any]:
    tables = [retriever.statistics.answer(query) for query in parse(line).queries]
    return tables, sheet(tables)


@pytest.mark.parametrize(
    "said",
    [
        "A1 scored the most runs: B1 off C1 balls in D1 innings, Rohit Sharma scored 999 runs.",
        "A1 scored the most runs: B1 off C1 balls in D1 innings <script>alert(1)</script>.",
        "A1 scored the most runs: B1 off C1 balls in D1 innings, see https://example.com/x.",
        "A1 scored the most runs: B1 off C1 balls in D1 innings. It was fixed.",
        "A1 scored the most runs: B1 off C1 balls in D1 innings, 999.",
        "A1 scored the fewest runs: B1 off C1 balls in D1 innings.",
        "B1: A1 runs.",
        "A1: B1 runs, Q7.",
        "A1: B1 runs, P9.",
    ],
)
def test_a_sentence_with_a_name_numeral_word_mark_or_cell_of_its_own_is_refused(
    retriever: RetrieverAgent, said: str
) -> None:
    line = "runs by batter | top 1"
    tables, laid = ranked(line, retriever)
    plain = sentence(tables, laid)
    assert missing(plain, tables, laid, line) == ""
    assert missing(said, tables, laid, line) != ""


def test_figures_exchanged_between_the_rows_of_a_table_are_refused(retriever: RetrieverAgent) -> None:
    line = "runs by batter | top 2"
    tables, laid = ranked(line, retriever)
    right = sentence(tables, laid)
    wrong = right.replace("B1", "B0").replace("B2", "B1").replace("B0", "B2")
    assert right != wrong and missing(right, tables, laid, line) == ""
    assert "no order" in missing(wrong, tables, laid, line)


def test_a_sentence_about_nothing_may_not_lose_its_no(retriever: RetrieverAgent) -> None:
    line = "hundreds by batter | phase=death | having runs>=900"
    tables, laid = ranked(line, retriever)
    right = sentence(tables, laid)
    assert not any(laid.rows) and missing(right, tables, laid, line) == ""
    assert missing(right.replace(" no ", " "), tables, laid, line) != ""
    assert missing("", tables, laid, line) != ""


@pytest.mark.parametrize(
    "said",
    [
        "A1 scored B1 runs, Rohit Sharma scored 999 runs.",
        "A9 scored B1 runs.",
        "<b>A1</b>: B1 runs.",
        "",
        "P7 scored X9 runs.",
    ],
)
def test_what_a_server_invents_is_replaced_by_the_plain_sentence(
    retriever: RetrieverAgent, hostile: HostileServer, said: str
) -> None:
    hostile.sends(events("runs by batter | top 1"), events(said))
    reply = asked(retriever, hostile, "Who scored the most runs?")
    assert (reply.outcome, reply.worded_by) == ("answered", "plain")
    assert "741" in reply.answer and "999" not in reply.answer and "<" not in reply.answer


JUNK = {
    "no JSON": b"data: {{{\n\n",
    "a list": b"data: [1]\n\n",
    "choices of another type": b'data: {"choices": {"a": 1}}\n\n',
    "a choice that is a number": b'data: {"choices": [7]}\n\n',
    "content of another type": b'data: {"choices": [{"delta": {"content": {"x": 1}}}]}\n\n',
    "bytes that are no text": b"data: \xff\xfe\xfd\n\n",
    "deep nesting": b"data: " + b"[" * 60_000 + b"\n\n",
    "an endless line": b"data: " + b"x" * 6_000_000,
    "an endless stream": b": ping\n" * 900_000,
    "an empty stream": b"",
    "a web page": b"<html><body>It works</body></html>",
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK)
def test_a_stream_that_makes_no_sense_is_a_fallback_answer(
    retriever: RetrieverAgent, hostile: HostileServer, junk: bytes
) -> None:
    hostile.sends(events("runs by batter | top 1"), junk)
    reply = asked(retriever, hostile, "Who scored the most runs?")
    assert (reply.outcome, reply.worded_by) == ("answered", "plain") and "741" in reply.answer
    hostile.sends(junk)
    reply = asked(retriever, hostile, "Who scored the most runs?")
    assert (reply.outcome, reply.reason) == ("declined", "no_plan")


def test_a_text_that_was_cut_off_is_not_taken_for_a_whole_one(hostile: HostileServer) -> None:
    hostile.sends(events("A1 scored", finish=None))
    assert generated(hostile).finish_reason == "length"


def test_token_counts_that_are_none_are_not_taken_over(hostile: HostileServer) -> None:
    usage = {"prompt_tokens": "many", "completion_tokens": -5, "prompt_tokens_details": [1]}
    hostile.sends(events("x", usage=usage))
    generation = generated(hostile)
    assert (generation.prompt_tokens, generation.completion_tokens, generation.cached_tokens) == (0, 1, 0)


def test_errors_repeat_neither_the_server_nor_its_words_nor_the_key(
    hostile: HostileServer, caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps({"error": {"message": f"wrong key {SECRET} for tenant acme"}}).encode()
    with caplog.at_level(logging.WARNING, "agents"):
        for status, kind in ((401, ServerError), (404, ServerError), (500, ServerError), (429, ServerBusy)):
            hostile.replies = [(status, {"Retry-After": "9" * 400}, body)]
            with pytest.raises(kind) as caught:
                generated(hostile)
            said = str(caught.value)
            assert str(status) in said and not any(x in said for x in (SECRET, "acme", "127.0.0.1"))
            if isinstance(caught.value, ServerBusy):
                assert caught.value.retry_after_s <= 600
    assert "acme" in caplog.text and SECRET not in caplog.text
    hostile.sends(f'data: {{"error": "{SECRET}"}}\n\n'.encode())
    with pytest.raises(ServerError) as failed:
        generated(hostile)
    assert SECRET not in str(failed.value)
