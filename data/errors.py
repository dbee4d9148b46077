"""Exceptions of the data package. Each says what was given, what was expected and what to do next.

DataError
├── SourceError          an input file cannot be read: names the file and the reason
├── SeasonError
│   ├── SeasonNotFound   no tables under data/seasons/<name>: names the command that makes them
│   ├── SeasonExists     a season of that name exists and would be overwritten
│   └── SeasonDamaged    the stored tables are not what the import wrote
├── PhraseFileMissing    a phrase file is not in data/phrases (data.phrasing.phrase_files)
├── DatasetError         the questions and answers cannot be made (data.dataset.build)
├── ExampleError         a record of a dataset is no training example (data.dataset.examples)
├── ChatTemplateError    a chat template cannot render training examples (data.dataset.encoding)
└── QueryError           base of everything that can be wrong with a query line
"""

from __future__ import annotations


class DataError(Exception):
    """Base of all errors a user of the data package can cause."""


class SourceError(DataError):
    """An input file cannot be read. `file` is its name (inside the zip or folder), `reason` says why."""

    def __init__(self, file: str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: {reason}")


class SeasonError(DataError):
    """Base of the errors about a stored season."""


class SeasonNotFound(SeasonError):
    """There is no season of that name."""


class SeasonExists(SeasonError):
    """A season of that name exists and was not to be replaced."""


class SeasonDamaged(SeasonError):
    """The stored tables differ from what the import wrote, or files are missing."""


class QueryError(DataError):
    """A query line that cannot be parsed or computed."""
