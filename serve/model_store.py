"""Finds or downloads the model file and checks it against its manifest before it is opened.

    found = locate(Settings())      # a folder with manifest.json, a .gguf, or MODEL_REPO by convert.hub

Raises ModelMissing (with the command that makes a model), ManifestError or HubError; each message is one sentence that
says what to do.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from convert.hub import pull
from convert.manifest import MANIFEST_NAME, Manifest, ManifestError, check_file, load, sha256_file
from data.dataset.knowledge import KNOWLEDGE_FILE, Row, read
from data.errors import SourceError
from data.prompts import PROMPT_VERSION
from serve.settings import Settings

log = logging.getLogger(__name__)

TRIAL_S = 300.0  # for a file to load and compute one token
_QUANTISATION = re.compile(r"(?<![A-Za-z0-9])(I?Q\d\w*|BF16|F16|F32)(?![A-Za-z0-9])", re.I)


class ModelMissing(Exception):
    """There is no model file where the settings point to."""


@dataclass(frozen=True)
class ModelInfo:
    """Provenance of the model that worded an answer. `season` is the one that it was fine-tuned on."""

    name: str
    file: str | None = None
    quantisation: str | None = None
    sha256: str | None = None
    base: str | None = None
    season: str | None = None
    data_sha256: str | None = None


@dataclass(frozen=True)
class ModelFile:
    """A checked model file and its provenance."""

    path: Path
    info: ModelInfo
    knowledge: tuple[Row, ...] = ()  # the rows of the user's file that it was trained on


def locate(settings: Settings) -> ModelFile:
    """The file to serve, downloaded if need be, its sha256 checked."""
    if settings.model_repo:
        _export(settings)
        folder = pull(settings.model_repo, settings.model_revision, settings.model_file)
        return _in_folder(folder, settings.model_file)
    path = settings.model_path
    if path.is_dir():
        return _in_folder(path, settings.model_file)
    if not path.is_file():
        raise ModelMissing(
            f"there is no model at {path}: make one with `make demo`, or set MODEL_PATH to a model folder "
            "or .gguf, or MODEL_REPO to a repository"
        )
    if path.suffix != ".gguf":
        raise ModelMissing(f"MODEL_PATH is {path}, which is neither a model folder nor a .gguf file")
    if (path.parent / MANIFEST_NAME).is_file() and path.name in load(path.parent).files:
        return _in_folder(path.parent, path.name)
    _check_magic(path)
    if not settings.allow_unverified_model:
        raise ModelMissing(
            f"no {MANIFEST_NAME} beside {path} describes it, so that nothing says whose file it is: name the model's "
            "folder, or set ALLOW_UNVERIFIED_MODEL=true if you made or trust this file"
        )
    _try_loading(path)
    info = ModelInfo(name=path.stem, file=path.name, quantisation=_quantisation(path.name), sha256=sha256_file(path))
    return ModelFile(path, info)


def downloaded(settings: Settings) -> tuple[int, int | None]:
    """Bytes of the model file downloaded so far, and its size (None until the manifest is downloaded)."""
    home = Path(os.environ.get("HF_HOME") or settings.hf_home or "~/.cache/huggingface").expanduser()
    # where convert.hub keeps partial downloads
    store = home / "checked-models" / (settings.model_repo or "").replace("/", "--")
    here = sum(part.stat().st_size for part in store.glob("blobs/*.part"))
    manifests = sorted(store.glob(f"snapshots/*/{MANIFEST_NAME}"), key=lambda path: path.stat().st_mtime)
    if not manifests:
        return here, None
    manifest = load(manifests[-1].parent)
    entry = manifest.files.get(settings.model_file or manifest.default_file)
    return here, entry.size if entry else None


def _in_folder(folder: Path, name: str | None) -> ModelFile:
    if not (folder / MANIFEST_NAME).is_file():
        raise ModelMissing(
            f"the folder {folder} has no {MANIFEST_NAME}: make a model with `make demo`, or name a .gguf "
            "file by MODEL_PATH"
        )
    manifest = load(folder)
    name = name or manifest.default_file
    if name not in manifest.files:
        raise ManifestError(f"MODEL_FILE is {name!r}, but {folder} has {', '.join(manifest.files)}")
    check_file(folder, name, manifest.files[name])
    _check_magic(folder / name)
    if manifest.prompt_version not in (None, PROMPT_VERSION):
        log.warning(
            "the model %s was trained on prompts of version %s, and this service has version %s: its answers will be "
            "poor; train it again with `make demo`",
            manifest.name,
            manifest.prompt_version,
            PROMPT_VERSION,
        )
    return ModelFile(folder / name, _info(manifest, name), _knowledge(folder, manifest))


def _knowledge(folder: Path, manifest: Manifest) -> tuple[Row, ...]:
    """The rows of the user's file, checked; none where the model was trained without one."""
    if KNOWLEDGE_FILE not in manifest.files:
        return ()
    check_file(folder, KNOWLEDGE_FILE, manifest.files[KNOWLEDGE_FILE])
    try:
        return tuple(read(folder / KNOWLEDGE_FILE))
    except SourceError as error:
        raise ManifestError(str(error)) from None


def _info(manifest: Manifest, name: str) -> ModelInfo:
    entry = manifest.files[name]
    return ModelInfo(
        name=manifest.name,
        file=name,
        quantisation=entry.quantisation or _quantisation(name),
        sha256=entry.sha256,
        base=manifest.base.id,
        season=manifest.data.season,
        data_sha256=manifest.data.sha256,
    )


def _check_magic(path: Path) -> None:
    """Refuse a file that is not GGUF: on such a file the native loader may abort the process."""
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise ManifestError(f"{path} is not a GGUF file: fetch or make it again")


def _try_loading(path: Path) -> None:
    """Load an unverified file in a child process first: what aborts the native loader ends that one alone.

    Raises ManifestError where it does not load.
    """
    command = [sys.executable, "-P", "-m", "serve.engine.trial_load", str(path)]
    root = str(Path(__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=TRIAL_S, env=environment)
    except subprocess.TimeoutExpired:
        raise ManifestError(f"{path} did not load within {TRIAL_S:g} s: fetch or make it again") from None
    if tried.returncode:
        lines = tried.stderr.strip().splitlines()
        why = lines[-1][:200] if tried.returncode > 0 and lines else f"the loader ended with status {tried.returncode}"
        raise ManifestError(f"{path} cannot be loaded ({why}): it is damaged or no model, fetch or make it again")


def _quantisation(name: str) -> str | None:
    found = _QUANTISATION.search(name)
    return found[1].upper() if found else None


def _export(settings: Settings) -> None:
    """Copy settings from .env into the environment, the only place where huggingface_hub reads them."""
    if settings.hf_token and not os.environ.get("HF_TOKEN"):
        os.environ["HF_TOKEN"] = settings.hf_token.get_secret_value()
    if settings.hf_home and not os.environ.get("HF_HOME"):
        os.environ["HF_HOME"] = str(settings.hf_home)
