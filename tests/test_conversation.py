"""Conversations: names that turns share, what an answer named, small talk, owners; and the follow-ups learned from."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

import pytest

from agents.conversation import MAX_FOLLOW_UP_WORDS, Conversations, Turn
from agents.leaders import leaders
from agents.messages import Planned, Reply, Retrieved
from agents.model import Generation
from agents.multi_agent import MultiAgent
from agents.retriever import RetrieverAgent
from data.linking.mention import FOUND, Linked, Mention
from data.phrasing.composer import Phrasebook
from data.phrasing.followups import FollowUp, FollowUps
from data.query import parse
from data.season import load
from data.text import PLACEHOLDER, plain
from tests.conftest import Host, InProcess


class Script:
    """A text model that answers the plan and follow-up prompts as told, and words nothing."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}
        self.prompts: list[str] = []
        self.grammars: list[str] = []

    def then(self, prompt: str, line: str) -> Script:
        self.lines[prompt] = line
        return self

    async def generate(
        self, messages: list[dict[str, str]], *, grammar: str | None = None, temperature: float = 0.0, **_: Any
    ) -> Generation:
        prompt = messages[-1]["content"]
        if prompt.startswith("say "):
            return Generation("", "length")
        if not temperature:
            self.prompts.append(prompt)
            self.grammars.append(grammar or "")
        line = self.lines.get(prompt, "")
        return Generation(line, "stop" if line else "length")


@pytest.fixture(scope="module")
def retriever() -> RetrieverAgent:
    return RetrieverAgent(load("ipl_2024"))


def talk(retriever: RetrieverAgent, model: Script, *questions: str, owner: str = "") -> tuple[MultiAgent, list[Reply]]:
    agents = MultiAgent(retriever.season, model, retriever)

    async def all_of() -> list[Reply]:
        return [await agents.ask(question, "c", owner=owner) for question in questions]

    return agents, asyncio.run(all_of())


def line_of(reply: Reply) -> str:
    """The query line with names, without the quotes around them."""
    return (reply.query or "").replace('"', "")


def test_a_follow_up_is_read_after_the_line_before_with_the_names_of_both(retriever: RetrieverAgent) -> None:
    model = (
        Script()
        .then("plan P1 runs at the death", "runs | batter=P1 phase=death")
        .then("follow runs | batter=P1 phase=death > - > and P2", "runs | batter=P2 phase=death")
        .then("follow runs | batter=P1 phase=death > - > strike rate", "strike_rate | batter=P1 phase=death")
    )
    _, replies = talk(retriever, model, "Kohli runs at the death?", "and Rohit Sharma?", "strike rate?")
    assert [line_of(reply) for reply in replies] == [
        "runs | batter=Virat Kohli phase=death",
        "runs | batter=Rohit Sharma phase=death",
        "strike_rate | batter=Rohit Sharma phase=death",
    ]
    assert len(model.prompts) == 3 and "P2" in model.grammars[1]
    assert replies[1].trace.plan.before == "runs | batter=P1 phase=death > -"
    assert replies[1].trace.as_json()[1]["before"] == "runs | batter=P1 phase=death > -"
    assert "before" not in replies[0].trace.as_json()[1]


def test_he_may_be_the_player_that_the_answer_named(retriever: RetrieverAgent) -> None:
    model = (
        Script()
        .then("plan who scored the most runs", "runs by batter | top 1")
        .then("follow runs by batter | top 1 > P1 > and his average against T1", "average | batter=P1 opponent=T1")
    )
    _, replies = talk(retriever, model, "Who scored the most runs?", "and his average against Mumbai?")
    assert line_of(replies[1]) == "average | batter=Virat Kohli opponent=Mumbai Indians", model.prompts


def test_a_name_that_is_there_already_keeps_its_placeholder(retriever: RetrieverAgent) -> None:
    model = Script().then("plan P1 v P2", "runs | batter=P1 bowler=P2")
    talk(retriever, model, "Kohli v Bumrah", "Bumrah wickets", "Kohli or Salt?")
    follow = "follow runs | batter=P1 bowler=P2 > - > "
    assert [p for p in model.prompts if p.startswith("follow")] == [f"{follow}P2 wickets", f"{follow}P1 or P3"]


def test_an_ambiguous_name_is_the_only_one_of_the_conversation_it_may_mean(retriever: RetrieverAgent) -> None:
    model = Script().then("plan P1 runs", "runs | batter=P1")
    talk(retriever, model, "Rohit Sharma runs", "sharma in wins?")
    assert "follow runs | batter=P1 > - > P1 in wins" in model.prompts


def test_after_asking_back_the_full_name_takes_the_place_of_the_ambiguous_one(retriever: RetrieverAgent) -> None:
    model = (
        Script()
        .then("plan how many runs did P1 score", "runs | batter=P1")
        .then("follow runs | batter=P1 > - > P2", "runs | batter=P2")
    )
    _, replies = talk(retriever, model, "How many runs did Pandya score?", "Hardik Pandya")
    assert [reply.outcome for reply in replies] == ["ask_back", "answered"]
    assert line_of(replies[1]) == "runs | batter=Hardik Pandya"


def test_the_first_question_and_a_long_one_stand_alone(retriever: RetrieverAgent) -> None:
    model = Script().then("plan P1 runs", "runs | batter=P1")
    long = "and now please tell me who took the most wickets of all the bowlers"
    assert len(long.split()) > MAX_FOLLOW_UP_WORDS
    model.then(f"plan {long}", "wickets by bowler | top 1")
    _, replies = talk(retriever, model, "Kohli runs", long)
    assert [prompt.split()[0] for prompt in model.prompts] == ["plan", "plan"]
    assert replies[1].outcome == "answered"


@pytest.mark.parametrize("line", ["", "bowling_average | batter=P1 reach"])
def test_where_the_follow_up_gives_no_line_the_question_is_planned_alone(retriever: RetrieverAgent, line: str) -> None:
    model = (
        Script()
        .then("plan P1 runs", "runs | batter=P1")
        .then("follow runs | batter=P1 > - > most wickets", line)
        .then("plan most wickets", "wickets by bowler | top 1")
    )
    _, replies = talk(retriever, model, "Kohli runs", "most wickets?")
    assert line_of(replies[1]) == "wickets by bowler | top 1" and replies[1].trace.plan.before is None


def test_where_the_line_cannot_be_computed_the_question_is_planned_alone(retriever: RetrieverAgent) -> None:
    not_computable = "points by team | phase=death"  # the league table has no phases
    model = (
        Script()
        .then("plan P1 runs", "runs | batter=P1")
        .then("follow runs | batter=P1 > - > points table", not_computable)
        .then("plan points table", "points by team")
    )
    _, replies = talk(retriever, model, "Kohli runs", "points table")
    assert line_of(replies[1]) == "points by team" and replies[1].outcome == "answered"
    model.then("plan points table", not_computable)
    _, replies = talk(retriever, model, "Kohli runs", "points table")
    assert replies[1].reason == "not_computable"


def test_small_talk_is_answered_without_figures_and_the_turn_before_stays(retriever: RetrieverAgent) -> None:
    model = (
        Script()
        .then("plan P1 runs", "runs | batter=P1")
        .then("follow runs | batter=P1 > - > thanks", "decline chat")
        .then("follow runs | batter=P1 > - > and in wins", "runs | batter=P1 result=won")
    )
    _, replies = talk(retriever, model, "Kohli runs", "thanks!", "and in wins?")
    assert replies[1].reason == "chat" and not any(c.isdigit() for c in replies[1].answer)
    assert line_of(replies[2]) == "runs | batter=Virat Kohli result=won"


def test_a_declined_question_changes_the_subject_only_if_it_names_somebody(retriever: RetrieverAgent) -> None:
    model = (
        Script()
        .then("plan P1 runs", "runs | batter=P1")
        .then("follow runs | batter=P1 > - > is he rich", "decline not_recorded")
        .then("follow runs | batter=P1 > - > is P2 rich", "decline not_recorded")
    )
    talk(retriever, model, "Kohli runs", "is he rich?", "is Bumrah rich?", "his economy?")
    assert "follow decline not_recorded > P1 > his economy" in model.prompts
    assert "follow runs | batter=P1 > - > is P2 rich" in model.prompts


def test_the_plan_of_a_follow_up_has_only_names_that_it_uses(retriever: RetrieverAgent) -> None:
    line = "highest_score by batter | top 1"
    model = (
        Script()
        .then("plan highest score", line)
        .then(f"follow {line} > P1 T1 T2 D1 V1 > his average", "average | batter=P1")
    )
    agents = MultiAgent(retriever.season, model, retriever)

    async def collect() -> list[Any]:
        await agents.ask("highest score?", "c")
        return [event async for event in agents.stream("his average?", "c")]

    planned, retrieved, *_ = asyncio.run(collect())
    assert isinstance(planned, Planned) and set(planned.linked.by_placeholder()) == {"P1"}
    assert isinstance(retrieved, Retrieved) and dict(retrieved.names) == {"P1": "Marcus Stoinis"}


KOHLI = ("plan P1 sixes", "sixes | batter=P1")
ROHIT = ("follow sixes | batter=P1 > - > and P2", "sixes | batter=P2")
FOURS = ("follow sixes | batter=P1 > - > fours", "fours | batter=P1")
BOTH, WORDS = "sixes by batter | batter=P1,P2", "which of them hit more"


@pytest.mark.parametrize(
    ("earlier", "last"),
    [
        ({"kohli sixes": KOHLI, "and rohit?": ROHIT}, BOTH),
        ({"kohli sixes": KOHLI, "and rohit?": ROHIT, "fours?": FOURS}, BOTH.replace("sixes", "fours")),
        ({"kohli sixes": KOHLI, "fours?": FOURS}, "fours | batter=P1"),  # there is no other
        ({"kohli sixes": KOHLI, "bumrah wickets": ("plan P1 wickets", "wickets | bowler=P1")}, "wickets | bowler=P1"),
    ],
)
def test_which_of_them_is_read_after_a_line_about_both(
    retriever: RetrieverAgent, earlier: dict[str, tuple[str, str]], last: str
) -> None:
    model = Script()
    for prompt, line in earlier.values():
        model = model.then(prompt, line)
    model = model.then(f"follow {last} > - > {WORDS}", last)
    _, replies = talk(retriever, model, *earlier, f"{WORDS}?")
    assert replies[-1].outcome == "answered"
    names = re.findall('"([^"]*)"', replies[-1].query or "")
    assert names == (["Virat Kohli", "Rohit Sharma"] if "P2" in last else names)


def test_a_conversation_belongs_to_its_owner(retriever: RetrieverAgent) -> None:
    model = Script().then("plan P1 runs", "runs | batter=P1").then("plan in wins", "wins by team | top 1")
    agents = MultiAgent(retriever.season, model, retriever)

    async def both() -> None:
        await agents.ask("Kohli runs", "c", owner="one")
        await agents.ask("in wins", "c", owner="two")
        await agents.ask("in wins", "c", owner="one")

    asyncio.run(both())
    assert model.prompts[:3] == ["plan P1 runs", "plan in wins", "follow runs | batter=P1 > - > in wins"]


def test_of_many_conversations_the_one_unused_for_longest_is_forgotten() -> None:
    conversations, turn = Conversations(capacity=2), Turn("runs", {})
    for name in ("a", "b", "a", "c"):
        conversations.remember("", name, turn)
    assert [conversations.last("", name) is turn for name in ("a", "b", "c")] == [True, False, True]
    assert conversations.last("", None) is None and conversations.last("other", "a") is None


def player(placeholder: str, key: str) -> Mention:
    return Mention(placeholder, key, 0, 0, "player", (key,), FOUND)


def test_of_more_than_nine_names_of_a_kind_the_last_leaders_go() -> None:
    of_line = [player(f"P{i}", f"line{i}") for i in range(1, 6)]
    line = "runs by batter | batter=P1,P2,P3,P4,P5"
    turn = Turn(line, {m.placeholder: m for m in of_line}, tuple(player("P1", f"led{i}") for i in range(5)))
    linked, before = turn.join(Linked("P1 and P2", (player("P1", "new"), player("P2", "line5"))))
    assert before.line == line and before.leaders == "P6 P7 P8" and linked.text == "P9 and P5"
    assert linked.by_placeholder()["P9"].candidates == ("new",) and len(linked.mentions) == 9
    many = Linked("all", tuple(player(f"P{i}", f"new{i}") for i in range(1, 6)))
    assert turn.join(many) is None


def test_placeholders_are_numbered_as_in_the_follow_ups_learned_from() -> None:
    turn = Turn("runs | batter=P3 bowler=P1", {"P3": player("P3", "a"), "P1": player("P1", "b")}, (player("P1", "c"),))
    linked, before = turn.join(Linked("or P1", (player("P1", "d"),)))
    learned = FollowUp("runs | batter=P3 bowler=P1", "P2", "or P4", "runs | batter=P4 bowler=P1").renumbered()
    assert (before.line, before.leaders, linked.text) == (learned.previous, learned.leaders, learned.words)
    assert [linked.by_placeholder()[p].candidates[0] for p in ("P1", "P2", "P3", "P4")] == ["a", "b", "c", "d"]


FINAL = ["Kolkata Knight Riders", "Sunrisers Hyderabad", "2024-05-26", "MA Chidambaram Stadium"]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("runs by batter | top 3", ["Virat Kohli", "Ruturaj Gaikwad", "Riyan Parag"]),
        ("runs by batter | top 20", 5),
        ("runs by batter | having runs>=300", []),
        ("sixes by venue | top 1", 1),
        ("position by team | having position<=4", 4),
        ("runs | batter=Kohli", []),
        ("runs by match | batter=Kohli", []),
        ("runs by phase | batter=Kohli", []),
        ("winner, margin | stage=final", FINAL),
        ("player_of_match | stage=final", ["Mitchell Starc", *FINAL]),
        ("date | stage=final", [FINAL[1], FINAL[0], *FINAL[2:]]),
        ("highest_score by batter | top 1",
         ["Marcus Stoinis", "Lucknow Super Giants", "Chennai Super Kings", "2024-04-23", "MA Chidambaram Stadium"]),
        ("highest_score | batter=Kohli",
         ["Royal Challengers Bengaluru", "Rajasthan Royals", "2024-04-06", "Sawai Mansingh Stadium"]),
        ("highest_total by team | top 1",
         ["Sunrisers Hyderabad", "Royal Challengers Bengaluru", "2024-04-15", "M Chinnaswamy Stadium"]),
        ("over_runs | top 1",
         ["Anrich Nortje", "Delhi Capitals", "Mumbai Indians", "2024-04-07", "Wankhede Stadium"]),
        ("six_streak by batter | top 1",
         ["Rajat Patidar", "Mayank Markande", "Royal Challengers Bengaluru", "Sunrisers Hyderabad", "2024-04-25",
          "Rajiv Gandhi International Stadium"]),
        ("over_batter_runs | top 1",
         ["Romario Shepherd", "Anrich Nortje", "Mumbai Indians", "Delhi Capitals", "2024-04-07", "Wankhede Stadium"]),
        ("batting | batter=Kohli", []),
        ("highest_total | team=RCB ; lowest_total | team=RCB", []),
        ("streak by team | each wins=1 | top 1", ["Kolkata Knight Riders", "Royal Challengers Bengaluru"]),
        ("partnership by pair | top 1", ["Shubman Gill", "Sai Sudharsan"]),
        ("runs by batter | top 1 ; wickets by bowler | top 1", ["Virat Kohli", "Harshal Patel"]),
    ],
)  # fmt: skip
def test_an_answer_names_the_leaders_of_a_list_and_all_of_an_event(
    retriever: RetrieverAgent, line: str, named: list[str] | int
) -> None:
    retrieved = retriever.retrieve(Planned(Linked("", ()), "", parse(line)))
    assert isinstance(retrieved, Retrieved)
    found = leaders(retrieved, retriever.names, retriever.statistics.matches)
    shown = [retriever.names.display(m.candidates[0]) for m in found]
    assert len(shown) == named if isinstance(named, int) else shown == named
    assert all(m.status == FOUND and len(m.candidates) == 1 for m in found)


def test_another_key_with_the_same_conversation_id_starts_a_fresh_conversation(host: Host, random_model: Any) -> None:
    app: InProcess = host(model_path=random_model, api_keys="first-key,second-key")
    app.wait_ready()
    model = Script().then("plan P1 runs", "runs | batter=P1").then("plan in wins", "wins by team | top 1")
    app.service.ready().agents.model = model

    def ask(question: str, key: str) -> dict[str, Any]:
        body = {"question": question, "conversation_id": "same", "trace": True}
        with app.client(headers={"Authorization": f"Bearer {key}"}) as client:
            response = client.post("/infer", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    ask("Kohli runs", "first-key")
    fresh = ask("in wins", "second-key")
    assert fresh["query"] == "wins by team | top 1" and "before" not in fresh["trace"][1]
    ask("in wins", "first-key")
    assert model.prompts[:3] == ["plan P1 runs", "plan in wins", "follow runs | batter=P1 > - > in wins"]
    app.stop()


@pytest.fixture(scope="module")
def follow_ups() -> FollowUps:
    return FollowUps.load(Phrasebook.load())


def names_of(text: str) -> set[str]:
    return {m[0] for m in PLACEHOLDER.finditer(text)}


def test_every_follow_up_parses_and_names_nothing_that_was_not_there_before(follow_ups: FollowUps) -> None:
    assert len(follow_ups.known) > 3000
    for known in follow_ups.known:
        assert [str(parse(known.previous)), str(parse(known.line))] == [known.previous, known.line]
        assert known.leaders == "-" or set(known.leaders.split()) == names_of(known.leaders), known
        assert not names_of(known.leaders) & names_of(known.previous), known
        assert names_of(known.line) <= names_of(f"{known.previous} {known.leaders} {known.words}"), known


def test_sampled_follow_ups_parse_are_plain_and_numbered_as_they_come(follow_ups: FollowUps) -> None:
    rng = random.Random(1)
    for _ in range(2000):
        sampled = follow_ups.sample(rng)
        parse(sampled.previous), parse(sampled.line)
        before = f"{sampled.previous} {sampled.leaders} {sampled.words}"
        assert names_of(sampled.line) <= names_of(before), sampled
        assert sampled.words == plain(sampled.words) and sampled == sampled.renumbered()
