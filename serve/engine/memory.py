"""How much memory a process may still take (`python -m serve.engine.memory` prints it), and what looks for garbage in it.

The smaller of what the machine has available and what the cgroup's limit leaves; a container that goes over its limit
is killed without a word, so that the runner asks before it allocates. Knows nothing about models.
"""

from __future__ import annotations

import atexit
import gc
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
COLLECT_EVERY = 2_000, 20, 20  # new objects, then collections of the generation before; Python's own first is 700


def available(root: Path = CGROUP, meminfo: Path = MEMINFO) -> int | None:
    """Bytes, or None where the system does not say."""
    old = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    new = ("memory.max", "memory.current", "inactive_file")
    found = [_machine(meminfo), _left(root, *new), _left(root / "memory", *old)]
    return min((n for n in found if n is not None), default=None)


def _machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _left(folder: Path, limit: str, used: str, reclaimable: str) -> int | None:
    """What a cgroup's limit leaves; pages of files that were read do not count, they are given back."""
    try:
        most, now = int((folder / limit).read_text()), int((folder / used).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such cgroup, or "max": no limit
        return None
    return max(0, most - now + int(stat.get(reclaimable, 0)))


def freeze() -> None:
    """Take what is loaded out of the garbage collector's sight and let it run more rarely, for a process that serves.

    It runs on the thread that makes objects, which is the engine's most often, and its look at all of them takes tens
    of milliseconds. Memory that no cycle holds is freed at once as ever.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # at the end all is freed in good order
    gc.set_threshold(*COLLECT_EVERY)


if __name__ == "__main__":
    found = available()
    print("unknown" if found is None else f"{found / 2**20:,.0f} MiB available")
