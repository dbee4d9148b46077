"""Composes questions that compare: one with all, a figure with itself under two conditions, seasons; and of yes or no.

    ComparisonTemplates(measures, frames, conditions, ranks).makers  ->  [(weight, maker)]

The frames are those of phrases/ranks.yaml.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from data.phrasing.conditions import PART_OF_INNINGS, Placeholders, is_consistent
from data.phrasing.levels import level, spoken_ordinal
from data.phrasing.templates import Maker, Phrasing, attach
from data.phrasing.wide_templates import WideTemplates, fill, is_sound, whose
from data.query.language import LESS_IS_BETTER, MEASURES
from data.query.line import Having, Plan, Query, Rank, parse

# which sources a split suits, by the key of its first part
_SPLIT_SOURCES = {"result": ("bat", "bowl", "team", "field"), "bowling": ("bat", "team"), "bowler": ("bat",),
                  "hand": ("bowl",), "phase": ("bat", "bowl", "team", "concede"), "position": ("bat",),
                  "nth_innings": ("bat", "bowl"), "innings": ("bat", "bowl", "team", "result", "concede"),
                  "opponent": ("bat", "bowl", "team", "result", "concede")}  # fmt: skip
_SPLIT_ANY = ("bat", "bowl", "team", "result", "field")
_OF_BATTING = re.compile(r"bat|chas|target|defend")  # of an innings, said of the side that bats
_WHOLE = ("maidens", "hat_tricks", "innings", "innings_bowled", "innings_played")  # not split by parts of an innings
_SEASON_FIGURES = (
    "runs",
    "sixes",
    "fours",
    "boundaries",
    "average",
    "strike_rate",
    "fifties",
    "hundreds",
    "wickets",
    "economy",
    "bowling_average",
    "bowling_strike_rate",
    "catches",
    "wins",
    "highest_score",
    "best_figures",
    "awards",
    "total",
    "run_rate",
    "points",
)  # of which a season can be the best


@dataclass
class ComparisonTemplates(WideTemplates):
    @property
    def makers(self) -> list[tuple[float, Maker]]:
        """The makers with their weights."""
        return [(1.5, self._average), (2.5, self._split), (2.2, self._yes), (1, self._seasons)]

    def _average(self, rng: random.Random) -> Phrasing | None:
        """One against all: "is P1's strike rate above the league average"."""
        source = rng.choices(["bat", "bowl", "team", "concede"], [46, 36, 12, 6])[0]
        name = self.pick(rng, source, "rate")
        if name is None:
            return None
        names = Placeholders()
        subject = self._subject(rng, source, names)
        frame = rng.choice(self.ranks["average_compare"])
        question = fill(rng, frame, s=subject.values[0], noun=rng.choice(self.measures[name]["noun"]))
        found = self._conditioned(rng, Query((name,), filters=(subject,)), names, 1)
        if found is None:
            return None
        query, phrases = found
        everybody = replace(query, filters=tuple(f for f in query.filters if f != subject and f.key != "team"))
        return Phrasing.of(attach(rng, question, phrases), Plan((query, everybody)), "average")

    def _split(self, rng: random.Random) -> Phrasing | None:
        """A figure under two conditions, or by a dimension: "is P1's average better against pace or spin"."""
        either = rng.random() < 0.4
        bank = self.ranks["splits_or" if either else "splits"]
        key = rng.choice(list(bank))
        first = re.findall(r"(?:by |^)([a-z_]+)", key)[0]
        source = rng.choice(_SPLIT_SOURCES.get(first, _SPLIT_ANY))
        name = self.pick(rng, source, "count", "rate")
        if name is None or (first == "season" and name == "matches" and either):
            return None
        words = [
            w for w in bank[key] if not (source in ("bowl", "concede") and first == "innings" and _OF_BATTING.search(w))
        ]
        plural = either and self.plural(rng, name) if MEASURES[name].kind == "count" else None
        if not words or (either and MEASURES[name].kind == "count" and not plural):
            return None
        names = Placeholders()
        subject = self._subject(rng, source, names)
        split, marks = _filled(rng, key, names)
        queries = _split_queries(Query((name,), filters=(subject,)), split)
        frames = self.ranks["split_or_count" if plural else "split_or" if either else "split"]
        if plural and "by phase" in key:
            frames = [f for f in frames if "how many more" not in f]
        question = fill(rng, rng.choice(frames), **{"or" if either else "and": rng.choice(words)})
        p = marks.pop("p", None)
        if p is not None:
            question = fill(rng, question.replace("{p}", p), a_th=spoken_ordinal(rng, int(p) + 1))
        question = fill(
            rng, question, s=subject.values[0], noun=plural or rng.choice(self.measures[name]["noun"]), **marks
        )
        phrases: list[str] = []
        if rng.random() < 0.35:
            part = self.conditions.pick(rng, source, replace(queries[0], by=(*queries[0].by, first)), names)
            if part and not part.having and not {f.key for f in part.filters} & {"stage", "date"}:
                queries = [replace(q, filters=q.filters + part.filters) for q in queries]
                phrases.append(part.words)
        if not all(is_consistent(q) and _splits_well(q) for q in queries):
            return None
        return Phrasing.of(attach(rng, question, phrases), Plan(tuple(queries)), "split")

    def _yes(self, rng: random.Random) -> Phrasing | None:
        """A question of yes or no: the line gives the figure that tells."""
        key = rng.choices(["yes_least", "yes_rate", "yes_any", "yes_leader_count", "yes_leader"],
                          [28, 16, 22, 20, 14])[0]  # fmt: skip
        source = rng.choices(["bat", "bowl", "field", "award", "team", "result", "concede"], [44, 32, 6, 3, 6, 6, 3])[0]
        counted = key in ("yes_least", "yes_any", "yes_leader_count")
        name = self.pick(rng, source, "count" if counted else "rate")
        noun = name and (self.plural(rng, name) if counted else rng.choice(self.measures[name]["noun"]))
        if name is None or noun is None or (key == "yes_leader_count" and name == "matches"):
            return None
        names, frames = Placeholders(), self.ranks[key]
        subject = self._subject(rng, source, names)
        s, entity = subject.values[0], subject.key
        n = level(rng, name, "team" if entity == "team" else "player")
        if key == "yes_any":
            entity = whose(source)
            n = level(rng, name, "team" if entity == "team" else "player")
            query = Query((name,), (entity,), having=(Having(name, ">=", n or 0),))
        elif key.startswith("yes_leader"):
            query, n = Query((name,), (entity,), place=s), 0
        else:
            query = Query((name,), filters=(subject,))
        if n is None:
            return None
        if name in LESS_IS_BETTER and key == "yes_leader":
            frames = [f for f in frames if not re.search(r"high|zyada|top", f)]
        frame = rng.choice(frames)
        if entity == "team":
            frame = re.sub(r"\bhis\b", "their", frame.replace("doesn't he", "don't they"))
        question = fill(rng, frame, n=n, s=s, noun=noun, **self.dim(rng, entity))
        return self._with_parts(rng, question, query, names, "yes", most=1)

    def _seasons(self, rng: random.Random) -> Phrasing | None:
        """A figure in one season of all, or in each: "P1's runs in his debut season"."""
        key, phrases = rng.choice(list(self.ranks["of_seasons"].items()))
        best = re.search(r"(top|bottom) 1$", key)
        source = rng.choices(["bat", "bowl", "team", "result", "field"], [44, 34, 8, 8, 6])[0]
        name = self.pick(rng, source, "count", "rate", *(("best",) if not best else ()))
        if name is None or (best and name not in _SEASON_FIGURES):
            return None
        names = Placeholders()
        subject = self._subject(rng, source, names)
        own = "their" if subject.key == "team" else "his"
        other = re.compile(r"\b(?:his|he|him)\b" if own == "their" else r"\b(?:their|they)\b")
        phrase = rng.choice([p for p in phrases if not other.search(p)])
        asks = self.measures[name].get("ask", [])
        question = rng.choice(asks) if asks and rng.random() < 0.6 else fill(
            rng, rng.choice(self.frames["of_noun"]), noun=rng.choice(self.measures[name]["noun"]))  # fmt: skip
        line = parse(f"{name} {key}").queries[0]
        if best and name in LESS_IS_BETTER and line.rank:
            line = replace(line, rank=Rank("bottom" if line.rank.kind == "top" else "top", 1))
        query = replace(line, filters=(subject, *line.filters))
        question = f"{question.rstrip('? ')} {phrase}".replace("{s}", subject.values[0])
        return self._with_parts(rng, question, query, names, "seasons", most=1 if rng.random() < 0.5 else 0)


def _filled(rng: random.Random, key: str, names: Placeholders) -> tuple[str, dict[str, str]]:
    """A key of `splits` with new placeholders for its names and a number for {p} and {a}; and what to say for each."""
    marks: dict[str, str] = {}
    kinds = {"T": "T", "U": "T", "P": "P", "Q": "P", "V": "V", "W": "V", "D": "D", "Y": "Y", "Z": "Y"}
    for mark in re.findall(r"=([TUPQVWDYZ])\b", key):
        if mark not in marks:
            marks[mark] = names.new(kinds[mark])
    for mark, name in marks.items():
        key = re.sub(rf"={mark}\b", f"={name}", key)
    if "{p}" in key:
        p = rng.choice([2, 3, 4, 5, 6, 7])
        marks["p"] = str(p)
        key = key.replace("{p}", str(p)).replace("{a}", str(p + 1))
    return key, marks


def _split_queries(query: Query, split: str) -> list[Query]:
    """The query by the dimension of a split, or one query for each of its two parts."""
    if split.startswith("by "):
        with_split = parse(f"{query.measures[0]} {split}").queries[0]
        return [replace(with_split, filters=query.filters + with_split.filters)]
    parts = [parse(f"{query.measures[0]} | {part}").queries[0] for part in split.split(" ; ")]
    return [replace(query, filters=query.filters + part.filters) for part in parts]


def _splits_well(query: Query) -> bool:
    """Whether the measure can be taken from what it is split by: a part of an innings, the result."""
    measure = MEASURES[query.measures[0]]
    whole = measure.per_innings or measure.name in _WHOLE
    if whole and (set(query.by) | {f.key for f in query.filters}) & set(PART_OF_INNINGS):
        return False
    muddled = {"result": ("wins", "losses", "win_percent", "matches"), "toss": ("tosses_won", "tosses_lost")}
    return is_sound(query) and not any(measure.name in muddled.get(d, ()) for d in query.by)
