"""The documents say what is there: commands, files, settings, metrics, log fields, chart values. And nothing else."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from serve.monitor.signals import SIGNALS
from serve.settings import Settings
from tests.conftest import InProcess

ROOT = Path(__file__).parent.parent
SERVICE, MONITORING = ROOT / "serve" / "README.md", ROOT / "MODEL_MONITORING.md"
CHART = ROOT / "k8s" / "helm" / "cricket-inference"
DOCUMENTS = sorted(
    path for path in [*ROOT.glob("*.md"), *(ROOT / "k8s").rglob("*.md"), ROOT / "serve" / "README.md"] if path.is_file()
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
NOT_OURS = {"venv", "pip", "pytest", "http.server"}  # `python -m` of these is not this repository's
# Shown as what a reader brings along or what a command makes.
BROUGHT = re.compile(r"^(my|mine|you|owner|host|ipl_20(?!24)|ipl_json|report|service\.jsonl|runs/|models/|\./models)")

Metrics = dict[str, set[str]]


def code(text: str) -> list[str]:
    """What stands in backticks and fences."""
    fences = re.findall(r"```\w*\n(.*?)```", text, re.S)
    return [*(line for fence in fences for line in fence.splitlines()), *re.findall(r"`([^`\n]+)`", text)]


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.search(r"(?:^\|.*\n)+", part, re.M)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in table]


@pytest.fixture(scope="module")
def metrics(app: InProcess) -> Metrics:
    """Metrics that the running service exposes, with their labels."""
    with app.client() as client:
        asked = client.post("/infer", json={"question": "Who scored the most runs?"}).json()
        client.post("/feedback", json={"request_id": asked["request_id"], "verdict": "right"})
        text = client.get("/metrics").text
    found: Metrics = {name: set() for name in re.findall(r"^# TYPE (\S+) (?!unknown)", text, re.M)}
    for sample, labels in re.findall(r"^([\w:]+)\{(.*?)\} ", text, re.M):
        name = re.sub("_(bucket|count|sum)$", "", sample)
        found.setdefault(name if name in found else sample, set()).update(re.findall(r'(\w+)="', labels))
    return {name: labels - {"le"} for name, labels in found.items() if not name.endswith("_created")}


@pytest.mark.parametrize("name", NAMES)
def test_every_make_target_and_module_that_a_document_names_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for line in code((ROOT / name).read_text(encoding="utf-8")):
        if line.startswith(("make ", "SEASON")) or re.search(r"(?:^|&& )make [a-z-]+", line):
            for target in re.findall(r"(?:^|&& |\d )make ([a-z-]+)", line):
                assert target in targets, f"{name}: make {target}"
        for module in re.findall(r"python\S* -m ([\w.]+)", line):
            module = module.rstrip(".")
            if module in NOT_OURS:
                continue
            spec = importlib.util.find_spec(module)
            assert spec is not None, f"{name}: python -m {module}"
            origin = Path(spec.origin or "")
            runs = origin.parent / "__main__.py" if origin.name == "__init__.py" else origin
            assert runs.is_file() and "__name__ ==" in runs.read_text(), f"{name}: {module} cannot be run"
            assert ROOT in origin.parents, f"{name}: {module} is not ours"


def flags() -> list[tuple[str, str, str]]:
    """(document, module with subcommand, flag) of every command shown."""
    found = set()
    for path in DOCUMENTS:
        for line in code(path.read_text(encoding="utf-8")):
            for module, rest in re.findall(r"python\S* -m ([\w.]+)((?: [^&#;|`]*)?)", line):
                words = re.sub(r"'[^']*'|\"[^\"]*\"", "x", rest).split()
                sub = words[0] if words and re.fullmatch(r"[a-z]+", words[0]) else ""
                for flag in (w.split("=")[0] for w in words if w.startswith("--")):
                    if module not in NOT_OURS and not flag.endswith("..."):
                        found.add((module, sub, flag))
    return sorted(found)


HELP: dict[tuple[str, str], str] = {}


@pytest.mark.parametrize(("module", "sub", "flag"), flags())
def test_every_flag_that_a_document_shows_is_one_of_its_command(module: str, sub: str, flag: str) -> None:
    if module.startswith("train"):
        pytest.importorskip("torch", reason="training requirements are not installed")
    for command in ((module, sub), (module, "")):
        if command not in HELP:
            done = subprocess.run(
                [sys.executable, "-m", module, *([command[1]] if command[1] else []), "--help"],
                cwd=ROOT, capture_output=True, text=True,
            )  # fmt: skip
            HELP[command] = done.stdout if done.returncode == 0 else ""
    assert flag in HELP[module, sub] + HELP[module, ""], f"python -m {module} {sub} has no {flag}"


@pytest.mark.parametrize("name", NAMES)
def test_files_that_a_document_names_exist(name: str) -> None:
    document = ROOT / name
    text = document.read_text(encoding="utf-8")
    linked = [m.split("#")[0] for m in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in m]
    for target in filter(None, linked):
        assert (document.parent / target).exists(), f"{name} links {target}"
    for word in re.findall(r"`([\w./-]+/[\w./*-]+\.\w+|[\w-]+/[\w/-]+/)`", text):
        if not BROUGHT.match(word) and word.split("/")[0] in {p.name for p in ROOT.iterdir()}:
            found = [*ROOT.glob(word.rstrip("/")), *document.parent.glob(word.rstrip("/"))]
            assert found, f"{name} names {word}"


def test_every_setting_is_documented_as_it_is_and_no_other() -> None:
    documented = {cells[0].strip("`"): cells[1:] for cells in rows(SERVICE.read_text(), "Settings")}
    there = {name.upper(): field for name, field in Settings.model_fields.items()}
    assert list(documented) == list(there)
    for name, field in there.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert documented[name] == ["" if default is None else f"`{default}`", field.description], name


def test_every_metric_is_documented_with_its_labels_and_no_other(metrics: Metrics) -> None:
    table = rows(SERVICE.read_text(), "Metrics")
    documented = {cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[1])) for cells in table}
    assert set(documented) == set(metrics)
    for name, labels in metrics.items():
        assert labels <= documented[name] and (documented[name] - {"error_type"} <= labels or not labels), name


def logged() -> set[str]:
    """Log fields that the service's documentation has."""
    return {field for cells in rows(SERVICE.read_text(), "Log") for field in re.findall(r"`(\w+)`", cells[0])}


def test_the_documented_log_fields_are_written_somewhere() -> None:
    source = "".join(path.read_text() for path in (ROOT / "serve").glob("*.py"))
    for field in logged():
        assert re.search(rf'"{field}"|\b{field}=', source), f"nothing writes {field}"


def test_what_monitoring_watches_exists(metrics: Metrics) -> None:
    text = MONITORING.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:cricket|gen_ai|http_server|llamacpp:)\w*?)`", text):
        assert re.sub("_(bucket|count|sum)$", "", name) in metrics, f"no metric {name}"
    stored = {"at", "request_id", "verdict", "comment", "question", "answer", "query"}
    known = logged() | stored | set().union(*metrics.values())
    table = rows(text, "Drift: the weekly report")
    for cells in table:
        for field in re.findall(r"`(\w+)`", cells[1]):
            assert field in known, f"no log field {field}"
    named = ", ".join(cells[0] for cells in table)
    for signal in SIGNALS:
        assert signal.name in named, f"signal {signal.name} is not in MODEL_MONITORING.md"
        assert set(signal.fields) <= known, signal.name
    for word in re.findall(r"`((?:plan|names|words|latency|worded|question)_\w+)`", text):
        assert word in known, f"no log field {word}"


def test_every_alert_has_its_line_on_the_on_call_table_and_no_other() -> None:
    rules: dict[str, Any] = yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    told = [cells[0] for cells in rows(MONITORING.read_text(), "Alerts") if cells[0].startswith("Cricket")]
    assert told == alerts
    assert all(all(cells) for cells in rows(MONITORING.read_text(), "Alerts"))


def leaves(values: Any, schema: dict[str, Any], path: str = "") -> set[str]:
    """Values of a chart, as far as the table goes into them: objects with fixed keys are opened."""
    found: set[str] = set()
    for key, value in values.items():
        below = schema.get("properties", {}).get(key, {})
        name = f"{path}{key}"
        found |= leaves(value, below, f"{name}.") if isinstance(value, dict) and below.get("properties") else {name}
    return found


def test_every_chart_value_is_documented_and_no_other() -> None:
    text = (CHART / "README.md").read_text()
    table = text.split("<!-- values: begin -->")[1].split("<!-- values: end -->")[0]
    documented = {name for name in re.findall(r"^\| `([\w.]+)`", table, re.M)}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    there = leaves(values, json.loads((CHART / "values.schema.json").read_text()))

    def holds(name: str, others: set[str]) -> bool:
        return any(name == o or name.startswith(f"{o}.") or o.startswith(f"{name}.") for o in others)

    assert not {name for name in there if not holds(name, documented)}
    assert not {name for name in documented if not holds(name, there)}
    for document in DOCUMENTS:
        for name in re.findall(r"--set(?:-json)? '?([a-z]\w*(?:\.[\w\\\"]+)*)=", document.read_text()):
            if name not in {"tolerations", "installCRDs"}:  # of another chart
                assert holds(name.split("\\")[0], there), f"{document.name}: --set {name}"


def test_environment_variables_in_documents_are_settings_or_known() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    targets = set(re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.M))
    known = settings | targets | {"API_KEY", "OTEL_SERVICE_NAME"}
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", MONITORING, SERVICE):
        for name in re.findall(r"(?:^|\s|`)([A-Z][A-Z_]{3,})=", "\n".join(code(path.read_text()))):
            assert name in known, f"{path.name}: {name}"
