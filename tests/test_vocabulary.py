"""Text as tokens, word by word or not, compared with llama-cpp-python's own `Llama.tokenize`."""

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import Llama

from serve.bench import random_model
from serve.engine.runner import Runner, RunnerConfig
from serve.engine.vocabulary import MAX_CACHED_WORDS, MAX_WORD_LENGTH, Vocabulary
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
def test_tokenising_word_by_word_gives_the_same_tokens(plain, text):
    vocabulary, reference = plain
    assert vocabulary._by_words
    tokens = vocabulary.tokenize(text)
    assert tokens == expected(reference, text)
    assert vocabulary.tokenize(text) == tokens  # also when its words are cached


def test_a_caller_may_change_the_list_it_received(plain):
    vocabulary, reference = plain
    vocabulary.tokenize("wickets").append(7)
    assert vocabulary.tokenize("wickets") == expected(reference, "wickets")


def test_the_word_cache_is_bounded(plain):
    vocabulary, reference = plain
    for i in range(MAX_CACHED_WORDS + 100):
        vocabulary.tokenize(f"w{i}")
    cached = vocabulary._tokenize_word.cache_info()
    assert cached.currsize == MAX_CACHED_WORDS
    long = "x" * MAX_WORD_LENGTH
    assert vocabulary.tokenize(f"{long} {long}") == expected(reference, f"{long} {long}")
    # only the first word is looked up: with its space, the second is too long
    assert vocabulary._tokenize_word.cache_info().misses == cached.misses + 1


def test_a_token_with_a_space_inside_is_found(tmp_path, monkeypatch):
    tokens, scores, types = random_model.vocabulary(SHAPE.vocab)
    longer = [*tokens, "s\u2581".encode()], [*scores, 1e6], [*types, types[-1]]
    monkeypatch.setattr(random_model, "vocabulary", lambda size: longer)
    vocabulary, reference = vocabulary_of(tiny_gguf(tmp_path))
    found = vocabulary.tokenize("runs of the batter")
    assert found == expected(reference, "runs of the batter")
    assert b"s " in [vocabulary.pieces[token] for token in found], "otherwise this test shows nothing"


def test_a_tokenizer_that_adds_a_leading_space_gets_the_whole_text(tmp_path, monkeypatch):
    add = gguf.GGUFWriter.add_add_space_prefix
    monkeypatch.setattr(gguf.GGUFWriter, "add_add_space_prefix", lambda writer, _: add(writer, True))
    vocabulary, reference = vocabulary_of(tiny_gguf(tmp_path))
    assert vocabulary.text(vocabulary.tokenize("of the")) == b" of the"
    assert vocabulary.tokenize("runs of the batter") == expected(reference, "runs of the batter")
