"""The forms in which people write players, teams, grounds, days and seasons: "Virat Kohli", "kohli", "Kholi", "KKR".

    forms = NameForms(names)
    forms.write("player", key, rng)

The inverse of `data.linking`, which reads such forms.
"""

from __future__ import annotations

import datetime
import random
import re
from functools import cached_property

from data.linking.index import joined
from data.linking.mention import ABSENT, AMBIGUOUS, FOUND
from data.linking.resolver import Names
from data.phrasing.noise import typo
from data.text import ordinal

_STADIUM = re.compile(r"\b(cricket|international|stadium|ground)\b", re.I)


class NameForms:
    """Written forms of one season's names."""

    def __init__(self, names: Names):
        self.names, self.index = names, names.index

    def write(self, kind: str, key: str, rng: random.Random) -> str:
        """A random form of `key` (player id, team, ground, ISO day or year), sometimes with a typing error.

        The form may be ambiguous without the rest of the question: the caller has to link it.
        """
        if kind == "date":
            return self._day(key, rng)
        if kind == "season":
            return rng.choice([key, f"ipl {key}", f"the {key} season", f"IPL {key}", f"{key} ipl"])
        if kind == "player":
            text = self._player(key, rng)
        else:
            text = rng.choice(self._team(key) if kind == "team" else self._venue(key))
        if rng.random() < 0.6:
            text = text.lower()
        elif kind == "player" and text == text.lower():
            text = text.title()
        long = [w for w in text.split() if len(w) >= 7 and w.isalpha()]
        if long and rng.random() < 0.06:
            word = rng.choice(long)
            text = text.replace(word, word[0] + typo(word.lower(), rng)[1:], 1)
        return text

    def ambiguous_surnames(self) -> dict[str, str]:
        """Player id -> surname, where several players of the season share it: questions to ask back on."""
        return {
            p.key: s
            for p in self.index.players.values()
            if p.matches and self.names.player(s := p.display.split()[-1]).status == AMBIGUOUS
        }

    @cached_property
    def absent(self) -> list[str]:
        """Ids of well-known players (those with a nickname) who are not in the season."""
        known = set(self.index.file["players"])
        return sorted(
            p.key
            for p in self.index.players.values()
            if not p.matches and p.name in known and self.names.player(p.display).status == ABSENT
        )

    def _player(self, key: str, rng: random.Random) -> str:
        person = self.index.players[key]
        surname = person.display.split()[-1]
        nicks = self.index.file["players"].get(person.name, [])
        forms = [(person.display, 30), (person.name, 8), (surname, 40)]
        forms += [(nick, 22 / len(nicks)) for nick in nicks]
        forms += [(given, 5) for given in self.index.file["known_as"].get(person.name, [])[:1]]
        texts = [text for text, _ in forms]
        text = rng.choices(texts, [weight for _, weight in forms])[0]
        outcome = self.names.player(text)
        return text if outcome.status == FOUND and outcome.candidates == (key,) else person.display

    def _team(self, key: str) -> list[str]:
        franchise = next((f for f in self.index.file["franchises"] if key in f["names"]), None)
        if franchise is None:
            return [key]
        short = franchise["names"][key][0].upper()
        return [key, key, short, short, short, short, *franchise["names"][key], franchise["towns"][0]]

    def _venue(self, key: str) -> list[str]:
        head = key.split(",")[0]
        bare = " ".join(_STADIUM.sub(" ", head).split())
        ground = next((g for g in self.index.roster.grounds if g.name == key), None)
        entry = next((g for g in self.index.file["grounds"] if any(joined(w) in joined(key) for w in g["is"])), None)
        forms = [head, bare, *(entry["aliases"] if entry else [])]
        return forms + [ground.city] * 2 if ground and ground.city else forms

    @staticmethod
    def _day(iso: str, rng: random.Random) -> str:
        day = datetime.date.fromisoformat(iso)
        month = rng.choice([f"{day:%B}", f"{day:%b}"])
        month = month if rng.random() < 0.5 else month.lower()
        return rng.choice(
            [
                f"{day.day} {month}",
                f"{month} {day.day}",
                f"{ordinal(day.day)} {month}",
                f"{month} {ordinal(day.day)}",
                f"the {ordinal(day.day)} of {month}",
                f"{day.day} {month} {day.year}",
                iso,
                f"{day.day}/{day.month}/{day.year}",
            ]
        )
