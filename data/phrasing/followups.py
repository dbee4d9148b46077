"""Follow-up questions with the query lines before and after them: `FollowUps.load(book).sample(rng)`.

The files `phrases/followups_*.txt` have a line each:

    previous line -> what its answer named || new words => new line

A question that stands alone, after any line, is a follow-up too: it keeps nothing.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from data.phrasing.composer import Phrasebook
from data.phrasing.noise import typo
from data.phrasing.phrase_files import PHRASES, expand, read_pairs
from data.text import PLACEHOLDER, plain, renumber

STANDING_ALONE = 0.3  # share of follow-ups that are whole questions of their own
TYPOS = 0.1


@dataclass(frozen=True)
class FollowUp:
    """`leaders` are the placeholders of what the previous answer named, or "-"; `line` is what `words` ask then."""

    previous: str
    leaders: str
    words: str
    line: str

    def renumbered(self) -> FollowUp:
        """The same with placeholders numbered as they come: in the previous line, the leaders, the new words."""
        before, line = renumber(f"{self.previous} > {self.leaders} > {self.words}", self.line)
        return FollowUp(*before.split(" > "), line)


@dataclass
class FollowUps:
    """All follow-ups of the phrase files, and the questions that may stand alone."""

    known: list[FollowUp]
    book: Phrasebook

    @classmethod
    def load(cls, book: Phrasebook, folder: Path = PHRASES) -> FollowUps:
        """The follow-ups of a folder. Raises PhraseFileMissing."""
        return cls([_read(*pair) for path in sorted(folder.glob("followups_*.txt")) for pair in read_pairs(path)], book)

    def sample(self, rng: random.Random) -> FollowUp:
        """A random follow-up as somebody might type it."""
        known = rng.choice(self.known)
        words, line = plain(expand(known.words, rng)), known.line
        if rng.random() < STANDING_ALONE:
            phrasing = self.book.sample(rng)
            words, line = _shifted(f"{known.previous} {known.leaders}", phrasing.question, phrasing.line)
        elif rng.random() < TYPOS and '"' not in line:
            words = " ".join(
                typo(w, rng) if len(w) > 3 and w.isalpha() and rng.random() < 0.3 else w for w in words.split()
            )
        return FollowUp(known.previous, known.leaders, words, line).renumbered()


def _read(before: str, line: str) -> FollowUp:
    context, words = before.split(" || ", 1)
    previous, leaders = context.rsplit(" -> ", 1)
    return FollowUp(previous, leaders, words, line)


def _shifted(before: str, question: str, line: str) -> tuple[str, str]:
    """Question and line with placeholders that do not occur in `before`."""
    highest: dict[str, int] = {}
    for kind, digit in PLACEHOLDER.findall(before):
        highest[kind] = max(highest.get(kind, 0), int(digit))

    def swap(text: str) -> str:
        return PLACEHOLDER.sub(lambda m: f"{m[1]}{min(9, int(m[2]) + highest.get(m[1], 0))}", text)

    return swap(question), swap(line)
