"""Two agents answer a question: the retriever computes the statistics, the analyst words them.

`multi_agent.py` is the place to start reading. For a notebook or a script, without a server:

    from agents import Cricket
    reply = Cricket().ask("Who hit the most sixes?")
    print(reply); reply.to_pandas()
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Cricket"]


def __getattr__(name: str) -> Any:
    """`Cricket` is loaded when it is asked for: it brings the inference engine, which the agents do without."""
    if name == "Cricket":
        return importlib.import_module("serve.in_process").Cricket
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
