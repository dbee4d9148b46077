"""Conditions of a question, worded by phrases/filters.yaml: `Conditions(bank).pick(rng, "bat", query, names)`."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from data.query.language import MEASURES
from data.query.line import Filter, Having, Query, parse
from data.text import number, ordinal

_MATCH = ("opponent", "venue", "innings", "result", "home", "stage", "toss", "date")
# Filters that the measures of a source take.
TAKES: dict[str, tuple[str, ...]] = {
    "bat": (*_MATCH, "team", "overs", "last", "phase", "position", "bowling", "bowler", "hand", "chose", "score",
            "total", "target", "keeper"),
    "bowl": (*_MATCH, "team", "overs", "last", "phase", "hand", "batter", "dismissal", "chose", "bowling", "haul"),
    "team": (*_MATCH, "overs", "last", "phase", "bowling", "total"),
    "concede": (*_MATCH, "overs", "last", "phase"),
    "field": (*_MATCH, "team", "keeper", "phase"),
    "result": (*_MATCH, "won_by", "margin", "total", "target", "chose", "shortened", "player"),
    "stand": (*_MATCH, "team", "wicket", "stand"),
    "award": ("opponent", "venue", "result", "stage", "team", "home"),
    "match": (),
    "table": (),
}  # fmt: skip
# Filters that select part of an innings: measures of whole innings do not take them.
PART_OF_INNINGS = ("overs", "last", "phase", "bowling", "bowler", "dismissal", "hand")


@dataclass(frozen=True)
class Condition:
    """A phrase to put after or before a question, and the part of a query that it means."""

    words: str
    filters: tuple[Filter, ...] = ()
    having: tuple[Having, ...] = ()


class Placeholders:
    """Allocates placeholders that a question does not use yet."""

    def __init__(self, question: str = ""):
        self.used = set(re.findall(r"\b[PTVDY]\d\b", question))

    def new(self, kind: str) -> str:
        """The next placeholder of a kind: P, T, V, D or Y."""
        name = next(f"{kind}{i}" for i in range(1, 10) if f"{kind}{i}" not in self.used)
        self.used.add(name)
        return name


@dataclass(frozen=True)
class Conditions:
    """`phrases`: filter -> source of the measure ("all": of any) -> phrases."""

    phrases: dict[str, dict[str, list[str]]]

    def pick(self, rng: random.Random, source: str, query: Query, names: Placeholders) -> Condition | None:
        """A filter that the query does not have yet, or a qualification of a leaderboard; None where nothing fits."""
        taken = {f.key for f in query.filters} | set(query.by)
        whole = _of_whole_innings(query)
        usable = []
        for key, phrases in self.phrases.items():
            if key.startswith("having "):
                if not (query.rank and not query.having and set(query.by) & {"batter", "bowler"}):
                    continue
                measure = re.match(r"having ([a-z_]+)", key)[1]
                if MEASURES.get(measure) is None or MEASURES[measure].source != source or measure in query.measures:
                    continue
                usable.append((key, phrases, 3 if MEASURES[query.measures[0]].least else 0.6))
                continue
            names_of = set(re.findall(r"([a-z_]+)(?:!=|>=|<=|=|<|>)", key))
            name = re.match(r"[a-z_]+", key)[0]
            if "!=" in key:
                if not (query.rank and name in query.by) or f"{name}!=" in str(query):
                    continue
            elif names_of & taken or not names_of <= set(TAKES[source]) or (whole and name in PART_OF_INNINGS):
                continue
            if name in ("overs", "last", "phase") and taken & {"overs", "last", "phase", "over"}:
                continue
            if name in ("opponent", "between") and taken & {"opponent", "between"}:
                continue
            if name in ("stage", "date") and taken & {"stage", "date"}:
                continue
            weight = {"opponent": 4, "venue": 4, "phase": 2.5, "innings": 3, "team": 2}.get(name, 0.8)
            usable.append((key, phrases, weight))
        words: list[str] = []
        while usable and not words:
            key, phrases, _ = choice = rng.choices(usable, [w for *_, w in usable])[0]
            kind = {"award": "bat", "concede": "team"}.get(source, source)
            words = [*phrases.get("all", ()), *phrases.get(kind, ())]
            if query.rank:
                words += [*phrases.get("all_who", ()), *phrases.get(f"{kind}_who", ())]
            usable.remove(choice)
        return self._fill(rng, key, rng.choice(words), names) if words else None

    def _fill(self, rng: random.Random, key: str, words: str, names: Placeholders) -> Condition:
        """The condition with random numbers and new placeholders for its marks: {a}, {b}, {n}, {P} ..."""
        low, high = sorted(rng.sample(range(1, 21), 2))
        measure = re.match(r"having ([a-z_]+)", key)
        scale = {"having": 1, "score": [20, 25, 30, 40, 50, 60, 75, 80, 90, 100], "haul": [2, 3, 4, 5],
                 "stand": [50, 75, 100, 150], "total": [100, 120, 140, 150, 160, 180, 200, 220, 250],
                 "target": [120, 150, 160, 180, 200, 220], "position": range(1, 12), "wicket": range(1, 11),
                 "last": [2, 3, 4, 5, 6], "margin": [1, 5, 10, 20, 50]}  # fmt: skip
        if measure:
            choices = {
                "balls": [20, 30, 50, 60, 75, 100, 120, 150, 200, 250, 300],
                "overs_bowled": [5, 8, 10, 12, 15, 20, 25, 30, 40],
                "balls_bowled": [30, 60, 90, 100, 120, 150, 200, 240],
                "runs": [50, 100, 150, 200, 250, 300, 400, 500],
                "wickets": [3, 5, 8, 10, 12, 15],
                "dismissals": [3, 5, 7],
            }.get(measure[1], [2, 3, 4, 5, 6, 7, 8, 10])
            n = rng.choice(choices)
        else:
            n = rng.choice(list(scale.get(re.match(r"[a-z_]+", key)[0], range(1, 21))))
            if key.startswith("overs={a}") and "-" not in key:
                low = n = rng.choice([*range(1, 21), 1, 20, 19, 18, 17, 16])
            if key.startswith("position={a}") and "-" not in key:
                low = n
            if key.startswith("position={a}-{b}"):
                low, high = sorted(rng.sample(range(1, 12), 2))
        if key == "overs={a}-20":
            low, high = rng.choice([17, 18, 19, 15, 14, 13, 12, 11, 10, 16, 8]), 20
        if key == "overs=1-{b}":
            low, high = 1, rng.choice([2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16])
        if key.startswith("overs={a}-{b}") and rng.random() < 0.5:
            low, high = rng.choice([(17, 20), (7, 15), (16, 20), (1, 6), (1, 10), (11, 20), (19, 20), (1, 4), (7, 11),
                                    (12, 16), (1, 2), (18, 20), (11, 15), (7, 16), (15, 20), (1, 3)])  # fmt: skip
        filled = {"a": str(low), "b": str(high), "n": str(n), "p": str(low - 1)}
        words = words.replace("{p_th}", ordinal(low - 1))
        text = words.replace("{a_th}", ordinal(low)).replace("{b_th}", ordinal(high)).replace("{n_th}", ordinal(n))
        for mark, value in filled.items():
            spoken = number(rng, int(value)) if mark == "n" else value
            text = text.replace(f"{{{mark}}}", spoken)
            key = key.replace(f"{{{mark}}}", value)
        for kind in "PTVD":
            if f"{{{kind}}}" in text or f"{{{kind}1}}" in text:
                placeholder = names.new(rng.choice("VT") if kind == "V" else kind)
                text = text.replace(f"{{{kind}}}", placeholder).replace(f"{{{kind}1}}", placeholder)
                key = re.sub(rf"(!?=){kind}\b", rf"\g<1>{placeholder}", key)
        query = parse(f"runs | {key}").queries[0]
        return Condition(text, query.filters, query.having)


def with_condition(query: Query, part: Condition) -> Query:
    """The query with the condition's filters and bounds added."""
    return replace(query, filters=query.filters + part.filters, having=query.having + part.having)


def is_consistent(query: Query) -> bool:
    """Whether no filter occurs twice and measures of whole innings have no filter on part of one."""
    keys = [(f.key, f.op) for f in query.filters]
    return len(keys) == len(set(keys)) and not (
        _of_whole_innings(query) and {k for k, _ in keys} & set(PART_OF_INNINGS)
    )


def _of_whole_innings(query: Query) -> bool:
    return any(MEASURES[m].per_innings or m in ("hat_tricks", "maidens") for m in query.measures)
