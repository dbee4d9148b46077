"""How often English words are used, by the dictionary of pyspellchecker: a rare word is no typing error.

frequencies()["thinnest"]
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from spellchecker import SpellChecker

RARE = 50  # occurrences in the dictionary's texts below which a word is as likely a typing error


@cache
def frequencies() -> Mapping[str, int]:
    """The occurrences of each English word that is not rare, contractions such as "wasn't" among them."""
    counts = SpellChecker(language="en", distance=1).word_frequency.dictionary
    return {word: count for word, count in counts.items() if count >= RARE}
