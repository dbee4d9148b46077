"""Runs one of llama.cpp's own converter scripts and adds metadata keys to the file that it writes.

Called by convert/gguf/conversion.py in a process of its own, and imports nothing of this repository:

    python convert/gguf/upstream_runner.py SCRIPT KEYS.json -- ARGUMENTS OF THE SCRIPT

The script runs unmodified but for two functions. After it has set its metadata, the string keys of KEYS.json are added.
Where it does not know a BPE pre-tokenizer by hash (of a changed vocabulary), the pre-tokenizer is recognised by its
definition in tokenizer.json; the proof of equal token ids judges the result.

The last line of stdout is JSON: {"peak_extra_bytes": ..., "pre_tokenizer": ...}.
"""

from __future__ import annotations

import json
import os
import resource
import runpy
import sys
from pathlib import Path

# Split patterns in tokenizer.json files, and llama.cpp's names for them (src/llama-vocab.cpp).
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLIT_PATTERNS = {_LETTERS + r"\p{N}" + _REST: "qwen2", _LETTERS + r"\p{N}{1,3}" + _REST: "llama-bpe"}


def begin_peak() -> int:
    """Reset the peak of memory, and return the bytes in use now.

    On Linux the peak of getrusage survives fork and exec, so a large parent would hide what its child takes: the
    kernel's high-water mark is read instead, and reset where that is allowed.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass
    return peak_memory()


def peak_memory() -> int:
    """The peak of memory since `begin_peak`, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):  # not Linux: macOS counts in bytes and starts anew with each process
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def recognise_pre_tokenizer(tokenizer_json: dict) -> str | None:
    """llama.cpp's name for the pre-tokenizer in tokenizer.json: one of four known here, else None."""
    root = tokenizer_json.get("pre_tokenizer") or {}
    steps = root.get("pretokenizers", [root])
    kinds = [step.get("type") for step in steps]
    if kinds == ["Split", "ByteLevel"]:
        return SPLIT_PATTERNS.get(steps[0].get("pattern", {}).get("Regex"))
    if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits") and steps[1].get("use_regex", True):
        return "smollm"
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True):
        return "gpt-2"
    return None


def main(script: str, keys_file: str, arguments: list[str]) -> None:
    """Run the script with the arguments."""
    sys.path.insert(0, str(Path(script).parent))
    sys.path.insert(1, str(Path(script).parent / "gguf-py"))
    keys: dict[str, str] = json.loads(Path(keys_file).read_text(encoding="utf-8"))
    report: dict[str, object] = {"pre_tokenizer": "known to llama.cpp"}

    import transformers  # noqa: F401  the largest import, made before memory is measured
    from conversion.base import TextModel

    set_metadata = TextModel.prepare_metadata
    known_pre_tokenizer = TextModel.get_vocab_base_pre

    def prepare_metadata(self, *args, **kwargs):
        set_metadata(self, *args, **kwargs)
        for key, value in keys.items():
            self.gguf_writer.add_string(key, value)

    def get_vocab_base_pre(self, tokenizer):
        try:
            return known_pre_tokenizer(self, tokenizer)
        except NotImplementedError:
            name = recognise_pre_tokenizer(json.loads((self.dir_model / "tokenizer.json").read_text("utf-8")))
            if name is None:
                raise
            report["pre_tokenizer"] = f"{name}, recognised by its definition in tokenizer.json"
            return name

    TextModel.prepare_metadata = prepare_metadata
    TextModel.get_vocab_base_pre = get_vocab_base_pre
    before = begin_peak()
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")
    report["peak_extra_bytes"] = peak_memory() - before
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    # Python has put this file's folder on the path, where it could shadow what the script imports
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != os.path.dirname(__file__)]
    main(sys.argv[1], sys.argv[2], sys.argv[sys.argv.index("--") + 1 :])
