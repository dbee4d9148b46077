"""The engine benchmark's client and its ratios: `python -m pytest tests/test_bench.py`."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from serve.bench import engine
from serve.bench.servers import LLAMA_SERVER, Connection, send_all
from serve.bench.traffic import BenchRequest


async def exchange(requests, clients, answer, pieces=1):
    """Send requests to a server that replies `answer(body)` in so many pieces, or closes the connection if None."""
    loop = asyncio.get_running_loop()
    bodies, connections = [], []

    def accept() -> Connection:
        connections.append(Connection(received))
        return connections[-1]

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

    server = await loop.create_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = SimpleNamespace(name="the server", port=port, api=LLAMA_SERVER)
    try:
        return await asyncio.wait_for(send_all(address, requests, clients, True), 10), bodies
    finally:
        server.close()
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(("clients", "pieces"), [(1, 1), (3, 4), (16, 2)])
def test_texts_come_back_in_the_order_of_the_requests(clients, pieces):
    requests = [BenchRequest([i, 7], 3, grammar='root ::= "a"' if i % 2 else None) for i in range(20)]
    (seconds, n_tokens, texts), bodies = asyncio.run(
        exchange(requests, clients, lambda body: {"content": f"é{body['prompt'][0]}", "tokens_predicted": 2}, pieces)
    )
    assert texts == [f"é{i}" for i in range(20)] and n_tokens == 40 and 0 < seconds < 10
    assert sorted(body["prompt"][0] for body in bodies) == list(range(20))
    assert all(body["ignore_eos"] and ("grammar" in body) == body["prompt"][0] % 2 for body in bodies)


def test_a_closed_connection_is_an_error():
    with pytest.raises(ConnectionError, match="the server closed a connection"):
        asyncio.run(
            exchange(
                [BenchRequest([i], 1) for i in range(5)],
                2,
                lambda body: None if body["prompt"] == [3] else {"content": "", "tokens_predicted": 0},
            )
        )


class TimedServer:
    """A server with a given duration for each round, whose totals follow from the number of rounds."""

    def __init__(self, name, seconds, text):
        self.name, self.seconds, self.text, self.rounds = name, list(seconds), text, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert not self.seconds, "as many rounds as expected"

    def health(self):
        n = self.rounds
        tokens = ("prompt", "completion", "cached", "forced", "accepted")
        return {f"{name}_tokens": 10 * n for name in tokens} | {"busy_s": n * n, "native_s": n, "ready_s": 0.5}


def test_a_ratio_is_the_median_over_paired_rounds_of_two_processes_without_warm_ups(monkeypatch):
    async def send_all(server, requests, clients, ignore_eos):
        assert clients == 3 and not ignore_eos
        order.append(server.name)
        server.rounds += 1
        return server.seconds.pop(0), 7, [server.text] * len(requests)

    monkeypatch.setattr(engine, "send_all", send_all)
    order, seeds = [], []
    own = iter([[9, 1, 2], [9, 4, 1]])
    other = iter([[9, 2, 2], [9, 8, 4]])

    def start():
        return [
            TimedServer("ours", next(own), "a"),
            TimedServer("slow", [50, 50, 50], "c"),
            TimedServer("fast", next(other), "a"),
        ]

    def make(n, seed):
        seeds.append(seed)
        return [None] * n

    result = engine.compare(start, "recorded", make, clients=3, rounds=4, per_round=8)
    assert result["ours"] == 6 and result["slow"] == 8 / 50 and result["fast"] == 3
    assert result["ratio"] == 2 and result["same_text"] == 1  # 2, 1, 2 and 4 times as fast
    assert result["overhead"] == 0.75  # of rounds 2 and 3: 2 of 9 - 1 seconds, in either process
    assert result["forced"] == result["accepted"] == result["cached"] == 1 and result["ready_s"] == 0.5
    assert order == 2 * ["fast", "slow", "ours", "ours", "slow", "fast", "fast", "slow", "ours"]
    assert len(set(seeds)) == len(seeds) == 6  # no two rounds have the same requests
