"""Bring the model named by the environment into the cache, and end: what a pod's init container runs.

Reads MODEL_REPO, MODEL_REVISION and MODEL_FILE like the service does, so that the service, started next with the same
environment, finds everything in the cache. Loads neither FastAPI nor llama.cpp.

    MODEL_REPO=owner/name MODEL_REVISION=<commit> python -m serve.download
"""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Exit status: 0 downloaded and checked, 1 not, with the reason on stderr."""
    repo = os.environ.get("MODEL_REPO", "")
    if not repo:
        print("MODEL_REPO is not set: name the repository of the model, as owner/name", file=sys.stderr)
        return 1
    from convert.hub import pull

    started = time.monotonic()
    try:
        folder = pull(repo, os.environ.get("MODEL_REVISION") or None, os.environ.get("MODEL_FILE") or None)
    except Exception as error:  # the hub's typed errors each say in one sentence what to do
        print(error, file=sys.stderr)
        return 1
    print(f"{repo} is in {folder} ({time.monotonic() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
