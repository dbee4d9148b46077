"""The query line explained, in Markdown made from its definition: `python -m data language`."""

from __future__ import annotations

from collections.abc import Iterable

from data.query.language import DECLINES, DIMENSIONS, ENUMS, FILTERS, MEASURES, FilterKey, Measure
from data.query.language.measures import LEAST_IN_A_MATCH
from data.query.language.summaries import SHORTHANDS, SUMMARIES

_HEAD = """# The query line

    runs by batter | top 3
    strike_rate by batter | phase=death | having balls>=60 | top 3
    runs, wickets | player="Hardik Pandya" opponent=CSK ; margin | stage=final

Measures, then `by` dimensions, then clauses between `|`. Several queries are separated by ` ; `. `decline reason`
stands for a question without an answer."""

_CLAUSES = """## Clauses

| clause | means | for example |
| --- | --- | --- |
| `key=value ...` | filters; several values with commas, names with spaces in quotes, `!=` for all but these | \
`runs by batter \\| team=MI,CSK stage!=final` |
| `each conditions` | only innings (a batter's, bowler's, team's) or matches that satisfy the conditions | \
`highest_score by batter \\| each sixes=0 \\| top 1` |
| `having conditions` | only rows of the answer that satisfy the conditions | `runs by batter \\| having balls>=100` |
| `top n`, `bottom n` | the rows with the highest, lowest figure; ties at the last place are kept | \
`runs by batter \\| top 3` |
| `first n`, `last n` | the earliest, latest rows: matches, seasons, events, streaks | `six_hit \\| first 1` |
| `top nth n` | only the n-th row of such an order | `runs by batter \\| top nth 2` |
| `top n per dimension` | the rows with the highest figure of each season, team ...; `bottom`, `first`, `last` and \
`nth` take it, too | `runs by batter \\| top 1 per team` |
| `place name` | the place of one row in the ranking of all, and of how many | `sixes by batter \\| place Kohli` |
| `reach n` | who counts up to n, earliest first: after how many innings, in which match, with which ball | \
`wickets by bowler \\| reach 10 \\| first 1` |
| `unsupported "words"` | a condition of the question that the language does not have: the question is declined by its \
name, and the line without it is suggested | `wickets by bowler \\| top 1 \\| unsupported "uncapped"` |

## Ratios

`a/b` and `a%b` (in per cent) of two counts are measures, too, computed row by row: `sixes/matches by batter`,
`total/wickets_lost`, `boundary_runs%runs | batter=Narine`. `a%team` is the share of the team's, `a%all` that of
everybody's: the same line without the person (or team) is the whole, of runs with extras, of wickets with run-outs.
Rows that are no persons or teams are parts of one whole: `sixes%all by phase`. Two measures of results compare sides:
`wins%matches | total>=200` is of all totals of 200, of which a match may have two.

## Streaks

`streak` is the longest row of consecutive innings or matches that satisfy `each`, `current_streak` the one at the end:
`streak by batter | each runs>=50 | top 1`, `streak | team=RCB | each losses=1`. The innings are a batter's or
bowler's, the matches a player's or team's; other filters select them first (`innings=2`: consecutive chases). With
`first` or `last` every streak is a row.

## Conditions on single innings and matches

A condition in `each` that is a measure of the same kind as those asked for is about the row's own innings (and, with
filters on balls, the part of it that passes). Another one is about the same match: of the same player
(`wickets by bowler | each runs>=30`), of a player who is named (`wins | batter=Kohli | each runs>=50`), or of the side
(`runs by batter | each wins=1`).

## Seasons

Without `season=` and without `by season` the latest season that is loaded is meant, or that of a day which is named.
`season=2016`, `season=2018-`, `season=2015-2020`, `season=2016,2024`, `season=all`. Over several seasons a leaderboard
takes the minimum of one season for each of them, at most five times."""

_SOURCES = {"bat": "batting", "bowl": "bowling", "field": "fielding", "team": "a team's innings",
            "concede": "in the field", "result": "results", "no_result": "results", "table": "league table",
            "stand": "partnerships", "award": "awards", "match": "facts of a match", "person": "facts of a player",
            "lineup": "who played", "over": "overs", "batter_over": "overs of a batter", "run": "balls in a row",
            "sequence": "innings in a row", "number": "rows"}  # fmt: skip
_TAKES = {"P": "player", "T": "team", "V": "ground or city", "D": "day, 2024-04-24", "Y": "years or `all`",
          "range": "7, 16-20 or 8-", "whole": "whole number", "number": "number, with = >= <= > <"}  # fmt: skip
_LOOKS = {"match": "matches", "sequence": "the subject's own matches and innings", "ball": "balls and overs",
          "person": "players and innings"}  # fmt: skip


def text() -> str:
    """Tables of the measures, dimensions, filters, clauses and reasons to decline."""
    figures = [m for m in MEASURES.values() if m.kind not in ("event", "summary")]
    return "\n\n".join([
        _HEAD,
        "## Measures",
        _table(("measure", "is", "of", "shown with it"), map(_measure, figures)),
        "A leaderboard of a rate keeps to those with enough of it, unless a `having` says otherwise: "
        + "; ".join(f"`{m.name}` {m.least[0]} >= {m.least[1]} ({m.least[2]} with filters)"
                    for m in MEASURES.values() if m.least)
        + f". Of single innings and spells: {', '.join(f'`{m}` >= {n}' for m, n in LEAST_IN_A_MATCH.items())}.",
        "Rows of `over_...` without dimensions are single overs, as one bowler's; `..._streak` counts rows of two and "
        "more balls; `lowest_total` leaves out matches cut short; `count by batter` is how many rows there are.",
        "Events are listed in order of play, with who batted and bowled, and the ball (0.1 to 19.6): "
        + ", ".join(f"`{m.name}`" for m in MEASURES.values() if m.kind == "event") + ".",
        _CLAUSES,
        "## Summaries and shorthands",
        _table(("word", "stands for"), _summaries()),
        "## Dimensions",
        _table(("dimension", "a row of it is"), ((f"`{d}`", what) for d, what in DIMENSIONS.items())),
        "## Filters",
        *(f"Of {what}:\n\n" + _table(("filter", "takes", "means"), (
            (f"`{f.name}`", _takes(f), f.text) for f in FILTERS.values() if f.looks == looks))
          for looks, what in _LOOKS.items()),
        "## Reasons to decline",
        _table(("reason", "the question"), ((f"`{r}`", why) for r, why in DECLINES.items())),
    ])  # fmt: skip


def _measure(m: Measure) -> tuple[str, ...]:
    return (f"`{m.name}`", m.label, _SOURCES[m.source], ", ".join(m.shows))


def _summaries() -> list[tuple[str, str]]:
    of = {name: ", ".join(f"`{m}`" for m in measures) for name, measures in SUMMARIES.items()}
    records = [
        ("`record`, of a batter", of["batting"]), ("`record`, of a bowler", of["bowling"]),
        ("`record`, of an all-rounder", of["all_round"]), ("`record`, of a team in a season", of["season"]),
        ("`record`, of a team else", of["matches"]),
    ]  # fmt: skip
    fixed = [(f"`{name}`", of[name]) for name in ("batting", "bowling", "fielding")]
    short = [(f"`{name}`", f"`{shorthand}`".replace("|", "\\|")) for name, shorthand in SHORTHANDS.items()]
    return [*records, *fixed, *short]


def _takes(f: FilterKey) -> str:
    what = ", ".join(ENUMS[f.name]) if f.takes == "enum" else _TAKES[f.takes]
    return what + (" (also `!=`)" if f.negatable else "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
