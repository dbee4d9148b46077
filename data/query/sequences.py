"""The subject's own matches or innings in their order: nth_match, last_matches, nth_innings, last_innings as SQL.

Whose order it is: of a named player his own, else of a named team its own, else of each row's player, else of each
team. What the question says of matches (stage, opponent, month, batting second ...) selects the sequence before it is
counted, so that `stage=league last_matches=5` are the last five league matches. Runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from data.query.conditions import Condition, condition, number, seasons_condition, within
from data.query.language import FILTERS
from data.query.query import Filter, Query, QueryError
from data.query.sources import PLAYER_KEYS, SOURCES

# whose innings a source has: the relation of a player's, and of a team's
_INNINGS = {"bat": ("bat_innings", "team_innings"), "batter_over": ("bat_innings", "team_innings"),
            "bowl": ("bowl_innings", "concede_innings"), "over": ("bowl_innings", "concede_innings"),
            "team": (None, "team_innings"), "concede": (None, "concede_innings")}  # fmt: skip
_IN_THE_FIELD = ("bowl", "over", "concede", "field")


def sequence(
    source: str,
    f: Filter,
    query: Query,
    keys: Mapping[Filter, tuple[str, ...]],
    years: tuple[int, ...] | None,
    by_player: bool,
) -> Condition:
    """The condition that a row is among those of the subject's sequence that the filter `f` selects."""
    innings = f.key.endswith("innings")
    person = "player" if SOURCES[source].people else SOURCES[source].subject
    has_person = by_player if SOURCES[source].people else person is not None
    named = _named(query, person)
    of_team = query.filter("team") is not None and query.filter("team").op == "="  # type: ignore[union-attr]
    own = bool(named) or (has_person and not of_team)
    base, who = _base(source, f, innings, own)
    tests = [*_matches(source, base, query, keys, years)]
    if named:
        marks = ",".join("?" for f in named for _ in keys[f])
        tests.append(Condition(who, f"{who} IN ({marks})", tuple(k for f in named for k in keys[f])))
    column = str(person) if own and has_person else "team"
    kept = ["match_id", *(["innings"] if innings else []), column]
    inner = ["match_id", *(["innings"] if innings else []), who if column != "team" else "team"]
    order = "DESC" if f.key.startswith("last") else "ASC"
    place = f"row_number() OVER (PARTITION BY {who} ORDER BY ord {order}, innings {order})"
    chosen = within("n", f) if FILTERS[f.key].takes == "range" else f"n <= {number(f)}"
    where = " AND ".join(t.sql for t in tests) or "TRUE"
    sql = (
        f"({', '.join(kept)}) IN (SELECT {', '.join(inner)} FROM "
        f"(SELECT {', '.join(dict.fromkeys([*inner, who]))}, {place} AS n FROM {base} WHERE {where}) WHERE {chosen})"
    )
    return Condition("match_id", sql, tuple(p for t in tests for p in t.parameters))


def _named(query: Query, person: str | None) -> list[Filter]:
    """The filters that name the player whose figure it is."""
    keys = {"player", person} if person in ("batter", "bowler", "fielder") else set(PLAYER_KEYS)
    return [f for f in query.filters if f.op == "=" and f.key in keys]


def _base(source: str, f: Filter, innings: bool, own: bool) -> tuple[str, str]:
    """The relation that is counted through, and the column of whose it is."""
    if not innings:
        return ("player_results", "player") if own else ("results", "team")
    of_player, of_team = _INNINGS.get(source, (None, None))
    found = of_player if own else of_team
    if found is None:
        matches = {"nth_innings": "nth_match", "last_innings": "last_matches"}[f.key]
        raise QueryError(f"{f} counts innings of batters, bowlers or teams: ask for their figures, or write {matches}")
    return found, str(SOURCES[source].subject) if own else "team"


def _matches(
    source: str, base: str, query: Query, keys: Mapping[Filter, tuple[str, ...]], years: tuple[int, ...] | None
) -> list[Condition]:
    """What the question says of the matches."""
    duel = query.filter({"bat": "bowler", "bowl": "batter"}.get(source, "")) is not None
    tests = [condition("result", f, keys[f], duel=duel) for f in query.filters
             if FILTERS[f.key].looks == "match" and f.key not in ("innings", "season")]  # fmt: skip
    results = base.endswith("results")
    for f in (f for f in query.filters if f.key == "innings"):
        column = "bowl_innings" if results and source in _IN_THE_FIELD else "innings"
        tests.append(Condition(column, f"{column} IN ({','.join(f.values)})"))
    if years is not None:
        tests.append(seasons_condition(years))
    if results:
        tests.append(Condition("played", "played"))
    return tests
