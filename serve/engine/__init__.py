"""The inference engine: continuous batching, prefix cache, grammars and speculative decoding over llama.cpp.

Imports nothing of this repository but itself, so that it can be read, tested and reused alone.
"""

from serve.engine.engine import Engine, EngineConfig
from serve.engine.errors import (
    EngineClosed,
    EngineError,
    ModelError,
    QueueFull,
    RequestError,
    RequestFailed,
)
from serve.engine.sequence import Completion, Handle, Request, Sampling

__all__ = [
    "Completion",
    "Engine",
    "EngineClosed",
    "EngineConfig",
    "EngineError",
    "Handle",
    "ModelError",
    "QueueFull",
    "Request",
    "RequestError",
    "RequestFailed",
    "Sampling",
]
