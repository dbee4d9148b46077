"""Fills a DuckDB database with the stored tables of one or several seasons.

Text columns of few values become ENUM types, which take a third of the memory of text. Every team has the latest of its
names: a team that was renamed is one team, and `team_names` says what it was called in each season. Knows nothing about
how the tables were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from data.season.store import quoted
from data.season.tables import STORED, SUPPLEMENTS, enum_of

Files = dict[str, Path]


def create(connection: duckdb.DuckDBPyConnection, seasons: Sequence[Files]) -> None:
    """Create the tables of `STORED`, and of `SUPPLEMENTS` those that are there, from the files of seasons by time."""
    sources = {
        table: f"read_parquet([{', '.join(quoted(str(files[table])) for files in seasons)}])" for table in STORED
    }
    connection.execute(f"CREATE TEMP TABLE stored_names AS SELECT * FROM {sources['team_names']}")
    names = connection.execute("""
        SELECT DISTINCT name, arg_max(name, season) OVER (PARTITION BY franchise) AS latest FROM stored_names
        """).fetchall()
    latest = {name: last for name, last in names if name != last}
    _create_enums(connection, sources, latest)
    for table, columns in STORED.items():
        if table == "team_names":
            connection.execute(f"""
                CREATE TABLE team_names AS SELECT season::season_value AS season,
                {_renamed("name", latest)}::team_name AS team, name, short FROM stored_names ORDER BY season, team""")
        elif table == "players" and len(seasons) > 1:
            _create_players(connection, [quoted(str(files[table])) for files in seasons], latest)
        else:
            select = ", ".join(_selected(column, latest) for column, _ in columns)
            connection.execute(f"CREATE TABLE {table} AS SELECT {select} FROM {sources[table]}")
    for table, columns in SUPPLEMENTS.items():
        having = [quoted(str(files[table])) for files in seasons if table in files]
        if having:
            # As text: a squad has players who are in no other table, whom the ENUM types do not know.
            select = ", ".join(f"{_renamed(c, latest)} AS {c}" if c == "team" else c for c, _ in columns)
            connection.execute(f"CREATE TABLE {table} AS SELECT {select} FROM read_parquet([{', '.join(having)}])")
    connection.execute("DROP TABLE stored_names")


def _selected(column: str, latest: dict[str, str]) -> str:
    enum = enum_of(column)
    if enum is None:
        return column
    value = _renamed(column, latest) if enum == "team_name" else column
    return f"{value}::{enum} AS {column}"


def _renamed(column: str, latest: dict[str, str]) -> str:
    """SQL of a team column under the latest names."""
    if not latest:
        return column
    cases = " ".join(f"WHEN {quoted(old)} THEN {quoted(new)}" for old, new in latest.items())
    return f"(CASE {column} {cases} ELSE {column} END)"


def _create_enums(connection: duckdb.DuckDBPyConnection, sources: dict[str, str], latest: dict[str, str]) -> None:
    """An ENUM type for each kind of value, in alphabetical order, so that it sorts as text does."""
    parts: dict[str, list[str]] = {}
    for table, columns in STORED.items():
        for column, _ in columns:
            if enum := enum_of(column):
                value = _renamed(column, latest) if enum == "team_name" else column
                parts.setdefault(enum, []).append(f"SELECT DISTINCT {value} AS v FROM {sources[table]}")
    parts["team_name"].append(f"SELECT DISTINCT {_renamed('name', latest)} FROM stored_names")
    for enum, queries in parts.items():
        connection.execute(f"""
            CREATE TYPE {enum} AS ENUM (SELECT DISTINCT v FROM ({" UNION ALL ".join(queries)})
            WHERE v IS NOT NULL ORDER BY v)""")


def _create_players(connection: duckdb.DuckDBPyConnection, files: list[str], latest: dict[str, str]) -> None:
    """One row per person of several seasons: the newest facts, and all teams, the one of most matches first."""
    each = " UNION ALL ".join(f"SELECT {age} AS age, * FROM read_parquet({file})" for age, file in enumerate(files))
    facts = []
    for column, kind in STORED["players"]:
        if column == "keeper":
            facts.append("bool_or(keeper) AS keeper")
        elif kind != "TEXT[]" and column != "player":
            enum = enum_of(column)
            facts.append(f"arg_max({column}, age){f'::{enum}' if enum else ''} AS {column}")
    connection.execute(f"""
        CREATE TABLE players AS
        WITH each AS ({each}),
        facts AS (SELECT player::player_id AS player, {", ".join(facts)} FROM each GROUP BY player),
        played AS (SELECT player, team, count(*) AS matches FROM appearances GROUP BY ALL),
        -- the teams of substitute fielders, who have no appearance, are only in the stored lists
        belonged AS (SELECT DISTINCT player::player_id AS player, {_renamed("unnest(teams)", latest)}::team_name AS team
            FROM each),
        teams AS (SELECT player, list(team::TEXT ORDER BY coalesce(matches, 0) DESC, team) AS teams
            FROM belonged LEFT JOIN played USING (player, team) GROUP BY player)
        SELECT * FROM facts JOIN teams USING (player) ORDER BY player""")
