"""What to write instead of a part of a query line that is not understood: sentences for its errors.

    nearest("batsman", DIMENSIONS, "dimension")        "did you mean batter?"

Knows nothing about parsing; every hint is made from the words of the language.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from data.query.language import DIMENSIONS, ENUMS, FILTERS, MEASURES, RANKS

CLAUSES = ("each", "having", "reach", "place", *RANKS, "unsupported")

# Words that people write for one of the language that is not spelt like it.
_OTHERWISE = {
    "batsman": "batter", "batsmen": "batter", "batters": "batter", "striker": "batter", "bowlers": "bowler",
    "players": "player", "keeper": "fielder", "teams": "team", "side": "team", "club": "team", "franchise": "team",
    "ground": "venue", "stadium": "venue", "year": "season", "overs": "over", "game": "match", "games": "match",
    "centuries": "hundreds", "tons": "hundreds", "100s": "hundreds", "50s": "fifties", "half_centuries": "fifties",
    "boundary": "boundaries", "4s": "fours", "6s": "sixes", "wkts": "wickets", "sr": "strike_rate", "avg": "average",
    "econ": "economy", "nrr": "net_run_rate", "rank": "position", "standings": "points", "stats": "record",
    "against": "opponent", "vs": "opponent",
}  # fmt: skip
_RANK_WORDS = {"limit": "top", "most": "top", "best": "top", "highest": "top", "least": "bottom", "lowest": "bottom",
               "fewest": "bottom", "order": "top", "sort": "top", "sorted": "top", "earliest": "first",
               "latest": "last"}  # fmt: skip


def nearest(name: str, table: Iterable[str], what: str) -> str:
    """What to write instead of a word that is not in the table of measures, dimensions or filters."""
    kinds = (("dimension", DIMENSIONS, f"runs by {name}"), ("filter", FILTERS, f"runs | {name}=..."),
             ("measure", MEASURES, f"{name} by team"))  # fmt: skip
    for kind, words, example in kinds:
        if kind != what and name in words:
            return f"{name} is a {kind}, written as `{example}`"
    there = list(table)
    if (meant := _OTHERWISE.get(name.lower())) in there:
        return f"did you mean {meant}?"
    if not name:
        return "a part of the line is empty, leave it out"
    if len(name.split()) > 1 and (hint := _of_several_words(name, what)):
        return hint
    near = difflib.get_close_matches(name, there, 3, 0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"`python -m data language` lists every {what}"


def _of_several_words(text: str, what: str) -> str:
    """Where marks are missing between words that are known: "runs by batter top 3", "runs batter", "most runs"."""
    words = text.split()
    first, rest = words[0], " ".join(words[1:])
    if what == "dimension" and first in DIMENSIONS:
        return f"write `|` before what follows: `by {first} | {rest}`"
    if what != "measure":
        return ""
    if first in MEASURES and words[1] in DIMENSIONS:
        return f"did you mean `{first} by {rest}`?"
    if first in MEASURES:
        return f"write `|` before what follows the figures: `{first} | {rest}`"
    if words[-1] in MEASURES and (rank := _RANK_WORDS.get(first.lower())):
        return f"the line is the figure, and the rank comes last: `{words[-1]} by batter | {rank} 1`"
    known = next((word for word in words if word in MEASURES), "runs")
    return (
        f"a line begins with a figure, such as `{known} | batter=Kohli` or `{known} by team`; "
        "questions in plain English are for `cricket ask`"
    )


def of_clause(wrong: str) -> str:
    """What to write instead of a clause, or the rest of one, that is no filter."""
    word = wrong.split()[0] if wrong.split() else ""
    if re.match(r"[a-z_]+\s*(?:!=|>=|<=|=|>|<)\s+\S|[a-z_]+\s+(?:!=|>=|<=|=|>|<)", wrong):
        return ", without spaces: " + re.sub(r"\s*(!=|>=|<=|=|>|<)\s*", r"\1", wrong)
    if m := re.fullmatch(r"([a-z_]+)(?:!=|>=|<=|=|>|<)", wrong):
        return f", such as {m[1]}={_value_of(m[1])}" if m[1] in FILTERS else ""
    if wrong == ",":
        return ", and no comma after the last value"
    for key, values in ENUMS.items():
        if wrong in values:
            return f", and did you mean {key}={wrong}?"
    if word in CLAUSES and word != wrong:
        return f", such as phase=death, and `|` before {word}: `| {wrong}`"
    near = difflib.get_close_matches(word, CLAUSES, 1, 0.75)
    meant = near[0] if near else _RANK_WORDS.get(word)
    return f", such as phase=death, or did you mean `{meant} ...`?" if meant else f", such as phase=death; {_OTHERS}"


_OTHERS = f"other clauses begin with {', '.join(CLAUSES[:-1])} or {CLAUSES[-1]}"


def of_condition(text: str, clause: str) -> str:
    """What is wrong with a condition after each or having; empty where no more is known than that."""
    if text in ("and", ",", "&"):
        return "conditions stand side by side, such as `having balls>=100 innings>=3`"
    if re.search(r"[a-z_]\s+(?:>=|<=|=|>|<)|(?:>=|<=|=|>|<)\s+\d", clause):
        return "write it without spaces: `" + re.sub(r"\s*(>=|<=|=|>|<)\s*", r"\1", clause) + "`"
    return ""


def _value_of(key: str) -> str:
    return ENUMS[key][0] if key in ENUMS else EXAMPLES.get(FILTERS[key].takes, "3")


EXAMPLES = {"P": "Bumrah", "T": "MI", "V": "Chepauk", "D": "2024-04-24", "Y": "2016"}
