"""The JSON files of a feed, out of its folder or zip, by the folder that they are in.

What a file is, its folder says; which match it is of, only its content. Bounded, since a zip can promise more than a
machine holds. Knows nothing about what the files mean.

    python -c "from data.feed.files import is_feed; print(is_feed('Indian_Premier_League_2022-03-26.zip'))"
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from data.errors import SourceError

# Folder of the feed -> what is in it, in words for a person who has to find it.
REQUIRED = {
    "matches": "the list of matches",
    "match_info": "one file a match",
    "scorecards": "one file a match",
    "match_innings_commentary": "one file an innings",
    "squads": "the players of each team",
}
OPTIONAL = {
    "teams": "team profiles",
    "standings": "the league table",
    "player_career_stats": "careers",
    "match_wagon_wheel": "where shots went",
}
TELLING = frozenset({"match_info", "scorecards", "match_innings_commentary"})  # no other source has such folders

# A season of 74 matches is 729 files of 32 MB together, the largest of them under a megabyte.
MOST_FILES = 20_000
LARGEST_FILE = 64 << 20
LARGEST_FEED = 1 << 30


@dataclass(frozen=True)
class JsonFile:
    """A parsed file; `name` is its path in the feed, for messages."""

    name: str
    content: Any


Feed = dict[str, list[JsonFile]]  # by folder


def is_feed(source: str | Path) -> bool:
    """Whether a folder or zip is such a feed, by the names of its folders. False for what cannot be read."""
    path = Path(source)
    try:
        if path.is_dir():
            names: list[str] = [str(p.relative_to(path)) for p in path.rglob("*.json")]
        else:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
    return any(_folder(name) in TELLING for name in names if name.endswith(".json"))


def read_feed(source: str | Path) -> Feed:
    """The files of every folder that is read, in order of their names.

    Raises SourceError with the file and the remedy for a folder that is missing, a file that is no JSON, or a source
    larger than any season.
    """
    path = Path(source)
    found: Feed = {folder: [] for folder in (*REQUIRED, *OPTIONAL)}
    for name, content in sorted(_folder_files(path) if path.is_dir() else _zip_files(path)):
        found[_folder(name)].append(JsonFile(name, _parsed(name, content)))
    for folder, holds in REQUIRED.items():
        if not found[folder]:
            raise SourceError(
                str(source),
                f"the folder {folder}/ ({holds}) is missing or has no .json file; copy the feed again with all folders",
            )
    return found


def _folder(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).parent.name


def _is_read(name: str) -> bool:
    folder, file = _folder(name), PurePosixPath(name.replace("\\", "/")).name
    # macOS adds resource forks named ._*.json to the zips it repacks.
    return file.endswith(".json") and not file.startswith("._") and (folder in REQUIRED or folder in OPTIONAL)


def _folder_files(path: Path) -> Iterator[tuple[str, bytes]]:
    names = [p for p in path.rglob("*.json") if _is_read(str(p.relative_to(path)))]
    _check_number(str(path), len(names))
    total = 0
    for file in names:
        name, size = file.relative_to(path).as_posix(), file.stat().st_size
        total += size
        _check_size(name, size, total)
        yield name, file.read_bytes()


def _zip_files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if _is_read(m.filename)]
            _check_number(path.name, len(members))
            total = 0
            for member in members:
                if member.flag_bits & 1:
                    raise SourceError(member.filename, "is encrypted; unpack the zip with its password first")
                _check_size(member.filename, member.file_size, total + member.file_size)
                with archive.open(member) as file:
                    # The size in the directory can be a lie: no more than the bound is unpacked.
                    content = file.read(LARGEST_FILE + 1)
                total += len(content)
                _check_size(member.filename, len(content), total)
                yield member.filename, content
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise SourceError(path.name, f"not a readable zip ({error}); copy it again") from None


def _check_number(source: str, number: int) -> None:
    if number > MOST_FILES:
        raise SourceError(source, f"has {number} files, more than the {MOST_FILES} of any season; give one season")


def _check_size(name: str, size: int, total: int) -> None:
    if size > LARGEST_FILE:
        raise SourceError(
            name, f"unpacks to more than {LARGEST_FILE >> 20} MB, which no file of a feed does; remove it"
        )
    if total > LARGEST_FEED:
        raise SourceError(name, f"with it the feed is larger than {LARGEST_FEED >> 20} MB; give one season at a time")


def _parsed(name: str, content: bytes) -> Any:
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SourceError(name, f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except RecursionError:
        raise SourceError(name, "is nested deeper than any file of a feed; get the file again") from None
    except ValueError as error:
        raise SourceError(name, f"malformed or truncated JSON ({error}); get the file again") from None
    # Answers of the API keep their envelope where they were saved as they came.
    return found["response"] if isinstance(found, dict) and "response" in found else found
