"""The embedded base: its size, its card, and a lossless tokenizer."""

import json
from pathlib import Path

import pytest

BASE = Path("train/base")


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(BASE)


def test_the_base_fits_into_the_repository():
    assert sum(f.stat().st_size for f in BASE.iterdir()) < 20 * 2**20


def test_the_base_is_a_llama_whose_card_says_what_it_was_trained_on():
    assert json.loads((BASE / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]
    assert "Cricsheet" in (BASE / "README.md").read_text()


@pytest.mark.parametrize(
    "text", ["runs by batter | top 1", "P1 v T2, overs 16-20?", "4s/6s  two  spaces", "नमस्ते 😀 é", "287/3"]
)
def test_text_survives_encode_and_decode(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_every_digit_is_a_token_of_its_own(tokenizer):
    ids = tokenizer.encode("2024 287", add_special_tokens=False)
    assert [tokenizer.decode([i]).strip() for i in ids if tokenizer.decode([i]).strip()] == list("2024287")


def test_the_chat_template_renders_the_plan_prompt_with_one_bos(tokenizer):
    from data.prompts import plan_messages

    text = tokenizer.apply_chat_template(plan_messages("P1 runs"), add_generation_prompt=True, tokenize=False)
    assert text == "<s><|user|>plan P1 runs<|assistant|>"
