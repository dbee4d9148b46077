"""Sentences about computed tables: the plain one, which needs no model, and every alternative wording of it.

A sentence refers to cells (A1, B1 ...) and to the question's placeholders (P1, T1 ...); `data.wording.sheet.fill` puts
the values in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from data.query.engine import StatTable
from data.query.language import LESS_IS_BETTER, MEASURES
from data.query.line import Query
from data.query.table import Column
from data.wording.circumstances import COUNTED, circumstances, stated_phrases, subject, who
from data.wording.events import of_events, of_overs
from data.wording.figures import DID, PLAIN_ROWS, Cells, Pick, Told, figure, in_brackets, kind_of, nth, parts_of
from data.wording.people import of_lineups, of_number, of_people
from data.wording.shares import of_place, of_ratio, share_of_row
from data.wording.sheet import REFERENCE, Sheet, is_shown
from data.wording.streaks import of_reached, of_streaks, streak_unit

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
        return _single(query, asked, shown, at, about, pick)
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
    """Figures by dimension: "V Kohli 741; RD Gaikwad 583"."""
    query, by, asked, at, rows, about, pick = (
        told.query, told.by, told.asked, told.at, told.rows, told.about, told.pick
    )  # fmt: skip
    end = told.qualification
    source = MEASURES[query.measures[0]].source
    ratio = parts_of(asked[0][0])
    if (name := told.name) and not {f.key for f in subject(query)} & set(query.by):
        about = f" for {name}{about}"
    if rows == 1:
        places = _places(asked, at, 1)
        figures = ", ".join(figure(c, f"{x}1") + places.get(c.name, "") for c, x in asked)
        where = ("" if places else "".join(f", {x}1" for _, x in at)) or _place(by, 1)
        qualifies = in_brackets(told.shown)
        if ratio and ratio.of_whole and len(asked) == 1:
            figures, qualifies = share_of_row(told, 1), ""
        name = _names(by, 1, source)
        lead = _lead(query, pick)
        if query.each and query.measures in COUNTED:
            return f"{lead}{name}: {figures}{about}{where}{qualifies}{end}."
        return f"{lead}{name}{about}: {figures}{where}{qualifies}{end}."
    listed = told.listed(lambda r: _listed(
        by, r, ", ".join(_brief(c, f"{x}{r}", asked) + _places(asked, at, r).get(c.name, "") for c, x in asked), source
    ) + ("" if len(asked) > 1 else "".join(f" ({x}{r})" for _, x in at)), told.most_rows)  # fmt: skip
    labels = " and ".join(dict.fromkeys(c.label for c, _ in asked))
    if query.rank and query.rank.nth:
        opening = f"level in {nth(query.rank.n)} place from the {_NTH_FROM[query.rank.kind]} by {labels}{about}: "
    else:
        opening = pick([f"{labels}{about}: ", f"{_lead(query, pick)}{labels}{about}: ", f"by {labels}{about}: "])
    return f"{opening}{listed}{_sums(layout)}{end}."


def _sums(layout: Sheet) -> str:
    """The difference of two rows, or the total of all."""
    tail = "".join(f"; a difference of Z{k}" for k in range(1, 9) if f"Z{k}" in layout.values)
    return tail + "".join(f"; S{k} in all" for k in range(1, 9) if f"S{k}" in layout.values)


_NTH_FROM = {"top": "top", "bottom": "bottom", "first": "start", "last": "end"}


_PEOPLE = {"batter", "bowler", "player"}


def _places(asked: Cells, at: Cells, row: int) -> dict[str, str]:
    """For each of several best figures, by measure: in brackets the match in which it was made."""
    return {c.name.removeprefix("at_"): f" ({x}{row})" for c, x in at} if len(asked) > 1 else {}


def _single(query: Query, asked: Cells, shown: Cells, at: Cells, about: str, pick: Pick) -> str:
    """About one row without dimensions: "P1 scored A1 runs (B1 balls)"."""
    name = who(query)
    places = _places(asked, at, 1)
    figures = [figure(c, f"{x}1") + places.get(c.name, "") for c, x in asked]
    joined = figures[0] if len(figures) == 1 else ", ".join(figures[:-1]) + " and " + figures[-1]
    where = "" if places else "".join(f", {x}1" for _, x in at)
    qualifies = in_brackets(shown)
    rate = len(asked) == 1 and asked[0][0].decimals
    column, letter = asked[0]
    if rate or (len(asked) == 1 and kind_of(column) == "best"):
        owner = f"{name}'s" if name else "the"
        text = pick([
            f"{owner} {column.label}{about} was {letter}1",
            f"{owner} {column.label}{about}: {letter}1",
            f"{about.strip() + ', ' if about else ''}{owner} {column.label} was {letter}1",
            f"{letter}1 was {owner} {column.label}{about}",
        ])  # fmt: skip
        return f"{text}{where}{qualifies}."
    if not name:
        return pick([f"there were {joined}{about}{where}{qualifies}.", f"{joined}{about}{where}{qualifies}."])
    did = [f"{DID[c.name][0]} {x}1 {DID[c.name][1]}" for c, x in asked if c.name in DID]
    if len(did) == len(asked):
        done = did[0] if len(did) == 1 else ", ".join(did[:-1]) + " and " + did[-1]
        return pick([
            f"{name} {done}{about}{where}{qualifies}.",
            f"{about.strip() + ', ' if about else ''}{name} {done}{where}{qualifies}.",
        ])  # fmt: skip
    return pick([
        f"{name}{about}: {joined}{where}{qualifies}.",
        f"{joined} for {name}{about}{where}{qualifies}.",
    ])  # fmt: skip


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
            said.append(f"margin {facts['margin']}")
        said += [f"{c.label} {x}{r}" for c, x in asked if c.name not in ("winner", "margin")]
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
        return pick([f"{name} has no {what}{about}: there is no such record.", f"{name} never had any {what}{about}."])
    return pick([f"there is no {what}{about} on record.", f"no such record: no {what}{about}."])


def _lead(query: Query, pick: Pick) -> str:
    """How a ranking opens: "most: ", "lowest: ", or nothing."""
    if not query.rank:
        return ""
    if query.rank.nth and query.rank.n > 1:
        which = {"top": "", "bottom": " lowest", "first": "", "last": " from last"}[query.rank.kind]
        if query.rank.kind == "top" and query.measures[0] in LESS_IS_BETTER:
            which = " highest"
        return f"{nth(query.rank.n)}{which}: "
    kind = {"top": ["most: ", "on top: ", "the leader: "], "bottom": ["lowest: ", "at the bottom: "],
            "first": ["first: ", "the first was "], "last": ["last: ", "the latest: "]}[query.rank.kind]  # fmt: skip
    if query.rank.kind == "top" and MEASURES[query.measures[0]].kind != "count":
        kind = ["highest: ", "on top: "]
    if query.measures[0] in LESS_IS_BETTER and query.rank.kind in ("top", "bottom"):
        # the best is at the bottom; as many options as before, so that random choices after this one stay the same
        kind = len(kind) * ["highest: " if query.rank.kind == "top" else "lowest: "]
    return pick(["", *kind])


_NUMBERED = {"innings": ("in", "innings"), "over": ("in", "over"), "position": ("at", "position"),
             "wicket": ("for", "wicket"), "season": ("in", "IPL"), "month": ("in",), "weekday": ("on",),
             "city": ("in",)}  # fmt: skip


_TIMES_AND_PLACES = frozenset({"season", "month", "weekday", "city"})  # told after the figure: "973 in IPL 2016"


def _listed(by: Cells, row: int, figures: str, source: str) -> str:
    """A row of a list: "V Kohli 741", but "4 in innings 1"."""
    if len(by) == 1 and (numbered := _NUMBERED.get(by[0][0].name)):
        return f"{figures} {' '.join(numbered)} {by[0][1]}{row}"
    when = [(c, x) for c, x in by if c.name in _TIMES_AND_PLACES]
    named = [(c, x) for c, x in by if c.name not in _TIMES_AND_PLACES]
    after = "".join(f" {' '.join(_NUMBERED[c.name])} {x}{row}" for c, x in when)
    return f"{_names(named, row, source)}{_place(by, row)} {figures}{after}".strip()


# what precedes a row's name where the figure is not that person's or team's own
_BEFORE_ROW = {"bat": {"bowler": "off "}, "team": {"bowler": "off "},
               "bowl": {"batter": "against ", "position": "batters at position "},
               "concede": {"position": "batters at position "},
               "field": {"bowler": "off ", "batter": "dismissing "}}  # fmt: skip


_BEFORE_ANY_ROW = {"opponent": "against ", "toss": "toss "}


def words_before_rows() -> set[str]:
    """What may stand before the cell of a row's name: "against", "in over"."""
    special = (words for by_name in _BEFORE_ROW.values() for words in by_name.values())
    numbered = (text for pair in _NUMBERED.values() for text in (" ".join(pair), pair[-1]))
    return {words.strip() for words in (*special, *_BEFORE_ANY_ROW.values(), *numbered)}


def words_before_cells() -> set[str]:
    """What may stand before a cell without being a circumstance: the words before the name of a row, and the verbs of
    figures, such as "gave away"."""
    return words_before_rows() | {verb for verb, _ in DID.values()}


def _before_row(name: str, source: str) -> str:
    special = _BEFORE_ROW.get(source, {}).get(name) or _BEFORE_ANY_ROW.get(name)
    return special or (f"{_NUMBERED[name][-1]} " if name in _NUMBERED else "")


def _names(by: Cells, row: int, source: str) -> str:
    names = ((_before_row(c.name, source), x, c.name) for c, x in by)
    return ", ".join(f"{before}{x}{row}" for before, x, name in names if name not in ("on", "ground"))


def _place(by: Cells, row: int) -> str:
    return "".join(f", {x}{row}" for c, x in by if c.name in ("on", "ground"))


def _brief(column: Column, cell: str, asked: Cells) -> str:
    """The bare cell where one measure was asked, else with its label."""
    return cell if len(asked) == 1 else figure(column, cell)
