"""Finds dates and seasons in a question: "17 May", "May 17th, 2024", "2024-05-17", "on 17/5"; "2016", "last season".

Knows the years and days of a season and nothing about names. The season's own year adds nothing to a question and is
reported as `own`, so that it can be left out of the text.

    python -c "from data.linking.dates import Calendar; print(Calendar((2024,), ()).find('who won on 17 may'))"
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
DAY = r"(?P<day>\d{1,2})(?:\s*(?:st|nd|rd|th))?"
YEAR = r"(?:\s*,?\s*(?P<year>(?:19|20)\d\d)\b)?"
# "top 5 may" and "over 12 march" are no dates; a score such as 17/5 is one only after "on".
NO_DATE_BEFORE = re.compile(r"\b(top|first|last|overs?|min|minimum)\s*$", re.I)
DATES = [
    re.compile(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>\d{1,2})-(?P<day>\d{1,2})\b"),
    # Two-digit years only between slashes: 4-1-25-3 are a bowler's figures.
    re.compile(r"(?<![\d/.-])(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>(?:20)?\d\d)(?![\d/.-])"),
    re.compile(r"(?<![\d/.-])(?P<day>\d{1,2})[.-](?P<month>\d{1,2})[.-](?P<year>20\d\d)(?![\d/-])"),
    re.compile(rf"\b{DAY}(?:\s+of)?[\s-]*{MONTH}{YEAR}", re.I),
    re.compile(rf"\b{MONTH}\s*(?:the\s+)?{DAY}\b(?!\s*(?:runs|wickets|balls|overs)\b){YEAR}", re.I),
    re.compile(r"(?:(?<=\bon )|(?<=\bon the )|(?<=\bdated ))(?P<day>\d{1,2})/(?P<month>\d{1,2})\b", re.I),
]
COUNTED = r"(?!\s*(?:runs?|balls?|dots?|deliver|sixes|fours|wickets?|wkts?|points?)\b)"
OWN_WORDS = (
    r"(?:(?:in|of|for|during|from|at|throughout|over|across)\s+)?(?:(?:this|the current|current)\s+"
    r"(?:season(?!\s+so)|yrs?|year|ipl(?:\s+season)?|edition|tournament)\b)"
)
OTHERS = re.compile(
    r"\b(?:the\s+)?(?P<which>last|previous|prev|past|next|coming|upcoming|following)\s+"
    r"(?:season|yr|year|ipl|edition)\b(?!'?s?\s+(?:match|over|ball))",
    re.I,
)
YEARS = re.compile(
    rf"(?<![\d.,/])(?:\bipl\s*[-_]?\s*)?\b(?P<year>(?:19|20)\d\d)(?:\s*[/-]\s*(?P<second>\d\d(?:\d\d)?))?\b{COUNTED}"
    rf"(?:\s+(?:ipl\b(?:\s+season\b)?|season\b|edition\b))?|\bipl\s*[-_]?\s*'?(?P<short>\d\d)\b{COUNTED}"
    r"|(?<!\w)'(?P<quoted>\d\d)\b",
    re.I,
)
LEAD = re.compile(
    r"(?:\b(?:in|of|for|during|from|at|throughout|across)\s+)?(?:\b(?:the|this|tata|season|edition)\s+)*$",
    re.I,
)


@dataclass(frozen=True)
class Moment:
    """A span of the question: a date (ISO) or season (year), or the season's `own` year, which is left out."""

    start: int
    end: int
    kind: str
    value: str = ""
    known: bool = True


class Calendar:
    """Finds the dates and seasons of questions about a loaded season."""

    def __init__(self, years: tuple[int, ...], dates: tuple[str, ...]) -> None:
        self.years, self.dates = years, frozenset(dates)
        self._own = re.compile(OWN_WORDS, re.I)

    def find(self, text: str) -> list[Moment]:
        """Moments in order, without overlaps; dates first."""
        out: list[Moment] = []
        if re.search(r"\d", text):
            for pattern in DATES:
                out += [m for m in map(self._date, pattern.finditer(text)) if m and self._free(m, out)]
            out += [m for m in map(self._year, YEARS.finditer(text)) if m and self._free(m, out)]
        for match in OTHERS.finditer(text):
            later = match["which"].lower() in ("next", "coming", "upcoming", "following")
            year = self.years[-1] + 1 if later else self.years[0] - 1
            moment = Moment(match.start(), match.end(), "season", str(year), False)
            out += [moment] if self._free(moment, out) else []
        for match in self._own.finditer(text):
            moment = Moment(match.start(), match.end(), "own")
            out += [moment] if self._free(moment, out) else []
        return sorted(out, key=lambda m: m.start)

    @staticmethod
    def _free(moment: Moment, taken: list[Moment]) -> bool:
        return all(moment.end <= t.start or moment.start >= t.end for t in taken)

    def _date(self, match: re.Match[str]) -> Moment | None:
        if NO_DATE_BEFORE.search(match.string[: match.start()]):
            return None
        groups = match.groupdict()
        month = unicodedata.normalize("NFKC", groups["month"]).lower()  # "\u017fep" is found as "sep"
        number = int(month) if month.isdigit() else MONTHS.index(month[:3]) + 1
        year = int(groups["year"]) if groups.get("year") else None
        if year is not None and year < 100:
            year += 2000
        days = [d for y in ([year] if year else self.years) if (d := self._day(y, number, int(groups["day"])))]
        if not days:
            return None
        best = next((d for d in days if d in self.dates), days[-1])
        return Moment(match.start(), match.end(), "date", best, int(best[:4]) in self.years)

    @staticmethod
    def _day(year: int, month: int, day: int) -> str | None:
        try:
            return datetime.date(year, month, day).isoformat()
        except ValueError:
            return None

    def _year(self, match: re.Match[str]) -> Moment | None:
        short = match["short"] or match["quoted"]
        year = int(match["year"]) if match["year"] else 2000 + int(short)
        second = match["second"]
        if not 2000 <= year <= 2050:
            return None
        years = {year} if not second else {year, int(second) % 100 + 2000}
        if not years & set(self.years):
            return Moment(match.start(), match.end(), "season", str(year), False)
        if len(self.years) > 1:  # several seasons are loaded: the year says which is meant
            known = str(min(years & set(self.years)))
            return Moment(match.start(), match.end(), "season", known)
        # The words before the season's own year are left out with it: "in the 2024 season", "of ipl 2024".
        lead = LEAD.search(match.string, 0, match.start())
        return Moment(lead.start() if lead else match.start(), match.end(), "own")
