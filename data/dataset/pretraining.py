"""Training texts for the base: plans from composed phrasings, answers over computed tables. `samples(seed, pool)`.

Knows nothing about tokenizers or models.

    python -m data.dataset.pretraining --season ipl_2023 --season ipl_2021 --count 40000 --out runs/pretrain/answers.jsonl
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from data.dataset.binding import Binder, Binding
from data.dataset.leakage import Apart
from data.errors import DataError
from data.phrasing.composer import Example, Phrasebook
from data.prompts import Messages, answer_messages, plan_messages
from data.query import QueryError, Statistics, parse
from data.season import load
from data.wording.sentence import sentence
from data.wording.sheet import MODEL_ROWS, sheet


@dataclass(frozen=True)
class Sample:
    """A prompt and what the model should write after it."""

    messages: Messages
    completion: str
    kind: str  # plan | answer


def plan_sample(example: Example) -> Sample:
    return Sample(plan_messages(example.question), example.line, "plan")


def samples(seed: int, pool: Sequence[Sample] = (), answer_share: float = 0.08, book: Phrasebook | None = None,
            exams: Apart | None = None) -> Iterator[Sample]:  # fmt: skip
    """Endless plans, none of them near a question of the exams, and answers drawn from `pool`."""
    rng = random.Random(seed)
    book = book or Phrasebook.load()
    exams = exams or Apart.of_exams()
    while True:
        if pool and rng.random() < answer_share:
            yield rng.choice(pool)
        elif not exams.near((example := book.sample(rng)).question):
            yield plan_sample(example)


def answer_samples(seed: int, seasons: Sequence[str], folder: Path | None = None) -> Iterator[Sample]:
    """Endless answers: a composed question, bound to names of one of `seasons`, computed and put into words."""
    rng = random.Random(seed)
    book, exams = Phrasebook.load(), Apart.of_exams()
    loaded = [Statistics(load(name, *([folder] if folder else []))) for name in seasons]
    binders = [(statistics, Binder(statistics)) for statistics in loaded]
    while True:
        example = book.sample(rng)
        plan = parse(example.line)
        if plan.decline or exams.near(example.question):
            continue
        statistics, binder = rng.choice(binders)
        binding = binder.bind(plan, rng)
        try:
            tables = [statistics.answer(q, _Bound(binding)) for q in plan.queries]
        except QueryError:
            continue
        laid = sheet(tables)
        if max(laid.rows) > MODEL_ROWS:
            continue
        yield Sample(answer_messages(example.question, example.line, laid.text), sentence(tables, laid, rng), "answer")


@dataclass(frozen=True)
class _Bound:
    """What a placeholder stands for, as the statistics ask for it."""

    binding: Binding

    def __call__(self, key: str, value: str) -> tuple[str, ...]:
        return self.binding.get(value, (value,))


def read_pool(path: Path) -> list[Sample]:
    """The answers that this module's command wrote. Raises DataError where they are not there."""
    if not path.is_file():
        raise DataError(
            f"no {path}: import other seasons (python -m data import), then make it with "
            f"`python -m data.dataset.pretraining --season ipl_2023 --season ... --count 24000 --out {path}`"
        )
    return [Sample(**json.loads(line)) for line in path.read_text().splitlines()]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--season", action="append", required=True)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_suffix(".part")
    stream = answer_samples(args.seed, args.season, args.folder)
    with part.open("w") as file:
        for _ in tqdm(range(args.count), desc="answers"):
            file.write(json.dumps(asdict(next(stream))) + "\n")
    part.rename(args.out)


if __name__ == "__main__":
    main()
