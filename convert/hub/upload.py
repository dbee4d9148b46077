"""Sends a model folder to a private hub repository: one commit a branch, only what changed, and a tag.

    push_to_hub(Path("models/demo"), load(Path("models/demo")), "owner/name", None)

What goes where is composed by convert/hub/publication.py. Files that no manifest of the repository lists are somebody
else's and left alone, as is a card that was written or changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from convert.hub.client import TIMEOUT_S, client, endpoint, read_text
from convert.hub.errors import HubError, token_from_environment
from convert.hub.publication import (
    ADAPTER_BRANCH,
    BASE_BRANCH,
    CARD,
    Content,
    Publication,
    adapter_files,
    compose,
    entry_of,
    is_generated,
    without_card,
)
from convert.hub.tags import choose_tag
from convert.manifest import MANIFEST_NAME, FileEntry, Manifest, ManifestError


def push_to_hub(
    folder: Path, manifest: Manifest, repository: str, tag: str | None
) -> tuple[str, str, str, list[str], list[str]]:
    """Publish a verified folder. Returns repository, commit, tag, the files sent, and notes on what was left out."""
    api = client()
    info = _open(api, repository)
    _use_xet_if_offered(repository)
    publication = compose(folder, manifest, repository, private=info.private)
    there = {sibling.rfilename: sibling for sibling in info.siblings or []}
    before = _manifest_of(repository, info.sha) if MANIFEST_NAME in there else None
    notes = list(publication.notes)
    if CARD in publication.files and CARD in there and not _is_ours(repository, info.sha, before):
        publication = without_card(publication)
        notes.append(f"{CARD} of {repository} was written by hand and is kept")
    files = {**publication.files, MANIFEST_NAME: publication.manifest.to_json().encode()}
    gone = [name for name in (before.files if before else ()) if name in there and name not in files and name != CARD]
    # the branches first: once main is there, everything that its card promises is
    sent = _send_adapter(api, repository, publication)
    commit, sent_to_main = _commit(api, repository, "main", info, files, gone, publication.manifest)
    return repository, commit, _tag(api, repository, commit, tag), sent_to_main + sent, notes


def _open(api: Any, repository: str) -> Any:
    """The repository's state, which is made where it does not exist. Raises HubError where it is public."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.model_info(repository, files_metadata=True, timeout=TIMEOUT_S)
    except RepositoryNotFoundError as error:
        if getattr(error.response, "status_code", None) == 401:
            raise
        api.create_repo(repository, private=True, exist_ok=True)
        info = api.model_info(repository, files_metadata=True, timeout=TIMEOUT_S)
    if not info.private:
        raise HubError(f"{repository} exists and is public: make it private in its settings, or choose another name")
    return info


def _use_xet_if_offered(repository: str) -> None:
    """Let huggingface_hub upload by LFS to a hub without Xet, where it would fail instead."""
    from huggingface_hub import constants
    from huggingface_hub.utils import build_hf_headers, get_session
    from huggingface_hub.utils._runtime import is_xet_available
    from huggingface_hub.utils._xet import XetTokenType, xet_connection_info_refresh_url

    if is_xet_available():
        url = xet_connection_info_refresh_url(
            token_type=XetTokenType.WRITE, repo_id=repository, repo_type="model", revision="main", endpoint=endpoint()
        )
        answer = get_session().get(url, headers=build_hf_headers(token=token_from_environment()), timeout=TIMEOUT_S)
        if answer.status_code == 404:
            constants.HF_HUB_DISABLE_XET = True


def _manifest_of(repository: str, commit: str) -> Manifest | None:
    """The manifest that the repository has, None where it is none of ours."""
    try:
        return Manifest.from_json(read_text(repository, commit, MANIFEST_NAME), f"{MANIFEST_NAME} of {repository}")
    except ManifestError:
        return None


def _is_ours(repository: str, commit: str, before: Manifest | None) -> bool:
    """Whether the repository's card is one that a push made and nobody changed."""
    text = read_text(repository, commit, CARD)
    listed = before.files.get(CARD) if before else None
    return is_generated(text) or (listed is not None and entry_of(text.encode()).sha256 == listed.sha256)


def _send_adapter(api: Any, repository: str, publication: Publication) -> list[str]:
    """Send the adapter and, where no public repository has it, its base, to their branches."""
    if not publication.adapter or publication.base is None:
        return []
    sent: list[str] = []
    base_id, revision = publication.base.hub_id, publication.base.revision
    if base_id is None:
        base_id = repository
        revision, sent = _to_branch(api, repository, BASE_BRANCH, publication.base.files, publication.manifest)
    files = adapter_files(publication, base_id, revision)
    return sent + _to_branch(api, repository, ADAPTER_BRANCH, files, publication.manifest)[1]


def _to_branch(
    api: Any, repository: str, branch: str, files: Mapping[str, Content], manifest: Manifest
) -> tuple[str, list[str]]:
    """Send files to a branch, which is made where it does not exist. Returns its commit and the files sent."""
    new = branch not in {ref.name for ref in api.list_repo_refs(repository).branches}
    if new:
        api.create_branch(repository, branch=branch)
    info = api.model_info(repository, revision=branch, files_metadata=True, timeout=TIMEOUT_S)
    # a new branch begins as a copy of main
    gone = [s.rfilename for s in info.siblings or [] if s.rfilename not in (*files, ".gitattributes")] if new else []
    commit, sent = _commit(api, repository, branch, info, files, gone, manifest)
    return commit, [f"{name} (branch {branch})" for name in sent]


def _commit(
    api: Any,
    repository: str,
    branch: str,
    info: Any,
    files: Mapping[str, Content],
    gone: Iterable[str],
    manifest: Manifest,
) -> tuple[str, list[str]]:
    """One commit with what differs from `info`. Returns the branch's commit and the names of the files sent."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    there = {sibling.rfilename: sibling for sibling in info.siblings or []}
    known = manifest.files if branch == "main" else {}
    entries = {name: entry_of(content, known.get(name)) for name, content in files.items()}
    changed = [name for name, entry in entries.items() if not _same(there.get(name), files[name], entry)]
    operations = [CommitOperationAdd(name, files[name]) for name in changed]
    operations += [CommitOperationDelete(name) for name in gone]
    if not operations:
        return info.sha, []
    made = api.create_commit(
        repository,
        operations,
        commit_message=f"{manifest.name}: {len(changed)} files, made {manifest.created}",
        revision=branch,
        parent_commit=info.sha,
    )
    return made.oid, changed


def _same(remote: Any, content: Content, entry: FileEntry) -> bool:
    """Whether the hub's copy is this file, by the hash it lists: sha256 of large files, git's of small ones."""
    if remote is None or remote.size != entry.size:
        return False
    if remote.lfs is not None:
        return remote.lfs.sha256 == entry.sha256
    from huggingface_hub.utils.sha import git_hash

    return remote.blob_id == git_hash(content if isinstance(content, bytes) else content.read_bytes())


def _tag(api: Any, repository: str, commit: str, tag: str | None) -> str:
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repository).tags}
    name = choose_tag(tags, commit, tag, repository)
    if name not in tags:
        api.create_tag(repository, tag=name, revision=commit)
    return name
