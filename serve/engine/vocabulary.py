"""A model's vocabulary: tokens as bytes, and text as tokens."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence as TokenList
from functools import lru_cache

import numpy as np

from serve.engine.bindings import Library
from serve.engine.errors import ModelError

SPM = 1  # LLAMA_VOCAB_TYPE_SPM: SentencePiece's merging by score
MAX_CACHED_WORDS, MAX_WORD_LENGTH = 8192, 32  # words whose tokens are cached, and characters of one: 3 MB
_WORD = re.compile("[ \u2581]*[^ \u2581]+|[ \u2581]+")  # "\u2581" stands for a space in tokens
_SPACE_INSIDE = re.compile("[^ \u2581][ \u2581]")


class Vocabulary:
    """Tokens as bytes. `pieces[i]` is the text of token i, empty for control tokens; the ids `eog` end generation."""

    def __init__(self, library: Library, vocab: int) -> None:
        self._library, self._vocab = library, vocab
        self.size: int = library.llama_vocab_n_tokens(vocab)
        self.bos: int = library.llama_vocab_bos(vocab)
        self.eog = frozenset(t for t in range(self.size) if library.llama_vocab_is_eog(vocab, t))
        self.eog_array = np.array(sorted(self.eog), np.int32)
        self.pieces = [self._piece(t, special=False) for t in range(self.size)]
        self.control = {
            self._piece(t, special=True).decode(errors="replace"): t
            for t in range(self.size)
            if library.llama_vocab_is_control(vocab, t)
        }
        self.by_piece: dict[bytes, list[int]] = {}
        for token, piece in enumerate(self.pieces):
            if piece:
                self.by_piece.setdefault(piece, []).append(token)
        self.sorted_pieces = sorted(self.by_piece)
        self.longest = max(map(len, self.sorted_pieces), default=0)
        texts = (library.llama_vocab_get_text(vocab, t).decode(errors="replace") for t in range(self.size))
        self._by_words = (
            library.llama_vocab_type(vocab) == SPM
            and not any(map(_SPACE_INSIDE.search, texts))
            and self.text(self._tokenize("a")) == b"a"
        )
        self._tokenize_word = lru_cache(MAX_CACHED_WORDS)(self._tokenize)

    def _piece(self, token: int, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        n = self._library.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[:n] if n >= 0 else b""

    def tokenize(self, text: str) -> list[int]:
        """Text as token ids: no BOS is added, and the names of control tokens stay plain text.

        If no token has a space after another character, no SentencePiece merge crosses words, so words are tokenised
        one by one, most of them from a cache: that takes a tenth of the time.
        """
        if not self._by_words:
            return self._tokenize(text)
        tokens: list[int] = []
        for word in _WORD.findall(text):
            tokens += self._tokenize_word(word) if len(word) <= MAX_WORD_LENGTH else self._tokenize(word)
        return tokens

    def _tokenize(self, text: str) -> list[int]:
        data = text.encode("utf-8", "replace")
        size = len(data) + 16
        buffer = (ctypes.c_int32 * size)()
        n = self._library.llama_tokenize(self._vocab, data, len(data), buffer, size, False, False)
        if n < 0:
            raise ModelError(f"the tokenizer returned {n} for a text of {len(data)} bytes")
        return buffer[:n]

    def text(self, tokens: TokenList[int]) -> bytes:
        """The bytes of tokens; control tokens have none."""
        return b"".join(map(self.pieces.__getitem__, tokens))
