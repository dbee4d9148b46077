"""Exceptions of training. Each says what was given, what was expected and what to do next.

TrainError
├── BaseModelError    the base cannot be used: not there, gated, a token is needed, no fitting chat template
├── ExamplesError     a dataset file cannot be read: names the line
├── RunExists         the run folder holds something made from other inputs
└── OutOfMemory       what to make smaller
"""

from __future__ import annotations


class TrainError(Exception):
    """Base of all errors that a user of `python -m train` can cause."""


class BaseModelError(TrainError):
    """The base model cannot be used."""


class ExamplesError(TrainError):
    """A dataset cannot be used."""


class RunExists(TrainError):
    """There is a run of that name made from other inputs."""


class OutOfMemory(TrainError):
    """The memory does not hold this model with these settings."""
