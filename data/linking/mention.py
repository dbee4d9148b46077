"""Records of name linking: what was found in a question, and what a name in a role stands for.

Imports nothing of this repository.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {"P": "player", "T": "team", "V": "venue", "D": "date", "Y": "season"}  # of a placeholder, by its letter
FOUND, AMBIGUOUS, ABSENT, UNKNOWN = "found", "ambiguous", "absent", "unknown"


@dataclass(frozen=True)
class Mention:
    """A name in a question. `start` and `end` are offsets in the original question.

    `candidates` are player ids, team names, ground names, ISO dates or years ("2016", "2022-2024" for "the last three
    seasons"), best first; a town without a team has all its grounds, which are meant together.
    """

    placeholder: str
    text: str
    start: int
    end: int
    kind: str
    candidates: tuple[str, ...]
    status: str


@dataclass(frozen=True)
class Linked:
    """A question as the model reads it (`text`) and its `mentions` in the order of the question.

    `own_season`: words for the season itself ("this season") were left out of the text.
    """

    text: str
    mentions: tuple[Mention, ...]
    own_season: bool = False

    def by_placeholder(self) -> dict[str, Mention]:
        """The first mention of every placeholder."""
        found: dict[str, Mention] = {}
        for mention in self.mentions:
            found.setdefault(mention.placeholder, mention)
        return found


@dataclass(frozen=True)
class Outcome:
    """What a name stands for. `candidates` are as in `Mention`; `suggestion` is for the user, empty if found."""

    status: str
    candidates: tuple[str, ...] = ()
    suggestion: str = ""


@dataclass(frozen=True)
class Context:
    """What the query line fixes beside the name: keys as in the tables."""

    teams: tuple[str, ...] = ()
    opponents: tuple[str, ...] = ()
    batters: tuple[str, ...] = ()
    bowlers: tuple[str, ...] = ()
    seasons: tuple[int, ...] = ()  # years; none: the default season
