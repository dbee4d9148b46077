"""The importance matrix: the mean squared input of every weight matrix while the model reads texts of the task.

    save(collect(f16, sequences), path)

Collected inside llama.cpp through the evaluation callback of its C API, as its own llama-imatrix does, and given to the
quantiser.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import llama_cpp
import numpy as np
from llama_cpp import _ggml

from convert.errors import ConvertError
from convert.gguf.runtime import Runtime, Sequence
from data.atomic_write import temporary_file

_MAX_DIMS, _MAX_SRC, _MAX_OP_PARAMS, _MAX_NAME = 4, 10, 64, 64  # ggml.h of the pinned llama.cpp


class _Tensor(ctypes.Structure):
    """struct ggml_tensor of ggml.h; the binding does not declare it. Checked against ggml_get_name on every use."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * _MAX_DIMS),
    ("nb", ctypes.c_size_t * _MAX_DIMS),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * (_MAX_OP_PARAMS // 4)),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * _MAX_SRC),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * _MAX_NAME),
    ("extra", ctypes.c_void_p),
    ("padding", ctypes.c_char * 8),
]

_F32 = 0  # GGML_TYPE_F32


class _Collector:
    """The callback and what it adds up: by weight matrix the sums of squared inputs, and over how many tokens."""

    def __init__(self) -> None:
        self.sums: dict[str, np.ndarray] = {}
        self.counts: dict[str, int] = {}
        self.error: str | None = None
        base = ctypes.CDLL(str(_ggml.libggml_base_path / _base_library()))
        self._name_of, self._op_of = base.ggml_get_name, base.ggml_op_name
        self._name_of.restype = self._op_of.restype = ctypes.c_char_p
        self._name_of.argtypes, self._op_of.argtypes = [ctypes.c_void_p], [ctypes.c_int]
        self.callback = llama_cpp.ggml_backend_sched_eval_callback(self._called)

    def _called(self, address: int, ask: bool, _data: object) -> bool:
        try:
            return self._observe(address, ask)
        except Exception as error:  # an exception must not pass through C code
            self.error = self.error or f"{type(error).__name__}: {error}"
            return not ask

    def _observe(self, address: int, ask: bool) -> bool:
        """With `ask`, whether the tensor's values are wanted; without, they are computed: add them up and go on."""
        tensor = ctypes.cast(address, ctypes.POINTER(_Tensor)).contents
        if tensor.name != self._name_of(address):
            raise ConvertError("struct ggml_tensor is not the one of the pinned llama.cpp")
        if self._op_of(tensor.op) != b"MUL_MAT":
            return not ask
        name, values = tensor.src[0].contents.name.decode(), tensor.src[1].contents
        wanted = name.startswith("blk.") and name.endswith(".weight") and values.type == _F32
        if ask or not wanted:
            return wanted or not ask
        columns, rows = values.ne[0], values.ne[1] * values.ne[2] * values.ne[3]
        flat = np.ctypeslib.as_array(ctypes.cast(values.data, ctypes.POINTER(ctypes.c_float)), (rows, columns))
        self.sums[name] = self.sums.get(name, 0.0) + np.einsum("ij,ij->j", flat, flat, dtype=np.float64)
        self.counts[name] = self.counts.get(name, 0) + rows
        return True


def _base_library() -> str:
    for name in ("libggml-base.so", "libggml-base.dylib", "ggml-base.dll"):
        if (_ggml.libggml_base_path / name).exists():
            return name
    raise ConvertError(f"no ggml-base library in {_ggml.libggml_base_path}: reinstall llama-cpp-python")


def collect(f16: Path, sequences: list[list[int]], *, threads: int | None = None) -> dict[str, np.ndarray]:
    """float32 [columns] for each weight matrix, averaged over all tokens of the sequences. Raises ConvertError."""
    collector = _Collector()
    # 512 tokens at once: every position has to be an output (or the last layer sees fewer rows), and for a vocabulary
    # of 150,000 their logits take 300 MB
    with Runtime(f16, n_ctx=512, threads=threads, eval_callback=collector.callback) as runtime:
        for _ in runtime.logits([Sequence(ids[:512]) for ids in sequences if ids]):
            pass
    if collector.error:
        raise ConvertError(f"the importance matrix could not be collected: {collector.error}")
    if not collector.sums:
        raise ConvertError("the importance matrix is empty: no weight matrix of this architecture was seen")
    return {name: (total / collector.counts[name]).astype(np.float32) for name, total in collector.sums.items()}


def save(matrix: dict[str, np.ndarray], path: Path) -> None:
    """Write a matrix as .npz."""
    with temporary_file(path) as part:
        np.savez(part, **matrix)


def load(path: Path) -> dict[str, np.ndarray]:
    """The matrix that `save` wrote."""
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}
