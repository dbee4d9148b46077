"""Persons: who they are, their usual names, how they bat and bowl.

`people.csv` has every person of the league's seasons as in the source, `display_names.csv` the usual names that no rule
finds (reviewed by hand). Knows nothing about matches, nicknames or questions.

    python -c "from data.cricsheet.people import load_people; print(load_people()['462411b3'])"
"""

from __future__ import annotations

import csv
import datetime
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from data.cricsheet.league import season_year

HERE = Path(__file__).parent
INITIALS = re.compile(r"^[A-Z]{1,5}$")


@dataclass(frozen=True)
class Bowling:
    """The classes of a bowling style; None where the source does not say."""

    pace_or_spin: str | None = None
    arm: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class Person:
    player: str
    name: str
    display: str
    full_name: str | None = None
    common_name: str | None = None
    country: str | None = None
    born: datetime.date | None = None
    batting_hand: str | None = None
    bowling_style: str | None = None
    bowling: Bowling = Bowling()
    role: str | None = None
    seasons: tuple[int, ...] = ()

    @property
    def keeper(self) -> bool:
        return self.role is not None and "Wicketkeeper" in self.role


# Searched in this order: "Slow Left arm Orthodox" also contains "Left arm", which alone would mean pace.
STYLES = (
    (re.compile(r"slow left.arm orthodox"), Bowling("spin", "left", "left_arm_orthodox")),
    (
        re.compile(r"left.arm wrist.?spin|slow left.arm chinaman"),
        Bowling("spin", "left", "left_arm_wrist_spin"),
    ),
    (re.compile(r"legbreak|leg.?spin|right.arm wrist.?spin"), Bowling("spin", "right", "leg_spin")),
    (re.compile(r"off.?break|off.?spin"), Bowling("spin", "right", "off_spin")),
    (re.compile(r"right.arm (fast|medium|slow medium)"), Bowling("pace", "right", "right_arm_pace")),
    (re.compile(r"left.arm (fast|medium|slow medium)"), Bowling("pace", "left", "left_arm_pace")),
    (re.compile(r"right.arm"), Bowling(None, "right", None)),
    (re.compile(r"left.arm"), Bowling(None, "left", None)),
)


def bowling_of(style: str | None) -> Bowling:
    """The kind of a style in either spelling (`Right arm Fast medium`, `Right-arm fast-medium`).

    Of several styles (`Right arm Medium, Right arm Offbreak`) spin counts: such part-timers turn to it in T20s.
    """
    text = (style or "").strip().lower()
    for pattern, bowling in STYLES:
        if pattern.search(text):
            return bowling
    return Bowling()


def batting_hand_of(style: str | None) -> str | None:
    text = (style or "").lower()
    return "left" if text.startswith("left") else "right" if text.startswith("right") else None


def display_name(name: str, full_name: str | None = None, common_name: str | None = None) -> str:
    """The name people use: `JJ Bumrah` with `Jasprit Jasbirsingh Bumrah` is `Jasprit Bumrah`.

    A Cricsheet name without initials is already the usual one. Otherwise the initials are replaced by the first given
    name that begins with the first initial; if the full name has none, the Cricsheet name is returned.
    """
    if common_name:
        return common_name
    name = re.sub(r" \(\d+\)$", "", name)  # Cricsheet numbers namesakes: `Arshad Khan (2)`
    first, _, surname = name.partition(" ")
    if not surname or not INITIALS.match(first):
        return name
    for given in (full_name or "").split():
        if given[0].upper() == first[0] and len(given) > 1 and given.lower() != surname.lower():
            return f"{given} {surname}"
    return name


@cache
def usual_names() -> dict[str, str]:
    """Reviewed usual names by person id."""
    with open(HERE / "display_names.csv", encoding="utf-8", newline="") as file:
        return {row["person_id"]: row["display"] for row in csv.DictReader(file)}


@cache
def load_people() -> dict[str, Person]:
    """Everybody in people.csv, by id."""
    with open(HERE / "people.csv", encoding="utf-8", newline="") as file:
        return {row["person_id"]: _person(row) for row in csv.DictReader(file)}


def person_of(player: str, name: str) -> Person:
    """The person of an id under the name in a match file; a person not in people.csv has no further facts."""
    known = load_people().get(player)
    if known is not None:
        return replace(known, name=name)
    return Person(player, name, usual_names().get(player) or display_name(name))


def _person(row: dict[str, str]) -> Person:
    names = row["cricsheet_names"].split("|")
    full, common = row["full_name"] or None, row["common_name"] or None
    return Person(
        player=row["person_id"],
        name=names[0],
        display=usual_names().get(row["person_id"]) or display_name(names[0], full, common),
        full_name=full,
        common_name=common,
        country=row["country"] or None,
        born=datetime.date.fromisoformat(row["date_of_birth"]) if row["date_of_birth"] else None,
        batting_hand=batting_hand_of(row["batting_style"]),
        bowling_style=row["bowling_style"] or None,
        bowling=bowling_of(row["bowling_style"]),
        role=row["playing_role"] or None,
        seasons=tuple(season_year(s) for s in row["seasons"].split("|") if s),
    )
