"""Stages of the conversion that are skipped where they were done before for the same inputs.

Each stage leaves .work/<stage>.json in the model folder: a hash of its inputs, the sha256 of its outputs and what it
measured. It is written last, so that an interrupted stage is done again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convert.manifest import sha256_file, sha256_files
from data.atomic_write import atomic_write, remove_leftovers

_VERSION = 1  # to be raised when a stage's code changes what it makes


class Stages:
    """The stages of the model folder `out`; `report` is called with a line about each."""

    def __init__(self, out: Path, report: Callable[[str], None] = print) -> None:
        self.out = out
        self.work = out / ".work"
        self._report = report
        self.work.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
        remove_leftovers(self.work)

    def run(
        self,
        stage: str,
        inputs: dict[str, Any],
        outputs: list[Path],
        make: Callable[[], tuple[dict[str, Any], str]],
    ) -> dict[str, Any]:
        """What `make` measured, now or when it was called before with the same inputs.

        `make` writes the outputs, and returns what it measured with a line about it.
        """
        key = hashlib.sha256(json.dumps([_VERSION, inputs], sort_keys=True, default=str).encode()).hexdigest()
        record = self.work / f"{stage}.json"
        done = self._read(record)
        if done and done["inputs"] == key and done["outputs"] == self._hashes(outputs):
            self._report(f"{stage:<9} already done: {done['line']}")
            return done["result"]
        begin = time.monotonic()
        record.unlink(missing_ok=True)
        result, line = make()
        atomic_write(
            record,
            json.dumps({"inputs": key, "outputs": self._hashes(outputs), "result": result, "line": line}, indent=2),
        )
        self._report(f"{stage:<9} {time.monotonic() - begin:5.1f} s  {line}")
        return result

    def _hashes(self, outputs: list[Path]) -> dict[str, str | None]:
        return {path.relative_to(self.out).as_posix(): _hash(path) for path in outputs}

    @staticmethod
    def _read(record: Path) -> dict[str, Any] | None:
        """The record of a stage, None where there is none or it is damaged."""
        try:
            value = json.loads(record.read_text(encoding="utf-8"))
            return value if {"inputs", "outputs", "result", "line"} <= value.keys() else None
        except (OSError, ValueError, AttributeError):
            return None


def _hash(path: Path) -> str | None:
    """A hash of a file or folder, None where there is none."""
    if path.is_dir():
        return sha256_files([p for p in path.rglob("*") if p.is_file()], path)
    return sha256_file(path) if path.is_file() else None
