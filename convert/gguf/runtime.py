"""A GGUF loaded by the installed llama.cpp, for measurements: tokens, logits of many texts, speed.

    with Runtime(path) as model:
        model.logits([Sequence(ids, first)])

Used by the proofs, the importance matrix and the gate.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np

from convert.errors import ConvertError

_LOG_LINES: list[str] = []


@llama_cpp.llama_log_callback
def _keep_log(level: int, text: bytes, _data: object) -> None:
    # 3 and 4 are GGML_LOG_LEVEL_WARN and _ERROR; the other levels report every load in detail
    if level in (3, 4):
        _LOG_LINES.append(text.decode(errors="replace").rstrip())
        del _LOG_LINES[:-200]


def last_log() -> str:
    """The last warning or error of llama.cpp."""
    return _LOG_LINES[-1] if _LOG_LINES else "no message"


def keep_log() -> list[str]:
    """Keep llama.cpp's warnings and errors in the returned list from now on, instead of writing them to stderr."""
    _LOG_LINES.clear()
    llama_cpp.llama_log_set(_keep_log, ctypes.c_void_p(0))
    return _LOG_LINES


def usable_threads() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_for(path: Path) -> int:
    """Compute threads for a model file: one for a small one.

    A model of 5 M parameters reads 3,500 tokens a second on one thread and hardly more on two, but a twentieth of that
    on two as soon as another process needs a core, because llama.cpp's threads spin while they wait for each other.
    """
    return 1 if path.stat().st_size < 64 * 2**20 else usable_threads()


@dataclass(frozen=True)
class Sequence:
    """Token ids, and the first position whose logits are wanted (they predict position first + 1)."""

    ids: list[int]
    first: int = 0


@dataclass(frozen=True)
class Speed:
    """Tokens a second."""

    prefill_tokens_s: float
    decode_tokens_s: float


def _shared_prefix(sequences: list[Sequence]) -> int:
    """Number of leading tokens that all sequences share, as far as no logits of them are wanted."""
    longest = min(min(sequence.first, len(sequence.ids)) for sequence in sequences)
    first = sequences[0].ids
    for position in range(longest):
        if any(sequence.ids[position] != first[position] for sequence in sequences):
            return position
    return longest


class Runtime:
    """A loaded model with one context. Raises ConvertError where llama.cpp refuses the file or the input."""

    def __init__(
        self,
        path: Path,
        *,
        n_ctx: int = 2048,
        n_seqs: int = 8,
        threads: int | None = None,
        eval_callback: object | None = None,
    ) -> None:
        keep_log()
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = 0  # the service runs on the CPU
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            raise ConvertError(f"llama.cpp cannot load {path}: {last_log()}")
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = n_ctx
        settings.n_ubatch = min(512, n_ctx)
        settings.n_seq_max = n_seqs
        settings.kv_unified = True  # sequences of any length share the n_ctx cells
        settings.n_threads = settings.n_threads_batch = threads or threads_for(path)
        if eval_callback is not None:
            settings.cb_eval = eval_callback
        self._context = llama_cpp.llama_init_from_model(self.model, settings)
        if not self._context:
            llama_cpp.llama_model_free(self.model)
            raise ConvertError(f"llama.cpp cannot make a context of {n_ctx} tokens for {path}: {last_log()}")
        self.n_ctx, self.n_seqs = n_ctx, n_seqs
        self._batch = llama_cpp.llama_batch_init(n_ctx, 0, n_seqs)

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, *_: object) -> None:
        llama_cpp.llama_batch_free(self._batch)
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self.model)

    def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """Token ids by llama.cpp. add_special: BOS/EOS as the model says; parse_special: `<s>` in text is a token."""
        raw = text.encode()
        size = len(raw) + 8
        buffer = (llama_cpp.llama_token * size)()
        count = llama_cpp.llama_tokenize(self.vocab, raw, len(raw), buffer, size, add_special, parse_special)
        if count < 0:
            raise ConvertError(f"llama.cpp needs {-count} tokens for {len(raw)} bytes of text: {text[:80]!r}")
        return buffer[:count]

    def apply_adapter(self, path: Path) -> None:
        """Apply a LoRA GGUF to this model from now on."""
        adapter = llama_cpp.llama_adapter_lora_init(self.model, str(path).encode())  # freed with the model
        scale = (ctypes.c_float * 1)(1.0)
        one = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(adapter)
        if not adapter or llama_cpp.llama_set_adapters_lora(self._context, one, 1, scale) != 0:
            raise ConvertError(f"llama.cpp cannot apply the adapter {path}: {last_log()}")

    def logits(self, sequences: list[Sequence]) -> Iterator[np.ndarray]:
        """float32 [len(ids) - first, n_vocab] for each sequence, in order; several are computed in one batch."""
        start = 0
        while start < len(sequences):
            taken, room = start, self.n_ctx
            while taken < len(sequences) and taken - start < self.n_seqs and len(sequences[taken].ids) <= room:
                room -= len(sequences[taken].ids)
                taken += 1
            if taken == start:
                raise ConvertError(
                    f"a text of {len(sequences[start].ids)} tokens is longer than the {self.n_ctx} that "
                    "this measurement holds: shorten it or leave it out"
                )
            yield from self._decode(sequences[start:taken])
            start = taken

    def _decode(self, sequences: list[Sequence]) -> Iterator[np.ndarray]:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        shared = _shared_prefix(sequences)
        everyone = list(range(len(sequences)))
        n = 0
        for position in range(shared):  # computed once for all of them
            self._put(n, sequences[0].ids[position], position, everyone, False)
            n += 1
        for number, sequence in enumerate(sequences):
            for position in range(shared, len(sequence.ids)):
                self._put(n, sequence.ids[position], position, [number], position >= sequence.first)
                n += 1
        self._run(n)
        wanted = sum(len(s.ids) - s.first for s in sequences)
        rows = np.ctypeslib.as_array(llama_cpp.llama_get_logits(self._context), (wanted, self.n_vocab))
        offset = 0
        for sequence in sequences:
            count = len(sequence.ids) - sequence.first
            yield rows[offset : offset + count].copy()  # the next decode overwrites this memory
            offset += count

    def _put(self, index: int, token: int, position: int, sequences: list[int], wanted: bool) -> None:
        batch = self._batch
        batch.token[index], batch.pos[index] = token, position
        batch.n_seq_id[index] = len(sequences)
        for slot, sequence in enumerate(sequences):
            batch.seq_id[index][slot] = sequence
        batch.logits[index] = wanted

    def _run(self, count: int) -> None:
        self._batch.n_tokens = count
        code = llama_cpp.llama_decode(self._context, self._batch)
        if code != 0:
            raise ConvertError(f"llama_decode failed with {code} on {count} tokens: {last_log()}")

    def speed(self, prompt: list[int], tokens: int = 64) -> Speed:
        """Speed of prefill and of greedy decoding of one sequence, measured after one run to warm up."""
        prompt = prompt[: self.n_ctx - tokens - 1]
        for _ in range(2):
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
            begin = time.perf_counter()
            for index, token in enumerate(prompt):
                self._put(index, token, index, [0], index == len(prompt) - 1)
            self._run(len(prompt))
            prefilled = time.perf_counter()
            for step in range(tokens):
                row = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self._context, -1), (self.n_vocab,))
                self._put(0, int(row.argmax()), len(prompt) + step, [0], True)
                self._run(1)
            done = time.perf_counter()
        return Speed(len(prompt) / (prefilled - begin), tokens / (done - prefilled))
