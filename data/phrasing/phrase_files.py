"""The phrase files of data/phrases: pairs of a question and its query line (`*.txt`), and banks of parts (`*.yaml`)."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import yaml

from data.errors import DataError

PHRASES = Path(__file__).parent.parent / "phrases"
_FIRST = "players teams declines batting bowling phases results matches comparisons voices first_exam".split()
_MORE = "batting bowling teams matches declines conditions voices".split()
# Pairs of the query line's later parts, and questions with conditions that it does not have.
_WIDE = "streaks order ranks counts shares time balls people facts seasons unsupported unsupported_contrast".split()
_HANDS = "quiz analysts fans idioms notebooks roles_and_places".split()  # by other writers, on all of the language
# by writers each of whom had one kind of difficulty to write about
_KINDS = "asides lists two_asks exceptions limits roles hinglish breadth careers everyday exercises".split()
_MORE_KINDS = "bowling_fielding team_matches duels order_time groups".split()
_BY_HAND = (*_WIDE, "declines_wide", "manners", "own_file_kinds", *_HANDS, *_KINDS, *_MORE_KINDS)
WIDE_FILES = tuple(f"{name}.txt" for name in _BY_HAND)
PAIR_FILES = tuple(f"{name}.txt" for name in (*_FIRST, *(f"{name}_more" for name in _MORE))) + WIDE_FILES
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader is ten times as fast


class PhraseFileMissing(DataError):
    """A phrase file is not in its folder."""


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The (question, query line) pairs of a file with a `question => line` on each line; # begins a comment.

    Raises PhraseFileMissing.
    """
    lines = (line.strip() for line in _text(path).splitlines())
    parts = (line.rpartition(" => ") for line in lines if line and not line.startswith("#"))
    return [(question, query_line) for question, _, query_line in parts]


def read_bank(path: Path) -> Any:
    """The content of a YAML file. Raises PhraseFileMissing."""
    return yaml.load(_text(path), _Loader)


def expand(pattern: str, rng: random.Random) -> str:
    """One expansion of a pattern with (a|b|) alternatives, innermost first."""
    while m := re.search(r"\(([^()]*)\)", pattern):
        pattern = pattern[: m.start()] + rng.choice(m[1].split("|")) + pattern[m.end() :]
    return pattern


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise PhraseFileMissing(
            f"no phrase file {path}: restore it (git checkout -- {path.name}), or take its name out of "
            "PAIR_FILES in data/phrasing/phrase_files.py if it was removed on purpose"
        ) from None
