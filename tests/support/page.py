"""The page in a real browser, for tests/test_page*.py: how it is opened and asked. Fixtures: tests/support/browser.py.

Where a test needs a certain answer, the browser gets it in place of the service's (`reply_with`).
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

from tests.conftest import InProcess

SCREENS = {
    "light": (1280, 900, "light"),
    "dark": (1280, 900, "dark"),
    "tablet": (768, 1024, "light"),
    "phone": (390, 844, "light"),
    "phone-dark": (390, 844, "dark"),
}
COLUMNS = [
    {"name": "batter", "label": "batter", "role": "dimension", "decimals": 0},
    {"name": "runs", "label": "runs", "role": "asked", "decimals": 0},
    {"name": "strike_rate", "label": "strike rate", "role": "shown", "decimals": 2},
]
TABLE = {
    "columns": COLUMNS,
    "rows": [["Virat Kohli", 741, 154.7], ["Ruturaj Gaikwad", 583, 141.16], ["Riyan Parag", 573, 149.22]],
    "totals": {},
    "qualification": "at least 100 balls",
    "more_tied": False,
}
DONE = {
    "answer": "Virat Kohli scored the most runs: 741.",
    "outcome": "answered",
    "query": "runs, strike_rate by batter | top 3",
    "table": TABLE,
    "tables": [TABLE],
    "worded_by": "model",
    "reason": None,
    "candidates": [],
    "suggestions": [],
    "model": {"name": "demo", "quantisation": "Q8_0"},
    "season": "ipl_2024",
    "source": None,
    "latency_ms": {"queue": 0, "link": 1, "plan": 40, "retrieve": 5, "answer": 60, "total": 107},
    "conversation_id": "c1",
    "request_id": "r1",
}
NOTHING = {"query": None, "table": None, "tables": [], "worded_by": "plain"}


def events_of(reply: dict[str, Any]) -> list[str]:
    """The server-sent events of a reply, one text each."""
    events = [("plan", {"query": reply["query"]}), ("table", {"tables": reply["tables"]})] if reply["tables"] else []
    events += [("token", {"text": word}) for word in reply["answer"].split(" ")] + [("done", reply)]
    return [f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events]


def opened(browser: Any, app: InProcess, screen: str, address: str = "") -> Iterator[Any]:
    """The page at `address` on that screen, once the service is ready."""
    width, height, scheme = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda m: wrong.append(m.text) if "Content Security" in m.text else None)
    page.on(
        "request",
        lambda r: wrong.append(r.url) if urllib.parse.urlsplit(r.url).netloc not in app.url else None,
    )
    page.goto(app.url + address)
    page.locator("#state", has_text="stand-in").wait_for()
    yield page
    assert not wrong, wrong
    context.close()


def reply_with(page: Any, reply: dict[str, Any]) -> None:
    """Make the browser get this reply to the next questions."""
    body = "".join(events_of(reply))
    page.route("**/infer", lambda route: route.fulfill(status=200, content_type="text/event-stream", body=body))


def ask(page: Any, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def finished(page: Any) -> Any:
    """The newest answer, once it is complete, with its details open."""
    card = page.locator("article").first
    card.locator(".meta:not(:empty)").wait_for(state="attached")
    if card.locator("details").get_attribute("open") is None:
        card.locator("summary").click()
    return card


def computed(page: Any, line: str) -> Any:
    """A new card with this query line, computed by the real engine."""
    page.evaluate("(line) => { location.search = new URLSearchParams({ line }) }", line)
    page.wait_for_url("**/?line=*")
    page.locator("#state", has_text="stand-in").wait_for()
    return finished(page)
