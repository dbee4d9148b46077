"""What linking finds in a question, and what resolving a name in a role yields. Imports nothing of this repository."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {"P": "player", "T": "team", "V": "venue", "D": "date", "Y": "season"}  # of a placeholder, by its letter
FOUND, AMBIGUOUS, ABSENT, UNKNOWN = "found", "ambiguous", "absent", "unknown"


@dataclass(frozen=True)
class Mention:
    """`candidates` are player ids, team names, ground names, ISO dates or years, best first; a town
    without a team has all its grounds. `start` and `end` are offsets in the original question."""

    placeholder: str
    text: str
    start: int
    end: int
    kind: str
    candidates: tuple[str, ...]
    status: str


@dataclass(frozen=True)
class Linked:
    """`text` as the model reads it; `mentions` in the order of the question."""

    text: str
    mentions: tuple[Mention, ...]

    def by_placeholder(self) -> dict[str, Mention]:
        """The first mention of every placeholder."""
        found: dict[str, Mention] = {}
        for mention in self.mentions:
            found.setdefault(mention.placeholder, mention)
        return found


@dataclass(frozen=True)
class Outcome:
    """`candidates` are player ids, team or ground names, best first; `suggestion` is what to tell the
    user."""

    status: str
    candidates: tuple[str, ...] = ()
    suggestion: str = ""


@dataclass(frozen=True)
class Context:
    """What else the query line fixes; keys as in the tables."""

    teams: tuple[str, ...] = ()
    opponents: tuple[str, ...] = ()
    batters: tuple[str, ...] = ()
    bowlers: tuple[str, ...] = ()
