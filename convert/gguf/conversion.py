"""A merged model to an F16 GGUF, and a LoRA adapter to a GGUF, both by llama.cpp's own converter in its own process.

`python -m convert gguf --run runs/<name>`.
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
from data.atomic_write import temporary_file


@dataclass(frozen=True)
class Conversion:
    """A converted file. peak_extra_bytes: the converter's peak memory above that of its imported libraries."""

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
    # offline: everything it needs is in the folders it is given, and a lookup at the hub would only add a delay
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("HF_TOKEN", None)
    with (
        temporary_file(target) as part,
        tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as keys_file,
    ):
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
            str(part),
        ]
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
        if result.returncode != 0 or not part.stat().st_size:
            raise ConvertError(f"llama.cpp's {script} could not convert {arguments[0]}: {_last_error(result.stderr)}")
    report = json.loads(result.stdout.strip().splitlines()[-1])
    return Conversion(target, report["peak_extra_bytes"], report["pre_tokenizer"])


def _last_error(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
