"""Matches named twice, by their number and by their sides: "match 45 (GT v RCB)", "GT v RCB (match 45)".

    Fixtures({45: frozenset({"Gujarat Titans", "Royal Challengers Bengaluru"})}).repeated(question, teams)

Where the match of that number is between those two, the sides say nothing more, and a question without them is one
about "match 45". Where it is another match, nothing is left out. Knows nothing about how names are found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_MATCH = r"(?:match|game|fixture)"
_NUMBER = rf"(?:{_MATCH}\s*(?:no\.?|number|num\.?|\#)?\s*(?P<n>\d{{1,2}})|(?P<nth>\d{{1,2}})(?:st|nd|rd|th)\s+{_MATCH})"
_AGAINST = re.compile(r"\s*(?:v\.?|vs\.?|versus|x|-|–|/|against)\s*", re.I)
_AND = re.compile(r"\s+(?:and|&)\s+", re.I)
# what stands between the number and the sides, "(" or ", " or " between "
_NUMBER_BEFORE = re.compile(
    rf"\b{_NUMBER}(?P<gap>\s*[,:;-]?\s*(?P<open>[(\[])?\s*(?P<between>(?:played\s+)?between\s+|of\s+|,\s*)?)\Z", re.I
)
_NUMBER_AFTER = re.compile(rf"(?P<gap>\s*[,:;-]?\s*(?P<open>[(\[])?\s*){_NUMBER}(?![\w.-])\s*(?P<close>[)\]])?", re.I)
_CLOSE = re.compile(r"\s*[)\]]")


@dataclass(frozen=True)
class NamedTeam:
    """A team's name in a question: characters `start` to `end`."""

    start: int
    end: int
    team: str


@dataclass(frozen=True)
class Fixtures:
    """The two sides of each match of a season by the match's number."""

    sides: Mapping[int, frozenset[str]]

    def repeated(self, question: str, teams: Sequence[NamedTeam]) -> list[tuple[int, int]]:
        """The parts of the question, from character to character, that repeat the sides of a match given by number."""
        found = []
        for first, second in zip(teams, teams[1:], strict=False):
            between = question[first.end : second.start]
            against, joined = _AGAINST.fullmatch(between), _AND.fullmatch(between)
            if not (against or joined):
                continue
            before = _NUMBER_BEFORE.search(question[: first.start])
            if before and (against or before["between"]) and self._are_of(before, first, second):
                close = _CLOSE.match(question, second.end) if before["open"] else None
                if close or not before["open"]:
                    found.append((before.start("gap"), close.end() if close else second.end))
                continue
            after = _NUMBER_AFTER.match(question, second.end)
            if after and against and bool(after["open"]) == bool(after["close"]) and self._are_of(after, first, second):
                found.append((first.start, after.end("gap")))
                if after["close"]:
                    found.append((after.start("close"), after.end("close")))
        return found

    def _are_of(self, number: re.Match[str], first: NamedTeam, second: NamedTeam) -> bool:
        return self.sides.get(int(number["n"] or number["nth"])) == {first.team, second.team}
