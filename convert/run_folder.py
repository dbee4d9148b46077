"""A training run as the conversion reads it: adapter, base model, data, prompt version, figures.

Reads runs/<name>/ (config.yaml, adapter/, eval.json) and writes nothing. A base model that is no local folder is
fetched from the hub with the token in HF_TOKEN.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from convert.bases import base_folder, is_gguf_base, model_files
from convert.errors import ConvertError
from convert.hub.publication import data_set_id
from convert.manifest import sha256_files
from data.dataset.knowledge import KNOWLEDGE_FILE
from data.errors import SeasonError
from data.prompts import PROMPT_VERSION
from data.season import about

EMBEDDED_BASE = "train/base"
# files of the run that are published beside the model -> their names there; PEFT expects the adapter's own
RECORD = {
    "adapter/adapter_model.safetensors": "adapter_model.safetensors",
    "adapter/adapter_config.json": "adapter_config.json",
    "config.yaml": "training-config.yaml",
    "metrics.jsonl": "training-metrics.jsonl",
    "loss.png": "training-loss.png",
    "result.json": "training-result.json",
    KNOWLEDGE_FILE: KNOWLEDGE_FILE,  # for the agents
}


@dataclass(frozen=True)
class Run:
    """What a training run produced, and what from."""

    name: str
    adapter: Path | None  # None where every weight was trained
    adapter_sha256: str | None
    base: Path
    base_id: str
    base_revision: str | None
    base_sha256: str
    base_licence: str | None
    season: str | None
    data_sha256: str | None
    data_source: str | None
    data_set: str | None
    prompt_version: str | None
    evaluation: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Path] = field(default_factory=dict)  # published name -> file: adapter and training record

    @property
    def recall(self) -> float | None:
        """The share of a user's rows that the model learned by heart, as training measured it; None of other runs."""
        result = self.record.get(RECORD["result.json"])
        if result is None or KNOWLEDGE_FILE not in self.record:
            return None
        found = _mapping(result, json.loads).get("exact_match", {})
        return found.get("closed_book") if isinstance(found, dict) else None

    def provenance(self, llama_cpp_commit: str) -> dict[str, str]:
        """The keys and strings that go into the GGUF's metadata."""
        values = {
            "base.id": self.base_id,
            "base.revision": self.base_revision,
            "base.sha256": self.base_sha256,
            "adapter.sha256": self.adapter_sha256,
            "data.season": self.season,
            "data.sha256": self.data_sha256,
            "prompt_version": self.prompt_version,
            "llama_cpp_commit": llama_cpp_commit,
        }
        return {f"cricket.{key}": value for key, value in values.items() if value}


def read_run(folder: Path, base: str | None = None) -> Run:
    """Read a run folder; `base` overrides the one it names. Raises ConvertError saying what is missing."""
    if not folder.is_dir():
        raise ConvertError(f"no run in {folder}: run `python -m train` first, or name a run with --run runs/<name>")
    adapter = folder / "adapter"
    config = _mapping(folder / "config.yaml", yaml.safe_load)
    if (folder / "model" / "config.json").is_file() and not adapter.is_dir():
        return _full_run(folder, config)
    if not (adapter / "adapter_config.json").is_file():
        raise ConvertError(f"no adapter in {adapter}: run `python -m train` first, or name another run with --run")
    lora = _mapping(adapter / "adapter_config.json", json.loads)
    base_id = base or _find(config, "base") or lora.get("base_model_name_or_path") or EMBEDDED_BASE
    if isinstance(base_id, dict):
        base_id = base_id.get("id") or base_id.get("path")
    revision = None if base else _find(config, "base_revision", "revision") or lora.get("revision")
    base_folder, commit = _base_folder(str(base_id), revision)
    season = _find(config, "season")
    return Run(
        name=folder.name,
        adapter=adapter,
        adapter_sha256=sha256_files(model_files(adapter), adapter),
        base=base_folder,
        base_id=_portable(str(base_id)),
        base_revision=commit,
        base_sha256=sha256_files(model_files(base_folder), base_folder),
        base_licence=_licence(base_folder),
        season=season,
        data_sha256=_find(config, "data_sha256") or _data_sha256(season),
        data_source=_data_source(config, season),
        data_set=data_set_id(str(_find(config, "data") or "")),
        prompt_version=_prompt_version(config),
        evaluation=_figures(_mapping(folder / "eval.json", json.loads, missing_ok=True)),
        record=_record(folder),
    )


def _full_run(folder: Path, config: dict[str, Any]) -> Run:
    """A run that trained every weight: its model/ is converted, and there is nothing to merge."""
    model, season = folder / "model", _find(config, "season")
    return Run(
        name=folder.name,
        adapter=None,
        adapter_sha256=None,
        base=model,
        base_id=_portable(str(_find(config, "base") or EMBEDDED_BASE)),
        base_revision=_find(config, "base_revision", "revision"),
        base_sha256=sha256_files(model_files(model), model),
        base_licence=None,
        season=season,
        data_sha256=_find(config, "data_sha256") or _data_sha256(season),
        data_source=_data_source(config, season),
        data_set=data_set_id(str(_find(config, "data") or "")),
        prompt_version=_prompt_version(config),
        evaluation=_figures(_mapping(folder / "eval.json", json.loads, missing_ok=True)),
        record=_record(folder),
    )


def _record(folder: Path) -> dict[str, Path]:
    """The files of RECORD that exist, by published name."""
    return {name: folder / file for file, name in RECORD.items() if (folder / file).is_file()}


def _mapping(path: Path, parse: Any, missing_ok: bool = False) -> dict[str, Any]:
    """The mapping in a file; empty where it is missing and may be."""
    if not path.is_file():
        if missing_ok or path.name == "config.yaml":
            return {}
        raise ConvertError(f"{path} is missing: run `python -m train` again")
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        raise ConvertError(f"{path} cannot be read ({error}): run `python -m train` again") from error
    return value if isinstance(value, dict) else {}


def _find(config: dict[str, Any], *keys: str) -> Any:
    """The first value of one of the keys, at the top of the configuration or one level below."""
    for mapping in (config, *(value for value in config.values() if isinstance(value, dict))):
        for key in keys:
            if mapping.get(key) not in (None, ""):
                return mapping[key]
    return None


def _base_folder(base_id: str, revision: str | None) -> tuple[Path, str | None]:
    """The base model's folder and, of one from the hub, its commit."""
    if is_gguf_base(base_id):
        return base_folder(base_id), None
    path = Path(base_id)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConvertError(f"{path} has no config.json: --base must be a Hugging Face model folder or a model id")
        return path, None
    if base_id.count("/") != 1 or base_id.startswith((".", "/")):
        raise ConvertError(f"no base model at {base_id}: give a folder with config.json or a model id with --base")
    from huggingface_hub import snapshot_download

    from convert.hub import as_hub_error, token_from_environment

    try:
        folder = Path(
            snapshot_download(
                base_id,
                revision=revision,
                token=token_from_environment() or False,
                allow_patterns=["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "README.md"],
            )
        )
    except Exception as error:
        raise ConvertError(f"base model: {as_hub_error(error, base_id, revision)}") from error
    return folder, folder.name


def _portable(base_id: str) -> str:
    """The id without a path of this machine: relative to this project, or else the folder's name."""
    path = Path(base_id)
    if not path.is_absolute():
        return base_id
    root = Path(__file__).resolve().parent.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _data_sha256(season: str | None) -> str | None:
    from data.season import SEASONS

    folder = SEASONS / (season or "") / "qa"
    files = sorted(folder.glob("*.jsonl*")) if season else []
    return sha256_files(files, folder) if files else None


def _data_source(config: dict[str, Any], season: str | None) -> str | None:
    """Who published the match data, as the season's files say; None where the run was trained on a file of its own."""
    if _find(config, "data") or not season:
        return None
    try:
        return about(season).source
    except SeasonError:
        return None


def _licence(base: Path) -> str | None:
    """The licence in the metadata of the base's card."""
    card = base / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    found = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        licence = yaml.safe_load(found[1]).get("license") if found else None
    except (yaml.YAMLError, AttributeError):
        return None
    return licence if isinstance(licence, str) else None


def _prompt_version(config: dict[str, Any]) -> str:
    """The version of the prompts that the run was trained on; of one that does not say, today's."""
    return str(_find(config, "prompt_version") or PROMPT_VERSION)


def _figures(evaluation: dict[str, Any]) -> dict[str, Any]:
    """The figures at the top of eval.json, for the manifest and the card."""
    return {key: value for key, value in evaluation.items() if isinstance(value, int | float | str | bool)}
