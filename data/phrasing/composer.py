"""Composes training questions with their query lines from the phrase files: `Phrasebook.load().sample(rng)`.

Most questions are hand-written pairs, as they stand or with a condition or measure exchanged; the others are put
together from parts (`data.phrasing.templates` and those that extend it). Noise (typos, dropped words, lead-ins) then
imitates typing. Names are placeholders throughout.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from data.phrasing.comparison_templates import ComparisonTemplates
from data.phrasing.conditions import Conditions, Placeholders, is_consistent, with_condition
from data.phrasing.noise import Noise
from data.phrasing.phrase_files import PAIR_FILES, PHRASES, WIDE_FILES, expand, read_bank, read_pairs
from data.phrasing.sequence_templates import SequenceTemplates
from data.phrasing.share_templates import ShareTemplates
from data.phrasing.swaps import Swaps
from data.phrasing.templates import ENTITY, Maker, Phrasing, Templates, attach
from data.phrasing.wide_templates import WideTemplates
from data.query.language import MEASURES
from data.query.line import Plan, Query, parse
from data.text import plain, renumber

PAIR_WEIGHT = 46  # of hand-written pairs, against the weights of Templates.makers
WIDE_WEIGHT = 60  # of those in WIDE_FILES once more: the kinds of question that people ask
ASIDE_SHARE = 0.15  # of questions with something around them that is not asked
GUESSED = {"batter": "player", "bowler": "player", "fielder": "player", "player": "player", "team": "team"}


@dataclass
class Phrasebook:
    """The phrases by file: `pairs` of `*.txt`, and the banks of parts."""

    pairs: list[tuple[str, str]]
    measures: dict[str, dict[str, list[str]]]
    filters: dict[str, dict[str, list[str]]]
    frames: dict
    synonyms: list[list[str]]
    ranks: dict
    wide: list[tuple[str, str]] = field(default_factory=list)
    asides: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path = PHRASES, files: tuple[str, ...] = PAIR_FILES) -> Phrasebook:
        """The phrases of a folder. Raises PhraseFileMissing."""
        pairs = [pair for name in files for pair in read_pairs(folder / name)]
        wide = [pair for name in files if name in WIDE_FILES for pair in read_pairs(folder / name)]
        measures, filters, frames, synonyms, ranks = (
            read_bank(folder / f"{name}.yaml") for name in ("measures", "filters", "frames", "synonyms", "ranks")
        )
        return cls(pairs, measures, filters, frames, synonyms, ranks, wide, read_bank(folder / "asides.yaml"))

    def __post_init__(self) -> None:
        self._conditions = Conditions(self.filters)
        self._swaps = Swaps(self._conditions, self.measures)
        self._templates = Templates(self.measures, self.frames, self._conditions)
        self._noise = Noise(self.frames["openers"], self.frames["closers"], self.synonyms)
        makers: list[tuple[float, Maker]] = [
            (PAIR_WEIGHT, self._pair),
            (WIDE_WEIGHT * bool(self.wide), self._wide_pair),
            *self._templates.makers,
        ]
        for wide in (WideTemplates, ShareTemplates, SequenceTemplates, ComparisonTemplates):
            makers += wide(self.measures, self.frames, self._conditions, self.ranks).makers
        self._weights, self._makers = zip(*makers, strict=True)

    def sample(self, rng: random.Random) -> Phrasing:
        """A random question, as somebody might type it."""
        while True:
            made = rng.choices(self._makers, self._weights)[0](rng)
            if made is not None:
                made = self._with_aside(rng, self._with_tail(rng, made))
                typed = self._noise.typed(rng, made.question)
                if not all(words in typed for words in re.findall(r'"([^"]*)"', made.line)):
                    typed = made.question  # what a line quotes is copied from the question
                question, line = renumber(typed, made.line)
                return replace(made, question=question, line=line)

    def words(self) -> frozenset[str]:
        """Every word of the phrasings: the lexicon against which typing errors are corrected."""
        texts = [q for q, _ in self.pairs]
        for bank in (self.measures, self.filters, self.frames, self.synonyms, self.ranks, self.asides):
            texts += list(_strings(bank))
        found: set[str] = set()
        for text in texts:
            found.update(re.findall(r"[a-z][a-z'-]*[a-z]|[a-z]", plain(re.sub(r"\{\w+\}|[(|)]", " ", text))))
        return frozenset(found)

    def _pair(self, rng: random.Random) -> Phrasing:
        """A hand-written pair as it is, with one more condition, or with a condition or the measure exchanged."""
        return self._varied(rng, *rng.choice(self.pairs))

    def _wide_pair(self, rng: random.Random) -> Phrasing:
        return self._varied(rng, *rng.choice(self.wide))

    def _varied(self, rng: random.Random, question: str, line: str) -> Phrasing:
        question = plain(expand(question, rng))
        plan = parse(line)
        if len(plan.queries) == 1 and _takes_conditions(plan.queries[0]):
            query, roll = plan.queries[0], rng.random()
            changed = None
            if roll < 0.3:
                changed = self._with_condition(rng, question, query)
            elif roll < 0.45:
                changed = self._swaps.condition(rng, question, query)
            elif roll < 0.55:
                changed = self._swaps.measure(rng, question, query)
            if changed:
                return Phrasing.of(changed[0], Plan((changed[1],)), "pair+")
        return Phrasing.of(question, plan, "pair")

    def _with_condition(self, rng: random.Random, question: str, query: Query) -> tuple[str, Query] | None:
        part = self._conditions.pick(rng, MEASURES[query.measures[0]].source, query, Placeholders(question))
        if part is None or not is_consistent(with_condition(query, part)):
            return None
        return attach(rng, question, [part.words]), with_condition(query, part)

    def _with_tail(self, rng: random.Random, phrasing: Phrasing) -> Phrasing:
        """A leaderboard's question with what people add to it: "... and how many", "... and his strike rate"."""
        roll, plan = rng.random(), parse(phrasing.line)
        query = plan.queries[0] if len(plan.queries) == 1 else None
        if roll > 0.25 or query is None or query.rank is None or query.rank.kind not in ("top", "bottom"):
            return phrasing
        if roll < 0.16:
            return Phrasing.of(f"{phrasing.question} {rng.choice(self.frames['tails'])}", plan, phrasing.kind)
        measure = MEASURES[query.measures[0]]
        source = measure.source
        if ENTITY.get(source) not in query.by or len(query.measures) > 1 or source not in ("bat", "bowl"):
            return phrasing
        more = rng.choice([m for m in self._templates.measures_of(source) if m != measure.name])
        widened = replace(query, measures=(measure.name, more))
        if not is_consistent(widened):
            return phrasing
        tail = rng.choice(self.frames["tails_noun"]).replace("{noun}", rng.choice(self.measures[more]["noun"]))
        return Phrasing.of(f"{phrasing.question} {tail}", Plan((widened,)), phrasing.kind)

    def _with_aside(self, rng: random.Random, phrasing: Phrasing) -> Phrasing:
        """The question with what people say around it: a guess of its answer, a remark, a wish of form."""
        if not self.asides or rng.random() > ASIDE_SHARE:
            return phrasing
        plan = parse(phrasing.line)
        roll = rng.random()
        before, after = "", ""
        if roll < 0.5 and (kind := _guessable(plan)):
            guess = rng.choice(self.asides[f"guess_{kind}"])
            after = _filled(rng, guess, Placeholders(phrasing.question))
        elif roll < 0.6:
            after = rng.choice(self.asides["format_after"])
        elif roll < 0.75:
            before = rng.choice(self.asides["remark_before"])
        else:
            after = rng.choice(self.asides["remark_after"])
        return Phrasing.of(f"{before} {phrasing.question} {after}", plan, phrasing.kind)


def _guessable(plan: Plan) -> str | None:
    """What somebody would guess who asks for this: a player, a team, a number; None where nothing simple is asked."""
    query = plan.queries[0] if len(plan.queries) == 1 else None
    if query is None or query.reach or query.place:
        return None
    if query.rank and query.rank.kind in ("top", "bottom"):
        return next((GUESSED[dimension] for dimension in query.by if dimension in GUESSED), None)
    counted = MEASURES[query.measures[0]].kind == "count"
    return "number" if counted and not query.by and not query.rank else None


def _filled(rng: random.Random, guess: str, names: Placeholders) -> str:
    """A guess with names and numbers in its places: names that the question does not have, and any numbers."""
    guess = re.sub(r"\{([PT])\}", lambda m: names.new(m[1]), guess)
    return guess.replace(
        "{N}", str(rng.choice((rng.randrange(2, 20), rng.randrange(20, 100), rng.randrange(100, 900))))
    )


def _takes_conditions(query: Query) -> bool:
    """Whether another condition may be put at the question's end: not after one that is quoted or belongs to a part."""
    plain_figures = all(MEASURES[m].kind in ("count", "rate", "best") for m in query.measures)
    return plain_figures and not (query.unsupported or query.reach or query.place or query.each)


def _strings(value: object) -> Iterator[str]:
    """All strings in nested dictionaries and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for v in value.values():
            yield from _strings(v)
    elif isinstance(value, list):
        for v in value:
            yield from _strings(v)
