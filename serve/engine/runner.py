"""A thin llama.cpp wrapper: load a GGUF, decode one batch, read logits, copy and drop KV cells.

All calls that change the context are made by one thread: libgomp keeps a team of workers for every calling thread, and
two teams compete for the cores. `llama_decode` releases the GIL; the many short calls keep it, since releasing and
regaining it takes longer than they do.
"""

from __future__ import annotations

import ctypes
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from serve.engine import cpu_threads, memory, native_libraries
from serve.engine.bindings import Library, cpu_variant, last_error, take_offloaded
from serve.engine.errors import ModelError
from serve.engine.sampler import SamplerChain
from serve.engine.scheduler import Step
from serve.engine.sequence import Sampling
from serve.engine.vocabulary import Vocabulary

log = logging.getLogger(__name__)


class DecodeError(Exception):
    """llama_decode rejected a batch; `code` is its return value (1: no room in the KV cache)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"llama_decode returned {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """What is loaded and how, in tokens unless a name says otherwise; 0 threads: as many as the cgroup grants."""

    model: Path
    n_ctx: int = 4096
    n_sequences: int = 32
    n_batch: int = 512
    n_ubatch: int = 512
    n_threads: int = 0
    n_threads_batch: int = 0
    n_gpu_layers: int = 0
    gpu_required: bool = False  # without a GPU backend, n_gpu_layers is an error and not a warning
    flash_attention: bool = True
    adapters: dict[str, Path] = field(default_factory=dict)
    prefix_mb: int = 0  # of the engine's prefix cache, which has to fit into memory too


class Runner:
    """One model and one context. To be used by one thread, except `vocabulary`, which any thread may use.

    Raises ModelError if the model or an adapter cannot be loaded, or if memory is too small.
    """

    def __init__(self, config: RunnerConfig) -> None:
        if warning := cpu_threads.set_long_spin():
            log.warning(warning)
        self.config = config
        self.native_s = 0.0  # seconds inside llama.cpp: decoding, and moving cells
        self._library = lib = Library()
        self.system_info: str = lib.llama_print_system_info().decode()
        self.gpu: bool = lib.llama_supports_gpu_offload()
        if config.n_gpu_layers and not self.gpu:
            missing = (
                f"N_GPU_LAYERS={config.n_gpu_layers}, but {native_libraries.why_no_gpu(native_libraries.installed())}"
            )
            if config.gpu_required:
                raise ModelError(f"{missing}. N_GPU_LAYERS=0 or GPU_REQUIRED=false serve on the CPU instead.")
            log.warning("%s. Everything runs on the CPU.", missing)
        self._context: Any = None
        self._adapters: dict[str, Any] = {}
        self._adapter: str | None = None
        self.n_threads = config.n_threads or cpu_threads.available()
        self.n_threads_batch = config.n_threads_batch or cpu_threads.available()
        self._decode_threads = self.n_threads  # of the next step
        self._model: Any = self._load_model()
        self.gpu_layers: int = take_offloaded()
        all_layers: int = lib.api.llama_model_n_layer(self._model) + 1  # the output layer counts
        self.gpu_layers_wanted: int = min(config.n_gpu_layers, all_layers) if config.n_gpu_layers >= 0 else all_layers
        self._check_memory()
        self._context = self._load_context()
        self.n_ctx: int = lib.api.llama_n_ctx(self._context)
        self._memory: Any = lib.api.llama_get_memory(self._context)
        self.vocabulary = Vocabulary(lib, lib.llama_model_get_vocab(self._model))
        self._adapters = {name: self._load_adapter(name, path) for name, path in config.adapters.items()}
        self.description = (
            f"{self.n_threads} threads ({self.n_threads_batch} for prefill), context {self.n_ctx}, "
            f"{config.n_sequences} sequences, GPU layers {self.gpu_layers} of {self.gpu_layers_wanted} wanted | "
            f"CPU variant {cpu_variant()} | {self.system_info.strip()}"
        )
        n = config.n_batch
        self._tokens, self._positions = np.zeros(n, np.int32), np.zeros(n, np.int32)
        self._slots, self._wants_logits = np.zeros(n, np.int32), np.zeros(n, np.int8)
        self._slot_counts = np.ones(n, np.int32)
        self._slot_pointers = self._slots.ctypes.data + 4 * np.arange(n, dtype=np.uint64)
        self._batch: Any = self._make_batch()
        self._range = np.arange(max(n, self.n_ctx) + 1, dtype=np.int32)
        self._saved = np.empty(0, np.uint8)
        self._logits_address, self._all_logits = 0, np.zeros((0, self.vocabulary.size), np.float32)
        self._spin = cpu_threads.SpinControl()

    def _load_model(self) -> Any:
        lib, config = self._library, self.config
        path = Path(config.model)
        try:
            with path.open("rb") as file:
                magic = file.read(4)
        except OSError as error:
            raise ModelError(f"model {path} cannot be read ({error.strerror}): run `python -m convert` first") from None
        if magic != b"GGUF":
            raise ModelError(f"{path} is not a GGUF file (it begins with {magic!r})")
        params = lib.api.llama_model_default_params()
        params.n_gpu_layers = config.n_gpu_layers if self.gpu else 0
        model = lib.api.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ModelError(f"llama.cpp could not load {path}: {last_error()}")
        if lib.api.llama_model_is_recurrent(model) or lib.api.llama_model_is_hybrid(model):
            raise ModelError(f"{path} has a recurrent state, whose prefixes cannot be shared: use an attention model")
        return model

    def _load_context(self) -> Any:
        lib, config = self._library, self.config
        params = lib.api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = config.n_ctx, config.n_batch, config.n_ubatch
        params.n_seq_max, params.kv_unified = config.n_sequences, True
        params.n_threads, params.n_threads_batch = self.n_threads, self.n_threads_batch
        params.no_perf = True
        flash = "ENABLED" if config.flash_attention else "DISABLED"
        params.flash_attn_type = getattr(lib.api, f"LLAMA_FLASH_ATTN_TYPE_{flash}")
        context = lib.api.llama_init_from_model(self._model, params)
        if not context:
            raise ModelError(f"llama.cpp could not create a context of {config.n_ctx} tokens: {last_error()}")
        return context

    def _check_memory(self) -> None:
        """KV cache (half precision), a batch's logits and the prefix cache have to fit: a cgroup kills silently."""
        api, config = self._library.api, self.config
        head = api.llama_model_n_embd(self._model) / api.llama_model_n_head(self._model)
        name = self.metadata("general.architecture")
        widths = (float(self.metadata(f"{name}.attention.{what}_length") or head) for what in ("key", "value"))
        cell = 2 * api.llama_model_n_layer(self._model) * api.llama_model_n_head_kv(self._model) * sum(widths)
        n_vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self._model))
        context, prefixes = int(config.n_ctx * cell) + 4 * config.n_batch * n_vocab, config.prefix_mb << 20  # bytes
        available = memory.available()
        if self.gpu and config.n_gpu_layers:
            context = 0
        if available is not None and context + prefixes > available:
            raise ModelError(
                f"a context of {config.n_ctx} tokens needs about {context / 2**20:,.0f} MiB, prefixes "
                f"{config.prefix_mb:,} MiB, and {available / 2**20:,.0f} MiB are available: lower N_CTX or "
                "PREFIX_CACHE_MB, or give the process more memory"
            )

    def _load_adapter(self, name: str, path: Path) -> Any:
        if not Path(path).is_file():
            raise ModelError(f"adapter {name}: {path} does not exist")
        adapter = self._library.api.llama_adapter_lora_init(self._model, str(path).encode())
        if not adapter:
            raise ModelError(f"adapter {name}: {path} does not fit this model: {last_error()}")
        return adapter

    def _make_batch(self) -> Any:
        """The batch struct points into numpy arrays, so that a step is written as slices."""
        pointer, i32 = ctypes.POINTER, ctypes.c_int32
        return self._library.api.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(pointer(i32)),
            embd=None,
            pos=self._positions.ctypes.data_as(pointer(i32)),
            n_seq_id=self._slot_counts.ctypes.data_as(pointer(i32)),
            seq_id=ctypes.cast(self._slot_pointers.ctypes.data, pointer(pointer(i32))),
            logits=self._wants_logits.ctypes.data_as(pointer(ctypes.c_int8)),
        )

    # -- one step

    def decode(self, step: Step) -> np.ndarray:
        """Compute a step; returns its logits as float32 [rows, vocabulary], rows in the order of the chunks.

        The array is a view of native memory that the next call overwrites. Raises DecodeError.
        """
        tokens, positions, slots, wants_logits = self._tokens, self._positions, self._slots, self._wants_logits
        n = rows = 0
        for chunk in step.chunks:
            sequence, start = chunk.sequence, chunk.start
            if chunk.end - start == 1 and not chunk.drafts:
                tokens[n], positions[n], slots[n] = sequence.tokens[start], start, sequence.cells.slot
                wants_logits[n] = chunk.rows
                rows += chunk.rows
                n += 1
                continue
            ids = sequence.tokens[start : chunk.end] + chunk.drafts
            end = n + len(ids)
            tokens[n:end] = ids
            positions[n:end] = self._range[start : start + len(ids)]
            slots[n:end] = sequence.cells.slot
            wants_logits[n:end] = 0
            if chunk.rows:
                wants_logits[end - chunk.rows : end] = 1
                rows += chunk.rows
            n = end
        if step.adapter != self._adapter:
            self._use_adapter(step.adapter)
        self._batch.n_tokens = n
        began = time.perf_counter()
        code = self._library.llama_decode(self._context, self._batch)
        if code == 0 and self.gpu:
            self._library.llama_synchronize(self._context)  # waits without the GIL; on a CPU, decode has waited
        self.native_s += time.perf_counter() - began
        if code != 0:
            raise DecodeError(code)
        return self._logits(rows)

    def _logits(self, rows: int) -> np.ndarray:
        """The first rows of llama.cpp's buffer, which moves when it grows; the view may be larger than the buffer."""
        if rows == 0:
            return self._all_logits[:0]
        address = self._library.llama_get_logits(self._context)
        if address != self._logits_address:
            size = self.vocabulary.size
            buffer = (ctypes.c_float * (self.config.n_batch * size)).from_address(address)
            self._all_logits = np.frombuffer(memoryview(buffer), dtype=np.float32).reshape(-1, size)
            self._logits_address = address
        return self._all_logits[:rows]

    def use_threads(self, n: int, short_spin: bool) -> None:
        """Compute the next steps with `n` threads, which spin only briefly while they wait if `short_spin`.

        Prefill keeps the number configured for it, if any.
        """
        if n != self._decode_threads:
            batch = self.config.n_threads_batch or n
            self._library.llama_set_n_threads(self._context, n, batch)
            self._decode_threads = n
        self._spin.set(short_spin)

    def _use_adapter(self, name: str | None) -> None:
        chosen = [self._adapters[name]] if name else []
        array = (self._library.api.llama_adapter_lora_p_ctypes * 1)(*chosen)
        scales = (ctypes.c_float * 1)(1.0)
        if self._library.api.llama_set_adapters_lora(self._context, array, len(chosen), scales) != 0:
            raise DecodeError(-100)
        self._adapter = name

    def copy_cells(self, source: int, target: int, n: int) -> None:
        """Let sequence `target` reference the first `n` cells of `source`; nothing is computed or moved."""
        began = time.perf_counter()
        self._library.llama_memory_seq_cp(self._memory, source, target, 0, n)
        self.native_s += time.perf_counter() - began

    def drop_cells(self, slot: int, start: int) -> None:
        """Drop the cells of sequence `slot` from position `start` on."""
        began = time.perf_counter()
        self._library.llama_memory_seq_rm(self._memory, slot, start, -1)
        self.native_s += time.perf_counter() - began

    def save_cells(self, slot: int, max_bytes: int) -> np.ndarray | None:
        """The cells of sequence `slot` as bytes for a context of the same model; None if more than `max_bytes`.

        The array is a view of memory that the next call overwrites.
        """
        size = self._library.llama_state_seq_get_size(self._context, slot)
        if size > max_bytes:
            return None
        if size > len(self._saved):
            self._saved = np.empty(size, np.uint8)
        address, began = self._saved.ctypes.data, time.perf_counter()
        size = self._library.llama_state_seq_get_data(self._context, address, size, slot)
        self.native_s += time.perf_counter() - began
        return self._saved[:size]

    def load_cells(self, slot: int, data: np.ndarray) -> bool:
        """Put saved cells into the empty sequence `slot`; False if there is no room for them."""
        address, began = data.ctypes.data, time.perf_counter()
        size: int = self._library.llama_state_seq_set_data(self._context, address, len(data), slot)
        self.native_s += time.perf_counter() - began
        return size == len(data)

    # -- sampling

    def sampler(self, sampling: Sampling, prompt: list[int]) -> SamplerChain:
        """llama.cpp's sampler chain for one request; call its `close()` when the request ends."""
        n_vocab, last_n = self.vocabulary.size, min(sampling.penalty_last_n, self.n_ctx)
        bounded = replace(sampling, penalty_last_n=last_n, top_k=min(sampling.top_k, n_vocab))  # fits 32 bits
        return SamplerChain(self._library, n_vocab, bounded, prompt)

    def metadata(self, key: str) -> str | None:
        """A value of the GGUF's metadata as text; None if it has no such key."""
        size = 4096
        while True:
            buffer = ctypes.create_string_buffer(size)
            n = self._library.api.llama_model_meta_val_str(self._model, key.encode(), buffer, size)
            if n < 0:
                return None
            if n < size:
                return buffer.value.decode(errors="replace")
            size = n + 1

    def close(self) -> None:
        """Free the context and the model."""
        api = self._library.api
        self._spin.set(short=False)
        if self._context:
            api.llama_free(self._context)
        for adapter in self._adapters.values():
            api.llama_adapter_lora_free(adapter)
        if self._model:
            api.llama_model_free(self._model)
        self._context = self._model = None
        self._adapters = {}
