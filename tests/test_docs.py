"""The documents agree with the code: commands, flags, files, log fields, alerts, and the tables generated from it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from k8s.render import documented_values
from serve.monitor.signals import SIGNALS
from serve.settings import Settings

ROOT = Path(__file__).parent.parent
SERVICE, MONITORING = ROOT / "serve" / "README.md", ROOT / "MODEL_MONITORING.md"
CHART = ROOT / "k8s" / "helm" / "cricket-inference"
GENERATE = ROOT / "docs" / "generate.py"


def _generate() -> ModuleType:
    """docs/generate.py, which is a script and not in a package."""
    spec = importlib.util.spec_from_file_location("generate", GENERATE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = _generate()
DOCUMENTS: list[Path] = generate.documents()
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
NOT_OURS = {"venv", "pip", "pytest", "http.server"}  # `python -m` of these is not this repository's
# Files that a reader has or that a command makes.
BROUGHT = re.compile(r"^(my|mine|you|owner|host|ipl_20(?!24)|ipl_json|report|service\.jsonl|runs/|models/|\./models)")


def code(text: str) -> list[str]:
    """What stands in backticks and fences."""
    fences = re.findall(r"```\w*\n(.*?)```", text, re.S)
    return [*(line for fence in fences for line in fence.splitlines()), *re.findall(r"`([^`\n]+)`", text)]


def rows(text: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    part = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = re.search(r"(?:^\|.*\n)+", part, re.M)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in table]


def test_the_generated_tables_are_up_to_date() -> None:
    pytest.importorskip("gguf", reason="training requirements are not installed")
    done = subprocess.run([sys.executable, GENERATE, "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_a_generated_table_that_was_changed_by_hand_or_has_grown_is_replaced() -> None:
    document = "# A\n\n<!-- generated: settings -->\n| old |\n<!-- end -->\n\ntext\n"
    made = generate.filled(document, {"settings": "| new |\n| row |"})
    assert made == document.replace("| old |", "| new |\n| row |")
    assert generate.filled(made, {"settings": "| new |\n| row |"}) == made


def test_check_reports_a_stale_table_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- generated: settings -->\n| old |\n<!-- end -->\n")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "documents", lambda: [page])
    monkeypatch.setattr(generate, "TABLES", {"settings": lambda: "| new |"})
    assert generate.main(["--check"]) == 1
    assert "not up to date: page.md" in capsys.readouterr().out and "| old |" in page.read_text()
    assert generate.main([]) == 0 and "| new |" in page.read_text()
    assert generate.main(["--check"]) == 0


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
            can_be_run = runs.is_file() and (runs.name == "__main__.py" or "__name__ ==" in runs.read_text())
            assert can_be_run, f"{name}: {module} cannot be run"
            assert ROOT in origin.parents, f"{name}: {module} is not ours"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) < 7000, "details belong into docs/"


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


def anchors(text: str) -> set[str]:
    """Anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_files_that_a_document_names_exist(name: str) -> None:
    document = ROOT / name
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        there = document.parent / target if target else document
        assert there.exists(), f"{name} links {target}"
        assert not anchor or anchor in anchors(there.read_text(encoding="utf-8")), f"{name} links {link}"
    for word in re.findall(r"`([\w./-]+/[\w./*-]+\.\w+|[\w-]+/[\w/-]+/)`", text):
        if not BROUGHT.match(word) and word.split("/")[0] in {p.name for p in ROOT.iterdir()}:
            found = [*ROOT.glob(word.rstrip("/")), *document.parent.glob(word.rstrip("/"))]
            assert found, f"{name} names {word}"


def documented_metrics() -> dict[str, set[str]]:
    """Metrics and their labels, as the generated table has them."""
    return {
        cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[1])) for cells in rows(SERVICE.read_text(), "Metrics")
    }


def logged() -> set[str]:
    """Log fields that the service's documentation has."""
    return {field for cells in rows(SERVICE.read_text(), "Log") for field in re.findall(r"`(\w+)`", cells[0])}


def test_the_documented_log_fields_are_written_somewhere() -> None:
    source = "".join(path.read_text() for path in (ROOT / "serve").rglob("*.py"))
    for field in logged():
        assert re.search(rf'"{field}"|\b{field}=', source), f"nothing writes {field}"


def test_what_monitoring_watches_exists() -> None:
    metrics = documented_metrics()
    text = MONITORING.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:cricket|gen_ai|http_server|llamacpp:)\w*?)`", text):
        assert re.sub("_(bucket|count|sum)$", "", name) in metrics, f"no metric {name}"
    stored = {"at", "request_id", "verdict", "comment", "question", "answer", "query", "reviewer"}
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
    documented = [cells[0] for cells in rows(MONITORING.read_text(), "Alerts") if cells[0].startswith("Cricket")]
    assert documented == alerts
    assert all(all(cells) for cells in rows(MONITORING.read_text(), "Alerts"))


def test_every_chart_value_that_a_document_sets_is_one() -> None:
    values = {value.key for value in documented_values()}
    for document in DOCUMENTS:
        for name in re.findall(r"--set(?:-json)? '?([a-z]\w*(?:\.[\w\\\"]+)*)=", document.read_text()):
            name = name.split("\\")[0]
            known = any(
                name == value or name.startswith(f"{value}.") or value.startswith(f"{name}.") for value in values
            )
            assert known or name in {"tolerations", "installCRDs"}, f"{document.name}: --set {name}"  # of other charts


def test_environment_variables_in_documents_are_settings_or_known() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    targets = set(re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.M))
    known = settings | targets | {"API_KEY", "OTEL_SERVICE_NAME"}
    for path in (path for path in DOCUMENTS if path != ROOT / "k8s" / "README.md"):  # which sets a shell's own
        for name in re.findall(r"(?:^|\s|`)([A-Z][A-Z_]{3,})=", "\n".join(code(path.read_text()))):
            assert name in known, f"{path.name}: {name}"
