"""The version tag that a published commit gets, at the hub and in a local folder alike."""

from __future__ import annotations

import re

from convert.hub.errors import HubError


def choose_tag(tags: dict[str, str], commit: str, asked: str | None, where: str) -> str:
    """The tag for a commit: the one asked for, one that it already has, or the next of v1, v2, ...

    Raises HubError where the tag asked for is another commit's.
    """
    if asked:
        if asked == "main" or tags.get(asked, commit) != commit:
            raise HubError(
                f"{where} has the tag {asked!r} for another commit ({tags.get(asked, 'main')[:12]}): choose "
                "another tag, versions are not moved"
            )
        return asked
    for name, target in sorted(tags.items()):
        if target == commit:
            return name
    numbers = [int(match[1]) for name in tags if (match := re.fullmatch(r"v(\d+)", name))]
    return f"v{max(numbers, default=0) + 1}"
