"""What the ways in add to an answer: the MCP tool `ask` beside /infer, and until when the web page can be used.

    python -m serve.bench.entrances                             starts a service on models/demo
    python -m serve.bench.entrances --url http://localhost:8000

The same questions go by MCP and by /infer in turn, over one connection each. The page is loaded into Chromium, each
time with an empty cache; it can be used when its scripts have run (the browser's own domContentLoadedEventEnd).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from mcp import Client

from serve.bench.infer import quantile, question, service

TIMING = "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"


async def mcp_and_infer(url: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of `count` questions by MCP and by /infer. Raises RuntimeError where one is not answered."""
    rng = random.Random(0)
    by_mcp: list[float] = []
    by_infer: list[float] = []

    async def timed(times: list[float], ask: Callable[[], Awaitable[bool]]) -> None:
        began = time.perf_counter()
        answered = await ask()
        times.append((time.perf_counter() - began) * 1000)
        if not answered:
            raise RuntimeError(f"{url} did not answer")

    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http, Client(f"{url}/mcp") as client:
        for i in range(-5, count):
            body = {"question": question(rng)}

            async def infer(body: dict[str, str] = body) -> bool:
                return (await http.post("/infer", json=body)).status_code == 200

            async def tool(body: dict[str, str] = body) -> bool:
                return not (await client.call_tool("ask", dict(body))).is_error

            # the one that comes second finds the question's prompt in the cache: they take turns
            for times, ask in [(by_infer, infer), (by_mcp, tool)][:: 1 if i % 2 else -1]:
                await timed(times, ask)
    return by_mcp[5:], by_infer[5:]  # the first ones fill caches


def page_ms(url: str, count: int) -> list[float]:
    """Milliseconds until the page can be used, of `count` loads. Raises SystemExit where there is no browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise SystemExit("the page needs playwright: pip install -r requirements-dev.txt") from None
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise SystemExit("the page needs Chromium: apt-get install chromium")
    found = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(count + 1):
            context = browser.new_context()
            page = context.new_page()
            page.goto(url, wait_until="domcontentloaded")
            found.append(float(page.evaluate(TIMING)))
            context.close()
        browser.close()
    return found[1:]  # the first one starts the browser's processes


def report(url: str, questions: int, loads: int) -> None:
    """Measure and print."""
    by_mcp, by_infer = asyncio.run(mcp_and_infer(url, questions))
    print(f"{'milliseconds':14}  {'p50':>7}  {'p95':>7}")
    rows = [("/infer", by_infer), ("MCP ask", by_mcp)] + ([("page", page_ms(url, loads))] if loads else [])
    for name, times in rows:
        print(f"{name:14}  {quantile(times, 0.5):7.1f}  {quantile(times, 0.95):7.1f}")
    print(f"\nMCP adds {statistics.median(by_mcp) - statistics.median(by_infer):.1f} ms at the median")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--model", type=Path, default=Path("models/demo"))
    where.add_argument("--url")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--loads", type=int, default=20, help="of the page; 0 leaves it out")
    args = parser.parse_args(arguments)
    if args.url:
        report(args.url.rstrip("/"), args.questions, args.loads)
        return
    with service(args.model) as (url, _, _):
        report(url, args.questions, args.loads)


if __name__ == "__main__":
    main()
