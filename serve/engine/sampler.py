"""llama.cpp's sampler chain for one request: bias, penalties, truncation, temperature, the draw.

Greedy requests do without. Knows nothing about batches or grammars; a caller may narrow a draw to certain tokens.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Sequence as TokenList

import numpy as np

from serve.engine.bindings import Library
from serve.engine.sequence import Sampling

MAX_POOL = 512  # candidates of a draw under a grammar: testing all of a large vocabulary would stall the batch
_CANDIDATE = np.dtype([("id", "i4"), ("logit", "f4"), ("p", "f4")])


class Chain:
    """Bias, penalties, top-k, top-p, min-p, temperature and the draw, in llama.cpp's order, with its own seed."""

    def __init__(self, library: Library, n_vocab: int, sampling: Sampling, prompt: TokenList[int]) -> None:
        self._library, api = library, library.api
        params = api.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain = api.llama_sampler_chain_init(params)
        add = self._add
        if sampling.logit_bias:
            pairs = [api.llama_logit_bias(token, bias) for token, bias in sampling.logit_bias.items()]
            add(api.llama_sampler_init_logit_bias(n_vocab, len(pairs), (api.llama_logit_bias * len(pairs))(*pairs)))
        self._remembers = (
            sampling.repeat_penalty != 1.0 or sampling.frequency_penalty != 0.0 or sampling.presence_penalty != 0.0
        )
        if self._remembers:
            add(
                api.llama_sampler_init_penalties(
                    n_vocab,
                    sampling.penalty_last_n,
                    sampling.repeat_penalty,
                    sampling.frequency_penalty,
                    sampling.presence_penalty,
                )
            )
            for token in prompt[-sampling.penalty_last_n :]:
                library.llama_sampler_accept(self._chain, token)
        if sampling.temperature > 0:
            add(api.llama_sampler_init_top_k(sampling.top_k))
            add(api.llama_sampler_init_top_p(sampling.top_p, 1))
            add(api.llama_sampler_init_min_p(sampling.min_p, 1))
            add(api.llama_sampler_init_temp(sampling.temperature))
            seed = random.getrandbits(32) if sampling.seed is None else sampling.seed & 0xFFFFFFFF
            add(api.llama_sampler_init_dist(seed))
        else:
            add(api.llama_sampler_init_greedy())
        alone = not self._remembers and not sampling.logit_bias
        # Under a grammar the draw is among this many admitted tokens: top_k of them where nothing reorders them before
        self.pool = min(sampling.top_k or MAX_POOL, MAX_POOL) if alone else MAX_POOL
        self._candidates = np.zeros(n_vocab, _CANDIDATE)
        self._ids = np.arange(n_vocab, dtype=np.int32)
        self._array = api.llama_token_data_array()
        self._array.data = self._candidates.ctypes.data_as(ctypes.POINTER(api.llama_token_data))

    def _add(self, sampler: int) -> None:
        self._library.api.llama_sampler_chain_add(self._chain, sampler)

    def draw(self, row: np.ndarray, allowed: np.ndarray | None = None) -> int:
        """A token from one row of logits, from `allowed` ids only where given."""
        ids = self._ids if allowed is None else allowed
        n = len(ids)
        self._candidates["id"][:n] = ids
        self._candidates["logit"][:n] = row if allowed is None else row[allowed]
        self._array.size, self._array.selected, self._array.sorted = n, -1, False
        self._library.llama_sampler_apply(self._chain, ctypes.byref(self._array))
        return int(self._candidates["id"][self._array.selected])

    def accept(self, token: int) -> None:
        """Tell the penalties what was chosen."""
        if self._remembers:
            self._library.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        if self._chain:
            self._library.api.llama_sampler_free(self._chain)
            self._chain = None
