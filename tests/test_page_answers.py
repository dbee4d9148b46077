"""What the page makes of an answer, in a real browser: scoreboard, charts, tables, readings, follow-ups, what it keeps.

    pytest tests/test_page_answers.py

Tables are computed by the real engine, from a query line in the address. Needs what tests/test_page.py needs.
"""

from __future__ import annotations

import csv
import io
import json
import random
import urllib.parse
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from data.query import QueryError, parse
from data.query.random_lines import random_query
from tests.conftest import InProcess
from tests.support.page import DONE, NOTHING, SCREENS, ask, computed, events_of, finished, opened, reply_with

pytest_plugins = ["tests.support.browser"]

PAGE = Path(__file__).parent.parent / "serve" / "page"
BUMRAH = 'economy | bowler="Jasprit Bumrah" phase=death'
WORM = "total, wickets_lost by team, over | stage=final"


def table_of(app: InProcess, line: str) -> dict[str, Any]:
    with app.client() as client:
        response = client.post("/stats", json={"query": line})
    assert response.status_code == 200, f"{line}: {response.text}"
    return response.json()["tables"][0]


def test_the_page_is_smaller_than_150_kb() -> None:
    assert sum(path.stat().st_size for path in PAGE.rglob("*") if path.is_file()) < 150_000


def test_all_scripts_are_fetched_at_once() -> None:
    first = (PAGE / "index.html").read_text()
    for path in PAGE.glob("*.js"):
        assert path.name == "docs.js" or f'"/page/{path.name}"' in first, f"{path.name} is fetched only after another"


def test_the_source_of_an_answer_that_is_not_computed_is_shown_as_text(page: Any) -> None:
    says = "<b>Gill</b>"
    source = {"file": "<i>.csv", "row": 17, "kind": "knowledge", "says": says}
    reply_with(page, DONE | NOTHING | {"answer": f"{says} (from your file)", "worded_by": "file", "source": source})
    ask(page, "gt captain")
    card = finished(page)
    assert card.locator(".source").inner_text() == "Not computed: taken from your file <i>.csv, row 17"
    assert card.locator(".text").inner_text() == "<b>Gill</b> (from your file)"
    assert "as in your file" in card.locator(".meta").inner_text()


def test_an_answer_that_the_file_disputes_says_so(page: Any) -> None:
    source = {"file": "q.csv", "row": 3, "kind": "disputed", "says": "700"}
    reply_with(page, DONE | {"source": source})
    ask(page, "most runs")
    note = finished(page).locator(".source")
    assert note.inner_text() == "Computed; something else stands in your file q.csv, row 3"
    reply_with(page, DONE)
    ask(page, "most runs again")
    assert not finished(page).locator(".source").is_visible()


def test_one_figure_is_shown_large_with_whose_it_is_and_what_qualifies_it(page: Any, app: InProcess) -> None:
    board = computed(page, BUMRAH).locator(".board")
    [[economy, conceded, balls]] = table_of(app, BUMRAH)["rows"]
    assert board.locator("dd").inner_text() == f"{economy:.2f}"
    assert board.locator(".who").inner_text() == "Jasprit Bumrah bowling, at the death"
    assert board.locator(".rest").inner_text() == f"{conceded} runs conceded · {balls} balls bowled"
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.board dd')).fontSize)") >= 40


def test_two_who_are_compared_stand_side_by_side(phone: Any) -> None:
    card = computed(phone, 'strike_rate by batter | batter="Sunil Narine","Phil Salt"')
    one, two = (card.locator(".sides > div").nth(i) for i in range(2))
    assert one.locator(".who").inner_text() == "Phil Salt" and two.locator(".who").inner_text() == "Sunil Narine"
    assert one.bounding_box()["y"] == two.bounding_box()["y"]


@pytest.mark.parametrize("screen", ["light", "tablet", "phone"])
@pytest.mark.parametrize(
    ("line", "axes"),
    [
        ("runs by batter | top 10", {"runs"}),
        ("run_rate by over | team=RCB", {"run rate", "over"}),
        ("net_run_rate by team", {"net run rate"}),
        ("total, wickets_lost by over | stage=final", {"runs (with extras)", "over; in the balls: wickets lost"}),
    ],
)
def test_bars_have_a_title_axes_and_a_value_each_within_the_figure(
    browser: Any, app: InProcess, screen: str, line: str, axes: set[str]
) -> None:
    table = table_of(app, line)
    asked = next(i for i, column in enumerate(table["columns"]) if column["role"] == "asked")
    decimals = table["columns"][asked]["decimals"]
    for page in opened(browser, app, screen):
        card = computed(page, line)
        assert card.locator("figcaption").inner_text()
        assert axes <= set(card.locator("svg.chart text.title").all_text_contents())
        values = card.locator("svg.chart text.value")
        assert values.all_text_contents() == [f"{row[asked]:.{decimals}f}" for row in table["rows"]]
        assert card.locator("svg.chart rect").count() == len(table["rows"])
        outside = card.locator("figure").evaluate(
            """(figure) => [...figure.querySelectorAll("text")].filter((text) => {
                 const a = text.getBoundingClientRect(), b = figure.closest("article").getBoundingClientRect();
                 return a.left < b.left || a.right > b.right || Math.max(a.width, a.height) < 8;
               }).map((text) => text.textContent)"""
        )
        assert outside == []
        overlapping = values.evaluate_all(
            """(all) => all.map((text) => text.getBoundingClientRect()).filter((a, i, boxes) => boxes.some((b, j) =>
                 j > i && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length"""
        )
        assert overlapping == 0


def test_a_match_has_its_worm_with_wickets(page: Any, app: InProcess) -> None:
    card = computed(page, "winner, margin | stage=final")
    card.get_by_role("button", name="run worm").click()
    page.locator("article").nth(1).wait_for()
    card = finished(page)
    assert card.get_by_label("Query line").input_value() == WORM
    assert card.locator("path.worm").count() == 4, "two lines, and two in the legend"
    rows = table_of(app, WORM)["rows"]
    assert card.locator("circle.wicket").count() == sum(1 for row in rows if row[3])
    for team in {row[0] for row in rows}:
        total, out = (sum(row[i] for row in rows if row[0] == team) for i in (2, 3))
        score = f"{total} all out" if out == 10 else f"{total}/{out}"
        legend = [t for t in card.locator("svg.chart text").all_text_contents() if t.startswith(team)]
        assert legend == [f"{team} {f'{total}/{out}' if out < 10 else score}"]


def test_three_phases_are_a_wheel_with_their_values(page: Any, app: InProcess) -> None:
    line = "strike_rate by phase | batter=Kohli"
    card = computed(page, line)
    assert card.locator(".sector").count() == 3
    values = card.locator("svg.chart text.value").all_text_contents()
    assert values == [f"{row[1]:.2f}" for row in table_of(app, line)["rows"]]


def test_a_mark_explains_itself_under_the_pointer(page: Any) -> None:
    card = computed(page, "runs by batter | top 3")
    card.locator(".mark").first.hover()
    assert card.locator(".tip").inner_text().splitlines()[:2] == ["batter Virat Kohli", "runs 741"]


def test_the_points_table_shows_the_last_five_results(page: Any, app: InProcess) -> None:
    card = computed(page, "points, net_run_rate by team")
    card.locator("td.form .result").first.wait_for()
    results = table_of(app, "wins, losses by team, match")["rows"]
    for line in card.locator("tbody tr").all():
        team = line.locator("td").first.inner_text()
        own = sorted((row[2], row[4]) for row in results if row[0] == team)
        assert len(own) >= 10
        shown = line.locator(".result").all_inner_texts()
        assert [mark == "W" for mark in shown] == [won == 1 for _, won in own[-5:]], team


def test_a_table_is_sorted_by_a_click_and_says_how_many_rows_are_hidden(page: Any, app: InProcess) -> None:
    line = "economy by bowler"
    rows = table_of(app, line)["rows"]
    card = computed(page, line)
    assert card.locator("tbody tr").count() == 20
    assert card.locator(".more").inner_text().startswith(f"{len(rows) - 20} of {len(rows)} rows are hidden.")
    card.locator("th button", has_text="economy rate").click()
    assert card.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    assert card.locator("td.asked").first.inner_text() == f"{max(row[1] for row in rows):.2f}"
    card.locator("th button", has_text="economy rate").click()
    assert card.locator("td.asked").first.inner_text() == f"{min(row[1] for row in rows):.2f}"
    card.get_by_role("button", name="Show all rows").click()
    assert card.locator("tbody tr").count() == len(rows) and card.locator(".more").inner_text() == ""


@pytest.mark.parametrize("line", ["points, net_run_rate by team", "runs by batter, match | top 5", WORM])
def test_the_asked_column_is_in_view_on_a_phone(phone: Any, line: str) -> None:
    card = computed(phone, line)
    frame, cell = card.locator(".scroll"), card.locator("td.asked.kept").first
    for _ in range(2):
        box, inside = frame.bounding_box(), cell.bounding_box()
        assert box["x"] <= inside["x"] and inside["x"] + inside["width"] <= box["x"] + box["width"] + 1
        frame.evaluate("(frame) => { frame.scrollLeft = 60 }")


def test_each_part_of_the_reading_can_be_left_out(page: Any) -> None:
    card = computed(page, BUMRAH)
    parts = card.locator(".reading .part")
    assert parts.all_inner_texts() == ["economy rate", "Jasprit Bumrah bowling", "at the death"]
    card.get_by_role("button", name="Leave out: at the death").click()
    card.locator(".part", has_text="at the death").wait_for(state="detached")
    assert card.get_by_label("Query line").input_value() == 'economy | bowler="Jasprit Bumrah"'


def test_lines_are_read_and_written_as_the_query_language_has_them(page: Any, app: InProcess) -> None:
    rng, statistics = random.Random(5), app.service.retriever.statistics
    lines = [str(random_query(rng, statistics)) for _ in range(300)]
    for text in (Path(__file__).parent / "support" / "language_lines.jsonl").read_text().splitlines():
        line = json.loads(text)["line"]
        lines += [] if line.startswith("decline") else [line]
    written, fewer = page.evaluate(
        """async (lines) => {
             const { parse, write, readingOf } = await import("/page/line.js");
             return [lines.map((l) => write(parse(l))), lines.flatMap((l) => readingOf(l).map((part) => part.without))];
           }""",
        lines,
    )
    for line, again in zip(lines, written, strict=True):
        assert parse(again) == parse(line), (line, again)
    left = [line for line in fewer if line is not None]
    assert len(left) > len(lines)
    for line in left:
        parse(line)


LINES_TO_FOLLOW = [
    BUMRAH,
    "runs | batter=Kohli",
    "runs, average, strike_rate | batter=Kohli",
    "fifties | batter=Kohli",
    'strike_rate by batter | batter="Sunil Narine","Phil Salt"',
    "runs by batter | top 1",
    "wickets by bowler | phase=death | top 5",
    "economy by bowler | bottom 3",
    "run_rate by over | team=RCB",
    "total | team=RCB opponent=CSK",
    "wins | team=KKR",
    "sixes",
    "points by team",
    "winner, margin | stage=final",
    "scores | match=12",
]


def test_every_follow_up_is_a_line_that_the_engine_computes(page: Any, app: InProcess) -> None:
    offered = page.evaluate(
        """async (lines) => {
             const { followUps } = await import("/page/line.js");
             return lines.map((line) => followUps(line, /by bowler/.test(line) ? "Jasprit Bumrah" : "Virat Kohli"));
           }""",
        LINES_TO_FOLLOW,
    )
    for line, found in zip(LINES_TO_FOLLOW, offered, strict=True):
        assert 1 <= len(found) <= 6, line
        assert len({follow["label"] for follow in found}) == len(found)
        for follow in found:
            assert table_of(app, follow["line"])["rows"], follow


def test_a_follow_up_makes_a_card_of_its_own_under_its_words(page: Any) -> None:
    card = computed(page, "runs | batter=Kohli")
    card.get_by_role("group", name="Ask next").get_by_role("button", name="by phase").click()
    page.locator("article").nth(1).wait_for()
    assert finished(page).locator("h2").inner_text() == "Runs by phase, Kohli batting"
    assert page.locator("article").nth(1).locator("h2").inner_text() == "Runs, Kohli batting"


def test_what_was_left_out_of_the_question_is_in_plain_sight(page: Any) -> None:
    card = computed(page, 'wickets by bowler | top 3 | unsupported "uncapped"')
    assert "uncapped" in card.locator(".left-out").inner_text()


def test_the_conversation_is_kept_over_a_reload_and_ends_when_asked(page: Any) -> None:
    reply_with(page, DONE)
    ask(page, "most runs")
    finished(page)
    page.reload()
    card = finished(page)
    assert card.locator("h2").inner_text() == "most runs" and card.locator(".text").inner_text() == DONE["answer"]
    assert page.locator("article").count() == 1
    with page.expect_request("**/infer") as request:
        ask(page, "and his average?")
    assert request.value.post_data_json["conversation_id"] == "c1"
    page.get_by_role("button", name="New conversation").click()
    page.reload()
    page.locator("#state", has_text="stand-in").wait_for()
    assert page.locator("article").count() == 0


def test_earlier_questions_come_back_by_the_arrow_and_in_a_list(page: Any) -> None:
    reply_with(page, DONE)
    for question in ("most runs", "most sixes"):
        ask(page, question)
        finished(page)
    field = page.get_by_label("Your question")
    for key, value in (("ArrowUp", "most sixes"), ("ArrowUp", "most runs"), ("ArrowDown", "most sixes")):
        field.press(key)
        assert field.input_value() == value
    page.get_by_text("Earlier questions").click()
    assert page.locator("#history li").all_inner_texts() == ["most sixes", "most runs"]
    page.get_by_role("button", name="Forget them").click()
    assert page.locator("#history").is_hidden()


def test_a_link_asks_its_question_once(page: Any, app: InProcess) -> None:
    reply_with(page, DONE)
    page.goto(f"{app.url}/?q=most%20runs")
    assert finished(page).locator("h2").inner_text() == "most runs"
    page.reload()
    finished(page)
    assert page.locator("article").count() == 1


def test_share_gives_a_link_to_the_question_or_to_the_line_of_a_follow_up(page: Any, app: InProcess) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reply_with(page, DONE)
    for question, parameters in (("most runs", {"q": "most runs"}), ("and sixes?", {"line": DONE["query"]})):
        ask(page, question)
        page.locator("article h2", has_text=question).wait_for()
        card = finished(page)
        card.get_by_role("button", name="Share").click()
        card.get_by_role("button", name="Link copied").wait_for()
        link = urllib.parse.urlsplit(page.evaluate("navigator.clipboard.readText()"))
        assert f"{link.scheme}://{link.netloc}" == app.url
        assert dict(urllib.parse.parse_qsl(link.query)) == parameters


def test_the_answer_is_copied_and_its_table_downloaded(page: Any) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    reply_with(page, DONE)
    ask(page, "most runs")
    card = finished(page)
    card.get_by_role("button", name="Copy", exact=True).click()
    card.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == DONE["answer"]
    with page.expect_download() as download:
        card.get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text())))
    assert rows[:2] == [["batter", "runs", "strike rate"], ["Virat Kohli", "741", "154.7"]] and len(rows) == 4


def test_a_csv_has_no_formulas_and_keeps_commas_and_quotes(page: Any) -> None:
    table = {"columns": [{"label": "a"}, {"label": 'b "c"'}], "rows": [["=1+1", -2], ["x, y", None]]}
    text = page.evaluate("async (table) => (await import('/page/table.js')).csvOf([table])", table)
    assert list(csv.reader(io.StringIO(text))) == [["a", 'b "c"'], ["'=1+1", "-2"], ["x, y", ""]]


def test_who_may_be_meant_is_offered_with_the_team(page: Any, app: InProcess) -> None:
    candidates = ["Hardik Pandya", "Krunal Pandya"]
    asked_back = {"outcome": "ask_back", "answer": "Which Pandya?", "reason": "ambiguous_name"}
    reply_with(page, DONE | NOTHING | asked_back | {"candidates": candidates})
    ask(page, "Pandya runs")
    card = finished(page)
    teams = {row[0]: row[1] for row in table_of(app, "matches by player, team")["rows"]}
    for name in candidates:
        card.get_by_role("button", name=f"{name} {teams[name]}").wait_for()


def test_what_can_be_computed_without_a_declined_condition_is_one_tap_away(page: Any) -> None:
    declined = {"outcome": "declined", "answer": "I can't answer that.", "reason": "unsupported"}
    reply_with(page, DONE | NOTHING | declined | {"suggestions": ["wickets by bowler | phase=death | top 3"]})
    ask(page, "top 3 uncapped bowlers at the death")
    card = finished(page)
    assert card.locator("table").count() == 0
    card.get_by_role("group", name="Ask next").get_by_role("button", name="Wickets by bowler").click()
    page.locator("article").nth(1).wait_for()
    found = finished(page)
    assert found.locator("h2").inner_text() == "Wickets by bowler, at the death, top 3"
    assert found.locator("tbody tr").count() >= 3


def test_wrong_asks_what_was_wrong_in_one_tap(page: Any) -> None:
    given = page.request.post(urljoin(page.url, "/infer"), data={"question": "most runs"}).headers["x-request-id"]
    reply_with(page, DONE | {"request_id": given})
    ask(page, "most runs")
    card = finished(page)
    card.get_by_role("button", name="Wrong").click()
    with page.expect_response(lambda r: "comment" in (r.request.post_data or "")) as response:
        card.get_by_role("button", name="it misread the question").click()
    assert response.value.status == 201
    sent = response.value.request.post_data_json
    assert (sent["request_id"], sent["verdict"], sent["comment"]) == (given, "wrong", "it misread the question")
    card.get_by_text("your judgement are stored").wait_for()


def test_names_are_completed_while_typing(page: Any) -> None:
    field = page.get_by_label("Your question")
    field.press_sequentially("how many sixes did hardik pan")
    page.get_by_role("option", name="Hardik Pandya Mumbai Indians").wait_for()
    field.press("ArrowDown")
    assert page.get_by_role("listbox").get_by_role("option", selected=True).count() == 1
    field.press("Enter")
    assert field.input_value() == "how many sixes did Hardik Pandya "
    assert page.get_by_role("listbox").is_hidden() and page.locator("article").count() == 0
    field.press_sequentially("hit at wankh")
    page.get_by_role("option", name="Wankhede Stadium").click()
    assert field.input_value() == "how many sixes did Hardik Pandya hit at Wankhede Stadium "


def test_times_and_model_are_under_details(page: Any) -> None:
    reply_with(page, DONE)
    ask(page, "most runs")
    card = page.locator("article").first
    card.locator("summary").wait_for()
    assert card.locator(".meta").is_hidden()
    card.locator("summary").click()
    assert "107 ms" in card.locator(".meta").inner_text() and "demo Q8_0" in card.locator(".meta").inner_text()


def test_nothing_moves_while_an_answer_streams(browser: Any, app: InProcess) -> None:
    slowly = """(pieces) => {
      const real = window.fetch;
      window.fetch = (path, options) => path !== "/infer" ? real(path, options) : Promise.resolve(new Response(
        new ReadableStream({ async start(stream) {
          for (const piece of pieces) {
            await new Promise((later) => setTimeout(later, 60));
            stream.enqueue(new TextEncoder().encode(piece));
          }
          stream.close();
        } })));
      window.shifts = [];
      new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map((entry) => ({
        value: entry.value, moved: entry.sources.map((source) => source.node?.parentElement?.className ?? "") }))))
        .observe({ type: "layout-shift", buffered: false });
    }"""
    for page in opened(browser, app, "phone"):
        reply_with(page, DONE)
        for question in ("most runs", "most sixes"):
            ask(page, question)
            page.locator("article h2", has_text=question).wait_for()
            finished(page)
        page.evaluate(slowly, events_of(DONE | {"query": "runs, strike_rate by batter | top 3"}))
        page.get_by_label("Your question").fill("who scored the most?")
        page.keyboard.press("Enter")
        page.locator("article h2", has_text="who scored the most?").wait_for()
        page.locator("article").first.locator(".meta:not(:empty)").wait_for(state="attached")
        assert page.locator("article").first.locator(".text").inner_text() == DONE["answer"]
        page.wait_for_timeout(200)
        assert page.evaluate("window.shifts") == []


@pytest.mark.parametrize("known", [True, False])
def test_a_season_is_chosen_where_the_service_has_several(browser: Any, app: InProcess, known: bool) -> None:
    seasons = [{"name": f"ipl_{year}", "title": f"IPL {year}", "default": year == 2024} for year in (2024, 2023)]
    body = json.dumps({"seasons": seasons})
    for page in opened(browser, app, "light"):
        page.route("**/seasons", lambda route: route.fulfill(status=200 if known else 404, body=body))
        page.reload()
        page.locator("#state", has_text="stand-in").wait_for()
        reply_with(page, DONE)
        if known:
            page.get_by_label("Season", exact=True).select_option("IPL 2023")
        with page.expect_request("**/infer") as request:
            ask(page, "most runs")
        assert request.value.post_data_json.get("season") == ("ipl_2023" if known else None)
        assert page.locator("#season").is_visible() == known


KINDS = [
    BUMRAH,
    WORM,
    "strike_rate by phase | batter=Kohli",
    "points by team",
    "economy by bowler",
    'wickets by bowler | top 3 | unsupported "uncapped"',
    "winner, margin by match | last 5",
]


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_no_violation_in_any_kind_of_answer(browser: Any, app: InProcess, screen: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    for page in opened(browser, app, screen):
        page.locator("#glance button").first.wait_for()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        for line in KINDS:
            computed(page, line)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, f"the page is {wide} pixels too wide"
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_lines_that_do_not_parse_are_kept_as_they_are(page: Any) -> None:
    for line in ("runz by", "runs | | top", '"', "runs by batter | top 3 | top"):
        with pytest.raises(QueryError):
            parse(line)
        said = page.evaluate("async (l) => (await import('/page/line.js')).titleOf(l)", line)
        assert said
