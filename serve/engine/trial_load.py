"""Loads a GGUF as the engine does and computes one token, in a process of its own: exit status 0 if that works.

A file that is damaged on purpose may abort the native loader or make it write outside its memory; here it ends only
this process. No file of such a kind proves that another one is harmless.

    python -m serve.engine.trial_load model.gguf
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Exit status: 0 loaded, 1 not; the reason is the last line of standard error."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from serve.engine.engine import Engine, EngineConfig
    from serve.engine.sequence import Request

    try:
        engine = Engine(EngineConfig(model=Path(arguments[0]), n_ctx=256, n_slots=1, prefix_mb=0, n_threads=1))
        engine.start()
        engine.submit(Request(engine.runner.vocabulary.tokenize("a") or [0], 1)).future.result(60)
        engine.close()
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace("\n", " "), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
