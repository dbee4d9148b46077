"""llama.cpp's sampler chain for one request: bias, penalties, truncation, temperature, sampling.

Greedy requests need none. Under a grammar, the caller restricts sampling to the admitted tokens.
"""

from __future__ import annotations

import ctypes
import random
from collections.abc import Sequence as TokenList
from typing import Any

import numpy as np

from serve.engine.bindings import Library
from serve.engine.sequence import Sampling

MAX_CANDIDATES = 512  # under a grammar: testing all tokens of a large vocabulary would stall the batch
_CANDIDATE = np.dtype([("id", "i4"), ("logit", "f4"), ("p", "f4")])


class SamplerChain:
    """Bias, penalties, top-k, top-p, min-p, temperature and sampling, in llama.cpp's order, with its own seed."""

    def __init__(self, library: Library, n_vocab: int, sampling: Sampling, prompt: TokenList[int]) -> None:
        self._library, api = library, library.api
        params = api.llama_sampler_chain_default_params()
        params.no_perf = True
        self._chain: Any = api.llama_sampler_chain_init(params)
        add = self._add
        if sampling.logit_bias:
            pairs = [api.llama_logit_bias(token, bias) for token, bias in sampling.logit_bias.items()]
            add(api.llama_sampler_init_logit_bias(n_vocab, len(pairs), (api.llama_logit_bias * len(pairs))(*pairs)))
        self._has_penalties = (
            sampling.repeat_penalty != 1.0 or sampling.frequency_penalty != 0.0 or sampling.presence_penalty != 0.0
        )
        if self._has_penalties:
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
        keeps_order = not self._has_penalties and not sampling.logit_bias
        # Under a grammar, sample among this many admitted tokens; top_k suffice if nothing reorders them before
        self.n_candidates = min(sampling.top_k or MAX_CANDIDATES, MAX_CANDIDATES) if keeps_order else MAX_CANDIDATES
        self._candidates = np.zeros(n_vocab, _CANDIDATE)
        self._ids = np.arange(n_vocab, dtype=np.int32)
        self._array = api.llama_token_data_array()
        self._array.data = self._candidates.ctypes.data_as(ctypes.POINTER(api.llama_token_data))

    def _add(self, sampler: Any) -> None:
        self._library.api.llama_sampler_chain_add(self._chain, sampler)

    def sample(self, row: np.ndarray, allowed: np.ndarray | None = None) -> int:
        """Sample a token id from one row of logits; only from the ids `allowed`, if given."""
        ids = self._ids if allowed is None else allowed
        n = len(ids)
        self._candidates["id"][:n] = ids
        self._candidates["logit"][:n] = row if allowed is None else row[allowed]
        self._array.size, self._array.selected, self._array.sorted = n, -1, False
        self._library.llama_sampler_apply(self._chain, ctypes.byref(self._array))
        return int(self._candidates["id"][self._array.selected])

    def accept(self, token: int) -> None:
        """Record a chosen token for the penalties."""
        if self._has_penalties:
            self._library.llama_sampler_accept(self._chain, token)

    def close(self) -> None:
        """Free the native chain. Idempotent."""
        if self._chain:
            self._library.api.llama_sampler_free(self._chain)
            self._chain = None
