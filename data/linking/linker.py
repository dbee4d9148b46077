"""Mentions in a question: "bumrah economy at the death in 2024?" becomes "P1 economy at the death?" with
P1 = {Bumrah}.

Finds players, teams, grounds, dates and other seasons, and writes the question in the plain form that the
model reads: lower case, placeholders in capitals, this season's own year left out, slips of ordinary
words mended. Every occurrence is a `Mention`; the same entity has the same placeholder. Knows nothing
about query lines.

    python -m data.linking ipl_2024 "narine or salt, who hit more sixes at eden?"
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace

from data.linking.dates import Calendar, Moment
from data.linking.evidence import Sense, Word, is_initials
from data.linking.index import Alias, plain
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
# The longest alias is a ground's full name.
LONGEST = 9
# Longer runs of words are not searched for slips.
LONGEST_MENDED = 4


@dataclass(frozen=True)
class Span:
    """Words `first` to `last` (excluded) of a question read as a name; `start` to `end` in characters."""

    first: int
    last: int
    start: int
    end: int
    alias: Alias | None
    mended: int = 0


class Linker:
    """Links the questions of one season. `lexicon`: the ordinary words of questions, never read as
    misspelt names."""

    def __init__(self, names: Names, lexicon: frozenset[str] = frozenset()) -> None:
        self.names, self.index = names, names.index
        self.speller = Speller(lexicon)
        self.calendar = Calendar(names.roster.years, names.roster.dates)

    def link(self, question: str) -> Linked:
        """The question with its mentions. Never raises; text without names comes back in lower case."""
        moments = self.calendar.find(question)
        words = self._words(question, moments)
        sense = Sense(question, words, self.index, self.speller.lexicon)
        spans = self._plain_spans(words, sense)
        spans = self._guarded_spans(words, sense, spans)
        spans += self._unknown_spans(words, sense, spans)
        spans = [s for s in spans if s.alias is None or s.alias.kind != "things"]
        mentions = self._number(question, spans, moments)
        return Linked(self._render(question, words, spans, moments, mentions), mentions)

    # -- finding -----------------------------------------------------------------------------------

    @staticmethod
    def _words(question: str, moments: list[Moment]) -> list[Word]:
        words: list[Word] = []
        for match in WORD.finditer(question):
            if any(m.start < match.end() and match.start() < m.end for m in moments):
                continue
            raw, end, owned = match[0], match.end(), False
            base = re.split(r"['’](?=s$)", raw, flags=re.I)[0]
            if base != raw:
                owned, end = True, match.start() + len(base)
            elif question[end : end + 1] in ("'", "’") and raw.endswith("s"):
                owned = True
            gap = question[words[-1].stop : match.start()] if words else question[: match.start()]
            words.append(Word(base, plain(base).replace(" ", ""), match.start(), end, match.end(), owned, gap))
        return words

    def _windows(self, words: list[Word], first: int) -> list[int]:
        """Ends of the word runs from `first` that may be one name, longest first."""
        last = first + 1
        while last < len(words) and last - first < LONGEST and self._joins(words[last - 1], words[last]):
            last += 1
        return list(range(last, first, -1))

    @staticmethod
    def _joins(one: Word, two: Word) -> bool:
        gap = two.gap.strip()
        return not one.owned and (gap in ("", "-") or (gap == "." and len(one.norm) <= 2))

    def _plain_spans(self, words: list[Word], sense: Sense) -> list[Span]:
        """Names that need no proof, left to right, the longest first."""
        spans: list[Span] = []
        at = 0
        while at < len(words):
            span = next(
                (s for s in self._readings(words, at, sense, spans) if sense.stands(s.first, s.last, s.alias)),
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

    def _readings(self, words: list[Word], first: int, sense: Sense, spans: list[Span]):
        """Spans from one word on, longest first: exact, plural, then mended."""
        previous = spans[-1].last if spans else -1
        if words[first].gap == "." and first and len(words[first - 1].norm) == 1:
            return  # inside an abbreviation: the "r.r." of "n.r.r."
        for last in self._windows(words, first):
            norms = [w.norm for w in words[first:last]]
            if last - first > 1 and not sense.may_begin(first, previous == first):
                continue
            alias = self.index.lookup("".join(norms))
            if alias and last - first == 1 and not self.index.one_word(norms[0]):
                alias = None
            mended = 0
            if alias is None and norms[-1].endswith("s") and len(norms[-1]) > 3:
                alias = self.index.lookup("".join(norms)[:-1])
            if alias is None and last - first <= LONGEST_MENDED:
                alias, mended = self._mended(words, first, last, sense)
            if alias is not None:
                yield Span(first, last, words[first].start, words[last - 1].end, alias, mended)

    def _mended(self, words: list[Word], first: int, last: int, sense: Sense) -> tuple[Alias | None, int]:
        """The name that misspelt words stand for, and how many slips were mended."""
        may = [sense.mendable(i) for i in range(first, last)]
        run = [w.norm for w in words[first:last]]
        if len(run) == 2 and all(self.index.is_word(n) for n in run):  # "noor ahmed" where Noor Ahmad plays
            near = ((self.index.lookup(spelling), slips) for spelling, slips in self.index.corrections("".join(run)))
            players = (n for n in near if n[0] and n[0].rank and n[0].kind == "player" and len(n[0].keys) == 1)
            return next(players, (None, 0))
        if not any(may) or not all(m or self.index.is_word(n) or is_initials(n) for m, n in zip(may, run, strict=True)):
            return None, 0
        for spelling, slips in self.names.variants(run):
            alias = self.index.lookup(spelling) if slips else None
            if alias is None:
                continue
            if len(run) > 1:
                return alias, slips
            # One word is too little to mean somebody of another season, and an ordinary word may be nearer.
            if not alias.rank or spelling in self.index.delicate:
                continue
            known = self.speller.distance(run[0])
            if known is None or slips < known + sense.names_somebody(first):
                return alias, slips
        return None, 0

    def _with_ground_words(self, words: list[Word], span: Span) -> Span:
        """A ground takes "stadium", "cricket ground" and ", <its town>" along."""
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

    def _guarded_spans(self, words: list[Word], sense: Sense, spans: list[Span]) -> list[Span]:
        """Adds names that are ordinary words where the sentence shows that they are names."""
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
            if sense.shows(span.first, span.last, names, others):
                spans = sorted([*spans, span], key=lambda s: s.first)
        return spans

    @staticmethod
    def _unknown_spans(words: list[Word], sense: Sense, spans: list[Span]) -> list[Span]:
        """Capitalised runs inside a sentence that nobody knows."""
        taken = {i for s in spans for i in range(s.first, s.last)}
        return [Span(a, b, words[a].start, words[b - 1].end, None) for a, b in sense.strangers(taken)]

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
                raw.append((moment.start, moment.end, text, moment.kind, (moment.value,), status))
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
    ) -> str:
        edits = [(m.start, m.end, f" {m.placeholder} ") for m in mentions]
        edits += [(m.start, m.end, " ") for m in moments if m.kind == "own"]
        taken = {i for s in spans for i in range(s.first, s.last)}
        for i, word in enumerate(words):
            if i in taken or self.index.is_word(word.norm):
                continue
            if (better := self.speller.mend(word.norm)) != word.norm:
                edits.append((word.start, word.end, better))
        out, at = [], 0
        for start, end, text in sorted(edits):
            out += [question[at:start].lower(), text]
            at = end
        text = "".join([*out, question[at:].lower()])
        text = re.sub(r"[’‘]", "'", re.sub(r"[“”]", '"', text))
        text = re.sub(r"\b([PTVDY]\d+)\s*(?:'s?\b|'(?!\w))", r"\1 ", text)  # the possessive says nothing more
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
