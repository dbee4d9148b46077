"""Resolves the names of a query plan: the players, teams, grounds and days that the values of its filters stand for.

    for name in resolve_plan(plan, linked.by_placeholder(), names):
        if name.outcome.status == FOUND: ...            # name.outcome.candidates are keys of the season's tables
    shown = shown_names(linked.by_placeholder(), found, names)   # {"P1": "Jasprit Bumrah"}

Values are placeholders of a linked question or names that somebody typed. A name in a bowler's place is read as a
bowler's, and what else the query says narrows an ambiguous one: "Sharma" for Mumbai Indians.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from data.linking.mention import ABSENT, FOUND, KINDS, Context, Mention, Outcome
from data.linking.resolver import Names
from data.query.language import FILTERS, MEASURES
from data.query.line import Filter, Plan, Query
from data.query.table import show

Mentions = Mapping[str, Mention]  # by placeholder
Keys = Mapping[tuple[str, str], tuple[str, ...]]  # (filter, value) -> player ids, teams, grounds or ISO dates


@dataclass(frozen=True)
class ResolvedName:
    """One value of a filter that takes names. `mention` is None where the value is no placeholder of the question."""

    filter: str
    value: str
    mention: Mention | None
    outcome: Outcome


def resolve_plan(plan: Plan, mentions: Mentions, names: Names) -> Iterator[ResolvedName]:
    """Every name in the filters of the plan, in the order of the line, the one whose place is asked last."""
    for query in plan.queries:
        for f in (*query.filters, *query.place_filter()):
            if FILTERS[f.key].takes not in KINDS:
                continue
            if KINDS[FILTERS[f.key].takes] == "season":
                yield from _years(f, mentions, names)
                continue
            for value in f.values:
                mention = mentions.get(value)
                if mention is None:
                    outcome = resolve_typed(f.key, value, names)
                elif KINDS[FILTERS[f.key].takes] == "date":
                    outcome = Outcome(FOUND, mention.candidates if mention.kind == "date" else (value,))
                else:
                    outcome = names.resolve(mention, _role(f, query), _context(f, query, mentions, names))
                yield ResolvedName(f.key, value, mention, outcome)


def _years(f: Filter, mentions: Mentions, names: Names) -> Iterator[ResolvedName]:
    """The seasons that a filter names by placeholders; years that are typed are the engine's to check."""
    for part in (part for value in f.values for part in value.split("-") if part in mentions):
        mention = mentions[part]
        known = Outcome(FOUND, mention.candidates)
        outside = Outcome(ABSENT, (), f"I only have data on {names.roster.label}: {mention.text} is outside it.")
        yield ResolvedName(f.key, part, mention, known if mention.status == FOUND else outside)


def resolve_typed(filter_key: str, value: str, names: Names) -> Outcome:
    """A name that was typed into a query line: a full name, a surname, a nickname or a key of the tables."""
    match KINDS.get(FILTERS[filter_key].takes):
        case "player" if value not in names.index.players:
            return names.player(value)
        case "team":
            return names.team(value)
        case "venue":
            return names.venue(value)
    return Outcome(FOUND, (value,))


def shown_names(mentions: Mentions, keys: Keys, names: Names) -> dict[str, str]:
    """What answers call each placeholder and each typed name; `keys` are what the filters' values were resolved to."""
    shown = {placeholder: _shown(mention, names) for placeholder, mention in mentions.items()}
    for (filter_key, value), found in keys.items():
        mention = mentions.get(value)
        if mention and (mention.kind in ("date", "season") or (mention.kind == "team" and filter_key == "venue")):
            continue  # "at the home of Rajasthan Royals" names the team and not its grounds
        if mention and filter_key == "venue" and len(found) > 1:
            shown[value] = mention.text.title()  # a town with several grounds
        else:
            shown[value] = names.display(found[0])
    return shown


def _shown(mention: Mention, names: Names) -> str:
    if not mention.candidates:
        return mention.text
    key = mention.candidates[0]
    if mention.kind == "season":
        return key
    return show(date.fromisoformat(key)) if mention.kind == "date" else names.display(key)


def _role(f: Filter, query: Query) -> str:
    return "bowler" if f.key == "player" and MEASURES[query.measures[0]].source == "bowl" else f.key


def _context(f: Filter, query: Query, mentions: Mentions, names: Names) -> Context:
    """The teams, players and seasons that the query's other filters name without doubt."""
    others: dict[str, list[str]] = {"team": [], "opponent": [], "batter": [], "bowler": []}
    for other in query.filters:
        if other.key in others and other.key != f.key:
            for value in other.values:
                if value in mentions and mentions[value].status == FOUND:
                    others[other.key] += mentions[value].candidates
    found = (tuple(others[key]) for key in ("team", "opponent", "batter", "bowler"))
    return Context(*found, seasons=_seasons(query, mentions, names))


def _seasons(query: Query, mentions: Mentions, names: Names) -> tuple[int, ...]:
    """The loaded seasons that the query is about, by their year; none where it is about the default season."""
    loaded, found = names.roster.years, set()
    for value in (value for f in query.filters if f.key == "season" and f.op == "=" for value in f.values):
        parts = [mentions[part].candidates[0] if part in mentions else part for part in value.split("-")]
        if value == "all" or not all(part.replace("-", "").isdigit() for part in parts if part):
            return loaded
        low, high = parts[0][:4], parts[-1][-4:] or loaded[-1]  # a placeholder may stand for a range
        found |= {year for year in loaded if int(low) <= year <= int(high)}
    return tuple(sorted(found))
