"""The evaluation: its scorer, its control without a model, and the real agents asked through it."""

import asyncio
import importlib.util
import json
import random
from pathlib import Path

import pytest

from agents.model import Generation
from train.evaluate.__main__ import main
from train.evaluate.exam import FAN_QUESTIONS, Case, cases, evaluate, score
from train.evaluate.nearest_phrasing import NearestPhrasing
from train.evaluate.report import Evaluation, Scored, figures, side_by_side
from train.evaluate.scoring import judge, numbers
from train.evaluate.systems import Agents, Asked, Service, of_control

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT.parent / "shared" / "eval" / "score.py"
FANS = [json.loads(line) for line in FAN_QUESTIONS.read_text().splitlines()]
HEAD, KOHLI = ["TM Head", "Travis Head", "Head"], ["V Kohli", "Virat Kohli", "Kohli"]
TON = {"refuse": True, "allow": [37, 20, 4]}
WHICH = {
    "refuse": True,
    "clarify": True,
    "either": {"numbers": [11, 6], "entities": [["Hardik"], ["Krunal"]]},
}

JUDGED = [
    ({"numbers": [154.70]}, "strike rate 154.7", True),
    ({"numbers": [154.70]}, "155", False),
    ({"numbers": [1260]}, "there were 1,260 sixes", True),
    ({"numbers": [3]}, "match 3 on 3 May, the 3rd", False),
    ({"numbers": [24]}, "twenty-four wickets", True),
    ({"entities": [HEAD]}, "travis head's day", True),
    ({"entities": [HEAD]}, "at Headingley, a head-to-head record", False),
    ({"entities": [["KL Rahul"]]}, "K.L. Rahul", True),
    ({"entities": [HEAD, KOHLI], "ordered": True}, "Kohli, then Head", False),
    ({"entities": [HEAD, KOHLI], "ordered": True}, "1. Travis Head 2. Virat Kohli", True),
    ({"numbers": [5]}, "I cannot say", False),
    (TON, "He didn't score a hundred; his best was 37*", True),
    (TON, "He needed 54 balls.", False),
    (TON, "He didn't take long: 54 balls.", False),
    (WHICH, "Which Pandya: Hardik or Krunal?", True),
    (WHICH, "Hardik took 11 and Krunal 6.", True),
    (WHICH, "Which Pandya? Hardik has 14.", False),
    (WHICH, "He bowled well.", False),
]


@pytest.mark.parametrize("expect, answer, right", JUDGED, ids=[a for _, a, _ in JUDGED])
def test_an_answer_is_judged_by_what_it_states(expect, answer, right):
    assert judge(expect, "how many", answer).right is right


def test_declining_counts_as_right_only_where_there_is_no_answer():
    assert judge(TON, "x", "", declined=True).right and not judge({"numbers": [5]}, "x", "5", declined=True).right


@pytest.mark.parametrize(
    "text, found",
    [
        ("741 runs, 1,260 sixes, 64.2%", [741, 1260, 64.2]),
        ("5/21 and 113* off 72.", [5, 21, 113, 72]),
        ("On 18 May 2024, match 68", []),
        ("in overs 17-20: 9", [9]),
        ("8 overs and 5 balls", [8.5]),
        ("T20", []),
        ("which one?", []),
        ("1. Kohli 741\n2) Gaikwad 583", [741, 583]),
    ],
)
def test_the_figures_of_a_text_are_found(text, found):
    assert numbers(text) == found


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference scorer is not on this machine")
def test_the_scorer_agrees_with_the_reference_scorer():
    spec = importlib.util.spec_from_file_location("reference_score", REFERENCE)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    rng = random.Random(1)
    pieces = [
        "I can't answer that",
        "Which Sharma: Rohit or Abhishek?",
        "on 26 May 2024",
        "5/21",
        "1,00,000",
        "no such record",
        "twice",
        "741",
        "61.75",
        "113*",
        "in overs 16-20",
        "1st",
        "Virat Kohli",
        "CSK",
        "the future",
        "top 5",
        "eleven",
        "2.",
        "only about",
    ]
    texts = ["", "Sorry, 2016 is not in my data."]
    for case in FANS:
        expect = case["expect"]
        said = [f"{n:g}" for n in expect.get("numbers", [])] + [
            rng.choice(names) for names in expect.get("entities", [])
        ]
        texts += [" and ".join(said), ", ".join(said[:-1]), " ".join([*said, *rng.sample(pieces, 3)])]
    compared = 0
    for case in FANS:
        for text in rng.sample(texts, 40) + [" ".join(rng.sample(pieces, rng.randint(1, 5)))]:
            for flag in (False, True):
                theirs = reference.judge(case, {"answer": text, "refused": flag})[0]
                assert judge(case["expect"], case["question"], text, flag).right == theirs, (
                    case["question"],
                    text,
                    flag,
                )
                compared += 1
    assert compared > 5000


# -- the control


def test_the_control_takes_the_nearest_phrasing_that_needs_no_other_names():
    known = NearestPhrasing(
        [
            ("runs of P1", "runs | batter=P1"),
            ("runs of P1 against P2", "runs | batter=P1 bowler=P2"),
            ("most sixes", "sixes by batter | top 1"),
        ]
    )
    assert known.plan("how many runs of P1 against them") == "runs | batter=P1"
    assert known.plan("runs P1 against P2") == "runs | batter=P1 bowler=P2"
    assert known.plan("who hit the most sixes") == "sixes by batter | top 1"
    assert known.plan("xyzzy") == "decline off_topic"


# -- the real agents


class Knowing:
    """A text model that knows the gold lines by the question it reads; it words nothing."""

    def __init__(self, lines: dict[str, str]):
        self.lines = lines

    async def generate(self, messages, **settings) -> Generation:
        task, _, question = messages[-1]["content"].partition(" ")
        return Generation(self.lines[question], "stop") if task == "plan" else Generation("", "length")


@pytest.fixture(scope="module")
def control():
    return of_control("ipl_2024", None)


def test_a_model_that_writes_every_gold_line_is_right_on_every_case_of_the_test_split(control):
    asked = cases("ipl_2024", ["test"], limit=60)
    records = map(json.loads, (ROOT / "data/seasons/ipl_2024/qa/test.jsonl").read_text().splitlines())
    agents = Agents("ipl_2024", Knowing({r["linked"]: r["query"] for r in records}), "knows")
    measured = asyncio.run(evaluate(agents, "ipl_2024", asked, control))
    wrong = [(s.question, s.why, s.line, s.gold_line) for s in measured.scored if not s.right]
    assert not wrong
    assert all(s.plan_right for s in measured.scored if s.plan_right is not None)


def test_the_control_is_measured_and_reported(tmp_path, capsys):
    assert main(["--rules", "--limit", "12", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "eval.json").read_text())
    assert found["test_count"] == found["fans_count"] == 12 and 0 <= found["test_accuracy"] <= 1
    assert len(found["errors"]) == 24 - found["test_right"] - found["fans_right"]
    assert "| **all** |" in (tmp_path / "eval.md").read_text() and (tmp_path / "eval.png").read_bytes().startswith(
        b"\x89PNG"
    )
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"accuracy": found["test_accuracy"]}


def test_a_question_that_makes_the_system_fail_counts_as_wrong(control):
    class Broken:
        async def generate(self, messages, **settings):
            raise RuntimeError("no engine")

    asked = [Case("1", "test", "batting", "how many runs did kohli score", "answered", "runs | batter=P1")]
    measured = asyncio.run(evaluate(Agents("ipl_2024", Broken(), "broken"), "ipl_2024", asked, control))
    assert measured.scored[0].outcome == "error" and not measured.scored[0].right


def test_right_figures_by_another_line_are_right_and_wrong_figures_are_not(control):
    case = Case("1", "test", "batting", "how many runs did kohli score", "answered", "runs | batter=P1")
    gold = control.gold(case.question, case.line)
    assert gold and gold != control.gold(case.question, "fours | batter=P1")
    other = score(case, Asked("741 runs", "answered", "runs by batter | batter=P1", gold), control)
    assert other.right and other.plan_right is False
    assert not score(
        case, Asked("x", "answered", case.line, control.gold(case.question, "fours | batter=P1")), control
    ).right
    assert not score(case, Asked("no", "declined", case.line), control).right


def test_outcomes_are_counted():
    def row(expected, outcome):
        return Scored("1", "test", "k", "q", expected == outcome, "", expected, outcome, "")

    rows = (
        row("answered", "declined"),
        row("declined", "answered"),
        row("answered", "answered"),
        row("ask_back", "ask_back"),
    )
    found = figures(Evaluation("m", "s", 1.0, rows))
    assert (found["test_wrongly_refused"], found["test_wrongly_answered"], found["test_accuracy"]) == (
        1,
        1,
        0.5,
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--model", "models/none"], "python -m convert --run"),
        (["--season", "ipl_1999"], "python -m data qa --season ipl_1999"),
        (["--base", "train/none"], "no base model at train/none"),
        (["--suites", "fans", "--fans", "none.jsonl"], "no none.jsonl"),
    ],
)
def test_what_is_missing_is_named(arguments, message, capsys):
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_the_running_service_is_asked_as_users_ask_it(service, control):
    asked = cases("ipl_2024", ["test"], limit=4)
    system = Service(service.url)

    async def measure():
        try:
            return await evaluate(system, "ipl_2024", asked, control)
        finally:
            await system.close()

    measured = asyncio.run(measure())
    assert len(measured.scored) == 4 and all(s.outcome in ("answered", "ask_back", "declined") for s in measured.scored)


def test_a_closed_book_answer_is_right_where_it_states_the_gold_figures():
    case = Case("x", "test", "batting", "runs of Kohli?", "answered", "runs | batter=P1", "Virat Kohli made 741 runs.")
    for answer, right in (("He has 741.", True), ("He made 740 runs.", False)):
        scored = score(case, Asked(answer, "answered", "", closed_book=True), None)
        assert scored.right == right and scored.plan_right is None


def test_evaluations_side_by_side_have_a_row_each(tmp_path):
    found = {"system": "a", "test_accuracy": 0.5, "test_plan_exact_match": 0.25, "fans_right": 3, "fans_count": 4}
    (tmp_path / "eval.json").write_text(json.dumps(found))
    assert "| a | 50.0 % | 25.0 % |  | 3 of 4 |" in side_by_side([tmp_path / "eval.json"])
