"""Conditions of a question, worded by phrases/filters.yaml: `Conditions(bank).pick(rng, "bat", query, names)`."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from data.query.language import FILTERS, MEASURES
from data.query.line import Filter, Having, Query, parse
from data.text import number, ordinal

_TIME = ("date", "after", "before", "from", "to", "month", "weekday", "match", "half", "season")
_MATCH = ("opponent", "venue", "innings", "result", "home", "stage", "toss", "with", "without", *_TIME)
_OWN = ("nth_match", "last_matches")  # matches of whoever the question names
# Filters that the measures of a source take.
TAKES: dict[str, tuple[str, ...]] = {
    "bat": (*_MATCH, "team", "overs", "last", "phase", "position", "bowling", "bowler", "hand", "chose", "score",
            "total", "target", "keeper", "partner", "origin", "bowler_origin", "all_rounder", *_OWN, "nth_innings",
            "last_innings", "first_balls", "last_balls", "from_score", "ball"),
    "bowl": (*_MATCH, "team", "overs", "last", "phase", "hand", "batter", "dismissal", "chose", "bowling", "haul",
             "origin", "batter_origin", "all_rounder", *_OWN, "ball"),
    "team": (*_MATCH, "overs", "last", "phase", "bowling", "total", *_OWN),
    "concede": (*_MATCH, "overs", "last", "phase", *_OWN),
    "field": (*_MATCH, "team", "keeper", "phase", "origin", *_OWN),
    "result": (*_MATCH, "won_by", "margin", "total", "target", "chose", "shortened", "player", *_OWN),
    "stand": (*_MATCH, "team", "wicket", "stand"),
    "award": ("opponent", "venue", "result", "stage", "team", "home", *_TIME),
    "match": (),
    "table": (),
}  # fmt: skip
# Filters that select part of an innings: measures of whole innings do not take them.
PART_OF_INNINGS = ("overs", "last", "phase", "bowling", "bowler", "dismissal", "hand", "partner", "bowler_origin",
                   "batter_origin", "first_balls", "last_balls", "from_score", "ball")  # fmt: skip
_ONE_SUBJECT = (*_OWN, "nth_innings", "last_innings")  # filters that count the matches or innings of one subject
# The marks of phrases that stand for names, and the kinds of their placeholders.
_MARKS = {"P": "P", "T": "T", "U": "T", "V": "V", "W": "V", "D": "D", "E": "D", "Y": "Y", "Z": "Y"}
_TIMES = frozenset(_TIME) | {*_ONE_SUBJECT, "stage"}
# Bounds that people set on single innings, overs or matches.
_IN_ONE = {"runs": [10, 20, 25, 30, 40, 45, 60, 70, 75, 80], "balls": [10, 12, 15, 20, 25, 30, 40, 50],
           "strike_rate": [100, 120, 140, 150, 180, 200], "runs_conceded": [20, 25, 30, 35, 40, 45, 50],
           "economy": [6, 7, 8, 9, 10, 12], "total": [100, 120, 140, 150, 160, 175, 180, 200, 220],
           "conceded": [120, 150, 160, 180, 200], "dots_bowled": [6, 8, 10, 12], "dots": [5, 8, 10],
           "over_runs": [10, 12, 15, 18, 20, 25], "extras": [5, 8, 10, 15], "team_sixes": [5, 8, 10, 12, 15],
           "team_fours": [10, 12, 15, 20], "boundaries": [3, 4, 5, 6, 8, 10]}  # fmt: skip
_WEIGHTS = {"opponent": 4.0, "venue": 4.0, "phase": 2.5, "innings": 3.0, "team": 2.0, "month": 0.5, "weekday": 0.25,
            "nth_match": 0.4, "nth_innings": 0.3, "each": 0.15}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """A phrase to put after or before a question, and the part of a query that it means."""

    words: str
    filters: tuple[Filter, ...] = ()
    having: tuple[Having, ...] = ()
    each: tuple[Having, ...] = ()


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
            if not self._fits(key, source, query, taken, whole):
                continue
            name = key.split()[0] if key.startswith("each ") else re.match(r"[a-z_]+", key)[0]
            usable.append((key, phrases, _WEIGHTS.get(name, 0.8)))
        words: list[str] = []
        while usable and not words:
            key, phrases, _ = choice = rng.choices(usable, [w for *_, w in usable])[0]
            kind = {"award": "bat", "concede": "team"}.get(source, source)
            words = [*phrases.get("all", ()), *phrases.get(kind, ())]
            if query.rank:
                words += [*phrases.get("all_who", ()), *phrases.get(f"{kind}_who", ())]
            usable.remove(choice)
        return self._fill(rng, key, rng.choice(words), names) if words else None

    @staticmethod
    def _fits(key: str, source: str, query: Query, taken: set[str], whole: bool) -> bool:
        """Whether a query over `source` that is filtered or split by `taken` can take a condition of the bank."""
        names = set(re.findall(r"([a-z_]+)(?:!=|>=|<=|=|<|>)", key))
        if key.startswith("each "):
            measure = MEASURES.get(next(iter(names)))
            parts = taken & {*PART_OF_INNINGS, "over", "match", "score", "haul", "stand"}
            return measure is not None and measure.source == source and not parts and not query.each
        name = re.match(r"[a-z_]+", key)[0]
        if "!=" in key and FILTERS[name].takes == "P":
            return bool(query.rank) and name in query.by and f"{name}!=" not in str(query)
        if names & taken or not names <= set(TAKES.get(source, ())) or (whole and name in PART_OF_INNINGS):
            return False
        if name in _ONE_SUBJECT and not any(f.key in ("batter", "bowler", "fielder", "team") for f in query.filters):
            return False
        groups = ({"overs", "last", "phase", "over", "ball"}, {"opponent", "between"}, _TIMES - {"season", "stage"},
                  {"stage", "date", "match", "half"}, {"first_balls", "last_balls", "from_score"},
                  {"with", "without", "partner"}, {"season"})  # fmt: skip
        return not any(name in group and taken & group for group in groups)

    def _fill(self, rng: random.Random, key: str, words: str, names: Placeholders) -> Condition:
        """The condition with random numbers and new placeholders for its marks: {a}, {b}, {n}, {P} ..."""
        low, high = sorted(rng.sample(range(1, 21), 2))
        measure = re.match(r"(?:having|each) ([a-z_]+)", key)
        each = key.startswith("each ")
        scale = {"having": 1, "score": [20, 25, 30, 40, 50, 60, 75, 80, 90, 100], "haul": [2, 3, 4, 5],
                 "stand": [50, 75, 100, 150], "total": [100, 120, 140, 150, 160, 180, 200, 220, 250],
                 "target": [120, 150, 160, 180, 200, 220], "position": range(1, 12), "wicket": range(1, 11),
                 "last": [2, 3, 4, 5, 6], "margin": [1, 5, 10, 20, 50], "last_matches": range(2, 11),
                 "last_innings": range(2, 11), "first_balls": [5, 6, 10, 10, 12, 15, 20, 30],
                 "last_balls": [5, 6, 10, 12, 20], "from_score": [10, 20, 25, 30, 40, 60, 75],
                 "match": [10, 14, 20, 28, 35, 50],
                 "nth_match": range(2, 11), "nth_innings": range(2, 11),
                 "ball": range(1, 7)}  # fmt: skip
        if measure and each:
            n = rng.choice(_IN_ONE.get(measure[1], [2, 3, 4, 5]))
        elif measure:
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
        for mark, kind in _MARKS.items():
            if f"{{{mark}}}" in text or f"{{{mark}1}}" in text:
                placeholder = names.new(rng.choice("VT") if kind == "V" else kind)
                text = text.replace(f"{{{mark}}}", placeholder).replace(f"{{{mark}1}}", placeholder)
                key = re.sub(rf"(?<=[=,-])(?:{{{mark}}}|{mark})(?![A-Za-z0-9])", placeholder, key)
        query = parse(f"{'streak' if each else 'runs'} | {key}").queries[0]
        return Condition(text, query.filters, query.having, query.each)


def with_condition(query: Query, part: Condition) -> Query:
    """The query with the condition's filters and bounds added."""
    return replace(query, filters=query.filters + part.filters, having=query.having + part.having,
                   each=query.each + part.each)  # fmt: skip


def is_consistent(query: Query) -> bool:
    """Whether no filter occurs twice, a place is in one ranking, and no filter is on part of a measure of innings."""
    keys = [(f.key, f.op) for f in query.filters]
    if query.place and any(f.key == "season" and len(f.values) > 1 for f in query.filters):
        return False
    return len(keys) == len(set(keys)) and not (
        _of_whole_innings(query) and {k for k, _ in keys} & set(PART_OF_INNINGS)
    )


def _of_whole_innings(query: Query) -> bool:
    return any(MEASURES[m].per_innings or m in ("hat_tricks", "maidens") for m in query.measures)
