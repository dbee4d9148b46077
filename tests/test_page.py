"""The page in a real browser: asking, streaming, table, chart, query line, errors, keys, axe; light, dark and phone.

    pytest tests/test_page.py           SCREENSHOTS=folder keeps the pictures

Needs Chromium (Debian: apt-get install chromium) and playwright (requirements-dev.txt); skipped with a message without
them. Where a test needs a certain answer, the browser gets it in place of the service's.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from tests.conftest import Host, InProcess
from tests.support.page import DONE, NOTHING, SCREENS, TABLE, ask, finished, opened, reply_with

pytest_plugins = ["tests.support.browser"]


def test_a_question_is_sent_to_the_real_service_and_its_answer_shown(page: Any) -> None:
    ask(page, "How many runs did Virat Kohli score?")
    card = finished(page)
    assert card.locator("h2").inner_text() == "How many runs did Virat Kohli score?"
    assert card.locator(".text").inner_text().strip() and "ms (plan" in card.locator(".meta").inner_text()
    assert card.locator(".text").get_attribute("aria-busy") is None
    assert page.locator("#announce").inner_text().startswith("Answer: ")


def test_table_chart_query_line_and_times_are_shown(page: Any) -> None:
    reply_with(page, DONE)
    page.get_by_role("button", name="Who scored the most runs?").click()
    card = finished(page)
    assert card.locator(".text").inner_text() == DONE["answer"]
    assert card.locator("th").all_inner_texts() == ["batter", "runs", "strike rate"]
    assert card.locator("tbody tr").first.locator("td").all_inner_texts() == ["Virat Kohli", "741", "154.70"]
    assert card.locator("caption").inner_text() == "at least 100 balls"
    assert card.locator("svg.chart rect").count() == 3
    assert card.get_by_label("Query line").input_value() == DONE["query"]
    assert (
        "107 ms" in card.locator(".meta").inner_text() and "worded by the model" in card.locator(".meta").inner_text()
    )


def test_an_edited_query_line_is_computed_by_the_real_engine(page: Any) -> None:
    reply_with(page, DONE)
    ask(page, "most runs")
    card = finished(page)
    line = card.get_by_label("Query line")
    line.fill("runs by over")
    line.press("Enter")
    card.get_by_text("computed from the query line").wait_for()
    assert card.locator("tbody tr").count() == 20 and card.locator("svg.chart rect").count() == 20
    line.fill("runz by over")
    line.press("Enter")
    card.get_by_role("alert").get_by_text("did you mean runs").wait_for()


def test_an_answer_that_asks_back_offers_the_candidates(page: Any) -> None:
    names = ["Hardik Pandya", "Krunal Pandya"]
    asked_back = {"outcome": "ask_back", "answer": "Which Pandya?", "candidates": names, "reason": "ambiguous_name"}
    reply_with(page, DONE | NOTHING | asked_back)
    ask(page, "Pandya runs")
    card = finished(page)
    assert card.locator(".candidates button").all_inner_texts() == names
    with page.expect_request("**/infer") as request:
        card.get_by_role("button", name="Krunal Pandya").click()
    assert request.value.post_data_json == {
        "question": "what about Krunal Pandya",
        "stream": True,
        "conversation_id": "c1",
    }


def test_an_error_says_what_to_do_and_can_be_tried_again(page: Any) -> None:
    problem = json.dumps({"detail": "40 requests are under way: try again later"})
    page.route(
        "**/infer",
        lambda route: route.fulfill(status=429, content_type="application/problem+json", body=problem),
    )
    ask(page, "most sixes")
    alert = page.locator("article").first.get_by_role("alert")
    alert.get_by_text("40 requests are under way").wait_for()
    page.unroute("**/infer")
    reply_with(page, DONE)
    alert.get_by_role("button", name="Try again").click()
    assert finished(page).locator(".text").inner_text() == DONE["answer"]
    assert page.locator("article").count() == 1


def test_a_running_answer_can_be_stopped(page: Any) -> None:
    page.route("**/infer", lambda route: None)  # never answered
    ask(page, "most sixes")
    page.get_by_role("button", name="Stop").click()
    page.locator("article").first.get_by_role("alert").get_by_text("Stopped.").wait_for()
    assert page.get_by_role("button", name="Stop").is_hidden()


def test_a_judgement_is_sent_with_the_answer_s_request_id(page: Any) -> None:
    given = page.request.post(urljoin(page.url, "/infer"), data={"question": "most runs"}).headers["x-request-id"]
    reply_with(page, DONE | {"request_id": given})
    ask(page, "most runs")
    card = finished(page)
    with page.expect_response("**/feedback") as response:
        card.get_by_role("button", name="Wrong").click()
    assert response.value.status == 201
    assert response.value.request.post_data_json["request_id"] == given
    card.get_by_text("Thank you").wait_for()


def test_texts_from_outside_are_never_markup(page: Any) -> None:
    evil = "<img src=x onerror=alert(1)>"
    table = TABLE | {"rows": [[evil, 1, 2.0], ["b", 2, 3.0]], "qualification": evil}
    reply_with(page, DONE | {"answer": evil, "tables": [table], "table": table})
    ask(page, evil)
    assert finished(page).locator(".text").inner_text() == evil
    assert page.locator("article img").count() == 0


def test_the_page_can_be_used_from_the_keyboard(page: Any) -> None:
    reply_with(page, DONE)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.id") == "season":  # where several seasons are there to choose from
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "question"
    page.keyboard.type("most runs")
    page.keyboard.press("Enter")
    finished(page)
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name || ''"))
    assert {"Copy", "Right", "Wrong", "Run", "query", "New conversation"} <= reached


def test_the_page_asks_for_a_key_where_the_service_needs_one(browser: Any, host: Host, tmp_path: Path) -> None:
    locked = host(model_path=tmp_path / "none", api_keys="the-key")
    page = browser.new_page()
    page.goto(locked.url)
    ask(page, "most runs")
    page.get_by_label("API key").fill("the-key")
    ask(page, "most runs")
    page.locator("article").first.get_by_role("alert").get_by_text("not ready").wait_for()
    page.close()
    locked.stop()


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_no_violation_and_the_page_is_not_too_wide(browser: Any, app: InProcess, screen: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    for page in opened(browser, app, screen):
        reply_with(page, DONE)
        ask(page, "Who scored the most runs?")
        finished(page)
        page.locator("article").first.get_by_label("Query line").fill("runs by over")
        page.locator("article").first.get_by_role("button", name="Run", exact=True).click()
        page.get_by_text("computed from the query line").first.wait_for()
        ask(page, "Who scored the most runs this season?")
        finished(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, f"the page is {wide} pixels too wide"
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{screen}.png", full_page=True)
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_axe_finds_no_violation_on_the_docs(browser: Any, app: InProcess) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = browser.new_page()
    page.goto(f"{app.url}/docs")
    page.get_by_role("heading", name="POST /infer").wait_for()
    assert page.get_by_text("curl -s").count() >= 4
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()
