"""Who the feed's players are: persons of data/cricsheet/people.csv where name and date of birth say so.

Such a person has the facts and the usual name that he has in every other season, so that nicknames and several seasons
work. Anybody else is a person of his own, as the feed describes him.

    python -c "from data.feed.people import known; from data.feed.format import Profile; \\
               print(known(Profile(title='Virat Kohli', birthdate='1988-11-05'), 2022))"
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import cache

from data.cricsheet.people import Person, batting_hand_of, bowling_of, load_people
from data.feed.format import Profile

_ROLES = {"bat": "Batter", "bowl": "Bowler", "all": "Allrounder", "wk": "Wicketkeeper Batter"}
_COUNTRIES = {
    "af": "Afghanistan", "au": "Australia", "bd": "Bangladesh", "en": "England", "gb": "England", "ie": "Ireland",
    "in": "India", "lk": "Sri Lanka", "na": "Namibia", "nl": "Netherlands", "np": "Nepal", "nz": "New Zealand",
    "pk": "Pakistan", "us": "United States of America", "wi": "West Indies", "za": "South Africa", "zw": "Zimbabwe",
}  # fmt: skip
# The styles of data.cricsheet.people say "Slow Left arm Orthodox"; without "slow" they would mean pace.
_SLOW = re.compile(r"^left.arm (orthodox|unorthodox|chinaman)", re.IGNORECASE)
ALIKE = 0.8  # of two surnames that differ in spelling: Chakaravarthy and Chakravarthy are 0.96, Sharma and Verma 0.55


def persons(profiles: Iterable[Profile], year: int) -> dict[int, Person]:
    """The person of each player id. Of several profiles of one id the fullest counts."""
    fullest: dict[int, Profile] = {}
    for profile in profiles:
        if profile.pid is not None:
            there = fullest.get(profile.pid)
            if there is None or _filled(profile) > _filled(there):
                fullest[profile.pid] = profile
    claims: dict[str, list[int]] = defaultdict(list)
    for pid, profile in sorted(fullest.items()):
        if player := known(profile, year):
            claims[player].append(pid)
    found = {pid: _own(profile) for pid, profile in fullest.items()}
    for player, pids in claims.items():
        # Two ids for one person would make one player of two: who was born on his day, else nobody.
        born = [pid for pid in pids if _date(fullest[pid].birthdate) == load_people()[player].born]
        if len(pids) == 1 or len(born) == 1:
            found[pids[0] if len(pids) == 1 else born[0]] = load_people()[player]
    return found


def known(profile: Profile, year: int) -> str | None:
    """The id in people.csv of the player; None where nobody there, or more than one, can be meant."""
    born = _date(profile.birthdate)
    names = {_plain(profile.title), _plain(f"{profile.first_name} {profile.middle_name} {profile.last_name}")} - {""}
    named = {player for name in names for player in _by_name().get(name, ())}
    same_day = {p.player for p in load_people().values() if born and p.born == born}
    surname = _plain(profile.last_name or profile.title).rpartition(" ")[2]
    alike = {player for player in same_day if _surname_is(player, surname)}
    for candidates in (named & same_day, alike, {p for p in named if _may_be(load_people()[p], born, year)}):
        if len(candidates) == 1:
            return next(iter(candidates))
    return None


def country_of(profile: Profile) -> str | None:
    """The country's name, from the nationality or the two-letter code."""
    return profile.nationality or _COUNTRIES.get(profile.country.lower()) or profile.country or None


def role_of(profile: Profile) -> str | None:
    """The role in the words of people.csv: `wkbat` is Wicketkeeper Batter."""
    code = profile.playing_role.lower()
    return next((role for start, role in _ROLES.items() if code.startswith(start)), None)


def _own(profile: Profile) -> Person:
    style = _SLOW.sub(r"Slow Left arm \1", profile.bowling_style) or None
    full = " ".join(part for part in (profile.first_name, profile.middle_name, profile.last_name) if part)
    return Person(
        player=f"feed-{profile.pid}",
        name=profile.title or profile.short_name or f"player {profile.pid}",
        display=profile.title or profile.short_name or f"player {profile.pid}",
        full_name=full or None,
        country=country_of(profile),
        born=_date(profile.birthdate),
        batting_hand=batting_hand_of(profile.batting_style),
        bowling_style=style,
        bowling=bowling_of(style),
        role=role_of(profile),
    )


def _may_be(person: Person, born: datetime.date | None, year: int) -> bool:
    """Whether only the name has to tell: no date of birth on one side, or he played in that year."""
    return born is None or person.born is None or year in person.seasons


def _surname_is(player: str, surname: str) -> bool:
    person = load_people()[player]
    last = {_plain(name).rpartition(" ")[2] for name in (person.display, person.name, person.full_name or "")}
    return any(SequenceMatcher(None, surname, name).ratio() >= ALIKE for name in last if name and surname)


def _filled(profile: Profile) -> int:
    return sum(bool(value) for value in profile.model_dump().values())


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text[:10])
    except ValueError:  # "0000-00-00" and ""
        return None


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.findall(r"[a-z]+", letters))


@cache
def _by_name() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for person in load_people().values():
        for name in (person.display, person.name, person.full_name, person.common_name):
            if name:
                found[_plain(name)].add(person.player)
    return dict(found)
