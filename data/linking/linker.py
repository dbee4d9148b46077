"""Finds the names in a question: "bumrah economy at the death in 2024?" becomes "P1 economy at the death?" with
P1 = {Bumrah}.

Finds players, teams, grounds, dates and seasons, and writes the question in the plain form that the model reads: lower
case, placeholders in capitals, the season's own year left out, typing errors in ordinary words corrected. Every
occurrence is a `Mention`; the same entity has the same placeholder. Knows nothing about query lines.

    python -m data.linking.linker ipl_2024 "narine or salt, who hit more sixes at eden?"
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace

from data.linking.dates import Calendar, Moment
from data.linking.evidence import NameEvidence, Word, is_initials
from data.linking.fixtures import Fixtures, NamedTeam
from data.linking.index import CURRENT, EARLIER, GIVEN, Alias, plain
from data.linking.mention import ABSENT, AMBIGUOUS, FOUND, KINDS, UNKNOWN, Linked, Mention
from data.linking.resolver import Names
from data.linking.spelling import Speller
from data.season import load

LETTERS = {kind: letter for letter, kind in KINDS.items()} | {"elsewhere": "P"}
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
GROUND_WORDS = (
    "cricket",
    "international",
    "stadium",
    "ground",
    "grounds",
    "sports",
    "academy",
    "association",
    "complex",
)
LONGEST = 9  # words of an alias: a ground's full name
LONGEST_CORRECTED = 4  # words; longer runs are not searched for typing errors


@dataclass(frozen=True)
class Span:
    """Words `first` to `last` (exclusive) of a question read as a name, characters `start` to `end`.

    `alias` is None for a name that nobody has; `edits` counts the typing errors corrected.
    """

    first: int
    last: int
    start: int
    end: int
    alias: Alias | None
    edits: int = 0


class Linker:
    """Links questions to the names of a season. Words of `lexicon` are ordinary and never read as misspelt names."""

    def __init__(self, names: Names, lexicon: frozenset[str] = frozenset()) -> None:
        self.names, self.index = names, names.index
        self.speller = Speller(lexicon)
        self.calendar = Calendar(names.roster.years, names.roster.dates, names.roster.first_season)
        self.fixtures = Fixtures(names.roster.sides)

    def link(self, question: str) -> Linked:
        """The question with its mentions. Never raises; text without names comes back in lower case."""
        moments = self.calendar.find(question)
        words = self._words(question, moments)
        evidence = NameEvidence(question, words, self.index, self.speller.lexicon)
        spans = self._plain_spans(words, evidence)
        spans = self._guarded_spans(words, evidence, spans)
        spans += self._unknown_spans(words, evidence, spans)
        spans = [s for s in spans if s.alias is None or s.alias.kind != "things"]
        repeated = self._repeated_sides(question, spans, moments)
        spans = [s for s in spans if not any(start <= s.start < end for start, end in repeated)]
        mentions = self._number(question, spans, moments)
        own = any(moment.kind == "own" for moment in moments)
        return Linked(self._render(question, words, spans, moments, mentions, repeated), mentions, own)

    # -- finding -----------------------------------------------------------------------------------

    @staticmethod
    def _words(question: str, moments: list[Moment]) -> list[Word]:
        words: list[Word] = []
        for match in WORD.finditer(question):
            if any(m.start < match.end() and match.start() < m.end for m in moments):
                continue
            raw, end, possessive = match[0], match.end(), False
            base = re.split(r"['’](?=s$)", raw, flags=re.I)[0]
            if base != raw:
                possessive, end = True, match.start() + len(base)
            elif question[end : end + 1] in ("'", "’") and raw.endswith("s"):
                possessive = True
            gap = question[words[-1].stop : match.start()] if words else question[: match.start()]
            words.append(Word(base, plain(base).replace(" ", ""), match.start(), end, match.end(), possessive, gap))
        return words

    def _windows(self, words: list[Word], first: int) -> list[int]:
        """Ends of the runs of words from `first` that may be one name, longest first."""
        last = first + 1
        while last < len(words) and last - first < LONGEST and self._joins(words[last - 1], words[last]):
            last += 1
        return list(range(last, first, -1))

    @staticmethod
    def _joins(one: Word, two: Word) -> bool:
        gap = two.gap.strip()
        return not one.possessive and (gap in ("", "-") or (gap == "." and len(one.norm) <= 2))

    def _plain_spans(self, words: list[Word], evidence: NameEvidence) -> list[Span]:
        """Certain names, from left to right, the longest reading of each."""
        spans: list[Span] = []
        at = 0
        while at < len(words):
            span = next(
                (
                    s
                    for s in self._readings(words, at, evidence, spans)
                    if evidence.is_certain(s.first, s.last, s.alias)
                ),
                None,
            )
            if span is None:
                at += 1
                continue
            span = self._with_ground_words(words, span)
            at = span.last
            if (
                spans
                and spans[-1].last == span.first
                and spans[-1].alias.keys == span.alias.keys
                and self._joins(words[span.first - 1], words[span.first])
            ):  # "bhuvi bhuvneshwar"
                span = replace(span, first=spans[-1].first, start=spans[-1].start)
                spans.pop()
            spans.append(span)
        return spans

    def _readings(self, words: list[Word], first: int, evidence: NameEvidence, spans: list[Span]):
        """Spans that begin at a word, longest first: as written, without a plural s, corrected."""
        previous = spans[-1].last if spans else -1
        if words[first].gap == "." and first and len(words[first - 1].norm) == 1:
            return  # inside an abbreviation: the "r.r." of "n.r.r."
        for last in self._windows(words, first):
            norms = [w.norm for w in words[first:last]]
            if last - first > 1 and not evidence.may_begin(first, previous == first):
                continue
            alias = self.index.lookup("".join(norms))
            if alias and last - first == 1 and not self.index.is_one_word(norms[0]):
                alias = None
            edits = 0
            if alias is None and norms[-1].endswith("s") and len(norms[-1]) > 3:
                alias = self.index.lookup("".join(norms)[:-1])
            if alias and last - first > 1 and (alias.rank, alias.level) == (EARLIER, GIVEN):
                alias = None  # "ka runs" is not Karun
            if (
                alias
                and last - first > 1
                and not alias.rank
                and all(evidence.is_ordinary(i) for i in range(first, last))
            ):
                alias = None  # "or am" is not Oram
            if alias is None and last - first <= LONGEST_CORRECTED:
                alias, edits = self._corrected(words, first, last, evidence)
            if alias is not None:
                yield Span(first, last, words[first].start, words[last - 1].end, alias, edits)

    def _corrected(self, words: list[Word], first: int, last: int, evidence: NameEvidence) -> tuple[Alias | None, int]:
        """The name that misspelt words stand for, and the number of edits."""
        may = [evidence.is_correctable(i) for i in range(first, last)]
        run = [w.norm for w in words[first:last]]
        if len(run) == 2 and all(self.index.is_word(n) for n in run):  # "noor ahmed" where Noor Ahmad plays
            near = (
                (self.index.lookup(spelling), edits)
                for spelling, edits in self.index.corrections("".join(run))
                if any(n in spelling and self.index.lookup(n) for n in run)  # "mohit bhai" is not Mahi bhai
            )
            players = (
                n for n in near if n[0] and n[0].rank == CURRENT and n[0].kind == "player" and len(n[0].keys) == 1
            )
            return next(players, (None, 0))
        if not any(may) or not all(m or self.index.is_word(n) or is_initials(n) for m, n in zip(may, run, strict=True)):
            return None, 0
        known = [n for n in run if self.index.is_word(n)]
        for spelling, edits in self.names.variants(run):
            alias = self.index.lookup(spelling) if edits else None
            if alias is None or not all(n in spelling for n in known):
                continue
            if len(run) > 1:
                return alias, edits
            # One misspelt word does not name somebody of another season, and an ordinary word may be nearer.
            if not alias.rank or spelling in self.index.ambiguous_words:
                continue
            ordinary = self.speller.distance(run[0])
            if ordinary is None or edits < ordinary + evidence.expects_name(first):
                return alias, edits
        return None, 0

    def _with_ground_words(self, words: list[Word], span: Span) -> Span:
        """The span of a ground with the "stadium", "cricket ground" or ", <its town>" that follows."""
        if span.alias.kind != "venue":
            return span
        last = end = span.last
        while end < len(words) and words[end].norm in GROUND_WORDS and not words[end].gap.strip():
            end += 1
            last = end if words[end - 1].norm in GROUND_WORDS[2:] else last
        if last < len(words) and words[last].gap.strip() == "," and span.alias.rank and len(span.alias.keys) == 1:
            town = self.index.lookup(words[last].norm)
            if town and town.town and span.alias.keys[0] in self.index.grounds_in(town.town):
                last += 1
        return Span(span.first, last, span.start, words[last - 1].end, span.alias)

    def _guarded_spans(self, words: list[Word], evidence: NameEvidence, spans: list[Span]) -> list[Span]:
        """`spans` with the ordinary words that the sentence supports as names."""
        taken = {i for s in spans for i in range(s.first, s.last)}
        guarded: list[Span] = []
        for first in range(len(words)):
            for last in self._windows(words, first)[-3:]:
                if first in taken or taken & set(range(first, last)):
                    continue
                norm = "".join(w.norm for w in words[first:last])
                plural = norm not in self.index.guarded and norm.endswith("s") and norm[:-1] in self.index.guarded
                alias = self.index.lookup(norm[:-1] if plural else norm)
                if alias and (plural or norm in self.index.guarded):
                    guarded.append(Span(first, last, words[first].start, words[last - 1].end, alias))
                    break
        for span in guarded:
            if any(span.first < s.last and s.first < span.last for s in spans):
                continue
            names = [(s.first, s.last) for s in spans]
            others = [(s.first, s.last) for s in guarded if s is not span]
            if evidence.is_supported(span.first, span.last, names, others):
                spans = sorted([*spans, span], key=lambda s: s.first)
        return spans

    @staticmethod
    def _unknown_spans(words: list[Word], evidence: NameEvidence, spans: list[Span]) -> list[Span]:
        """Spans of capitalised words inside a sentence that are nobody's name."""
        taken = {i for s in spans for i in range(s.first, s.last)}
        return [Span(a, b, words[a].start, words[b - 1].end, None) for a, b in evidence.unknown_names(taken)]

    def _repeated_sides(self, question: str, spans: list[Span], moments: list[Moment]) -> list[tuple[int, int]]:
        """The parts that repeat the sides of a match given by its number, in a question about the default season."""
        if any(moment.kind == "season" for moment in moments):
            return []
        teams = [
            NamedTeam(s.start, s.end, s.alias.keys[0])
            for s in sorted(spans, key=lambda s: s.start)
            if s.alias and s.alias.kind == "team" and len(s.alias.keys) == 1
        ]
        return self.fixtures.repeated(question, teams)

    # -- writing -----------------------------------------------------------------------------------

    def _number(self, question: str, spans: list[Span], moments: list[Moment]) -> tuple[Mention, ...]:
        full = {k for s in spans if s.alias and len(s.alias.keys) == 1 for k in s.alias.keys}
        raw = []
        for span in spans:
            text = question[span.start : span.end]
            if span.alias is None:
                raw.append((span.start, span.end, text, "player", (), UNKNOWN))
                continue
            outcome = self.names.outcome(span.alias, text)
            kind = "player" if span.alias.kind == "elsewhere" else span.alias.kind
            candidates, status = outcome.candidates, outcome.status
            # "Rohit Sharma ... how often did Sharma": the full name says which.
            if status == AMBIGUOUS and len(named := [k for k in candidates if k in full]) == 1:
                candidates, status = tuple(named), FOUND
            raw.append((span.start, span.end, text, kind, candidates, status))
        for moment in moments:
            if moment.kind != "own":
                status = FOUND if moment.known else ABSENT
                text = question[moment.start : moment.end]
                raw.append((moment.start, moment.end, text, moment.kind, moment.values, status))
        labels: dict[tuple, str] = {}
        mentions = []
        for start, end, text, kind, candidates, status in sorted(raw):
            letter = LETTERS[kind]
            entity = (letter, candidates or text.lower())
            if entity not in labels:
                labels[entity] = f"{letter}{1 + sum(e[0] == letter for e in labels)}"
            mentions.append(Mention(labels[entity], text, start, end, kind, candidates, status))
        return tuple(mentions)

    def _render(
        self,
        question: str,
        words: list[Word],
        spans: list[Span],
        moments: list[Moment],
        mentions: tuple[Mention, ...],
        repeated: list[tuple[int, int]],
    ) -> str:
        edits = [(m.start, m.end, f" {m.placeholder} ") for m in mentions]
        edits += [(start, end, " ") for start, end in repeated]
        edits += [(m.start, m.end, " ") for m in moments if m.kind == "own"]
        taken = {i for s in spans for i in range(s.first, s.last)}
        for i, word in enumerate(words):
            if i in taken or self.index.is_word(word.norm):
                continue
            if any(start <= word.start < end for start, end in repeated):
                continue
            if (correct := self.speller.correct(word.norm)) != word.norm:
                edits.append((word.start, word.end, correct))
        out, at = [], 0
        for start, end, text in sorted(edits):
            out += [question[at:start].lower(), text]
            at = end
        text = "".join([*out, question[at:].lower()])
        text = re.sub(r"[’‘]", "'", re.sub(r"[“”]", '"', text))
        text = re.sub(r"\b([PTVDY]\d+)\s*(?:'s?\b|'(?!\w))", r"\1 ", text)  # a possessive adds nothing
        text = re.sub(r"[^\w\s?!.,;:'\"()/&%+*=<>@#-]", " ", text)
        text = re.sub(r"\s+([?!.,;:)])", r"\1", re.sub(r"\s+", " ", text))
        text = re.sub(r"([(])\s+", r"\1", text)
        text = re.sub(r"\(\s*\)", "", re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text))
        return re.sub(r"\s+", " ", re.sub(r"[,;:\s]+([?!.])", r"\1", text)).strip(" ,;:-")


def main(arguments: list[str]) -> None:
    names = Names.for_season(load(arguments[0]))
    linker = Linker(names)
    for question in arguments[1:]:
        linked = linker.link(question)
        print(linked.text)
        for mention in linked.mentions:
            print(
                f"  {mention.placeholder} {mention.text!r} {mention.kind} {mention.status}: "
                + ", ".join(names.display(k) for k in mention.candidates)
            )


if __name__ == "__main__":
    main(sys.argv[1:])
