"""Composes questions about streaks, events and overs, and whether something ever happened, from phrases/ranks.yaml.

SequenceTemplates(measures, frames, conditions, ranks).makers  ->  [(weight, maker)]
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from data.phrasing.conditions import Placeholders
from data.phrasing.templates import Maker, Phrasing
from data.phrasing.wide_templates import WideTemplates, fill, whose
from data.query.language import MEASURES
from data.query.line import Filter, Query, Rank, parse

# numbers of conditions on single innings or matches, by measure
_EACH = {"runs>=": [20, 25, 30, 35, 40, 60, 70, 75, 80], "runs<": [5, 10, 15, 20, 25, 30],
         "strike_rate>=": [120, 130, 140, 150, 160, 180, 200], "wickets>=": [2, 3, 4], "economy<": [5, 6, 7, 8, 9],
         "economy>=": [8, 9, 10, 11, 12], "runs_conceded<": [15, 20, 25, 30, 35], "runs_conceded>=": [30, 40, 50],
         "total>=": [150, 160, 170, 180, 200, 220], "total<": [120, 130, 140, 150, 160, 180],
         "team_sixes>=": [5, 6, 8, 10, 12], "conceded<": [140, 150, 160, 180, 200], "conceded>=": [160, 180, 200, 220],
         }  # fmt: skip
_COUNTED = {"bat": "innings", "bowl": "innings_bowled", "team": "innings_played"}  # in which something may happen
_EVENTS = {"six_hit": "sixes", "four_hit": "fours", "wicket_fall": "wickets", "fifty_made": "fifties",
           "hundred_made": "hundreds"}  # fmt: skip
_EVENT_NUMBERS = {"six_hit": [2, 3, 5, 10, 50, 100, 200, 250, 500, 750, 1000],
                  "four_hit": [2, 3, 10, 100, 500, 1000, 1500, 2000], "hundred_made": [2, 3, 4, 5, 8, 10, 12],
                  "wicket_fall": [2, 3, 5, 10, 50, 100, 200, 300, 500, 600],
                  "fifty_made": [2, 3, 4, 5, 8, 10, 20, 25, 50, 75, 100]}  # fmt: skip
# frames that do not suit every event
_EVENT_WORDS = {"six_hit": re.compile(r"banaya|made|scored"), "four_hit": re.compile(r"banaya|made|scored"),
                "wicket_fall": re.compile(r"hit|maara|made|brought up|off whom|scored|banaya|recorded|get a"),
                "fifty_made": re.compile(r"\bhit\b|taken"), "hundred_made": re.compile(r"\bhit\b|taken")}  # fmt: skip
_OVERS = {"over": "bowler", "batter_over": "batter", "run": "batter"}  # sources whose rows are overs or runs of balls


@dataclass
class SequenceTemplates(WideTemplates):
    @property
    def makers(self) -> list[tuple[float, Maker]]:
        """The makers with their weights."""
        overs = [(0.7, self._overs)] if self._over_banks() else []
        return [(3.5, self._streak), (0.5, self._ever), (1.2, self._event), *overs]

    # -- streaks

    def _streak(self, rng: random.Random) -> Phrasing | None:
        """Consecutive innings or matches in which something held: "most ducks in a row"."""
        shape = rng.choices(["did", "most", "current", "things", "things_most"], [26, 20, 14, 18, 22])[0]
        things = shape.startswith("things")
        key = self._condition(rng, "streak_nouns" if things else "streak_did")
        query, n, source = self._each(rng, key)
        entity = "player" if source == "field" else whose(source)
        names, units = Placeholders(), rng.choice(self._units(source))
        frames = self.ranks[{"did": "streak", "most": "streak_most_team" if entity == "team" else "streak_most",
                             "current": "streak_current"}.get(shape, f"streak_{shape}")]  # fmt: skip
        frame = rng.choice(
            frames if things else [f for f in frames if "{do}" not in f or key in self.ranks["streak_do"]]
        )
        if entity == "team":
            frame = re.sub(r"\bhe\b", "they", frame)
        question = frame.replace("{units}", units)
        if things:
            question = question.replace("{things}", rng.choice(self.ranks["streak_nouns"][key]))
        else:
            question = self._done(rng, question, key)
        question = fill(rng, question, n=n, dim=rng.choice(self.frames["dims"][entity]))
        figure = "current_streak" if shape == "current" else "streak"
        if shape in ("most", "things_most"):
            query = replace(query, measures=(figure,), by=(entity,), rank=Rank("top", 1))
        else:
            subject = names.new("T" if entity == "team" else "P")
            question = question.replace("{s}", subject)
            query = replace(query, measures=(figure,), filters=(Filter(entity, "=", (subject,)), *query.filters))
        taken = {"field": "result", "concede": "result", "team": "result"}.get(source, source)
        return self._with_parts(rng, question, query, names, "streak", most=1, source=taken)

    def _condition(self, rng: random.Random, form: str) -> str:
        """A key of the bank that single innings or matches can be asked for."""
        return rng.choice([key for key in self.ranks[form] if MEASURES[re.findall("[a-z_]+", key)[1]].kind != "best"])

    def _each(self, rng: random.Random, key: str) -> tuple[Query, float | None, str]:
        """The `each` condition of a key of the bank (and its filter), the number in it, and the source it is of."""
        condition, _, where = key.removeprefix("each ").partition(" | ")
        n = rng.choice(_EACH[condition.replace("{n}", "")]) if "{n}" in condition else None
        written = condition.replace("{n}", f"{n:g}" if n is not None else "")
        query = parse(f"streak | {where + ' | ' if where else ''}each {written}").queries[0]
        return query, n, MEASURES[query.each[0].measure].source

    def _units(self, source: str) -> list[str]:
        return self.ranks["streak_units"].get(source) or self.ranks["streak_units"]["team"]

    def _done(self, rng: random.Random, question: str, key: str) -> str:
        """With the condition as a verb for {did} or {do}."""
        for form in ("did", "do"):
            words = self.ranks[f"streak_{form}"].get(key)
            if f"{{{form}}}" in question and words:
                question = question.replace(f"{{{form}}}", rng.choice(words))
        return question

    # -- whether it ever happened, when, and how often in an over

    def _ever(self, rng: random.Random) -> Phrasing | None:
        """Whether something ever happened: the number of innings or matches in which it did."""
        key = self._condition(rng, "streak_do")
        query, n, source = self._each(rng, key)
        entity = "player" if source == "field" else whose(source)
        names = Placeholders()
        subject = names.new("T" if entity == "team" else "P")
        question = self._done(
            rng, rng.choice(self.ranks["yes_ever"]).replace("{units}", rng.choice(self._units(source))), key
        )
        question = fill(rng, question, n=n, s=subject)
        measure = _COUNTED.get(source, "matches")
        query = replace(query, measures=(measure,), filters=(Filter(entity, "=", (subject,)), *query.filters))
        taken = "result" if measure == "matches" else source
        return self._with_parts(rng, question, query, names, "yes", most=1, source=taken)

    def _event(self, rng: random.Random) -> Phrasing | None:
        """The first, last or n-th six, wicket, fifty ... of the season."""
        event = rng.choices(list(_EVENTS), [34, 16, 22, 18, 10])[0]
        ones = self.measures.get(event, {}).get("one") or self.measures[_EVENTS[event]].get("one") or ["wicket"]
        kind = rng.choices(["nth", "first", "last"], [60, 24, 16])[0]
        frames = self.ranks["nth_event"] if kind == "nth" else self.frames[kind]
        frame = rng.choice([f for f in frames if not _EVENT_WORDS[event].search(f)])
        n = rng.choice(_EVENT_NUMBERS[event]) if kind == "nth" else 1
        rank = Rank("first", n, nth=True) if kind == "nth" else Rank(kind, 1)
        question = fill(rng, frame, n=n, one=rng.choice(ones))
        most = 1 if n <= 12 else 0  # the 500th of some of them need not exist
        return self._with_parts(rng, question, Query((event,), rank=rank), Placeholders(), "event", most)

    def _over_banks(self) -> list[str]:
        """The measures of whole overs, and of balls in a row, that have phrases."""
        return [m for m in self.measures if m in MEASURES and MEASURES[m].source in _OVERS and self.measures[m]]

    def _overs(self, rng: random.Random) -> Phrasing | None:
        """The most of something in one over, or with balls in a row: "the most expensive over"."""
        name = rng.choice(self._over_banks())
        bank = self.measures[name]
        form = rng.choice([f for f in ("most", "most", "least", "most_n", "ask") if bank.get(f)] or ["noun"])
        if form == "noun" or MEASURES[name].kind != "best":
            return None
        names, n, question = Placeholders(), 1, rng.choice(bank[form])
        if form == "most_n":
            n = rng.choice([3, 3, 5, 5, 10])
        query = Query((name,), rank=Rank("bottom" if form == "least" else "top", n))
        if form == "ask":
            by = "bowler" if name in ("dot_streak", "wicket_streak") else _OVERS[MEASURES[name].source]
            query = replace(query, filters=(Filter(by, "=", (names.new("P"),)),))
        question = fill(rng, question, n=n, s="P1")
        return self._with_parts(rng, question, query, names, "overs", most=1,
                                source="bowl" if MEASURES[name].source == "over" else "bat")  # fmt: skip
