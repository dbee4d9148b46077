"""How much memory a process may still take, and a garbage collector that runs less often.

Available is the smaller of what the machine has and what the cgroup's limit leaves. A container that exceeds its limit
is killed without a message, so the runner checks before it allocates.
"""

from __future__ import annotations

import atexit
import gc
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")
GC_THRESHOLDS = 2_000, 20, 20  # new objects, then collections of the younger generation; Python's own first is 700


def available(root: Path = CGROUP, meminfo: Path = MEMINFO) -> int | None:
    """Bytes, or None if the system does not say."""
    v1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    v2 = ("memory.max", "memory.current", "inactive_file")
    found = [_machine(meminfo), _cgroup(root, *v2), _cgroup(root / "memory", *v1)]
    return min((n for n in found if n is not None), default=None)


def _machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _cgroup(folder: Path, limit_file: str, usage_file: str, reclaimable: str) -> int | None:
    """What a cgroup's limit leaves; page cache does not count as used, since the kernel reclaims it."""
    try:
        limit, usage = int((folder / limit_file).read_text()), int((folder / usage_file).read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no such cgroup, or "max": no limit
        return None
    return max(0, limit - usage + int(stat.get(reclaimable, 0)))


def freeze() -> None:
    """Exclude all loaded objects from garbage collection and make it run less often, for a process that serves.

    It runs on the thread that allocates, which is mostly the engine's, and a scan of all objects takes tens of
    milliseconds. Memory that is in no reference cycle is still freed at once.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # so that objects are finalised in order at exit
    gc.set_threshold(*GC_THRESHOLDS)
