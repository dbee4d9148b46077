"""The network that says how likely a query line is beside its question, how it is fitted, and what is made of it."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from agents import confidence
from data.phrasing.likelihood import PartModel, features, labels_of, part_model
from data.phrasing.phrase_files import PAIR_FILES, PHRASES, expand, read_pairs
from data.query import parse
from data.text import plain

QUESTION = "who hit the most sixes for T1 in the powerplay"
LINE = "sixes by batter | team=T1 phase=powerplay | top 1"


@cache
def _pairs() -> list[tuple[str, str]]:
    rng = random.Random(8)
    pairs = [pair for name in PAIR_FILES for pair in read_pairs(PHRASES / name)]
    return [(plain(expand(words, rng)), line) for words, line in rng.sample(pairs, 2000)]


def test_features_are_words_pairs_and_beginnings_without_names_and_numbers() -> None:
    assert features("sixes of P1 in 12 overs") == {
        "^", "sixes", "of", "P", "in", "#", "overs", "$",
        "^ sixes", "sixes of", "of P", "P in", "in #", "# overs", "overs $",
        "^ _ of", "sixes _ P", "of _ in", "P _ #", "in _ overs", "# _ $",
    }  # fmt: skip
    assert "boun*" in features("boundaries")


@pytest.mark.parametrize("line", [
    "sixes by bowler | team=T1 phase=powerplay | top 1",
    "sixes by batter | team=T1 phase=powerplay | bottom 1",
    "sixes by batter | team=T1 phase=death | top 1",
    "sixes by batter | team=T1 phase=powerplay result=won | top 1",
    "sixes by batter | team=T1 phase=powerplay | top 1 ; fours by batter | team=T1 phase=powerplay | top 1",
    "decline off_topic",
])  # fmt: skip
def test_another_line_is_less_likely(line: str) -> None:
    model = part_model()
    assert model.of(parse(line), QUESTION).log < model.of(parse(LINE), QUESTION).log - 1


def test_right_lines_of_the_phrases_are_likelier_than_lines_of_other_phrases() -> None:
    model, other = part_model(), random.Random(9).sample(_pairs(), 2000)
    better = [
        model.of(parse(line), question).log > model.of(parse(wrong), question).log
        for (question, line), (_, wrong) in zip(_pairs(), other, strict=True)
        if labels_of(parse(line)) != labels_of(parse(wrong))
    ]
    assert sum(better) >= 0.97 * len(better)


def test_words_that_nobody_composed_are_unknown_unless_they_are_familiar() -> None:
    model = part_model()
    assert model.of(parse(LINE), QUESTION).unknown == 0
    strange = f"{QUESTION} zxqv wkjh"
    assert model.of(parse(LINE), strange).unknown >= 4
    assert model.of(parse(LINE), strange, features(strange)).unknown == 0
    assert model.of(parse(LINE), "").features == 3  # the beginning, the end, and both


def test_few_right_lines_of_the_phrases_are_taken_for_wrong_and_most_strange_ones_are() -> None:
    doubted = [confidence.chance_of_error(parse(line), question) > confidence.LIMIT for question, line in _pairs()]
    assert 0 < sum(doubted) <= 0.02 * len(doubted)
    strange = (
        "had the groundsman's nephew not spilt his tea over the scorebook that gloomy evening whichever umpire "
        "signalled it would those of us watching from behind the sightscreen ever have believed how P1's speed compared"
    )
    assert confidence.chance_of_error(parse("runs | batter=P1"), strange) > confidence.LIMIT
    assert confidence.chance_of_error(parse("decline not_recorded"), strange) == 0


def test_a_network_is_written_and_read_again(tmp_path: Path) -> None:
    file, again = tmp_path / "one.npz", tmp_path / "two.npz"
    for path in (file, again):
        with path.open("wb") as out:
            part_model().save(out)
    assert file.read_bytes() == again.read_bytes()
    read = PartModel.load(file)
    assert read.vocabulary == part_model().vocabulary and read.labels == part_model().labels
    assert np.array_equal(read.embedding, part_model().embedding)
    assert read.of(parse(LINE), QUESTION) == part_model().of(parse(LINE), QUESTION)


def test_the_same_seed_fits_the_same_network_which_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from data.command_line import run
    from train.likelihood import app

    nats = []
    for name, epochs in (("one", 1), ("two", 1), ("more", 4)):
        assert run(app, ["--count", "2600", "--epochs", str(epochs), "--out", str(tmp_path / f"{name}.npz")]) == 0
        nats.append(float(capsys.readouterr().out.split(" nats")[0].split()[-1]))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert nats[2] < nats[1]


def test_the_weights_of_the_signs_are_fitted_and_each_limit_is_counted() -> None:
    from train.evaluate.confidence import Answer, fitted, table

    rng = np.random.default_rng(3)
    signs = rng.normal(size=(4000, 3))
    wrong = rng.random(4000) < 1 / (1 + np.exp(-(signs @ (1.0, -0.5, 0.0) - 1)))
    weights, constant = fitted([Answer(tuple(x), bool(y)) for x, y in zip(signs, wrong, strict=True)])
    assert np.allclose((*weights, constant), (1.0, -0.5, 0.0, -1.0), atol=0.15)
    found = [Answer((1.0, 0.0, 0.0), True), Answer((0.0, 0.0, 0.0), False)]
    lines = table({"one": found}, (1.0, 0.0, 0.0), 0.3).splitlines()
    assert [line for line in lines if line.startswith("| 0.50 |")] == ["| 0.50 | 1 right, 1 wrong |"]
    assert [line for line in lines if line.startswith("| 0.60 |")] == ["| 0.60 | 0 right, 1 wrong |"]
    assert lines[0] == "| limit | one (1 right, 1 wrong) |"
