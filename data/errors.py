"""Exceptions of the data package. Each says what was given, what was expected and what to do next.

DataError
├── SourceError          a Cricsheet file, zip or folder cannot be imported: names the file and the reason
├── SeasonError
│   ├── SeasonNotFound   no tables under data/seasons/<name>: names the command that makes them
│   ├── SeasonExists     the season is already there and would be overwritten
│   └── SeasonDamaged    the stored tables are not what the import wrote
└── QueryError           base of everything the query line can get wrong
"""

from __future__ import annotations


class DataError(Exception):
    """Base of all errors a user of the data package can cause."""


class SourceError(DataError):
    """A source file cannot be imported. `file` is its name inside the zip or folder, `reason` says why."""

    def __init__(self, file: str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: {reason}")


class SeasonError(DataError):
    """Something about a stored season."""


class SeasonNotFound(SeasonError):
    """There are no tables of that name."""


class SeasonExists(SeasonError):
    """The season is there already and was not to be replaced."""


class SeasonDamaged(SeasonError):
    """The stored tables differ from what the import wrote, or files are missing."""


class QueryError(DataError):
    """A query line that cannot be parsed or computed."""
