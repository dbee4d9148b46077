"""Fetches a published model with every byte checked: a folder with the manifest and the files asked for.

    pull_from_hub("owner/name", "v1", None)

Each file is hashed against the manifest before it gets its name. A download that broke off goes on where it stopped; a
repository that lacks files of its manifest is refused. Imports neither torch nor llama.cpp: the service uses it too.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from convert.hub.client import TIMEOUT_S, client, endpoint
from convert.hub.errors import HubAway, HubError, as_hub_error, token_from_environment
from convert.manifest import MANIFEST_NAME, FileEntry, Manifest, load, sha256_file, wanted_files
from data.atomic_write import atomic_link, atomic_write

log = logging.getLogger(__name__)
_TRIES, _PAUSE_S = 4, 0.5  # for a download that breaks off without having received anything
_PIECE = 64 * 1024  # bytes


def pull_from_hub(repository: str, revision: str | None, file: str | None) -> Path:
    store = _store(repository)
    commit, there = _resolve(repository, revision, store)
    folder = store / "snapshots" / commit
    if not (folder / MANIFEST_NAME).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(repository, commit, MANIFEST_NAME, store / f"{commit}.{MANIFEST_NAME}.part", None)
        except Exception as error:
            translated = as_hub_error(error, repository, revision, MANIFEST_NAME)
            if there and MANIFEST_NAME not in there and any(name.endswith(".gguf") for name in there):
                raise HubError(
                    f"{translated}, though it has model files: it was published in part or by hand, so nothing says"
                    " whether they are whole; publish it with `python -m convert push`"
                ) from None
            raise translated from None
        part = store / f"{commit}.{MANIFEST_NAME}.part"
        Manifest.from_json(part.read_text(encoding="utf-8", errors="replace"), f"{MANIFEST_NAME} of {repository}")
        os.replace(part, folder / MANIFEST_NAME)
    manifest = load(folder)
    if there is not None and (missing := [name for name in manifest.files if name not in there]):
        raise HubError(
            f"{repository} at {commit[:12]} is only half published, it lacks {', '.join(missing)}: run the push again,"
            " which sends what is missing, or pin another revision"
        )
    for name in wanted_files(manifest, file, repository):
        _ensure(repository, commit, name, manifest.files[name], store, folder)
    return folder


def _store(repository: str) -> Path:
    """The cache folder of a repository."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser()
    # not huggingface_hub's own cache, which discards a download that another process broke off
    return home / "checked-models" / repository.replace("/", "--")


def _resolve(repository: str, revision: str | None, store: Path) -> tuple[str, Iterable[str] | None]:
    """The commit that revision names now or, where the hub does not answer, named last; and its files' names.

    The names are None where the hub was not asked.
    """
    if (
        revision
        and re.fullmatch(r"[0-9a-f]{40}", revision)
        and (store / "snapshots" / revision / MANIFEST_NAME).is_file()
    ):
        return revision, None
    remembered = store / "refs" / (revision or "main").replace("/", "--")
    try:
        info = client().model_info(repository, revision=revision, timeout=TIMEOUT_S)
    except Exception as error:
        translated = as_hub_error(error, repository, revision)
        if isinstance(translated, HubAway) and remembered.is_file():
            commit = remembered.read_text().strip()
            log.warning("%s; using %s from the cache", translated, commit)
            return commit, None
        raise translated from None
    atomic_write(remembered, info.sha)
    return info.sha, {sibling.rfilename for sibling in info.siblings or []}


def _ensure(repository: str, commit: str, name: str, entry: FileEntry, store: Path, folder: Path) -> None:
    """Put the file of entry at folder/name, from the cache or the hub, once its hash is checked."""
    from filelock import FileLock

    blobs = store / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    blob, part, final = blobs / entry.sha256, blobs / f"{entry.sha256}.part", folder / name
    with FileLock(blobs / f"{entry.sha256}.lock"):  # two servers may start on one volume
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

    url = hf_hub_url(repository, name, revision=commit, endpoint=endpoint())
    token = token_from_environment() or False
    metadata = get_hf_file_metadata(url, token=token, endpoint=endpoint(), timeout=TIMEOUT_S)
    if size is not None and metadata.size not in (None, size):
        raise HubError(
            f"{name} of {repository} at {commit[:12]} has {metadata.size} bytes at the hub, its "
            f"manifest says {size}: it was changed after publishing; publish it again, or pin "
            "another revision"
        )
    have = part.stat().st_size if size is not None and part.is_file() else 0
    if size is not None and (have > size or not have):
        have = 0
        if shutil.disk_usage(part.parent).free < size:  # fail before the download, not in the middle of it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if metadata.xet_file_data is not None and not have and _by_xet(metadata, token, part, name):
        return
    headers = build_hf_headers(token=token if _host(metadata.location) == _host(url) else False)
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        _stream(metadata.location, headers, stream, have, metadata.size, name)


def _by_xet(metadata: Any, token: str | bool, part: Path, name: str) -> bool:
    """Download by Xet, in parallel chunks with those cached left out; False where it is not installed or fails."""
    from huggingface_hub.file_download import xet_get
    from huggingface_hub.utils import build_hf_headers
    from huggingface_hub.utils._runtime import is_xet_available

    if not is_xet_available():
        return False
    try:
        xet_get(
            incomplete_path=part,
            xet_file_data=metadata.xet_file_data,
            headers=build_hf_headers(token=token),
            expected_size=metadata.size,
            displayed_filename=name,
        )
    except Exception as error:  # hf_xet raises plain RuntimeErrors; plain HTTP serves the same file
        log.warning("%s could not be downloaded by Xet (%s), going on by HTTP", name, type(error).__name__)
        part.unlink(missing_ok=True)
        return False
    return True


def _stream(url: str, headers: dict[str, str], stream: BinaryIO, have: int, size: int | None, name: str) -> None:
    """Write url from byte `have` on to stream, reconnecting a few times where the connection breaks."""
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import get_session, hf_raise_for_status, tqdm

    # not huggingface_hub's http_get, which writes pieces of 10 MB and loses the last one when the connection breaks
    broken = 0
    with tqdm(desc=name, total=size, initial=have, unit="B", unit_scale=True, name="convert.hub.pull") as bar:
        while size is None or have < size:
            begin = have
            try:
                wanted = {**headers, "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
                with get_session().stream("GET", url, headers=wanted, timeout=TIMEOUT_S) as response:
                    hf_raise_for_status(response)
                    if have and response.status_code != 206:  # the host does not support ranges: start anew
                        have = stream.seek(0)
                        stream.truncate()
                    for piece in response.iter_bytes(_PIECE):
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
