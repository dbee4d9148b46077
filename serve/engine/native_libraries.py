"""llama.cpp's shared libraries as they are installed: what they lack, and why there is no GPU backend.

`python -m serve.check_libraries` prints what is lacking.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

DRIVER = "libcuda.so.1"


class LibraryError(Exception):
    """The libraries cannot be examined; the message says why."""


def installed() -> list[Path]:
    """Every shared library of the installed llama-cpp-python. Raises LibraryError where there is none."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or not spec.origin:
        raise LibraryError("llama_cpp is not installed: pip install llama-cpp-python")
    package = Path(spec.origin).parent
    # The wheel puts backends beside site-packages' own bin; the images gather them in the package's lib.
    folders = (package / "lib", package / "bin", package.parent / "bin")
    return sorted(path for folder in folders for path in folder.glob("lib*.so*") if not path.is_symlink())


def lacking(library: Path) -> list[str]:
    """Names of shared libraries that `library` needs and that neither the loader nor its own folder has.

    Backends name no folder: llama.cpp loads them after the libraries beside them. Raises LibraryError.
    """
    done = subprocess.run(["ldd", str(library)], capture_output=True, text=True)
    if done.returncode:
        raise LibraryError(f"ldd {library} failed: {(done.stderr or done.stdout).strip()}")
    names = re.findall(r"^\s*(\S+) => not found", done.stdout, flags=re.M)
    return sorted(name for name in set(names) if not (library.parent / name).exists())


def why_no_gpu(libraries: Iterable[Path]) -> str:
    """Why llama.cpp has no GPU backend, and what to do: it was not built, a library is missing, or there is no GPU."""
    backend = next((path for path in libraries if re.match(r"libggml-(cuda|hip|vulkan)\.so", path.name)), None)
    if backend is None:
        return (
            "this llama-cpp-python was built without a GPU backend: use the image whose tag ends in -cuda, or install "
            "it with CMAKE_ARGS=-DGGML_CUDA=on"
        )
    try:
        ctypes.CDLL(str(backend))
    except OSError as error:
        driver = DRIVER in str(error)
        todo = (
            "the NVIDIA driver is not visible here: give the container a GPU (limit nvidia.com/gpu, docker run --gpus "
            "all), and the node its driver"
            if driver
            else "the image lacks that library"
        )
        return f"{backend.name} cannot be loaded ({error}): {todo}"
    return (
        f"{backend.name} is loaded but finds no GPU: give the container one (limit nvidia.com/gpu, docker run --gpus "
        "all) and check with nvidia-smi that the driver is new enough for the image's CUDA"
    )
