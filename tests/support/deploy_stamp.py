"""Whether what the deploy tests cover has changed since they last passed: `.ci/run` asks, `make test-deploy` notes it.

python -m tests.support.deploy_stamp changed              # exit 0 and a line that says so, or 1
python -m tests.support.deploy_stamp passed REPORT.xml    # of a JUnit report, in which nothing may be skipped
"""

from __future__ import annotations

import hashlib
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAMP = ROOT / "k8s" / "tests" / "deploy_passed.txt"
COVERED = (
    "Dockerfile",
    ".dockerignore",
    "requirements.lock",
    "docker-compose.yaml",
    "k8s",
    "serve/__main__.py",
    "serve/check_libraries.py",
    "serve/engine/native_libraries.py",
    "serve/server.py",
    "serve/settings.py",
    "serve/healthcheck.py",
    "tests/test_image.py",
    "tests/support/deploy_tools.py",
)


def digest(root: Path = ROOT) -> str:
    """SHA-256 over names and contents of the covered files."""
    total = hashlib.sha256()
    for name in COVERED:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix not in (".md", ".pyc") and file != root / STAMP.relative_to(ROOT):
                total.update(f"{file.relative_to(root).as_posix()}\n".encode() + file.read_bytes())
    return total.hexdigest()


def changed(stamp: Path = STAMP) -> bool:
    return not stamp.exists() or stamp.read_text().split()[0] != digest()


def passed(report: Path, stamp: Path = STAMP) -> str:
    """Note the pass, with its time and the image's size; ValueError where a test was skipped or failed."""
    suite = ElementTree.parse(report).getroot().find("testsuite")
    if any(int(suite.get(what)) for what in ("errors", "failures", "skipped")) or not int(suite.get("tests")):
        raise ValueError("not all deploy tests ran and passed: nothing is noted (`pytest -m deploy -rs` says why)")
    measured = {p.get("name"): p.get("value") for p in suite.iter("property")}
    line = f"{suite.get('tests')} tests, {float(suite.get('time')):.0f} s, CPU image {measured['image_mb']} MB"
    stamp.write_text(f"{digest()}\n{line}\n")
    return line


def main(arguments: list[str]) -> int:
    if arguments == ["changed"]:
        if changed():
            print("what the deploy tests cover has changed since they last passed")
            return 0
        print("the deploy tests passed on what is here:", STAMP.read_text().split("\n")[1])
        return 1
    try:
        print("noted:", passed(Path(arguments[1])))
    except ValueError as error:
        print(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
