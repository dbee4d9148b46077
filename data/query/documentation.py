"""The query line explained, in Markdown made from its definition: `python -m data language`."""

from __future__ import annotations

from data.query.language import DECLINES, DIMENSIONS, ENUMS, FILTERS, MEASURES, FilterKey

_HEAD = """# The query line

    runs by batter | top 3
    strike_rate by batter | phase=death | having balls>=60 | top 3
    runs, wickets | player="Hardik Pandya" opponent=CSK ; margin | stage=final

Measures, then `by` dimensions, then clauses between `|`: filters (`key=value`, several values with commas, names
with spaces in quotes), `having` conditions on measures, and a rank: `top`, `bottom` (highest, lowest figure),
`first`, `last` (earliest, latest match). Several queries are separated by ` ; `. `decline reason` stands for a
question without an answer."""

_SOURCES = {"bat": "batting", "bowl": "bowling", "field": "fielding", "team": "a team's innings",
            "concede": "in the field", "result": "results", "table": "league table", "stand": "partnerships",
            "award": "awards", "match": "facts of a match"}  # fmt: skip
_TAKES = {"P": "player", "T": "team", "V": "ground or city", "D": "day, 2024-04-24", "range": "7 or 16-20",
          "number": "number, with = >= <= > <"}  # fmt: skip


def text() -> str:
    """Tables of the measures, dimensions, filters and reasons to decline."""
    return "\n\n".join([
        _HEAD,
        "## Measures",
        _table(("measure", "is", "of", "shown with it"), (
            (f"`{m.name}`", m.label, _SOURCES[m.source], ", ".join(m.shows)) for m in MEASURES.values())),
        "A leaderboard of a rate keeps to those with enough of it, unless a `having` says otherwise: "
        + "; ".join(f"`{m.name}` {m.least[0]} >= {m.least[1]} ({m.least[2]} with filters)"
                    for m in MEASURES.values() if m.least) + ".",
        "## Dimensions",
        _table(("dimension", "a row of it is"), ((f"`{d}`", what) for d, what in DIMENSIONS.items())),
        "## Filters",
        _table(("filter", "takes", "means"), ((f"`{f.name}`", _takes(f), f.text) for f in FILTERS.values())),
        "## Reasons to decline",
        _table(("reason", "the question"), ((f"`{r}`", why) for r, why in DECLINES.items())),
    ])  # fmt: skip


def _takes(f: FilterKey) -> str:
    what = ", ".join(ENUMS[f.name]) if f.takes == "enum" else _TAKES[f.takes]
    return what + (" (also `!=`)" if f.negatable else "")


def _table(head: tuple[str, ...], rows) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
