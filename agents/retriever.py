"""The retriever: links a question's names, has the model write a query line, and computes the line's tables."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from agents import confidence
from agents.coverage import (
    exceptions_dropped,
    groups_dropped,
    left_out,
    not_said,
    people_dropped,
    several_dropped,
)
from agents.knowledge import Found, Knowledge
from agents.messages import ASK_BACK, DECLINED, Before, Planned, Refusal, Retrieved
from agents.model import Generation, TextModel
from agents.numbers import numbers_made_up, put_right
from agents.repairs import repaired
from data.ask import ask
from data.dataset.knowledge import Row
from data.linking.linker import Linker
from data.linking.mention import ABSENT, AMBIGUOUS, FOUND, Linked, Mention, Outcome
from data.linking.resolve_plan import resolve_plan, shown_names
from data.linking.resolver import Names
from data.phrasing.composer import Phrasebook
from data.phrasing.implications import made_up, parts_of, unmet
from data.prompts import follow_up_messages, plan_messages
from data.query import Plan, Query, QueryError, Statistics, StatTable, parse
from data.query.engine import Resolve
from data.query.grammar import gbnf
from data.query.language import MEASURES
from data.query.query import EVERYWHERE
from data.query.sources import PLAYER_KEYS
from data.season import Season
from data.text import PLACEHOLDER, plain

MAX_PLAN_TOKENS = 96
REDRAWS, REDRAW_TEMPERATURE = 4, 0.7  # where the first plan is in doubt
# A line with which fewer than AGREEING of SAMPLES agree is a guess, more often wrong than right (docs/experiments.md).
# Where one of FEW agrees, no more are drawn.
FEW, SAMPLES, AGREEING, SAMPLE_TEMPERATURE = 2, 6, 2, 0.8


class Doubt(NamedTuple):
    """What speaks against a query line, worst first."""

    not_computable: bool
    left_out: int  # names, numbers, telling words that the line has nothing of; what it has that is not there
    empty: bool  # no row, or nothing but zeros
    unlikely: bool  # more probably wrong than `confidence.LIMIT`


NO_DOUBT = Doubt(False, 0, False, False)
_SPEAKS_AGAINST = (left_out, unmet, exceptions_dropped, people_dropped, groups_dropped, several_dropped, not_said)
# words that ask for all seasons, whatever is loaded, and those that ask for one after all
_ALL_SEASONS = re.compile(
    r"\b(?:all (?:the |his |their )?(?:ipl )?seasons|(?:every|each) (?:ipl )?season)\b"
    r"|\bcareer\b(?!-? ?(?:best|high|low)|-)"
    r"|\ball[ -]time\b|\b(?:ipl|league|all|tournament) history\b|\b(?:all|over) (?:the |these )?years\b|\blifetime\b"
)
_THIS_SEASON = re.compile(
    r"\b(?:this|is|current|the|ths|last|latest) (?:ipl |tournament |league )?"
    r"(?:season|saal|year|edition|campaign|tournament|term|time|szn)\b(?! average)"
    r"|\b(?:this|current|latest) ipl\b|\bso far\b"
)
# words that ask for all seasons where several are loaded
_EVER = re.compile(
    r"\b(?:ever|since (?:his|their|its) (?:debut|beginning|birth)|came into being"
    r"|(?:in|of) (?:what|which) (?:year|season)"
    r"|(?:which|best|worst|two|three) (?:of (?:his|their) )?(?:years|seasons))\b"
)
_IN_THE_LEAGUE = re.compile(r"\b(?:in|of) (?:the )?ipl\b|\bipl (?:me|mein)\b|\bhow many times ha(?:s|ve) T\d\b")
_A_YEAR = re.compile(r"\bY\d|\bipl season\b")
# said of what is suggested; the figure is not, since it would be read as the answer
WITHOUT = "Without that condition I can compute it."
OF_THIS_SEASON = "For this season alone I can compute it."
_OF_ONE_SEASON = frozenset("stage nth_match last_matches nth_innings last_innings half match month".split())
_TELL_SEASON = ("season", "date", "after", "before", "from", "to")  # filters that say which season is meant


class RetrieverAgent:
    """Plans with a model, computes without one. `lexicon`: the words of the phrasings that the model was trained on."""

    def __init__(
        self, season: Season, statistics: Statistics | None = None, lexicon: frozenset[str] | None = None
    ) -> None:
        self.season: Season = season
        self.statistics: Statistics = statistics or Statistics(season)
        self.names: Names = Names.for_season(season)
        self.lexicon: frozenset[str] = lexicon if lexicon is not None else Phrasebook.load().words()
        self.linker = Linker(self.names, self.lexicon)
        self.knowledge: Knowledge | None = None  # of a user's file

    def know(self, rows: Sequence[Row]) -> None:
        """Answer from the rows of a user's file, too."""
        self.knowledge = Knowledge(rows, self.linker) if rows else None

    def look_up(self, question: str, linked: Linked) -> Found | None:
        """The row of the user's file that asks the same; None where there is none, or no file."""
        return self.knowledge.find(question, linked) if self.knowledge else None

    def link(self, question: str) -> Linked:
        """The names, days and seasons of a question."""
        return self.linker.link(question)

    def refuse_early(self, linked: Linked) -> Refusal | None:
        """The refusal of a question that names what the season does not have, which needs no plan."""
        title, years = self._about(), self.season.title
        for mention in linked.mentions:
            if mention.kind == "season" and mention.status != FOUND:
                if self._is_in_future(mention):
                    return Refusal(DECLINED, f"I can't predict: I only know what happened in {title}.", "prediction")
                return Refusal(DECLINED, f"I only have data on {years}: {mention.text} is outside it.", "other_season")
        for mention in linked.mentions:
            if mention.status == ABSENT and mention.kind in ("player", "team", "date"):
                outcome = self.names.resolve(mention, mention.kind)
                return Refusal(DECLINED, outcome.suggestion or f"{mention.text} is not in {title}.", "absent_name")
        return None

    def _about(self) -> str:
        """What the figures are about: "IPL 2024", or "the IPL" where several seasons are loaded."""
        return self.season.title if len(self.season.years) == 1 else f"the {self.season.league}"

    def _is_in_future(self, mention: Mention) -> bool:
        years = [int(y) for y in re.findall(r"20\d\d", " ".join((*mention.candidates, mention.text)))]
        return bool(years and min(years) > self.season.year) or "next" in mention.text.lower()

    async def plan(
        self, linked: Linked, model: TextModel, deadline_s: float | None = None, before: Before | None = None
    ) -> Planned:
        """The model's query line, decoded under the grammar of the placeholders present; of a follow-up after `before`.

        Where the first line is in doubt (see `_doubt`), others are sampled and the best one is taken: it is least in
        doubt, was sampled most often, came first. Then samples say whether the model is sure of it. Raises QueryError
        where none can be read.
        """
        text = plain(linked.text)
        messages = follow_up_messages(before.line, before.leaders, text) if before else plan_messages(text)
        grammar = gbnf(p for p in linked.by_placeholder() if p[0] in "PTVDY")
        began = time.monotonic()

        def draw(temperature: float = 0.0, seed: int | None = None) -> Awaitable[Generation]:
            left_s = None if deadline_s is None else max(0.001, deadline_s - (time.monotonic() - began))
            return model.generate(
                messages,
                grammar=grammar,
                max_tokens=MAX_PLAN_TOKENS,
                deadline_s=left_s,
                temperature=temperature,
                seed=seed,
            )

        def doubt(plan: Plan) -> Doubt:
            return self._doubt(Planned(linked, text, plan, first, before))

        async def more(count: int, temperature: float, seed: int) -> list[Plan | None]:
            draws = (draw(temperature, seed + at) for at in range(count))
            made = await asyncio.gather(*draws, return_exceptions=True)
            # a draw that the engine has no room or time for is left out
            done = (g for g in made if isinstance(g, Generation) and g.finish_reason != "deadline")
            return [_parsed(generation, text, before) for generation in done]

        first = await draw()
        plans = [_parsed(first, text, before)]
        in_time = first.finish_reason != "deadline"
        if in_time and (plans[0] is None or doubt(plans[0]) != NO_DOUBT):
            plans += await more(REDRAWS, REDRAW_TEMPERATURE, 1)
        readable = [plan for plan in plans if plan is not None]
        if not readable:
            raise QueryError(f"no query line in {first.text!r}")
        votes = Counter(map(str, readable))
        best = readable[0]
        if len(readable) > 1:
            best = min(enumerate(readable), key=lambda ip: (doubt(ip[1]), -votes[str(ip[1])], ip[0]))[1]
        samples = plans[1:]
        for size in (FEW, SAMPLES) if in_time and not best.decline else ():
            wanted = size - len(samples)
            if str(best) not in map(str, samples) and _has_room(model, wanted):
                samples += await more(wanted, SAMPLE_TEMPERATURE, 100 + len(samples))
        sure = len(samples) < SAMPLES or sum(str(plan) == str(best) for plan in samples) >= AGREEING
        against = doubt(best)
        # nothing found by a line that leaves something out says nothing; a number that nobody said is a guess
        sure = sure and not (against.left_out and (against.empty or _made_up_numbers(best, text, before)))
        sure = sure and not against.unlikely
        return Planned(linked, text, best, first, before, len(plans), sure)

    def is_sure(self, planned: Planned) -> bool:
        """Whether nothing speaks against a line."""
        return planned.sure and self._doubt(planned) == NO_DOUBT

    def _doubt(self, planned: Planned) -> Doubt:
        """What speaks against a line: it cannot be computed, leaves something of the question out, finds nothing."""
        found = self._computed(planned, widen=False)
        computable = not (isinstance(found, Refusal) and found.reason == "not_computable")
        plan, text = planned.plan, planned.text
        left = sum(len(find(plan, text)) for find in _SPEAKS_AGAINST)
        kept = parts_of(parse(planned.before.line)) if planned.before else frozenset()
        left += sum(part not in kept for part in made_up(plan, text))
        left += len(_made_up_numbers(plan, text, planned.before))
        empty = isinstance(found, Retrieved) and not any(map(_has_figures, found.tables))
        familiar = self.knowledge.familiar if self.knowledge else frozenset()
        unlikely = planned.before is None and confidence.chance_of_error(plan, text, familiar) > confidence.LIMIT
        return Doubt(not computable, left, empty, unlikely)

    def retrieve(self, planned: Planned) -> Retrieved | Refusal:
        """Resolve the names in their roles, then compute.

        A condition that the record does not hold is declined by name. What is left is never told as the answer, but
        suggested as a line of its own where it can be computed.
        """
        found = self._computed(planned)
        if isinstance(found, Refusal) and found.reason == "unsupported" and (line := self._without(planned)):
            return replace(found, sentence=f"{found.sentence} {WITHOUT}", suggestions=(line,))
        if isinstance(found, Retrieved) and self._wants_more_seasons(planned):
            sentence = f"I can't answer that: I only have data on {self.season.title}. {OF_THIS_SEASON}"
            return Refusal(DECLINED, sentence, "other_season", suggestions=(found.line,))
        return found

    def _wants_more_seasons(self, planned: Planned) -> bool:
        """Whether a career's figure is asked where one season is loaded: who won most titles is one, too."""
        everywhere = any(EVERYWHERE in query.filters for query in planned.plan.queries)
        titles = any(q.measures[0] == "titles" and (everywhere or "player" in q.by) for q in planned.plan.queries)
        asked = _ALL_SEASONS.search(planned.text) and not _is_of_one_season(planned)
        return len(self.season.years) == 1 and bool(titles or asked)

    def _without(self, planned: Planned) -> str | None:
        """The line without its unsupported conditions, with names; None where it has no rows when it is typed."""
        queries = tuple(replace(query, unsupported=()) for query in planned.plan.queries)
        found = self._computed(replace(planned, plan=replace(planned.plan, queries=queries)))
        if isinstance(found, Refusal) or not _any_rows(found.tables):
            return None
        try:
            typed = ask(found.line, self.statistics, self.names)
        except QueryError:  # a name that two people share
            return None
        return found.line if [t.rows for t in typed] == [t.rows for t in found.tables] else None

    def _computed(self, planned: Planned, widen: bool = True) -> Retrieved | Refusal:
        """The tables of the plan, or why there are none.

        With `widen`, what the latest of several seasons has nothing of is looked up in all of them, and said to be.
        """
        plan = planned.plan
        if plan.decline:
            title = self.season.title if plan.decline == "other_season" else self._about()
            return Refusal(DECLINED, decline_sentence(plan.decline, title), plan.decline)
        unsupported = [words for query in plan.queries for words in query.unsupported]
        if unsupported:
            return Refusal(DECLINED, _not_held(unsupported, self._about()), "unsupported")
        mentions = planned.linked.by_placeholder()
        keys: dict[tuple[str, str], tuple[str, ...]] = {}
        for name in resolve_plan(plan, mentions, self.names):
            if name.outcome.status != FOUND:
                return self._refusal(name.outcome)
            keys[name.filter, name.value] = name.outcome.candidates

        plan, note = self._within_seasons(self._over_his_seasons(plan, keys), planned)

        def resolve(filter_key: str, value: str) -> tuple[str, ...]:
            exchanged = {"batter": "bowler", "bowler": "batter"}.get(filter_key, filter_key)  # see _exchanged
            return keys.get((filter_key, value)) or keys[exchanged, value]

        try:
            plan, tables = self._tables(plan, resolve)
            if widen and not _any_rows(tables) and self._may_widen(planned):
                everywhere, found = self._tables(_of_all_seasons(plan), resolve)
                if _any_rows(found):
                    note = f"There is none in {self.season.title_of(self.season.year)}. "
                    plan, tables = everywhere, found
        except QueryError as error:
            return Refusal(DECLINED, f"I can't compute that: {error}.", "not_computable")
        names = shown_names(mentions, keys, self.names)
        return Retrieved(replace(planned, plan=plan), _with_names(plan, names), tuple(tables), names, note)

    def _may_widen(self, planned: Planned) -> bool:
        """Whether a question that says nothing of seasons may be one about all of them."""
        keys = {f.key for query in planned.plan.queries for f in query.filters}
        of_several = len(self.season.years) > 1 and planned.before is None
        return of_several and not keys & _OF_ONE_SEASON and not _is_of_one_season(planned)

    def _tables(self, plan: Plan, resolve: Resolve) -> tuple[Plan, list[StatTable]]:
        """The tables of a plan; of a batter against a bowler who never met with the two exchanged, if these did."""
        tables = [self.statistics.answer(query, resolve) for query in plan.queries]
        for i, query in enumerate(plan.queries):
            other = _exchanged(query) if not tables[i].rows else None
            if other and (table := self.statistics.answer(other, resolve)).rows:
                tables[i] = table
                plan = replace(plan, queries=(*plan.queries[:i], other, *plan.queries[i + 1 :]))
        return plan, tables

    def _within_seasons(self, plan: Plan, planned: Planned) -> tuple[Plan, str]:
        """The plan over what is loaded, and what is said before the answer: which season it is about.

        Where only one season is loaded, a wish for all of them is left out; where several are, "in the IPL" without a
        year is one, and so are "ever" and a career.
        """
        if len(self.season.years) > 1:
            everywhere_asked = any(p.search(planned.text) for p in (_IN_THE_LEAGUE, _ALL_SEASONS, _EVER))
            if everywhere_asked and not _is_of_one_season(planned):
                plan = _of_all_seasons(plan)
            told = any("season" in q.by or any(f.key in _TELL_SEASON for f in q.filters) for q in plan.queries)
            return plan, "" if told else f"{self.season.title_of(self.season.year)}: "
        if not any(EVERYWHERE in query.filters for query in plan.queries):
            return plan, ""
        queries = (replace(q, filters=tuple(f for f in q.filters if f != EVERYWHERE)) for q in plan.queries)
        return replace(plan, queries=tuple(queries)), f"I only have data on {self.season.title}. "

    def _over_his_seasons(self, plan: Plan, keys: Mapping[tuple[str, str], tuple[str, ...]]) -> Plan:
        """Over all seasons where the line names none and somebody or a team in it played only in earlier ones."""

        def widened(query: Query) -> Query:
            people = [f for f in query.filters if f.op == "=" and f.key in (*PLAYER_KEYS, "team", "opponent")]
            absent = any(self.names.absence(key) for f in people for v in f.values for key in keys[f.key, v])
            if not absent or query.filter("season") or "season" in query.by:
                return query
            return replace(query, filters=(*query.filters, EVERYWHERE)).canonical()

        return replace(plan, queries=tuple(map(widened, plan.queries)))

    def _refusal(self, outcome: Outcome) -> Refusal:
        if outcome.status == AMBIGUOUS:
            shown = tuple(self.names.display(k) for k in outcome.candidates)
            return Refusal(ASK_BACK, outcome.suggestion, "ambiguous_name", shown)
        reason = "absent_name" if outcome.status == ABSENT else "unknown_name"
        return Refusal(DECLINED, outcome.suggestion, reason)


def _made_up_numbers(plan: Plan, text: str, before: Before | None) -> list[str]:
    """The parts of a line with numbers that neither the question nor the line before it has."""
    return numbers_made_up(plan, f"{text} {before.line}" if before else text)


def _is_of_one_season(planned: Planned) -> bool:
    """Whether a question says which season it is about."""
    return planned.linked.own_season or bool(_THIS_SEASON.search(planned.text) or _A_YEAR.search(planned.text))


def _of_all_seasons(plan: Plan) -> Plan:
    """The plan with each query over all seasons that does not say which."""
    return replace(plan, queries=tuple(map(_over_all, plan.queries)))


def _over_all(query: Query) -> Query:
    """The query over all seasons where it does not say which, and has a figure of several."""
    measure = MEASURES[query.measures[0]]
    of_one = measure.kind in ("fact", "event", "summary") or measure.source in ("table", "lineup", "person")
    if of_one or "season" in query.by or any(f.key in (*_TELL_SEASON, "match", "half") for f in query.filters):
        return query
    return replace(query, filters=(*query.filters, EVERYWHERE)).canonical()


def _any_rows(tables: Sequence[StatTable]) -> bool:
    return any(table.rows for table in tables)


def _has_figures(table: StatTable) -> bool:
    """Whether a table has rows, and in them something that is neither a dimension nor zero."""
    shown = [i for i, column in enumerate(table.columns) if column.role != "dimension"]
    return any(row[i] not in (None, 0) for row in table.rows for i in shown) or bool(table.rows and not shown)


def _has_room(model: TextModel, count: int) -> bool:
    """Whether `count` samples may be drawn: where an engine of our own has slots to spare. Others charge for each."""
    room = getattr(model, "has_room", None)
    return room is not None and bool(room(count))


def _parsed(generation: Generation, text: str, before: Before | None) -> Plan | None:
    """The plan, repaired and without what it says twice; None where the line was cut off, even if it parses."""
    if generation.finish_reason != "stop":
        return None
    try:
        plan = parse(generation.text)
    except QueryError:
        return None
    queries = (
        replace(q, measures=tuple(dict.fromkeys(q.measures)), filters=tuple(dict.fromkeys(q.filters)))
        for q in plan.queries
    )
    plan = replace(plan, queries=tuple(dict.fromkeys(queries)))
    return repaired(put_right(plan, text, before.line if before else ""), text)


def _exchanged(query: Query) -> Query | None:
    """A batter against a bowler with the two exchanged ("bumrah v kohli" names the bowler first); None for others."""
    batter, bowler = query.filter("batter"), query.filter("bowler")
    if not (batter and bowler and batter.op == bowler.op == "=") or "batter" in query.by or "bowler" in query.by:
        return None
    exchanged = {batter: replace(bowler, key="batter"), bowler: replace(batter, key="bowler")}
    return replace(query, filters=tuple(exchanged.get(f, f) for f in query.filters)).canonical()


def _not_held(unsupported: list[str], title: str) -> str:
    """What the reply says of conditions that the record does not hold."""
    said = " or ".join(f'"{words}"' for words in dict.fromkeys(unsupported))
    return f"I can't answer that: the record of {title} does not hold {said}."


def decline_sentence(reason: str, title: str) -> str:
    """What the reply says where the plan declines for one of `data.query.language.DECLINES`."""
    return {
        "prediction": f"I can't predict the future: I only know what happened in {title}.",
        "other_season": f"I can't answer that: I only have data on {title}.",
        "not_recorded": f"I can't answer that: the ball-by-ball record of {title} does not hold it.",
        "opinion": f"I can't give opinions: I only compute figures of {title}.",
        "off_topic": f"I can't help with that: I only answer questions about the cricket of {title}.",
        "chat": "Glad to help! Ask me about any player, team or match.",
    }[reason]


def _with_names(plan: Plan, names: dict[str, str]) -> str:
    """The plan's line with names instead of placeholders."""

    def named(value: str) -> str:
        return PLACEHOLDER.sub(lambda m: names.get(m[0], m[0]), names.get(value, value))

    queries = tuple(
        replace(
            query,
            filters=tuple(replace(f, values=tuple(map(named, f.values))) for f in query.filters),
            place=query.place and named(query.place),
        )
        for query in plan.queries
    )
    return str(replace(plan, queries=queries))
