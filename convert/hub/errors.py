"""Hub failures in one sentence each: what happened and what to do. No message contains a token.

huggingface_hub is imported only when an exception is translated.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path


class HubError(Exception):
    """A push or pull failed; the message is one sentence that says what to do."""


class HubAway(HubError):
    """The hub did not answer, or failed itself: what is cached may be used instead."""


def token_from_environment() -> str | None:
    """HF_TOKEN or, where it is not set, the token that `hf auth login` saved; None without either."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token:
        # not huggingface_hub.get_token: its constants are read once, and the service must not load it to mask its log
        path = Path(os.environ.get("HF_TOKEN_PATH") or home_folder() / "token").expanduser()
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            token = ""
    return token or None


def home_folder() -> Path:
    """Where huggingface_hub keeps its files: HF_HOME, or its default."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HF_HOME") or Path(cache) / "huggingface").expanduser()


def without_token(text: str) -> str:
    """The text with the token, and everything shaped like one, replaced."""
    token = token_from_environment()
    if token:
        text = text.replace(token, "<token>")
    return re.sub(r"\bhf_[A-Za-z0-9_]{4,}", "<token>", text)


def as_hub_error(error: Exception, repository: str, revision: str | None = None, file: str | None = None) -> HubError:
    """The error that says in one sentence what an exception of a hub call means."""
    if isinstance(error, HubError):
        return error
    kind, sentence = _sentence(error, repository, revision or "main", file)
    return kind(without_token(sentence))


def _sentence(error: Exception, repository: str, revision: str, file: str | None) -> tuple[type[HubError], str]:
    from huggingface_hub import errors

    token = token_from_environment()
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HubError, f"the disk is full: free space in {cache_hint()} or point HF_HOME at a larger disk"
    if isinstance(error, PermissionError) and not isinstance(error, errors.HfHubHTTPError):
        return (
            HubError,
            f"{error.filename} cannot be written: point HF_HOME at a folder that this user may write",
        )
    if isinstance(error, errors.GatedRepoError):
        return (
            HubError,
            (
                f"{repository} is gated: ask for access on its page, then use a token of the account that got"
                " it in HF_TOKEN"
            ),
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return (
            HubError,
            (f"{repository} has no revision {revision!r}: give one of its tags or branches, or a whole commit id"),
        )
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError):
        return (
            HubError,
            f"{repository} has no file {file!r} at {revision}: look at the file list of that revision",
        )
    if status == 401 or (isinstance(error, errors.RepositoryNotFoundError) and not token):
        if token:
            return (
                HubError,
                (
                    f"the hub does not accept the token {_token_place()} for {repository}: it is wrong or was"
                    " revoked, make a new one in the hub's settings"
                ),
            )
        return (
            HubError,
            (
                f"{repository} needs a token: set HF_TOKEN in the environment (read for pull, write for"
                " push) or run `hf auth login`, or give a local folder such as ./models/published"
            ),
        )
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        return (
            HubError,
            (
                f"{repository} is not found: check the name, and that the account of HF_TOKEN may see it if"
                " it is private"
            ),
        )
    if status == 403:
        return (
            HubError,
            (
                f"the token {_token_place()} may not write to {repository}: make a token with write permission for"
                " that namespace"
            ),
        )
    if isinstance(error, errors.HFValidationError):
        return HubError, f"{repository!r} is not a repository name: expected owner/name"
    if status == 409 or status == 412:
        return HubError, f"{repository} was changed by someone else meanwhile: run the same command again"
    if status == 429:
        return (
            HubAway,
            f"the hub limits the rate for {repository}: wait some minutes and run the same command again",
        )
    if isinstance(error, errors.HTTPError | ConnectionError | TimeoutError):
        what = f"answered {status}" if status else "cannot be reached"
        return (
            HubAway,
            (
                f"the hub {what} ({_address()}): check the connection and HF_ENDPOINT, then run the same"
                " command again; it goes on where it stopped"
            ),
        )
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return (
            HubAway,
            (f"the download of {file!r} from {repository} broke off: run the same command again, it goes on there"),
        )
    return (
        HubError,
        f"{repository}: {type(error).__name__}: {(str(error).strip() or 'no message').splitlines()[0]}",
    )


def _token_place() -> str:
    return "in HF_TOKEN" if os.environ.get("HF_TOKEN", "").strip() else "of `hf auth login`"


def cache_hint() -> str:
    """Where the cache is."""
    return os.environ.get("HF_HOME") or "~/.cache/huggingface"


def _address() -> str:
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
