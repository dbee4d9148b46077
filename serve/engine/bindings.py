"""Bindings of the native library: loaded late, with the best CPU variant, its log redirected; short calls keep the GIL.

A wrong binding crashes the process, so all of them are in this module.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
from pathlib import Path
from typing import Any

from serve.engine.errors import ModelError

log = logging.getLogger(__name__)


class Library:
    """llama_cpp, loaded late (the spin count has to be set first); short calls are bound through PyDLL."""

    _loaded = False

    def __init__(self) -> None:
        import llama_cpp.llama_cpp as api

        self.api = api
        folder = Path(api.__file__).parent / "lib"
        if not Library._loaded:
            api.llama_log_set(_native_log, None)
            _load_backends(folder)
            api.llama_backend_init()
            Library._loaded = True
        library = next(p for p in (folder / "libllama.so", folder / "libllama.dylib") if p.exists())
        quick = ctypes.PyDLL(str(library))
        void, i32, flag = ctypes.c_void_p, ctypes.c_int32, ctypes.c_bool

        def bind(owner: ctypes.CDLL, name: str, arguments: list[Any], result: Any) -> Any:
            function = getattr(owner, name)
            function.argtypes, function.restype = arguments, result
            return function

        slow = ctypes.CDLL(str(library))
        self.llama_decode = bind(slow, "llama_decode", [void, api.llama_batch], i32)
        self.llama_synchronize = bind(slow, "llama_synchronize", [void], None)
        self.llama_print_system_info = bind(quick, "llama_print_system_info", [], ctypes.c_char_p)
        self.llama_supports_gpu_offload = bind(quick, "llama_supports_gpu_offload", [], flag)
        self.llama_get_logits = bind(quick, "llama_get_logits", [void], void)
        self.llama_set_n_threads = bind(quick, "llama_set_n_threads", [void, i32, i32], None)
        self.llama_memory_seq_cp = bind(quick, "llama_memory_seq_cp", [void, i32, i32, i32, i32], None)
        self.llama_memory_seq_rm = bind(quick, "llama_memory_seq_rm", [void, i32, i32, i32], flag)
        size = ctypes.c_size_t
        self.llama_state_seq_get_size = bind(quick, "llama_state_seq_get_size", [void, i32], size)
        self.llama_state_seq_get_data = bind(quick, "llama_state_seq_get_data", [void, void, size, i32], size)
        self.llama_state_seq_set_data = bind(quick, "llama_state_seq_set_data", [void, void, size, i32], size)
        self.llama_sampler_apply = bind(quick, "llama_sampler_apply", [void, void], None)
        self.llama_sampler_accept = bind(quick, "llama_sampler_accept", [void, i32], None)
        self.llama_model_get_vocab = bind(quick, "llama_model_get_vocab", [void], void)
        self.llama_vocab_type = bind(quick, "llama_vocab_type", [void], i32)
        self.llama_vocab_get_text = bind(quick, "llama_vocab_get_text", [void, i32], ctypes.c_char_p)
        self.llama_vocab_n_tokens = bind(quick, "llama_vocab_n_tokens", [void], i32)
        self.llama_vocab_bos = bind(quick, "llama_vocab_bos", [void], i32)
        self.llama_vocab_is_eog = bind(quick, "llama_vocab_is_eog", [void, i32], flag)
        self.llama_vocab_is_control = bind(quick, "llama_vocab_is_control", [void, i32], flag)
        self.llama_token_to_piece = bind(
            quick, "llama_token_to_piece", [void, i32, ctypes.c_char_p, i32, i32, flag], i32
        )
        self.llama_tokenize = bind(quick, "llama_tokenize", [void, ctypes.c_char_p, i32, void, i32, flag, flag], i32)


def _load_backends(folder: Path) -> None:
    """In a build with CPU variants, load the best one that this CPU can run; other builds have nothing to load."""
    for place in (folder, folder.parent / "bin", folder.parent.parent / "bin"):  # the wheel puts them in the last
        if any(place.glob("libggml-cpu-*.so")):
            # By its soname, to get the copy that libllama uses: a wheel has no symlinks, so libggml.so and
            # libggml.so.0 are two files, and backends loaded into the wrong one would not be registered.
            libggml = ctypes.CDLL("libggml.so.0")
            libggml.ggml_backend_load_all_from_path.argtypes = [ctypes.c_char_p]
            libggml.ggml_backend_load_all_from_path(str(place).encode())
            libggml.ggml_backend_reg_count.restype = ctypes.c_size_t
            if libggml.ggml_backend_reg_count() == 0:
                names = sorted(p.stem.removeprefix("libggml-cpu-") for p in place.glob("libggml-cpu-*.so"))
                raise ModelError(f"this CPU can run none of the CPU variants {names}: it lacks SSE4.2 (x86-64-v2)")
            return


def cpu_variant() -> str:
    """The CPU variant chosen at run time, or "fixed at build"."""
    try:
        found = re.search(r"libggml-cpu-([\w.-]+)\.so", Path("/proc/self/maps").read_text())
    except OSError:
        found = None
    return found[1] if found else "fixed at build"


_native_errors: list[str] = []
_offloaded: list[int] = []
OFFLOADED = re.compile(r"offloaded (\d+)/\d+ layers to GPU")  # llama.cpp says it in its log alone


def take_offloaded() -> int:
    """Layers of the model loaded last that are on a GPU, as llama.cpp has reported them; 0 without such a report."""
    layers = _offloaded[-1] if _offloaded else 0
    _offloaded.clear()
    return layers


def last_error() -> str:
    """llama.cpp's last error message."""
    return _native_errors[-1] if _native_errors else "no reason was given"


def _log_native(level: int, text: bytes, _user: int) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR
        message = text.decode(errors="replace").strip()
        _native_errors.append(message)
        del _native_errors[:-20]
        log.warning("llama.cpp: %s", message)
    elif level == 2:
        message = text.decode(errors="replace").strip()
        if found := OFFLOADED.search(message):
            _offloaded.append(int(found[1]))
        if os.environ.get("LLAMA_LOG"):
            log.info("llama.cpp: %s", message)


_native_log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_log_native)
