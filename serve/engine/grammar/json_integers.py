"""Integers between two bounds, as GBNF.

integers(0, 99)      # "[0-9] | [1-9] [0-9]"
"""

from __future__ import annotations

MAX_DIGITS = 16  # of an integer without a bound, as in llama.cpp's own rule


def integers(low: int | None, high: int | None) -> str:
    """GBNF alternatives for the integers from `low` to `high`, both included; None: without bound."""
    options: list[str] = []
    if low is None or low < 0:
        nearest = 1 if high is None or high >= 0 else -high
        options += [f'"-" {option}' for option in _natural(nearest, None if low is None else -low)]
    if high is None or high >= 0:
        options += _natural(max(0, low or 0), high)
    return " | ".join(options)


def _natural(low: int, high: int | None) -> list[str]:
    """Alternatives for the integers from `low` to `high`, of which none is negative."""
    if high is None:
        digits = len(str(low))
        options = _natural(low, 10**digits - 1)
        if digits < MAX_DIGITS:
            options.append(f"[1-9] [0-9]{{{digits},{MAX_DIGITS - 1}}}")
        return options
    options = []
    for digits in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (digits - 1) if digits > 1 else 0)
        options += _same_length(str(first), str(min(high, 10**digits - 1)))
    return options


def _same_length(low: str, high: str) -> list[str]:
    """Alternatives for the numbers from `low` to `high`, which have equally many digits."""
    if not low:
        return [""]
    rest = len(low) - 1
    if low[1:] == "0" * rest and high[1:] == "9" * rest:
        return [" ".join([_digit(low[0], high[0]), *(["[0-9]"] * rest)])]
    if low[0] == high[0]:
        return [f'"{low[0]}" {option}'.strip() for option in _same_length(low[1:], high[1:])]
    options = [f'"{low[0]}" {option}' for option in _same_length(low[1:], "9" * rest)]
    if int(high[0]) - int(low[0]) > 1:
        middle = _digit(str(int(low[0]) + 1), str(int(high[0]) - 1))
        options.append(" ".join([middle, *(["[0-9]"] * rest)]))
    return options + [f'"{high[0]}" {option}' for option in _same_length("0" * rest, high[1:])]


def _digit(low: str, high: str) -> str:
    return f'"{low}"' if low == high else f"[{low}-{high}]"
