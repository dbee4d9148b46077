"""The hub's client, with this process's endpoint and token: `client().model_info("owner/name")`.

huggingface_hub is imported on the first call, so that the service starts without it.
"""

from __future__ import annotations

import os
from typing import Any

from convert.hub.errors import HubError, token_from_environment

TIMEOUT_S = 10.0


def endpoint() -> str | None:
    """HF_ENDPOINT, None for the public hub."""
    return os.environ.get("HF_ENDPOINT") or None


def client() -> Any:
    """The hub's API as the owner of the token, or as a stranger where there is none."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint(), token=token_from_environment() or False)


def full_name(name: str) -> str:
    """owner/name: a name without owner is in the namespace of the token. Raises HubError where there is no token."""
    if "/" in name:
        return name
    if not token_from_environment():
        raise HubError(
            f"{name} needs a token, whose account it belongs to: set HF_TOKEN or run `hf auth login`, or give"
            f" owner/name or a folder such as ./{name}"
        )
    return f"{client().whoami()['name']}/{name}"


def read_text(repository: str, commit: str, name: str) -> str:
    """The text of a small file of a repository. Raises the client's own exceptions."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    url = hf_hub_url(repository, name, revision=commit, endpoint=endpoint())
    answer = get_session().get(
        url, headers=build_hf_headers(token=token_from_environment() or False), timeout=TIMEOUT_S, follow_redirects=True
    )
    hf_raise_for_status(answer)
    return answer.content.decode("utf-8", errors="replace")
