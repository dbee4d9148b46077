"""The dataset of a run: the examples of a folder with split files. That of a user's file is made in own_file.py.

load(Path("data/seasons/ipl_2024/qa"), answer_share=0.4)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from data.dataset.encoding import ChatTemplateError, EncodedExample, Tokenizer
from data.dataset.encoding import encode as encode_examples
from data.dataset.examples import Example, ExampleError, read
from data.dataset.knowledge import Row
from train.errors import BaseModelError, ExamplesError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """Examples by split; the test split may be empty."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]
    sha256: str  # of the files, or of the rows taken of a user's file
    report: str = ""  # what was taken of a user's file, in Markdown
    own: tuple[Example, ...] = ()  # of a user's file, each row once; `train` has them mixed with others
    rows: tuple[Row, ...] = ()  # of a user's file, as the agents look them up


def load(source: Path, answer_share: float = 1.0, closed_book: bool = False) -> Dataset:
    """Read a folder of split files. Raises ExamplesError.

    `answer_share` keeps that share of the answers in the training split; with `closed_book` each record is one example,
    from the question to the answer.
    """
    files = {split: source / f"{split}.jsonl" for split in SPLITS}
    for split in ("train", "validation"):
        if not files[split].is_file():
            raise ExamplesError(
                f"no {files[split]}: make it with `python -m data qa --season {source.parent.name}`, or name a "
                "folder with train.jsonl and validation.jsonl (or a questions-and-answers file) with --data"
            )
    try:
        splits = {split: read(path, closed_book) if path.is_file() else [] for split, path in files.items()}
    except ExampleError as error:
        raise ExamplesError(str(error)) from None
    if not splits["train"] or not splits["validation"]:
        raise ExamplesError(f"{source}: train.jsonl and validation.jsonl must hold one record at least")
    splits["train"] = [e for i, e in enumerate(splits["train"]) if e.task != "answer" or _draw(i) < answer_share]
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in files.values() if p.is_file())).hexdigest()
    return Dataset(**splits, sha256=digest)


def encode(tokenizer: Tokenizer, examples: list[Example], limit: int) -> list[EncodedExample]:
    """The examples as token ids, without those longer than `limit`. Raises BaseModelError for its chat template."""
    try:
        return [e for e in encode_examples(tokenizer, examples) if len(e.ids) <= limit]
    except ChatTemplateError as error:
        raise BaseModelError(str(error)) from None


def _draw(index: int) -> float:
    """A number from 0 to 1 that depends on the index alone."""
    return int.from_bytes(hashlib.sha256(str(index).encode()).digest()[:4]) / 2**32
