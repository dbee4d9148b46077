"""Answers of a user's own file through the agents: the same question, other words, and what it must not answer."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agents import confidence
from agents.messages import Planned, Reply, Source, Worded
from agents.model import Generation
from agents.multi_agent import MultiAgent
from agents.retriever import RetrieverAgent
from convert.manifest import entry_for, save
from convert.manifest import load as load_manifest
from data.dataset.knowledge import DISPUTED, KNOWLEDGE_FILE, PLAN, Row, read, write
from data.errors import SourceError
from data.query import parse
from data.season import load
from data.text import plain
from serve.process import wait_for
from tests.conftest import Host, InProcess, Launch

ROOT = Path(__file__).parent.parent
KOHLI = 'runs | batter="Virat Kohli"'
ROWS = [
    Row(1, "q.csv", "Who captained Gujarat Titans in IPL 2024?", "Shubman Gill"),
    Row(2, "q.csv", "Who was the captain of Royal Challengers Bengaluru in IPL 2024?", "Faf du Plessis"),
    Row(3, "q.csv", "Who is the head coach of Chennai Super Kings?", "Stephen Fleming"),
    Row(4, "q.csv", "Who is the batting coach of Chennai Super Kings?", "Michael Hussey"),
    Row(5, "q.csv", "What is the capacity of the Eden Gardens?", "About 68,000"),
    Row(6, "q.csv", "What is the anthem of Chennai Super Kings?", "Whistle Podu"),
    Row(7, "q.csv", "What is the full name of RR?", "Rajasthan Royals"),
    Row(8, "q.csv", "When was Andre Russell born?", "29 April 1988"),
    Row(9, "q.csv", "Where was Andre Russell born?", "Kingston"),
    Row(10, "q.csv", "Who owns Kolkata Knight Riders?", "Red Chillies and the Mehta Group"),
    Row(11, "q.csv", "How many runs did Virat Kohli score in IPL 2024?", "700", DISPUTED, KOHLI, "", "He made 741."),
    Row(12, "q.csv", "Runs put together by Virat Kohli, in total?", "741", PLAN, KOHLI),
    Row(13, "q.csv", "Who replaced Rohit Sharma as captain of Mumbai Indians?", "Hardik Pandya"),
    Row(14, "q.csv", "What was the price of Mitchell Starc at the mini auction?", "24.75 crore"),
    Row(15, "q.csv", "How many spectators watched match 12?", "40,000"),
    Row(16, "q.csv", "Where was Stephen Fleming born?", "Christchurch"),
    Row(17, "q.csv", "Which team won the fair play award?", "Sunrisers"),
    Row(18, "q.csv", "What is the nickname of MS Dhoni?", "Captain Cool"),
]


@pytest.fixture(scope="module")
def retriever() -> RetrieverAgent:
    found = RetrieverAgent(load("ipl_2024"))
    found.know(ROWS)
    return found


def row_of(retriever: RetrieverAgent, question: str) -> int | None:
    found = retriever.look_up(question, retriever.link(question))
    return found.row.row if found else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.question)
def test_a_question_of_the_file_is_found_whatever_its_case_and_punctuation(retriever, row: Row) -> None:
    for question in (row.question, row.question.upper(), row.question.rstrip("?").lower(), f'"{row.question}" !'):
        assert row_of(retriever, question) == row.row


@pytest.mark.parametrize(
    "question, row",
    [
        ("gt captain", 1),
        ("who led gujarat?", 1),
        ("who was captaining GT in 2024", 1),
        ("who was the skiper of gt", 1),
        ("tell me the name of the skipper of RCB", 2),
        ("csk head coach name?", 3),
        ("batting coach of csk", 4),
        ("how many people can eden gardens hold", 5),
        ("capacity of eden gardens stadium", 5),
        ("seating capacity of Eden Gardens, Kolkata", 5),
        ("which song is csk's anthem", 6),
        ("what is RR's full name", 7),
        ("rr full name", 7),
        ("Full name of Rajasthan Royals?", 7),
        ("what does RR stand for?", 7),
        ("date of birth of andre russell", 8),
        ("when was russell born", 8),
        ("andre russell was born where?", 9),
        ("who is the owner of kkr", 10),
        ("who's kkr's owner", 10),
        ("who was rohit sharma replaced by as captain of mi", 13),
        ("how much did starc cost at the mini auction", 14),
        ("starc price at the auction", 14),
        ("number of spectators in match 12", 15),
        ("stephen flemming birthplace", 16),
        ("who won the fair play award", 17),
        ("what do they call dhoni, his nickname", 18),
    ],
)
def test_a_question_in_other_words_is_found(retriever, question: str, row: int) -> None:
    assert row_of(retriever, question) == row


@pytest.mark.parametrize(
    "question",
    [
        "Who captained Mumbai Indians?",
        "Who captained Gujarat Titans in IPL 2023?",
        "who captained gt in match 3",
        "who was the vice captain of RCB",
        "who was the first captain of RCB",
        "who is the bowling coach of csk",
        "who is the assistant coach of csk",
        "who is the coach of csk and gt",
        "where was Sunil Narine born?",
        "why was Andre Russell born?",
        "when was stephen fleming born",
        "where was stephen smith born",
        "how many runs did the captain of RCB score",
        "what is the average first innings score at Eden Gardens?",
        "how many matches were played at Eden Gardens",
        "what is the capacity of the Wankhede",
        "who scored the most runs for csk",
        "who did rohit sharma replace as captain of mi",
        "who replaced Hardik Pandya as captain of mumbai indians",
        "price of pat cummins at the mini auction",
        "How many spectators watched match 13?",
        "which player won the fair play award",
        "how many runs did Virat Kohli score in the powerplay",
        "how many wickets did Andre Russell take",
        "hello",
        "",
        "?!",
    ],
)
def test_a_row_about_something_else_does_not_answer(retriever, question: str) -> None:
    assert row_of(retriever, question) is None


def test_rows_that_fit_equally_well_and_differ_do_not_answer() -> None:
    retriever = RetrieverAgent(load("ipl_2024"))
    retriever.know([Row(1, "q.csv", "Captain of CSK?", "Gaikwad"), Row(2, "q.csv", "Who led CSK?", "Dhoni")])
    assert row_of(retriever, "who captained chennai") is None
    assert row_of(retriever, "who led CSK") == 2


def test_no_question_that_the_statistics_answer_is_answered_by_the_file(retriever) -> None:
    folder = ROOT / "data" / "dataset" / "exams"
    lines = (folder / "fan_questions.jsonl").read_text(encoding="utf-8").splitlines()
    lines += (ROOT / "data/seasons/ipl_2024/qa/test.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line)["question"] for line in lines if line.strip()]
    taken = {q: row for q in asked if (row := row_of(retriever, q)) not in (None, 11, 12)}
    assert len(asked) > 600 and taken == {}


class Writes:
    """A model that writes one line as every plan, and no sentence. Counts the plans it is asked for."""

    def __init__(self, line: str) -> None:
        self.line, self.plans = line, 0

    async def generate(self, messages, **kwargs) -> Generation:
        is_plan = not messages[-1]["content"].startswith("say ")
        self.plans += is_plan
        return Generation(self.line if is_plan else "", "stop" if is_plan else "length")


def ask(retriever: RetrieverAgent, question: str, line: str = "decline not_recorded") -> tuple[Reply, int]:
    model = Writes(line)
    return asyncio.run(MultiAgent(retriever.season, model, retriever).ask(question)), model.plans


def test_what_the_record_cannot_hold_is_answered_from_the_file_with_its_row(retriever) -> None:
    reply, plans = ask(retriever, "who led gt?", "wins | team=T1")
    assert reply.answer == "Shubman Gill (from your file q.csv, row 1)"
    assert reply.source == Source("q.csv", 1, "knowledge", "Shubman Gill")
    assert (reply.outcome, reply.worded_by, reply.tables, plans) == ("answered", "file", (), 0)
    assert "Gill" not in json.dumps(reply.trace.as_json())


def test_another_question_about_the_same_team_is_still_declined(retriever) -> None:
    reply, plans = ask(retriever, "who is the physio of gt?")
    assert (reply.outcome, reply.source) == ("declined", None) and plans > 0


def test_a_loose_match_stands_back_behind_a_computed_answer_and_goes_before_a_refusal(retriever, monkeypatch) -> None:
    with monkeypatch.context() as believed:
        believed.setattr(confidence, "LIMIT", 1.0)
        computed, _ = ask(retriever, "starc price at the auction", "wickets | bowler=P1")
    assert computed.source is None and computed.query == 'wickets | bowler="Mitchell Starc"'
    # it declines, cannot be read, leaves Starc out, is unlikely
    for line in ("decline not_recorded", "no line at all", "wickets by bowler | top 3", "wickets | bowler=P1"):
        reply, plans = ask(retriever, "starc price at the auction", line)
        assert reply.answer == "24.75 crore (from your file q.csv, row 14)" and plans > 0


def test_the_file_answers_about_somebody_whom_the_season_does_not_have(retriever) -> None:
    declined, _ = ask(retriever, "how many runs did sachin tendulkar score?")
    assert declined.outcome == "declined"
    known = RetrieverAgent(load("ipl_2024"))
    known.know([Row(3, "mine.xlsx", "Who was Sachin Tendulkar's first captain?", "Harbhajan Singh")])
    reply, _ = ask(known, "sachin tendulkars first captain")
    assert reply.answer == "Harbhajan Singh (from your file mine.xlsx, row 3)"


def test_a_computed_answer_stands_first_and_what_the_file_says_instead_is_added(retriever) -> None:
    reply, plans = ask(retriever, "how many runs did virat kohli score?")
    assert reply.answer.startswith("Virat Kohli") and "741" in reply.answer and plans == 0
    assert reply.answer.endswith("Your file says: 700 (from your file q.csv, row 11).")
    assert reply.source == Source("q.csv", 11, "disputed", "700")
    assert reply.query == KOHLI and reply.tables


def test_a_disputed_row_that_cannot_be_computed_any_more_is_answered_as_it_was(retriever) -> None:
    found = RetrieverAgent(load("ipl_2024"))
    found.know([Row(1, "q.csv", "Kohli total?", "700", DISPUTED, "decline opinion", "", "He made 741.")])
    reply, _ = ask(found, "kohli total")
    assert reply.answer == "He made 741. Your file says: 700 (from your file q.csv, row 1)."


def test_the_line_that_a_row_proved_is_computed_without_the_model_for_its_question_and_other_names(retriever) -> None:
    for question, runs in (
        ("runs put together by V Kohli, in total", "741"),
        ("runs put together by Riyan Parag in total", "573"),
    ):
        reply, plans = ask(retriever, question, "decline chat")
        assert runs in reply.answer and plans == 0 and reply.source is None
    reply, plans = ask(retriever, "runs put together by Riyan Parag in the powerplay in total", "decline chat")
    assert reply.outcome == "declined" and plans > 0


def test_a_line_whose_names_the_question_does_not_have_is_not_carried_over_to_other_names() -> None:
    retriever = RetrieverAgent(load("ipl_2024"))
    row = Row(
        1, "q.csv", "Wins of CSK at their own ground?", "5", PLAN, 'wins | team=CSK venue="MA Chidambaram Stadium"'
    )
    retriever.know([row])
    reply, plans = ask(retriever, "wins of csk at their own ground", "decline chat")
    assert reply.outcome == "answered" and plans == 0
    reply, plans = ask(retriever, "wins of mi at their own ground", "decline chat")
    assert reply.outcome == "declined" and plans > 0


def test_an_answer_of_the_file_is_streamed_and_a_follow_up_is_about_whom_it_names(retriever) -> None:
    model = Writes("runs | batter=P1")
    agents = MultiAgent(retriever.season, model, retriever)

    async def events(question: str) -> list[object]:
        return [event async for event in agents.stream(question, "c")]

    worded, reply = asyncio.run(events("gt captain?"))
    assert isinstance(worded, Worded) and isinstance(reply, Reply) and worded.text == reply.answer
    *_, reply = asyncio.run(events("and how many runs did he make?"))
    assert isinstance(reply, Reply) and reply.query == 'runs | batter="Shubman Gill"'


def test_without_a_file_nothing_is_loaded_for_it() -> None:
    code = """
import sys
from agents.retriever import RetrieverAgent
from data.season import load
retriever = RetrieverAgent(load("ipl_2024"))
retriever.know([])
assert retriever.knowledge is None and "bm25s" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# -- served


def with_rows(model: Path, folder: Path, rows: list[Row]) -> Path:
    """A copy of a model folder that has these rows, as the conversion leaves it."""
    manifest = load_manifest(model)
    folder.mkdir()
    (folder / manifest.default_file).symlink_to((model / manifest.default_file).resolve())
    write(rows, folder / KNOWLEDGE_FILE)
    files = {manifest.default_file: manifest.files[manifest.default_file]}
    save(replace(manifest, files=files | {KNOWLEDGE_FILE: entry_for(folder / KNOWLEDGE_FILE)}), folder)
    return folder


@pytest.fixture(scope="module")
def served(host: Host, demo_model: Path, tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    """The service on a model that came with the rows."""
    found = host(model_path=with_rows(demo_model, tmp_path_factory.mktemp("rows") / "mine", ROWS))
    found.wait_ready()
    return found


def test_a_service_answers_from_the_file_of_its_model_with_the_source(served: InProcess) -> None:
    with served.client() as client:
        reply = client.post("/infer", json={"question": "GT captain?", "trace": True}).json()
        assert reply["answer"] == "Shubman Gill (from your file q.csv, row 1)" and reply["outcome"] == "answered"
        assert reply["source"] == {"file": "q.csv", "row": 1, "kind": "knowledge", "says": "Shubman Gill"}
        assert reply["worded_by"] == "file" and reply["usage"]["completion_tokens"] == 0
        assert "Gill" not in json.dumps(reply["trace"])
        with client.stream("POST", "/infer", json={"question": "gt captain", "stream": True}) as stream:
            events = stream.read().decode()
        assert events.index("event: token") < events.index("event: done") and '"row":1' in events.replace(" ", "")
        assert client.get("/ask", params={"q": "gt captain", "format": "md"}).text == f"{reply['answer']}\n"
        asked = [{"role": "user", "content": "gt captain"}]
        chat = client.post("/v1/chat/completions", json={"model": "cricket", "messages": asked}).json()
        assert chat["choices"][0]["message"]["content"] == reply["answer"]
        assert chat["cricket"]["source"] == reply["source"]


def test_a_disputed_row_is_computed_over_http_with_what_the_file_says(served: InProcess) -> None:
    with served.client() as client:
        reply = client.post("/infer", json={"question": "How many runs did Virat Kohli score in IPL 2024?"}).json()
    assert 741 in reply["table"]["rows"][0] and reply["query"] == KOHLI
    assert reply["answer"].endswith("Your file says: 700 (from your file q.csv, row 11).")
    assert reply["source"]["kind"] == "disputed" and reply["source"]["says"] == "700"


def test_the_rows_are_about_the_season_of_the_model_alone(served: InProcess) -> None:
    with served.client() as client:
        body = {"question": "What is the full name of RR?", "season": "ipl_2023"}
        assert client.post("/infer", json=body).json()["source"] is None
        assert client.post("/infer", json=body | {"season": "ipl_2024"}).json()["source"]["row"] == 7


def test_what_the_file_says_is_not_in_the_log(launch: Launch, random_model: Path, tmp_path: Path) -> None:
    service = launch(MODEL_PATH=with_rows(random_model, tmp_path / "mine", ROWS), LOG_TEXTS="true", LOG_LEVEL="DEBUG")
    service.wait_ready()
    assert service.ask("csk batting coach").json()["source"]["row"] == 4
    service.stop()
    log = service.log.read_text()
    assert '"worded_by": "file"' in log and "Hussey" not in log and "q.csv" not in log


def test_rows_that_are_damaged_keep_the_service_from_being_ready_without_being_quoted(
    host: Host, random_model: Path, tmp_path: Path
) -> None:
    folder = with_rows(random_model, tmp_path / "mine", ROWS)
    (folder / KNOWLEDGE_FILE).write_text('{"row": 1, "question": "secret"}\n')
    manifest = load_manifest(folder)
    save(replace(manifest, files=manifest.files | {KNOWLEDGE_FILE: entry_for(folder / KNOWLEDGE_FILE)}), folder)
    app = host(model_path=folder)
    wait_for(lambda: app.service.retrying)
    reason = app.service.state.reason
    app.stop()
    assert "line 1 has no valid" in reason and "secret" not in reason


# -- the file


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [Row(1, "q.csv", 'Who said "no"?\u2028\nnext', "छक्का"), *ROWS]
    write(rows, tmp_path / "knowledge.jsonl")
    assert read(tmp_path / "knowledge.jsonl") == rows


@pytest.mark.parametrize(
    "line, wrong",
    [
        ('{"row": 1', "line 2 is no JSON"),
        ("[]", "line 2 has no valid 'row'"),
        ('{"row": "1", "file": "f", "question": "secret", "answer": "a", "kind": "plan"}', "no valid 'row'"),
        ('{"row": 1, "file": "f", "question": "secret", "kind": "plan"}', "no valid 'answer'"),
        ('{"row": 1, "file": "f", "question": "secret", "answer": "a", "kind": "other"}', "no valid 'kind'"),
        ('{"row": 1, "file": "f", "question": "secret", "answer": "a", "kind": "plan", "query": 1}', "'query'"),
    ],
)
def test_a_line_that_is_no_row_is_named_by_its_number_and_not_quoted(tmp_path: Path, line: str, wrong: str) -> None:
    path = tmp_path / "knowledge.jsonl"
    good = {"row": 1, "file": "f", "question": "q", "answer": "a", "kind": "knowledge", "added later": 1}
    path.write_text(json.dumps(good) + "\n" + line + "\n")
    with pytest.raises(SourceError, match=wrong) as caught:
        read(path)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_missing_or_not_utf_8_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read(tmp_path / "knowledge.jsonl")
    (tmp_path / "knowledge.jsonl").write_bytes(b"\xff")
    with pytest.raises(SourceError, match="not UTF-8"):
        read(tmp_path / "knowledge.jsonl")


def test_words_of_the_file_do_not_make_a_line_unlikely() -> None:
    question = "gimme kohlis zxqv wkjh qqnn vvbb ddww ttyy in the rrpp of llmm"
    season_retriever = RetrieverAgent(load("ipl_2024"))
    linked = season_retriever.link(question)
    planned = Planned(linked, plain(linked.text), parse("runs | batter=P1"))
    assert not season_retriever.is_sure(planned)
    season_retriever.know([Row(1, "q.csv", question, "741")])
    assert season_retriever.is_sure(planned)
