"""Resolves names: who or what "Kohli", "Thala", "Yellow Army" or "Chepauk" is, or that it is nobody.

`Names` resolves a name on its own, and a mention in the role that a query line gives it. Every outcome is found,
ambiguous (with the candidates), absent (known, but not in this season) or unknown. Knows nothing about sentences.

    python -m data.linking.resolver ipl_2024 "king kohli" sharma "ben stokes" motera
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from itertools import islice, product

from data.linking.index import Alias, NameIndex, plain
from data.linking.mention import ABSENT, AMBIGUOUS, FOUND, UNKNOWN, Context, Mention, Outcome
from data.linking.roster import Ground, Player, Roster, roster_of
from data.season import Season, load

PLAYER_ROLES = frozenset({"player", "batter", "bowler", "fielder", "keeper", "partner", "dismissed", "winner"})
TEAM_ROLES = frozenset({"team", "opponent", "between"})
MAX_VARIANTS = 24  # combinations of corrected words tried for a misspelt name
_NO_CONTEXT = Context()


class Names:
    """Resolver over one season's roster."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.index = NameIndex(roster)

    @classmethod
    def for_season(cls, season: Season) -> Names:
        """Names of a loaded season (`data.season.load(...)`)."""
        return cls(roster_of(season))

    # -- a name on its own -------------------------------------------------------------------------

    def player(self, text: str) -> Outcome:
        return self._by_itself(text, "player")

    def team(self, text: str) -> Outcome:
        return self._by_itself(text, "team")

    def venue(self, text: str) -> Outcome:
        """A ground or a town; the candidates of a town are all its grounds, which are meant together."""
        outcome = self._by_itself(text, "venue")
        if outcome.status == UNKNOWN and (team := self._search(text, "team")):
            return self._grounds_for(team, self.roster.years)
        return outcome

    def _by_itself(self, text: str, kind: str) -> Outcome:
        alias = self._search(text, kind)
        if alias is None:
            return Outcome(UNKNOWN, (), f'I know no {kind} called "{text.strip()}" in {self.roster.label}.')
        return self.outcome(alias, text)

    def _search(self, text: str, kind: str, years: Collection[int] = ()) -> Alias | None:
        words = plain(text).split()
        for joined_words, _ in self.variants(words):
            if alias := self.index.of_kind(joined_words, kind, years):
                return alias
        if kind == "venue" and words and words[-1] in {"stadium", "ground", "cricket", "international"}:
            return self._search(" ".join(words[:-1]), kind, years)
        return None

    def variants(self, words: Iterable[str]) -> Iterator[tuple[str, int]]:
        """Joined spellings of `words` to look up, as written first, each with the number of edits."""
        words = list(words)
        yield "".join(words), 0
        choices = [
            ((w, 0),) if self.index.is_word(w) or len(w) < 4 else ((w, 0), *self.index.corrections(w)) for w in words
        ]
        options = list(islice(product(*choices), MAX_VARIANTS))[1:]
        for option in sorted(options, key=lambda o: sum(d for _, d in o)):
            yield "".join(w for w, _ in option), sum(d for _, d in option)
        if len(words) > 1:
            yield from self.index.corrections("".join(words))

    def outcome(self, alias: Alias, text: str) -> Outcome:
        """The outcome that an alias, found for `text`, stands for."""
        label = self.roster.label
        if alias.kind == "elsewhere":
            return Outcome(UNKNOWN, (), f"{alias.label.title()} is not among the players of {label}.")
        if not alias.rank:
            names = self._list(alias.keys) if alias.kind == "player" else alias.label or alias.keys[0]
            verb = {"player": "did not play in", "team": "did not play in", "venue": "hosted no match of"}[alias.kind]
            return Outcome(ABSENT, alias.keys, f"{names} {verb} {label}.")
        if len(alias.keys) > 1 and alias.kind != "venue":
            return self._ambiguous(alias.keys, text)
        return Outcome(FOUND, alias.keys)

    def display(self, key: str) -> str:
        """The usual name of a player id; teams and grounds are their own names."""
        person = self.index.players.get(key)
        return person.display if person else key

    def seasons_of(self, key: str) -> tuple[int, ...]:
        """Years of the loaded seasons that a player or team was in."""
        return self.index.seasons_of(key)

    def absence(self, key: str, years: Collection[int] = ()) -> str:
        """A sentence if a player or team was in none of the seasons (by default the default season), else empty.

        "Sachin Tendulkar did not play in IPL 2024, but in IPL 2008-2013."
        """
        years, played = tuple(years) or (self.roster.year,), self.seasons_of(key)
        if set(years) & set(played):
            return ""
        elsewhere = f", but in {self.roster.title_of(*played)}" if played else ""
        return f"{self.display(key)} did not play in {self.roster.title_of(*years)}{elsewhere}."

    def _list(self, keys: Iterable[str]) -> str:
        names = list(dict.fromkeys(self.display(k) for k in keys))
        return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]

    def _ambiguous(self, keys: tuple[str, ...], text: str) -> Outcome:
        people = [self.index.players[k] for k in keys if k in self.index.players]
        names = [f"{p.display} ({self._sides(p)})" if p.teams else p.display for p in people] or list(keys)
        asked = f"Which {text.strip().title()} do you mean? I can't tell from the name alone: it could be"
        return Outcome(AMBIGUOUS, keys, f"{asked} {', '.join(names[:-1])} or {names[-1]}.")

    def _sides(self, person: Player) -> str:
        """His teams, and the years he played if he did not in the default season."""
        seasons = "" if self.roster.year in self.seasons_of(person.key) else self.roster.title_of(*person.seasons)
        return ", ".join([*person.teams, *([seasons] if seasons else [])])

    # -- a mention in its role ---------------------------------------------------------------------

    def resolve(self, mention: Mention, role: str, others: Context = _NO_CONTEXT) -> Outcome:
        """What a mention stands for in a role of a query line: batter, bowler, fielder, player, team, opponent, venue.

        `others` narrows ambiguous names (a bowler "Sharma" of Mumbai Indians). A team in the role of a venue is its
        home grounds, or the grounds of the town it was called by; several grounds are meant together. Somebody who was
        in none of `others.seasons` is absent, unless somebody else of that name was.
        """
        if role == "venue" and mention.kind == "team":
            years = others.seasons
            alias = self._search(mention.text, "team", years) or self._search(mention.text, "team")
            return self._grounds_for(alias, years) if alias else self._by_itself(mention.text, "venue")
        if role in TEAM_ROLES and mention.kind == "venue":
            return self._team_at(mention, others.seasons)
        if role in TEAM_ROLES and mention.kind == "player":
            return self._team_of(mention, others.seasons)
        if (role in PLAYER_ROLES) != (mention.kind == "player") and mention.kind in (
            "player",
            "team",
            "venue",
        ):
            kind = "player" if role in PLAYER_ROLES else role
            if role in PLAYER_ROLES or role in {*TEAM_ROLES, "venue"}:
                return Outcome(UNKNOWN, (), f'"{mention.text}" is a {mention.kind}, not a {kind}.')
        if mention.kind in ("player", "team") and mention.status in (FOUND, AMBIGUOUS):
            candidates = self._in_seasons(mention, others.seasons)
            if not candidates:
                return Outcome(ABSENT, mention.candidates, self.absence(mention.candidates[0], others.seasons))
            mention = replace(mention, candidates=candidates, status=FOUND if len(candidates) == 1 else AMBIGUOUS)
        if mention.kind == "player" and mention.status == AMBIGUOUS:
            return self._narrow(mention, role, others)
        return self._by_status(mention)

    def _in_seasons(self, mention: Mention, years: tuple[int, ...]) -> tuple[str, ...]:
        """The candidates who were in the seasons, else others of the same name who were.

        Without `years` everybody stays, but for those of earlier seasons beside somebody of the default season.
        """
        there = tuple(k for k in mention.candidates if set(years or [self.roster.year]) & set(self.seasons_of(k)))
        if not years:
            return there or mention.candidates
        if mention.kind == "team" or not there:
            alias = self._search(mention.text, mention.kind, years)
            if alias and not (set(alias.keys) & set(there)):
                return alias.keys
        return there

    def _by_status(self, mention: Mention) -> Outcome:
        if mention.status == FOUND:
            return Outcome(FOUND, mention.candidates)
        if mention.status == AMBIGUOUS:
            return self._ambiguous(mention.candidates, mention.text)
        if mention.status == ABSENT and mention.kind in ("date", "season"):
            return Outcome(ABSENT, mention.candidates, f"{mention.text} is not in {self.roster.label}.")
        alias = self._search(mention.text, mention.kind)
        if alias and not alias.rank:
            return self.outcome(alias, mention.text)
        unknown = f'I know no {mention.kind} called "{mention.text}" in {self.roster.label}.'
        return Outcome(mention.status, mention.candidates, unknown)

    def _narrow(self, mention: Mention, role: str, others: Context) -> Outcome:
        people = [self.index.players[k] for k in mention.candidates]
        years = others.seasons or (self.roster.year,)
        same_side = others.batters if role == "bowler" else others.bowlers if role == "batter" else ()
        against = {
            t for k in same_side if k in self.index.players for t in self._teams_in(self.index.players[k], years)
        }
        filters = (
            lambda p: not others.teams or self._teams_in(p, years) & set(others.teams),
            lambda p: not self._teams_in(p, years) <= set(others.opponents),
            lambda p: not self._teams_in(p, years) <= against,
            lambda p: role != "bowler" or p.balls_bowled > 0,
        )
        for keep in filters:
            people = [p for p in people if keep(p)] or people
        keys = tuple(p.key for p in people)
        return Outcome(FOUND, keys) if len(keys) == 1 else self._ambiguous(keys, mention.text)

    @staticmethod
    def _teams_in(person: Player, years: Collection[int]) -> set[str]:
        """His teams in the seasons; where that is not known, those he has."""
        return {team for year, team in person.sides if year in years} or set(person.teams)

    def _grounds_for(self, alias: Alias, years: tuple[int, ...] = ()) -> Outcome:
        grounds = self.index.grounds_in(alias.town) if alias.town else ()
        if not grounds:
            grounds = tuple(dict.fromkeys(g for team in alias.keys for g in self.index.home_grounds(team, years)))
        if grounds:
            return Outcome(FOUND, grounds)
        place = alias.town or alias.keys[0]
        return Outcome(ABSENT, (), f"No match of {self.roster.label} was played at a ground of {place}.")

    def _team_at(self, mention: Mention, years: tuple[int, ...]) -> Outcome:
        """The team of a town, or the one that is at home on a ground."""
        named = self._search(mention.text, "team", years)
        hosts = list(named.keys) if named and named.rank else self._hosts(mention, years)
        if len(hosts) == 1:
            return Outcome(FOUND, tuple(hosts))
        if hosts:
            return Outcome(AMBIGUOUS, tuple(hosts), f"Which team at {mention.text}: {' or '.join(hosts)}?")
        return Outcome(UNKNOWN, (), f"{mention.text} is a ground without a home team in {self.roster.label}.")

    def _hosts(self, mention: Mention, years: tuple[int, ...]) -> list[str]:
        years = years or (self.roster.year,)
        return [t for t in self.roster.teams if set(self.index.home_grounds(t, years)) & set(mention.candidates)]

    def _team_of(self, mention: Mention, years: tuple[int, ...]) -> Outcome:
        if mention.status != FOUND:
            return self._by_status(mention)
        person = self.index.players[mention.candidates[0]]
        teams = tuple(t for t in dict.fromkeys(t for y, t in person.sides if y in years)) or person.teams
        return Outcome(FOUND, teams) if len(teams) == 1 else self._ambiguous(teams, mention.text)


def main(arguments: list[str]) -> None:
    names = Names.for_season(load(arguments[0]))
    for text in arguments[1:]:
        for kind in ("player", "team", "venue"):
            outcome = getattr(names, kind)(text)
            if outcome.status != UNKNOWN:
                shown = ", ".join(names.display(k) for k in outcome.candidates)
                print(f"{text}: {kind} {outcome.status}: {shown} {outcome.suggestion}")


__all__ = [
    "ABSENT",
    "AMBIGUOUS",
    "FOUND",
    "UNKNOWN",
    "Context",
    "Ground",
    "Names",
    "Outcome",
    "Player",
    "Roster",
]

if __name__ == "__main__":
    main(sys.argv[1:])
