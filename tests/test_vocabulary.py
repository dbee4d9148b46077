"""Text as tokens: word by word or not, what llama-cpp-python's own `Llama.tokenize` makes of it."""

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import Llama

from serve.bench import random_model
from serve.engine.runner import Runner, RunnerConfig
from serve.engine.vocabulary import LONG_WORD, MOST_WORDS, Vocabulary
from tests.support.tiny_gguf import SHAPE, tiny_gguf

PARTS = st.sampled_from(["runs", "wickets", "of", "the", "P1", "'s", "6.48", " ", "  ", "\n", "é", "的", "<s>", "|"])
TEXTS = st.lists(PARTS | st.text(max_size=3), max_size=30).map("".join)


def vocabulary_of(path) -> tuple[Vocabulary, Llama]:
    return Runner(RunnerConfig(path, n_ctx=64)).vocabulary, Llama(str(path), vocab_only=True, verbose=False)


def expected(reference: Llama, text: str) -> list[int]:
    return reference.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=False)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return vocabulary_of(tiny_gguf(tmp_path_factory.mktemp("gguf")))


@given(TEXTS)
def test_word_by_word_a_text_becomes_the_same_tokens(plain, text):
    vocabulary, reference = plain
    assert vocabulary._by_words
    tokens = vocabulary.tokenize(text)
    assert tokens == expected(reference, text)
    assert vocabulary.tokenize(text) == tokens  # also where its words are known


def test_a_caller_may_change_its_tokens(plain):
    vocabulary, reference = plain
    vocabulary.tokenize("wickets").append(7)
    assert vocabulary.tokenize("wickets") == expected(reference, "wickets")


def test_what_is_kept_is_bounded(plain):
    vocabulary, reference = plain
    for i in range(MOST_WORDS + 100):
        vocabulary.tokenize(f"w{i}")
    known = vocabulary._word.cache_info()
    assert known.currsize == MOST_WORDS
    long = "x" * LONG_WORD
    assert vocabulary.tokenize(f"{long} {long}") == expected(reference, f"{long} {long}")
    assert vocabulary._word.cache_info().misses == known.misses + 1  # the first; with its space the second is too long


def test_a_token_that_goes_on_with_a_space_is_found(tmp_path, monkeypatch):
    tokens, scores, types = random_model.vocabulary(SHAPE.vocab)
    longer = [*tokens, "s\u2581".encode()], [*scores, 1e6], [*types, types[-1]]
    monkeypatch.setattr(random_model, "vocabulary", lambda size: longer)
    vocabulary, reference = vocabulary_of(tiny_gguf(tmp_path))
    found = vocabulary.tokenize("runs of the batter")
    assert found == expected(reference, "runs of the batter")
    assert b"s " in [vocabulary.pieces[token] for token in found], "otherwise this test says nothing"


def test_a_tokenizer_that_begins_every_text_with_a_space_gets_it_whole(tmp_path, monkeypatch):
    add = gguf.GGUFWriter.add_add_space_prefix
    monkeypatch.setattr(gguf.GGUFWriter, "add_add_space_prefix", lambda writer, _: add(writer, True))
    vocabulary, reference = vocabulary_of(tiny_gguf(tmp_path))
    assert vocabulary.text(vocabulary.tokenize("of the")) == b" of the"
    assert vocabulary.tokenize("runs of the batter") == expected(reference, "runs of the batter")
