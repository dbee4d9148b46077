"""Which season a user's file is about: guessed from the years and names in its questions and from its answers.

guess(rows, writer)      # Guess("ipl_2023", "948 of its 950 questions say 2023")
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from data.dataset.user_files import UserRow
from data.errors import SeasonError
from data.season import SEASONS, about, load
from data.season.store import stored
from data.text import plain
from train.query_lines import LineWriter
from train.row_plans import RowPlans

DEFAULT = "ipl_2024"
TELLING = 0.1  # share of the questions that have to say a year, or a name, for it to count
MOST_OF_THEM = 0.8
TRIED = 3  # seasons whose statistics are compared with the answers
SAMPLE = 60  # rows to compare with


@dataclass(frozen=True)
class Guess:
    """A season's name, and what speaks for it."""

    season: str
    why: str


def guess(rows: Sequence[UserRow], writer: Callable[[], LineWriter], folder: Path = SEASONS) -> Guess:
    """The season, or the collection, whose statistics agree best with the file. `writer` is called where needed."""
    told = Counter(year for row in rows for year in {int(y) for y in re.findall(r"\b(?:19|20)\d\d\b", row.question)})
    years = {name: about(name, folder).years for name in stored(folder) if _readable(name, folder)}
    known = Counter({year: n for year, n in told.items() if any(year in of for of in years.values())})
    if sum(known.values()) >= TELLING * len(rows):
        (year, most), *_ = known.most_common(1)
        if most < MOST_OF_THEM * sum(known.values()):
            collection = about(next(n for n, of in years.items() if year in of), folder).collection
            if collection:
                return Guess(collection, f"its questions say {len(known)} years, from {min(known)} to {max(known)}")
        named = [name for name, of in years.items() if of == [year]]
        if len(named) == 1:
            return Guess(named[0], f"{most} of its {len(rows)} questions say {year}")
    else:
        named = _by_names(rows, list(years), folder)
    if not named:
        return Guess(DEFAULT, "its questions name no season and hardly anybody of a stored one")
    if len(named) == 1:
        return Guess(named[0], "its questions name players and teams of no other season")
    sample = rows[:: max(1, len(rows) // SAMPLE)][:SAMPLE]
    lines = writer()
    agreement = {name: RowPlans(load(name, folder), lines).agreement(sample) for name in named[:TRIED]}
    best = max(agreement, key=lambda name: agreement[name])
    others = ", ".join(f"{name} {100 * share:.0f} %" for name, share in agreement.items() if name != best)
    return Guess(best, f"of {len(sample)} answers its statistics give {100 * agreement[best]:.0f} % ({others})")


def _by_names(rows: Sequence[UserRow], names: Sequence[str], folder: Path) -> list[str]:
    """The seasons whose players and teams are named most often, the latest of equal ones first; none if hardly any."""
    asked = [frozenset(plain(row.question).split()) for row in rows]
    found = {}
    for name in names:
        words = _words_of(folder / name)
        found[name] = sum(bool(question & words) for question in asked)
    best = max(found.values(), default=0)
    if best < TELLING * len(rows):
        return []
    close = [name for name in reversed(names) if found[name] >= 0.9 * best]
    return sorted(close, key=lambda name: -found[name])


def _words_of(folder: Path) -> frozenset[str]:
    """Surnames and teams' abbreviations of a season."""
    with duckdb.connect() as connection:
        people = connection.execute("SELECT display FROM read_parquet(?)", [str(folder / "players.parquet")]).fetchall()
        teams = connection.execute("SELECT short, name FROM read_parquet(?)", [str(folder / "team_names.parquet")])
        words = {plain(name).split()[-1] for (name,) in people if name} | {
            word for short, name in teams.fetchall() for word in (plain(short), plain(name).split()[0])
        }
    return frozenset(word for word in words if len(word) > 1)


def _readable(name: str, folder: Path) -> bool:
    try:
        about(name, folder)
    except SeasonError:
        return False
    return True
