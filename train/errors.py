"""Exceptions of training. Each says what was given, what was expected and what to do next.

TrainError
├── BaseModelError    the base cannot be used: it does not exist, is gated, needs a token or another chat template
├── ExamplesError     a dataset cannot be read: names the line
├── RunExists         the run folder holds a run of other inputs
└── OutOfMemory       memory ran out: says what to make smaller
"""

from __future__ import annotations


class TrainError(Exception):
    """Base of all errors that a user of `python -m train` can cause."""


class BaseModelError(TrainError):
    """The base model cannot be used."""


class ExamplesError(TrainError):
    """A dataset cannot be used."""


class RunExists(TrainError):
    """There is a run of that name, made from other inputs."""


class OutOfMemory(TrainError):
    """The model does not fit into memory with these settings."""
