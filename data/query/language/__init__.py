"""The one definition of the query line: its measures, dimensions, filters and reasons to decline.

The parser, the GBNF, the documentation (`python -m data language`), the random lines of the property tests and the SQL
all come from these tables.

    strike_rate by batter | phase=death | having balls>=60 | top 3
    runs, wickets | player=P1 team=T1 ; margin | stage=final

measure.py      what a measure is
measures.py     the measures
dimensions.py   what they can be split by
filters.py      what they can be narrowed by
"""

from __future__ import annotations

from data.query.language.dimensions import DIMENSIONS, NAMED
from data.query.language.filters import ENUMS, FILTERS, FilterKey
from data.query.language.measure import WHOLES, Measure, Parts
from data.query.language.measures import LESS_IS_BETTER, MEASURES

__all__ = [
    "DECLINES",
    "DIMENSIONS",
    "ENUMS",
    "FILTERS",
    "LESS_IS_BETTER",
    "MEASURES",
    "NAMED",
    "OPERATORS",
    "RANKS",
    "WHOLES",
    "FilterKey",
    "Measure",
    "Parts",
]

RANKS = ("top", "bottom", "first", "last")  # highest, lowest, earliest, latest
OPERATORS = (">=", "<=", "=", ">", "<")
DECLINES: dict[str, str] = {
    "prediction": "it asks about the future",
    "other_season": "it is about another season or competition",
    "not_recorded": "ball-by-ball data does not record it",
    "opinion": "it asks for an opinion rather than a figure",
    "off_topic": "it is not a question about the season's cricket",
    "chat": "it is small talk",
}
