"""Output of one sequence: sampling, grammar, forced text, stop handling and the text stream."""

from __future__ import annotations

import numpy as np

from serve.engine.errors import GrammarError, RequestFailed
from serve.engine.grammar.automaton import State
from serve.engine.grammar.tokens import admitted_tokens, forced_tokens
from serve.engine.sequence import Sequence
from serve.engine.vocabulary import Vocabulary

CANDIDATE_FACTOR = 32  # how many of the largest logits are tried per candidate, before listing all admitted tokens


class OutputProcessor:
    """Extends sequences of one vocabulary; with `jump_forward`, forced text needs no model."""

    def __init__(self, vocabulary: Vocabulary, jump_forward: bool) -> None:
        self._vocabulary, self._jump_forward = vocabulary, jump_forward

    def process(self, sequence: Sequence, rows: np.ndarray, best: list[int], at: int) -> str | None:
        """Sample the token after row `at` and append it; returns the finish reason, or None. See `sample`."""
        if sequence.grammar is not None:
            sequence.grammar.begin_token()
        greedy = sequence.grammar is None and sequence.sampler is None
        token = best[at] if greedy else self.sample(sequence, rows, best, at)
        if sequence.grammar is not None and sequence.sampler is not None:
            sequence.grammar.begin_token()  # finding candidates may have taken all, and what follows is forced
        return self.append(sequence, token)

    def sample(self, sequence: Sequence, rows: np.ndarray, best: list[int], at: int) -> int:
        """The next token after row `at`: the largest logit that the grammar admits, or one from the sampler chain.

        `rows` is [rows, vocabulary], `best` the token with the largest logit of every row. Raises RequestFailed.
        """
        state, sampler = sequence.grammar, sequence.sampler
        if state is None:
            return best[at] if sampler is None else int(sampler.sample(rows[at]))
        if sampler is None and self._admits(sequence, state, best[at]):
            return best[at]
        row = rows[at]
        candidates = self._candidates(sequence, state, row, 1 if sampler is None else sampler.n_candidates)
        if not len(candidates):
            raise RequestFailed("no token of the vocabulary continues this grammar")
        return int(candidates[0] if sampler is None else sampler.sample(row, candidates))

    def _admits(self, sequence: Sequence, state: State, token: int) -> bool:
        vocabulary = self._vocabulary
        if token in vocabulary.eog:
            return state.accepting and not sequence.request.ignore_eos
        return state.advance(vocabulary.pieces[token]) is not None

    def _candidates(self, sequence: Sequence, state: State, row: np.ndarray, n: int) -> np.ndarray:
        """Of the tokens that the grammar admits, the `n` with the largest logits, or all if they are fewer.

        Mostly they are among the largest logits of all; if not, the state's admitted tokens are listed once and kept.
        Where so many tries exceed the work of one token, those found so far are taken: the others are unlikely.
        """
        vocabulary = self._vocabulary
        if state.admitted_tokens is None:
            found: list[int] = []
            for token in _largest(row, CANDIDATE_FACTOR * n).tolist():
                try:
                    found += [token] if self._admits(sequence, state, token) else []
                except GrammarError:
                    if not found:
                        raise
                    return np.array(found, np.int32)
                if len(found) == n:
                    return np.array(found, np.int32)
        admitted = admitted_tokens(state, vocabulary)
        if state.accepting and not sequence.request.ignore_eos:
            admitted = np.concatenate([admitted, vocabulary.eog_array])
        largest: np.ndarray = admitted[_largest(row[admitted], n)]
        return largest

    def append(self, sequence: Sequence, token: int) -> str | None:
        """Append a sampled token and what the grammar forces after it; returns the finish reason, or None."""
        vocabulary = self._vocabulary
        if token in vocabulary.eog and not sequence.request.ignore_eos:
            return "stop"
        before = len(sequence.text)
        piece = vocabulary.pieces[token]
        sequence.tokens.append(token)
        sequence.text += piece
        if sequence.sampler is not None:
            sequence.sampler.accept(token)
        if sequence.grammar is not None:
            state = sequence.grammar.advance(piece)
            assert state is not None, "only admitted tokens are sampled"
            sequence.grammar = state
            self.append_forced(sequence)
        return self.finish_reason(sequence, before)

    def append_forced(self, sequence: Sequence) -> None:
        """Append the tokens that the grammar forces, unless they exceed the maximum length."""
        if not self._jump_forward or sequence.grammar is None:
            return
        tokens, after = forced_tokens(sequence.grammar, self._vocabulary)
        if not tokens or len(sequence.tokens) + len(tokens) > sequence.max_length:
            return
        sequence.tokens += tokens
        sequence.text += self._vocabulary.text(tokens)
        sequence.grammar = after
        sequence.stats.forced_tokens += len(tokens)
        if sequence.sampler is not None:
            for token in tokens:
                sequence.sampler.accept(token)

    def finish_reason(self, sequence: Sequence, before: int) -> str | None:
        """Why the sequence ends here, or None; text before byte `before` has been searched for stop texts."""
        for stop in sequence.request.stop:
            data = stop.encode()
            found = sequence.text.find(data, max(0, before - len(data) + 1))
            if found >= 0:
                del sequence.text[found:]
                return "stop"
        if sequence.grammar is not None and sequence.grammar.complete:
            return "stop"
        return "length" if len(sequence.tokens) >= sequence.max_length else None

    def stream(self, sequence: Sequence, final: bool) -> None:
        """Send new text to the caller: whole characters only, and nothing that may be the start of a stop text."""
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
    """Indices of the `n` largest values, largest first."""
    if n == 1:
        return np.array([values.argmax()]) if len(values) else np.array([], int)
    if n < len(values):
        top = np.argpartition(values, len(values) - n)[len(values) - n :]
    else:
        top = np.arange(len(values))
    return top[np.argsort(-values[top], kind="stable")]


def _whole_characters(text: bytearray, end: int) -> int:
    """The last position up to `end` at which a UTF-8 character ends."""
    for back in range(1, min(4, end) + 1):
        byte = text[end - back]
        if byte & 0xC0 != 0x80:
            size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end if back >= size else end - back
    return end
