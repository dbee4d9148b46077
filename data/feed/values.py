"""Values of the feed as Python's: ids are strings here and numbers there, nothing is "", flags come in five spellings.

The types are for pydantic models: Number, Id, Flag, Text, Many, Balls.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no", ""}


def whole(value: Any) -> int:
    """A count: 4, "4", "4.0"; nothing is 0. Raises ValueError for anything else."""
    if value is None or value == "" or value is False:
        return 0
    number = float(value)
    if number != int(number):
        raise ValueError(f"{value!r} is not a whole number")
    return int(number)


def identity(value: Any) -> int | None:
    """An id: 7, "7"; None for nothing, which is "", 0 or null. Raises ValueError for anything else."""
    return None if value is None or isinstance(value, (list, dict)) else whole(value) or None


def flag(value: Any) -> bool:
    """True, "true", 1, "1" are true; False, "false", 0, "" and null are false. Raises ValueError for anything else."""
    text = "" if value is None else str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return text in _TRUE


def text(value: Any) -> str:
    """Text without blanks around it; "" for null and for an empty list, as which the feed writes nothing too."""
    return "" if value is None or isinstance(value, (list, dict)) else str(value).strip()


def many(value: Any) -> Any:
    """A list; the feed writes an empty one as "" and some as an object whose values are meant."""
    if value is None or value == "":
        return []
    return list(value.values()) if isinstance(value, dict) else value


def one(value: Any) -> Any:
    """An object; the feed writes none as "" or []."""
    return value or {}


def balls(value: Any) -> int:
    """Legal balls of overs in base six: "17.4" are 106. Raises ValueError where there is no such number of overs."""
    overs, _, rest = text(value).partition(".")
    odd = int(rest or 0)
    if odd > 6:
        raise ValueError(f"{value!r} is no number of overs: an over has six balls")
    return int(overs or 0) * 6 + odd


Number = Annotated[int, BeforeValidator(whole)]
Id = Annotated[int | None, BeforeValidator(identity)]
Flag = Annotated[bool, BeforeValidator(flag)]
Text = Annotated[str, BeforeValidator(text)]
Balls = Annotated[int, BeforeValidator(balls)]
Many = BeforeValidator(many)
One = BeforeValidator(one)
