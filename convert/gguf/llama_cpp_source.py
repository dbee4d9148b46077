"""llama.cpp's own converter, from the source distribution that the installed llama-cpp-python was built from.

    python -m convert.gguf.llama_cpp_source [--server] [--example-server]

fetches that source distribution with pip (pinned by hash) and unpacks the converter into a cache folder. `--server`
also compiles llama-server and llama-bench of the same commit, with which benchmarks and tests compare (some 4 minutes
on 2 cores; needs cmake); `--example-server` unpacks llama-cpp-python's example server, which its wheel lacks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from convert.errors import ConvertError
from convert.package_index import PinnedFile, cache_folder, check, fetch
from data.atomic_write import atomic_write, temporary_folder

SDIST = PinnedFile(
    package="llama-cpp-python",
    version="0.3.36",
    name="llama_cpp_python-0.3.36.tar.gz",
    size=76_589_250,
    sha256="832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
)
# vendor/llama.cpp of that source distribution (its .git/modules/vendor/llama.cpp/HEAD); checked when it is unpacked.
LLAMA_CPP_COMMIT = "0c1e57098bba43ac29e6e3b677cdceebdd22334f"

_ROOT = SDIST.name.removesuffix(".tar.gz")
_VENDOR = f"{_ROOT}/vendor/llama.cpp"
_WANTED = (
    "convert_hf_to_gguf.py",
    "convert_lora_to_gguf.py",
    "conversion/",
    "gguf-py/gguf/",
    "gguf-py/LICENSE",
    "LICENSE",
)


@dataclass(frozen=True)
class LlamaCppSource:
    """folder holds convert_hf_to_gguf.py, convert_lora_to_gguf.py, conversion/ and gguf-py/."""

    folder: Path
    commit: str


def llama_cpp_source() -> LlamaCppSource:
    """The converter's folder, fetched and unpacked by the first call. Raises ConvertError."""
    _check_installed_version()
    target = cache_folder() / f"llama.cpp-{LLAMA_CPP_COMMIT[:12]}"
    if not (target / "convert_hf_to_gguf.py").is_file():
        _unpack(_sdist(), target)
    return LlamaCppSource(target, LLAMA_CPP_COMMIT)


def _check_installed_version() -> None:
    try:
        installed = version("llama-cpp-python")
    except PackageNotFoundError:
        raise ConvertError("llama-cpp-python is not installed: `pip install -r requirements.txt`") from None
    if installed != SDIST.version:
        raise ConvertError(
            f"llama-cpp-python {installed} is installed, the converter is pinned to {SDIST.version}: "
            "install the pinned version, or change the pins in convert/gguf/llama_cpp_source.py"
        )


def _sdist() -> Path:
    """The source distribution: the file that LLAMA_CPP_SDIST names, the one in the cache folder, or fetched by pip."""
    given = os.environ.get("LLAMA_CPP_SDIST")
    if not given:
        return fetch(SDIST, cache_folder() / "sdist", "llama.cpp's converter")
    path = Path(given)
    if not path.is_file():
        raise ConvertError(f"LLAMA_CPP_SDIST={given} is not a file: it must be the path of {SDIST.name}")
    check(SDIST, path)
    return path


def _unpack(sdist: Path, target: Path) -> None:
    """Unpack the converter from the source distribution into the folder `target`."""
    with temporary_folder(target) as part:
        commit = ""
        with tarfile.open(sdist) as archive:
            for member in archive:
                if member.name == f"{_ROOT}/.git/modules/vendor/llama.cpp/HEAD":
                    commit = archive.extractfile(member).read().decode().strip()
                inside = member.name.removeprefix(f"{_VENDOR}/")
                if member.isfile() and inside != member.name and inside.startswith(_WANTED):
                    member.name = inside
                    archive.extract(member, part, filter="data")
        if commit != LLAMA_CPP_COMMIT:
            raise ConvertError(
                f"{sdist} holds llama.cpp {commit or 'without a commit'}, expected {LLAMA_CPP_COMMIT}: "
                "correct LLAMA_CPP_COMMIT in convert/gguf/llama_cpp_source.py"
            )


def server_folder() -> Path:
    """The folder into which `--server` puts llama-server and llama-bench."""
    return cache_folder() / f"llama-server-{LLAMA_CPP_COMMIT[:12]}"


def build_server() -> Path:
    """Compile llama-server for this machine's CPU, as pip compiles llama-cpp-python. Raises ConvertError."""
    target = server_folder()
    if (target / "llama-server").is_file():
        return target
    if shutil.which("cmake") is None:
        raise ConvertError("cmake is needed to compile llama-server: install it (Debian: apt-get install cmake)")
    with tempfile.TemporaryDirectory(dir=_sdist().parent) as folder:
        with tarfile.open(_sdist()) as archive:
            archive.extractall(folder, filter="data")
        build = Path(folder) / "build"
        options = ["BUILD_SHARED_LIBS", "LLAMA_CURL", "LLAMA_OPENSSL", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_UI"]
        configure = ["cmake", "-S", str(Path(folder) / _VENDOR), "-B", str(build), *(f"-D{o}=OFF" for o in options)]
        compile_ = ["cmake", "--build", str(build), "--target", "llama-server", "llama-bench", "--parallel"]
        for command in (configure, [*compile_, str(os.cpu_count() or 1)]):
            if subprocess.run(command).returncode != 0:
                raise ConvertError(f"`{' '.join(command)}` failed: its last lines above say why")
        target.mkdir(parents=True, exist_ok=True)
        for name in ("llama-bench", "llama-server"):  # the one whose presence is checked comes last
            os.replace(build / "bin" / name, target / name)
    return target


def example_server() -> Path:
    """llama-cpp-python's example server, a script of its source distribution. Raises ConvertError."""
    target = cache_folder() / f"example-server-{SDIST.version}" / "server.py"
    if not target.is_file():
        with tarfile.open(_sdist()) as archive:
            text = archive.extractfile(f"{_ROOT}/examples/server/server.py").read()
        atomic_write(target, text)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", action="store_true", help="compile llama-server and llama-bench too")
    parser.add_argument("--example-server", action="store_true", help="unpack llama-cpp-python's example server too")
    args = parser.parse_args()
    try:
        source = llama_cpp_source()
        print(f"{source.folder} (llama.cpp {source.commit})")
        if args.server:
            print(build_server() / "llama-server")
        if args.example_server:
            print(example_server())
    except ConvertError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
