"""Records become examples and examples become token ids in one place, whoever asks for them."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs requirements-train.txt")

from transformers import AutoTokenizer

from convert import examples as gate_examples
from data.dataset.encoding import EncodedExample, encode, encode_prompt
from data.dataset.examples import Example, ExampleError, of_line, read, write
from data.season import SEASONS
from tests.support.tiny_models import KINDS, make_model
from train import dataset
from train.pretrain.training import batches

VALIDATION = SEASONS / "ipl_2024" / "qa" / "validation.jsonl"
TEMPLATES = {
    "line break after EOS": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
    "no EOS": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}",
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request, tmp_path_factory):
    return AutoTokenizer.from_pretrained(make_model(request.param, tmp_path_factory.mktemp("base") / request.param))


def test_training_gate_and_pre_training_read_the_same_ids(tokenizer):
    records = read(VALIDATION)[:60]
    expected = encode(tokenizer, records)
    assert dataset.encode(tokenizer, records, 10_000) == expected
    assert gate_examples.encode(tokenizer, records, 10_000) == expected
    rows = {tuple(e.ids) for e in expected}
    for x, w in islice(batches(tokenizer, iter(records * 40), 256, prompt_weight=0.1), 8):
        for ids, weights in zip(x.tolist(), w.tolist(), strict=True):
            length = max(i for i, weight in enumerate(weights) if weight) + 1  # after it comes padding
            assert tuple(ids[:length]) in rows
            (match,) = {e.prompt_length for e in expected if tuple(e.ids) == tuple(ids[:length])}
            assert [round(weight, 3) for weight in weights[:length]] == (
                [0.0] + [0.1] * (match - 1) + [1.0] * (length - match)
            )


def test_the_gate_draws_the_records_that_training_reads(tmp_path: Path):
    all_of_them = read(VALIDATION)
    assert gate_examples.load(VALIDATION, 10_000) == all_of_them
    drawn = gate_examples.load(VALIDATION, 50)
    assert len(drawn) == 50 and drawn == gate_examples.load(VALIDATION, 50) and all(e in all_of_them for e in drawn)
    write(drawn, tmp_path / "kept.jsonl")  # as a run keeps its examples for the conversion
    assert read(tmp_path / "kept.jsonl") == drawn


def test_the_ids_begin_with_the_prompt_that_is_served(tokenizer):
    for example, encoded in zip(records := read(VALIDATION)[:30], encode(tokenizer, records), strict=True):
        served = tokenizer.apply_chat_template(example.messages, add_generation_prompt=True, tokenize=False)
        assert encoded.ids[: encoded.prompt_length] == tokenizer.encode(served, add_special_tokens=False)
        assert encoded.ids[: encoded.prompt_length] == encode_prompt(tokenizer, example.messages)
        assert example.completion in tokenizer.decode(encoded.ids[encoded.prompt_length :])


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_the_completion_ends_with_one_eos_whatever_the_template_writes(tokenizer, template, monkeypatch):
    monkeypatch.setattr(tokenizer, "chat_template", template)
    eos = tokenizer.eos_token_id
    for encoded in encode(tokenizer, read(VALIDATION)[:10]):
        assert encoded.ids[-1] == eos and eos not in encoded.ids[encoded.prompt_length : -1]


def test_a_completion_is_cut_at_its_first_eos_where_serving_stops(tokenizer):
    messages = [{"role": "user", "content": "x"}]
    (encoded,) = encode(tokenizer, [Example(messages, f"runs{tokenizer.eos_token} and more")])
    prompt, answer = encode_prompt(tokenizer, messages), tokenizer.encode("runs", add_special_tokens=False)
    assert encoded.ids == [*prompt, *answer, tokenizer.eos_token_id]


def test_a_token_that_would_span_the_end_of_the_prompt_is_split_there(tokenizer, monkeypatch):
    """The prompt is encoded alone when it is served, so the completion begins with a token of its own."""
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"  # nothing separates question and answer
    monkeypatch.setattr(tokenizer, "chat_template", template)
    (encoded,) = encode(tokenizer, [Example([{"role": "user", "content": "bowl"}], "er")])
    prompt = tokenizer.encode("bowl", add_special_tokens=False)
    assert tokenizer.encode("bowler", add_special_tokens=False)[: len(prompt)] != prompt, (
        "the test's words do not merge"
    )
    assert encoded == EncodedExample(
        [*prompt, *tokenizer.encode("er", add_special_tokens=False), encoded.ids[-1]], len(prompt)
    )
    assert encoded.ids[-1] == tokenizer.eos_token_id


RECORD = {"linked": "P1 runs", "query": "runs | batter=P1", "cells": "A1 runs", "wording": "P1: A1 runs."}


@pytest.mark.parametrize(
    ("record", "tasks"),
    [
        (RECORD, ["plan", "answer"]),
        (RECORD | {"wording": ""}, ["plan"]),
        ({"question": "Who won?", "answer": "KKR", "query": None}, ["closed_book"]),
        ({"messages": [{"role": "user", "content": "x"}], "completion": "y", "task": "plan"}, ["plan"]),
        ({"messages": [{"role": "user", "content": "x"}], "completion": [{"role": "assistant", "content": "y"}]},
         ["closed_book"]),
    ],
)  # fmt: skip
def test_a_line_holds_the_examples_of_its_tasks(record, tasks):
    assert [e.task for e in of_line(json.dumps(record), "here")] == tasks


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"query": "runs"}', '{"messages": []}', '{"messages": [], "completion": []}', '{"question": "x"}'],
)
def test_a_line_that_holds_no_example_is_named(line):
    with pytest.raises(ExampleError, match="mine.jsonl line 3 is not an example"):
        of_line(line, "mine.jsonl line 3")
