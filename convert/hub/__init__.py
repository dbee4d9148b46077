"""Publishes a model folder to a private hub repository, and fetches it again with every byte checked.

    python -m convert push models/<name> --to owner/name
    python -m convert pull owner/name --revision v1

`push` sends what changed in one commit and tags it. `pull` returns a folder with the manifest and the files asked for,
each hashed against the manifest before it gets its name. A target that is a folder is handled by convert/hub/local.py.
The token is that of HF_TOKEN. Imports neither torch nor llama.cpp: the service uses it too.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from convert.hub import local as hub_local
from convert.hub.errors import HubAway, HubError, as_hub_error, token_from_environment, without_token
from convert.hub.tags import choose_tag
from convert.manifest import (
    MANIFEST_NAME,
    FileEntry,
    Manifest,
    ManifestError,
    entry_for,
    load,
    sha256_file,
    verify,
    wanted_files,
)
from data.atomic_write import atomic_link, atomic_write

__all__ = ["HubError", "Pushed", "as_hub_error", "pull", "push", "token_from_environment", "without_token"]

log = logging.getLogger(__name__)
_TIMEOUT_S = 10.0
_TRIES, _PAUSE_S = 4, 0.5  # for a download that breaks off without having received anything
_PIECE = 64 * 1024  # bytes
MAX_MANIFEST_BYTES = 1 << 20  # one of this project has about 5 kB


@dataclass(frozen=True)
class Pushed:
    """What a push did; `sent` has the names of the files that were new or changed."""

    target: str
    commit: str
    tag: str
    sent: list[str]

    def line(self) -> str:
        """The push in one line."""
        what = f"sent {', '.join(self.sent)}" if self.sent else "nothing had changed, nothing was sent"
        return f"{self.target}: commit {self.commit}, tag {self.tag}; {what}"


def is_local(target: str) -> bool:
    """Whether target is a folder on this machine.

    It is one where it or its parent exists, where it begins like a path, and where it is not of the form owner/name.
    """
    return (
        target.startswith((".", "/", "~"))
        or target.count("/") != 1
        or Path(target).is_dir()
        or Path(target).parent.is_dir()
    )


def push(folder: Path, target: str | None = None, *, tag: str | None = None, force: bool = False) -> Pushed:
    """Publish a model folder to target: owner/name at the hub, or a local folder (default models/published/<name>).

    A repository is created private. Raises HubError, and ManifestError where the folder differs from its manifest.
    """
    manifest = verify(folder)
    if not manifest.gate.get("passed") and not force:
        reasons = "; ".join(manifest.gate.get("reasons") or ["it was never gated"])
        raise HubError(
            f"{folder} is not published because its gate failed ({reasons}): train better, or publish it "
            "anyway with --force"
        )
    if target is None or is_local(target):
        place = Path(target or f"models/published/{manifest.name}").expanduser()
        commit, name, sent = hub_local.push(folder, manifest, place, tag)
        return Pushed(str(place), commit, name, sent)
    if not token_from_environment():
        raise HubError(
            f"{target} needs a token: set HF_TOKEN (with write permission) in the environment, or give a"
            " local folder such as ./models/published"
        )
    try:
        return _push_to_hub(folder, manifest, target, tag)
    except Exception as error:
        raise as_hub_error(error, target) from None


def _push_to_hub(folder: Path, manifest: Manifest, repository: str, tag: str | None) -> Pushed:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import RepositoryNotFoundError

    api = _api()
    try:
        info = api.model_info(repository, files_metadata=True, timeout=_TIMEOUT_S)
    except RepositoryNotFoundError as error:
        if getattr(error.response, "status_code", None) == 401:
            raise
        api.create_repo(repository, private=True, exist_ok=True)
        info = api.model_info(repository, files_metadata=True, timeout=_TIMEOUT_S)
    if not info.private:
        raise HubError(f"{repository} exists and is public: make it private in its settings, or choose another name")
    there = {sibling.rfilename: sibling for sibling in info.siblings or []}
    entries = {**manifest.files, MANIFEST_NAME: entry_for(folder / MANIFEST_NAME)}
    changed = [name for name, entry in entries.items() if not _same(there.get(name), folder / name, entry)]
    gone = [name for name in there if name not in entries and name != ".gitattributes"]
    commit = info.sha
    if changed or gone:
        operations = [CommitOperationAdd(name, folder / name) for name in changed]
        operations += [CommitOperationDelete(name) for name in gone]
        commit = api.create_commit(
            repository,
            operations,
            commit_message=f"{manifest.name}: {len(changed)} files, made {manifest.created}",
            parent_commit=info.sha,
        ).oid
    return Pushed(repository, commit, _tag(api, repository, commit, tag), changed)


def _same(remote: Any, path: Path, entry: FileEntry) -> bool:
    """Whether the hub's copy is this file, by the hash it lists: sha256 of large files, git's of small ones."""
    if remote is None or remote.size != entry.size:
        return False
    if remote.lfs is not None:
        return remote.lfs.sha256 == entry.sha256
    from huggingface_hub.utils.sha import git_hash

    return remote.blob_id == git_hash(path.read_bytes())


def _tag(api: Any, repository: str, commit: str, tag: str | None) -> str:
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repository).tags}
    name = choose_tag(tags, commit, tag, repository)
    if name not in tags:
        api.create_tag(repository, tag=name, revision=commit)
    return name


def pull(repository: str, revision: str | None = None, file: str | None = None) -> Path:
    """A folder with manifest.json and the model file: the manifest's default, `file`, or for "all" every file.

    `revision` is a commit, tag or branch (default main); a commit pins the files, and needs no request once they are
    cached. Every file is checked against the manifest on every call. Where the hub does not answer, the cache is used.
    Raises HubError with one sentence that says what to do.
    """
    try:
        if is_local(repository):
            return hub_local.pull(Path(repository).expanduser(), revision, file)
        return _pull_from_hub(repository, revision, file)
    except ManifestError as error:
        raise HubError(str(error)) from None
    except Exception as error:
        raise as_hub_error(error, repository, revision, file) from None


def _pull_from_hub(repository: str, revision: str | None, file: str | None) -> Path:
    store = _store(repository)
    commit = _resolve(repository, revision, store)
    folder = store / "snapshots" / commit
    if not (folder / MANIFEST_NAME).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(store / f"{commit}.{MANIFEST_NAME}.lock", f"{MANIFEST_NAME} of {repository}"):
            if not (folder / MANIFEST_NAME).is_file():
                _fetch_manifest(repository, revision, commit, store, folder)
    manifest = load(folder)
    for name in wanted_files(manifest, file, repository):
        _ensure(repository, commit, name, manifest.files[name], store, folder)
    return folder


def _fetch_manifest(repository: str, revision: str | None, commit: str, store: Path, folder: Path) -> None:
    part = store / f"{commit}.{MANIFEST_NAME}.part"
    try:
        _fetch(repository, commit, MANIFEST_NAME, part, None)
    except Exception as error:
        raise as_hub_error(error, repository, revision, MANIFEST_NAME) from None
    Manifest.from_json(part.read_text(encoding="utf-8", errors="replace"), f"{MANIFEST_NAME} of {repository}")
    os.replace(part, folder / MANIFEST_NAME)


@contextmanager
def _locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock against other processes; one that has to be waited for is named in the log."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("another process fetches %s: waiting until it ends (lock %s)", what, path)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _store(repository: str) -> Path:
    """The cache folder of a repository."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser()
    # not huggingface_hub's own cache, which discards a download that another process broke off
    return home / "checked-models" / repository.replace("/", "--")


def _resolve(repository: str, revision: str | None, store: Path) -> str:
    """The commit that revision names now or, where the hub does not answer, named last."""
    if (
        revision
        and re.fullmatch(r"[0-9a-f]{40}", revision)
        and (store / "snapshots" / revision / MANIFEST_NAME).is_file()
    ):
        return revision
    remembered = store / "refs" / (revision or "main").replace("/", "--")
    try:
        commit = _api().model_info(repository, revision=revision, timeout=_TIMEOUT_S).sha
    except Exception as error:
        translated = as_hub_error(error, repository, revision)
        if isinstance(translated, HubAway) and remembered.is_file():
            commit = remembered.read_text().strip()
            log.warning("%s; using %s from the cache", translated, commit)
            return commit
        raise translated from None
    atomic_write(remembered, commit)
    return commit


def _ensure(repository: str, commit: str, name: str, entry: FileEntry, store: Path, folder: Path) -> None:
    """Put the file of entry at folder/name, from the cache or the hub, once its hash is checked."""
    blobs = store / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    blob, part, final = blobs / entry.sha256, blobs / f"{entry.sha256}.part", folder / name
    with _locked(blobs / f"{entry.sha256}.lock", f"{name} of {repository}"):  # two servers may start on one volume
        if _matches(blob, entry):
            return atomic_link(blob, final)
        resumed = part.exists() and not part.is_symlink() and part.stat().st_size > 0
        for _ in range(2 if resumed else 1):
            _fetch(repository, commit, name, part, entry.size)
            if _matches(part, entry):
                os.replace(part, blob)
                return atomic_link(blob, final)
            part.unlink()  # what an earlier run had left may be wrong: download it again from the beginning
    raise HubError(
        f"{name} of {repository} at {commit[:12]} is not what its manifest says (sha256): it was damaged on"
        " the way or changed at the hub, so it was deleted; publish it again, or pin another revision"
    )


def _matches(path: Path, entry: FileEntry) -> bool:
    """Whether the file exists with the size and hash of entry."""
    return path.is_file() and path.stat().st_size == entry.size and sha256_file(path) == entry.sha256


def _fetch(repository: str, commit: str, name: str, part: Path, size: int | None) -> None:
    """Download into part, from where it ends. The token is not sent to the host that large files come from."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(repository, name, revision=commit, endpoint=_endpoint())
    token = token_from_environment() or False
    metadata = get_hf_file_metadata(url, token=token, endpoint=_endpoint(), timeout=_TIMEOUT_S)
    if size is not None and metadata.size not in (None, size):
        raise HubError(
            f"{name} of {repository} at {commit[:12]} has {metadata.size} bytes at the hub, its "
            f"manifest says {size}: it was changed after publishing; publish it again, or pin "
            "another revision"
        )
    limit = MAX_MANIFEST_BYTES if size is None else size
    if size is None and (metadata.size or 0) > limit:
        raise HubError(
            f"{name} of {repository} has {metadata.size} bytes, and a manifest at most {limit}: do not use it"
        )
    have = part.stat().st_size if size is not None and part.is_file() else 0
    if size is not None and (have > size or not have):
        have = 0
        if shutil.disk_usage(part.parent).free < size:  # fail before the download, not in the middle of it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    headers = build_hf_headers(token=token if _host(metadata.location) == _host(url) else False)
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        _stream(metadata.location, headers, stream, have, metadata.size, name, limit)


def _stream(
    url: str, headers: dict[str, str], stream: BinaryIO, have: int, size: int | None, name: str, limit: int
) -> None:
    """Write url from byte `have` on to stream, reconnecting a few times where the connection breaks.

    Raises HubError where more than `limit` bytes come, whatever size was announced.
    """
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import get_session, hf_raise_for_status, tqdm

    # not huggingface_hub's http_get, which writes pieces of 10 MB and loses the last one when the connection breaks
    broken = 0
    with tqdm(desc=name, total=size, initial=have, unit="B", unit_scale=True, name="convert.hub.pull") as bar:
        while size is None or have < size:
            begin = have
            try:
                wanted = {**headers, "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
                with get_session().stream("GET", url, headers=wanted, timeout=_TIMEOUT_S) as response:
                    hf_raise_for_status(response)
                    if have and response.status_code != 206:  # the host does not support ranges: start anew
                        have = stream.seek(0)
                        stream.truncate()
                    for piece in response.iter_bytes(_PIECE):
                        if have + len(piece) > limit:
                            raise HubError(f"{name} is longer than {limit} bytes, which it should have at most")
                        have += stream.write(piece)
                        bar.update(len(piece))
                if size is None or have >= size:
                    return
                raise ConnectionError(f"{name} ended after {have} of {size} bytes")
            except (HTTPError, ConnectionError) as error:
                broken = 1 if have > begin else broken + 1
                if broken > _TRIES or getattr(error, "response", None) is not None:
                    raise
                time.sleep(_PAUSE_S * broken)


def _host(url: str) -> str:
    return url.split("/")[2]


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=_endpoint(), token=token_from_environment() or False)
