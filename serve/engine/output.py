"""What a sequence writes: the next token from logits, what the grammar forces after it, where it ends, the stream.

Works on one sequence at a time and changes nothing but it. Knows nothing about batches, the KV cache or threads.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from serve.engine.errors import RequestFailed
from serve.engine.grammar.tokens import admitted_tokens, forced_tokens
from serve.engine.sequence import Sequence
from serve.engine.vocabulary import Vocabulary

SOME = 32  # times as many of the largest logits are tried as are wanted, before all that a grammar admits are listed


class Writer:
    """Continues sequences of one vocabulary; `jump_forward` takes forced text without asking the model."""

    def __init__(self, vocabulary: Vocabulary, jump_forward: bool) -> None:
        self._vocabulary, self._jump_forward = vocabulary, jump_forward

    def write(self, sequence: Sequence, rows: np.ndarray, best: list[int], at: int) -> str | None:
        """Choose the token after row `at` and append it; returns why the sequence ends, or None. See `pick`."""
        plain = sequence.grammar is None and sequence.chain is None
        return self.commit(sequence, best[at] if plain else self.pick(sequence, rows, best, at))

    def pick(self, sequence: Sequence, rows: np.ndarray, best: list[int], at: int) -> int:
        """The next token after row `at`: the largest logit that the grammar admits, or the sampler chain's draw.

        `best` holds the largest of every row.
        """
        state, chain = sequence.grammar, sequence.chain
        if state is None:
            return best[at] if chain is None else chain.draw(rows[at])
        if chain is None and self._admits(sequence, best[at]):
            return best[at]
        row = rows[at]
        admitted = self._admitted(sequence, row, 1 if chain is None else chain.pool)
        if not len(admitted):
            raise RequestFailed("no token of the vocabulary continues this grammar")
        return int(admitted[0]) if chain is None else chain.draw(row, admitted)

    def _admits(self, sequence: Sequence, token: int) -> bool:
        vocabulary = self._vocabulary
        if token in vocabulary.eog:
            return sequence.grammar.accepting and not sequence.request.ignore_eos
        return sequence.grammar.advance(vocabulary.pieces[token]) is not None

    def _admitted(self, sequence: Sequence, row: np.ndarray, n: int) -> np.ndarray:
        """The `n` largest logits' tokens among those that the grammar admits, or all of them where they are fewer.

        Most often some of the largest of all are enough; where not, the state's tokens are listed once for all.
        """
        state, vocabulary = sequence.grammar, self._vocabulary
        if state.admitted_tokens is None:
            tried = _largest(row, SOME * n).tolist()
            found = list(islice((token for token in tried if self._admits(sequence, token)), n))
            if len(found) == n:
                return np.array(found, np.int32)
        every = admitted_tokens(state, vocabulary)
        if state.accepting and not sequence.request.ignore_eos:
            every = np.concatenate([every, vocabulary.eog_array])
        return every[_largest(row[every], n)]

    def commit(self, sequence: Sequence, token: int) -> str | None:
        """Append a chosen token and what the grammar forces after it; returns why the sequence ends, or None."""
        vocabulary = self._vocabulary
        if token in vocabulary.eog and not sequence.request.ignore_eos:
            return "stop"
        before = len(sequence.text)
        piece = vocabulary.pieces[token]
        sequence.tokens.append(token)
        sequence.text += piece
        if sequence.chain is not None:
            sequence.chain.accept(token)
        if sequence.grammar is not None:
            sequence.grammar = sequence.grammar.advance(piece)
            self.jump(sequence)
        return self.ended(sequence, before)

    def jump(self, sequence: Sequence) -> None:
        """Append the tokens that the grammar forces, as far as the length allows."""
        if not self._jump_forward:
            return
        tokens, after = forced_tokens(sequence.grammar, self._vocabulary)
        if not tokens or len(sequence.tokens) + len(tokens) > sequence.most:
            return
        sequence.tokens += tokens
        sequence.text += self._vocabulary.text(tokens)
        sequence.grammar = after
        sequence.figures.forced_tokens += len(tokens)
        if sequence.chain is not None:
            for token in tokens:
                sequence.chain.accept(token)

    def ended(self, sequence: Sequence, before: int) -> str | None:
        """Why the sequence is at its end, if it is; text before `before` was looked at already."""
        for stop in sequence.request.stop:
            data = stop.encode()
            found = sequence.text.find(data, max(0, before - len(data) + 1))
            if found >= 0:
                del sequence.text[found:]
                return "stop"
        if sequence.grammar is not None and sequence.grammar.complete:
            return "stop"
        return "length" if len(sequence.tokens) >= sequence.most else None

    def stream(self, sequence: Sequence, final: bool) -> None:
        """Hand new text to the caller: whole characters only, and nothing that may yet turn out to be a stop text."""
        if sequence.request.on_text is None:
            return
        end = len(sequence.text)
        if not final:
            end -= max((len(stop.encode()) for stop in sequence.request.stop), default=1) - 1
            while end > sequence.sent and end < len(sequence.text) and sequence.text[end] & 0xC0 == 0x80:
                end -= 1
            end = _whole_characters(sequence.text, end)
        if end > sequence.sent:
            text = sequence.text[sequence.sent : end].decode(errors="replace")
            sequence.sent = end
            sequence.request.on_text(text)


def _largest(values: np.ndarray, n: int) -> np.ndarray:
    """Where the `n` largest values are, largest first."""
    if n == 1:
        return np.array([values.argmax()]) if len(values) else np.array([], int)
    if n < len(values):
        top = np.argpartition(values, len(values) - n)[len(values) - n :]
    else:
        top = np.arange(len(values))
    return top[np.argsort(-values[top], kind="stable")]


def _whole_characters(text: bytearray, end: int) -> int:
    """The last place up to `end` at which a UTF-8 character ends."""
    for back in range(1, min(4, end) + 1):
        byte = text[end - back]
        if byte & 0xC0 != 0x80:
            size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end if back >= size else end - back
    return end
