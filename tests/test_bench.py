"""The benchmark's client: every request is sent once, every reply read whole, and a server that ends is no hang."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from serve.bench_servers import LLAMA_SERVER, Connection, ask_all
from serve.bench_traffic import Ask


async def asked(asks, clients, answer, pieces=1):
    """Ask a server that answers with what `answer` makes of a body, sent in `pieces`; None: it hangs up."""
    loop = asyncio.get_running_loop()
    bodies = []

    def received(connection: Connection, head: bytes, body: bytes) -> None:
        assert head.startswith(b"POST /completion HTTP/1.1\r\n")
        bodies.append(json.loads(body))
        reply = answer(bodies[-1])
        if reply is None:
            connection.close()
            return
        data = json.dumps(reply).encode()
        data = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nX: y\r\n\r\n" % len(data) + data
        size = len(data) // pieces + 1
        for i in range(pieces):
            loop.call_later(0.002 * i, connection.send, data[i * size : (i + 1) * size])

    server = await loop.create_server(lambda: Connection(received), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    there = SimpleNamespace(name="the server", port=port, dialect=LLAMA_SERVER)
    try:
        return await asyncio.wait_for(ask_all(there, asks, clients, True), 10), bodies
    finally:
        server.close()


@pytest.mark.parametrize(("clients", "pieces"), [(1, 1), (3, 4), (16, 2)])
def test_texts_come_back_in_the_order_of_the_requests(clients, pieces):
    asks = [Ask([i, 7], 3, grammar='root ::= "a"' if i % 2 else None) for i in range(20)]
    (seconds, made, texts), bodies = asyncio.run(
        asked(asks, clients, lambda body: {"content": f"é{body['prompt'][0]}", "tokens_predicted": 2}, pieces)
    )
    assert texts == [f"é{i}" for i in range(20)] and made == 40 and 0 < seconds < 10
    assert sorted(body["prompt"][0] for body in bodies) == list(range(20))
    assert all(body["ignore_eos"] and ("grammar" in body) == body["prompt"][0] % 2 for body in bodies)


def test_a_server_that_hangs_up_is_an_error():
    with pytest.raises(ConnectionError, match="the server hung up"):
        asyncio.run(
            asked(
                [Ask([i], 1) for i in range(5)],
                2,
                lambda body: None if body["prompt"] == [3] else {"content": "", "tokens_predicted": 0},
            )
        )
