"""Imitates typing: synonyms, lead-ins, dropped words, slips of the keyboard. Knows nothing about query lines."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cached_property

from data.text import plain

_LIGHT = frozenset("the a an of in for is was were did has have with and that this his he please on to by".split())
_KEYS = {"a": "sq", "e": "wr", "i": "uo", "o": "ip", "u": "yi", "s": "ad", "r": "et", "t": "ry", "n": "bm", "l": "ko"}


@dataclass
class Noise:
    """`synonyms`: groups of phrases that can stand for one another in nearly every question."""

    openers: list[str]
    closers: list[str]
    synonyms: list[list[str]]

    @cached_property
    def _swaps(self) -> tuple[re.Pattern[str], dict[str, list[str]]]:
        """What finds a phrase that has synonyms (the longest first), and those synonyms."""
        groups = {phrase: group for group in self.synonyms for phrase in group}
        longest = sorted(groups, key=len, reverse=True)
        return re.compile(rf"(?<![\w'-])(?:{'|'.join(map(re.escape, longest))})(?![\w'-])"), groups

    def _reworded(self, rng: random.Random, text: str) -> str:
        pattern, groups = self._swaps
        return pattern.sub(lambda m: rng.choice(groups[m[0]]) if rng.random() < 0.5 else m[0], text)

    def typed(self, rng: random.Random, question: str) -> str:
        """The question as somebody may type it; often unchanged."""
        text = self._reworded(rng, question) if rng.random() < 0.4 else question
        if rng.random() < 0.10:
            text = plain(f"{rng.choice(self.openers)} {text}")
        if rng.random() < 0.08:
            text = plain(f"{text} {rng.choice(self.closers)}")
        words = text.split()
        if rng.random() < 0.10 and len(words) > 4:
            droppable = [i for i, w in enumerate(words) if w in _LIGHT]
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
    """One slip of the keyboard: two letters swapped, one lost, doubled or hit beside."""
    i = rng.randrange(1, len(word) - 1)
    roll = rng.randrange(4)
    if roll == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if roll == 1:
        return word[:i] + word[i + 1 :]
    if roll == 2:
        return word[:i] + word[i] + word[i:]
    return word[:i] + rng.choice(_KEYS.get(word[i], "aeiou")) + word[i + 1 :]
