"""Composes questions from parts: what is asked (`measures.yaml`), how (`frames.yaml`), under which conditions.

    Templates(measures, frames, conditions).makers  ->  [(weight, maker)]

A maker takes a random generator and returns a Phrasing, or None where its parts do not go together. Names are
placeholders throughout.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from data.phrasing.conditions import TAKES, Conditions, Placeholders, is_consistent, with_condition
from data.query.language import LESS_IS_BETTER, MEASURES, Measure
from data.query.line import Filter, Having, Plan, Query, Rank
from data.text import number, plain, renumber

ENTITY = {"bat": "batter", "bowl": "bowler", "field": "fielder", "award": "player"}  # whose figure, by source


_FIGURES = ("count", "rate", "best")
# Linking takes a year together with the words around it that only say that it is a season.
_YEAR = re.compile(r"\b(?:(?:ipl|season|edition) )*(Y\d)(?: (?:ipl|season|edition)\b)*")


@dataclass(frozen=True)
class Phrasing:
    """A question and its query line. `kind` is the maker that it comes from: pair, ask, noun, leader ..."""

    question: str  # plain, with placeholders
    line: str  # canonical query line, or "decline ..."
    kind: str

    @classmethod
    def of(cls, question: str, plan: Plan, kind: str) -> Phrasing:
        """The phrasing in its plain form, with placeholders numbered by their order in the question."""
        return cls(*renumber(_YEAR.sub(r"\1", plain(question)), str(plan.canonical())), kind)


Maker = Callable[[random.Random], Phrasing | None]


@dataclass
class Templates:
    """`measures`: measure -> form (noun, plural, ask ...) -> phrases; `frames`: frame -> patterns."""

    measures: dict[str, dict[str, list[str]]]
    frames: dict
    conditions: Conditions

    @property
    def makers(self) -> list[tuple[float, Maker]]:
        """The makers with their weights."""
        return [
            (12, self._ask), (10, self._nouns), (13, self._leader), (3, self._in_innings), (4, self._compare),
            (2, self._by), (2, self._which), (1, self._threshold), (1.5, self._summary), (3, self._joined),
            (2, self._against),
        ]  # fmt: skip

    def _ask(self, rng: random.Random) -> Phrasing | None:
        """A measure's own question about a subject: "how often did P1 reach fifty"."""
        name, bank = rng.choice(self._by_form["ask"])
        names, measure = Placeholders(), MEASURES[name]
        if measure.kind == "fact":
            return self._fact(rng, name, bank)
        subject = self._subject(rng, measure.source, names)
        question = rng.choice(bank["ask"]).replace("{s}", subject.values[0])
        return self._with_parts(rng, question, Query((name,), filters=(subject,)), names, "ask")

    def _fact(self, rng: random.Random, name: str, bank: dict) -> Phrasing:
        """A fact of one match, named by its stage or its two teams: "who won T1 v T2 at V1"."""
        day, place = rng.random() < 0.3, rng.random() < 0.3
        roll = rng.random()
        if roll < 0.25:
            stage = rng.choice(["final", "qualifier_1", "qualifier_2", "eliminator"])
            words = {"qualifier_1": ["qualifier 1", "q1", "the first qualifier"],
                     "final": ["the final", "the ipl final", "the title decider"],
                     "qualifier_2": ["qualifier 2", "q2", "the second qualifier"],
                     "eliminator": ["the eliminator", "the knockout eliminator"]}[stage]  # fmt: skip
            subject, filters = rng.choice(words), (Filter("stage", "=", (stage,)),)
        else:
            pattern = ["T1 v T2", "T1 vs T2", "T1 and T2", "the T1 T2 game", "T1 against T2", "T1 - T2", "T1 T2",
                       "the match between T1 and T2", "the T1 v T2 match"]  # fmt: skip
            subject, filters = rng.choice(pattern), (Filter("between", "=", ("T1", "T2")),)
            if place:
                venue = rng.choice(["V1", "T3"])
                subject += f" {rng.choice(['at', 'in', 'held at'])} {venue}"
                filters += (Filter("venue", "=", (venue,)),)
            if day:
                subject += f" {rng.choice(['on', 'of', 'dated', ''])} D1"
                filters += (Filter("date", "=", ("D1",)),)
        if "ask" in bank and rng.random() < 0.7:
            question = rng.choice(bank["ask"]).replace("{s}", subject)
            measures: tuple[str, ...] = (name,)
        else:
            others = [
                m for m in ("winner", "margin", "player_of_match", "scores", "date", "venue", "toss") if m != name
            ]
            measures = (name, *rng.sample(others, rng.choice([0, 1, 1, 2])))
            nouns = [rng.choice(self.measures[m]["noun"]) for m in measures]
            question = rng.choice([f"{subject} {_join(rng, nouns)}", f"{_join(rng, nouns)} of {subject}",
                                   f"{subject}: {_join(rng, nouns)}"])  # fmt: skip
        return Phrasing.of(question, Plan((Query(measures, filters=filters),)), "fact")

    def _nouns(self, rng: random.Random) -> Phrasing | None:
        """One to four measures of a subject: "P1's runs, average and strike rate"."""
        source = rng.choices(["bat", "bowl", "team", "result", "field", "concede"], [40, 30, 10, 8, 6, 2])[0]
        known = self.measures_of(source)
        count = rng.choices([1, 2, 3, 4], [45, 30, 18, 7])[0]
        chosen = tuple(rng.sample(known, min(count, len(known))))
        names = Placeholders()
        subject = self._subject(rng, source, names)
        nouns = [rng.choice(self.measures[m]["noun"]) for m in chosen]
        if len(nouns) == 1:
            counted = MEASURES[chosen[0]].kind == "count"
            plural = self.measures[chosen[0]].get("plural")
            if counted and plural and rng.random() < 0.3:
                question = rng.choice(self.frames["of_noun_count"]).replace("{noun}", rng.choice(plural))
            else:
                question = rng.choice(self.frames["of_noun"]).replace("{noun}", nouns[0])
        else:
            question = rng.choice(self.frames["of_nouns"]).replace("{nouns}", _join(rng, nouns))
        question = question.replace("{s}", subject.values[0])
        return self._with_parts(rng, question, Query(chosen, filters=(subject,)), names, "noun")

    def _leader(self, rng: random.Random) -> Phrasing | None:
        """Who had the most or least of something, or the first n of that list."""
        key = rng.choices(["most", "least", "most_n", "least_n", "most_team", "least_team", "noun"],
                          [36, 12, 16, 6, 6, 3, 21])[0]  # fmt: skip
        name, bank = rng.choice(self._by_form[key])
        measure, n = MEASURES[name], 1
        if measure.kind == "fact" or (measure.source == "stand" and key.endswith("team")):
            return None
        if key == "noun":
            if measure.kind == "best":
                return None
            top_n = rng.random() < 0.35
            if measure.kind == "count" and rng.random() < 0.6:
                question, kind = self._counted(rng, bank, top_n)
            else:
                direction = rng.choices(["high", "low", "best", "worst", "top", "bottom"], [26, 14, 22, 8, 22, 8])[0]
                frames, kind = self._leader_frames(measure, direction, top_n)
                question = rng.choice(frames).replace("{noun}", rng.choice(bank["noun"]))
        else:
            kind = "bottom" if key.startswith("least") else "top"
            question = rng.choice(bank[key])
        if "{n}" in question:
            n = rng.choice([2, 3, 3, 4, 5, 5, 6, 7, 8, 10])
            question = question.replace("{n}", number(rng, n))
        by = "team" if key.endswith("team") else ENTITY.get(measure.source, "team")
        if measure.source == "stand":
            by = "pair"
        query = Query((name,), (by,), rank=Rank(kind, n))
        return self._with_parts(rng, question, query, Placeholders(), "leader")

    def _leader_frames(self, measure: Measure, direction: str, top_n: bool) -> tuple[list[str], str]:
        """Frames that ask for a leader, and whether the line says top or bottom."""
        frames = self.frames
        names = {"high": ("top_n_high", "leader_high"), "low": ("top_n_low", "leader_low"),
                 "best": ("top_n_best", "leader_best"), "worst": ("top_n_worst", "leader_worst"),
                 "top": ("top_n", "leader_top"), "bottom": ("bottom_n", "leader_bottom")}  # fmt: skip
        chosen = frames[names[direction][0 if top_n else 1]]
        high = direction in ("high", "best", "top")
        if direction not in ("high", "low") and measure.name in LESS_IS_BETTER:
            high = not high
        return chosen, "top" if high else "bottom"

    def _counted(self, rng: random.Random, bank: dict, top_n: bool) -> tuple[str, str]:
        """A leaderboard of a count: "most sixes", "the three with the most sixes"; and top or bottom."""
        high = top_n or rng.random() < 0.75
        frame = rng.choice(self.frames["top_n_count" if top_n else "leader_high_count" if high else "leader_low_count"])
        return frame.replace("{noun}", rng.choice(bank.get("plural") or bank["noun"])), "top" if high else "bottom"

    def _which(self, rng: random.Random) -> Phrasing | None:
        """In which phase, at which ground, against whom ... there was most or least of something."""
        source = rng.choices(["bat", "bowl", "team"], [45, 30, 25])[0]
        dims = [
            d
            for d in ("venue", "opponent", "phase", "position", "over", "innings", "match")
            if d in self.frames["dims"]
        ]
        dim = rng.choice(dims)
        name = rng.choice([m for m in self.measures_of(source) if MEASURES[m].kind != "best"])
        high, counted = rng.random() < 0.75, MEASURES[name].kind == "count"
        counted = counted and rng.random() < 0.7
        key = ("which_dim_high" if high else "which_dim_low") + ("_count" if counted else "")
        nouns = (counted and self.measures[name].get("plural")) or self.measures[name]["noun"]
        question = rng.choice(self.frames[key]).replace("{noun}", rng.choice(nouns))
        question = question.replace("{dims}", rng.choice(self.frames["dims_plural"][dim]))
        question = question.replace("{dim}", rng.choice(self.frames["dims"][dim]))
        names, query = Placeholders(), Query((name,), (dim,), rank=Rank("top" if high else "bottom", 1))
        if dim != "match" and rng.random() < 0.4:
            question, query = self._for_subject(rng, question, query, source, names)
        return self._with_parts(rng, question, query, names, "which", most=1)

    def _threshold(self, rng: random.Random) -> Phrasing | None:
        """Everybody with n or more of something."""
        source = rng.choices(["bat", "bowl", "field"], [50, 40, 10])[0]
        name = rng.choice([m for m in self.measures_of(source) if MEASURES[m].kind == "count"])
        n = rng.choice(
            {"runs": [200, 300, 400, 500], "balls": [100, 200, 300]}.get(name, [2, 3, 4, 5, 8, 10, 12, 15, 20, 25])
        )
        question = rng.choice(self.frames["threshold_above"])
        question = question.replace(
            "{noun}", rng.choice(self.measures[name].get("plural") or self.measures[name]["noun"])
        )
        query = Query((name,), (ENTITY[source],), having=(Having(name, ">=", n),))
        question = question.replace("{n}", number(rng, n))
        return self._with_parts(rng, question, query, Placeholders(), "threshold", most=1)

    def _summary(self, rng: random.Random) -> Phrasing | None:
        """How a player or team did: the figures that are usually given for it."""
        source, measures = rng.choice([("bat", ("runs", "average", "strike_rate")),
                                       ("bowl", ("wickets", "economy", "bowling_average")),
                                       ("result", ("wins", "losses"))])  # fmt: skip
        names = Placeholders()
        entity = ENTITY.get(source, "team")
        subject = Filter(entity, "=", (names.new("T" if entity == "team" else "P"),))
        question = rng.choice(self.frames[f"summary_{'team' if source == 'result' else source}"])
        question = question.replace("{s}", subject.values[0])
        return self._with_parts(rng, question, Query(measures, filters=(subject,)), names, "summary")

    def _in_innings(self, rng: random.Random) -> Phrasing | None:
        """The most or least of something in one innings."""
        key = rng.choices(["most_inn", "least_inn"], [4, 1])[0]
        name, bank = rng.choice(self._by_form[key])
        by = ENTITY.get(MEASURES[name].source, "team")
        query = Query((name,), (by, "match"), rank=Rank("top" if key == "most_inn" else "bottom", 1))
        return self._with_parts(rng, rng.choice(bank[key]), query, Placeholders(), "innings")

    def _compare(self, rng: random.Random) -> Phrasing | None:
        """Two players or teams by one measure: "who has more sixes, P1 or P2"."""
        source = rng.choices(["bat", "bowl", "team", "result", "field"], [45, 35, 10, 6, 4])[0]
        name = rng.choice(self.measures_of(source))
        frames = self.frames[rng.choice(["compare", "compare", "compare_high", "compare_high", "compare_low",
                                         "compare_better", "compare_worse"])]  # fmt: skip
        names = Placeholders()
        entity = ENTITY.get(source, "team")
        kind = "T" if entity == "team" else "P"
        a, b = names.new(kind), names.new(kind)
        if MEASURES[name].kind == "count" and self.measures[name].get("plural") and rng.random() < 0.5:
            frames = self.frames[rng.choice(["compare_high_count", "compare_high_count", "compare_low_count"])]
            question = rng.choice(frames).replace("{noun}", rng.choice(self.measures[name]["plural"]))
        else:
            question = rng.choice(frames).replace("{noun}", rng.choice(self.measures[name]["noun"]))
        question = question.replace("{a}", a).replace("{b}", b)
        query = Query((name,), (entity,), (Filter(entity, "=", (a, b)),))
        return self._with_parts(rng, question, query, names, "compare", most=1)

    def _by(self, rng: random.Random) -> Phrasing | None:
        """A measure split by phase, ground, opponent ...: "P1's strike rate by phase"."""
        source = rng.choices(["bat", "bowl", "team", "result", "concede"], [35, 25, 25, 10, 5])[0]
        dims = {"bat": ["venue", "opponent", "phase", "position", "innings", "bowling", "team", "over", "hand",
                        "result"],
                "bowl": ["venue", "opponent", "phase", "innings", "hand", "over", "team", "result", "dismissal"],
                "team": ["venue", "opponent", "phase", "innings", "team", "over", "match"],
                "result": ["venue", "opponent", "innings", "team", "toss", "home"],
                "concede": ["venue", "phase", "team", "over", "innings"]}[source]  # fmt: skip
        dim = rng.choice([d for d in dims if d in self.frames["dims"]])
        name = rng.choice(self.measures_of(source))
        names, query = Placeholders(), Query((name,), (dim,))
        with_subject = dim != "team" and rng.random() < 0.7
        question = rng.choice(self.frames["by_dim_subject" if with_subject else "by_dim"])
        question = question.replace("{noun}", rng.choice(self.measures[name]["noun"]))
        question = question.replace("{dims}", rng.choice(self.frames["dims_plural"][dim]))
        question = question.replace("{dim}", rng.choice(self.frames["dims"][dim]))
        if with_subject:
            subject = self._subject(rng, source, names)
            question = question.replace("{s}", subject.values[0])
            query = replace(query, filters=(subject,))
        return self._with_parts(rng, question, query, names, "by", most=1)

    def _joined(self, rng: random.Random) -> Phrasing | None:
        """Two measures of one subject under different conditions, which takes two queries."""
        source = rng.choice(["bat", "bat", "bowl", "team"])
        names = Placeholders()
        subject = self._subject(rng, source, names)
        texts, queries = [], []
        for name in rng.sample(self.measures_of(source), 2):
            query = Query((name,), filters=(subject,))
            part = self.conditions.pick(rng, source, query, names)
            if part is None:
                return None
            query = with_condition(query, part)
            texts.append(f"{rng.choice(self.measures[name]['noun'])} {part.words}")
            queries.append(query)
        if queries[0].filters == queries[1].filters or not all(map(is_consistent, queries)):
            return None
        joined = rng.choice(["{} and {}", "{}, {}", "{} plus {}", "{} & {}", "{}, also {}"]).format(*texts)
        question = rng.choice(
            ["{s} {q}", "{s}'s {q}", "{q} for {s}", "{s}: {q}", "what were {s}'s {q}", "give me {s}'s {q}"]
        )
        question = question.replace("{q}", joined).replace("{s}", subject.values[0])
        return Phrasing.of(question, Plan(tuple(queries)), "joined")

    def _against(self, rng: random.Random) -> Phrasing | None:
        """A batter's line against a bowler."""
        duel = rng.choice(self.frames["duel"]).replace("{a}", "P1").replace("{b}", "P2")
        measures = ("runs", "balls", "dismissals")
        question = duel
        if "{noun" not in duel and rng.random() < 0.7:
            measures = tuple(rng.sample(["runs", "balls", "dismissals", "strike_rate", "fours", "sixes", "dots"],
                                        rng.choice([1, 2, 3, 3])))  # fmt: skip
            nouns = _join(rng, [rng.choice(self.measures[m]["noun"]) for m in measures])
            question = rng.choice(["{d} {n}", "{d}, {n}", "{n} {d}", "{d}: {n}", "{n} in {d}"]).format(d=duel, n=nouns)
        query = Query(measures, filters=(Filter("batter", "=", ("P1",)), Filter("bowler", "=", ("P2",))))
        return self._with_parts(rng, question, query, Placeholders(question), "against", most=1)

    # -- parts

    def measures_of(self, source: str) -> list[str]:
        """Figures of the source that have a noun."""
        return [m.name for m in MEASURES.values()
                if m.source == source and m.kind in _FIGURES and "noun" in self.measures.get(m.name, ())]  # fmt: skip

    @cached_property
    def _by_form(self) -> dict[str, list[tuple[str, dict[str, list[str]]]]]:
        """Form -> the measures that have phrases of it, each with all its phrases."""
        found: dict[str, list[tuple[str, dict[str, list[str]]]]] = {}
        for name, phrases in self.measures.items():
            measure = MEASURES.get(name)
            asked = measure is not None and (
                measure.kind in _FIGURES and measure.source in TAKES or measure.source == "match"
            )
            for form in phrases if asked else ():
                if phrases[form]:
                    found.setdefault(form, []).append((name, phrases))
        return found

    def _subject(self, rng: random.Random, source: str, names: Placeholders) -> Filter:
        """Whose figure is asked for: a new placeholder of a player or a team."""
        entity = ENTITY.get(source, "team")
        if entity != "team" and rng.random() < 0.1 and source in ("bat", "bowl", "field"):
            entity = "team"  # "T1's sixes"
        return Filter(entity, "=", (names.new("T" if entity == "team" else "P"),))

    def _for_subject(
        self, rng: random.Random, question: str, query: Query, source: str, names: Placeholders
    ) -> tuple[str, Query]:
        """A question about everybody, asked of one player or team."""
        subject = self._subject(rng, source, names)
        frame = rng.choice(["{q} for {s}", "for {s} {q}", "{s} {q}", "{q} {s}"])
        question = frame.replace("{q}", question).replace("{s}", subject.values[0])
        return question, replace(query, filters=(subject,))

    def _with_parts(
        self,
        rng: random.Random,
        question: str,
        query: Query,
        names: Placeholders,
        kind: str,
        most: int = 2,
        source: str | None = None,
    ) -> Phrasing | None:
        """The question with up to `most` conditions; None where the query cannot take them together."""
        found = self._conditioned(rng, query, names, most, source)
        return found and Phrasing.of(attach(rng, question, found[1]), Plan((found[0],)), kind)

    def _conditioned(
        self, rng: random.Random, query: Query, names: Placeholders, most: int, source: str | None = None
    ) -> tuple[Query, list[str]] | None:
        """The query with up to `most` conditions that measures of `source` (of its first measure) take, and their
        phrases."""
        source = source or MEASURES[query.measures[0]].source
        phrases: list[str] = []
        for _ in range(min(most, rng.choices([0, 1, 2, 3], [38, 40, 18, 4])[0])):
            part = self.conditions.pick(rng, source, query, names)
            if part:
                query = with_condition(query, part)
                phrases.append(part.words)
        return (query, phrases) if is_consistent(query) else None


def attach(rng: random.Random, question: str, phrases: list[str]) -> str:
    """The question with the conditions' phrases after it or, less often, before it."""
    question = question.rstrip("? ")
    rng.shuffle(phrases)
    front = [p for p in phrases if rng.random() < 0.22]
    back = [p for p in phrases if p not in front]
    return " ".join([*front, question, *back])


def _join(rng: random.Random, words: list[str]) -> str:
    """The words as an enumeration: "runs, average and strike rate"."""
    if len(words) == 1:
        return words[0]
    last = rng.choice([" and ", ", ", " & ", " + ", " n ", " plus ", " and "])
    return ", ".join(words[:-1]) + last + words[-1]
