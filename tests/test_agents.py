"""The conversation of the agents where the model, or the one who asks, does not do what is expected."""

import asyncio

import pytest

from agents.conversation import MAX_CHARACTERS
from agents.model import Generation
from agents.multi_agent import MultiAgent
from agents.retriever import RetrieverAgent
from data.season import load


class Drawing:
    """A text model whose plans are `draws`, one after the other, an exception raised; it words nothing."""

    def __init__(self, *draws):
        self.draws, self.asked = list(draws), []

    async def generate(self, messages, *, deadline_s=None, temperature=0.0, **_):
        if not messages[-1]["content"].startswith("plan "):
            return Generation("", "length")
        self.asked.append((messages[-1]["content"], deadline_s, temperature))
        draw = self.draws.pop(0) if len(self.draws) > 1 else self.draws[0]
        if isinstance(draw, Exception):
            raise draw
        await asyncio.sleep(0.05)
        return draw


@pytest.fixture(scope="module")
def retriever():
    return RetrieverAgent(load("ipl_2024"))


def ask(retriever, model, *questions, deadline_s=None):
    agents = MultiAgent(retriever.season, model, retriever)

    async def all_of():
        return [await agents.ask(question, "c", deadline_s) for question in questions]

    return agents, asyncio.run(all_of())


def test_a_plan_that_was_cut_off_is_none_though_it_reads_as_if_it_were_whole(retriever):
    model = Drawing(Generation("runs by batter", "deadline"))
    _, (reply,) = ask(retriever, model, "Who scored the most runs at the death?", deadline_s=5)
    assert reply.reason == "no_plan" and reply.query is None
    assert len(model.asked) == 1, "after the deadline nothing is drawn again"
    whole = Generation("runs by batter | phase=death | top 1", "stop")
    _, (reply,) = ask(retriever, Drawing(Generation("runs by batter", "length"), whole), "most runs at the death?")
    assert reply.query == whole.text


def test_draws_after_the_first_get_what_is_left_of_the_time_and_may_find_no_room(retriever):
    plan = Generation("runs by batter | top 1", "stop")  # leaves Kohli out
    model = Drawing(plan, plan, RuntimeError("the queue is full"))
    _, (reply,) = ask(retriever, model, "most runs by Kohli?", deadline_s=5)
    assert reply.query == plan.text
    deadlines = [deadline for _, deadline, _ in model.asked]
    assert deadlines[0] > 4.9 and len(deadlines) == 5 and all(4 < deadline < 4.96 for deadline in deadlines[1:])


def test_a_question_does_not_grow_from_turn_to_turn(retriever):
    model = Drawing(Generation("runs | batter=P1", "stop"))
    agents, replies = ask(retriever, model, "runs of kohli", *["he he he he he he he he he he he he"] * 8)
    assert all(len(turn.question) <= MAX_CHARACTERS for turn in agents.conversations._turns.values())
    _, replies = ask(retriever, model, "runs of kohli", "or a" + " " * 490 + "b", "and his   sixes?")
    assert len(replies) == 3


def test_letters_that_only_look_like_a_placeholder_are_not_one(retriever):
    model = Drawing(Generation("runs by batter | top 1", "stop"))
    ask(retriever, model, "most runs 𝐏𝟏 𝐓𝟑")
    ask(retriever, model, "most runs P1 T3")
    written = [asked for asked, _, _ in model.asked]
    assert written[0] == written[-1] and len(set(written)) == 1
