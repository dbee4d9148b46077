"""The one plain form of a question: what the model is trained on is what it is served. Knows nothing else.

plain("Who's got the MOST runs, P1 or P2?")  ->  "who's got the most runs P1 or P2"
"""

from __future__ import annotations

import random
import re
import unicodedata

_WORDS = "zero one two three four five six seven eight nine ten".split()
PLACEHOLDER = re.compile(r"\b([PTVDY])(\d)\b")
_QUOTES = str.maketrans({"‘": "'", "’": "'", "`": "'", "´": "'", "“": " ", "”": " ", '"': " ", "–": "-", "—": " - ",
                         "−": "-", "‑": "-", "×": "x"})  # fmt: skip


def plain(text: str) -> str:
    """Lower case but for placeholders, accents and sentence punctuation gone, single spaces."""
    text = unicodedata.normalize("NFKD", text.translate(_QUOTES))
    text = "".join(c for c in text if not unicodedata.combining(c))
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    parts = [part if PLACEHOLDER.fullmatch(part) else part.lower() for part in re.split(r"(\b[PTVDY]\d\b)", text)]
    text = "".join(parts)
    text = re.sub(r"\b([PTVDY]\d)'?s\b", r"\1", text)  # a name's possessive goes with its link
    text = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", text)
    text = re.sub(r"[?!,;:()\[\]{}<>|*_~^#\\=]", " ", text)
    text = re.sub(r"\s-+\s|\s/\s", " ", f" {text} ")
    return " ".join(text.split())


def renumber(question: str, line: str) -> tuple[str, str]:
    """Placeholders numbered by first appearance in the question, in both texts (P2 .. P1 becomes P1 .. P2)."""
    names: dict[str, str] = {}
    for kind, number in PLACEHOLDER.findall(question):
        old = kind + number
        if old not in names:
            names[old] = kind + str(1 + sum(n[0] == kind for n in names))

    def swap(text: str) -> str:
        return PLACEHOLDER.sub(lambda m: names.get(m[0], m[0]), text)

    return swap(question), swap(line)


def ordinal(n: int) -> str:
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def number(rng: random.Random, n: int) -> str:
    """A number as people write it: small ones often in words."""
    return _WORDS[n] if n <= 10 and rng.random() < 0.45 else str(n)
