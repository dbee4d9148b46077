"""Remembers which stage was done for which inputs, so that work is not done twice and half-done work is never trusted.

Each stage leaves .work/<stage>.json in the model folder: a hash of its inputs, the sha256 of its outputs and what it
measured; written last. Knows nothing about what the stages do.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convert.manifest import sha256_file, sha256_files, write_atomically

_VERSION = 1  # raise it when a stage's code changes what it makes


class Stages:
    def __init__(self, out: Path, say: Callable[[str], None] = print) -> None:
        self.out = out
        self.work = out / ".work"
        self._say = say
        self.work.mkdir(parents=True, exist_ok=True)
        for leftover in [*out.glob(".*.tmp"), *self.work.glob(".*.tmp*")]:  # of a run that was interrupted
            leftover.unlink(missing_ok=True)

    def run(
        self,
        stage: str,
        inputs: dict[str, Any],
        outputs: list[Path],
        make: Callable[[], tuple[dict[str, Any], str]],
    ) -> dict[str, Any]:
        """Call make (it returns what it measured and a line about it) unless the same was done before."""
        key = hashlib.sha256(json.dumps([_VERSION, inputs], sort_keys=True, default=str).encode()).hexdigest()
        record = self.work / f"{stage}.json"
        done = self._read(record)
        if done and done["inputs"] == key and done["outputs"] == self._hashes(outputs):
            self._say(f"{stage:<9} already done: {done['line']}")
            return done["result"]
        begin = time.monotonic()
        record.unlink(missing_ok=True)
        result, line = make()
        write_atomically(
            record,
            json.dumps({"inputs": key, "outputs": self._hashes(outputs), "result": result, "line": line}, indent=2),
        )
        self._say(f"{stage:<9} {time.monotonic() - begin:5.1f} s  {line}")
        return result

    def _hashes(self, outputs: list[Path]) -> dict[str, str | None]:
        return {path.relative_to(self.out).as_posix(): _hash(path) for path in outputs}

    @staticmethod
    def _read(record: Path) -> dict[str, Any] | None:
        try:
            value = json.loads(record.read_text(encoding="utf-8"))
            return value if {"inputs", "outputs", "result", "line"} <= value.keys() else None
        except (OSError, ValueError, AttributeError):
            return None


def _hash(path: Path) -> str | None:
    if path.is_dir():
        return sha256_files([p for p in path.rglob("*") if p.is_file()], path)
    return sha256_file(path) if path.is_file() else None
