"""Training examples for the base model: plans of composed phrasings, answers over computed tables.

    python -m data.dataset.pretraining --season ipl_2023 --count 40000 --out runs/pretrain/answers.jsonl

writes a pool of answers on one or more seasons, from which `examples(seed, pool)` draws.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from data.dataset.binding import Binder, Binding
from data.dataset.examples import Example, read, write
from data.dataset.leakage import LeakageGuard
from data.errors import DataError
from data.phrasing.composer import Phrasebook
from data.phrasing.followups import FollowUp, FollowUps
from data.phrasing.templates import Phrasing
from data.prompts import answer_messages, follow_up_messages, plan_messages
from data.query import QueryError, Statistics, parse
from data.season import load
from data.wording.sentence import sentence
from data.wording.sheet import MODEL_ROWS, sheet


FOLLOW_UP_SHARE = 0.15


def plan_example(phrasing: Phrasing) -> Example:
    """The example that a phrasing is."""
    return Example(plan_messages(phrasing.question), phrasing.line, "plan")


def follow_up_example(follow_up: FollowUp) -> Example:
    """The example that a follow-up is."""
    prompt = follow_up_messages(follow_up.previous, follow_up.leaders, follow_up.words)
    return Example(prompt, follow_up.line, "follow")


def examples(
    seed: int,
    pool: Sequence[Example] = (),
    answer_share: float = 0.08,
    book: Phrasebook | None = None,
    exams: LeakageGuard | None = None,
) -> Iterator[Example]:
    """Endless plans and follow-ups, none of them near a question of the exams, and answers drawn from `pool`."""
    rng = random.Random(seed)
    book = book or Phrasebook.load()
    exams = exams or LeakageGuard.of_exams()
    follow_ups = FollowUps.load(book)
    while True:
        if pool and rng.random() < answer_share:
            yield rng.choice(pool)
        elif rng.random() < FOLLOW_UP_SHARE:
            if not exams.is_near((follow_up := follow_ups.sample(rng)).words):
                yield follow_up_example(follow_up)
        elif not exams.is_near((phrasing := book.sample(rng)).question):
            yield plan_example(phrasing)


def answer_examples(seed: int, seasons: Sequence[str], folder: Path | None = None) -> Iterator[Example]:
    """Endless answers: a composed question, bound to names of one of `seasons`, computed and worded."""
    rng = random.Random(seed)
    book, exams = Phrasebook.load(), LeakageGuard.of_exams()
    loaded = [Statistics(load(name, *([folder] if folder else []))) for name in seasons]
    binders = [(statistics, Binder(statistics)) for statistics in loaded]
    while True:
        phrasing = book.sample(rng)
        plan = parse(phrasing.line)
        if plan.decline or exams.is_near(phrasing.question):
            continue
        statistics, binder = rng.choice(binders)
        binding = binder.bind(plan, rng)
        try:
            tables = [statistics.answer(q, _Bound(binding)) for q in plan.queries]
        except QueryError:
            continue
        layout = sheet(tables)
        if max(layout.rows) > MODEL_ROWS:
            continue
        prompt = answer_messages(phrasing.question, phrasing.line, layout.text)
        yield Example(prompt, sentence(tables, layout, rng), "answer")


@dataclass(frozen=True)
class _Bound:
    """The statistics' `resolve(key, value)` over a binding."""

    binding: Binding

    def __call__(self, key: str, value: str) -> tuple[str, ...]:
        return self.binding.get(value, (value,))


def read_pool(path: Path) -> list[Example]:
    """The answers that this module's command wrote. Raises DataError where there is no such file."""
    if not path.is_file():
        raise DataError(
            f"no {path}: import other seasons (python -m data import), then make it with "
            f"`python -m data.dataset.pretraining --season ipl_2023 --season ... --count 24000 --out {path}`"
        )
    return read(path)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--season", action="append", required=True, help="a season to compute answers on; repeatable")
    parser.add_argument("--folder", type=Path, help="folder of the seasons, default data/seasons")
    parser.add_argument("--count", type=int, default=40_000, help="answers to make (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="of the random choices (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="file to write, JSONL")
    args = parser.parse_args(arguments)
    stream = answer_examples(args.seed, args.season, args.folder)
    write(tqdm(islice(stream, args.count), total=args.count, desc="answers"), args.out)


if __name__ == "__main__":
    main()
