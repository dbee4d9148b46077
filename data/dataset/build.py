"""The question-and-answer dataset of one season: data/seasons/<season>/qa/{train,validation,test}.jsonl, from
a seed.

    python -m data qa --season ipl_2024

Training and validation compose their phrasings; the test split takes them from `exams/test.txt` and
prefers held-out players, neither of which training sees. Knows nothing about models; a single record is
`data.dataset.record`'s."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tqdm import tqdm

from data.dataset.card import card
from data.dataset.leakage import FAN_QUESTIONS, HELD_OUT_PHRASES, NEAR, Apart
from data.dataset.record import Maker, Record
from data.errors import DataError
from data.phrasing.composer import expand, read_pairs
from data.season import SEASONS
from data.text import plain

SPLITS = ("train", "validation", "test")
SIZES = {"train": 6000, "validation": 300, "test": 600}


class DatasetError(DataError):
    """The dataset cannot be made: says what is missing and which command makes it."""


def make(
    season: str,
    seed: int = 2024,
    sizes: Mapping[str, int] = SIZES,
    folder: Path = SEASONS,
    heldout: Path = HELD_OUT_PHRASES,
    fans: Path = FAN_QUESTIONS,
    progress: bool = True,
) -> dict[str, list[Record]]:
    """All splits. Raises DatasetError without the held-out phrasings."""
    if not heldout.exists():
        raise DatasetError(
            f"{heldout} is missing: it holds the phrasings of the test split, one `question => line` a line"
        )
    maker = Maker(season, folder)
    known = Apart(plain(expand(q, random.Random(seed))) for q, _ in maker.book.pairs)
    test = _heldout(maker, read_pairs(heldout), seed)
    made = {"test": list(_take(test, sizes["test"], progress, "test", known, set()))}
    exams = Apart.of_exams(heldout, fans, seed).joined(Apart(r.linked for r in made["test"]))
    seen: set[str] = set()
    for split, offset in (("validation", 1), ("train", 2)):
        stream = _composed(maker, split, random.Random(seed * 10 + offset))
        made[split] = list(_take(stream, sizes[split], progress, split, exams, seen))
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


def _take(
    stream: Iterable[Record | None],
    count: int,
    progress: bool,
    split: str,
    guard: Apart,
    seen: set[str],
) -> Iterator[Record]:
    """The first `count` records that are there, new, and far from what is kept apart."""
    with tqdm(total=count, desc=f"qa {split}", disable=not progress, mininterval=1) as bar:
        taken = 0
        for record in stream:
            if taken == count:
                return
            key = record and (record.linked if split == "validation" else record.question.lower())
            if record is None or key in seen or guard.near(record.linked):
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


def write_dataset(
    season: str,
    seed: int = 2024,
    sizes: Mapping[str, int] = SIZES,
    out: Path | None = None,
    heldout: Path | None = None,
) -> str:
    """Make a season's splits and data card in `out` (its own folder without one); a line that says what was made."""
    folder = out or SEASONS / season / "qa"
    made = make(season, seed, sizes, heldout=heldout or HELD_OUT_PHRASES)
    write(made, folder)
    (folder / "DATA_CARD.md").write_text(card(made, season, seed, NEAR), encoding="utf-8")
    size = sum(p.stat().st_size for p in folder.glob("*.jsonl"))
    return f"{folder}: " + ", ".join(f"{len(r)} {s}" for s, r in made.items()) + f"; {size / 1e6:.1f} MB"
