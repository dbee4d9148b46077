"""Sentences about computed tables: the plain one, which needs no model, and every alternative wording of it.

A sentence refers to cells (A1, B1 ...) and to the question's placeholders (P1, T1 ...); `data.wording.sheet.fill` puts
the values in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from data.query.engine import StatTable
from data.query.language import MEASURES
from data.query.line import Query
from data.query.table import Column
from data.text import with_article
from data.wording.backing import follows, in_brackets, made_of
from data.wording.circumstances import COUNTED, circumstances, stated_phrases, who
from data.wording.events import in_time, of_events, of_overs
from data.wording.figures import DID, PLAIN_ROWS, Cells, Pick, Told, figure, kind_of, listing, nth, parts_of
from data.wording.people import of_lineups, of_number, of_people
from data.wording.rankings import (
    PERSONS,
    comparison,
    is_comparison,
    is_leader,
    is_order,
    is_subject_listed,
    leader,
    of_each,
    order,
    superlative,
)
from data.wording.rows import before_row, listed_row, names, places
from data.wording.shares import of_place, of_ratio, share_of_row
from data.wording.sheet import REFERENCE, Sheet, is_shown
from data.wording.streaks import of_reached, of_streaks, streak_unit

MOST_IN_A_SENTENCE = 4  # figures of different kinds
MAX_WORDINGS = 64  # alternatives for one table


def sentence(tables: Sequence[StatTable], layout: Sheet, rng: random.Random | None = None) -> str:
    """A sentence over the cells that states everything asked: the plain one, or with `rng` a random wording."""
    pick = rng.choice if rng else (lambda options: options[0])
    return _capitalised(" ".join(_one(part, layout, pick) for part in _parts(tables, layout)))


def wordings(tables: Sequence[StatTable], layout: Sheet) -> list[list[str]]:
    """For each table its alternative wordings, the plain one first; one of each, joined, makes a sentence."""
    first, *others = ([*_all_of(lambda pick, part=part: _one(part, layout, pick))] for part in _parts(tables, layout))
    return [[_capitalised(text) for text in first], *others]


def _all_of(say: Callable[[Pick], str]) -> dict[str, None]:
    """What `say` returns for every combination of its choices, in order, at most MAX_WORDINGS."""
    found: dict[str, None] = {}
    path: list[tuple[int, int]] = []  # for each choice: index of the option taken, number of options
    while len(found) < MAX_WORDINGS:
        made = 0

        def pick(options: Sequence[str]) -> str:
            nonlocal made
            if made == len(path):
                path.append((0, len(options)))
            made += 1
            return options[path[made - 1][0]]

        found[say(pick)] = None
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            break
        taken, options = path.pop()
        path.append((taken + 1, options))
    return found


def _capitalised(text: str) -> str:
    """The text with a capital letter, unless a reference opens it."""
    return text[0].upper() + text[1:] if not REFERENCE.match(text) else text


Part = tuple[StatTable, list[Column], Sequence[str], int]


def _parts(tables: Sequence[StatTable], layout: Sheet) -> list[Part]:
    """For each table the first arguments of `_one`: the table, its shown columns, their letters, its row count."""
    return [
        (table, [c for c in table.columns if is_shown(c.role, c.name, table)], letters, rows)
        for table, letters, rows in zip(tables, layout.letters, layout.rows, strict=True)
    ]


def _one(part: Part, layout: Sheet, pick: Pick) -> str:
    """The sentence about one table."""
    table, columns, letters, rows = part
    query = table.query
    about = circumstances(query)
    if not rows:
        return _nothing(table, about, pick)
    by = [(c, x) for c, x in zip(columns, letters, strict=True) if c.role == "dimension"]
    asked = [(c, x) for c, x in zip(columns, letters, strict=True) if c.role == "asked"]
    redundant = {"innings", "innings_played", "innings_bowled"} if not by and not who(query) else set()
    if not _PEOPLE & {*query.by, *(f.key for f in query.filters if f.op == "=")}:
        redundant |= {"innings", "innings_bowled"}  # would count the innings of a team's players, not of the team
    if MEASURES[query.measures[0]].kind in ("event", "streak") or query.reach is not None:
        redundant = set()
    source = MEASURES[query.measures[0]].source
    if any(before_row(dimension, source) for dimension in _PEOPLE & set(query.by)):
        redundant |= {"innings", "innings_bowled"}  # would count those of the other side
    ratio = parts_of(asked[0][0])
    if ratio:
        redundant -= set(ratio.counted)
    shown = [(c, x) for c, x in zip(columns, letters, strict=True) if c.role == "shown" and c.name not in redundant]
    at = [(c, x) for c, x in zip(columns, letters, strict=True) if c.role == "at"]
    told = Told(table, by, asked, shown, at, rows, about, who(query), pick)
    if of_kind := _layout_of(told):
        return of_kind(told)
    if MEASURES[query.measures[0]].kind == "fact":
        return _facts(told, layout)
    if not by:
        return _single(told)
    return _table(told, layout)


def _layout_of(told: Told) -> Callable[[Told], str] | None:
    """The layout of what is no figure by dimension; None for such a table."""
    query, measure = told.query, MEASURES[told.query.measures[0]]
    if query.place is not None:
        return of_place
    if query.reach is not None:
        return of_reached
    if measure.source in ("over", "batter_over") and {"match", "innings", "over"} <= set(query.by):
        return of_overs if all(MEASURES[m].source == measure.source for m in query.measures) and (
            all(MEASURES[m].kind == "best" for m in query.measures)) else None  # fmt: skip
    if parts_of(told.asked[0][0]) and len(told.asked) == 1 and not told.by:
        return of_ratio
    of_kind = {"event": of_events, "streak": of_streaks, "number": of_number}
    of_source = {"person": of_people, "lineup": of_lineups}
    return of_kind.get(measure.kind) or of_source.get(measure.source)


def _table(told: Told, layout: Sheet) -> str:
    """Figures by dimension: "Virat Kohli scored the most runs (741), ahead of Ruturaj Gaikwad (583)"."""
    if is_leader(told) and not _is_share(told):
        return leader(told)
    if is_order(told):
        return order(told, _sums(layout))
    if is_comparison(told):
        return comparison(told, _sums(layout))
    if told.rows == 1:
        return _only_row(told)
    query, by, asked, at, about = told.query, told.by, told.asked, told.at, told.about
    if told.name and (query.rank or not is_subject_listed(told)):
        about = f" {'of' if is_subject_listed(told) else 'for'} {told.name}{about}"
    source = MEASURES[query.measures[0]].source
    listed = told.listed(lambda r: listed_row(
        by, r, ", ".join(_brief(c, f"{x}{r}", asked) + _places(asked, at, r).get(c.name, "") for c, x in asked), source
    ) + ("" if len(asked) > 1 else "".join(f" ({x}{r})" for _, x in at)), told.most_rows)  # fmt: skip
    labels = " and ".join(dict.fromkeys(c.label for c, _ in asked))
    groups = of_each(told)
    if query.rank and query.rank.nth:
        which = superlative(told) if query.rank.kind in ("top", "bottom") else f"{in_time(query)}{labels}"
        opening = f"{which}{groups}{about}{'' if groups else ', shared'}: "
    elif query.rank and query.rank.kind in ("top", "bottom") and (len(asked) == 1 or groups):
        opening = f"{superlative(told)}{groups}{about}: "
    else:
        opening = f"{labels}{about}: "
    return f"{opening}{listed}{_sums(layout)}{told.qualification}."


def _is_share(told: Told) -> bool:
    ratio = parts_of(told.asked[0][0])
    return bool(ratio and ratio.of_whole and len(told.asked) == 1)


def _only_row(told: Told) -> str:
    """The only row of a table, which is no leader: "P1 conceded C1 runs against T1 in over 20: A1, B1 (D1 balls)"."""
    query, by, asked, about = told.query, told.by, told.asked, told.about
    source = MEASURES[query.measures[0]].source
    places_of = _places(asked, told.at, 1)
    where = ("" if places_of else "".join(f", {x}1" for _, x in told.at)) or places(by, 1)
    name = names(by, 1, source)
    (column, letter), *more = asked
    if _is_share(told):
        share = f"{share_of_row(told, 1)}{where}{told.qualification}"
        most = {"top": "highest share", "bottom": "lowest share"}.get(query.rank.kind) if query.rank else None
        return f"{most}{about}: {name}, {share}." if most else f"{_lead(query)}{name}{about}: {share}."
    ranked = query.rank is not None or bool(query.each) or bool(query.having)
    if column.name in DID and not more and not ranked and len(by) == 1 and before_row(by[0][0].name, source) == "":
        verb, noun = DID[column.name]
        if by[0][0].name in (*PERSONS, "team"):
            return (
                f"{name} {verb} {letter}1 {noun}{follows(told.shown, about, column.name)}{where}{told.qualification}."
            )
    if told.name and not is_subject_listed(told):
        about = f" for {told.name}{about}"
    figures = ", ".join(figure(c, f"{x}1") + places_of.get(c.name, "") for c, x in asked)
    qualifies = in_brackets(told.shown)
    if query.each and query.measures in COUNTED:
        return f"{_lead(query)}{name}: {figures}{about}{where}{qualifies}{told.qualification}."
    return f"{_lead(query)}{name}{about}: {figures}{where}{qualifies}{told.qualification}."


def _sums(layout: Sheet) -> str:
    """The difference of two rows, or the total of all."""
    tail = "".join(f"; a difference of Z{k}" for k in range(1, 9) if f"Z{k}" in layout.values)
    return tail + "".join(f"; S{k} in all" for k in range(1, 9) if f"S{k}" in layout.values)


_PEOPLE = {"batter", "bowler", "player"}


def _places(asked: Cells, at: Cells, row: int) -> dict[str, str]:
    """For each of several best figures, by measure: in brackets the match in which it was made."""
    return {c.name.removeprefix("at_"): f" ({x}{row})" for c, x in at} if len(asked) > 1 else {}


def _single(told: Told) -> str:
    """About one row without dimensions: "P1 scored A1 runs off B1 balls in C1 innings"."""
    asked, shown, at, about, name = told.asked, told.shown, told.at, told.about, told.name
    places_of = _places(asked, at, 1)
    where = "" if places_of else "".join(f", {x}1" for _, x in at)
    (column, letter), *more = asked
    cell = f"{letter}1"
    if not more and column.name not in DID and (column.decimals or kind_of(column) == "best"):
        made = f": {made_of(shown)}" if shown and not where else in_brackets(shown)
        owner = f"{name}'s" if name else "the" if about or not column.decimals else "the overall"
        options = [f"{owner} {column.label}{about} {_was(column)} {cell}"]
        if _goes_first(told):
            options.append(f"{about.strip()}, {owner} {column.label} {_was(column)} {cell}")
        if column.name in _BEST_OF:
            options = [f"{owner} {_BEST_OF[column.name].format(about, cell)}"]
        if name and column.name in _RATED:
            options.insert(0, f"{name} {_RATED[column.name]} {cell}{about}")
        return f"{told.pick(options)}{where}{made}."
    if not name:
        joined = listing(figure(c, f"{x}1") + places_of.get(c.name, "") for c, x in asked)
        if where or not all(kind_of(c) == "count" for c, _ in asked):
            return f"{joined}{about}{where}{in_brackets(shown)}."
        return f"there were {joined}{follows(shown, about, column.name) if not more else about + in_brackets(shown)}."
    played = told.cell("matches")
    if {c.name for c, _ in asked} <= {"wins", "losses"} and told.value("matches") and not told.query.each:
        results = listing(f"{DID[c.name][0]} {x}1" for c, x in asked)
        first = [f"{about.strip()}, {name} {results} of {played} matches."] if _goes_first(told) else []
        return told.pick([f"{name} {results} of {played} matches{about}.", *first])
    if len(asked) > MOST_IN_A_SENTENCE and not {c.name for c, _ in asked} <= DID.keys():
        return f"{name}{about}: {listing(figure(c, f'{x}1') + places_of.get(c.name, '') for c, x in asked)}{where}."
    did, rates = [], []
    for place, (c, x) in enumerate(asked):
        if c.name == "balls" and place and asked[place - 1][0].name == "runs":
            did[-1] += f" off {x}1 balls"
        elif kind_of(c) == "count" and c.name not in DID:
            did.append(f"had {x}1 {c.label}")
        elif c.name in DID:
            did.append(f"{DID[c.name][0]} {x}1 {DID[c.name][1]}")
        else:
            rates.append(f"{_called(c)} of {x}1{places_of.get(c.name, '')}")
    with_ = " at " if all(kind_of(c) == "rate" or c.name in DID for c, _ in asked) else " with "
    told_rates = f"{with_ if did else ' had '}{listing(rates)}" if rates else ""
    alone = not (where or more)
    end = follows(shown, about, column.name) if alone else f"{about}{where}{in_brackets(shown)}"
    done = f"{name}{' ' if did else ''}{listing(did or [''])}{told_rates}"
    after = follows(shown, "", column.name) if alone else f"{where}{in_brackets(shown)}"
    first = [f"{about.strip()}, {done}{after}."] if _goes_first(told) else []
    return told.pick([f"{done}{end}.", *first])


def _goes_first(told: Told) -> bool:
    """Whether the conditions can open the sentence: "in overs 16-20, ...", but not "(bowled), ..."."""
    return bool(told.about) and not told.about.startswith(" (") and not told.query.each


# what the best of several is called, where it is no figure by its label
_BEST_OF = {"balls_to_fifty": "fastest fifty{} took {} balls", "balls_to_hundred": "fastest hundred{} took {} balls",
            "margin_runs": "biggest win by runs{} was by {}", "margin_wickets": "biggest win by wickets{} was by {}",
            "balls_left": "biggest win by balls to spare{} was with {} left"}  # fmt: skip
_RATED = {"strike_rate": "scored at a strike rate of", "average": "averaged", "win_percent": "had a win percentage of"}


def _was(column: Column) -> str:
    return "were" if column.label.split()[0].endswith("s") or column.label == "best figures" else "was"


def _called(column: Column) -> str:
    """A rate with its article: "a strike rate", "an economy rate", "best figures"."""
    if _was(column) == "were":
        return column.label
    # "a run" is how conditions on single runs are worded
    return f"the {column.label}" if column.label == "run rate" else with_article(column.label)


_FACTS = {"player_of_match": "{} was player of the match", "date": "played on {}"}


def _facts(told: Told, layout: Sheet) -> str:
    """Facts of matches: "T1 v T2, 26 May 2024: T1 won by 8 wickets"."""
    query, by, asked, rows, pick = told.query, told.by, told.asked, told.rows, told.pick
    lines = []
    for r in range(1, min(rows, PLAIN_ROWS) + 1):
        match = f"{'IPL ' if by[0][0].name == 'season' else ''}{by[0][1]}{r}"
        when = "".join(f", {x}{r}" for c, x in by[1:])
        facts = {c.name: f"{x}{r}" for c, x in asked}
        said = []
        if "winner" in facts and "margin" in facts:
            said.append(
                pick([f"{facts['winner']} won by {facts['margin']}", f"{facts['winner']} won it by {facts['margin']}"])
            )
        elif "winner" in facts:
            said.append(pick([f"{facts['winner']} won", f"won by {facts['winner']}"]))
        elif "margin" in facts:
            said.append(f"a margin of {facts['margin']}")
        for c, x in asked:
            if c.name not in ("winner", "margin"):
                alone = _FACTS.get(c.name) if len(asked) == 1 else None
                said.append(alone.format(f"{x}{r}") if alone else f"{c.label} {x}{r}")
        lines.append(f"{match}{when}: {', '.join(said)}")
    more = f"; and {rows - PLAIN_ROWS} more" if rows > PLAIN_ROWS and stated_phrases(query) else ""
    opening = f"{' '.join(stated_phrases(query))}: " if stated_phrases(query) else ""
    return f"{opening}{'; '.join(lines)}{more}{_sums(layout) if len(layout.rows) == 1 else ''}."


def _nothing(table: StatTable, about: str, pick: Pick) -> str:
    """About a table without rows: what there is no record of, and why where a qualification is the reason."""
    query = table.query
    label = MEASURES[query.measures[0]].label
    what = {"balls_to_hundred": "hundred", "balls_to_fifty": "fifty", "best_figures": "wicket"}.get(
        query.measures[0], label
    )
    name = who(query)
    measure = MEASURES[query.measures[0]]
    if query.place is not None:
        qualified = f": a place takes {table.qualification}" if table.qualification else ""
        return pick([f"{query.place} is not in the ranking by {label}{about}{qualified}."])
    if query.reach is not None:
        return pick([f"{name or 'nobody'} {'never ' if name else ''}got{about}."])
    if measure.kind == "streak":
        whose = f" for {name}" if name else ""
        return pick([f"there is no such run of {streak_unit(query)}{about}{whose}."])
    if measure.source in ("person", "lineup"):
        return pick([f"there is no such player{f' for {name}' if name else ''}{about}."])
    if measure.kind == "event":
        return pick([f"there is no {label}{f' for {name}' if name else ''}{about} on record."])
    if measure.kind == "fact":
        match = f"match{f' of {name}' if name else ''}{about}"
        return pick([f"there was no such {match}.", f"no such {match} is on record."])
    if query.having and query.by:
        row = query.by[0] if query.by[0] in {*_PEOPLE, "fielder", "team", "pair", "match"} else "case"
        case = f"{row}{f' for {name}' if name else ''}{about}"
        return pick([f"there is no {case}.", f"no {case} is on record."])
    if table.qualification:
        return pick([
            f"nobody{about} has {table.qualification}, which a ranking by {label} takes.",
            f"no ranking by {label}{about}: nobody has {table.qualification}.",
        ])  # fmt: skip
    if name:
        verb, noun = DID.get(query.measures[0], ("has", what))
        return pick([
            f"{name} {verb} no {noun}{about}: there is no such record.",
            f"there is no such record: {name} {verb} no {noun}{about}.",
        ])  # fmt: skip
    are = "are" if what.endswith("s") else "is"
    return pick([f"there {are} no {what}{about} on record.", f"no such record: no {what}{about}."])


def _lead(query: Query) -> str:
    """How a row of a ranking opens that is no leader's: "most: ", "first: ", or nothing."""
    if not query.rank:
        return ""
    if query.rank.nth and query.rank.n > 1:
        which = {"top": "", "bottom": " lowest", "first": "", "last": " from last"}[query.rank.kind]
        return f"{nth(query.rank.n)}{which}: "
    return {"top": "most: ", "bottom": "fewest: ", "first": "first: ", "last": "last: "}[query.rank.kind]


def _brief(column: Column, cell: str, asked: Cells) -> str:
    """The bare cell where one measure was asked, else with its label."""
    return cell if len(asked) == 1 else figure(column, cell)
