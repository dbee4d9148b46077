"""Files and folders that appear whole or not at all: written under a temporary name, then renamed.

    atomic_write(path, "text or bytes")
    with temporary_file(path) as part: figure.savefig(part)
    with temporary_folder(path) as part: model.save_pretrained(part)

A temporary name is `.<stem>.<random>.tmp<suffix>` in the target's folder: on the same file system, so that the rename
is one step, and hidden from readers that list the folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def temporary_file(path: Path) -> Iterator[Path]:
    """A path to write to, which replaces `path` when the block ends; after an exception `path` is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)  # mkstemp makes it private, and another user may have to read it
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which replaces `path` when the block ends; after an exception `path` is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        yield temporary
        os.chmod(temporary, 0o755)  # mkdtemp makes it private
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write `content` (text as UTF-8) to `path`."""
    with temporary_file(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files and folders that a killed process left in `folder`."""
    for path in folder.glob(".*.tmp*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def atomic_link(source: Path, path: Path) -> None:
    """Make `path` a hard link to `source`, or a copy where the file system has no links."""
    # not by temporary_file, which sets the mode: a link shares it with the source
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # left where `path` was a link to `source` already
