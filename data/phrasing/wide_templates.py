"""Composes questions about ranks, places, numbers of rows and totals reached, from the bank phrases/ranks.yaml.

    WideTemplates(measures, frames, conditions, ranks).makers  ->  [(weight, maker)]

The header of the bank says what its keys mean. data.phrasing.share_templates has rates and shares,
data.phrasing.sequence_templates streaks, splits and questions of yes or no.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import Any

from data.phrasing.conditions import PART_OF_INNINGS, Placeholders
from data.phrasing.levels import level, levels, spoken_ordinal
from data.phrasing.templates import ENTITY, Maker, Phrasing, Templates
from data.query.language import LESS_IS_BETTER, MEASURES, NAMED
from data.query.line import Filter, Having, Query, Rank, parse
from data.query.sources import DISMISSAL_COUNTS
from data.text import number

_UNRANKED = ("position", "lowest_total", "matches")  # a rank of theirs could be meant either way
_PLACES = ("bat", "bowl", "field", "award", "team", "concede", "result", "table", "stand")
_WHICH = ("venue", "opponent", "phase", "position", "over", "match", "team")
_BATTING_ONLY = ("position",)
_COUNT_SIGNS = {"least": ">=", "more": ">", "most": "<=", "less": "<", "exact": "=", "rate_least": ">=",
                "rate_more": ">", "rate_less": "<"}  # fmt: skip
_REACHED = ("runs", "sixes", "fours", "boundaries", "fifty_plus", "fifties", "boundary_runs", "wickets", "dots_bowled",
            "maidens", "catches", "awards", "wins", "team_sixes", "wickets_taken")  # fmt: skip
_OF_INNINGS = ("hat_tricks", "maidens")  # cannot be taken from a part of an innings either
_OF_MATCHES = ("innings", "result", "home", "stage", "toss", "date", "chose")
# filters under which conditions on single innings or matches mean nothing
_MUDDLES = {"wins": ("result", "won_by", "margin"), "losses": ("result", "won_by", "margin"), "tosses_won": ("toss",),
            "tosses_lost": ("toss",), "total": ("total", "target"), "conceded": ("total", "target"),
            "dismissals": ("dismissal",)}  # fmt: skip


@dataclass
class WideTemplates(Templates):
    """`ranks`: frame -> patterns, or a table of units, splits or conditions -> words."""

    ranks: dict[str, Any]

    @property
    def makers(self) -> list[tuple[float, Maker]]:
        """The makers with their weights."""
        return [(6.5, self._nth), (3.5, self._place), (3.5, self._count), (3, self._reach)]

    def _nth(self, rng: random.Random) -> Phrasing | None:
        """Who is second, or at another place, of a ranking: "who has the 3rd most sixes"."""
        if rng.random() < 0.2:
            return self._nth_which(rng)
        direction = rng.choices(["high", "low", "best", "worst", "top", "second"], [28, 12, 14, 6, 26, 14])[0]
        kinds = {"best": ("rate",), "worst": ("rate",), "top": ("count", "rate", "best"),
                 "second": ("count", "rate", "best")}.get(direction, ("count", "rate"))  # fmt: skip
        source = rng.choices(_PLACES, [40, 30, 6, 3, 7, 3, 6, 3, 3])[0]
        name = self.pick(rng, source, *kinds)
        if name is None or name in _UNRANKED:
            return None
        plural = direction in ("high", "low") and rng.random() < 0.75 and self.plural(rng, name)
        frames = self.ranks[
            "second_top"
            if direction == "second"
            else f"nth_{direction}"
            if not plural
            else {"high": "nth_count", "low": "nth_low_count"}[direction]
        ]
        n = 2 if direction == "second" else _place_asked(rng, whose(source))
        question = fill(rng, rng.choice(frames), n=n, noun=plural or rng.choice(self.measures[name]["noun"]))
        _, kind = self._leader_frames(MEASURES[name], "top" if direction == "second" else direction, False)
        query = Query((name,), (whose(source),), rank=Rank(kind, n, nth=True))
        return self._with_parts(rng, question, query, Placeholders(), "nth")

    def _nth_which(self, rng: random.Random) -> Phrasing | None:
        """Which ground, phase, opponent ... is at a place: "which venue had the second most sixes"."""
        source = rng.choices(["bat", "bowl", "team", "concede"], [40, 30, 20, 10])[0]
        entity = whose(source)
        dim = rng.choice([*_WHICH, entity, "team"] if source in ("bat", "bowl") else [*_WHICH, "team"])
        name = self.pick(rng, source, "count", "rate")
        if name is None or name in LESS_IS_BETTER or (source != "bat" and dim in _BATTING_ONLY):
            return None
        plural = rng.random() < 0.75 and self.plural(rng, name)
        n = _place_asked(rng, dim)
        frame = rng.choice(self.ranks["nth_dim_count" if plural else "nth_dim_high"])
        question = fill(rng, frame, n=n, noun=plural or rng.choice(self.measures[name]["noun"]), **self.dim(rng, dim))
        names, query = Placeholders(), Query((name,), (dim,), rank=Rank("top", n, nth=True))
        if dim not in ("match", "team", entity) and rng.random() < 0.3:
            question, query = self._for_subject(rng, question, query, source, names)
        return self._with_parts(rng, question, query, names, "nth", most=1)

    def _place(self, rng: random.Random) -> Phrasing | None:
        """Somebody's place in a ranking: "where does P1 rank for economy"."""
        source = rng.choices(_PLACES[:-1], [42, 30, 7, 4, 6, 3, 5, 3])[0]
        name = self.pick(rng, source, "count", "rate", "best")
        if name is None or name in _UNRANKED:
            return None
        names = Placeholders()
        subject = self._subject(rng, source, names)
        plural = rng.random() < 0.4 and self.plural(rng, name)
        frames = self.ranks["place_count" if plural else "place"]
        if subject.key == "team":
            frames = [f for f in frames if "player" not in f and "logon" not in f]
        noun = plural or rng.choice(self.measures[name]["noun"])
        question = fill(rng, rng.choice(frames), s=subject.values[0], noun=noun)
        query = Query((name,), (subject.key,), place=subject.values[0])
        return self._with_parts(rng, question, query, names, "place", most=1)

    # -- numbers of rows, totals reached

    def _count(self, rng: random.Random) -> Phrasing | None:
        """How many players, teams, matches or grounds satisfy a condition: "how many batters have 400 runs"."""
        if rng.random() < 0.25:
            return self._count_ask(rng)
        source = rng.choices(["bat", "bowl", "field", "award", "team", "result", "table"], [42, 32, 8, 4, 6, 5, 3])[0]
        name = self.pick(rng, source, "count", "rate")
        if name is None:
            return None
        entity = whose(source)
        by = rng.choices([entity, "team", "match", "venue"], [70, 8, 14, 8])[0]
        counted = MEASURES[name].kind == "count"
        noun = self.plural(rng, name) if counted else rng.choice(self.measures[name]["noun"])
        n = level(rng, name, by)
        if noun is None or n is None or (not counted and by != entity):
            return None
        sign = rng.choices(["least", "more", "most", "less", "exact"], [50, 18, 8, 14, 10])[0] if counted else (
            rng.choice(["rate_least", "rate_more", "rate_less"]))  # fmt: skip
        question = fill(rng, rng.choice(self.ranks[f"count_{sign}"]), n=n, noun=noun, **self.dim(rng, by))
        query = Query(("count",), (by,), having=(Having(name, _COUNT_SIGNS[sign], n),))
        return self._with_parts(rng, question, query, Placeholders(), "count", most=1, source=source)

    def _count_ask(self, rng: random.Random) -> Phrasing | None:
        """A number of rows that has an ask of its own: "how many bowlers did T1 use"."""
        key, asks = rng.choice(list(self.ranks["count_asks"].items()))
        n = rng.choice(levels("runs" if "runs>=" in key else "wickets"))
        query = parse("count " + key.replace("=T", "=T1").replace("{n}", str(n))).queries[0]
        question = fill(rng, rng.choice(asks), n=n, T="T1")
        source = MEASURES[query.having[0].measure].source if query.having else {
            "batter": "bat", "bowler": "bowl"}.get(query.by[0], "result")  # fmt: skip
        most = 0 if query.by[0] in ("season", "city") else 1
        return self._with_parts(rng, question, query, Placeholders(question), "count", most, source)

    def _reach(self, rng: random.Random) -> Phrasing | None:
        """Who reached a number, when and how fast: "who was first to 500 runs"."""
        name = rng.choice(_REACHED)
        source = MEASURES[name].source
        noun, by = self.plural(rng, name), "team" if whose(source) == "team" else "player"
        n = min((n for n in (level(rng, name, by), level(rng, name, by)) if n and n > 1), default=None)
        if noun is None or n is None:
            return None
        key = rng.choices(["first", "nth", "all", "innings", "date"], [34, 12, 12, 22, 20])[0]
        frames, k, names = self.ranks[f"reach_{key}"], rng.choice([2, 2, 3, 3, 4, 5, 6, 8, 10]), Placeholders()
        if whose(source) == "team":
            frames = [re.sub(r"\b(?:player|man)\b", "team", f) for f in frames if not re.search(r"\bhe\b|innings", f)]
        if key == "innings" and (source in ("field", "award") or not frames):
            return None
        question = fill(rng, rng.choice(frames), n=n, noun=noun, k_th=spoken_ordinal(rng, k))
        query = Query((name,), reach=int(n))
        if key in ("innings", "date"):
            subject = Filter(whose(source), "=", (names.new("T" if whose(source) == "team" else "P"),))
            question, query = question.replace("{s}", subject.values[0]), replace(query, filters=(subject,))
        else:
            rank = {"first": Rank("first", 1), "nth": Rank("first", k, nth=True)}.get(key)
            query = replace(query, by=(whose(source),), rank=rank)
        return self._with_parts(rng, question, query, names, "reach", most=rng.choice([0, 1]))

    # -- parts

    def pick(self, rng: random.Random, source: str, *kinds: str) -> str | None:
        """A measure of the source and one of the kinds that has a noun; None where there is none."""
        known = [m for m in self.measures_of(source) if MEASURES[m].kind in kinds]
        return rng.choice(known) if known else None

    def plural(self, rng: random.Random, name: str) -> str | None:
        """What a count counts: "sixes", "fifties"; None where the bank has no such word."""
        known = self.measures[name].get("plural")
        return rng.choice(known) if known else None

    def dim(self, rng: random.Random, dim: str) -> dict[str, str]:
        """The words for what a question is split by."""
        return {"dim": rng.choice(self.frames["dims"][dim]), "dims": rng.choice(self.frames["dims_plural"][dim])}

    def _conditioned(
        self, rng: random.Random, query: Query, names: Placeholders, most: int, source: str | None = None
    ) -> tuple[Query, list[str]] | None:
        found = super()._conditioned(rng, query, names, most, source)
        return found if found and is_sound(found[0]) else None


def fill(rng: random.Random, frame: str, n: float | None = None, **marks: str) -> str:
    """The frame with its marks filled: {n} a number, {n_th} its ordinal, the others words; "a" before a vowel is "an".
    Marks that are not given stay."""
    if n is not None:
        digits = n != int(n) or re.search(r"\{n\}[+-]|-\{n\}", frame)
        frame = frame.replace("{n}", f"{n:g}" if digits else number(rng, int(n)))
        frame = frame.replace("{n_th}", spoken_ordinal(rng, int(n)))
    for mark, words in marks.items():
        frame = frame.replace(f"{{{mark}}}", words)
    return re.sub(r"\ba (?=[aeiou](?!ne\b))", "an ", frame)


def is_sound(query: Query) -> bool:
    """Whether the conditions on a question can be computed with what it asks: measures of whole innings take no part of
    one, conditions on single innings no filter that says the same, a total reached and a streak no qualification."""
    keys = {f.key for f in query.filters}
    figures = {part for m in query.measures for part in re.split("[/%]", m)} - {"team", "all"}
    ratio = any(re.search("[/%]", m) for m in query.measures)
    tested = {h.measure for h in (*query.having, *query.each)}
    whole = query.each or any(MEASURES[m].per_innings or m in _OF_INNINGS for m in figures | tested)
    if whole and (keys | set(query.by)) & {*PART_OF_INNINGS, "over"}:
        return False
    if "matches" in figures and ratio and not keys <= {*NAMED, *_OF_MATCHES}:
        return False
    if "dismissal" in keys and not figures | tested <= DISMISSAL_COUNTS:
        return False
    if query.having and (query.reach is not None or query.each):
        return False
    if (query.each or ratio or "count" in figures) and keys & {"score", "haul", "stand"}:
        return False
    if any(re.fullmatch("[A-Z]", v) for f in query.filters for v in f.values):
        return False  # the name of a mark that has no placeholder
    return not any(keys & set(_MUDDLES.get(m, ())) for m in figures | tested)


def whose(source: str) -> str:
    """The dimension that a ranking of the source's measures is of."""
    return "pair" if source == "stand" else ENTITY.get(source, "team")


def _place_asked(rng: random.Random, by: str) -> int:
    """Which place of a ranking is asked for, other than the first."""
    n = rng.choices([2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20], [30, 22, 12, 10, 6, 4, 4, 3, 4, 2, 2, 1])[0]
    return min(n, {"phase": 3, "team": 10, "opponent": 9, "venue": 10}.get(by, 20))
