"""/docs in a real browser, and the replies that it shows as examples."""

from __future__ import annotations

from typing import Any

import pytest

from data.ask import ask
from data.linking.resolver import Names
from data.query import Statistics
from data.season import load
from serve.api.examples import QUESTIONS, REPLIES
from serve.api.schemas import Answer, table_of
from serve.process import ServiceProcess
from tests.conftest import InProcess

pytest_plugins = ["tests.support.browser"]


@pytest.fixture(params=[(1100, 900), (390, 844)], ids=["desk", "phone"])
def docs(browser: Any, app: InProcess, request: pytest.FixtureRequest) -> Any:
    width, height = request.param
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{app.url}/docs")
    page.locator("section").first.wait_for()
    yield page
    page.close()


def test_the_docs_show_code_as_code_and_commands_whole(docs: Any) -> None:
    assert "`" not in docs.locator("main p, main dd, main h2, main h3").all_inner_texts().__str__()
    assert docs.locator("main dd code, main p code").count() > 10
    commands = docs.locator("pre", has_text="curl -s")
    assert commands.count() >= 12
    for i in range(commands.count()):
        box = commands.nth(i)
        assert box.evaluate("e => e.scrollWidth <= e.clientWidth"), box.inner_text()
    assert docs.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_docs_have_a_reply_for_each_outcome_and_a_command_for_a_link(docs: Any) -> None:
    section = docs.locator("section", has=docs.get_by_role("heading", name="POST /infer", exact=True))
    for outcome in ("answered", "ask_back", "declined"):
        assert section.locator("pre", has_text=f'"outcome": "{outcome}"').count() == 1
    link = docs.locator("section", has=docs.get_by_role("heading", name="GET /ask", exact=True))
    assert "-G" in link.locator("pre").first.inner_text() and "q=most sixes" in link.locator("pre").first.inner_text()


@pytest.mark.parametrize("outcome", REPLIES)
def test_an_example_is_a_reply_of_the_schema_whose_figures_are_the_season_s(outcome: str) -> None:
    reply = Answer.model_validate(REPLIES[outcome]["value"])
    assert reply.outcome == outcome
    if reply.query:
        season = load("ipl_2024")
        computed = ask(reply.query, Statistics(season), Names.for_season(season))
        assert reply.tables == [table_of(table) for table in computed] and reply.table == reply.tables[0]


@pytest.mark.parametrize("outcome", REPLIES)
def test_an_example_is_what_the_service_answers(trained: None, service: ServiceProcess, outcome: str) -> None:
    reply = service.ask(QUESTIONS[outcome]).json()
    shown = REPLIES[outcome]["value"]
    for field in ("outcome", "reason", "candidates", "query", "tables"):
        assert reply[field] == shown[field], field
