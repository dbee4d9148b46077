"""How many threads a process may use, and how the threads of llama.cpp (libgomp's) wait for each other.

The number follows the cgroup quota: a container with two CPUs on a host of 64 would otherwise start 64 threads. libgomp
reads its environment once, when it is loaded.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import threading
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")

# Spinning for milliseconds: on an idle machine no thread sleeps within a step or between two. See `SpinControl`
# for a busy machine. In a build without OpenMP, threads spin without end: two busy processes on two cores then leave
# little of its speed.
LONG_SPIN = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "300000"}
MAX_CPUS = 32  # up to which `SpinControl` acts: on larger machines the kernel gives each thread a core of its own


def quota(root: Path = CGROUP) -> float | None:
    """CPUs that the cgroup's quota grants (v2, then v1), or None if there is no limit."""
    for place in (root / _own_group(root), root):
        try:
            quota_us, period_us = (place / "cpu.max").read_text().split()
            if quota_us != "max":
                return int(quota_us) / int(period_us)
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


def set_long_spin() -> str | None:
    """Make libgomp's threads spin long before they sleep; returns why that came too late, or None.

    A user's own OMP_WAIT_POLICY or GOMP_SPINCOUNT wins. `python -m serve.bench.engine --waiting` measures the effect.
    """
    if any(name in os.environ for name in LONG_SPIN):
        return None
    if _loaded_libgomp():
        return "libgomp was loaded before its spin count could be set: start serve without torch or scipy"
    os.environ.update(LONG_SPIN)
    return None


def _loaded_libgomp() -> str | None:
    """The path of the copy that this process has loaded."""
    try:
        found = re.search(r"/\S*libgomp\S*", Path("/proc/self/maps").read_text())
    except OSError:
        found = None
    return found[0] if found else None


class SpinControl:
    """Switches between long and short spinning of OpenMP threads that wait for each other; not thread-safe.

    Long spinning is fast on an idle machine. On a busy one, a spinning thread may occupy the core that the thread it
    waits for needs: a step then takes a thousand times as long. libgomp reads its spin count once, but spins at most
    1,000 times while a process has more OpenMP threads than CPUs (its manual, GOMP_SPINCOUNT). So idle threads force a
    short spin, for as long as they exist. Does nothing if the user chose how to wait.
    """

    def __init__(self) -> None:
        self.short = False
        self._end = threading.Event()
        self._idle_team: threading.Thread | None = None  # its OpenMP threads are the idle ones
        path = _loaded_libgomp()
        user_chose = any(os.environ.get(name) != value for name, value in LONG_SPIN.items())
        self._libgomp = ctypes.CDLL(path) if path and not user_chose else None
        if self._libgomp and self._libgomp.omp_get_num_procs() > MAX_CPUS:
            self._libgomp = None

    def set(self, short: bool) -> None:
        """Choose how threads wait from now on; a change takes between a tenth of a millisecond and a few."""
        if short == self.short or self._libgomp is None:
            return
        if self._idle_team is not None:
            self._end.set()
            self._idle_team.join()
            self._idle_team = None
        else:
            self._end.clear()
            started = threading.Event()
            team = threading.Thread(
                target=self._hold_idle_threads, args=(self._libgomp, started), name="openmp-idle", daemon=True
            )
            try:
                team.start()
            except RuntimeError:  # the process may start no more threads
                self._libgomp = None
                return
            started.wait()
            self._idle_team = team
        self.short = short

    def _hold_idle_threads(self, libgomp: ctypes.CDLL, started: threading.Event) -> None:
        """Start one OpenMP thread more than there are CPUs; they belong to this thread and end with it."""
        nothing = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)  # each calls free(NULL)
        libgomp.GOMP_parallel(nothing, None, libgomp.omp_get_num_procs() + 1, 0)
        started.set()
        self._end.wait()
