"""What an answer tells: its figures and names, comparable with a computed table and with another answer.

facts = AnswerFacts(linker)
facts.agrees(question, "Virat Kohli, with 741 runs", tables)
facts.repeats(question, "741", "Virat Kohli scored 741 runs (478 balls faced).")

A figure that the question names itself (its match number, the year) has to be in the table only if nothing else is
told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from data.linking.linker import Linker
from data.linking.mention import FOUND, Linked
from data.query import StatTable
from data.text import ONES, TENS, plain

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_DATE = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({_MONTH})\b\.?,?(?: (\d{{4}}))?"
    rf"|\b({_MONTH})\b\.? (\d{{1,2}})(?:st|nd|rd|th)?,?(?: (\d{{4}}))?"
    r"|\b(\d{4})-(\d\d)-(\d\d)\b",
    re.I,
)
_UNIT = re.compile(r"\b(?:per|a|every|each) (?:100|hundred|six) (?:balls|deliveries)\b|\bout of \d+\b", re.I)
_FIGURE = re.compile(r"(?<![\w.])(\d+(?:,\d{2,3})*(?:\.\d+)?)(?:\s?(?:/|-|for)\s?(\d+))?(?:st|nd|rd|th)?(?![\d.]*\d)")
_WORDS = {word: n for n, word in enumerate(ONES)} | {
    "once": 1, "twice": 2, "thrice": 3, "none": 0, "nil": 0, "never": 0, "no": 0, "first": 1, "second": 2, "third": 3,
    "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A number as it was told. `second` follows a stroke: the 20 of 3/20; `decimals` are those written."""

    value: float
    decimals: int = 0
    second: int | None = None

    def is_told_by(self, other: Figure) -> bool:
        """Whether `other`, which may be more exact, is this figure."""
        if self.second is not None and (self.second != other.second or self.value != other.value):
            return False
        # a whole number of two digits may be a rounded rate; a small one has to be itself
        exact = self.decimals == 0 and (other.decimals == 0 or self.value < 20)
        return abs(self.value - other.value) <= (1e-6 if exact else 0.5 * 10**-self.decimals + 1e-6)


@dataclass(frozen=True)
class Facts:
    """The figures, names (season keys) and days that a text tells, each in the order of the text."""

    figures: tuple[Figure, ...]
    names: tuple[tuple[str, frozenset[str]], ...]  # kind, keys
    text: str  # in plain form

    @property
    def are_none(self) -> bool:
        """Whether only words are told."""
        return not self.figures and not self.names


class AnswerFacts:
    """Reads and compares answers about the season of a linker."""

    def __init__(self, linker: Linker) -> None:
        self._linker = linker
        self._of_cell = lru_cache(maxsize=20_000)(self.of)

    def of(self, text: str) -> Facts:
        """What a text tells."""
        linked = self._linker.link(text)
        names = [
            (m.kind, frozenset(m.candidates))
            for m in linked.mentions
            if m.status == FOUND and m.kind in ("player", "team", "venue")
        ]
        days, rest = _days(text)
        names += [("date", frozenset({day})) for day in days]
        return Facts(_figures(rest, linked), tuple(dict.fromkeys(names)), plain(text))

    def required(self, question: str, answer: str) -> Facts:
        """What an answer tells beyond its question; all that it tells where that is nothing."""
        asked, told = self.of(question), self.of(answer)
        years = self._linker.names.roster.years
        figures = tuple(f for f in told.figures if f not in asked.figures and f.value not in years)
        names = tuple(n for n in told.names if not any(n[0] == a[0] and n[1] & a[1] for a in asked.names))
        if not figures and not names:
            return told
        return Facts(figures, names, told.text)

    def agrees(self, question: str, answer: str, tables: Sequence[StatTable]) -> bool:
        """Whether the leading cells tell all that the answer tells, and each table's own figure or name is told."""
        told = self.required(question, answer)
        if told.are_none:
            return len(tables) == 1 and any(_says(told.text, plain(text)) for text in _leads(tables[0]))
        count = max(1, len(told.names))
        cells = [self._of_cell(text) for table in tables for text in _cells(table, count)]
        if not all(any(f.is_told_by(g) for c in cells for g in c.figures) for f in told.figures):
            return False
        if not all(any(n[0] == m[0] and n[1] & m[1] for c in cells for m in c.names) for n in told.names):
            return False
        leads = [[self._of_cell(text) for text in _leads(table)] for table in tables]
        if not all(any(_shares(told, cell) for cell in lead) for lead in leads):
            return False
        return self._in_order(told, tables)

    def same_kind(self, question: str, answer: str, tables: Sequence[StatTable]) -> bool:
        """Whether the answer and the table's own cells tell things of the same kind: two teams, two figures that are
        neither a year and a count nor of another size altogether."""
        told = self.required(question, answer)
        leads = [self._of_cell(text) for table in tables for text in _leads(table)]
        kinds = {kind for cell in leads for kind, _ in cell.names}
        if told.names:
            return bool(kinds & {kind for kind, _ in told.names})
        return any(_comparable(f, g) for f in told.figures for cell in leads for g in cell.figures)

    def repeats(self, question: str, answer: str, said: str) -> bool:
        """Whether the text `said` tells all that the answer tells."""
        told, heard = self.required(question, answer), self.of(said)
        if told.are_none:
            return _says(heard.text, told.text)
        figures = all(any(f.is_told_by(g) for g in heard.figures) for f in told.figures)
        return figures and all(any(n[0] == m[0] and n[1] & m[1] for m in heard.names) for n in told.names)

    def is_weak(self, question: str, answer: str) -> bool:
        """Whether a wrong line may well agree by chance: the answer is one small number or one team."""
        told = self.required(question, answer)
        if len(told.figures) + len(told.names) != 1:
            return told.are_none
        if told.names:
            return told.names[0][0] == "team"
        figure = told.figures[0]
        return figure.value < 30 and figure.decimals == 0 and figure.second is None

    def _in_order(self, told: Facts, tables: Sequence[StatTable]) -> bool:
        """Whether several names that are told, such as the top three, stand in the table's order."""
        if len(told.names) < 2 or len(tables) != 1 or not tables[0].rows:
            return True
        rows = [self._of_cell(row[0]).names for row in tables[0].texts()[: 2 * len(told.names)]]
        places = [next((i for i, row in enumerate(rows) if any(n[1] & m[1] for m in row)), None) for n in told.names]
        known = [place for place in places if place is not None]
        return known == sorted(known)


def _comparable(one: Figure, other: Figure) -> bool:
    if any(1900 <= f.value < 2100 and not f.decimals for f in (one, other)):
        return abs(one.value - other.value) < 200
    low, high = sorted((one.value, other.value))
    return high < 30 or low > 0 and high / low <= 10


def _shares(told: Facts, cell: Facts) -> bool:
    figures = any(f.is_told_by(g) for f in told.figures for g in cell.figures)
    return figures or any(n[0] == m[0] and n[1] & m[1] for n in told.names for m in cell.names)


def _cells(table: StatTable, rows: int) -> list[str]:
    """The texts of the first rows; rows that share the first place count as one."""
    return [text for row in table.texts()[: rows + (1 if table.more_tied else 0)] for text in row]


def _leads(table: StatTable) -> list[str]:
    """The cells of the first row that the line asks for: the figures, and who leads where the rows are ranked."""
    if not table.rows:
        return []
    query = table.query
    # the facts of a match stand beside the match that they are of, which nobody asked for
    ranked = bool(query.by) and len(query.measures) == 1 and (query.rank is not None or query.by != ("match",))
    roles = ("asked", "dimension") if ranked else ("asked",)
    return [text for text, column in zip(table.texts()[0], table.columns, strict=True) if column.role in roles]


def _says(text: str, part: str) -> bool:
    """Whether the words of `part` stand in `text`."""
    return len(part) > 1 and f" {part} " in f" {text} "


def _days(text: str) -> tuple[list[str], str]:
    """The days of a text, as month and day, and the text without them."""
    found = []
    for m in _DATE.finditer(text):
        day, month = (m[1], m[2]) if m[1] else (m[5], m[4])
        if m[7]:
            found.append(f"{int(m[8]):02}-{int(m[9]):02}")
        else:
            found.append(f"{1 + _MONTHS.index(month[:3].lower()):02}-{int(day):02}")
    return found, _DATE.sub(" ", text)


def _figures(text: str, linked: Linked) -> tuple[Figure, ...]:
    """The figures of a text, outside of its names."""
    for mention in sorted(linked.mentions, key=lambda m: -m.start):
        if mention.kind in ("player", "team", "venue"):
            text = text.replace(mention.text, " ")
    text = _UNIT.sub(" ", text)
    found = []
    for m in _FIGURE.finditer(text):
        whole = m[1].replace(",", "")
        found.append(Figure(float(whole), len(whole.partition(".")[2]), int(m[2]) if m[2] else None))
    words = re.findall(r"[a-z]+", text.lower().replace("-", " "))
    if {"hundred", "thousand"} & set(words):
        words = []  # such a number is hardly ever written in words alone
    for at, word in enumerate(words):
        if word in TENS:
            unit = _WORDS.get(words[at + 1], 0) if at + 1 < len(words) else 0
            found.append(Figure(float(TENS[word] + (unit if 0 < unit < 10 else 0))))
        elif word in _WORDS and not (at and words[at - 1] in TENS) and _counts(word, words, at):
            found.append(Figure(float(_WORDS[word])))
    return tuple(dict.fromkeys(found))


def _counts(word: str, words: list[str], at: int) -> bool:
    """Whether a number word is a figure: "no" only if it is the answer, "one" not in "which one"."""
    if word == "no":
        return len(words) == 1 or at + 1 < len(words) and words[at + 1] in ("wickets", "runs", "matches", "sixes")
    if word in ("first", "second"):
        return not (at + 1 < len(words) and words[at + 1] in ("innings", "ball", "over", "half", "match"))
    return not (word == "one" and at and words[at - 1] in ("which", "the", "this", "that", "no", "any"))
