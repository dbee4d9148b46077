"""Says where modules went that people used to run by name: `python -m serve.bench_engine` names serve.bench.engine.

Kept for one release, 0.1. To remove it: this file, `moved.install()` in five `__init__.py`, its test in
tests/test_command_line.py.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "convert.llama_cpp_source": "convert.gguf.llama_cpp_source",
    "data.corpus": "data.dataset.pretraining",
    "data.linking": "data.linking.linker",
    "data.names": "data.linking.resolver",
    "data.qa": "data.dataset.build (run `python -m data qa`)",
    "data.user_qa": "data.dataset.user_data",
    "serve.bench_engine": "serve.bench.engine",
    "serve.bench_infer": "serve.bench.infer",
    "serve.bench_servers": "serve.bench.servers",
    "serve.memory": "serve.engine.memory",
    "serve.random_model": "serve.bench.random_model",
    "serve.threads": "serve.engine.cpu_threads",
    "tests.deploy_stamp": "tests.support.deploy_stamp",
    "train.eval_report": "train.evaluate.report",
    "train.scaling": "train.pretrain.scaling",
}


class _Signpost(importlib.abc.MetaPathFinder):
    """Asked last, so only for what no other finder has."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        old = name.removesuffix(".__main__")
        if old in MOVED:
            raise ModuleNotFoundError(f"{old} is now {MOVED[old]}", name=old)
        return None


def install() -> None:
    """Add the finder, once."""
    if not any(isinstance(finder, _Signpost) for finder in sys.meta_path):
        sys.meta_path.append(_Signpost())
