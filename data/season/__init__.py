"""The tables of a season, or of several: Parquet in data/seasons/<name>/, loaded into DuckDB in memory.

A name is that of a season (ipl_2024) or of a collection (ipl: every season of the league). Knows nothing about match
files, names in questions or the query line.

    python -c "from data.season import load; print(load('ipl').title)"
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from data.errors import SeasonDamaged
from data.season import derived, loading, standings
from data.season.store import SEASONS, About, collections, members, not_found, parquet_files, read_about, stored, write

__all__ = ["SEASONS", "About", "Season", "about", "load", "season_title", "seasons", "write"]


@dataclass(frozen=True)
class Season:
    """One or several loaded seasons. Use a `connection.cursor()` per thread; the tables are read-only by convention."""

    name: str
    title: str
    years: tuple[int, ...]
    digest: str
    connection: duckdb.DuckDBPyConnection
    league: str = "IPL"

    @property
    def year(self) -> int:
        """The season's year; of several the latest, which is meant if a question names none."""
        return self.years[-1]

    def title_of(self, *years: int) -> str:
        """`IPL 2016`, or `IPL 2015-2020` of several years."""
        return season_title(self.league, years or self.years)


def seasons(folder: Path = SEASONS) -> list[str]:
    """Names that can be loaded: collections, then single seasons."""
    return [*collections(folder), *stored(folder)]


def load(name: str = "ipl_2024", folder: Path = SEASONS) -> Season:
    """The stored and derived tables of a season or collection in a fresh in-memory database.

    Raises SeasonNotFound with what to do, SeasonDamaged where a file is missing or changed.
    """
    whole, parts = about(name, folder), _parts(name, folder)
    connection = duckdb.connect(":memory:")
    # One thread per query: a season is a single row group, and the cores are needed by the model.
    connection.execute("SET threads = 1")
    loading.create(connection, [parquet_files(part, folder) for part in parts])
    derived.create(connection)
    standings.create(connection)
    connection.execute("SET enable_external_access = false")
    return Season(name, whole.title, tuple(whole.years), whole.digest, connection, whole.league)


def about(name: str, folder: Path = SEASONS) -> About:
    """What a season or collection holds, read in a millisecond.

    A service that has loaded it compares `digest` with `Season.digest` to see that there is a new season or match.
    """
    parts = _parts(name, folder)
    if len(parts) == 1:
        return replace(parts[0], name=name)
    years = [year for part in parts for year in part.years]
    return replace(
        parts[-1],
        name=name,
        title=season_title(parts[-1].league, years),
        years=years,
        matches=sum(part.matches for part in parts),
        digest=hashlib.sha256("".join(part.digest for part in parts).encode()).hexdigest(),
        files={},
    )


def season_title(league: str, years: tuple[int, ...] | list[int]) -> str:
    """`IPL 2024`; of several years `IPL 2008-2024`, with gaps `IPL 2008, 2010-2024`."""
    spans: list[list[int]] = []
    for year in sorted(years):
        if spans and year == spans[-1][-1] + 1:
            spans[-1].append(year)
        else:
            spans.append([year])
    return f"{league} {', '.join(str(s[0]) if len(s) == 1 else f'{s[0]}-{s[-1]}' for s in spans)}"


def _parts(name: str, folder: Path) -> list[About]:
    """The season of that name, or the seasons of the collection."""
    if (folder / name / "season.json").exists():
        return [read_about(name, folder)]
    parts = members(name, folder)
    if not parts:
        raise not_found(name, folder)
    leagues = sorted({part.league for part in parts})
    if len(leagues) > 1:
        raise SeasonDamaged(f"the seasons of {name!r} are of several competitions: {', '.join(leagues)}")
    return parts
