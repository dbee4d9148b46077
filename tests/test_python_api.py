"""`from agents import Cricket`: the agents without a server, and replies as a notebook shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import Cricket
from agents.messages import Reply
from data.errors import DataError
from data.query import QueryError


@pytest.fixture(scope="module")
def cricket(demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with Cricket(model_path=demo_model, n_threads=1, n_threads_batch=1) as found:
        yield found


def test_three_lines_ask_a_question_without_a_server(trained: None, cricket: Any) -> None:
    reply = cricket.ask("Who scored the most runs?")
    assert reply.outcome == "answered" and "741" in str(reply) and "Virat Kohli" in str(reply)
    frame = reply.to_pandas()
    assert frame["batter"][0] == "Virat Kohli" and frame["runs"][0] == 741 and str(frame["runs"].dtype) == "int64"


def test_a_query_line_becomes_a_data_frame_of_any_season(cricket: Any) -> None:
    assert "ipl_2016" in cricket.seasons()
    frame = cricket.query("runs by batter | top 3", season="ipl_2016").to_pandas()
    assert list(frame.columns)[:2] == ["batter", "runs"] and frame["runs"][0] == 973
    two = cricket.query("runs by batter | top 1 ; wickets by bowler | top 2")
    assert len(two.to_pandas(1)) == 2
    with pytest.raises(IndexError, match="has 2"):
        two.to_pandas(2)
    with pytest.raises(QueryError, match="did you mean runs"):
        cricket.query("runz")
    with pytest.raises(DataError, match="there are: "):
        cricket.ask("most runs", season="ipl_1999")


def test_a_notebook_shows_sentence_table_and_line_and_no_markup_of_others() -> None:
    shown = Reply("<b>", "answered", "x <y>", ())._repr_html_()
    assert shown == "<p><strong>&lt;b&gt;</strong></p>"


def test_a_notebook_s_table_has_the_figures_as_they_are_read(cricket: Any) -> None:
    shown = cricket.query("economy by bowler | top 2")._repr_html_()
    assert shown.count("<tr>") == 3 and "<caption>" in shown and "<code>economy by bowler | top 2</code>" in shown


def test_it_can_be_asked_where_a_loop_runs_already_as_in_a_notebook(cricket: Any) -> None:
    async def cell() -> Any:
        return cricket.query("wickets by bowler | top 1")

    assert asyncio.run(cell()).to_pandas()["wickets"][0] == 24


def test_a_missing_model_is_said_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="make demo"):
        Cricket(model_path=tmp_path / "none")


def test_a_misspelt_setting_is_said() -> None:
    with pytest.raises(TypeError, match="no setting seasn"):
        Cricket(seasn="ipl_2016")
