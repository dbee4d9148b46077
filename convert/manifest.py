"""The manifest of a model folder: which files belong to it, their hashes, where they come from, their quality.

Owns the format of manifest.json. Imports neither torch nor llama.cpp, so that the service can check a folder with it:
`verify(Path("models/default"))`, or `python -m convert verify models/default`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data.atomic_write import atomic_write
from data.dataset.knowledge import KNOWLEDGE_FILE

MANIFEST_NAME = "manifest.json"


class ManifestError(Exception):
    """A model folder differs from its manifest; the message says what to do."""


@dataclass(frozen=True)
class FileEntry:
    """One published file; `quantisation` is None where it is no model (card, pictures)."""

    sha256: str
    size: int  # bytes
    quantisation: str | None = None


@dataclass(frozen=True)
class Base:
    """The base model: hub id or folder, and a hash of its files."""

    id: str
    revision: str | None
    sha256: str
    licence: str | None = None  # as the hub writes it, where the base says it


@dataclass(frozen=True)
class Data:
    """What was trained on."""

    season: str | None
    sha256: str | None
    source: str | None = None  # who published the match data; None where they are the user's own
    data_set: str | None = None  # hub id of the questions and answers, where they came from there


@dataclass(frozen=True)
class Adapter:
    """The LoRA adapter; no hash where every weight was trained."""

    sha256: str | None


@dataclass(frozen=True)
class Manifest:
    """The content of manifest.json."""

    name: str
    created: str  # ISO 8601, UTC
    base: Base
    data: Data
    adapter: Adapter
    prompt_version: str | None
    llama_cpp_commit: str
    default_file: str
    files: dict[str, FileEntry]  # by name
    evaluation: dict[str, Any] = field(default_factory=dict)
    gate: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as JSON text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> Manifest:
        """Parse a manifest. Raises ManifestError, which names `source`."""
        try:
            raw = json.loads(text)
            files = {name: FileEntry(**entry) for name, entry in raw["files"].items()}
            manifest = cls(
                **{
                    **raw,
                    "files": files,
                    "base": Base(**raw["base"]),
                    "data": Data(**raw["data"]),
                    "adapter": Adapter(**raw["adapter"]),
                }
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ManifestError(
                f"{source} is not a manifest of this project ({error}): make the folder again with "
                "`python -m convert --run runs/<name>`"
            ) from error
        for name in (*manifest.files, manifest.default_file):
            if not _is_plain_name(name):
                raise ManifestError(
                    f"{source} names the file {name!r}: only plain file names inside the folder are "
                    "allowed, do not use this folder"
                )
        for name, entry in manifest.files.items():
            if not re.fullmatch("[0-9a-f]{64}", str(entry.sha256)) or not isinstance(entry.size, int):
                raise ManifestError(f"{source} has no sha256 and size for {name}: do not use this folder")
        if manifest.default_file not in manifest.files:
            raise ManifestError(
                f"{source} has the default file {manifest.default_file!r}, which is not among its "
                "files: make the folder again with `python -m convert --run runs/<name>`"
            )
        return manifest


def _is_plain_name(name: object) -> bool:
    return isinstance(name, str) and bool(name) and name == os.path.basename(name) and name not in (".", "..")


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_files(paths: Iterable[Path], root: Path) -> str:
    """Hex sha256 over the names (relative to root) and contents of several files, whatever their order."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(root).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def entry_for(path: Path, quantisation: str | None = None) -> FileEntry:
    """The entry of an existing file."""
    return FileEntry(sha256=sha256_file(path), size=path.stat().st_size, quantisation=quantisation)


def load(folder: Path) -> Manifest:
    """Read folder/manifest.json. Raises ManifestError where there is none or it is damaged."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise ManifestError(
            f"no {MANIFEST_NAME} in {folder}: make the model with `python -m convert --run runs/<name>`"
            " or fetch it with `python -m convert pull`"
        )
    return Manifest.from_json(path.read_text(encoding="utf-8"), str(path))


def save(manifest: Manifest, folder: Path) -> Path:
    """Write folder/manifest.json."""
    path = folder / MANIFEST_NAME
    atomic_write(path, manifest.to_json())
    return path


def check_file(folder: Path, name: str, entry: FileEntry) -> None:
    """Raise ManifestError unless folder/name has the size and sha256 of entry."""
    path = folder / name
    if not path.is_file():
        raise ManifestError(f"{path} is missing but the manifest lists it: fetch or make the folder again")
    size = path.stat().st_size
    if size != entry.size:
        raise ManifestError(
            f"{path} has {size} bytes, the manifest says {entry.size}: the file is damaged or not the "
            "published one, fetch or make it again"
        )
    digest = sha256_file(path)
    if digest != entry.sha256:
        raise ManifestError(
            f"{path} has sha256 {digest[:16]}…, the manifest says {entry.sha256[:16]}…: the file is "
            "damaged or not the published one, fetch or make it again"
        )


def verify(folder: Path, names: Iterable[str] | None = None) -> Manifest:
    """Check the files of the manifest (or only `names`) by size and sha256. Raises ManifestError on a difference."""
    manifest = load(folder)
    for name in manifest.files if names is None else names:
        if name not in manifest.files:
            raise ManifestError(f"{name!r} is not in the manifest of {folder}; it has: {', '.join(manifest.files)}")
        check_file(folder, name, manifest.files[name])
    return manifest


def verified_model_file(folder: Path, name: str | None = None) -> Path:
    """The model file to serve (the default one, or `name`), once its hash is checked. Raises ManifestError."""
    manifest = load(folder)
    chosen = name or manifest.default_file
    verify(folder, [chosen])
    return folder / chosen


def wanted_files(manifest: Manifest, file: str | None, where: str) -> list[str]:
    """The names to fetch: the default model file or `file` and what the agents need beside it, or for "all" every one.

    Raises ManifestError where the manifest has no `file`; `where` names the folder or repository.
    """
    if file == "all":
        return list(manifest.files)
    name = file or manifest.default_file
    if name not in manifest.files:
        raise ManifestError(f"{where} has no file {name!r}: it has {', '.join(manifest.files)}")
    return [name, *(beside for beside in (KNOWLEDGE_FILE,) if beside in manifest.files)]
