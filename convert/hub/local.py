"""Publishing to a folder instead of the hub: the same versions, tags and checks, without an account.

The folder holds the newest version, so that a server can be pointed at it. .history/<commit>/ keeps every version (as
hard links, so that an unchanged file is stored once), and .history/refs.json says which commit main and each tag are.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from convert.hub.errors import HubError
from convert.hub.tags import choose_tag
from convert.manifest import (
    MANIFEST_NAME,
    Manifest,
    ManifestError,
    load,
    sha256_file,
    verify,
    wanted_files,
)
from data.atomic_write import atomic_link, atomic_write, temporary_folder


def push(folder: Path, manifest: Manifest, target: Path, tag: str | None) -> tuple[str, str, list[str]]:
    """Publish a verified folder to target. Returns commit, tag, and the files that were new or changed."""
    if target.resolve() == folder.resolve():
        raise HubError(f"{target} is the model folder itself: give another folder to publish to")
    commit = hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()[:40]
    history = target / ".history"
    refs = _refs(target)
    name = choose_tag({k: v for k, v in refs.items() if k != "main"}, commit, tag, str(target))
    before = _files_of(target)
    sent = [file for file, entry in manifest.files.items() if before.get(file) != entry.sha256]
    if refs.get("main") != commit:
        sent.append(MANIFEST_NAME)
        version = history / commit
        if not version.is_dir():
            _keep(folder, manifest, target, before, version)
        for file in [*manifest.files, MANIFEST_NAME]:  # the manifest last: until then readers see the old one
            atomic_link(version / file, target / file)
        for file in set(before) - set(manifest.files):
            (target / file).unlink(missing_ok=True)
    else:
        sent = []
    atomic_write(history / "refs.json", json.dumps({**refs, "main": commit, name: commit}, indent=2) + "\n")
    return commit, name, sent


def pull(target: Path, revision: str | None, file: str | None) -> Path:
    """The folder of a revision (default: the newest), with its wanted files checked against the manifest."""
    if not (target / MANIFEST_NAME).is_file():
        raise HubError(
            f"nothing is published in {target}: publish with `python -m convert push models/<name> --to "
            f"{target}`, or set HF_TOKEN and name a hub repository"
        )
    folder = target
    if revision and revision != "main":
        refs = _refs(target)
        commit = refs.get(revision) or revision
        folder = target / ".history" / commit
        if not re.fullmatch(r"[0-9a-f]{40}", commit) or not folder.is_dir():
            known = ", ".join(sorted(refs)) or "none"
            raise HubError(f"{target} has no revision {revision!r}: it has {known}, or give a whole commit id")
    verify(folder, wanted_files(load(folder), file, str(target)))
    return folder


def _refs(target: Path) -> dict[str, str]:
    """Tag, or "main" -> commit."""
    path = target / ".history" / "refs.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _files_of(target: Path) -> dict[str, str]:
    """File -> hash, of the version that lies in target."""
    try:
        return {name: entry.sha256 for name, entry in load(target).files.items()}
    except ManifestError:
        return {}


def _keep(folder: Path, manifest: Manifest, target: Path, before: dict[str, str], version: Path) -> None:
    """Store the model folder as a version; `before` has the hashes of the files that lie in target."""
    with temporary_folder(version) as part:
        for file, entry in manifest.files.items():
            kept = target / file
            if before.get(file) == entry.sha256 and kept.is_file() and sha256_file(kept) == entry.sha256:
                atomic_link(kept, part / file)
            else:
                shutil.copyfile(folder / file, part / file)
        shutil.copyfile(folder / MANIFEST_NAME, part / MANIFEST_NAME)
        verify(part)
