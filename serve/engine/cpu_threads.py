"""How many threads a process may use, and how a thread team waits: `python -m serve.engine.cpu_threads` prints the first.

Reads the cgroup quota, since a container with two CPUs on a host of 64 would otherwise start 64 threads. Knows nothing
about llama.cpp, except that it computes with libgomp, which reads its environment once, when it is loaded.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import threading
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")

# Milliseconds: alone, no thread of a team sleeps within a step or between two. See `Waiting` for a team beside others.
# In a build without OpenMP threads spin for ever: two neighbours on two cores leave little of its speed.
SPINNING = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "300000"}
MOST_CPUS = 32  # with more of them than threads in a team, the kernel gives each thread one of its own


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


def set_waiting() -> str | None:
    """Have libgomp's threads spin before they sleep; returns why that came too late, or None.

    A user's own OMP_WAIT_POLICY or GOMP_SPINCOUNT wins. `python -m serve.bench.engine --waiting` measures it.
    """
    if any(name in os.environ for name in SPINNING):
        return None
    if _loaded_libgomp():
        return "libgomp was loaded before the waiting policy could be set: start serve without torch or scipy"
    os.environ.update(SPINNING)
    return None


def _loaded_libgomp() -> str | None:
    """The path of the copy that this process has loaded."""
    try:
        found = re.search(r"/\S*libgomp\S*", Path("/proc/self/maps").read_text())
    except OSError:
        found = None
    return found[0] if found else None


class Waiting:
    """Whether a team's threads spin for milliseconds while they wait for each other, or sleep soon; not thread-safe.

    Spinning is fast alone. Beside a neighbour a thread that spins in vain may hold the very core that the one it waits
    for needs: a step then takes a thousand times as long. libgomp reads its spin count once, but spins 1,000 times at
    most while a process has more OpenMP threads than CPUs (its manual, GOMP_SPINCOUNT). So threads that do nothing make
    the others sleep soon, for as long as they exist. Does nothing where the user chose how to wait.
    """

    def __init__(self) -> None:
        self.brief = False
        self._over = threading.Event()
        self._crowd: threading.Thread | None = None
        path = _loaded_libgomp()
        chosen = any(os.environ.get(name) != value for name, value in SPINNING.items())
        self._libgomp = ctypes.CDLL(path) if path and not chosen else None
        if self._libgomp and self._libgomp.omp_get_num_procs() > MOST_CPUS:
            self._libgomp = None

    def set(self, brief: bool) -> None:
        """Choose how threads wait from now on; takes a tenth of a millisecond or a few where it changes."""
        if brief == self.brief or self._libgomp is None:
            return
        if not brief:
            self._over.set()
            self._crowd.join()
        else:
            self._over.clear()
            there = threading.Event()
            self._crowd = threading.Thread(target=self._idle, args=(there,), name="openmp-crowd", daemon=True)
            try:
                self._crowd.start()
            except RuntimeError:  # no thread is left to this process
                self._libgomp = None
                return
            there.wait()
        self.brief = brief

    def _idle(self, there: threading.Event) -> None:
        """Start as many threads as there are CPUs, which belong to this one and end with it."""
        nothing = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)  # each calls free(NULL)
        self._libgomp.GOMP_parallel(nothing, None, self._libgomp.omp_get_num_procs() + 1, 0)
        there.set()
        self._over.wait()


if __name__ == "__main__":
    print(f"usable threads {available()} (quota {quota() or 'none'}, host {os.cpu_count()})")
