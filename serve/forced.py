"""Text that a grammar forces, as tokens that may be appended without asking the model.

Not every forced byte can be taken: after "f", with "fours" and "fifties" to choose from, the model expects one token
for a whole word and would be lost behind a single letter. So forced tokens are kept only as far as no token of the
vocabulary spans the place where the force ends.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol

from serve.grammar import State


class Pieces(Protocol):
    """What is needed of a vocabulary."""

    pieces: list[bytes]
    sorted_pieces: list[bytes]
    longest: int

    def tokenize(self, text: str) -> list[int]: ...


def forced_tokens(state: State, vocabulary: Pieces) -> tuple[list[int], State]:
    """Tokens that must follow `state` and the state after them; remembered in the state."""
    if state.forced_tokens is None:
        state.forced_tokens = _forced_tokens(state, vocabulary)
    return state.forced_tokens


def _forced_tokens(state: State, vocabulary: Pieces) -> tuple[list[int], State]:
    data, after = state.forced()
    if not data:
        return [], state
    tokens = vocabulary.tokenize(data.decode())
    if b"".join(vocabulary.pieces[t] for t in tokens) != data:
        return [], state  # the tokenizer adds or changes something (a leading space): leave it to the model
    if after.complete:
        return tokens, after
    followers = [bytes([byte]) for byte in range(256) if after.mask >> byte & 1]
    start = 0
    for i, token in enumerate(tokens):
        if len(data) - start < vocabulary.longest and _has_longer(data[start:], followers, vocabulary.sorted_pieces):
            tokens = tokens[:i]
            break
        start += len(vocabulary.pieces[token])
    for token in tokens:
        state = state.advance(vocabulary.pieces[token])
    return tokens, state


def _has_longer(text: bytes, followers: list[bytes], pieces: list[bytes]) -> bool:
    """Whether a token begins with `text` and goes on with one of `followers`."""
    for follower in followers:
        wanted = text + follower
        at = bisect_left(pieces, wanted)
        if at < len(pieces) and pieces[at].startswith(wanted):
            return True
    return False
