"""The GBNF (llama.cpp's grammar format) of query lines, with only the placeholders that a question has.

print(gbnf(["P1", "T1"]))

It admits what can be computed as far as that is cheap to say: events take no dimensions, a streak has its conditions,
only counts have ratios. What a single measure cannot be split or filtered by is left to the engine.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from data.query.language import DECLINES, DIMENSIONS, ENUMS, FILTERS, MEASURES, OPERATORS, RANKS, FilterKey

UNSUPPORTED = 48  # characters of a condition that the language does not have

# the parts of a query in their order; each part is left out where the question has no such thing
_RULES = (
    'root ::= "decline " reason | query (" ; " query)? (" ; " query)?',
    "query ::= (figures | numbered | streak | event) unsupported? unsupported?",
    'figures ::= figure (", " figure)* by? filters? each? having? (reached | place | ranked)?',
    'numbered ::= "count by " dim (", " dim)? filters? each? having?',
    'streak ::= streaks by? filters? each (" | having " long (" " long)*)? ranked?',
    'streaks ::= "streak" (", current_streak")? | "current_streak"',
    'long ::= ("streak" | "current_streak") op number',
    'event ::= happening filters? (" | " order " " nth? [1-9] [0-9]? [0-9]? [0-9]? [0-9]?)?',
    'figure ::= counted ("/" counted | "%" (counted | "team" | "all"))? | other',
    'by ::= " by " dim (", " dim)? (", " dim)?',
    'filters ::= " | " filter (" " filter)*',
    'each ::= " | each " cond (" " cond)*',
    'having ::= " | having " cond (" " cond)*',
    'reached ::= " | reach " [1-9] [0-9]? [0-9]? [0-9]? [0-9]? (" | " order " " nth? [1-9] [0-9]? per?)?',
    'ranked ::= " | " rank " " nth? [1-9] [0-9]? per?',
    'per ::= " per " dim',
    "cond ::= (counted | numeric) op number",
    'nth ::= "nth "',
    'order ::= "first" | "last"',
    f'unsupported ::= " | unsupported \\"" [a-z0-9] [a-z0-9 \'-]{{0,{UNSUPPORTED - 1}}} "\\""',
    'number ::= [0-9] [0-9]? [0-9]? [0-9]? ("." [0-9] [0-9]?)?',
    'range ::= [1-9] [0-9]? ("-" ([1-9] [0-9]?)?)?',
    "whole ::= [1-9] [0-9]?",
    'neq ::= "!"? "="',
)


def gbnf(placeholders: Iterable[str]) -> str:
    """The grammar of a plan over `placeholders` such as P1, T2, V1, D1 and Y1. A team's also names a ground."""
    return _gbnf(tuple(sorted(placeholders)))


@lru_cache(maxsize=512)
def _gbnf(placeholders: tuple[str, ...]) -> str:
    def of(kinds: str) -> list[str]:
        return [f'"{p}"' for p in placeholders if p[0] in kinds]

    admitted = {"P": of("P"), "T": of("T"), "V": of("VT"), "D": of("D"), "Y": of("Y")}
    named = " | ".join([*admitted["P"], *admitted["V"]])
    filters = [text for key in FILTERS.values() if (text := _filter(key, admitted))]
    rules = [
        *(rule if named else rule.replace("reached | place", "reached") for rule in _RULES),
        f'place ::= " | place " ({named})' if named else "",
        f"reason ::= {_any(DECLINES)}",
        f"counted ::= {_any(m for m in MEASURES if MEASURES.counted(m))}",
        f"numeric ::= {_any(_kind('rate', 'best'))}",
        f"other ::= {_any([*_kind('rate', 'best'), *_kind('fact', 'summary')])}",
        f"happening ::= {_any(_kind('event'))}",
        f"dim ::= {_any(DIMENSIONS)}",
        f"filter ::= {' | '.join(filters)}",
        f"rank ::= {_any(RANKS)}",
        f"op ::= {_any(OPERATORS)}",
    ]
    rules += [f"{kind.lower()}s ::= {' | '.join(values)}" for kind, values in admitted.items() if values]
    return "\n".join(filter(None, rules)) + "\n"


def _filter(key: FilterKey, admitted: dict[str, list[str]]) -> str | None:
    """The rule of a filter; None where the question has no name that it could take."""
    equals = "neq" if key.negatable else '"="'
    if key.takes == "Y":
        years = '"-" ys | ys ("-" ys?)? ("," ys)* | ' if admitted["Y"] else ""
        return f'"{key.name}" {equals} ({years}"all")'
    if key.names:
        values = admitted[key.takes]
        if not values or (key.name == "between" and len(values) < 2):
            return None
        one = f"{key.takes.lower()}s"
        value = f'{one} "," {one}' if key.name == "between" else f'{one} ("," {one})*'
        return f'"{key.name}" {equals} {value}'
    if key.takes == "enum":
        one = _any(ENUMS[key.name])
        several = f' ("," ({one}))?' if len(ENUMS[key.name]) > 2 else ""  # both of two is no filter
        return f'"{key.name}" {equals} ({one}){several}'
    if key.takes == "number":
        return f'"{key.name}" op number'
    return f'"{key.name}" {equals} {key.takes}'


def _kind(*kinds: str) -> list[str]:
    return [m.name for m in MEASURES.values() if m.kind in kinds and not MEASURES.counted(m.name)]


def _any(words: Iterable[str]) -> str:
    return " | ".join(f'"{w}"' for w in words)
