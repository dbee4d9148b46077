"""Builds the questions and answers of a season: data/seasons/<season>/qa/{train,validation,test}.jsonl, from a seed.

    python -m data qa --season ipl_2024

The phrasings of train and validation are composed; those of the test split come from exams/test.txt, most often with
held-out players, and training sees neither.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tqdm import tqdm

from data.atomic_write import atomic_write
from data.dataset.card import card
from data.dataset.leakage import EXAMS, NEAR, TEST_PHRASES, LeakageGuard
from data.dataset.record import Record, RecordBuilder
from data.errors import DataError
from data.phrasing.phrase_files import expand, read_pairs
from data.season import SEASONS
from data.text import plain

SPLITS = ("train", "validation", "test")
SIZES = {"train": 6000, "validation": 300, "test": 600}  # records


class DatasetError(DataError):
    """The dataset cannot be built; the message says what is missing."""


def build(
    season: str,
    seed: int = 2024,
    sizes: Mapping[str, int] = SIZES,
    folder: Path = SEASONS,
    phrases: Path = TEST_PHRASES,
    people: Path = EXAMS,
    progress: bool = True,
) -> dict[str, list[Record]]:
    """The records of each split. Raises DatasetError where `phrases`, the test split's, are missing."""
    if not phrases.exists():
        raise DatasetError(
            f"{phrases} is missing: it holds the phrasings of the test split, one `question => line` on each line"
        )
    builder = RecordBuilder(season, folder)
    trained = LeakageGuard(plain(expand(q, random.Random(seed))) for q, _ in builder.book.pairs)
    test = _held_out_stream(builder, read_pairs(phrases), seed)
    made = {"test": list(_take(test, sizes["test"], progress, "test", trained, set()))}
    exams = LeakageGuard.of_exams(phrases, people, seed).joined(LeakageGuard(r.linked for r in made["test"]))
    seen: set[str] = set()
    for split, offset in (("validation", 1), ("train", 2)):
        stream = _composed_stream(builder, split, random.Random(seed * 10 + offset))
        made[split] = list(_take(stream, sizes[split], progress, split, exams, seen))
    return {split: made[split] for split in SPLITS}


def _composed_stream(builder: RecordBuilder, split: str, rng: random.Random) -> Iterator[Record | None]:
    """Endless records of composed phrasings."""
    while True:
        phrasing = builder.book.sample(rng)
        yield builder.build(phrasing.question, phrasing.line, split, rng)


def _held_out_stream(builder: RecordBuilder, pairs: list[tuple[str, str]], seed: int) -> Iterator[Record | None]:
    """A record of each held-out pair, then of each again with other names, up to 20 times."""
    rng = random.Random(seed * 10)
    for _ in range(20):
        for question, line in rng.sample(pairs, len(pairs)):
            yield builder.build(plain(expand(question, rng)), line, "test", rng)


def _take(
    stream: Iterable[Record | None],
    count: int,
    progress: bool,
    split: str,
    guard: LeakageGuard,
    seen: set[str],
) -> Iterator[Record]:
    """The first `count` records that are new and not near a question of `guard`; `seen` is added to."""
    with tqdm(total=count, desc=f"qa {split}", disable=not progress, mininterval=1) as bar:
        taken = 0
        for record in stream:
            if taken == count:
                return
            key = record and (record.linked if split == "validation" else record.question.lower())
            if record is None or key in seen or guard.is_near(record.linked):
                continue
            seen |= {record.linked, record.question.lower()} if split == "validation" else {record.question.lower()}
            taken += 1
            bar.update()
            yield record


def write(made: Mapping[str, list[Record]], folder: Path) -> None:
    """Write the split files."""
    for split, records in made.items():
        atomic_write(folder / f"{split}.jsonl", "".join(r.as_json() + "\n" for r in records))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m data qa", description=__doc__.split("\n")[0])
    parser.add_argument("--season", default="ipl_2024", help="name of the season (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2024, help="of the random choices (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder to write, default data/seasons/<season>/qa")
    parser.add_argument("--heldout", type=Path, default=TEST_PHRASES, help="phrasings of the test split")
    for split, size in SIZES.items():
        parser.add_argument(f"--{split}", type=int, default=size, help=f"records, default {size}")
    args = parser.parse_args(arguments)
    out = args.out or SEASONS / args.season / "qa"
    try:
        made = build(args.season, args.seed, {s: getattr(args, s) for s in SPLITS}, phrases=args.heldout)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write(made, out)
    atomic_write(out / "DATA_CARD.md", card(made, args.season, args.seed, NEAR))
    size = sum(p.stat().st_size for p in out.glob("*.jsonl"))
    print(f"{out}: " + ", ".join(f"{len(r)} {s}" for s, r in made.items()) + f"; {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
