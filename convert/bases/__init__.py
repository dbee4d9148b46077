"""Base models that are not a Hugging Face folder yet: a public one by name, one with our adapter, or a GGUF file.

base_folder("smollm2")          # the folder to train from, made on the first call and then cached
base_folder("smollm2-cricket")  # the same with the adapter in train/adapter merged into it
base_folder("my-model.gguf")
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock

from convert.bases.public import OWN_TEMPLATE, PUBLIC, gguf_file
from convert.errors import ConvertError
from convert.manifest import sha256_file
from convert.package_index import cache_folder

__all__ = ["ADAPTED", "OWN_TEMPLATE", "PUBLIC", "as_gguf", "base_folder", "is_gguf_base", "model_files"]

# name -> (public base, folder of the LoRA adapter that is merged into it)
ADAPTED = {"smollm2-cricket": ("smollm2", Path(__file__).parents[2] / "train" / "adapter")}

_VERSION = 1  # of the folders made here; raising it makes them anew


def is_gguf_base(base: str) -> bool:
    """Whether a base is the name of a public one (also with our adapter) or a GGUF file."""
    return base in PUBLIC or base in ADAPTED or base.endswith(".gguf")


def base_folder(base: str) -> Path:
    """The Hugging Face folder of a base by name or GGUF file. Raises ConvertError."""
    if base in ADAPTED:
        return _adapted(base)
    if base in PUBLIC:
        sha256 = PUBLIC[base].gguf_sha256
    else:
        path = Path(base).expanduser()
        if not path.is_file():
            raise ConvertError(f"no base model at {base}: give a GGUF file, a folder, a hub id or one of {_names()}")
        sha256 = sha256_file(path)
    target = cache_folder() / "bases" / f"{Path(base).stem}-{sha256[:12]}-v{_VERSION}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):  # several processes may train together
        if not (target / "config.json").is_file():
            from convert.bases.from_gguf import to_hugging_face  # loads torch

            about = PUBLIC.get(base)
            to_hugging_face(gguf_file(about) if about else path, target, about)
    return target


def model_files(folder: Path) -> list[Path]:
    """The files that define a model, without a README or pictures beside them."""
    kinds = {".safetensors", ".json", ".model", ".jinja", ".txt", ".bin"}
    return [path for path in folder.rglob("*") if path.is_file() and path.suffix in kinds]


def _adapted(name: str) -> Path:
    """The folder of a public base with our adapter merged into it. Raises ConvertError."""
    public, adapter = ADAPTED[name]
    weights = adapter / "adapter_model.safetensors"
    if not weights.is_file():
        raise ConvertError(f"no {weights}: make it with `make finetune`, which takes hours on a CPU")
    source = base_folder(public)
    digest = hashlib.sha256(source.name.encode() + weights.read_bytes()).hexdigest()
    target = cache_folder() / "bases" / f"{name}-{digest[:12]}-v{_VERSION}"
    with FileLock(target.with_suffix(".lock")):
        if not (target / "config.json").is_file():
            from convert.merge import merge  # loads torch

            merge(source, adapter, target)
            for path in (adapter / "README.md", source / "LICENSE"):
                if path.is_file():
                    shutil.copyfile(path, target / path.name)
    return target


def as_gguf(base: str, adapter: Path | None, target: Path) -> Path:
    """Write a base with a LoRA adapter merged into it (None: alone) as a GGUF in Q8_0. Raises ConvertError."""
    from convert.gguf.conversion import to_f16
    from convert.gguf.quantise import quantise
    from convert.merge import merge

    with tempfile.TemporaryDirectory() as work:
        merge(base_folder(base) if is_gguf_base(base) else Path(base), adapter, merged := Path(work) / "merged")
        f16 = to_f16(merged, Path(work) / "f16.gguf", {}).path
        return quantise(f16, None, {"Q8_0": target})[0].path


def _names() -> str:
    return ", ".join([*PUBLIC, *ADAPTED])
