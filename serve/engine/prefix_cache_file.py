"""Prefixes on disk, for a warm start: what an engine had kept when it was closed, for the next one of the same model.

    n = save(store, path, key)      # written beside `path` and moved there when whole
    n = load(store, path, key)      # 0 where there is none, or where it belongs to another model

The file is a line of JSON, then the cells. They are read by native code, so that a damaged file must not reach it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from serve.engine.prefix_cache import PrefixStore

log = logging.getLogger(__name__)


def key_of(model: Path, adapters: Mapping[str, Path], flash_attention: bool) -> str:
    """What cells depend on: the weights, and how this llama.cpp lays cells out."""
    key = hashlib.sha256(f"{importlib.metadata.version('llama-cpp-python')} {flash_attention}".encode())
    for name, path in [("", model), *sorted(adapters.items())]:
        with open(path, "rb") as file:
            key.update(f" {name}={hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return key.hexdigest()


def save(store: PrefixStore, path: Path, key: str) -> int:
    """Write all prefixes; returns how many. A file that cannot be written is a warning: nothing but time is lost."""
    prefixes = list(store)
    entries = [
        {"tokens": p.tokens, "adapter": p.adapter, "bytes": p.size, "crc32": _checksum(p.tokens, store.read(p))}
        for p in prefixes
    ]
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(mode=0o600)  # it tells what was asked
        with part.open("wb") as file:
            file.write(json.dumps({"key": key, "prefixes": entries}).encode() + b"\n")
            for prefix in prefixes:
                file.write(store.read(prefix))
        os.replace(part, path)
    except OSError as error:
        log.warning("prefixes were not kept in %s (%s): choose a file that can be written", path, error.strerror)
        part.unlink(missing_ok=True)
        return 0
    return len(prefixes)


def load(store: PrefixStore, path: Path, key: str) -> int:
    """Put the file's prefixes into the store; returns how many. A file that is of no use is a line in the log."""
    if not path.exists():
        return 0
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            if head["key"] != key:
                log.info("%s holds the prefixes of another model or llama.cpp: starting without", path)
                return 0
            for entry in head["prefixes"]:
                data = np.frombuffer(file.read(min(entry["bytes"], path.stat().st_size)), np.uint8)
                if len(data) != entry["bytes"] or _checksum(entry["tokens"], data) != entry["crc32"]:
                    raise ValueError("it is damaged")
                store.put(entry["tokens"], entry["adapter"], data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("prefixes could not be read from %s (%s): starting with %d", path, error, len(store))
    return len(store)


def _checksum(tokens: list[int], data: np.ndarray) -> int:
    return zlib.crc32(data, zlib.crc32(json.dumps(tokens).encode()))
