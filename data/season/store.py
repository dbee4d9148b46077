"""Reads and writes the folder of a stored season: Parquet files and season.json, which has their hashes.

Knows nothing about match files or what the tables mean.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from data.errors import SeasonDamaged, SeasonExists, SeasonNotFound
from data.season.tables import ORDER, STORED, SUPPLEMENTS

# where seasons are read and written; the variable is for a package or an image that cannot be written to
SEASONS = Path(os.environ.get("SEASONS_DIR") or Path(__file__).parent.parent / "seasons")
FORMAT = 2  # of the stored tables; to be raised when a column changes its meaning
NULL = "\\N"
CRICSHEET = "Cricsheet (https://cricsheet.org), Open Data Commons Attribution License (ODC-BY 1.0)"

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class About:
    """season.json: the content of the folder. `digest` is of the rows, `files` has the hash of each Parquet file.

    All seasons of one `collection` can be loaded together under its name.
    """

    name: str
    title: str
    league: str
    years: list[int]
    matches: int
    format: int
    digest: str
    files: dict[str, str]
    collection: str | None = None
    source: str = CRICSHEET


def stored(folder: Path = SEASONS) -> list[str]:
    """Names of the folders with a season."""
    # A hidden folder is an import that was killed before its rename.
    return sorted(p.parent.name for p in folder.glob("*/season.json") if not p.parent.name.startswith("."))


def state(folder: Path = SEASONS) -> frozenset[tuple[str, int, int, int]]:
    """What differs as soon as a season is imported, replaced or removed: a few calls of stat, no file is opened."""
    found = []
    for name in stored(folder):
        try:
            inside, about = (folder / name).stat(), (folder / name / "season.json").stat()
        except OSError:  # removed just now
            continue
        found.append((name, inside.st_mtime_ns, about.st_mtime_ns, about.st_size))
    return frozenset(found)


def members(collection: str, folder: Path = SEASONS) -> list[About]:
    """The seasons of a collection, in order of their years. Raises SeasonDamaged if one cannot be read."""
    found = []
    for name in stored(folder):
        fields = _fields(name, folder)
        unreadable = fields.get("format") != FORMAT and name.startswith(f"{collection}_")
        if unreadable or fields.get("collection") == collection:
            found.append(read_about(name, folder))
    return sorted(found, key=lambda about: about.years)


def collections(folder: Path = SEASONS) -> dict[str, set[str]]:
    """The leagues of the seasons of each collection; seasons that cannot be read are left out."""
    found: dict[str, set[str]] = {}
    for fields in (_fields(name, folder) for name in stored(folder)):
        if fields.get("collection"):
            found.setdefault(fields["collection"], set()).add(fields["league"])
    return dict(sorted(found.items()))


def _fields(name: str, folder: Path) -> dict[str, Any]:
    """The content of a season.json, empty if it cannot be read."""
    try:
        fields = json.loads((folder / name / "season.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def read_about(name: str, folder: Path = SEASONS) -> About:
    """The season.json of a stored season. Raises SeasonNotFound or SeasonDamaged with what to do."""
    path = folder / name / "season.json"
    if not path.exists():
        raise not_found(name, folder)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields.get("format") != FORMAT:
            raise SeasonDamaged(
                f"season {name!r} has tables of format {fields.get('format')}, this version reads {FORMAT}; "
                f"{_how_to_import(name)} --replace`"
            )
        return About(**fields)
    except (ValueError, TypeError, AttributeError) as error:
        raise SeasonDamaged(
            f"season.json of season {name!r} cannot be read ({error}); {_how_to_import(name)} --replace`"
        ) from None


def not_found(name: str, folder: Path) -> SeasonNotFound:
    there = ", ".join([*collections(folder), *stored(folder)]) or "none"
    return SeasonNotFound(f"no season {name!r} (there: {there}); {_how_to_import(name)}`")


def parquet_files(about: About, folder: Path = SEASONS) -> dict[str, Path]:
    """The file of each table. Raises SeasonDamaged if one is missing or not as it was written."""
    found = {}
    for table in (*STORED, *(table for table in SUPPLEMENTS if f"{table}.parquet" in about.files)):
        path = folder / about.name / f"{table}.parquet"
        if not path.exists() or sha256(path.read_bytes()) != about.files.get(path.name):
            state = "changed since the import" if path.exists() else "missing"
            raise SeasonDamaged(
                f"{path.name} of season {about.name!r} is {state}; {_how_to_import(about.name)} --replace`"
            )
        found[table] = path
    return found


def write(
    name: str,
    title: str,
    league: str,
    years: list[int],
    rows: Rows,
    folder: Path = SEASONS,
    replace: bool = False,
    collection: str | None = None,
    source: str = CRICSHEET,
    texts: Mapping[str, str] | None = None,
) -> About:
    """Store the rows as season `name`. The folder is written under another name and renamed when it is complete.

    If the season is stored already with the same rows nothing changes; with other rows SeasonExists is raised unless
    `replace`, which keeps what else is in the folder (such as qa/). `texts` are files to lie beside the tables.
    """
    target = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder))
    try:
        digest, files = _write_tables(work, rows)
        about = About(name, title, league, years, len(rows["matches"]), FORMAT, digest, files, collection, source)
        (work / "season.json").write_text(json.dumps(asdict(about), indent=2) + "\n", encoding="utf-8")
        os.chmod(work, 0o755)  # mkdtemp makes it private
        if target.exists() and not replace:
            there = read_about(name, folder)
            if (there.digest, there.collection) != (digest, collection):
                raise SeasonExists(
                    f"season {name!r} is in {target} already, made from other matches or for another collection; give "
                    "another name or ask to replace it"
                )
            shutil.rmtree(work)
            return there
        if target.exists():
            _copy_other_content(target, work)
        for file, text in (texts or {}).items():
            (work / file).write_text(text, encoding="utf-8")
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{name}.old.", dir=folder))
            os.rename(target, old / name)
            os.rename(work, target)
            shutil.rmtree(old)
        else:
            os.rename(work, target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return about


def _copy_other_content(old: Path, new: Path) -> None:
    for path in old.iterdir():
        if path.is_dir():
            shutil.copytree(path, new / path.name)
        elif path.name != "season.json" and path.suffix != ".parquet":
            shutil.copy2(path, new / path.name)


def _write_tables(work: Path, rows: Rows) -> tuple[str, dict[str, str]]:
    digest, files = hashlib.sha256(), {}
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET threads = 1")
        for table, columns in (STORED | {t: c for t, c in SUPPLEMENTS.items() if t in rows}).items():
            text = _as_csv(rows.get(table, []))
            (work / "rows.csv").write_bytes(text)
            types = {c: "TEXT" if t == "TEXT[]" else t for c, t in columns}
            connection.execute(
                f"CREATE TABLE {table} AS SELECT * FROM read_csv(?, header = false, columns = {types}, "
                f"nullstr = '{NULL}', quote = '\"', escape = '\"', auto_detect = false)",
                [str(work / "rows.csv")],
            )
            select = ", ".join(f"string_split({c}, '|') AS {c}" if t == "TEXT[]" else c for c, t in columns)
            path = work / f"{table}.parquet"
            connection.execute(
                f"COPY (SELECT {select} FROM {table} ORDER BY {ORDER[table]}) TO {quoted(str(path))} "
                "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19)"
            )
            digest.update(table.encode() + b"\0" + b"".join(sorted(text.splitlines(keepends=True))))
            files[path.name] = sha256(path.read_bytes())
        (work / "rows.csv").unlink()
    return digest.hexdigest(), files


def _as_csv(rows: Iterable[tuple[Any, ...]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return NULL
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return "|".join(value)
    return value


def quoted(text: str) -> str:
    """A string literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _how_to_import(name: str) -> str:
    """The beginning of an instruction; the caller adds options and the closing backtick."""
    return f"make it with `python -m data import <Cricsheet zip or folder> --name {name}"
