"""The version of this project. It stands in `pyproject.toml`; an installed copy has it in its package metadata."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

_NAME = "cricket-inference"
_PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def version() -> str:
    """Of the checkout or image that this file is in, else of the installed distribution; "unknown" if neither says."""
    if _PYPROJECT.is_file():
        project = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8")).get("project", {})
        if project.get("name") == _NAME:
            return str(project["version"])
    try:
        return metadata.version(_NAME)
    except metadata.PackageNotFoundError:
        return "unknown"
