"""What the folders may know of each other, and what must not be in the repository."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("data", "train", "convert", "agents", "serve", "k8s")
# Folder -> what it may import: whole packages, or single modules of one.
ALLOWED = {
    "data": set(),
    # the evaluation asks the real agents, over the engine, what a model folder's manifest names
    "train": {"data", "agents", "serve.local_model", "serve.engine", "convert.manifest"},
    "convert": {"data"},
    "agents": {"data"},
    "serve": {"data", "agents", "convert.hub", "convert.manifest"},
    "k8s": set(),
}
# Too large to be loaded where questions are answered, or (the last ones) to be loaded where models are trained.
NOT_IN = {
    "serve": ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "safetensors"),
    "agents": ("torch", "transformers", "llama_cpp", "fastapi"),
    "data": ("torch", "transformers", "llama_cpp", "fastapi"),
    "train": ("fastapi",),
    "convert": ("fastapi",),
}
LONGEST = 450  # lines of a module
LONGER_FOR_A_REASON: dict[str, str] = {}


def tracked(*patterns: str) -> list[str]:
    """Files that git knows."""
    try:
        command = ["git", "ls-files", "-z", *patterns]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git checkout here")
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def imported(path: Path) -> Iterator[str]:
    """Modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_imports_only_from_the_folders_upstream_of_it(package: str) -> None:
    allowed = ALLOWED[package] | {package}
    wrong = []
    for path in (ROOT / package).rglob("*.py"):
        for module in imported(path):
            if module.split(".")[0] in PACKAGES and not any(_within(module, a) for a in allowed):
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong, "\n".join(sorted(wrong))


def _within(module: str, allowed: str) -> bool:
    """`from convert import manifest` yields convert and convert.manifest: the first stands for the second."""
    return module == allowed or module.startswith(f"{allowed}.") or allowed.startswith(f"{module}.")


def test_serve_and_what_it_loads_at_start_is_free_of_training_libraries() -> None:
    heavy = {"torch", "transformers", "peft", "trl", "datasets", "accelerate"}
    code = (
        "import sys, pkgutil, importlib, serve, serve.app\n"
        "for m in pkgutil.walk_packages(serve.__path__, 'serve.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", NOT_IN)
def test_a_folder_does_not_import_what_it_must_do_without(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (ROOT / package).rglob("*.py")
        for module in imported(path)
        if module.split(".")[0] in NOT_IN[package]
    ]
    assert not wrong, "\n".join(wrong)


def test_the_packages_are_ours_and_not_namesakes_from_site_packages() -> None:
    code = f"import importlib\nfor n in {PACKAGES!r}: print(n, importlib.import_module(n).__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        name, _, file = line.partition(" ")
        assert Path(file) == ROOT / name / "__init__.py"


def test_there_is_no_drawer_for_everything() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc"}
    assert not [name for name in tracked("*.py") if drawers & set(Path(name).with_suffix("").parts)]


def test_modules_fit_in_a_head() -> None:
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in tracked("*.py")}
    own = {name: n for name, n in lengths.items() if name.split("/")[0] in PACKAGES}
    assert len(own) > 80
    assert {name: n for name, n in own.items() if n > LONGEST and name not in LONGER_FOR_A_REASON} == {}
    assert {name for name in LONGER_FOR_A_REASON if own.get(name, 0) <= LONGEST} == set(), "no longer that long: delist"


def test_every_module_says_what_it_is_for() -> None:
    silent = []
    for name in tracked("*.py"):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        if tree.body and not ast.get_docstring(tree):
            silent.append(name)
    assert silent == []


_TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".json", ".jsonl", ".j2", ".tpl", ".js", ".css", ".html", ""}


def _texts() -> Iterator[tuple[str, str]]:
    for name in tracked():
        path = ROOT / name
        if path.suffix in _TEXT and path.stat().st_size < 5_000_000 and name != "tests/test_architecture.py":
            yield name, path.read_text(encoding="utf-8", errors="replace")


def test_no_file_holds_a_token_or_a_private_key() -> None:
    secret = re.compile(
        r"hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9]{32,}|gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    )
    found = [
        f"{name}: {m[0][:12]}..."
        for name, text in _texts()
        for m in secret.finditer(text)
        if len(set(m[0])) > 8 or m[0].startswith("-----")  # hf_xxxxx... in tests is no secret
    ]
    assert found == []


def test_no_file_holds_a_path_of_somebody_s_machine() -> None:
    here = [re.escape(str(ROOT))] if len(ROOT.parts) > 2 else []
    private = "|".join([r"/home/\w", r"/Users/\w", r"/root/(?!\.cache)", r"[A-Z]:\\Users\\", *here])
    home = re.compile(rf"(?<![\w.])(?:{private})")
    found = [f"{name}: {m[0]}" for name, text in _texts() for m in home.finditer(text)]
    assert found == []
