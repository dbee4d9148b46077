"""One record of questions and answers: a phrasing with names of a season, linked, computed and worded.

    RecordBuilder("ipl_2024").build("P1 economy at the death", "economy | bowler=P1 phase=death", "train", rng)

A question that linking does not read as it was meant is dropped, so that training sees what serving sees.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data.dataset.binding import Binder
from data.dataset.name_forms import NameForms
from data.linking.linker import Linker
from data.linking.mention import FOUND, KINDS, Linked, Mention
from data.linking.resolve_plan import resolve_plan, shown_names
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook
from data.query import QueryError, Statistics, StatTable, parse
from data.query.language import DECLINES, MEASURES
from data.query.line import Plan
from data.season import SEASONS, load
from data.text import PLACEHOLDER, plain, renumber
from data.wording.sentence import sentence
from data.wording.sheet import MODEL_ROWS, fill, sheet

HELD_OUT_SHARE = 0.15  # of the players, by a hash of their id, are never named in training
_KINDS = {"bat": "batting", "bowl": "bowling", "field": "fielding", "team": "team", "concede": "team",
          "result": "results", "table": "table", "stand": "partnership", "award": "award",
          "match": "match", "over": "bowling", "batter_over": "batting", "run": "streak", "sequence": "streak",
          "lineup": "people", "person": "people", "number": "count", "summary": "summary",
          "no_result": "results"}  # fmt: skip
# after one of these a measure's noun is no possession: "did Kohli runs", not "did Kohli's runs"
_AUXILIARY = frozenset("did has have had was is does do were can will would should and or".split())


@dataclass(frozen=True)
class Record:
    """One question with everything that training and evaluation need."""

    id: str
    question: str  # as a person types it
    linked: str  # what the model reads: the plain form, names replaced by placeholders
    query: str  # what the model writes: the query line over placeholders
    names: dict[str, str]  # of the placeholders
    table: list[dict[str, Any]]  # for each query its columns, its first rows as text, and how many rows there are
    cells: str  # the tables as the model reads them; empty where no model words the answer
    wording: str  # the sentence that the model writes, over cells; empty like `cells`
    answer: str  # the sentence with values filled in
    outcome: str  # answered | ask_back | declined
    kind: str  # of question: batting, bowling, decline ...
    split: str  # train | validation | test
    players: list[str] = field(default_factory=list)  # ids of the players that the question names

    def as_json(self) -> str:
        """The record as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def held_out(player: str) -> bool:
    """Whether a player (by id) is one whose name training never sees."""
    digest = hashlib.sha256(f"held-out:{player}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 < HELD_OUT_SHARE


class RecordBuilder:
    """Builds records over one season. Raises SeasonNotFound where there is none of that name in `folder`."""

    def __init__(self, season: str, folder: Path = SEASONS):
        self.season = load(season, folder)
        self.statistics = Statistics(self.season)
        self.binder = Binder(self.statistics)
        self.book = Phrasebook.load()
        self.names = Names.for_season(self.season)
        self.linker = Linker(self.names, self.book.words())
        self.forms = NameForms(self.names)
        self.shared = self.forms.ambiguous_surnames()
        self.nouns = frozenset(plain(n).split()[0] for b in self.book.measures.values() for n in b.get("noun", ()) if n)

    def build(self, question: str, line: str, split: str, rng: random.Random) -> Record | None:
        """A record of a phrasing; None where no names fit, linking reads others, or nothing can be computed."""
        plan = parse(line)
        binding = self._binding(question, plan, split, rng)
        if binding is None:
            return None
        text, spans = self._write(question, binding, rng)
        linked = self.linker.link(text)
        swap = _placeholders_of(spans, linked.mentions)
        if swap is None:
            return None
        shown, line = renumber(plain(linked.text), PLACEHOLDER.sub(lambda m: swap.get(m[0], m[0]), str(plan)))
        if shown != plain(linked.text):  # the linker numbers placeholders by their order too
            return None
        plan = parse(line).canonical()
        players = sorted(
            {k for m in linked.mentions if m.kind == "player" and len(m.candidates) == 1 for k in m.candidates}
        )
        made = self._outcome(plan, linked, {swap[p]: keys for p, keys in binding.items() if p in swap}, rng)
        if made is None:
            return None
        digest = hashlib.sha256(f"{split}|{text}".encode()).hexdigest()[:12]
        return Record(digest, text, shown, str(plan), split=split, players=players, **made)

    # -- names

    def _binding(self, question: str, plan: Plan, split: str, rng: random.Random) -> Mapping[str, str] | None:
        """Keys for the question's placeholders; None where none fit.

        Train and validation get no held-out player, the test split gets one where possible.
        """
        found: dict[str, str] | None = None
        for _ in range(25):
            bound = {p: keys[0] for p, keys in self.binder.bind(plan, rng).items()}
            for kind, number in PLACEHOLDER.findall(question):
                if kind + number not in bound:
                    bound[kind + number] = self._random_key(kind, rng)
            if not set(PLACEHOLDER.findall(str(plan))) <= set(PLACEHOLDER.findall(question)):
                return None
            if len(set(bound.values())) < len(bound):
                continue
            kept = [held_out(v) for p, v in bound.items() if p[0] == "P"]
            if split == "test":
                found = bound
                if any(kept) or not kept:
                    break
            elif not any(kept):
                found = bound
                break
        if found and rng.random() < 0.02 and not plan.decline:
            people = [p for p in found if p[0] == "P"]
            if len(people) == 1:
                found[people[0]] = rng.choice(self.forms.absent)
        return found

    def _random_key(self, kind: str, rng: random.Random) -> str:
        """A key for a placeholder that the plan does not use."""
        anchor = rng.choice(self.binder.anchors)
        years = [y for y in range(2008, 2027) if y not in self.season.years]
        return {
            "P": rng.choice([anchor.batter, anchor.bowler]),
            "T": anchor.batting,
            "V": anchor.venue,
            "D": anchor.date,
            "Y": str(rng.choice(years)),
        }[kind]

    def _write(
        self, question: str, binding: Mapping[str, str], rng: random.Random
    ) -> tuple[str, dict[tuple[int, int], str]]:
        """The question as a person types it, and the placeholder of each (start, end) that is a name."""
        pieces: list[str] = []
        spans: dict[tuple[int, int], str] = {}
        at, length = 0, 0
        written: dict[str, str] = {}

        def add(text: str) -> None:
            nonlocal length
            pieces.append(text)
            length += len(text)

        for m in PLACEHOLDER.finditer(question):
            add(question[at : m.start()])
            name = m[0]
            if name not in written:
                key = binding[name]
                several = key in self.shared and rng.random() < 0.12
                written[name] = self.shared[key].lower() if several else self.forms.write(KINDS[name[0]], key, rng)
            begin = length
            add(written[name])
            spans[begin, length] = name
            after = question[m.end() :].split()[:1]
            before = question[: m.start()].split()[-1:]
            if (
                name[0] in "PT"
                and after
                and after[0] in self.nouns
                and not set(before) & _AUXILIARY
                and rng.random() < 0.5
            ):
                add("'s" if rng.random() < 0.7 else "s")
            at = m.end()
        add(question[at:])
        text = "".join(pieces)
        if rng.random() < 0.1:
            year = self.season.year
            text += rng.choice(
                [
                    " this season",
                    f" in ipl {year}",
                    f" {year}",
                    f" in IPL {year}",
                    " this year",
                    f" ipl {year}",
                ]
            )
        if rng.random() < 0.3:
            text = text[0].upper() + text[1:]
        if rng.random() < 0.4:
            text += "?"
        return text, spans

    # -- the answer

    def _outcome(self, plan: Plan, linked: Linked, bound: Mapping[str, str], rng: random.Random) -> dict | None:
        """The record's fields from `names` to `kind`; None where the question cannot be answered as it was meant.

        `bound` has the key that each placeholder was written for.
        """
        mentions = linked.by_placeholder()
        names = shown_names(mentions, {}, self.names)
        declined = {"names": names, "table": [], "cells": "", "wording": "", "outcome": "declined"}
        if plan.decline:
            return {
                **declined,
                "answer": f"{self.season.title} cannot answer that: {DECLINES[plan.decline]}.",
                "kind": "decline",
            }
        if any(p[0] == "Y" for p in names):
            return None  # the line computes something although the question is about another season
        keys: dict[tuple[str, str], tuple[str, ...]] = {}
        for name in resolve_plan(plan, mentions, self.names):
            if name.mention is None:
                return None
            outcome, meant = name.outcome, bound.get(name.value)
            if outcome.status != FOUND:
                asks = outcome.status == "ambiguous"
                if asks and meant not in outcome.candidates:
                    return None
                return {
                    **declined,
                    "answer": outcome.suggestion,
                    "outcome": "ask_back" if asks else "declined",
                    "kind": "ask_back" if asks else "absent",
                }
            known = (*outcome.candidates, *name.mention.candidates)
            if meant not in known and name.filter != "venue" and name.mention.kind != "date":
                return None
            keys[name.filter, name.value] = outcome.candidates
        names = shown_names(mentions, keys, self.names)
        try:
            tables = [
                self.statistics.answer(q, lambda key, value: keys.get((key, value), (value,))) for q in plan.queries
            ]
        except QueryError:
            return None
        layout = sheet(tables)
        # where a cell has a placeholder's name, a reference to it would be ambiguous
        by_model = max(layout.rows) <= MODEL_ROWS and not set(names) & set(layout.values)
        # of its own, so that the questions do not change with the wordings
        drawn = random.Random(f"{linked.text} => {plan}")
        wording = sentence(tables, layout, drawn if by_model else None)
        answer = fill(wording, {**names, **layout.values})
        return {
            "names": names,
            "table": [_table(t) for t in tables],
            "cells": layout.text if by_model else "",
            "wording": wording if by_model else "",
            "answer": answer[0].upper() + answer[1:],
            "outcome": "answered",
            "kind": _KINDS[MEASURES[plan.queries[0].measures[0]].source],
        }


def _placeholders_of(spans: Mapping[tuple[int, int], str], mentions: Iterable[Mention]) -> dict[str, str] | None:
    """Written placeholder -> the linker's; None unless the linker found exactly the names that were written."""
    swap: dict[str, str] = {}
    left = dict(spans)
    for mention in mentions:
        ours = [s for s in left if s[0] < mention.end and mention.start < s[1]]
        if len(ours) != 1 or mention.start > ours[0][0] or mention.end < ours[0][1]:
            return None
        name = left.pop(ours[0])
        if swap.setdefault(name, mention.placeholder) != mention.placeholder:
            return None
    return swap if not left and len(set(swap.values())) == len(swap) else None


def _table(table: StatTable) -> dict[str, Any]:
    """The table's first rows as text, enough to check an answer by eye."""
    return {
        "columns": [c.name for c in table.columns],
        "rows": table.texts()[:MODEL_ROWS],
        "of": len(table.rows),
    }
