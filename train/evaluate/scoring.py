"""Judges an answer in words against what a fan question expects: `judge(expect, question, answer, declined)`.

Expected are numbers (within a tolerance), entities by any of their names (in order, where asked), a refusal that
invents no figure, or asking which of several is meant.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.text import ONES, TENS

TOLERANCE = 0.06
# figures of the season that a refusal may name: its year, its matches, overs of an innings, players ...
HARMLESS = (2024, 71, 74, 70, 10, 20)
_OTHER_NUMBERS = {"once": 1, "twice": 2, "thrice": 3, "both": 2, "neither": 0, "none": 0, "nil": 0, "never": 0,
                  "duck": 0}  # fmt: skip
_BEFORE_PRONOUN = frozenset("which the this that no any every each".split())  # "which one", "the one": no figure
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_NO_FIGURES = [
    re.compile(pattern)
    for pattern in (
        r"(?m)^\s*(?:[-•]\s*)?\d{1,2}[.)]\s+(?=\S)",  # "1. Kohli"
        r"\b\d{4}-\d{2}-\d{2}\b",
        r"(?i)\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{4}\b"
        rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTH})\b(?:,? \d{{4}})?"
        rf"|\b(?:{_MONTH}) \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?",
        r"\b2024\b",
        r"(?i)\bmatch(?:es)? (?:no\.? ?|number |#)?\d+\b",
        r"(?i)\bovers? \d+ ?(?:-|to|and) ?\d+\b",
    )
]
_FIGURE = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{2,3})+|\d+)(\.\d+)?|(?<=,)(\d+)(\.\d+)?")
_DECLINES = re.compile(
    r"can(?: ?not|'?t)\b|unable|won'?t|(?:do|does|did|is|are|was|were|has|have|had|could|would|will"
    r"|should)(?:n'?t| not)\b"
    r"|no (?:data|info|information|record|figures?|stats?|statistics|such|result|hundred|century"
    r"|centuries|ton|match|details?|matches|game"
    r"|fixture|entry|way|one)\b|2024 only|limited to|restricted to"
    r"|not (?:available|included?|covered?|recorded|part|in|among|something|possible|sure|played)"
    r"|only (?:have|cover|covers|know|contains?|includes?|about|for)|outside|beyond|out of scope"
    r"|predict|speculat|future|missing|absent"
    r"|abandon|wash|rained|call(?:ed)? off|unavailable|never|without a (?:hundred|century)|unknown|nobody",
    re.I,
)
_ASKS = re.compile(
    r"\b(which|whom|who)\b.{0,90}\?|do you mean|did you mean|could you (?:clarify|specify"
    r"|tell me which)|please (?:clarify|specify)"
    r"|(?:more than one|two|three|several|multiple|many|different) (?:\w+ )?(?:players?|batters?"
    r"|bowlers?|cricketers?|people|men|sharmas?"
    r"|iyers?|pandyas?)\b|ambiguous|be more specific|let me know which",
    re.I | re.S,
)
_QUOTES = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": " - ", "\u2212": "-",
    "\u2010": "-", "\u2011": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "*": "", "`": "",
})  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Whether an answer is right, and why (not)."""

    right: bool
    why: str = ""


def judge(expect: Mapping[str, Any], question: str, answer: str, declined: bool = False) -> Verdict:
    """Whether the answer is what was expected; `declined` is the outcome that the system reports."""
    tolerance = expect.get("tolerance", TOLERANCE)
    if not expect.get("refuse"):
        if declined:
            return Verdict(False, "declined a question that has an answer")
        return _stated(expect, answer, tolerance)
    either = expect.get("either")
    if either and not declined and _stated(either, answer, tolerance).right:
        return Verdict(True, "answered for each who may be meant")
    if not declined and not (_ASKS if expect.get("clarify") else _DECLINES).search(_plain(answer)):
        return Verdict(False, "neither declined, corrected nor asked which")
    allowed = [*map(float, expect.get("allow", [])), *numbers(question), *HARMLESS]
    allowed += [float(year) for year in re.findall(r"\b20\d\d\b", question)] + list((either or {}).get("numbers", []))
    said = numbers(re.sub(r"(?i)\b(?:top|last|first) \d+\b", " ", _plain(answer)), in_words=False)
    invented = [x for x in said if not _among(x, allowed, tolerance)]
    return Verdict(not invented, f"invented {', '.join(f'{x:g}' for x in invented[:4])}" if invented else "declined")


def _stated(expect: Mapping[str, Any], answer: str, tolerance: float) -> Verdict:
    """Whether the answer states the expected numbers and entities."""
    said, text = numbers(answer), _names(answer)
    lacking = [f"number {x:g}" for x in expect.get("numbers", []) if not _among(x, said, tolerance)]
    places = [_place(names, text) for names in expect.get("entities", [])]
    lacking += [f"name {names[0]}" for names, at in zip(expect.get("entities", []), places, strict=True) if at is None]
    if expect.get("ordered") and None not in places and any(b <= a for a, b in zip(places, places[1:], strict=False)):
        lacking.append("the order")
    return Verdict(not lacking, "lacks " + ", ".join(lacking) if lacking else "")


def _among(x: float, found: Sequence[float], tolerance: float) -> bool:
    return any(abs(x - y) <= tolerance + 1e-9 for y in found)


def numbers(text: str, in_words: bool = True) -> list[float]:
    """The figures of a text, in digits (also 1,260 and 1,00,000) and in words.

    Dates, match numbers and ordinals are no figures.
    """
    text = _plain(text)
    for pattern in _NO_FIGURES:
        text = pattern.sub(" ", text)
    text = re.sub(r"(?i)\b(\d+) overs?,? (?:and )?([0-5]) balls?\b", r"\1.\2 overs", text)
    text = re.sub(r"(?i)\b\d+(?:st|nd|rd|th)\b", " ", text)
    found: list[float] = []
    for m in _FIGURE.finditer(text):
        whole, part = m[1] or m[3], m[2] or m[4] or ""
        found.append(float(whole.replace(",", "") + part))
        pieces = whole.split(",")
        if len(pieces) >= 3:  # "741,583,573" is a list rather than a number
            found += [*map(float, pieces[:-1]), float(pieces[-1] + part)]
    return found + (_in_words(text) if in_words else [])


def _in_words(text: str) -> list[float]:
    """The figures that a text has in words: "twenty-four", "twice"."""
    words = re.findall(r"[a-z']+", text.lower().replace("-", " "))
    found: list[float] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word in TENS:
            value = TENS[word]
            if at + 1 < len(words) and words[at + 1] in ONES[1:10]:
                at += 1
                value += ONES.index(words[at])
            found.append(float(value))
        elif word == "one" and at and words[at - 1] in _BEFORE_PRONOUN:
            pass
        elif word in ONES:
            found.append(float(ONES.index(word)))
        elif word in _OTHER_NUMBERS:
            found.append(float(_OTHER_NUMBERS[word]))
        at += 1
    return found


def _plain(text: str) -> str:
    """The text without accents, with plain quotes and dashes."""
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if not unicodedata.combining(c)).translate(_QUOTES)


def _names(text: str) -> str:
    """The text in which names are looked for: lower case, without possessives, apostrophes, hyphens and dots.

    "head to head" is removed, which is not Travis Head.
    """
    text = _plain(text).lower().replace("'s", "").replace("'", "")
    text = re.sub(r"head[ -]to[ -]head", " ", text)
    return re.sub(r"\s+", " ", text.replace("-", " ").replace(".", ""))


def _place(names: Sequence[str], text: str) -> int | None:
    """Position of the first of the names as whole words; None where there is none."""
    found = [m.start() for n in names if (m := re.search(rf"(?<!\w){re.escape(_names(n).strip())}(?!\w)", text))]
    return min(found, default=None)
