"""The retriever: a question's names are linked, the model writes a query line, the statistics engine computes it.

Knows nothing about the wording of answers or about HTTP.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import replace
from datetime import date

from agents.coverage import left_out
from agents.messages import ASK_BACK, DECLINED, Planned, Refusal, Retrieved
from agents.model import Generation, TextModel
from data.linking.linker import Linker
from data.linking.mention import ABSENT, AMBIGUOUS, FOUND, Context, Linked, Mention, Outcome
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook
from data.prompts import plan_messages
from data.query import Plan, Query, QueryError, Statistics, parse
from data.query.grammar import gbnf
from data.query.language import FILTERS, MEASURES
from data.query.line import Filter
from data.season import Season
from data.text import plain

MAX_PLAN_TOKENS = 96
REDRAWS, REDRAW_TEMPERATURE = 4, 0.7  # when the first plan leaves a name or number of the question out
_ROLE_KINDS = {"P": "player", "T": "team", "V": "venue"}


class RetrieverAgent:
    """Plans with a model, computes without one."""

    def __init__(self, season: Season, statistics: Statistics | None = None, lexicon: frozenset[str] | None = None):
        self.season = season
        self.statistics = statistics or Statistics(season)
        self.names = Names.for_season(season)
        self.linker = Linker(self.names, lexicon if lexicon is not None else Phrasebook.load().words())

    def link(self, question: str) -> Linked:
        return self.linker.link(question)

    def refuse_early(self, linked: Linked) -> Refusal | None:
        """Questions that name what the season does not have need no plan."""
        for mention in linked.mentions:
            if mention.kind == "season":
                if self._in_future(mention):
                    return Refusal(
                        DECLINED, f"I can't predict: I only know what happened in {self.season.title}.", "prediction"
                    )
                return Refusal(
                    DECLINED, f"I only have data on {self.season.title}: {mention.text} is outside it.", "other_season"
                )
        for mention in linked.mentions:
            if mention.status == ABSENT and mention.kind in ("player", "team", "date"):
                outcome = self.names.resolve(mention, mention.kind)
                return Refusal(
                    DECLINED, outcome.suggestion or f"{mention.text} is not in {self.season.title}.", "absent_name"
                )
        return None

    def _in_future(self, mention: Mention) -> bool:
        years = [int(y) for y in re.findall(r"20\d\d", " ".join((*mention.candidates, mention.text)))]
        return bool(years and min(years) > self.season.year) or "next" in mention.text.lower()

    async def plan(self, linked: Linked, model: TextModel, deadline_s: float | None = None) -> Planned:
        """The model's query line, decoded under the grammar of the placeholders present."""
        text = plain(linked.text)
        grammar = gbnf(p for p in linked.by_placeholder() if p[0] in "PTVD")

        began = time.monotonic()

        def draw(temperature: float = 0.0, seed: int | None = None):
            left = None if deadline_s is None else max(0.001, deadline_s - (time.monotonic() - began))
            return model.generate(plan_messages(text), grammar=grammar, max_tokens=MAX_PLAN_TOKENS,
                                  deadline_s=left, temperature=temperature, seed=seed)  # fmt: skip

        first = await draw()
        plans = [_parsed(first)]
        if first.finish_reason != "deadline" and (plans[0] is None or left_out(plans[0], text)):
            draws = (draw(REDRAW_TEMPERATURE, seed) for seed in range(1, REDRAWS + 1))
            more = await asyncio.gather(*draws, return_exceptions=True)  # where none has room, the first counts
            plans += [_parsed(generation) for generation in more if isinstance(generation, Generation)]
        readable = [plan for plan in plans if plan is not None]
        if not readable:
            raise QueryError(f"no query line in {first.text!r}")
        votes = Counter(map(str, readable))
        # least left out, then most often drawn, then the first drawn
        best = min(enumerate(readable), key=lambda ip: (left_out(ip[1], text), -votes[str(ip[1])], ip[0]))[1]
        return Planned(linked, text, best, first)

    def retrieve(self, planned: Planned) -> Retrieved | Refusal:
        """Resolve the names in their roles, then compute."""
        plan = planned.plan
        if plan.decline:
            return Refusal(DECLINED, decline_sentence(plan.decline, self.season.title), plan.decline)
        mentions = planned.linked.by_placeholder()
        keys: dict[tuple[str, str], tuple[str, ...]] = {}
        for query in plan.queries:
            for f in query.filters:
                if FILTERS[f.key].takes not in _ROLE_KINDS:
                    continue
                for value in f.values:
                    outcome = self._resolve(mentions, f, value, query)
                    if outcome.status != FOUND:
                        return self._refusal(outcome)
                    keys[f.key, value] = outcome.candidates
        dates = {p: m.candidates for p, m in mentions.items() if m.kind == "date"}

        def resolve(key: str, value: str) -> tuple[str, ...]:
            other = {"batter": "bowler", "bowler": "batter"}.get(key, key)
            return keys.get((key, value)) or keys.get((other, value)) or dates.get(value) or (value,)

        try:
            tables = [self.statistics.answer(query, resolve) for query in plan.queries]
            for i, query in enumerate(plan.queries):
                swapped = _swapped(query) if not tables[i].rows else None  # "bumrah v kohli": the bowler came first
                if swapped and (other := self.statistics.answer(swapped, resolve)).rows:
                    tables[i] = other
                    plan = replace(plan, queries=(*plan.queries[:i], swapped, *plan.queries[i + 1 :]))
        except QueryError as error:
            return Refusal(DECLINED, f"I can't compute that: {error}.", "not_computable")
        names = self._shown(plan, mentions, keys)
        return Retrieved(replace(planned, plan=plan), _with_names(plan, names), tuple(tables), names)

    def _resolve(self, mentions: dict[str, Mention], f: Filter, value: str, query: Query) -> Outcome:
        mention = mentions.get(value)
        if mention is None:  # a name typed into a query line
            return getattr(self.names, _ROLE_KINDS[FILTERS[f.key].takes])(value)
        others = {"team": [], "opponent": [], "batter": [], "bowler": []}
        for other in query.filters:
            if other.key in others and other.key != f.key:
                for name in other.values:
                    if name in mentions and mentions[name].status == FOUND:
                        others[other.key] += mentions[name].candidates
        context = Context(*(tuple(others[k]) for k in ("team", "opponent", "batter", "bowler")))
        role = "bowler" if f.key == "player" and MEASURES[query.measures[0]].source == "bowl" else f.key
        return self.names.resolve(mention, role, context)

    def _refusal(self, outcome: Outcome) -> Refusal:
        if outcome.status == AMBIGUOUS:
            shown = tuple(self.names.display(k) for k in outcome.candidates)
            return Refusal(ASK_BACK, outcome.suggestion, "ambiguous_name", shown)
        reason = "absent_name" if outcome.status == ABSENT else "unknown_name"
        return Refusal(DECLINED, outcome.suggestion, reason)

    def _shown(self, plan: Plan, mentions: dict[str, Mention], keys: dict) -> dict[str, str]:
        """What each placeholder is called in answers."""
        shown: dict[str, str] = {}
        for (key, value), found in keys.items():
            several = key == "venue" and len(found) > 1
            shown[value] = (
                mentions[value].text.title() if several and value in mentions else self.names.display(found[0])
            )
        for name, mention in mentions.items():
            if name not in shown:
                shown[name] = self.names.display(mention.candidates[0]) if mention.candidates else mention.text
            if mention.kind == "date" and mention.candidates:
                shown[name] = _day(mention.candidates[0])
        return shown


def _parsed(generation: Generation) -> Plan | None:
    """The plan without what is said twice; None where the line was cut off, though it may read as if it were whole."""
    if generation.finish_reason != "stop":
        return None
    try:
        plan = parse(generation.text)
    except QueryError:
        return None
    queries = (replace(q, measures=tuple(dict.fromkeys(q.measures))) for q in plan.queries)
    return replace(plan, queries=tuple(dict.fromkeys(queries)))


def _swapped(query: Query) -> Query | None:
    """A duel with batter and bowler exchanged, or None if the query is no duel."""
    batter, bowler = query.filter("batter"), query.filter("bowler")
    if not (batter and bowler and batter.op == bowler.op == "=") or "batter" in query.by or "bowler" in query.by:
        return None
    exchanged = {batter: replace(bowler, key="batter"), bowler: replace(batter, key="bowler")}
    return replace(query, filters=tuple(exchanged.get(f, f) for f in query.filters)).canonical()


def decline_sentence(reason: str, title: str) -> str:
    return {
        "prediction": f"I can't predict the future: I only know what happened in {title}.",
        "other_season": f"I can't answer that: I only have data on {title}.",
        "not_recorded": f"I can't answer that: the ball-by-ball record of {title} does not hold it.",
        "opinion": f"I can't give opinions: I only compute figures of {title}.",
        "off_topic": f"I can't help with that: I only answer questions about the cricket of {title}.",
    }[reason]


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


def _with_names(plan: Plan, names: dict[str, str]) -> str:
    queries = tuple(
        replace(q, filters=tuple(replace(f, values=tuple(names.get(v, v) for v in f.values)) for f in q.filters))
        for q in plan.queries
    )
    return str(replace(plan, queries=queries))
