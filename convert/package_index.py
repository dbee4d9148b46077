"""Files from the Python package index, pinned by hash, and the cache folder in which they are kept."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from convert.errors import ConvertError
from convert.manifest import sha256_file


@dataclass(frozen=True)
class PinnedFile:
    """A distribution of a package: a wheel or a source distribution."""

    package: str
    version: str
    name: str  # of the file
    size: int  # bytes
    sha256: str


def cache_folder() -> Path:
    """This project's folder in the user's cache, where fetched files are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "cricket-inference"


def fetch(file: PinnedFile, folder: Path, purpose: str) -> Path:
    """The file in `folder`, fetched with pip where it is not there. Raises ConvertError.

    Its hash is checked either way; `purpose` says in the progress line what it is for.
    """
    path = folder / file.name
    if not path.is_file():
        _download(file, path, purpose)
    check(file, path)
    return path


def check(file: PinnedFile, path: Path) -> None:
    """Raise ConvertError unless `path` is the pinned file."""
    digest = sha256_file(path)
    if digest != file.sha256:
        raise ConvertError(
            f"{path} is not {file.package} {file.version}: it has sha256 {digest}, expected {file.sha256}; delete it "
            "and run this again"
        )


def _download(file: PinnedFile, path: Path, purpose: str) -> None:
    print(f"fetching {file.name} ({file.size / 1e6:.0f} MB, once) for {purpose}", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        pinned = Path(folder) / "pinned.txt"
        pinned.write_text(f"{file.package}=={file.version} --hash=sha256:{file.sha256}\n")
        kind = "--only-binary" if file.name.endswith(".whl") else "--no-binary"
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", kind, file.package, "--require-hashes", "--dest", folder, "-r", str(pinned)),
        ]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            reason = (result.stderr.strip() or "no message").splitlines()[-1]
            raise ConvertError(
                f"pip could not fetch {file.name} ({reason}): connect to a package index and run this again, or "
                f"put the file ({file.size:,} bytes, sha256 {file.sha256}) at {path}"
            )
        os.replace(Path(folder) / file.name, path)
