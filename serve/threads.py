"""How many threads a process may use, and how a thread team waits: `python -m serve.threads` prints both.

Reads the cgroup quota, since a container with two CPUs on a host of 64 would otherwise start 64 threads. Knows nothing
about llama.cpp, except that it computes with libgomp, which reads its environment once, when it is loaded.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def quota(root: Path = CGROUP) -> float | None:
    """CPUs that the cgroup's quota grants (v2, then v1), or None where there is no limit."""
    for place in (root / _own_group(root), root):
        try:
            limit, period = (place / "cpu.max").read_text().split()
            if limit != "max":
                return int(limit) / int(period)
        except (OSError, ValueError):
            pass
    for place in (root / "cpu", root / "cpu,cpuacct"):
        try:
            limit = int((place / "cpu.cfs_quota_us").read_text())
            if limit > 0:
                return limit / int((place / "cpu.cfs_period_us").read_text())
        except (OSError, ValueError):
            pass
    return None


def _own_group(root: Path) -> str:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return "."
    return next((line[3:].lstrip("/") or "." for line in lines if line.startswith("0::")), ".")


def available() -> int:
    """Threads that can really run at once: the smaller of the affinity mask and the quota, at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    granted = quota()
    return max(1, min(allowed, math.floor(granted + 0.01) if granted else allowed))


def set_waiting(spin_count: int) -> str | None:
    """Choose how long libgomp's threads spin before they sleep; returns why that came too late, or None.

    A user's own GOMP_SPINCOUNT or OMP_WAIT_POLICY wins. The default of libgomp spins for milliseconds: fine alone, but
    a neighbour on one of the cores then costs most of the throughput, for a thread that spins in vain holds the core
    that the one it waits for needs. `python -m serve.bench_engine --waiting` measures it.
    """
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return None
    try:
        if "libgomp" in Path("/proc/self/maps").read_text():
            return "libgomp was loaded before the waiting policy could be set: start serve without torch or scipy"
    except OSError:
        pass
    os.environ["GOMP_SPINCOUNT"] = str(spin_count)
    return None


if __name__ == "__main__":
    print(f"usable threads {available()} (quota {quota() or 'none'}, host {os.cpu_count()})")
