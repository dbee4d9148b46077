"""Stores the tables of a season as Parquet in data/seasons/<name>/ and loads them into DuckDB in memory.

Knows nothing about match files, names or the query line.

    python -c "from data.season import load; print(load('ipl_2024').title)"
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
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from data.errors import SeasonDamaged, SeasonExists, SeasonNotFound
from data.season import derived, standings
from data.season.tables import ORDER, STORED

SEASONS = Path(__file__).parent.parent / "seasons"
FORMAT = 1  # of the stored tables; raise it when a column changes its meaning
NULL = "\\N"


@dataclass(frozen=True)
class About:
    """season.json: the content of the folder. `digest` is of the rows, `files` has the hash of each Parquet file."""

    name: str
    title: str
    years: list[int]
    matches: int
    format: int
    digest: str
    files: dict[str, str]
    source: str = "Cricsheet (https://cricsheet.org), Open Data Commons Attribution License (ODC-BY 1.0)"


@dataclass(frozen=True)
class Season:
    """A loaded season. Use a `connection.cursor()` per thread; the tables are read-only by convention."""

    name: str
    title: str
    years: tuple[int, ...]
    digest: str
    connection: duckdb.DuckDBPyConnection

    @property
    def year(self) -> int:
        """The season's year, of several the last."""
        return self.years[-1]


def seasons(folder: Path = SEASONS) -> list[str]:
    """Names of the stored seasons."""
    # A hidden folder is an import that was killed before its rename.
    return sorted(p.parent.name for p in folder.glob("*/season.json") if not p.parent.name.startswith("."))


def load(name: str = "ipl_2024", folder: Path = SEASONS) -> Season:
    """The season's stored and derived tables in a fresh in-memory database.

    Raises SeasonNotFound with what to do, SeasonDamaged where a file is missing or changed.
    """
    about = _read_about(name, folder)
    connection = duckdb.connect(":memory:")
    # One thread per query: a season is a single row group, and the cores are needed by the model.
    connection.execute("SET threads = 1")
    for table in STORED:
        path = folder / name / f"{table}.parquet"
        if not path.exists() or _sha256(path.read_bytes()) != about.files.get(path.name):
            state = "changed since the import" if path.exists() else "missing"
            raise SeasonDamaged(f"{path.name} of season {name!r} is {state}; {_how_to_import(name)}")
        connection.execute(f"CREATE TABLE {table} AS SELECT * FROM read_parquet(?)", [str(path)])
    derived.create(connection)
    standings.create(connection)
    connection.execute("SET enable_external_access = false")
    return Season(about.name, about.title, tuple(about.years), about.digest, connection)


def write(
    name: str,
    title: str,
    years: list[int],
    rows: dict[str, list[tuple[Any, ...]]],
    folder: Path = SEASONS,
    replace: bool = False,
) -> About:
    """Store the rows as season `name`. The folder is written under another name and renamed when it is complete.

    If the season is stored already with the same rows nothing changes; with other rows SeasonExists is raised unless
    `replace`.
    """
    target = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=folder))
    try:
        digest, files = _write_tables(work, rows)
        about = About(name, title, years, len(rows["matches"]), FORMAT, digest, files)
        (work / "season.json").write_text(json.dumps(asdict(about), indent=2) + "\n", encoding="utf-8")
        os.chmod(work, 0o755)  # mkdtemp makes it private
        if target.exists() and not replace:
            if _read_about(name, folder).digest != digest:
                raise SeasonExists(
                    f"season {name!r} is in {target} already, made from other matches; give another "
                    "name or ask to replace it"
                )
            shutil.rmtree(work)
            return _read_about(name, folder)
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


def _write_tables(work: Path, rows: dict[str, list[tuple[Any, ...]]]) -> tuple[str, dict[str, str]]:
    digest, files = hashlib.sha256(), {}
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET threads = 1")
        for table, columns in STORED.items():
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
                f"COPY (SELECT {select} FROM {table} ORDER BY {ORDER[table]}) TO '{_sql(path)}' "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            digest.update(table.encode() + b"\0" + b"".join(sorted(text.splitlines(keepends=True))))
            files[path.name] = _sha256(path.read_bytes())
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


def _sql(path: Path) -> str:
    return str(path).replace("'", "''")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_about(name: str, folder: Path) -> About:
    path = folder / name / "season.json"
    if not path.exists():
        there = ", ".join(seasons(folder)) or "none"
        raise SeasonNotFound(f"no season {name!r} (there: {there}); {_how_to_import(name)}")
    try:
        about = About(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise SeasonDamaged(
            f"season.json of season {name!r} cannot be read ({error}); {_how_to_import(name)}"
        ) from None
    if about.format != FORMAT:
        raise SeasonDamaged(
            f"season {name!r} has tables of format {about.format}, this version reads {FORMAT}; {_how_to_import(name)}"
        )
    return about


def _how_to_import(name: str) -> str:
    return f"make it with `python -m data import <Cricsheet zip or folder> --name {name}`"
