"""Publishes a model folder to a private hub repository, and fetches it again with every byte checked.

    python -m convert push models/<name> --to owner/name
    python -m convert pull owner/name --revision v1

A name without owner is in the token's own namespace. `push` (convert/hub/upload.py) sends what changed and tags it;
`pull` (convert/hub/download.py) returns a checked folder. A target that is a folder is handled by convert/hub/local.py.
The token is that of HF_TOKEN or of `hf auth login`. Imports neither torch nor llama.cpp: the service uses it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from convert.hub import local as hub_local
from convert.hub.client import full_name
from convert.hub.download import pull_from_hub
from convert.hub.errors import HubError, as_hub_error, token_from_environment, without_token
from convert.manifest import ManifestError, verify

__all__ = ["HubError", "Pushed", "as_hub_error", "pull", "push", "token_from_environment", "without_token"]


@dataclass(frozen=True)
class Pushed:
    """What a push did; `sent` has the names of the files that were new or changed, `notes` what was left alone."""

    target: str
    commit: str
    tag: str
    sent: list[str]
    notes: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The push in one line, and one for each note."""
        what = f"sent {', '.join(self.sent)}" if self.sent else "nothing had changed, nothing was sent"
        return "\n".join([f"{self.target}: commit {self.commit}, tag {self.tag}; {what}", *self.notes])


def is_local(target: str) -> bool:
    """Whether target is a folder on this machine.

    It is one where it exists or begins like a path, and where it is neither of the form name nor owner/name. Of
    owner/name, it is one where `owner` is a folder.
    """
    return (
        target.startswith((".", "/", "~"))
        or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", target)
        or Path(target).is_dir()
        or ("/" in target and Path(target).parent.is_dir())
    )


def push(folder: Path, target: str | None = None, *, tag: str | None = None, force: bool = False) -> Pushed:
    """Publish a model folder to target: owner/name or name at the hub, or a local folder.

    The default is models/published/<name>. A repository is created private. Raises HubError, and ManifestError where
    the folder differs from its manifest.
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
            f"{target} needs a token: set HF_TOKEN (with write permission) in the environment or run `hf auth login`,"
            " or give a local folder such as ./models/published"
        )
    from convert.hub.upload import push_to_hub

    try:
        return Pushed(*push_to_hub(folder, manifest, full_name(target), tag))
    except Exception as error:
        raise as_hub_error(error, target) from None


def pull(repository: str, revision: str | None = None, file: str | None = None) -> Path:
    """A folder with manifest.json and the model file: the manifest's default, `file`, or for "all" every file.

    `revision` is a commit, tag or branch (default main); a commit pins the files, and needs no request once they are
    cached. Every file is checked against the manifest on every call. Where the hub does not answer, the cache is used.
    Raises HubError with one sentence that says what to do.
    """
    try:
        if is_local(repository):
            return hub_local.pull(Path(repository).expanduser(), revision, file)
        return pull_from_hub(full_name(repository), revision, file)
    except ManifestError as error:
        raise HubError(str(error)) from None
    except Exception as error:
        raise as_hub_error(error, repository, revision, file) from None
