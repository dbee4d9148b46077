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
ALLOWED: dict[str, set[str]] = {
    "data": set(),
    # the evaluation asks the real agents, over the engine, what a model folder's manifest names
    "train": {
        "data",
        "agents",
        "serve.local_model",
        "serve.engine",
        "convert.manifest",
        "convert.bases",
        "convert.errors",
    },
    "convert": {"data"},
    "agents": {"data"},
    "serve": {"data", "agents", "convert.hub", "convert.manifest"},
    "k8s": set(),
}
# Layers of `data`, lowest first: a part imports parts of lower layers only, none beside it.
DATA_LAYERS = (
    {"errors", "text", "text_table", "prompts", "atomic_write", "moved", "version"},
    {"command_line"},
    {"season"},
    {"cricsheet", "query"},
    {"feed", "linking", "wording", "phrasing"},
    {"dataset", "ask"},
    {"__main__"},
)
# Too large to be loaded where questions are answered, or (the last ones) to be loaded where models are trained.
NOT_IN = {
    "serve": ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "safetensors"),
    "agents": ("torch", "transformers", "llama_cpp", "fastapi"),
    "data": ("torch", "transformers", "llama_cpp", "fastapi"),
    "train": ("fastapi",),
    "convert": ("fastapi",),
}
# What a docstring says that its module knows nothing about, as modules that it must not import. Where no import could
# tell ("nothing about what is asked"), such a sentence does not belong into a docstring.
HTTP = ("fastapi", "starlette", "uvicorn", "httpx", "serve.api", "serve.app")
LLAMA = ("llama_cpp", "serve.engine.bindings", "serve.engine.runner")
TORCH = ("torch", "transformers", "peft", "trl")
MODELS = (*LLAMA, *TORCH, "serve", "train", "convert")
QUESTIONS = ("data.linking", "data.phrasing", "data.prompts", "data.dataset")
KNOWS_NOTHING_OF: dict[str, tuple[str, ...]] = {
    "agents.analyst": ("agents.retriever", "data.linking", *HTTP),
    "agents.conversation": ("agents.model", "agents.openai_client", *MODELS),
    "agents.coverage": ("agents.model", "agents.openai_client", *MODELS),
    "agents.knowledge": ("agents.model", "agents.openai_client", "agents.retriever", "agents.analyst", *MODELS),
    "agents.question_words": ("agents.knowledge", "agents.model", "data.dataset", *MODELS),
    "agents.multi_agent": ("agents.openai_client", *HTTP, *MODELS),
    "agents.notebook": ("agents.model", *MODELS),
    "agents.openai_client": MODELS,
    "agents.retriever": ("agents.analyst", "agents.verifier", "data.wording", *HTTP),
    "convert.card": ("convert.gguf", "convert.pipeline"),
    "convert.gate": ("convert.hub", "convert.card"),
    "convert.gguf.chat_template": TORCH,
    "convert.gguf.conversion": ("convert.merge", "convert.gguf.quantise", "convert.gguf.imatrix"),
    "convert.gguf.imatrix": ("convert.gguf.quantise", "convert.gate"),
    "convert.gguf.llama_cpp_source": ("convert.gguf.runtime", "convert.merge", *TORCH),
    "convert.gguf.quantise": ("convert.gate",),
    "convert.gguf.runtime": ("serve",),
    "convert.gguf.upstream_runner": ("agents", "convert", "data", "serve", "train"),
    "convert.manifest": MODELS[:-1],
    "convert.merge": ("convert.gguf", "gguf", "llama_cpp"),
    "convert.stages": ("convert.merge", "convert.gguf", "convert.gate", "convert.hub"),
    "data": ("train", "convert", "agents", "serve"),
    "data.ask": ("data.phrasing", "data.prompts", "data.linking.linker", *MODELS),
    "data.cricsheet.format": (
        "data.season",
        "data.cricsheet.importer",
        "data.cricsheet.league",
        "data.cricsheet.people",
    ),
    "data.cricsheet.importer": ("data.query", "data.linking"),
    "data.cricsheet.innings": ("data.season", "duckdb"),
    "data.cricsheet.league": ("data.cricsheet.format", "data.cricsheet.scorebook", "data.linking"),
    "data.cricsheet.people": ("data.cricsheet.format", "data.cricsheet.scorebook", "data.linking"),
    "data.cricsheet.scorebook": ("duckdb", "data.season", "data.cricsheet.importer"),
    "data.dataset.binding": ("data.phrasing", *MODELS),
    "data.dataset.build": MODELS,
    "data.dataset.card": ("data.dataset.build", "data.dataset.pretraining"),
    "data.dataset.encoding": ("tokenizers", *TORCH),
    "data.dataset.leakage": MODELS,
    "data.dataset.name_forms": ("data.phrasing.composer", "data.query", "data.dataset.record"),
    "data.dataset.pretraining": ("tokenizers", "sentencepiece", *MODELS),
    "data.dataset.record": ("data.dataset.build", *MODELS),
    "data.linking.fixtures": ("data.linking.linker", "data.linking.index", "data.linking.resolver"),
    "data.feed.files": ("data.feed.format", "data.season", "pydantic"),
    "data.feed.format": ("data.season", "data.cricsheet", "duckdb"),
    "data.feed.importer": ("data.query", *QUESTIONS),
    "data.feed.innings": ("data.season", "data.feed.matches", "data.feed.people", "data.cricsheet.people"),
    "data.feed.matches": ("data.season", "data.feed.tables", "duckdb"),
    "data.feed.reconcile": ("data.feed.files", "pathlib"),
    "data.feed.tables": ("data.feed.innings", "pathlib"),
    "data.linking.index": ("data.linking.linker", "data.linking.resolver"),
    "data.linking.linker": ("data.query", "data.linking.resolve_plan"),
    "data.linking.resolver": ("data.linking.linker",),
    "data.linking.roster": ("data.linking.index", "yaml"),
    "data.linking.spelling": ("data.linking.index", "data.linking.resolver", "data.linking.linker"),
    "data.phrasing.composer": ("data.season", "data.wording", "data.linking", *MODELS),
    "data.phrasing.conditions": ("data.phrasing.composer", "data.phrasing.noise"),
    "data.phrasing.noise": ("data.query",),
    "data.phrasing.swaps": ("data.linking", "data.phrasing.noise"),
    "data.prompts": ("tokenizers", "sentencepiece", *MODELS),
    "data.query.language": ("data.query.line", "data.query.engine", "duckdb", *QUESTIONS, *MODELS),
    "data.query.hints": ("data.query.line", "data.query.query"),
    "data.query.line": ("data.season", "data.query.engine", "duckdb"),
    "data.query.table": ("data.query.engine", "data.query.relation", "duckdb"),
    "data.season": ("data.cricsheet", "data.query", "data.linking"),
    "data.season.derived": ("data.cricsheet", "pathlib"),
    "data.season.loading": ("data.cricsheet",),
    "data.season.store": ("data.cricsheet", "data.query"),
    "data.season.tables": ("data.cricsheet", "data.query", *QUESTIONS),
    "data.text": ("data",),
    "data.wording.circumstances": ("data.query.table", "data.query.engine", "data.season"),
    "data.wording.sheet": (*HTTP, *MODELS),
    "k8s.render": ("kubernetes",),
    "k8s.tools": ("k8s.render",),
    "serve.bench.servers": ("serve.bench.engine", "serve.bench.infer"),
    "serve.bench.traffic": ("serve.bench.servers", "serve.bench.engine", *HTTP),
    "serve.engine.bindings": ("serve.engine.runner", "serve.engine.sequence", "serve.engine.scheduler"),
    "serve.engine.cpu_threads": LLAMA,
    "serve.engine.engine": ("asyncio", "jinja2", *HTTP),
    "serve.engine.fair_queue": ("serve.engine.kv_cache", "serve.engine.scheduler", *LLAMA),
    "serve.engine.grammar.gbnf": ("serve.engine.vocabulary", "serve.engine.grammar.tokens", *LLAMA),
    "serve.engine.grammar.json_constraints": ("serve.engine.grammar.json_schema", "serve.engine.vocabulary", *LLAMA),
    "serve.engine.grammar.json_schema": (
        "serve.engine.vocabulary",
        "serve.engine.grammar.tokens",
        "serve.engine.runner",
    ),
    "serve.engine.memory": LLAMA,
    "serve.engine.output": ("serve.engine.scheduler", "serve.engine.runner", "serve.engine.thread_tuner", "threading"),
    "serve.engine.prefix_cache": LLAMA,
    "serve.engine.runner": ("serve.engine.engine", "serve.engine.validation", "serve.engine.grammar"),
    "serve.engine.sampler": ("serve.engine.scheduler", "serve.engine.grammar"),
    "serve.engine.scheduler": LLAMA,
    "serve.engine.sequence": ("serve.engine.scheduler", *LLAMA),
    "serve.engine.speculative": LLAMA,
    "serve.engine.thread_tuner": LLAMA,
    "serve.engine.vocabulary": ("serve.engine.runner", "serve.engine.sequence", "serve.engine.scheduler"),
    "serve.healthcheck": ("serve.settings",),
    "serve.local_model": ("data.prompts", *HTTP),
    "serve.model_store": ("llama_cpp", "serve.engine"),
    "serve.monitor.accuracy": ("serve.monitor.report", "serve.telemetry"),
    "serve.monitor.charts": ("serve.monitor.records",),
    "serve.monitor.labelling": ("serve.monitor.drift", "serve.monitor.signals"),
    "serve.monitor.records": ("serve.monitor.accuracy", "serve.monitor.drift", "numpy"),
    "serve.monitor.report": ("argparse", "typer", "serve.monitor.__main__"),
    "serve.monitor.signals": ("serve.monitor.drift",),
    "serve.monitor.simulate": ("serve.monitor.drift", "serve.monitor.signals"),
    "serve.service": HTTP,
    "serve.telemetry.feedback": HTTP,
    "serve.telemetry.log_fields": ("logging", *HTTP),
    "serve.telemetry.otel": ("serve.api", "serve.app"),
    "train.base_model": ("train.trainer", "train.train_sft", "trl"),
    "train.callbacks": ("train.examples", "train.base_model"),
    "train.evaluate.exam": ("train.train_sft", "trl", "peft"),
    "train.evaluate.hf_model": ("data.prompts", "agents.retriever", "agents.analyst"),
    "train.evaluate.nearest_phrasing": ("data.season",),
    "train.evaluate.report": ("train.evaluate.systems", "train.evaluate.exam"),
    "train.evaluate.scoring": ("agents", "train.evaluate.systems"),
    "train.pretrain.tokenizer": ("torch", "train.base_model"),
    "train.pretrain.training": ("peft", "data.season", "serve"),
    "train.trainer": ("train.train_sft", "train.examples", "train.callbacks"),
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


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


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


def test_the_engine_imports_nothing_of_this_repository_but_itself() -> None:
    wrong = [
        f"{name} imports {module}"
        for name, path in MODULES.items()
        if _within_package(name, "serve.engine")
        for module in imported(path)
        if module.split(".")[0] in PACKAGES and not _within_package(module, "serve.engine")
    ]
    assert len([name for name in MODULES if _within_package(name, "serve.engine")]) > 15
    assert wrong == []


def test_the_folders_of_data_import_in_one_direction() -> None:
    layer_of = {part: number for number, parts in enumerate(DATA_LAYERS) for part in parts}
    parts = {name.split(".")[1] for name in MODULES if name.startswith("data.")}
    assert parts == set(layer_of), "every folder and module of data has its layer in DATA_LAYERS, and no other has"
    wrong = []
    for name, path in MODULES.items():
        if name.startswith("data."):
            own = name.split(".")[1]
            for module in imported(path):
                other = module.split(".")[1] if module.startswith("data.") else own
                if other in layer_of and other != own and layer_of[other] >= layer_of[own]:
                    wrong.append(f"{name} imports {module}")
    assert wrong == []


def _needs(path: Path) -> set[str]:
    """Modules of ours that a file imports by name; `from serve.api import infer` is serve.api.infer, not serve.api."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module or "" for name in names}
    return found & MODULES.keys()


def test_there_is_no_circle_of_imports() -> None:
    graph = {name: _needs(path) - {name} for name, path in MODULES.items()}
    # take away what imports nothing that is left, again and again: what stays is a circle, or imports one
    while free := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in free:
            del graph[name]
    assert {name: sorted(needs & graph.keys()) for name, needs in graph.items()} == {}


_CLAIM = re.compile(r"\b[Kk]now(?:s|ing)? (?:nothing|no|nobody|neither)\b|\bimports? (?:nothing|none)\b")


def test_what_a_docstring_says_its_module_knows_nothing_about_is_in_the_table() -> None:
    said = {
        name for name, path in MODULES.items() if _CLAIM.search(ast.get_docstring(ast.parse(path.read_text())) or "")
    }
    assert sorted(said - KNOWS_NOTHING_OF.keys()) == [], "say in KNOWS_NOTHING_OF what they must not import"
    assert sorted(KNOWS_NOTHING_OF.keys() - MODULES.keys()) == []


@pytest.mark.parametrize("name", KNOWS_NOTHING_OF)
def test_a_module_does_not_import_what_it_knows_nothing_about(name: str) -> None:
    wrong = {m for m in imported(MODULES[name]) for other in KNOWS_NOTHING_OF[name] if _within_package(m, other)}
    own = {m for m in wrong if _within_package(m, name)}  # the parts of a package that is its own __init__.py
    assert sorted(wrong - own) == []


def _within_package(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


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


def test_no_module_is_a_collection_of_unrelated_helpers() -> None:
    names = {"utils", "util", "common", "helpers", "misc"}
    assert not [name for name in tracked("*.py") if names & set(Path(name).with_suffix("").parts)]


def test_no_module_is_longer_than_450_lines_without_a_reason() -> None:
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
