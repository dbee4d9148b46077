"""Quantises an F16 GGUF with the installed library's own llama_model_quantize and an importance matrix.

Runs in its own process, since the C library aborts the process on what it does not expect, and so that its peak memory
can be measured. `python -m convert quantise --run runs/<name>`.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np

from convert.errors import ConvertError
from convert.gguf import imatrix as importance
from convert.gguf.runtime import keep_log, last_log, usable_threads
from convert.gguf.upstream_runner import begin_peak, peak_memory
from data.atomic_write import temporary_file

# name -> LLAMA_FTYPE, from large to small; F16 is the converter's file
QUANTISATIONS = {
    "F16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16,
    "Q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0,
    "Q6_K": llama_cpp.LLAMA_FTYPE_MOSTLY_Q6_K,
    "Q5_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q5_K_M,
    "Q4_K_M": llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M,
    "IQ4_XS": llama_cpp.LLAMA_FTYPE_MOSTLY_IQ4_XS,
}
_SUPER_BLOCK = 256  # columns that a K-quant or IQ4_XS packs together (QK_K of ggml)


def file_name(quantisation: str) -> str:
    """The name of a quantisation's file in a model folder."""
    return f"model-{quantisation.lower()}.gguf"


@dataclass(frozen=True)
class Quantised:
    """A quantised file. fallbacks: type -> number of tensors that have it because their rows do not divide by 256."""

    quantisation: str
    path: Path
    peak_extra_bytes: int
    fallbacks: dict[str, int]

    def fallback_line(self) -> str | None:
        """A sentence about the tensors of another type, None where there are none."""
        if not self.fallbacks:
            return None
        kinds = ", ".join(f"{count} as {kind}" for kind, count in sorted(self.fallbacks.items()))
        return (
            f"{self.quantisation}: {sum(self.fallbacks.values())} tensors have rows that do not divide by "
            f"{_SUPER_BLOCK} and fell back: {kinds}"
        )


def quantise(f16: Path, imatrix_file: Path | None, targets: dict[str, Path]) -> list[Quantised]:
    """Make each quantisation of targets (name -> path). Raises ConvertError naming the one that failed."""
    unknown = [name for name in targets if name not in QUANTISATIONS or name == "F16"]
    if unknown:
        raise ConvertError(f"unknown quantisation {unknown[0]!r}: choose among {', '.join(list(QUANTISATIONS)[1:])}")
    if not targets:
        return []
    with ExitStack() as stack:
        # absolute: the other process works in this project's folder
        parts = {name: str(stack.enter_context(temporary_file(path)).resolve()) for name, path in targets.items()}
        matrix = str(imatrix_file.resolve()) if imatrix_file else None
        job = {"f16": str(f16.resolve()), "imatrix": matrix, "targets": parts}
        result = subprocess.run(
            [sys.executable, "-m", "convert.gguf.quantise", json.dumps(job)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        if result.returncode != 0:
            reason = (result.stderr.strip() or "no message").splitlines()[-1]
            raise ConvertError(f"quantising {f16} failed (exit {result.returncode}): {reason}")
    peaks = json.loads(result.stdout.strip().splitlines()[-1])
    return [Quantised(name, path, peaks[name], fallbacks(path, name)) for name, path in targets.items()]


def fallbacks(path: Path, quantisation: str) -> dict[str, int]:
    """Types of the weight matrices whose rows do not divide into the blocks of 256 that the quantisation packs."""
    from gguf import GGUFReader

    if quantisation in ("F16", "Q8_0"):
        return {}
    counts: dict[str, int] = {}
    for tensor in GGUFReader(path).tensors:
        if len(tensor.shape) == 2 and tensor.shape[0] % _SUPER_BLOCK:
            counts[tensor.tensor_type.name] = counts.get(tensor.tensor_type.name, 0) + 1
    return counts


def _quantise_one(f16: str, name: str, target: str, matrix: dict[str, np.ndarray]) -> None:
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.nthread, parameters.ftype = usable_threads(), QUANTISATIONS[name]
    arrays = [np.ascontiguousarray(values, dtype=np.float32) for values in matrix.values()]
    entries = (llama_cpp.llama_model_imatrix_data * (len(matrix) + 1))()  # ends with a null name
    for entry, name, values in zip(entries, matrix, arrays, strict=False):
        entry.name, entry.size = name.encode(), values.size
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    if matrix:
        parameters.imatrix = ctypes.cast(entries, ctypes.POINTER(llama_cpp.llama_model_imatrix_data))
    code = llama_cpp.llama_model_quantize(f16.encode(), target.encode(), ctypes.byref(parameters))
    if code != 0:
        raise ConvertError(f"{name}: {last_log()}")


def _main(job: dict) -> None:
    keep_log()
    matrix = importance.load(Path(job["imatrix"])) if job["imatrix"] else {}
    peaks = {}
    for name, path in job["targets"].items():
        before = begin_peak()
        _quantise_one(job["f16"], name, path, matrix)
        peaks[name] = peak_memory() - before
    print(json.dumps(peaks))


if __name__ == "__main__":
    try:
        _main(json.loads(sys.argv[1]))
    except ConvertError as error:
        sys.exit(str(error))
