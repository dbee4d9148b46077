"""What a hub repository gets of a model folder, and under which name: composed here, sent by convert/hub/upload.py.

Branch main: the GGUF files, the card and the manifest; the merged weights with configuration and tokenizer at the root,
where transformers looks for them. Branch `adapter`: the LoRA adapter at the root, since peft passes a subfolder on to
the base, and transformers would take an adapter beside a model for the model. Branch `base`: the weights that the
adapter was trained on, where no public repository has exactly these.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from convert.bases import base_folder, is_gguf_base, model_files
from convert.errors import ConvertError
from convert.manifest import FileEntry, Manifest, entry_for, sha256_files
from data.dataset.knowledge import KNOWLEDGE_FILE

CARD = "README.md"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ADAPTER_BRANCH, BASE_BRANCH = "adapter", "base"
_TRAINING_CONFIG = "training-config.yaml"
_ROOT = Path(__file__).resolve().parent.parent.parent
_MARK = re.compile(r"\n<!-- written by `python -m convert push` \(([0-9a-f]{16})\): [^\n]*-->\n\Z")

Content = Path | bytes  # of a file to send


@dataclass(frozen=True)
class BaseWeights:
    """Where peft finds the weights that the adapter was trained on: a public repository, or `files` to be sent."""

    hub_id: str | None
    revision: str | None
    files: dict[str, Content] = field(default_factory=dict)


@dataclass(frozen=True)
class Publication:
    """The content of a repository; `adapter` is empty where there is none or nobody could load it."""

    manifest: Manifest  # of the files of main
    files: dict[str, Content]
    adapter: dict[str, Content] = field(default_factory=dict)
    base: BaseWeights | None = None
    notes: list[str] = field(default_factory=list)


def compose(folder: Path, manifest: Manifest, repository: str, private: bool) -> Publication:
    """The publication of a verified model folder as `repository`; a user's rows only where it is private."""
    files: dict[str, Content] = {name: folder / name for name in manifest.files}
    merged, notes = _merged(folder, manifest)
    if not private and files.pop(KNOWLEDGE_FILE, None):
        notes.append(
            f"{KNOWLEDGE_FILE} is left out: it has the questions and answers of your file, and {repository} is public;"
            " a service that fetches the model there does not know them"
        )
    files |= merged
    adapter = {name: files.pop(name) for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS) if name in files}
    base = None
    if len(adapter) == 2:
        base = _base(_read(adapter[ADAPTER_CONFIG]), manifest)
        if base is None:
            notes.append(
                f"the adapter is left out: its base {manifest.base.id} is not on this machine as it was in training"
            )
            adapter = {}
    if _TRAINING_CONFIG in files:
        files[_TRAINING_CONFIG] = without_paths(_read(files[_TRAINING_CONFIG]))
    if CARD in files:
        text = _read(files[CARD]).decode("utf-8")
        files[CARD] = marked(_with_use(text, repository, manifest, bool(merged), bool(adapter))).encode()
    entries = {name: entry_of(content, manifest.files.get(name)) for name, content in files.items()}
    return Publication(replace(manifest, files=entries), files, adapter, base, notes)


def adapter_files(publication: Publication, base_id: str, revision: str | None) -> dict[str, Content]:
    """The adapter's files, with the repository and the commit of its base in the configuration."""
    settings = json.loads(_read(publication.adapter[ADAPTER_CONFIG]))
    settings |= {"base_model_name_or_path": base_id, "revision": revision}
    return {**publication.adapter, ADAPTER_CONFIG: (json.dumps(settings, indent=2) + "\n").encode()}


def without_card(publication: Publication) -> Publication:
    """The publication without a card, where the repository's own is kept."""
    files = {name: content for name, content in publication.files.items() if name != CARD}
    entries = {name: entry for name, entry in publication.manifest.files.items() if name != CARD}
    return replace(publication, manifest=replace(publication.manifest, files=entries), files=files)


def entry_of(content: Content, known: FileEntry | None = None) -> FileEntry:
    """Hash and size of a file; those of `known` are taken for a file that is sent as it lies in the model folder."""
    kind = known.quantisation if known else None
    if isinstance(content, Path):
        return known or entry_for(content)
    return FileEntry(hashlib.sha256(content).hexdigest(), len(content), kind)


def marked(text: str) -> str:
    """A card with a mark that says who wrote it and, by a hash, that nobody has changed it since."""
    text = text.rstrip("\n") + "\n"
    return f"{text}\n<!-- written by `python -m convert push` ({_digest(text)}): changed by hand, it is kept -->\n"


def is_generated(text: str) -> bool:
    """Whether a card is as `marked` left it."""
    found = _MARK.search(text)
    return bool(found) and _digest(text[: found.start()]) == found[1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(content: Content) -> bytes:
    return content.read_bytes() if isinstance(content, Path) else content


def _merged(folder: Path, manifest: Manifest) -> tuple[dict[str, Content], list[str]]:
    """The merged model's files by name, where the conversion of exactly this manifest left them."""
    merged = folder / ".work" / "merged"
    try:
        record = json.loads((folder / ".work" / "merge.json").read_text(encoding="utf-8"))
        paths = sorted(path for path in merged.iterdir() if path.is_file())
        same = record["outputs"][".work/merged"] == sha256_files(paths, merged)
        same = same and record["result"] == manifest.evaluation.get("merge")
    except (OSError, ValueError, KeyError, TypeError):
        return {}, []
    if not same:
        return {}, [f"the merged weights are left out: {merged} has other ones, run the conversion again"]
    return {path.name: path for path in paths}, []


def _base(adapter_config: bytes, manifest: Manifest) -> BaseWeights | None:
    """Where the adapter's base is or, None, that it is nowhere."""
    if manifest.base.revision and re.fullmatch(r"[\w.-]+/[\w.-]+", manifest.base.id):
        return BaseWeights(manifest.base.id, manifest.base.revision)
    named = str(json.loads(adapter_config).get("base_model_name_or_path") or manifest.base.id)
    folders = [Path(named), _ROOT / manifest.base.id]
    if is_gguf_base(manifest.base.id):
        try:
            folders.append(base_folder(manifest.base.id))
        except ConvertError:
            pass  # the GGUF is elsewhere now: the folder that training named may still be there
    for folder in folders:
        if folder.is_dir() and sha256_files(model_files(folder), folder) == manifest.base.sha256:
            about = [path for path in folder.iterdir() if path.name.startswith(("LICENSE", "NOTICE"))]
            return BaseWeights(
                None, None, {path.relative_to(folder).as_posix(): path for path in [*model_files(folder), *about]}
            )
    return None


def without_paths(config: bytes) -> bytes:
    """A training configuration without this machine's paths; of a user's data not even the file's name."""

    def cleaned(value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {name: cleaned(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [cleaned(inner, key) for inner in value]
        if not isinstance(value, str) or not value:
            return value
        if key == "data" and data_set_id(value) is None:
            return "(own file)"
        is_path = value.startswith(("/", "~", "..")) or "\\" in value
        return re.split(r"[/\\]", value)[-1] if is_path else value

    return yaml.safe_dump(cleaned(yaml.safe_load(config)), sort_keys=False, allow_unicode=True).encode()


def data_set_id(data: str) -> str | None:
    """The hub data set that a training's `data` names; None where it is a file or folder."""
    return data if re.fullmatch(r"[\w-]+/[\w.-]+", data) and not Path(data).exists() and not Path(data).suffix else None


def _with_use(text: str, repository: str, manifest: Manifest, merged: bool, adapter: bool) -> str:
    """The card with code that loads what the repository has, before the first section."""
    lines = ["## Use", "", "```python"]
    if merged:
        text = text.replace("\nlibrary_name: gguf\n", "\nlibrary_name: transformers\n", 1)
        lines += [
            "from transformers import AutoModelForCausalLM, AutoTokenizer  # the merged weights",
            f'model = AutoModelForCausalLM.from_pretrained("{repository}")',
            f'tokenizer = AutoTokenizer.from_pretrained("{repository}")',
            "",
        ]
    if adapter:
        lines += [
            "from peft import AutoPeftModelForCausalLM  # the adapter on its base",
            f'model = AutoPeftModelForCausalLM.from_pretrained("{repository}", revision="{ADAPTER_BRANCH}")',
            "",
        ]
    lines += [
        "from llama_cpp import Llama",
        f'llm = Llama.from_pretrained("{repository}", filename="{manifest.default_file}")',
        "```",
        "",
    ]
    head, first, rest = text.partition("\n## ")
    return f"{head.rstrip()}\n\n" + "\n".join(lines) + (f"{first}{rest}" if first else "")
