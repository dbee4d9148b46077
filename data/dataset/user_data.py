"""A user's own questions and answers as a dataset of three splits, to examine closed-book learning with.

    python -m data.dataset.user_data questions.csv --out data/mine

writes data/mine/{train,validation,test}.jsonl, to train on with `python -m train --data data/mine`. Such questions are
closed-book: the model learns the answers themselves, without a query line or a table. To make a model that answers from
the file, train on the file itself: `python -m train --data questions.csv`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from data.atomic_write import atomic_write
from data.dataset import user_files
from data.dataset.user_files import UserRow
from data.errors import SourceError

SPLITS = ("train", "validation", "test")
KIND = "closed_book"


def read(path: Path) -> list[UserRow]:
    """The questions of a file, two at least. Raises SourceError naming every row that cannot be used."""
    return list(user_files.read(path, strict=True, least=2).rows)


def records(questions: list[UserRow]) -> dict[str, list[dict[str, Any]]]:
    """Records by split, chosen by a hash of the question.

    A tenth (one at least) is for validation; of ten questions or more another tenth is for the test.
    """
    order = sorted(questions, key=lambda q: hashlib.sha256(q.question.encode()).hexdigest())
    tenth = max(1, len(order) // 10)
    cut = {
        "validation": order[:tenth],
        "test": order[tenth : 2 * tenth] if len(order) >= 10 else [],
        "train": order[2 * tenth :] if len(order) >= 10 else order[tenth:],
    }
    return {split: [_record(q, split) for q in cut[split]] for split in SPLITS}


def _record(q: UserRow, split: str) -> dict[str, Any]:
    digest = hashlib.sha256(f"{q.question}|{q.answer}".encode()).hexdigest()[:12]
    return {
        "id": digest,
        "question": q.question,
        "query": None,
        "table": None,
        "answer": q.answer,
        "kind": KIND,
        "split": split,
    }


def write(path: Path, out: Path) -> dict[str, int]:
    """Read `path` and write its splits into the folder `out`; returns the number of records in each."""
    made = records(read(path))
    for split, rows in made.items():
        atomic_write(out / f"{split}.jsonl", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows))
    return {split: len(rows) for split, rows in made.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m data.dataset.user_data", description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path, help="file with a question and an answer column")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for train.jsonl, validation.jsonl and test.jsonl"
    )
    args = parser.parse_args(arguments)
    try:
        counts = write(args.file, args.out)
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{args.out}: " + ", ".join(f"{n} {split}" for split, n in counts.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
