"""The prefix cache on disk, for a warm start: saved when an engine is closed, loaded by the next one of the same model.

    n = save(prefixes, path, key)      # written beside `path`, then renamed
    n = load(prefixes, path, key)      # 0 if there is no file, or if it is of another model

The file is one line of JSON, then the cells. Native code parses them, so every entry is checked against its checksum.
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

from serve.engine.prefix_cache import PrefixCache

log = logging.getLogger(__name__)


def key_of(model: Path, adapters: Mapping[str, Path], flash_attention: bool) -> str:
    """A hash of what saved cells depend on: the weights, and the cell layout of this llama.cpp."""
    key = hashlib.sha256(f"{importlib.metadata.version('llama-cpp-python')} {flash_attention}".encode())
    for name, path in [("", model), *sorted(adapters.items())]:
        with open(path, "rb") as file:
            key.update(f" {name}={hashlib.file_digest(file, 'sha256').hexdigest()}".encode())
    return key.hexdigest()


def save(prefixes: PrefixCache, path: Path, key: str) -> int:
    """Write all prefixes; returns how many. A file that cannot be written is logged: only the warm start is lost."""
    entries = [
        {
            "tokens": p.tokens,
            "adapter": p.adapter,
            "owner": p.owner,
            "bytes": p.size,
            "crc32": _checksum(p.tokens, prefixes.read(p)),
        }
        for p in prefixes
    ]
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch(mode=0o600)  # prompts can be read from it
        with part.open("wb") as file:
            file.write(json.dumps({"key": key, "prefixes": entries}).encode() + b"\n")
            for prefix in prefixes:
                file.write(prefixes.read(prefix).data)
        os.replace(part, path)
    except OSError as error:
        log.warning("prefixes were not saved to %s (%s): choose a file that can be written", path, error.strerror)
        part.unlink(missing_ok=True)
        return 0
    return len(entries)


def load(prefixes: PrefixCache, path: Path, key: str) -> int:
    """Add the file's prefixes to the cache; returns how many. A file that cannot be used is logged."""
    if not path.exists():
        return 0
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            if head["key"] != key:
                log.info("%s has the prefixes of another model or llama.cpp: starting without them", path)
                return 0
            for entry in head["prefixes"]:
                data = np.frombuffer(file.read(min(entry["bytes"], path.stat().st_size)), np.uint8)
                if len(data) != entry["bytes"] or _checksum(entry["tokens"], data) != entry["crc32"]:
                    raise ValueError("it is damaged")
                prefixes.put(entry["tokens"], entry["adapter"], data, entry["owner"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("prefixes could not be read from %s (%s): starting with %d", path, error, len(prefixes))
    log.info("%d prefixes from %s", len(prefixes), path)
    return len(prefixes)


def _checksum(tokens: list[int], data: np.ndarray) -> int:
    return zlib.crc32(data.data, zlib.crc32(json.dumps(tokens).encode()))
