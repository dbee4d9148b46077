"""Which names and numbers of a question its query line leaves out.

A small model sometimes drops a name or miscopies a number. This can be seen without knowing the right line, so such
plans are sampled again and the one that leaves out least is used.
"""

from __future__ import annotations

import re

from data.query import Plan
from data.text import PLACEHOLDER

_SPAN = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?(?: over)?\s*(?:-|to|and|till|through)\s*(?:the )?(\d{1,2})(?:st|nd|rd|th)?\b"
)
_TOP = re.compile(r"\b(?:top|bottom|best|first|last|leading) (\d{1,2})\b")
_LEAST = re.compile(
    r"\b(?:min|minimum|at least|atleast|more than|over|under|fewer than|less than) (\d{1,3})\b(?! overs?\b)"
)


def left_out(plan: Plan, question: str) -> list[str]:
    """The names and numbers of the plain `question` that the plan does not use; none for a plan that declines."""
    if plan.decline:
        return []
    line = str(plan)
    used = {m[0] for m in PLACEHOLDER.finditer(line)}
    missing = [name for name in dict.fromkeys(m[0] for m in PLACEHOLDER.finditer(question)) if name not in used]
    numbers = set(re.findall(r"\d+", PLACEHOLDER.sub(" ", line)))
    for low, high in _SPAN.findall(question):
        if not {low, high} <= numbers and f"{low}-{high}" not in line and not _phase(line, low, high):
            missing.append(f"{low} to {high}")
    for pattern in (_TOP, _LEAST):
        missing += [n for n in pattern.findall(question) if n not in numbers]
    return missing


def _phase(line: str, low: str, high: str) -> bool:
    """Whether the line names the phase that these overs are: 16 to 20 is the death."""
    named = {("1", "6"): "powerplay", ("7", "15"): "middle", ("16", "20"): "death"}.get((low, high))
    return named is not None and f"phase={named}" in line
