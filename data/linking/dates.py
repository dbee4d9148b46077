"""Finds dates and seasons in a question: "17 May", "May 17th, 2024", "2024-05-17", "on 17/5"; "2016", "last season",
"season 3", "the first ever season", "the last three seasons".

Knows the years and days of the loaded seasons and nothing about names. If a question is about the default season (the
only one, or the latest) and names it, its year adds nothing: it is reported as `own`, to be left out of the text.

    python -c "from data.linking.dates import Calendar; print(Calendar((2024,), ()).find('who won on 17 may'))"
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass, replace

from data.cricsheet.league import season_year

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
DAY = r"(?P<day>\d{1,2})(?:\s*(?:st|nd|rd|th))?"
YEAR = r"(?:\s*,?\s*(?P<year>(?:19|20)\d\d)\b)?"
TO = r"(?:-|–|&|\b(?:to|and|till|until|through)\b)"
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
    # two days that share a month: "16 to 30 April", "April 16-30"
    re.compile(rf"\b{DAY}(?=\s*{TO}\s*\d{{1,2}}(?:st|nd|rd|th)?(?:\s+of)?[\s-]*{MONTH}{YEAR})", re.I),
    re.compile(
        rf"\b{MONTH}\s*(?:the\s+)?\d{{1,2}}(?:st|nd|rd|th)?\s*{TO}\s*(?:the\s+)?(?P<span>{DAY})\b"
        rf"(?!\s*(?:runs|wickets|balls|overs)\b|/){YEAR}",
        re.I,
    ),
]
COUNTED_WORDS = r"\s*(?:runs?|balls?|dots?|deliver|sixes|fours|wickets?|wkts?|points?(?!\s+table))\b"
OR_MORE = r"\s*(?:\+|-?\s*plus\b)"  # "2000+ runs", "2000 plus runs"
COUNTED = rf"(?!{COUNTED_WORDS})"
# "score 2016 runs" is a number, "kohli 2016 runs" a year (if that season is loaded beside others).
NUMBER_BEFORE = frozenset(
    "score scored scoring scores make made makes hit take took taken get got gets than over under least most with "
    "reach reached cross crossed of has have had to a about exactly only nearly".split()
)
OWN = re.compile(
    r"(?:(?:in|of|for|during|from|at|throughout|over|across)\s+)?(?:(?:this|the current|current)\s+"
    r"(?:season(?!\s+so)|yrs?|year|ipl(?:\s+season)?|edition|tournament)\b)",
    re.I,
)
OTHERS = re.compile(
    r"\b(?:the\s+)?(?P<which>last|previous|prev|past|next|coming|upcoming|following)\s+"
    r"(?:season|yr|year|ipl|edition)\b"
    r"(?!'?s?\s+(?:match|game|over|ball|innings|appearance|outing|hundred|century|ton|fifty|wicket|six|title)(?:s|es)?\b)",
    re.I,
)
YEARS = re.compile(
    rf"(?<![\d.,/])(?P<league>\bipl\s*[-_]?\s*|\b)(?P<year>(?:19|20)\d\d)(?:\s*(?P<sign>[/-])\s*(?P<second>\d\d(?:\d\d)?))?\b"
    r"(?:\s+(?:ipl\b(?:\s+season\b)?|season\b|edition\b))?"
    rf"|\bipl\s*[-_]?\s*'?(?P<short>\d\d)\b{COUNTED}|(?<!\w)'(?P<quoted>\d\d)\b",
    re.I,
)
NUMBERS = "one two three four five six seven eight nine ten".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
# An "ipl" alone must end there: "the first ipl hundred" is no season.
IPL_ENDS = r"(?=\s*(?:$|[?.!,;:)]|(?:title|trophy|tournament|champions?|winners?|final|ever)\b))"
EDITIONS = [
    re.compile(rf"\b(?:ipl\s+)?(?:season|edition)\s*(?:no\.?|number|#)?\s*(?P<number>[1-9]\d?)\b{COUNTED}", re.I),
    re.compile(rf"\bipl\s+(?P<number>[1-9])\b(?![\d.])(?!\s*(?:st|nd|rd|th)\b){COUNTED}", re.I),
    re.compile(
        rf"\b(?P<the>the\s+)?(?P<ordinal>[1-9]\d?(?:st|nd|rd|th)|{'|'.join(ORDINALS)}|inaugural|maiden)\s+(?:ever\s+)?"
        rf"(?:(?:ipl\s+)?(?:season|edition)\b(?:\s+ever\b)?(?:\s+of\s+(?:the\s+)?ipl\b)?|ipl\b(?:\s+ever\b)?{IPL_ENDS})",
        re.I,
    ),
]
# Beside "the first season" these words make it somebody's: "his first season", "the first season of Kohli".
EDITION_BEFORE = frozenset(
    "in of from during for since after before at on ipl won win and or to till until ever".split()
)
NOT_EDITION_AFTER = frozenset("of for with as under he she they i that when where without".split())
# "the last three seasons"; not "his first two seasons"
SEVERAL = re.compile(
    r"(?<!his )(?<!her )(?<!their )(?<!'s )\b(?:the\s+)?(?P<which>last|past|previous|latest|first)\s+"
    rf"(?P<count>\d{{1,2}}|{'|'.join(NUMBERS)})\s+(?:ipl\s+)?(?:seasons|years|yrs|editions|ipls)\b",
    re.I,
)
LEAD = re.compile(
    r"(?:\b(?:in|of|for|during|from|at|throughout|across)\s+)?(?:\b(?:the|this|tata|season|edition)\s+)*$",
    re.I,
)
# The year is the end of a span of time, not the season that is asked about.
SPAN_BEFORE = re.compile(
    r"\b(?:since|before|after|until|untill|till|upto|up\s+to|post|pre|prior\s+to)\s+(?:the\s+|ipl\s+|season\s+)*$", re.I
)
SPAN_AFTER = re.compile(
    r"\s*(?:onwards?\b|(?:and|or)\s+(?:after|before|later|earlier)\b|to\b|till?\b|until\b|se\b|-\s*(?:\d|$))", re.I
)


@dataclass(frozen=True)
class Moment:
    """A span of the question: a date (ISO), a season ("2016", "2022-2024" for "the last three seasons"), or `own`.

    `known` says whether the loaded seasons have it. A date without a year has several days until the year is known.
    """

    start: int
    end: int
    kind: str
    values: tuple[str, ...] = ()
    known: bool = True


class Calendar:
    """Finds the dates and seasons of questions about loaded seasons.

    `years` are those of the seasons, the last of them the default; `dates` the days with a match; `first_season` the
    year of "season 1", None if seasons have no numbers.
    """

    def __init__(self, years: tuple[int, ...], dates: tuple[str, ...], first_season: int | None = None) -> None:
        self.years, self.dates, self.first_season = years, frozenset(dates), first_season

    def find(self, text: str) -> list[Moment]:
        """Moments in order, without overlaps."""
        found: list[Moment] = []

        def add(moments: list[Moment]) -> None:
            found.extend(m for m in moments if all(m.end <= t.start or m.start >= t.end for t in found))

        has_digit = bool(re.search(r"\d", text))
        for pattern in DATES if has_digit else ():
            for match in pattern.finditer(text):
                add(self._date(match))
        for match in YEARS.finditer(text) if has_digit else ():
            add(self._year(match))
        for match in SEVERAL.finditer(text) if len(self.years) > 1 else ():
            add([self._several(match)])
        for pattern in EDITIONS if self.first_season else ():
            for match in pattern.finditer(text):
                add(self._edition(match))
        for match in OTHERS.finditer(text):
            add([self._other(match)])
        for match in OWN.finditer(text):
            add([self._season(match.start(), match.end(), self.years[-1])])
        found.sort(key=lambda m: m.start)
        return self._without_default(text, self._dates_in_said_year(found))

    def _season(self, start: int, end: int, *years: int) -> Moment:
        value = str(years[0]) if len(years) == 1 else f"{years[0]}-{years[-1]}"
        return Moment(start, end, "season", (value,), set(years) <= set(self.years))

    def _date(self, match: re.Match[str]) -> list[Moment]:
        if NO_DATE_BEFORE.search(match.string[: match.start()]):
            return []
        groups = match.groupdict()
        month = unicodedata.normalize("NFKC", groups["month"]).lower()  # "\u017fep" is found as "sep"
        number = int(month) if month.isdigit() else MONTHS.index(month[:3]) + 1
        year = int(groups["year"]) if groups.get("year") else None
        if year is not None and year < 100:
            year += 2000
        # Without a year every year is possible, the latest with a match that day first.
        years = [year] if year else sorted(self.years, reverse=True)
        days = [d for y in years if (d := _day(y, number, int(groups["day"])))]
        days.sort(key=lambda d: d not in self.dates)
        start, end = match.span("span" if "span" in groups else 0)
        return [Moment(start, end, "date", tuple(days), int(days[0][:4]) in self.years)] if days else []

    @staticmethod
    def _dates_in_said_year(found: list[Moment]) -> list[Moment]:
        """Dates with one day each: in the only year that the question names, else the first possible."""
        said = {m.values[0] for m in found if m.kind == "season"}
        year = said.pop() if len(said) == 1 else ""

        def one_day(moment: Moment) -> Moment:
            day = next((d for d in moment.values if year and d.startswith(year)), moment.values[0])
            return replace(moment, values=(day,))

        return [one_day(m) if m.kind == "date" else m for m in found]

    def _year(self, match: re.Match[str]) -> list[Moment]:
        start, end, second = match.start(), match.end(), match["second"]
        short = match["short"] or match["quoted"]
        year = int(match["year"]) if match["year"] else 2000 + int(short)
        if not 2000 <= year <= 2050 or (match["year"] and self._is_number(match)):
            return []
        if not second:
            return [self._season(start, end, year)]
        last = int(second) % 100 + 2000
        label = f"{year}/{second}"
        if len(self.years) == 1 and self.years[0] in (year, last):
            return [self._season(start, end, self.years[0])]
        if match["sign"] == "/" or (last == year + 1 and label in ("2007/08", "2009/10", "2020/21")):
            return [self._season(start, end, season_year(label))]
        if len(self.years) == 1:
            return [self._season(start, end, year)]
        at = match.start("second")  # a range of years
        return [self._season(start, match.end("year"), year), self._season(at, end, last)]

    def _is_number(self, match: re.Match[str]) -> bool:
        """Whether the year is a count: "score 2016 runs"; any before "runs" that is no loaded season's own."""
        end = match.end("second") if match["second"] else match.end("year")
        after = match.string[end:]
        if not match["league"] and re.match(rf"{OR_MORE}{COUNTED_WORDS}", after, re.I):
            return True
        if match["league"] or not re.match(COUNTED_WORDS, after, re.I):
            return False
        before = match.string[: match.start()].lower().split()
        is_season = int(match["year"]) in self.years
        return not is_season or bool(before and before[-1] in NUMBER_BEFORE)

    def _several(self, match: re.Match[str]) -> Moment:
        count = int(match["count"]) if match["count"].isdigit() else NUMBERS.index(match["count"].lower()) + 1
        first = self.first_season or self.years[0]
        years = range(first, first + count) if match["which"].lower() == "first" else self.years[-count:]
        return self._season(match.start(), match.end(), *years)

    def _edition(self, match: re.Match[str]) -> list[Moment]:
        groups = match.groupdict()
        if groups.get("number"):
            number = int(groups["number"])
        else:
            before = match.string[: match.start()].lower().split()
            after = re.match(r"\s*(\w+)", match.string[match.end() :])
            if before and not groups["the"] and before[-1] not in EDITION_BEFORE:
                return []
            if after and after[1].lower() in NOT_EDITION_AFTER:
                return []
            word = groups["ordinal"].lower()
            digits = re.match(r"\d+", word)
            number = int(digits[0]) if digits else ORDINALS.index(word) + 1 if word in ORDINALS else 1
        return [self._season(match.start(), match.end(), self.first_season + number - 1)]

    def _other(self, match: re.Match[str]) -> Moment:
        later = match["which"].lower() in ("next", "coming", "upcoming", "following")
        return self._season(match.start(), match.end(), self.years[-1] + (1 if later else -1))

    def _without_default(self, text: str, found: list[Moment]) -> list[Moment]:
        """The moments with those that only name the default season as `own`, together with the words before them."""
        default = (str(self.years[-1]),)
        seasons = [m for m in found if m.kind == "season"]
        several = len(self.years) > 1
        if several and any(m.values != default or self._bounds_span(text, m) for m in seasons):
            return found

        def own(moment: Moment) -> Moment:
            lead = None if OWN.fullmatch(text, moment.start, moment.end) else LEAD.search(text, 0, moment.start)
            return Moment(lead.start() if lead else moment.start, moment.end, "own")

        return [own(m) if m.kind == "season" and m.values == default else m for m in found]

    @staticmethod
    def _bounds_span(text: str, moment: Moment) -> bool:
        return bool(SPAN_BEFORE.search(text, 0, moment.start) or SPAN_AFTER.match(text, moment.end))


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return datetime.date(year, month, day).isoformat()
    except ValueError:
        return None
