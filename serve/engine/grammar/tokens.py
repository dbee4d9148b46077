"""A grammar in tokens: all that a state admits, and those that it forces, which need no model.

Not every forced byte can be used: after the forced "f" of "fours" or "fifties", the model expects one token for the
whole word and has not learnt to continue a single letter. So forced tokens end where a token of the vocabulary could
span the end of the forced text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from serve.engine.grammar.automaton import State


class Pieces(Protocol):
    """The part of a vocabulary that is needed: texts by token, tokens by text, and the texts in order."""

    pieces: list[bytes]
    sorted_pieces: list[bytes]
    by_piece: dict[bytes, list[int]]
    longest: int  # bytes
    eog: frozenset[int]

    def tokenize(self, text: str) -> list[int]: ...


def admitted_tokens(state: State, vocabulary: Pieces) -> np.ndarray:
    """Ids of all tokens with a text that may follow `state`; cached in the state."""
    if state.admitted_tokens is None:
        state.admitted_tokens = np.array(_admitted_tokens(state, vocabulary), np.int32)
    return state.admitted_tokens


def _admitted_tokens(state: State, vocabulary: Pieces) -> list[int]:
    """Walks the sorted texts: a common prefix is read once, and a rejected byte skips to the next admitted one."""
    texts, found = vocabulary.sorted_pieces, []
    states, read = [state], b""  # states[k] is where read[:k] leads
    i = 0
    while i < len(texts):
        text = texts[i]
        while not text.startswith(read):
            read = read[:-1]
            states.pop()
        for byte in text[len(read) :]:
            after = states[-1].step(byte)
            if after is None:
                break
            states.append(after)
        read = text[: len(states) - 1]
        if read == text:
            found += vocabulary.by_piece[text]
            i += 1
            continue
        while not (higher := states[-1].mask >> byte + 1):
            if not read:
                i = len(texts)
                break
            byte, read = read[-1], read[:-1]
            states.pop()
        else:
            byte += (higher & -higher).bit_length()  # the lowest bit that is set
            i = bisect_left(texts, read + bytes([byte]), i + 1)
    return [token for token in found if token not in vocabulary.eog]


def forced_tokens(state: State, vocabulary: Pieces) -> tuple[list[int], State]:
    """Tokens that must follow `state`, and the state after them; cached in the state."""
    if state.forced_tokens is None:
        state.forced_tokens = _forced_tokens(state, vocabulary)
    return state.forced_tokens


def _forced_tokens(state: State, vocabulary: Pieces) -> tuple[list[int], State]:
    data, after = state.forced()
    if not data:
        return [], state
    tokens = vocabulary.tokenize(data.decode())
    if b"".join(vocabulary.pieces[t] for t in tokens) != data:
        return [], state  # the tokenizer adds or changes something (a leading space): let the model generate it
    if after.complete:
        return tokens, after
    followers = list(_bytes_in(after.mask))
    start = 0
    for i, token in enumerate(tokens):
        if len(data) - start < vocabulary.longest and _has_longer(data[start:], followers, vocabulary.sorted_pieces):
            tokens = tokens[:i]
            break
        start += len(vocabulary.pieces[token])
    for token in tokens:
        following = state.advance(vocabulary.pieces[token])
        assert following is not None, "forced text is admitted"
        state = following
    return tokens, state


def _bytes_in(mask: int) -> Iterator[bytes]:
    while mask:
        lowest = mask & -mask
        yield bytes([lowest.bit_length() - 1])
        mask ^= lowest


def _has_longer(text: bytes, followers: list[bytes], pieces: list[bytes]) -> bool:
    """Whether a token begins with `text` and continues with one of `followers`."""
    for follower in followers:
        wanted = text + follower
        at = bisect_left(pieces, wanted)
        if at < len(pieces) and pieces[at].startswith(wanted):
            return True
    return False
