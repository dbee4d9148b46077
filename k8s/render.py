"""Write the golden renders of the chart in `k8s/tests/golden`, and read what its values.yaml documents.

A change of the chart shows in the golden files' diff, and that is where it is reviewed. The table of values in the
chart's README is written by `docs/generate.py`.

    python -m k8s.render            # writes them
    python -m k8s.render --check    # exits 1 and names the files that are not up to date
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from k8s import tools

HERE = Path(__file__).parent
CHART = HERE / "helm" / "cricket-inference"
GOLDEN = HERE / "tests" / "golden"
RELEASE, NAMESPACE, KUBE_VERSION = "cricket", "default", "1.36.0"


@dataclass(frozen=True)
class Case:
    """One render that is kept: a name, and value files in order of precedence."""

    name: str
    values: tuple[Path, ...]


def cases() -> list[Case]:
    """A preset is rendered with the values that its first lines ask for; the other cases switch everything on."""
    required = HERE / "tests" / "values" / "required.yaml"
    presets = [Case(p.stem.removeprefix("values-"), (required, p)) for p in sorted(CHART.glob("values-*.yaml"))]
    others = [Case(p.stem, (p,)) for p in sorted((HERE / "tests" / "values").glob("*.yaml")) if p != required]
    return [Case("default", (required,)), *presets, *others]


def render(
    values: tuple[Path, ...] = (), sets: tuple[str, ...] = (), helm_major: str = "4", kube_version: str = KUBE_VERSION
) -> str:
    """Manifests as `helm template` prints them. Raises CalledProcessError with helm's own message in `stderr`."""
    command = [
        str(tools.helm(helm_major)),
        "template",
        RELEASE,
        str(CHART),
        "--namespace",
        NAMESPACE,
        "--kube-version",
        kube_version,
    ]
    command += [part for path in values for part in ("--values", str(path))]
    command += [part for setting in sets for part in ("--set", setting)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def normalised(manifests: str) -> str:
    """The same manifests in one order (kind, name), so that both majors of helm and any file order give one text."""
    documents = [d for d in yaml.safe_load_all(manifests) if d]
    documents.sort(key=lambda d: (d["kind"], d["metadata"]["name"]))
    return "---\n".join(yaml.dump(d, Dumper=_BlockDumper, sort_keys=False, width=110) for d in documents)


class _BlockDumper(yaml.SafeDumper):
    """Texts of several lines as block literals: a dashboard's diff stays readable."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_BlockDumper.add_representer(str, _represent_text)


@dataclass(frozen=True)
class Value:
    """One documented value of the chart."""

    key: str
    default: str
    text: str


def documented_values() -> list[Value]:
    """Values in file order, from the `# --` comments of values.yaml. A comment belongs to the key that follows it."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    defaults = yaml.safe_load("\n".join(lines))
    found, path, comment = [], [], []  # path: (indent, key) of the maps around the current line
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.removeprefix("#").strip())
        elif match := re.match(r"( *)([A-Za-z][A-Za-z0-9]*):", line):
            indent = len(match[1])
            path = [(i, k) for i, k in path if i < indent] + [(indent, match[2])]
            if comment:
                keys = [k for _, k in path]
                default = defaults
                for key in keys:
                    default = default[key]
                found.append(Value(".".join(keys), json.dumps(default), " ".join(comment)))
            comment = []
        elif not stripped:
            comment = []
    return found


def expected_files() -> dict[Path, str]:
    """Path and content of the golden renders."""
    return {GOLDEN / f"{case.name}.yaml": normalised(render(case.values)) for case in cases()}


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if something would change")
    check = parser.parse_args().check
    try:
        files = expected_files()
    except tools.ToolUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return 1
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path])
        print(f"{'not up to date' if check else 'written'}: {path.relative_to(HERE.parent)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
