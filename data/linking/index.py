"""The index of aliases: every way a player, team or ground is called, and what it stands for in a season.

Built once per season from the roster and `nicknames.yaml`. Knows nothing about questions or sentences: resolver.py
looks single names up in it, linker.py finds them in questions. Aliases are stored without spaces and hyphens
("frasermcgurk"), so that these do not matter.

    python -m data.linking.resolver ipl_2024 "fraser mcgurk"
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import yaml
from rapidfuzz import process
from rapidfuzz.distance import OSA

from data.linking.roster import Ground, Player, Roster

NICKNAMES = Path(__file__).parent / "nicknames.yaml"

# Ranks of alias: in the default season, in it under a newer name, only in earlier loaded seasons, in none of them.
CURRENT, FORMER_NAME, EARLIER, ABSENT_RANK = 3, 2, 1, 0
# Levels of alias: of two readings of the same words the higher level wins, equal levels are ambiguous.
OWN, FULL, NICKNAME, SURNAME, INITIAL, GIVEN, MIDDLE = 7, 6, 5, 4, 3, 2, 1
# A given name alone means the player with three times the matches of every other holder, none of whom
# played more than three: "Kuldeep" is not Kuldeep Sen. Two regulars stay ambiguous.
DOMINANT_RATIO, REGULAR_FROM = 3, 4
# Words may also mean somebody of earlier seasons: by his own name, or by a surname if he played ten times as many
# matches ("Tendulkar" beside Arjun Tendulkar).
FAMOUS_RATIO = 10
SAME_SOUND = (
    ("ph", "f"),
    ("ee", "i"),
    ("oo", "u"),
    ("ou", "u"),
    ("aa", "a"),
    ("ck", "k"),
    ("w", "v"),
    ("y", "i"),
    ("z", "s"),
)
SHORT_GIVENS = {
    "mohammed": ("mohd", "md", "mohammad", "muhammad"),
    "mohammad": ("mohd", "md", "mohammed", "muhammad"),
}
PARTICLES = frozenset({"de", "du", "van", "der", "ten", "al", "ul", "ur"})


@dataclass(frozen=True)
class Alias:
    """What some words stand for: `keys` of a `kind` (player, team, venue, or nobody: elsewhere, things).

    `town` is set for the name of a town, `label` is what is shown.
    """

    kind: str
    keys: tuple[str, ...]
    rank: int
    level: int
    town: str | None = None
    label: str = ""


def plain(text: str) -> str:
    """Lower case without accents, apostrophes dropped, other punctuation to spaces."""
    text = unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode().lower()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", text.replace("'", "")).split())


def joined(text: str) -> str:
    return plain(text).replace(" ", "")


def sound(word: str) -> str:
    """A key that the usual English spellings of one name share (Pooran and Puran, Klaasen and Klassen)."""
    for old, new in SAME_SOUND:
        word = word.replace(old, new)
    word = re.sub(r"(?<=[bcdgjkst])h", "", word)
    return re.sub(r"(.)\1+", r"\1", word)


@cache
def nicknames() -> dict:
    with open(NICKNAMES, encoding="utf-8") as file:
        # The C loader, where PyYAML has it, is ten times as fast.
        return yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class NameIndex:
    """All aliases of a season: `lookup` finds words as written, `corrections` the words near a misspelt one."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.file = nicknames()
        self.guarded = frozenset(joined(w) for w in self.file["guarded"])
        self.never_alone = frozenset(joined(w) for w in self.file["never_alone"])
        self.loose = frozenset(joined(w) for w in self.file["loose"])
        self.ambiguous_words = self.guarded | self.never_alone | self.loose
        self.lookalikes = frozenset(self.file["lookalikes"])
        self.players = {p.key: p for p in roster.players}
        self._table: dict[str, list[Alias]] = defaultdict(list)
        self._words: set[str] = set()
        self._one_word: set[str] = set()  # aliases that people also write as one word
        self._add_players()
        self._add_teams()
        self._add_grounds()
        self._table = {k: v for k, v in self._table.items() if k}
        self.longest = 7
        self._best = {phrase: self._preferred(found) for phrase, found in self._table.items()}
        self._by_letter: dict[str, list[str]] = defaultdict(list)
        self._by_sound: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self._words):
            self._by_letter[word[0]].append(word)
            if len(word) >= 5:
                self._by_sound[sound(word)].append(word)
        self.corrections = lru_cache(maxsize=8192)(self._corrections)

    # -- looking up --------------------------------------------------------------------------------

    def lookup(self, phrase: str) -> Alias | None:
        """The meaning of joined words, or None."""
        return self._best.get(phrase)

    def is_one_word(self, phrase: str) -> bool:
        """Whether people write the alias as one word: "msdhoni", but not "fallen" for F Allen."""
        return phrase in self._one_word

    def of_kind(self, phrase: str, kind: str, years: Collection[int] = ()) -> Alias | None:
        """The meaning of joined words among the aliases of one kind; with `years`, among who was in those seasons."""
        found = [a for a in self._table.get(phrase, ()) if a.kind == kind]
        if years and kind in ("player", "team"):
            there = ((a, tuple(k for k in a.keys if set(years) & set(self.seasons_of(k)))) for a in found)
            found = [replace(a, keys=keys, rank=CURRENT) for a, keys in there if keys]
            if kind == "team":  # "DC" of 2010 are the Deccan Chargers: Delhi was called Daredevils then
                found = [a for a in found if set(years) & set(self.roster.years_of_name(a.label))] or found
        return self._preferred(found) if found else None

    def seasons_of(self, key: str) -> tuple[int, ...]:
        """Years of the loaded seasons that a player or team was in."""
        person = self.players.get(key)
        if person is None:
            return self.roster.years_of_team(key) if key in self.roster.teams else ()
        return person.seasons or (self.roster.years if person.matches else ())

    def is_word(self, word: str) -> bool:
        """Whether the word, as written, is part of a name."""
        return word in self._words or word in self._best

    def _corrections(self, word: str) -> tuple[tuple[str, int], ...]:
        """Words of names near a misspelt word with the number of edits, nearest first.

        Near is a word of the same sound, one edit away in five to seven letters, or two in eight or more. The first
        letter is taken as right.
        """
        if len(word) < 4 or not word.isascii() or not word.isalpha():
            return ()
        found = {w: 1 for w in self._by_sound.get(sound(word), ())} if len(word) >= 5 else {}
        limit = 2 if len(word) >= 8 else 1 if len(word) >= 5 else 0
        if limit:
            near = process.extract(
                word, self._by_letter.get(word[0], ()), scorer=OSA.distance, score_cutoff=limit, limit=4
            )
            for other, distance, _ in near:
                if min(len(word), len(other)) >= (8 if distance == 2 else 5):
                    found[other] = min(distance, found.get(other, 9))
        return tuple(sorted(found.items(), key=lambda item: (item[1], item[0])))[:4]

    def _preferred(self, found: Iterable[Alias]) -> Alias:
        """The meaning of words that several aliases share: who is in the season, then the higher class.

        Equal aliases are ambiguous and keep all their keys. A father's name yields to somebody else's full name
        ("Sachin Tendulkar" is not Arjun Sachin Tendulkar).
        """
        found = list(found)
        if any(a.level >= FULL for a in found):
            found = [a for a in found if a.level != MIDDLE]
        rank, level = max((a.rank, a.level) for a in found)
        earlier = [a for a in found if a.kind == "player" and a.rank == EARLIER]
        found = [a for a in found if (a.rank, a.level) == (rank, level)]
        kinds = ("team", "player", "venue", "things", "elsewhere")
        kind = min((a.kind for a in found), key=kinds.index)
        found = [a for a in found if a.kind == kind]
        keys = tuple(dict.fromkeys(k for a in found for k in a.keys))
        if kind == "player" and rank == CURRENT:
            most = max(self.players[k].career for k in keys)
            keys += tuple(
                k for a in earlier for k in a.keys
                if a.level == OWN > level
                or (a.level == level == SURNAME and self.players[k].career >= FAMOUS_RATIO * most > 0)
            )  # fmt: skip
        if kind == "player" and len(keys) > 1:
            keys = tuple(sorted(keys, key=lambda k: (-self.players[k].matches, self.players[k].display)))
            counts = [self.players[k].matches for k in keys]
            if level == GIVEN and rank and counts[1] < REGULAR_FROM and counts[0] >= DOMINANT_RATIO * counts[1]:
                keys = keys[:1]
        return replace(found[0], keys=keys)

    # -- players -----------------------------------------------------------------------------------

    def _add_players(self) -> None:
        for person in self.roster.players:
            rank = CURRENT if person.matches else ABSENT_RANK
            if person.sides and self.roster.year not in person.seasons:
                rank = EARLIER
            for phrase, level in self._player_phrases(person):
                self._add(phrase, Alias("player", (person.key,), rank, level, label=person.display))
        for kind in ("elsewhere", "things"):
            for name in self.file[kind]:
                self._add(name, Alias(kind, (), ABSENT_RANK, FULL, label=name))

    def _player_phrases(self, person: Player) -> set[tuple[str, int]]:
        name = re.sub(r" \(\d+\)$", "", person.name)
        display, cricsheet, full = plain(person.display), plain(name), plain(person.full_name)
        first = name.split()[0]
        has_initials = " " in name and first.isupper() and len(first) <= 5
        surnames = {self._surname(person.display), self._surname(name)}
        givens = {plain(g) for g in self.file["known_as"].get(person.name, ())}
        if not re.match(r"[A-Z]{2,}\b", person.display):
            givens.add(display.split()[0])
        middle = set(full.split()[:-1]) | set(display.split()[:-1])
        if not has_initials:
            givens.add(cricsheet.split()[0])
        nicks = [plain(n) for n in self.file["players"].get(person.name, ())]
        givens |= {short for given in givens for short in SHORT_GIVENS.get(given, ())}
        middle |= {
            n for n in nicks if " " not in n and len(n) > 2 and n not in surnames
        }  # "shubhman gill", "rutu gaikwad"
        out = {(display, OWN), (cricsheet, FULL), (full, FULL)} | {(n, NICKNAME) for n in nicks}
        for surname in surnames:
            last = surname.split()[-1]
            for given in (givens | middle) - {surname, last}:
                level = FULL if given in givens else MIDDLE
                out |= {
                    (f"{given} {surname}", level),
                    (f"{surname} {given}", level),
                    (f"{given} {last}", level),
                }
                if given in givens and len(given) > 1:
                    out.add((f"{given[0]} {surname}", INITIAL))
            if has_initials:
                out |= {
                    (f"{first[:n]} {surname}", INITIAL if n < len(first) else FULL) for n in range(1, len(first) + 1)
                }
            out |= {(surname, SURNAME), (last, SURNAME)}
            out |= {(part, SURNAME) for part in plain(surname).split() if "-" in name and len(part) > 3}
        if person.matches:
            out |= {(given, GIVEN) for given in givens if len(given) > 2}
        else:  # a short surname does not stand for somebody who is not in the season
            out = {(p, level) for p, level in out if level != SURNAME or len(p) >= 4}
        return {
            (p, level)
            for p, level in out
            if level in (OWN, FULL, MIDDLE, NICKNAME) or joined(p) not in self.never_alone
        }

    @staticmethod
    def _surname(name: str) -> str:
        words = name.split()
        start = len(words) - 1
        while start > 1 and words[start - 1].lower() in PARTICLES:
            start -= 1
        return plain(" ".join(words[start:]))

    # -- teams -------------------------------------------------------------------------------------

    def _add_teams(self) -> None:
        listed = set()
        for franchise in self.file["franchises"]:
            names = franchise["names"]
            listed |= set(names)
            current = [n for n in names if n in self.roster.teams]
            there = CURRENT if any(self._plays_now(n) for n in current) else EARLIER if current else ABSENT_RANK
            for own, aliases in names.items():
                keys = (own,) if own in current else tuple(current) or (own,)
                rank = there if own in current else min(there, FORMER_NAME)
                for phrase in (own, *aliases):
                    level = FULL if phrase == own else NICKNAME
                    self._add(phrase, Alias("team", keys, rank, level, label=own))
            keys = tuple(current) or (next(iter(names)),)
            for town in franchise["towns"]:
                name = self._town(town)
                label = keys[0] if current else f"A team of {name}"
                self._add(town, Alias("team", keys, there, NICKNAME, name, label))
        for team in self.roster.teams:
            if team not in listed:
                self._add(team, Alias("team", (team,), CURRENT if self._plays_now(team) else EARLIER, FULL, label=team))

    def _plays_now(self, team: str) -> bool:
        return self.roster.year in self.roster.years_of_team(team)

    def _town(self, alias: str) -> str:
        """Today's name of a town."""
        for town, others in self.file["towns"].items():
            if joined(alias) == joined(town) or alias in others:
                return town
        return alias.title()

    def home_grounds(self, team: str, years: Collection[int] = ()) -> tuple[str, ...]:
        """The team's home grounds in the seasons, the most used first; by default in the latest season with any."""
        home = {(year, ground): n for (year, t, ground), n in self.roster.home.items() if t == team}
        years = years or [max((year for year, _ in home), default=0)]
        counts: Counter[str] = Counter()
        for (year, ground), n in home.items():
            if year in years:
                counts[ground] += n
        return tuple(ground for ground, _ in counts.most_common())

    # -- grounds -----------------------------------------------------------------------------------

    def _entry(self, ground: str) -> dict | None:
        text = f" {plain(ground)} "
        return next((e for e in self.file["grounds"] if any(f" {plain(w)} " in text for w in e["is"])), None)

    def towns_of(self, ground: Ground) -> tuple[str, ...]:
        entry = self._entry(ground.name)
        found = [entry["city"]] if entry else []
        if ground.city:
            found.append(self._town(ground.city))
        return tuple(dict.fromkeys(found))

    def grounds_in(self, town: str) -> tuple[str, ...]:
        return tuple(g.name for g in self.roster.grounds if town in self.towns_of(g))

    def _add_grounds(self) -> None:
        present = {g.name: self._entry(g.name) for g in self.roster.grounds}
        for ground, entry in present.items():
            head = ground.split(",")[0]
            for phrase in {
                ground,
                head,
                re.sub(r"\b(cricket|stadium|international|ground)\b", "", head, flags=re.I),
            }:
                self._add(phrase, Alias("venue", (ground,), CURRENT, FULL, label=ground))
            for phrase in entry["aliases"] if entry else ():
                self._add(phrase, Alias("venue", (ground,), CURRENT, NICKNAME, label=ground))
        for entry in self.file["grounds"]:
            for phrase in entry["aliases"]:
                self._add(
                    phrase, Alias("venue", (entry["aliases"][0].title(),), ABSENT_RANK, NICKNAME, label=phrase.title())
                )
        towns = {t for g in self.roster.grounds for t in self.towns_of(g)} | {e["city"] for e in self.file["grounds"]}
        for town in towns | set(self.file["towns"]):
            here = self.grounds_in(town)
            alias = Alias("venue", here or (town,), CURRENT if here else ABSENT_RANK, SURNAME, town, town)
            for phrase in (town, *self.file["towns"].get(town, ())):
                self._add(phrase, alias)

    def _add(self, phrase: str, alias: Alias) -> None:
        key = joined(phrase)
        if alias not in self._table[key]:
            self._table[key].append(alias)
        words = plain(phrase).split()
        if len(words) == 1 or len(words[0]) > 1:
            self._one_word.add(key)
        least = 4 if alias.rank else 5
        if alias.level in (OWN, FULL, NICKNAME, SURNAME, GIVEN):
            self._words |= {w for w in words if len(w) >= least and w.isalpha()}
            if len(words) > 1 and len(key) >= 8 and alias.rank and alias.level >= NICKNAME:
                self._words.add(key)
