"""llama.cpp behind a small face: load a GGUF, decode one batch, look at logits, copy and drop KV cells, tokenise.

The only module of the engine that touches llama_cpp. All calls that change the context are made by one thread: libgomp
keeps a team of workers for every calling thread, and two teams fight each other. It knows nothing about requests,
scheduling or grammars. `llama_decode` releases the GIL; the many short calls keep it, since giving it away and getting
it back costs more than they do.
"""

from __future__ import annotations

import ctypes
import logging
import os
import random
import re
from collections.abc import Sequence as TokenList
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from serve import threads
from serve.errors import GrammarError, ModelError
from serve.scheduler import Step
from serve.sequence import Sampling

log = logging.getLogger(__name__)

SPIN_COUNT = 100  # bench_engine --waiting, on two cores that others used too: 0 to 100 gave 4 times what 2,000 gave


class DecodeError(Exception):
    """llama_decode refused a batch; `code` is what it returned (1: no room in the KV cache)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"llama_decode returned {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """What is loaded and how; 0 threads means what the cgroup grants."""

    model: Path
    n_ctx: int = 4096
    n_sequences: int = 32
    n_batch: int = 512
    n_ubatch: int = 512
    n_threads: int = 0
    n_threads_batch: int = 0
    n_gpu_layers: int = 0
    adapters: dict[str, Path] = field(default_factory=dict)


class Vocabulary:
    """Tokens as bytes. `pieces[i]` is the text of token i, empty for control tokens; `eog` end the generation."""

    def __init__(self, library: _Library, vocab: int) -> None:
        self._library, self._vocab = library, vocab
        self.size: int = library.llama_vocab_n_tokens(vocab)
        self.bos: int = library.llama_vocab_bos(vocab)
        self.eog = frozenset(t for t in range(self.size) if library.llama_vocab_is_eog(vocab, t))
        self.pieces = [self._piece(t, special=False) for t in range(self.size)]
        self.control = {
            self._piece(t, special=True).decode(errors="replace"): t
            for t in range(self.size)
            if library.llama_vocab_is_control(vocab, t)
        }
        self.sorted_pieces = sorted(piece for piece in set(self.pieces) if piece)
        self.longest = max(map(len, self.sorted_pieces), default=0)

    def _piece(self, token: int, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        n = self._library.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, special)
        return buffer.raw[:n] if n >= 0 else b""

    def tokenize(self, text: str) -> list[int]:
        """Text as tokens, as it stands: no BOS, and control tokens written as text stay text."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 16
        buffer = (ctypes.c_int32 * size)()
        n = self._library.llama_tokenize(self._vocab, data, len(data), buffer, size, False, False)
        if n < 0:
            raise ModelError(f"the tokenizer returned {n} for a text of {len(data)} bytes")
        return buffer[:n]

    def text(self, tokens: TokenList[int]) -> bytes:
        return b"".join(map(self.pieces.__getitem__, tokens))


class Runner:
    """One model and one context. Use from one thread, except `vocabulary`, which any thread may use."""

    def __init__(self, config: RunnerConfig) -> None:
        if note := threads.set_waiting(SPIN_COUNT):
            log.warning(note)
        self.config = config
        self._library = lib = _Library()
        self.system_info: str = lib.llama_print_system_info().decode()
        self.gpu: bool = lib.llama_supports_gpu_offload()
        if config.n_gpu_layers and not self.gpu:
            log.warning(
                "N_GPU_LAYERS=%d, but this llama-cpp-python has no GPU backend: everything runs on the CPU. "
                "Install a CUDA build (CMAKE_ARGS=-DGGML_CUDA=on) or set N_GPU_LAYERS=0.",
                config.n_gpu_layers,
            )
        self._model = self._context = None
        self._load_model()
        self._load_context()
        self.vocabulary = Vocabulary(lib, lib.llama_model_get_vocab(self._model))
        self._adapters = {name: self._load_adapter(name, path) for name, path in config.adapters.items()}
        self._adapter: str | None = None
        self._allocate(config.n_batch)

    def _load_model(self) -> None:
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
        self._model = lib.api.llama_model_load_from_file(str(path).encode(), params)
        if not self._model:
            raise ModelError(f"llama.cpp could not load {path}: {_last_native_error()}")
        if lib.api.llama_model_is_recurrent(self._model) or lib.api.llama_model_is_hybrid(self._model):
            raise ModelError(f"{path} keeps a recurrent state, whose prefixes cannot be shared: use an attention model")

    def _load_context(self) -> None:
        lib, config = self._library, self.config
        params = lib.api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = config.n_ctx, config.n_batch, config.n_ubatch
        params.n_seq_max, params.kv_unified = config.n_sequences, True
        params.n_threads = self.n_threads = config.n_threads or threads.available()
        params.n_threads_batch = self.n_threads_batch = config.n_threads_batch or threads.available()
        params.no_perf = True
        if not self.gpu:
            # The CPU's flash attention adds up in half precision: with it logits move by 5e-3 with what else is in the
            # batch, without it by less than 1e-3; and it decodes 40 % slower at 1 to 8 streams of 300 tokens.
            params.flash_attn_type = lib.api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self._context = lib.api.llama_init_from_model(self._model, params)
        if not self._context:
            raise ModelError(f"no context of {config.n_ctx} tokens could be made: {_last_native_error()}")
        self.n_ctx: int = lib.api.llama_n_ctx(self._context)
        self._memory = lib.api.llama_get_memory(self._context)
        self.description = (
            f"{self.n_threads} threads ({self.n_threads_batch} for prefill), context {self.n_ctx}, "
            f"{config.n_sequences} sequences, GPU layers {config.n_gpu_layers if self.gpu else 0} | "
            f"CPU variant {_cpu_variant()} | {self.system_info.strip()}"
        )

    def _load_adapter(self, name: str, path: Path) -> int:
        if not Path(path).is_file():
            raise ModelError(f"adapter {name}: {path} does not exist")
        adapter = self._library.api.llama_adapter_lora_init(self._model, str(path).encode())
        if not adapter:
            raise ModelError(f"adapter {name}: {path} does not fit this model: {_last_native_error()}")
        return adapter

    def _allocate(self, n: int) -> None:
        """The batch struct points into numpy arrays, so that a step is written as slices."""
        self._tokens, self._positions = np.zeros(n, np.int32), np.zeros(n, np.int32)
        self._slots, self._wanted = np.zeros(n, np.int32), np.zeros(n, np.int8)
        self._counts = np.ones(n, np.int32)
        self._slot_pointers = self._slots.ctypes.data + 4 * np.arange(n, dtype=np.uint64)
        pointer, i32 = ctypes.POINTER, ctypes.c_int32
        self._batch = self._library.api.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(pointer(i32)),
            embd=None,
            pos=self._positions.ctypes.data_as(pointer(i32)),
            n_seq_id=self._counts.ctypes.data_as(pointer(i32)),
            seq_id=ctypes.cast(self._slot_pointers.ctypes.data, pointer(pointer(i32))),
            logits=self._wanted.ctypes.data_as(pointer(ctypes.c_int8)),
        )
        self._range = np.arange(max(n, self.n_ctx) + 1, dtype=np.int32)
        self._view: tuple[tuple[int, int], np.ndarray] = ((0, 0), np.zeros((0, 0), np.float32))

    # -- one step

    def decode(self, step: Step) -> np.ndarray:
        """Compute a step; returns its logits as [rows, vocabulary], rows in the order of the chunks.

        The array is a view of native memory that the next call overwrites. Raises DecodeError.
        """
        tokens, positions, slots, wanted = self._tokens, self._positions, self._slots, self._wanted
        n = rows = 0
        for chunk in step.chunks:
            sequence = chunk.sequence
            ids = sequence.tokens[chunk.start : chunk.end]
            if chunk.drafts:
                ids = ids + chunk.drafts
            end = n + len(ids)
            tokens[n:end] = ids
            positions[n:end] = self._range[chunk.start : chunk.start + len(ids)]
            slots[n:end] = sequence.cells.slot
            wanted[n:end] = 0
            if chunk.rows:
                wanted[end - chunk.rows : end] = 1
                rows += chunk.rows
            n = end
        self._use_adapter(step.adapter)
        self._batch.n_tokens = n
        code = self._library.llama_decode(self._context, self._batch)
        if code != 0:
            raise DecodeError(code)
        if self.gpu:
            self._library.llama_synchronize(self._context)  # waits without the GIL; on a CPU decode has waited
        return self._logits(rows)

    def _logits(self, rows: int) -> np.ndarray:
        if rows == 0:
            return self._view[1][:0]
        address = self._library.llama_get_logits(self._context)
        if self._view[0] != (address, rows):
            size = self.vocabulary.size
            memory = (ctypes.c_float * (rows * size)).from_address(address)
            self._view = ((address, rows), np.frombuffer(memory, dtype=np.float32).reshape(rows, size))
        return self._view[1]

    def _use_adapter(self, name: str | None) -> None:
        if name == self._adapter:
            return
        chosen = [self._adapters[name]] if name else []
        array = (self._library.api.llama_adapter_lora_p_ctypes * 1)(*chosen)
        scales = (ctypes.c_float * 1)(1.0)
        if self._library.api.llama_set_adapters_lora(self._context, array, len(chosen), scales) != 0:
            raise DecodeError(-100)
        self._adapter = name

    def copy_cells(self, source: int, target: int, n: int) -> None:
        """Let sequence `target` refer to the first `n` cells of `source`; nothing is computed or moved."""
        self._library.llama_memory_seq_cp(self._memory, source, target, 0, n)

    def drop_cells(self, slot: int, start: int) -> None:
        """Forget the cells of sequence `slot` from position `start` on."""
        self._library.llama_memory_seq_rm(self._memory, slot, start, -1)

    # -- sampling

    def sampler(self, sampling: Sampling, prompt: TokenList[int]) -> Chain:
        """llama.cpp's sampler chain for one request; call its `close()` when the request ends."""
        return Chain(self._library, self.vocabulary.size, sampling, prompt)

    def metadata(self, key: str) -> str | None:
        """A value of the GGUF's metadata as text, None where it has no such key."""
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
        if self._context:
            api.llama_free(self._context)
        for adapter in getattr(self, "_adapters", {}).values():
            api.llama_adapter_lora_free(adapter)
        if self._model:
            api.llama_model_free(self._model)
        self._context = self._model = None
        self._adapters = {}


MAX_POOL = 512  # candidates of a draw under a grammar: testing all of a large vocabulary would stall the batch
_CANDIDATE = np.dtype([("id", "i4"), ("logit", "f4"), ("p", "f4")])


class Chain:
    """Bias, penalties, top-k, top-p, min-p, temperature and the draw, in llama.cpp's order, with its own seed."""

    def __init__(self, library: _Library, n_vocab: int, sampling: Sampling, prompt: TokenList[int]) -> None:
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


class _Library:
    """llama_cpp, loaded late (the waiting policy comes first), with the short calls bound through PyDLL."""

    _loaded = False

    def __init__(self) -> None:
        import llama_cpp.llama_cpp as api

        self.api = api
        folder = Path(api.__file__).parent / "lib"
        if not _Library._loaded:
            api.llama_log_set(_native_log, None)
            _load_backends(folder)
            api.llama_backend_init()
            _Library._loaded = True
        library = next(p for p in (folder / "libllama.so", folder / "libllama.dylib") if p.exists())
        quick = ctypes.PyDLL(str(library))
        void, i32, flag = ctypes.c_void_p, ctypes.c_int32, ctypes.c_bool

        def bind(owner: ctypes.CDLL, name: str, arguments: list, result: object):
            function = getattr(owner, name)
            function.argtypes, function.restype = arguments, result
            return function

        slow = ctypes.CDLL(str(library))
        self.llama_decode = bind(slow, "llama_decode", [void, api.llama_batch], i32)
        self.llama_synchronize = bind(slow, "llama_synchronize", [void], None)
        self.llama_print_system_info = bind(quick, "llama_print_system_info", [], ctypes.c_char_p)
        self.llama_supports_gpu_offload = bind(quick, "llama_supports_gpu_offload", [], flag)
        self.llama_get_logits = bind(quick, "llama_get_logits", [void], void)
        self.llama_memory_seq_cp = bind(quick, "llama_memory_seq_cp", [void, i32, i32, i32, i32], None)
        self.llama_memory_seq_rm = bind(quick, "llama_memory_seq_rm", [void, i32, i32, i32], flag)
        self.llama_sampler_apply = bind(quick, "llama_sampler_apply", [void, void], None)
        self.llama_sampler_accept = bind(quick, "llama_sampler_accept", [void, i32], None)
        self.llama_model_get_vocab = bind(quick, "llama_model_get_vocab", [void], void)
        self.llama_vocab_n_tokens = bind(quick, "llama_vocab_n_tokens", [void], i32)
        self.llama_vocab_bos = bind(quick, "llama_vocab_bos", [void], i32)
        self.llama_vocab_is_eog = bind(quick, "llama_vocab_is_eog", [void, i32], flag)
        self.llama_vocab_is_control = bind(quick, "llama_vocab_is_control", [void, i32], flag)
        self.llama_token_to_piece = bind(
            quick, "llama_token_to_piece", [void, i32, ctypes.c_char_p, i32, i32, flag], i32
        )
        self.llama_tokenize = bind(quick, "llama_tokenize", [void, ctypes.c_char_p, i32, void, i32, flag, flag], i32)


def _load_backends(folder: Path) -> None:
    """In a build with CPU variants, load the best one this CPU can run; elsewhere nothing is there to load."""
    for place in (folder, folder.parent / "bin", folder.parent.parent / "bin"):  # the wheel puts them in the last
        if any(place.glob("libggml-cpu-*.so")):
            # By its soname, to get the copy that libllama uses: a wheel holds no links, so that libggml.so and
            # libggml.so.0 are two files, and backends loaded into the other one would not be seen.
            libggml = ctypes.CDLL("libggml.so.0")
            libggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
            libggml.ggml_backend_load_all_from_path(str(place).encode())
            libggml.ggml_backend_reg_count.restype = ctypes.c_size_t
            if libggml.ggml_backend_reg_count() == 0:
                names = sorted(p.stem.removeprefix("libggml-cpu-") for p in place.glob("libggml-cpu-*.so"))
                raise ModelError(f"this CPU can run none of the CPU variants {names}: it lacks SSE4.2 (x86-64-v2)")
            return


def _cpu_variant() -> str:
    """The CPU variant that was picked at run time, or that the build has only one."""
    try:
        found = re.search(r"libggml-cpu-([\w.-]+)\.so", Path("/proc/self/maps").read_text())
    except OSError:
        found = None
    return found[1] if found else "fixed at build"


_native_errors: list[str] = []


def _last_native_error() -> str:
    return _native_errors[-1] if _native_errors else "no reason was given"


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def _native_log(level: int, text: bytes, _user: int) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR
        message = text.decode(errors="replace").strip()
        _native_errors.append(message)
        del _native_errors[:-20]
        log.warning("llama.cpp: %s", message)
    elif level == 2 and os.environ.get("LLAMA_LOG"):
        log.info("llama.cpp: %s", text.decode(errors="replace").strip())


def grammar_from_schema(schema: dict | str) -> str:
    """A JSON schema as GBNF, by the library's own translation. Raises GrammarError."""
    import json

    from llama_cpp.llama_grammar import json_schema_to_gbnf

    try:
        return json_schema_to_gbnf(schema if isinstance(schema, str) else json.dumps(schema))
    except RecursionError:
        raise GrammarError("the JSON schema is nested too deeply") from None
    except Exception as error:
        raise GrammarError(f"the JSON schema cannot be turned into a grammar: {error!r}") from None
