"""Containers for the deploy tests: build, run and pods with buildah and podman, on a base image made here.

No registry is needed. The base is Debian's own Python, made by debootstrap and tagged with the official name, so
that the Dockerfile is built as it stands; what it shows is that the Dockerfile's steps and the image work, not that
Docker Hub's base does. Images, and what is slow to make, are kept in the user's cache folder; the storage is apart from
the user's own containers.

    apt-get install podman buildah runc catatonit debootstrap     # once, as root
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k8s.tools import cache_folder

ROOT = Path(__file__).parents[2]
BASE_IMAGE = "docker.io/library/python:3.11-slim-bookworm"
CPU_FLAGS = "-DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON -DLLAVA_BUILD=OFF"
# runc with cgroupfs works where systemd does not run; the limits are below what a container may itself be limited to.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# What the official image leaves out too: apt's files, and documentation.
LEFT_OUT = (
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
    "./var/log/*",
    "./usr/lib/python3.11/EXTERNALLY-MANAGED",
)
DOCKER_CLEAN = """\
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
"""


class ContainersUnavailable(Exception):
    """Containers cannot be built or run here; the message says why and what would help."""


@dataclass(frozen=True)
class Containers:
    """buildah and podman with one storage."""

    folder: Path
    context: Path = ROOT

    @property
    def _storage(self) -> list[str]:
        return [
            "--root",
            str(self.folder / "storage"),
            "--runroot",
            "/run/cricket-images",
            "--storage-driver",
            "overlay",
        ]

    def _run(self, tool: str, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"CONTAINERS_CONF": str(self.folder / "containers.conf")}
        options = {"capture_output": True, "text": True, "env": environment, "timeout": 900} | options
        done = subprocess.run([tool, *self._storage, *arguments], **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{tool} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        return done

    def podman(self, *arguments: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run podman; AssertionError with its message if it fails."""
        return self._run("podman", *arguments, check=check, **options)

    def build(self, tag: str, *, target: str = "cpu", **stages: Path) -> None:
        """Build the Dockerfile with folders in place of some of its stages (underscores for the dashes of their names).

        The host's network reaches the package index; no image is pulled.
        """
        arguments = [
            "bud",
            "--layers",
            "--format",
            "docker",
            "--pull-never",
            "--network",
            "host",
            "--tag",
            tag,
        ]
        for name, folder in stages.items():
            arguments += ["--build-context", f"{name.replace('_', '-')}={folder}"]
        self._run("buildah", *arguments, "--target", target, str(self.context), timeout=3000)

    def image(self, tag: str) -> dict[str, Any]:
        """What `podman image inspect` says, the size in bytes under `Size`."""
        return json.loads(self.podman("image", "inspect", tag).stdout)[0]


def containers() -> Containers:
    """Working containers with the base image, or ContainersUnavailable."""
    if os.geteuid() != 0:
        raise ContainersUnavailable(
            "not root: run the deploy tests as root (a throw-away machine or container is best)"
        )
    missing = [tool for tool in ("podman", "buildah", "runc", "catatonit", "debootstrap") if not shutil.which(tool)]
    if missing:
        raise ContainersUnavailable(
            f"{', '.join(missing)} not found: apt-get install podman buildah runc catatonit debootstrap"
        )
    folder = cache_folder().parent / "images"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "containers.conf").write_text(CONTAINERS_CONF)
    tools = Containers(folder)
    if tools.podman("image", "exists", BASE_IMAGE, check=False).returncode != 0:
        _make_base(tools)
    return tools


def _make_base(tools: Containers) -> None:
    """Debian's Python under the official name; with this machine's certificates, so that pip works behind its proxy."""
    with tempfile.TemporaryDirectory(dir=tools.folder) as scratch:
        root = Path(scratch) / "root"
        packages = "python3,python3-venv,python3-pip,ca-certificates"
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise ContainersUnavailable(f"debootstrap could not make the base image: {done.stdout[-500:]}")
        (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        (root / "etc/apt/apt.conf.d/docker-clean").write_text(DOCKER_CLEAN)
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            shutil.copy(certificates, root / "etc/ssl/certs/ca-certificates.crt")
        archive = Path(scratch) / "root.tar"
        leave_out = [part for pattern in LEFT_OUT for part in ("--exclude", pattern)]
        subprocess.run(["tar", "-C", str(root), *leave_out, "-cf", str(archive), "."], check=True)
        settings = ["--change", f"ENV PIP_CERT={certificates}", "--change", 'CMD ["python3"]']
        tools.podman("import", *settings, str(archive), BASE_IMAGE)


def portable_wheel() -> Path:
    """Folder with llama-cpp-python's wheel with all CPU variants, built as the Dockerfile would, once (20 minutes)."""
    folder = cache_folder().parent / "wheels-portable"
    if not list(folder.glob("llama_cpp_python-*.whl")):
        requirement = next(
            line.split()[0]
            for line in (ROOT / "requirements.txt").read_text().splitlines()
            if line.startswith("llama-cpp-python==")
        )
        environment = os.environ | {"CMAKE_ARGS": CPU_FLAGS}
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-cache-dir",
            "--no-deps",
            "--wheel-dir",
            str(folder),
            requirement,
        ]
        subprocess.run(command, check=True, env=environment)
    return folder


def promtool() -> Path:
    """Prometheus' rule checker: an installed one, or the one in Debian's package, unpacked into the cache."""
    installed = shutil.which("promtool")
    if installed:
        return Path(installed)
    folder = cache_folder() / "prometheus"
    if not (folder / "usr/bin/promtool").exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise ContainersUnavailable("promtool not found: install Prometheus' tools")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, text=True)
        packages = list(folder.glob("prometheus_*.deb"))
        if done.returncode != 0 or not packages:
            raise ContainersUnavailable(f"promtool not found and not downloaded: {done.stderr[-300:]}")
        subprocess.run(["dpkg", "-x", str(packages[0]), str(folder)], check=True)
    return folder / "usr/bin/promtool"


def wait_for(what: str, check: Callable[[], bool], seconds: float) -> None:
    """Until `check` is true; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)


def status_of(url: str) -> int:
    """HTTP status of a GET; 0 if nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=3) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def ask(url: str, question: str) -> dict[str, Any]:
    """The reply of POST /infer."""
    request = urllib.request.Request(
        f"{url}/infer", data=json.dumps({"question": question}).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.load(reply)
