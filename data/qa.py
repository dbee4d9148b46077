"""The question-and-answer dataset of one season, reproducible from a seed: `data/seasons/<season>/qa/{train,validation,test}.jsonl`.

    python -m data.qa --season ipl_2024

A phrasing with placeholders gets names of the season in the forms people write, is linked again as it will be when served
(what does not come back as it was meant is dropped), computed and put into words. The test split takes its phrasings from
`phrases/heldout.txt` and prefers held-out players, neither of which training sees. Knows nothing about models.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data.bind import Binder
from data.errors import DataError
from data.linking import Linked, Linker, Mention
from data.nameforms import KINDS, NameForms
from data.names import FOUND, Context, Names
from data.phrasing import PHRASES, Phrasebook, expand, read_pairs
from data.query import QueryError, Statistics, StatTable, parse
from data.query.engine import show
from data.query.language import DECLINES, FILTERS, MEASURES
from data.query.line import Filter, Plan, Query
from data.season import SEASONS, load
from data.text import PLACEHOLDER, plain, renumber
from data.wording import MODEL_ROWS, fill, sentence, sheet

SPLITS = ("train", "validation", "test")
SIZES = {"train": 6000, "validation": 300, "test": 600}
HELD_OUT_SHARE = 0.15  # of the players, by a hash of their id
NEAR = 0.8  # token overlap from which a training question counts as a paraphrase of one that is kept apart
COMPOSED = 2000  # composed phrasings, beside all hand-written ones, that held-out phrasings are compared with
HELD_OUT_PHRASES = PHRASES / "heldout.txt"
FAN_QUESTIONS = Path("tests/fan_questions.jsonl")  # kept apart too, where it is there
_FAMILY = {"bat": "batting", "bowl": "bowling", "field": "fielding", "team": "team", "concede": "team", "result": "results",
           "table": "table", "stand": "partnership", "award": "award", "match": "match"}  # fmt: skip
_AUXILIARY = frozenset("did has have had was is does do were can will would should and or".split())


class DatasetError(DataError):
    """The dataset cannot be made: says what is missing and which command makes it."""


@dataclass(frozen=True)
class Record:
    """One question with all that training and evaluation need. `linked`, `query`, `cells` and `wording` are what the model
    reads and writes; `names` says what the placeholders stand for. `cells` is empty where no model words the answer."""

    id: str
    question: str
    linked: str
    query: str
    names: dict[str, str]
    table: list[dict[str, Any]]
    cells: str
    wording: str
    answer: str
    outcome: str  # answered | ask_back | declined
    kind: str
    split: str
    players: list[str] = field(default_factory=list)  # keys of the players that the question names

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


def held_out(player: str) -> bool:
    """Whether training never sees the player's name."""
    digest = hashlib.sha256(f"held-out:{player}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 < HELD_OUT_SHARE


class Maker:
    """Makes records over one season."""

    def __init__(self, season: str, folder: Path = SEASONS):
        self.season = load(season, folder)
        self.statistics = Statistics(self.season)
        self.binder = Binder(self.statistics)
        self.book = Phrasebook.load()
        self.names = Names.for_season(self.season)
        self.linker = Linker(self.names, self.book.words())
        self.forms = NameForms(self.names)
        self.shared = self.forms.ambiguous_surnames()
        self.nouns = frozenset(plain(n).split()[0] for b in self.book.measures.values() for n in b.get("noun", ()) if n)

    def record(self, question: str, line: str, split: str, rng: random.Random) -> Record | None:
        """A record of the phrasing, None where names, linking or statistics do not work out."""
        plan = parse(line)
        binding = self._binding(question, plan, split, rng)
        if binding is None:
            return None
        text, spans = self._write(question, binding, rng)
        linked = self.linker.link(text)
        swap = _agreement(spans, linked.mentions)
        if swap is None:
            return None
        shown, line = renumber(plain(linked.text), PLACEHOLDER.sub(lambda m: swap.get(m[0], m[0]), str(plan)))
        if shown != plain(linked.text):  # the linker numbers as training does
            return None
        plan = parse(line).canonical()
        players = sorted({k for m in linked.mentions if m.kind == "player" and len(m.candidates) == 1 for k in m.candidates})
        made = self._outcome(plan, linked, {swap[p]: keys for p, keys in binding.items() if p in swap}, shown, rng)
        if made is None:
            return None
        digest = hashlib.sha256(f"{split}|{text}".encode()).hexdigest()[:12]
        return Record(digest, text, shown, str(plan), split=split, players=players, **made)

    # -- names

    def _binding(self, question: str, plan: Plan, split: str, rng: random.Random) -> Mapping[str, str] | None:
        """Keys for the question's placeholders; for training no held-out player, for the test split such a one if it can be."""
        found: dict[str, str] | None = None
        for _ in range(25):
            bound = {p: keys[0] for p, keys in self.binder.bind(plan, rng).items()}
            for kind, number in PLACEHOLDER.findall(question):
                if kind + number not in bound:
                    bound[kind + number] = self._any(kind, rng)
            if not {k + n for k, n in PLACEHOLDER.findall(str(plan))} <= {k + n for k, n in PLACEHOLDER.findall(question)}:
                return None
            if len(set(bound.values())) < len(bound):
                continue
            kept = [held_out(v) for p, v in bound.items() if p[0] == "P"]
            if split == "test":
                found = bound
                if any(kept) or not kept:
                    break
            elif not any(kept):
                found = bound
                break
        if found and rng.random() < 0.02 and not plan.decline:
            people = [p for p in found if p[0] == "P"]
            if len(people) == 1:
                found[people[0]] = rng.choice(self.forms.absent)
        return found

    def _any(self, kind: str, rng: random.Random) -> str:
        anchor = rng.choice(self.binder.anchors)
        years = [y for y in range(2008, 2027) if y not in self.season.years]
        return {"P": rng.choice([anchor.batter, anchor.bowler]), "T": anchor.batting, "V": anchor.venue, "D": anchor.date,
                "Y": str(rng.choice(years))}[kind]  # fmt: skip

    def _write(self, question: str, binding: Mapping[str, str], rng: random.Random) -> tuple[str, dict[tuple[int, int], str]]:
        """The question as somebody types it, and which characters stand for which placeholder."""
        pieces: list[str] = []
        spans: dict[tuple[int, int], str] = {}
        at, length = 0, 0
        written: dict[str, str] = {}

        def add(text: str) -> None:
            nonlocal length
            pieces.append(text)
            length += len(text)

        for m in PLACEHOLDER.finditer(question):
            add(question[at : m.start()])
            name = m[0]
            if name not in written:
                key = binding[name]
                several = key in self.shared and rng.random() < 0.12
                written[name] = self.shared[key].lower() if several else self.forms.write(KINDS[name[0]], key, rng)
            begin = length
            add(written[name])
            spans[begin, length] = name
            after = question[m.end() :].split()[:1]
            before = question[: m.start()].split()[-1:]
            if name[0] in "PT" and after and after[0] in self.nouns and not set(before) & _AUXILIARY and rng.random() < 0.5:
                add("'s" if rng.random() < 0.7 else "s")
            at = m.end()
        add(question[at:])
        text = "".join(pieces)
        if rng.random() < 0.1:
            year = self.season.year
            text += rng.choice([" this season", f" in ipl {year}", f" {year}", f" in IPL {year}", " this year", f" ipl {year}"])
        if rng.random() < 0.3:
            text = text[0].upper() + text[1:]
        if rng.random() < 0.4:
            text += "?"
        return text, spans

    # -- what comes out

    def _outcome(self, plan: Plan, linked: Linked, bound: Mapping[str, str], shown: str, rng: random.Random) -> dict | None:
        names = {p: self._called(m) for p, m in linked.by_placeholder().items()}
        declined = {"names": names, "table": [], "cells": "", "wording": "", "outcome": "declined"}
        if plan.decline:
            return {**declined, "answer": f"{self.season.title} cannot answer that: {DECLINES[plan.decline]}.", "kind": "decline"}
        if any(p[0] == "Y" for p in names):
            return None  # a line that computes something although the question is about another season
        keys: dict[tuple[str, str], tuple[str, ...]] = {}
        mentions = linked.by_placeholder()
        for query in plan.queries:
            for f in query.filters:
                if FILTERS[f.key].takes not in "PTVD":
                    continue
                for value in f.values:
                    mention = mentions.get(value)
                    if mention is None:
                        return None
                    if mention.kind == "date":
                        keys[f.key, value] = mention.candidates
                        continue
                    outcome = self.names.resolve(mention, _role(f, query), _context(f, query, mentions))
                    if outcome.status != FOUND:
                        asks = outcome.status == "ambiguous"
                        if asks and bound.get(value) not in outcome.candidates:
                            return None
                        return {**declined, "answer": outcome.suggestion, "outcome": "ask_back" if asks else "declined",
                                "kind": "ask_back" if asks else "absent"}  # fmt: skip
                    if bound.get(value) not in (*outcome.candidates, *mention.candidates) and f.key != "venue":
                        return None
                    keys[f.key, value] = outcome.candidates
                    if f.key == "venue" and len(outcome.candidates) > 1:
                        names[value] = mention.text.title()
        try:
            tables = [self.statistics.answer(q, lambda key, value: keys.get((key, value), (value,))) for q in plan.queries]
        except QueryError:
            return None
        laid = sheet(tables)
        by_model = max(laid.rows) <= MODEL_ROWS and not set(names) & set(laid.values)
        wording = sentence(tables, laid, rng if by_model else None)
        answer = fill(wording, {**names, **laid.values})
        return {
            "names": names, "table": [_table(t) for t in tables], "cells": laid.text if by_model else "",
            "wording": wording if by_model else "", "answer": answer[0].upper() + answer[1:], "outcome": "answered",
            "kind": _FAMILY[MEASURES[plan.queries[0].measures[0]].source],
        }  # fmt: skip

    def _called(self, mention: Mention) -> str:
        if not mention.candidates:
            return mention.text
        if mention.kind == "date":
            return show(datetime.date.fromisoformat(mention.candidates[0]))
        return self.names.display(mention.candidates[0])


def _role(f: Filter, query: Query) -> str:
    return "bowler" if f.key == "player" and MEASURES[query.measures[0]].source == "bowl" else f.key


def _context(f: Filter, query: Query, mentions: Mapping[str, Mention]) -> Context:
    others: dict[str, list[str]] = {"team": [], "opponent": [], "batter": [], "bowler": []}
    for other in query.filters:
        if other.key in others and other.key != f.key:
            for name in other.values:
                if name in mentions and mentions[name].status == FOUND:
                    others[other.key] += mentions[name].candidates
    return Context(*(tuple(others[k]) for k in ("team", "opponent", "batter", "bowler")))


def _agreement(spans: Mapping[tuple[int, int], str], mentions: Iterable[Mention]) -> dict[str, str] | None:
    """The placeholder that linking gave each of ours; None unless it found just the names that were written."""
    swap: dict[str, str] = {}
    left = dict(spans)
    for mention in mentions:
        ours = [s for s in left if s[0] < mention.end and mention.start < s[1]]
        if len(ours) != 1 or mention.start > ours[0][0] or mention.end < ours[0][1]:
            return None
        name = left.pop(ours[0])
        if swap.setdefault(name, mention.placeholder) != mention.placeholder:
            return None
    return swap if not left and len(set(swap.values())) == len(swap) else None


def _table(table: StatTable) -> dict[str, Any]:
    """The first rows as text: enough to check an answer by eye."""
    return {"columns": [c.name for c in table.columns], "rows": table.texts()[:MODEL_ROWS], "of": len(table.rows)}


# -- splits -----------------------------------------------------------------------------------------------------------


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared tokens of all tokens of two questions (Jaccard)."""
    return len(a & b) / len(a | b) if a or b else 1.0


def tokens(linked: str) -> frozenset[str]:
    return frozenset(linked.split())


class Apart:
    """Questions that must not be in training: exact ones and near paraphrases."""

    def __init__(self, texts: Iterable[str]):
        self.texts = [t for t in {tokens(t) for t in texts} if t]
        self.by_token: dict[str, list[int]] = {}
        for i, text in enumerate(self.texts):
            for token in text:
                self.by_token.setdefault(token, []).append(i)

    def near(self, linked: str) -> bool:
        ours = tokens(linked)
        shared = Counter(i for token in ours for i in self.by_token.get(token, ()))
        return any(n / (len(ours) + len(self.texts[i]) - n) >= NEAR for i, n in shared.items())


def unseen(pairs: list[tuple[str, str]], book: Phrasebook, seed: int) -> list[tuple[str, str]]:
    """The held-out phrasings that no training phrasing comes near: two people can write the same plain question."""
    rng = random.Random(seed)
    known = [plain(expand(q, rng)) for q, _ in book.pairs for _ in range(4 if "|" in q else 1)]
    known += [book.sample(rng).question for _ in range(COMPOSED)]
    guard = Apart(known)
    return [(q, line) for q, line in pairs if not guard.near(plain(expand(q, rng)))]


def make(season: str, seed: int = 2024, sizes: Mapping[str, int] = SIZES, folder: Path = SEASONS,
         heldout: Path = HELD_OUT_PHRASES, fans: Path = FAN_QUESTIONS, progress: bool = True) -> dict[str, list[Record]]:  # fmt: skip
    """All splits. Raises DatasetError without the held-out phrasings."""
    if not heldout.exists():
        raise DatasetError(f"{heldout} is missing: it holds the phrasings of the test split, one `question => line` a line")
    maker = Maker(season, folder)
    pairs = unseen(read_pairs(heldout), maker.book, seed)
    apart = [plain(expand(q, random.Random(seed))) for q, _ in pairs]
    if fans.exists():
        questions = [json.loads(line)["question"] for line in fans.read_text(encoding="utf-8").splitlines()]
        apart += [plain(maker.linker.link(q).text) for q in questions]
    made = {"test": list(_take(_heldout(maker, pairs, seed), sizes["test"], progress, "test", None, set()))}
    guard, seen = Apart([*apart, *(r.linked for r in made["test"])]), set[str]()
    for split, offset in (("validation", 1), ("train", 2)):
        stream = _composed(maker, split, random.Random(seed * 10 + offset))
        made[split] = list(_take(stream, sizes[split], progress, split, guard, seen))
    return {split: made[split] for split in SPLITS}


def _composed(maker: Maker, split: str, rng: random.Random) -> Iterator[Record | None]:
    while True:
        example = maker.book.sample(rng)
        yield maker.record(example.question, example.line, split, rng)


def _heldout(maker: Maker, pairs: list[tuple[str, str]], seed: int) -> Iterator[Record | None]:
    """Every held-out pair, then each again with other names until enough are made."""
    rng = random.Random(seed * 10)
    for _ in range(20):
        for question, line in rng.sample(pairs, len(pairs)):
            yield maker.record(plain(expand(question, rng)), line, "test", rng)


def _take(stream: Iterable[Record | None], count: int, progress: bool, split: str, guard: Apart | None,
          seen: set[str]) -> Iterator[Record]:  # fmt: skip
    """The first `count` records that are there, new, and far from what is kept apart."""
    with tqdm(total=count, desc=f"qa {split}", disable=not progress, mininterval=1) as bar:
        taken = 0
        for record in stream:
            if taken == count:
                return
            key = record and (record.linked if split == "validation" else record.question.lower())
            if record is None or key in seen or (guard and guard.near(record.linked)):
                continue
            seen |= {record.linked, record.question.lower()} if split == "validation" else {record.question.lower()}
            taken += 1
            bar.update()
            yield record


def write(made: Mapping[str, list[Record]], folder: Path) -> None:
    """The split files, each written beside and renamed, and the data card."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, records in made.items():
        part = folder / f".{split}.part"
        part.write_text("".join(r.as_json() + "\n" for r in records), encoding="utf-8")
        part.replace(folder / f"{split}.jsonl")


def card(made: Mapping[str, list[Record]], season: str, seed: int) -> str:
    """The data card, counted from the records."""
    kinds = sorted({r.kind for records in made.values() for r in records})
    counts = {split: Counter(r.kind for r in records) for split, records in made.items()}
    rows = "\n".join(f"| {kind} | " + " | ".join(str(counts[s][kind]) for s in SPLITS) + " |" for kind in kinds)
    total = " | ".join(str(len(made[s])) for s in SPLITS)
    measures = {m for records in made.values() for r in records for q in parse(r.query).queries for m in q.measures}
    unseen = sum(any(map(held_out, r.players)) for r in made["test"])
    about = sum(bool(r.players) for r in made["test"])
    return f"""# Questions and answers about {season}

Made by `python -m data.qa --season {season} --seed {seed}`, the same bytes every time. JSONL, one record a line:

| field | what it is |
|---|---|
| `id`, `split`, `kind` | a hash of the question; train, validation or test; the family of what is asked |
| `question` | as somebody types it, with names in the forms people use |
| `linked` | what the model reads: names found and replaced by placeholders |
| `names`, `players` | what the placeholders stand for; the ids of the players named |
| `query` | the query line over placeholders, what the model writes first |
| `table` | computed by the statistics engine (the first {MODEL_ROWS} rows, `of` says how many there are) |
| `cells`, `wording` | the table as the model reads it, and the sentence over its cells, what the model writes second; empty where no model words the answer |
| `answer`, `outcome` | the sentence with values filled in; answered, ask_back or declined |

## Counts by kind

| kind | train | validation | test |
|---|---:|---:|---:|
{rows}
| **all** | {total} |

{len(measures)} of the {len(MEASURES)} measures of the query line occur.

## Splits

- train and validation: phrasings composed from `data/phrases/` (hand-written pairs, parts and frames, typing slips), names
  drawn from the season's deliveries so that most questions have an answer. No question of validation is in train.
- test: only phrasings of `data/phrases/heldout.txt` (which no training reads) that share less than {NEAR:.0%} of their tokens
  with any hand-written training phrasing and with {COMPOSED:,} composed ones. {HELD_OUT_SHARE:.0%} of the players (a hash of
  their id) are never named in a training question; {unseen} of the {about} test questions that name a player name such a one.
- A training question that shares {NEAR:.0%} or more of its tokens with a test question or with a question of
  `tests/fan_questions.jsonl` is left out; `tests/test_qa.py` proves it.

## Limits

Phrasings are written by the project's authors and composed by rules, not collected from users. Answers are worded from
templates. Every figure is the statistics engine's, so an error there is an error here.

## Source

Ball-by-ball data: Cricsheet (https://cricsheet.org), Open Data Commons Attribution License (ODC-BY 1.0). This dataset is
derived from it and carries the same attribution.
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m data.qa", description=__doc__.split("\n")[0])
    parser.add_argument("--season", default="ipl_2024")
    parser.add_argument("--seed", type=int, default=2024)
    parser.add_argument("--out", type=Path, help="folder to write, default data/seasons/<season>/qa")
    parser.add_argument("--heldout", type=Path, default=HELD_OUT_PHRASES, help="phrasings of the test split")
    for split, size in SIZES.items():
        parser.add_argument(f"--{split}", type=int, default=size, help=f"records, default {size}")
    args = parser.parse_args(arguments)
    out = args.out or SEASONS / args.season / "qa"
    try:
        made = make(args.season, args.seed, {s: getattr(args, s) for s in SPLITS}, heldout=args.heldout)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write(made, out)
    (out / "DATA_CARD.md").write_text(card(made, args.season, args.seed), encoding="utf-8")
    size = sum(p.stat().st_size for p in out.glob("*.jsonl"))
    print(f"{out}: " + ", ".join(f"{len(r)} {s}" for s, r in made.items()) + f"; {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
