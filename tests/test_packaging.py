"""What `pip install .` installs, that the version stands in one place, and that lock and requirements agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

from cricket import PACKAGES
from data.version import version
from tests.conftest import ROOT
from tests.test_architecture import tracked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Tracked files of the packages that an installation does without.
LEFT_OUT = (
    "serve/README.md",
    "train/base/",
    "train/adapter/",  # for training, which runs in a checkout
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel of what git tracks, built without a package index."""
    pytest.importorskip("setuptools", reason="pip install -r requirements-dev.txt")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        if name.startswith(
            (*(f"{p}/" for p in PACKAGES), "cricket.py", "pyproject", "requirements", "README", "LICENSE")
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        out,
        source,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        yield archive


def metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(n for n in wheel.namelist() if n.endswith("/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_every_module_and_data_file_of_the_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    ours = {name for name in tracked() if name.startswith(tuple(f"{p}/" for p in PACKAGES)) or name == "cricket.py"}
    assert held == {name for name in ours if not name.startswith(LEFT_OUT)}
    for kind in (
        "data/phrases/batting.txt",
        "data/linking/nicknames.yaml",
        "data/cricsheet/people.csv",
        "data/seasons/ipl_2024/deliveries.parquet",
        "data/dataset/exams/test.txt",
        "serve/page/index.html",
        "serve/monitor/report.html.j2",
    ):
        assert kind in held


def test_the_wheel_s_requirements_are_those_of_the_requirement_files(wheel: zipfile.ZipFile) -> None:
    required = metadata(wheel).get_all("Requires-Dist") or []
    for file, extra in (("requirements.txt", ""), ("requirements-train.txt", '; extra == "train"')):
        assert {r.removesuffix(extra) for r in required if r.endswith('"train"') == bool(extra)} == set(pins(file))


def test_the_wheel_has_the_command(wheel: zipfile.ZipFile) -> None:
    name = next(n for n in wheel.namelist() if n.endswith("/entry_points.txt"))
    assert wheel.read(name).decode().split() == ["[console_scripts]", "cricket", "=", "cricket:main"]


def pins(file: str) -> list[str]:
    lines = (ROOT / file).read_text().splitlines()
    return [line.partition("#")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-train.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_and_says_why_it_is_there(file: str) -> None:
    lines = [x for x in (ROOT / file).read_text().splitlines() if x.strip() and not x.startswith("#")]
    assert lines and all(re.fullmatch(r"[\w.-]+==[\w.]+  # \S.+", line) for line in lines), file


def test_the_lock_is_current_with_the_requirements() -> None:
    """What the lock says the requirements asked for is what they ask for, nothing more and nothing less."""
    lock = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"^(?=[A-Za-z])", lock, flags=re.M)[1:]
    assert len(entries) > len(pins("requirements.txt"))
    asked = {entry.split()[0] for entry in entries if "-r requirements.txt" in entry}
    assert {_plain(p) for p in asked} == {_plain(p) for p in pins("requirements.txt")}, "run `make lock`"


def _plain(pin: str) -> str:
    name, _, number = pin.partition("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={number}"


def test_the_version_stands_in_one_place_and_chart_and_image_follow() -> None:
    assert version() == PROJECT["version"]
    chart = yaml.safe_load((ROOT / "k8s/helm/cricket-inference/Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == version()
    assert set(re.findall(r"^ARG VERSION=(\S+)", (ROOT / "Dockerfile").read_text(), re.M)) == {version()}
    assert re.search(rf"^## {re.escape(version())}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_the_version_of_an_installed_copy_comes_from_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "version.py").write_bytes((ROOT / "data" / "version.py").read_bytes())
    about = tmp_path / "cricket_inference-9.8.7.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cricket-inference\nVersion: 9.8.7\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from data.version import version; print(version())"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "9.8.7\n"
