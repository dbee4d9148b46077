"""The GBNF (llama.cpp's grammar format) of query lines, with only the placeholders that a question has.

print(gbnf(["P1", "T1"]))
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from data.query.language import DECLINES, DIMENSIONS, ENUMS, FILTERS, MEASURES, OPERATORS, RANKS


def gbnf(placeholders: Iterable[str]) -> str:
    """The grammar of a plan over `placeholders` such as P1, T2, V1, D1. A team's placeholder also names a ground."""
    return _gbnf(tuple(sorted(placeholders)))


@lru_cache(maxsize=512)
def _gbnf(placeholders: tuple[str, ...]) -> str:
    def having(kinds: str) -> list[str]:
        return [f'"{p}"' for p in placeholders if p[0] in kinds]

    admitted = {"P": having("P"), "T": having("T"), "V": having("VT"), "D": having("D")}
    filters = []
    for key in FILTERS.values():
        if key.takes in admitted:
            values = admitted[key.takes]
            if not values or (key.name == "between" and len(values) < 2):
                continue
            one = f"{key.takes.lower()}s"
            value = f'{one} "," {one}' if key.name == "between" else f'{one} ("," {one})*'
            filters.append(f'"{key.name}" {"neq" if key.negatable else _EQ} {value}')
        elif key.takes == "enum":
            one = _any(ENUMS[key.name])
            several = f' ("," ({one}))?' if len(ENUMS[key.name]) > 2 else ""  # both of two is no filter
            filters.append(f'"{key.name}=" ({one}){several}')
        elif key.takes == "range":
            filters.append(f'"{key.name}=" range')
        else:
            filters.append(f'"{key.name}" op number')
    rules = [
        'root ::= "decline " reason | query (" ; " query)?',
        f"reason ::= {_any(DECLINES)}",
        'query ::= measure (", " measure)* (" by " dim (", " dim)? (", " dim)?)? (" | " filter (" " filter)*)? '
        '(" | having " cond (" " cond)*)? (" | " rank)?',
        f"measure ::= {_any(MEASURES)}",
        f"dim ::= {_any(DIMENSIONS)}",
        f"filter ::= {' | '.join(filters)}",
        "cond ::= measure op number",
        f'rank ::= ({_any(RANKS)}) " " [1-9] [0-9]?',
        f"op ::= {_any(OPERATORS)}",
        'number ::= [0-9] [0-9]? [0-9]? [0-9]? ("." [0-9] [0-9]?)?',
        'range ::= [1-9] [0-9]? ("-" [1-9] [0-9]?)?',
        'neq ::= "!"? "="',
    ]
    rules += [f"{kind.lower()}s ::= {' | '.join(values)}" for kind, values in admitted.items() if values]
    return "\n".join(rules) + "\n"


_EQ = '"="'


def _any(words: Iterable[str]) -> str:
    return " | ".join(f'"{w}"' for w in words)
