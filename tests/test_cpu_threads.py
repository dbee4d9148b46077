"""The number of threads, and how OpenMP threads wait: `python -m pytest tests/test_cpu_threads.py`."""

import json
import os
import subprocess
import sys

import pytest

from serve.engine import cpu_threads
from serve.engine.cpu_threads import LONG_SPIN, MAX_CPUS, _loaded_libgomp, available


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "200000 100000"}, 2.0),
        ({"cpu.max": "50000 100000"}, 0.5),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({}, None),
    ],
)
def test_the_number_of_threads_follows_the_cgroup_quota(tmp_path, monkeypatch, files, expected):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert cpu_threads.quota(tmp_path) == expected
    monkeypatch.setattr(cpu_threads, "quota", lambda: expected)
    assert cpu_threads.available() == max(1, min(int(expected or 999), len(os.sched_getaffinity(0))))


SPIN = """
import ctypes, json, os, time
from serve.engine import cpu_threads
assert cpu_threads.set_long_spin() is None
libgomp, free = ctypes.CDLL("libgomp.so.1"), ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)
spin, cpu_s, n_threads = cpu_threads.SpinControl(), [], []
for short in (False, True, False):
    spin.set(short)
    began = time.process_time()
    for _ in range(50):
        libgomp.GOMP_parallel(free, None, 2, 0)
        time.sleep(0.01)  # meanwhile the second thread waits for more work
    cpu_s.append(time.process_time() - began)
    n_threads.append(len(os.listdir("/proc/self/task")))
print(json.dumps([cpu_s, n_threads]))
"""


@pytest.mark.skipif(sys.platform != "linux" or available() > MAX_CPUS, reason="Linux, and not too many CPUs")
@pytest.mark.parametrize("user", [{}, {"GOMP_SPINCOUNT": "300000"}], ids=["default", "set by the user"])
def test_threads_with_a_short_spin_take_no_cpu_time_while_they_wait(user):
    if _loaded_libgomp() is None:
        import llama_cpp  # noqa: F401

    if _loaded_libgomp() is None:
        pytest.skip("this llama.cpp does not compute with libgomp")
    env = {name: value for name, value in os.environ.items() if name not in LONG_SPIN} | user
    command = [sys.executable, "-c", SPIN]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    (first, short, again), n_threads = json.loads(ran.stdout)
    if user:
        assert min(first, short, again) > 0.5 * max(first, short, again), "the user's choice wins"
    else:
        assert short < 0.5 * min(first, again)
        assert n_threads[1] > n_threads[0], "idle threads force the short spin"
    assert n_threads[2] == n_threads[0] >= 2, "the idle threads are gone"


def test_a_process_that_may_start_no_more_threads_keeps_its_long_spin(monkeypatch):
    spin = cpu_threads.SpinControl()
    spin._libgomp = object()
    no_thread = lambda _: (_ for _ in ()).throw(RuntimeError("no thread"))  # noqa: E731
    monkeypatch.setattr(cpu_threads.threading.Thread, "start", no_thread)
    spin.set(short=True)
    spin.set(short=True)
    spin.set(short=False)
    assert not spin.short
