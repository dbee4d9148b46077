"""The rows of a file by its format: CSV, JSON, JSON Lines, Parquet, Arrow, XLSX, packed ones, a data set of the hub.

The text formats are read by the standard library's parsers, which tell the line of a mistake and go on after it;
pyarrow's readers of CSV and JSON end there.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from data.dataset.user_files.columns import is_row, known_column
from data.dataset.user_files.rows import RawRow
from data.errors import SourceError

MAX_BYTES = 512 * 2**20  # of a file once unpacked
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
TABLE_ENDINGS = (".parquet", ".arrow", ".feather", ".xlsx", ".xlsm")
PACKED_ENDINGS = (".gz", ".zip")
ENDINGS = (*TEXT_ENDINGS, *TABLE_ENDINGS, *PACKED_ENDINGS)
_DELIMITERS = (",", ";", "\t", "|")


def raw_rows(name: str, content: bytes, notes: list[str]) -> Iterator[RawRow]:
    """The rows of a file's content; what had to be guessed is added to `notes`. Raises SourceError."""
    ending = PurePath(name).suffix.lower()
    if ending == ".gz":
        yield from raw_rows(PurePath(name).stem, _gunzip(name, content), notes)
    elif ending == ".zip":
        yield from _zip(name, content, notes)
    elif ending in (".xlsx", ".xlsm"):
        yield from _xlsx(name, content)
    elif ending in (".parquet", ".arrow", ".feather"):
        yield from _arrow(name, content, ending)
    elif ending in TEXT_ENDINGS:
        text = _decode(name, content, notes)
        if ending in (".jsonl", ".ndjson"):
            yield from _jsonl(text)
        elif ending == ".json" or text.lstrip()[:1] in ("[", "{"):
            yield from _json(name, text)
        else:
            yield from _delimited(text, ending, notes)
    else:
        raise SourceError(name, f"unknown ending {ending!r}; expected {', '.join(ENDINGS)}")


def hub_rows(identifier: str) -> Iterator[RawRow]:
    """The rows of a data set of the Hugging Face hub, of all its splits. Raises SourceError."""
    try:
        from datasets import DownloadConfig, load_dataset
    except ImportError:
        raise SourceError(identifier, "a hub data set needs the package datasets: pip install datasets") from None
    try:
        splits = load_dataset(identifier, download_config=DownloadConfig(disable_tqdm=True))
    except Exception as error:  # whatever the hub client raises: no such data set, no access, no connection
        said = str(error).strip().splitlines()[:1]
        raise SourceError(
            identifier, f"no such file, and no such data set could be loaded from the hub ({''.join(said)[:160]})"
        ) from None
    for split, table in splits.items():
        for number, values in enumerate(table, 1):
            yield RawRow(f"{split} row {number}", values)


def _gunzip(name: str, content: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            found = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(name, f"damaged gzip file ({error}); pack or fetch it again") from None
    return _checked(name, found)


def _zip(name: str, content: bytes, notes: list[str]) -> Iterator[RawRow]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = [
                entry
                for entry in archive.infolist()
                if not entry.is_dir()
                and PurePath(entry.filename).suffix.lower() in ENDINGS
                and not any(part.startswith((".", "__MACOSX")) for part in PurePath(entry.filename).parts)
            ]
            if not inside:
                raise SourceError(name, f"no file in it has one of the endings {', '.join(ENDINGS)}")
            for entry in inside:
                with archive.open(entry) as stream:
                    part = _checked(entry.filename, stream.read(MAX_BYTES + 1))
                for row in raw_rows(entry.filename, part, notes):
                    place = f"{entry.filename} {row.where}" if len(inside) > 1 else row.where
                    yield RawRow(place, row.values, row.problem)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise SourceError(name, f"damaged or encrypted zip file ({error}); pack or fetch it again") from None


def _checked(name: str, content: bytes) -> bytes:
    if len(content) > MAX_BYTES:
        raise SourceError(name, f"larger than {MAX_BYTES // 2**20} MiB unpacked; split the file")
    return content


def _decode(name: str, content: bytes, notes: list[str]) -> str:
    """The text in UTF-8, UTF-16 or UTF-32 by its mark or its zero bytes, else in Windows-1252."""
    head = content[:4096]
    if content.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        encoding = "utf-32"
    elif content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif head.count(0) > len(head) // 4:  # Latin letters in UTF-16 have a zero in every other byte
        encoding = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8-sig" or 0 in head:
            raise SourceError(name, f"no text in {encoding} (byte {error.start}); save it as UTF-8") from None
        encoding = "cp1252"
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            raise SourceError(
                name, f"text neither in UTF-8 (byte {error.start}) nor in Windows-1252; save it as UTF-8"
            ) from None
    if encoding != "utf-8-sig":
        notes.append(f"{name} was read as {encoding}: if letters look wrong, save it as UTF-8")
    return text


def _jsonl(text: str) -> Iterator[RawRow]:
    for number, line in enumerate(text.split("\n"), 1):  # splitlines would also split at U+2028 inside a string
        if line.strip():
            where = f"line {number}"
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield RawRow(where, {}, f"is no JSON ({error})")
                continue
            yield _row(where, value)


def _json(name: str, text: str) -> Iterator[RawRow]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # JSON Lines under another name
            yield from _jsonl(text)
            return
        raise SourceError(name, f"line {error.lineno} is no JSON ({error.msg})") from None
    except RecursionError:
        raise SourceError(name, "nested too deeply; expected a list of questions and answers") from None
    found = None if isinstance(value, dict) and is_row(value) else _walk(value, "", {}, 0)
    if found is None:
        raise SourceError(name, 'expected a list such as [{"question": "...", "answer": "..."}]')
    for number, (where, inner) in enumerate(found, 1):
        yield _row(where or f"item {number}", inner)


def _walk(value: Any, path: str, shared: Mapping[str, Any], depth: int) -> list[tuple[str, Any]] | None:
    """Rows anywhere below a value, each with its place; None where there are none.

    `shared` are values of the levels above that belong to every row below, such as the passage of SQuAD.
    """
    if depth > 12:
        return None
    if isinstance(value, list):
        found: list[tuple[str, Any]] = []
        for number, inner in enumerate(value, 1):
            where = f"{path} item {number}".strip()
            below = None
            if not (isinstance(inner, dict) and is_row(inner)) and isinstance(inner, (dict, list)):
                below = _walk(inner, where, shared, depth + 1)
            found += below or [(where, {**shared, **inner} if isinstance(inner, dict) else inner)]
        return found or None
    if not isinstance(value, dict) or not value:
        return None
    if columns := _columns(value):
        return columns
    if len(value) > 1 and all(isinstance(v, str) for v in value.values()) and not any(map(known_column, value)):
        return [(f"{path} item {n}".strip(), {"question": q, "answer": a}) for n, (q, a) in enumerate(value.items(), 1)]
    shared = {**shared, **{k: v for k, v in value.items() if k == "context" and isinstance(v, str)}}
    found = []
    lists = [key for key, inner in value.items() if isinstance(inner, (dict, list))]
    for key in lists:
        where = path if len(lists) == 1 and isinstance(value[key], list) else f"{path} {key}".strip()
        inner = value[key]
        if isinstance(inner, dict) and is_row(inner):
            found.append((where, {**shared, **inner}))
        else:
            found += _walk(inner, where, shared, depth + 1) or []
    return found or None


def _columns(value: Mapping[str, Any]) -> list[tuple[str, Any]] | None:
    """Rows of a table that is stored by column, as pandas and datasets write it; None where the value is none."""
    names = [key for key in value if known_column(key)]
    cells = [list(v.values()) if isinstance(v, dict) else v for v in map(value.get, names)]
    if len(names) < 2 or not all(isinstance(c, list) for c in cells) or len({len(c) for c in cells}) != 1:
        return None
    if any(isinstance(inner, dict) for column in cells for inner in column):
        return None
    return [(f"item {n}", dict(zip(names, row, strict=True))) for n, row in enumerate(zip(*cells, strict=True), 1)]


def _delimited(text: str, ending: str, notes: list[str]) -> Iterator[RawRow]:
    head = text.lstrip("\r\n").split("\n", 1)[0]
    if declared := re.match(r"sep=(.)\s*$", head):  # Excel's own first line
        delimiter, text = declared[1], text.lstrip("\r\n").partition("\n")[2]
    else:
        bare = re.sub(r'"[^"]*"', "", head)
        delimiter = "\t" if ending == ".tsv" else max(_DELIMITERS, key=lambda d: (bare.count(d), d == ","))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    first = 2 if declared else 1
    while True:
        line = rows.line_num + first
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield RawRow(f"line {line}", {}, f"is no row of a table ({error})")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = cells
            if len(cells) != 2 or any(map(known_column, cells)) or "?" not in cells[0]:
                continue
            header = ["question", "answer"]
            notes.append("no header: the first column was read as questions, the second as answers")
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            yield RawRow(f"line {line}", {}, f"more cells than columns; quote a cell that holds a {delimiter!r}")
            continue
        yield RawRow(f"line {line}", dict(zip(header, cells, strict=False)))


def _arrow(name: str, content: bytes, ending: str) -> Iterator[RawRow]:
    import pyarrow
    from pyarrow import feather, parquet

    try:
        buffer = pyarrow.BufferReader(content)
        table = parquet.read_table(buffer) if ending == ".parquet" else feather.read_table(buffer)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise SourceError(name, f"no {ending[1:]} file ({str(error).splitlines()[0][:120]}); write it again") from None
    number = 0
    for batch in table.to_batches(1000):
        for values in batch.to_pylist():
            number += 1
            yield RawRow(f"row {number}", values)


def _xlsx(name: str, content: bytes) -> Iterator[RawRow]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises what its zip and XML readers raise
        raise SourceError(name, f"no Excel workbook ({type(error).__name__}); save it as .xlsx again") from None
    try:
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        for sheet in sheets:
            header: list[str] | None = None
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if not any(cell not in (None, "") for cell in cells):
                    continue
                if header is None:
                    header = ["" if cell is None else str(cell) for cell in cells]
                    continue
                place = f"{sheet.title} row {number}" if len(sheets) > 1 else f"row {number}"
                yield RawRow(place, {h: c for h, c in zip(header, cells, strict=False) if h})
    finally:
        book.close()


def _row(where: str, value: Any) -> RawRow:
    if isinstance(value, dict):
        return RawRow(where, value)
    return RawRow(where, {}, f'expected {{"question": "...", "answer": "..."}}, found {str(value)[:60]!r}')
