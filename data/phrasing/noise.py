"""Imitates how people type: synonyms, lead-ins, dropped words, typing errors."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cached_property

from data.text import plain

_DROPPABLE = frozenset("the a an of in for is was were did has have with and that this his he please on to by".split())
_NEIGHBOURS = {
    "a": "sq",
    "e": "wr",
    "i": "uo",
    "o": "ip",
    "u": "yi",
    "s": "ad",
    "r": "et",
    "t": "ry",
    "n": "bm",
    "l": "ko",
}


@dataclass
class Noise:
    """`synonyms`: groups of phrases that mean the same in nearly every question."""

    openers: list[str]
    closers: list[str]
    synonyms: list[list[str]]

    @cached_property
    def _groups(self) -> tuple[re.Pattern[str], dict[str, list[str]]]:
        """A pattern of all phrases that have synonyms, the longest first, and each phrase's group."""
        groups = {phrase: group for group in self.synonyms for phrase in group}
        longest = sorted(groups, key=len, reverse=True)
        return re.compile(rf"(?<![\w'-])(?:{'|'.join(map(re.escape, longest))})(?![\w'-])"), groups

    def _with_synonyms(self, rng: random.Random, text: str) -> str:
        pattern, groups = self._groups
        return pattern.sub(lambda m: rng.choice(groups[m[0]]) if rng.random() < 0.5 else m[0], text)

    def typed(self, rng: random.Random, question: str) -> str:
        """The question as somebody might type it; often unchanged."""
        text = self._with_synonyms(rng, question) if rng.random() < 0.4 else question
        if rng.random() < 0.10:
            text = plain(f"{rng.choice(self.openers)} {text}")
        if rng.random() < 0.08:
            text = plain(f"{text} {rng.choice(self.closers)}")
        words = text.split()
        if rng.random() < 0.10 and len(words) > 4:
            droppable = [i for i, w in enumerate(words) if w in _DROPPABLE]
            for i in sorted(rng.sample(droppable, min(len(droppable), rng.choice([1, 1, 2]))), reverse=True):
                del words[i]
        if rng.random() < 0.12:
            i = rng.randrange(len(words))
            if len(words[i]) > 3 and words[i].isalpha():
                words[i] = typo(words[i], rng)
        if rng.random() < 0.15:
            words = [w.replace("'", "") for w in words]
        return " ".join(words)


def typo(word: str, rng: random.Random) -> str:
    """The word with one typing error: two letters swapped, one missing, doubled or replaced by a neighbouring key."""
    i = rng.randrange(1, len(word) - 1)
    roll = rng.randrange(4)
    if roll == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if roll == 1:
        return word[:i] + word[i + 1 :]
    if roll == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + rng.choice(_NEIGHBOURS.get(word[i], "aeiou")) + word[i + 1 :]
