"""A merged model to F16 GGUF, and a LoRA adapter to GGUF, both by llama.cpp's own converter in a process of its own.

Knows nothing about merging or quantising. `python -m convert gguf --run runs/<name>`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from convert.errors import ConvertError
from convert.gguf.llama_cpp_source import llama_cpp_source


@dataclass(frozen=True)
class Conversion:
    """What the converter made. peak_extra_bytes: peak memory above that of its imported libraries."""

    path: Path
    peak_extra_bytes: int
    pre_tokenizer: str


def to_f16(merged: Path, target: Path, provenance: dict[str, str]) -> Conversion:
    """Convert a Hugging Face folder to an F16 GGUF with provenance as extra string keys. Raises ConvertError."""
    return _run("convert_hf_to_gguf.py", [str(merged), "--outtype", "f16"], target, provenance)


def lora_to_gguf(adapter: Path, base: Path, target: Path) -> Conversion:
    """Convert a PEFT adapter folder to a GGUF that llama.cpp applies over the base model's GGUF."""
    return _run("convert_lora_to_gguf.py", [str(adapter), "--base", str(base), "--outtype", "f16"], target, {})


def _run(script: str, arguments: list[str], target: Path, keys: dict[str, str]) -> Conversion:
    source = llama_cpp_source()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.tmp")
    # offline: everything it needs is in the folders it is given, and a lookup at the hub would only add a delay
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("HF_TOKEN", None)
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as keys_file:
            json.dump(keys, keys_file)
            keys_file.flush()
            command = [
                sys.executable,
                str(Path(__file__).with_name("upstream_runner.py")),
                str(source.folder / script),
                keys_file.name,
                "--",
                *arguments,
                "--outfile",
                str(temporary),
            ]
            result = subprocess.run(command, capture_output=True, text=True, env=environment)
        if result.returncode != 0 or not temporary.is_file():
            raise ConvertError(f"llama.cpp's {script} could not convert {arguments[0]}: {_last_error(result.stderr)}")
        report = json.loads(result.stdout.strip().splitlines()[-1])
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return Conversion(target, report["peak_extra_bytes"], report["pre_tokenizer"])


def _last_error(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
