"""A dataset of composed examples, to fine-tune a public base on: plans, follow-ups, and answers of other seasons.

    python -m data.dataset.composed --count 40000 --pool runs/pretrain/answers.jsonl --out runs/adapter-text

The same numbers give the same files. No example is near a question of the exams.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from data.dataset.examples import write
from data.dataset.pretraining import examples, read_pool

VALIDATION = 400  # examples
VALIDATION_SEED = 22_000  # added to the seed: another random stream


def write_dataset(out: Path, count: int, pool: Path | None, seed: int) -> None:
    """Write train.jsonl with `count` examples and validation.jsonl. Raises DataError where the pool is missing."""
    answers = read_pool(pool) if pool else []
    for name, size, start in (("validation", VALIDATION, seed + VALIDATION_SEED), ("train", count, seed)):
        write(tqdm(islice(examples(start, answers), size), total=size, desc=name), out / f"{name}.jsonl")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=40_000, help="examples to train on (default: %(default)s)")
    parser.add_argument(
        "--pool", type=Path, help="answers by python -m data.dataset.pretraining; none: without answers"
    )
    parser.add_argument("--seed", type=int, default=77_001, help="of the random choices (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.jsonl and validation.jsonl")
    args = parser.parse_args(arguments)
    write_dataset(args.out, args.count, args.pool, args.seed)


if __name__ == "__main__":
    main()
