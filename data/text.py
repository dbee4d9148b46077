"""The plain form of a question, in which the model reads it, in training and when it is served.

plain("Who's got the MOST runs, P1 or P2?")  ->  "who's got the most runs P1 or P2"
"""

from __future__ import annotations

import random
import re
import unicodedata

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = {word: 10 * i for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
PLACEHOLDER = re.compile(r"\b([PTVDY])(\d)\b")
_QUOTES = str.maketrans({
    "‘": "'", "’": "'", "`": "'", "´": "'", "“": " ", "”": " ", '"': " ",
    "–": "-", "—": " - ", "−": "-", "‑": "-", "×": "x",
})  # fmt: skip


def plain(text: str) -> str:
    """The text in lower case except for placeholders, without accents and punctuation, with single spaces."""
    text = unicodedata.normalize("NFKD", text.translate(_QUOTES))
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    parts = [part if PLACEHOLDER.fullmatch(part) else part.lower() for part in re.split(r"(\b[PTVDY]\d\b)", text)]
    text = "".join(parts)
    text = re.sub(r"\b([PTVDY]\d)'?s\b", r"\1", text)  # a possessive is dropped: "P1's runs" is "P1 runs"
    text = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", text)
    text = re.sub(r"[?!,;:()\[\]{}<>|*_~^#\\=]", " ", text)
    text = re.sub(r"\s-+\s|\s/\s", " ", f" {text} ")
    return " ".join(text.split())


def renumber(question: str, line: str) -> tuple[str, str]:
    """Both texts with placeholders numbered by their order in the question: "P2 v P1" becomes "P1 v P2"."""
    names: dict[str, str] = {}
    for kind, number in PLACEHOLDER.findall(question):
        old = kind + number
        if old not in names:
            names[old] = kind + str(1 + sum(n[0] == kind for n in names))

    def swap(text: str) -> str:
        return PLACEHOLDER.sub(lambda m: names.get(m[0], m[0]), text)

    return swap(question), swap(line)


def with_article(words: str) -> str:
    """'a strike rate', 'an economy rate'."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def ordinal(n: int) -> str:
    """1st, 2nd, 11th ..."""
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def number(rng: random.Random, n: int) -> str:
    """A number as people write it: up to ten sometimes in words."""
    return ONES[n] if n <= 10 and rng.random() < 0.45 else str(n)
