"""What the words of a question say about its query line: "monday" goes with `weekday=` or `by weekday`.

    python -m data.phrasing.implications       # counts them in composed questions: data/phrases/*.json

A word, or two in a row, implies a set of parts of lines if, in composed questions, nearly every line of a question that
has it has one of these parts, and each part is much more frequent there than elsewhere. Words that a line quotes as
`unsupported` are left out, and so are questions that are declined. A line that has none of the parts which a word of
its question implies has probably dropped a condition.

The other way round, nearly every question whose line has a condition has one of the words that are much more frequent
beside it: that is the condition's evidence. A line with a condition of whose evidence its question has nothing has
probably made it up.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

from tqdm import tqdm

from data.atomic_write import temporary_file
from data.phrasing.composer import PHRASES, Phrasebook
from data.query import Plan, Query, parse
from data.query.language import FILTERS
from data.text import PLACEHOLDER

FILE, EVIDENCE_FILE = PHRASES / "implications.json", PHRASES / "evidence.json"
LIFT = 3.0  # how many times as frequent a part is beside the word as elsewhere
MOST_PARTS = 12
# How often a word has to be seen, and the share of its lines that have one of the parts
SEEN_WORD, COVERED_WORD = 40, 0.985
SEEN_PAIR, COVERED_PAIR = 100, 0.995

# they point at something said before, in a talk at another line
_POINTING = frozenset("he him his she her hers they them their it its uska uske uski unka unke unki".split())
# How often a condition has to be seen, a word beside it, and the share of its questions that have one of the words
SEEN_CONDITION, SEEN_BESIDE, COVERED_CONDITION = 100, 3, 0.96
# conditions whose values are names and numbers may be said in any words
_SAID_ANYHOW = frozenset("batter bowler fielder player team opponent venue partner season date total".split())

_WORD = re.compile(r"[a-z][a-z'-]*[a-z]|[a-z]")


def parts_of(plan: Plan) -> frozenset[str]:
    """The parts of a line by which words are recognised: measures, dimensions, keys, operators, values, clauses."""
    return frozenset(part for query in plan.queries for part in _parts(query))


def _parts(query: Query) -> Iterator[str]:
    for figure in query.measures:
        names = re.split(r"[/%]", figure)
        yield from names
        if len(names) > 1:
            yield figure[len(names[0])]
    yield from (f"by {dimension}" for dimension in query.by)
    for condition in query.filters:
        yield condition.key
        yield f"{condition.key}{condition.op}"
        if condition.op != "=":
            yield condition.op
        yield from (f"{condition.key}={v}" for v in condition.values if v.isidentifier() and not _is_name(v))
    for clause, conditions in (("each", query.each), ("having", query.having)):
        for held in conditions:
            yield from (clause, held.measure, f"{held.measure}{held.op}")
            yield held.op if held.value else "=0"
    if query.rank:
        yield query.rank.kind
        if query.rank.nth:
            yield "nth"
    yield from ("reach",) * (query.reach is not None)
    yield from ("place",) * (query.place is not None)
    yield from ("unsupported",) * bool(query.unsupported)


def _is_name(value: str) -> bool:
    return PLACEHOLDER.fullmatch(value) is not None


def words_of(question: str) -> frozenset[str]:
    """Words and pairs of neighbours of a plain question."""
    found: set[str] = set()
    for run in PLACEHOLDER.sub("\n", question).split("\n"):
        words = _WORD.findall(run)
        found.update(words, map(" ".join, pairwise(words)))
    return frozenset(found)


def unmet(plan: Plan, question: str) -> list[str]:
    """The words of a plain question that imply something of which the plan has nothing; none of one that declines."""
    if plan.decline:
        return []
    parts, implied = parts_of(plan), implications()
    return sorted(word for word in words_of(question) & implied.keys() if not parts & implied[word])


def made_up(plan: Plan, question: str) -> list[str]:
    """The conditions of the plan for which no word of the plain question speaks."""
    if plan.decline:
        return []
    words, known = words_of(question), evidence()
    return sorted(part for part in parts_of(plan) & known.keys() if not words & known[part])


@cache
def evidence() -> dict[str, frozenset[str]]:
    """The words that speak for each condition, as they are kept beside the phrases."""
    return {part: frozenset(words) for part, words in json.loads(EVIDENCE_FILE.read_text(encoding="utf-8")).items()}


@cache
def implications() -> dict[str, frozenset[str]]:
    """The parts of lines that each word implies, as they are kept beside the phrases."""
    return {word: frozenset(parts) for word, parts in json.loads(FILE.read_text(encoding="utf-8")).items()}


Seen = tuple[frozenset[str], frozenset[str]]  # the words of a question, the parts of its line


def read(questions: Iterable[tuple[str, str]]) -> list[Seen]:
    """Words and parts of pairs of a plain question and its line, without those that decline."""
    found = []
    for question, line in questions:
        plan = parse(line)
        if plan.decline:
            continue
        for words in (words for query in plan.queries for words in query.unsupported):
            question = question.replace(words, "\n")
        found.append((words_of(question), parts_of(plan)))
    return found


def count(pairs: Sequence[Seen]) -> dict[str, list[str]]:
    """The implications in these pairs: word -> parts."""
    lines = [parts for _, parts in pairs]
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for at, (words, _) in enumerate(pairs):
        for word in words:
            seen[word].append(at)
    everywhere = Counter(part for parts in lines for part in parts)
    found = {}
    for word in sorted(seen):
        least, covered = (SEEN_PAIR, COVERED_PAIR) if " " in word else (SEEN_WORD, COVERED_WORD)
        if len(seen[word]) >= least and (
            parts := _cover([lines[i] for i in seen[word]], everywhere, len(lines), covered)
        ):
            found[word] = parts
    return {
        word: parts for word, parts in found.items() if not _follows(word, found) and not _POINTING & {*word.split()}
    }


def _cover(beside: list[frozenset[str]], everywhere: Counter[str], total: int, covered: float) -> list[str]:
    """Parts, most frequent first, of which a share of `covered` of the lines has one; none if there are no such."""
    typical = [
        part
        for part, n in Counter(part for parts in beside for part in parts).items()
        if n * total >= LIFT * everywhere[part] * len(beside)
    ]
    left, chosen, allowed = beside, list[str](), (1 - covered) * len(beside)
    while len(left) > allowed and len(chosen) < MOST_PARTS:
        frequent = Counter(part for parts in left for part in parts)
        part = max(typical, key=lambda p: (frequent[p], p), default="")
        if not frequent[part]:
            return []
        chosen.append(part)
        left = [parts for parts in left if part not in parts]
    return chosen if len(left) <= allowed else []


def count_evidence(pairs: Sequence[Seen]) -> dict[str, list[str]]:
    """The evidence in these pairs: condition -> words."""
    everywhere = Counter(word for words, _ in pairs for word in words)
    beside: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
    for words, parts in pairs:
        for part in filter(_is_condition, parts):
            beside[part].append(words)
    found = {}
    for part, questions in sorted(beside.items()):
        if len(questions) < SEEN_CONDITION:
            continue
        least = LIFT * len(questions) / len(pairs)
        near = Counter(word for words in questions for word in words)
        speaks = {word for word, n in near.items() if n >= SEEN_BESIDE and n >= least * everywhere[word]}
        speaks = {word for word in speaks if " " not in word or speaks.isdisjoint(word.split())}
        if sum(not speaks.isdisjoint(words) for words in questions) >= COVERED_CONDITION * len(questions):
            found[part] = sorted(speaks)
    return found


def _is_condition(part: str) -> bool:
    key = re.split(r"[!<>=]", part)[0]
    return (key in FILTERS or part in ("each", "place", "reach")) and key not in _SAID_ANYHOW


def _follows(word: str, found: dict[str, list[str]]) -> bool:
    """Whether a pair says nothing that one of its words does not say."""
    return " " in word and any(set(found.get(part, ("",))) <= set(found[word]) for part in word.split())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=150_000, help="questions to compose (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random choices (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PHRASES, help="folder to write to (default: %(default)s)")
    args = parser.parse_args(arguments)
    book, rng = Phrasebook.load(), random.Random(args.seed)
    made = (book.sample(rng) for _ in tqdm(range(args.count), desc="questions", mininterval=5))
    pairs = read((phrasing.question, phrasing.line) for phrasing in made)
    for file, found in ((FILE, count(pairs)), (EVIDENCE_FILE, count_evidence(pairs))):
        with temporary_file(args.out / file.name) as part:
            part.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        print(f"{args.out / file.name}: {len(found)}")


if __name__ == "__main__":
    main()
