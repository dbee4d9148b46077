"""Corrects typing errors in ordinary words against a lexicon that the caller gives ("ecomony" → "economy").

Words that are English are kept, since another word is meant by them; the caller leaves out names.

    python -c "from data.linking.spelling import Speller; print(Speller(frozenset({'economy'})).correct('ecomony'))"
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from data.linking.english import frequencies


class Speller:
    """Corrects words of four to six letters that are one edit away from a word of the lexicon, longer ones two."""

    def __init__(self, lexicon: frozenset[str]) -> None:
        self.lexicon = lexicon
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for word in sorted(lexicon):
            if len(word) >= 3 and word.isalpha():
                self._by_length[len(word)].append(word)
        self.nearest = lru_cache(maxsize=16384)(self._nearest)

    def correct(self, word: str) -> str:
        """The nearest word of the lexicon; the word itself if it is known, English or short, or if no word is near.

        An apostrophe that is left out is put back: "wasnt" is "wasn't".
        """
        english = frequencies()
        if word in english or "'" in word:
            return word
        if (contraction := f"{word[:-1]}'{word[-1:]}") in english and word.endswith("nt"):
            return contraction
        found = self.nearest(word)
        return found[0] if found else word

    def distance(self, word: str) -> int | None:
        """Edits to the corrected word; 0 for a known word, None if no word is near."""
        if word in self.lexicon:
            return 0
        found = self.nearest(word)
        return found[1] if found else None

    def _nearest(self, word: str) -> tuple[str, int] | None:
        if len(word) < 4 or not word.isalpha() or word in self.lexicon:
            return None
        limit = 1 if len(word) <= 6 else 2
        near = [
            (w, d)
            for length in range(len(word) - limit, len(word) + limit + 1)
            for w, d, _ in process.extract(
                word,
                self._by_length.get(length, ()),
                scorer=DamerauLevenshtein.distance,
                score_cutoff=limit,
                limit=20,
            )
        ]
        if not near:
            return None
        # Typing errors seldom hit the first letter or the last; of the others the usual word is meant.
        english = frequencies()
        best, distance = min(
            near, key=lambda n: (n[1], n[0][0] != word[0], n[0][-1] != word[-1], -english.get(n[0], 0), n[0])
        )
        return best, int(distance)
