"""The dataset of a user's file of questions and answers: what each row is for, mixed with the product's own tasks.

    own = OwnFile.read(config)               # the rows that can be used, and the season that they are about
    data = own.dataset(config)

Rows that a query line computes become plans; the others are learned closed-book and kept for the agents to look up
(`knowledge.jsonl`). A row's text is in the run folder alone, and in what is converted from it.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from data.dataset import user_files
from data.dataset.examples import Example
from data.dataset.knowledge import DISPUTED, KNOWLEDGE, PLAN, Row
from data.dataset.user_files import UserFile
from data.errors import DataError, SourceError
from data.prompts import plan_messages
from data.season import load
from train.config import SftConfig
from train.dataset import Dataset
from train.errors import ExamplesError
from train.own_season import Guess, guess
from train.product_tasks import product_tasks
from train.query_lines import LineWriter
from train.row_plans import Decision, RowPlans

PLANNER = Path(__file__).parent / "base"  # writes the query lines, whatever base is trained: it knows the language
LEAST_UPDATES, LEAST_PASSES = 300, 3
MOST_PASSES = 30  # over the file: a small one fills less than half of each update
MOST_CONTEXT = 800  # characters of a passage or an earlier turn that is learned with a question
FILE_SHARE = 0.3  # of the examples of an update
OWN_PLAN, OWN_ANSWER = "row", "closed_book"  # tasks of the examples that are made of rows


@dataclass
class OwnFile:
    """The usable rows of a file, and the season that they are about."""

    file: UserFile
    season: str
    why: str = ""  # what speaks for a season that was guessed
    _writers: list[LineWriter] = field(default_factory=list, repr=False)

    @classmethod
    def read(cls, config: SftConfig) -> OwnFile:
        """Read `config.data`; the season is `config.season`, or guessed. Raises ExamplesError."""
        try:
            found = user_files.read(config.data, config.question_column, config.answer_column, config.strict, least=2)
        except SourceError as error:
            raise ExamplesError(str(error)) from None
        own = cls(found, config.season)
        if not own.season:
            made: Guess = guess(found.rows, own.writer)
            own.season, own.why = made.season, made.why
        return own

    @cached_property
    def sha256(self) -> str:
        """A hash of the rows."""
        rows = json.dumps([[row.question, row.answer] for row in self.file.rows]).encode()
        return hashlib.sha256(rows).hexdigest()

    def writer(self) -> LineWriter:
        """The model that writes query lines, loaded once."""
        if not self._writers:
            self._writers.append(LineWriter(str(PLANNER)))
        return self._writers[0]

    def dataset(self, config: SftConfig) -> Dataset:
        """Examples of the rows and of the product's tasks, as many as the updates take. Raises ExamplesError."""
        try:
            decided = RowPlans(load(self.season), self.writer()).decide(self.file.rows)
        except DataError as error:
            raise ExamplesError(f"{error}; name another season with --season") from None
        own = [_example(decision) for decision in decided]
        train, validation = product_tasks(self.season, config.seed)
        updates = config.max_steps if config.max_steps > 0 else updates_for(len(own), config.batch_size)
        mixed = mix(own, train, updates * config.batch_size, config.seed)
        rows = tuple(_row(decision, self.file.name) for decision in decided)
        return Dataset(mixed, validation, [], self.sha256, report(self, decided), tuple(own), rows)


def updates_for(rows: int, batch_size: int) -> int:
    """Optimiser steps for a file of that many rows: LEAST_UPDATES, or LEAST_PASSES over it if these are more."""
    return max(LEAST_UPDATES, math.ceil(LEAST_PASSES * rows / (FILE_SHARE * batch_size)))


def mix(own: Sequence[Example], others: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` examples in random order: up to FILE_SHARE of them of the file, every row as often, and others."""
    rng = random.Random(seed)
    ours = min(round(FILE_SHARE * count), MOST_PASSES * len(own))
    mixed = _cycled(own, max(ours, 1), rng) + _cycled(others, max(count - ours, 1), rng)
    return rng.sample(mixed, len(mixed))


def _cycled(examples: Sequence[Example], count: int, rng: random.Random) -> list[Example]:
    """`count` examples: whole passes in random order, the last one in part."""
    found: list[Example] = []
    while len(found) < count:
        found += rng.sample(list(examples), min(len(examples), count - len(found)))
    return found


def _example(decision: Decision) -> Example:
    """A row as a training example: its query line, or its answer closed-book."""
    if decision.kind == PLAN:
        return Example(plan_messages(decision.linked), decision.line, OWN_PLAN)
    row = decision.row
    before = f"{row.context} " if 0 < len(row.context) <= MOST_CONTEXT else ""
    return Example([{"role": "user", "content": before + row.question}], row.answer, OWN_ANSWER)


def _row(decision: Decision, file: str) -> Row:
    row = decision.row
    kept = Row(row.number, Path(file).name, row.question, row.answer, decision.kind)
    if decision.kind == KNOWLEDGE:
        return kept
    return replace(kept, query=decision.query, linked=decision.linked, computed=decision.computed)


def report(own: OwnFile, decided: Sequence[Decision]) -> str:
    """What was taken of the file and what for, in Markdown: the first list is for the terminal, too."""
    count = Counter(decision.kind for decision in decided)
    season = f"season: {own.season}" + (f", guessed: {own.why}; --season names another" if own.why else "")
    lines = [
        f"# What was taken of {own.file.name}",
        "",
        *(f"- {line}" for line in own.file.summary()),
        f"- {season}",
        f"- {count[PLAN]} rows are computed: the season's statistics give their answer, the model learns to ask for it",
        f"- {count[KNOWLEDGE]} rows are knowledge: they are looked up in the file, and named as the source",
        f"- {count[DISPUTED]} rows are disputed: the statistics give another figure, and both are told",
    ]
    if count[DISPUTED]:
        lines += ["", "## Disputed rows", ""]
        lines += [
            f"- {d.row.where}: {d.row.question} Your file: {d.row.answer} Computed: {d.computed} (`{d.query}`)"
            for d in decided
            if d.kind == DISPUTED
        ]
    if own.file.problems:
        lines += ["", "## Rows that were skipped", "", *(f"- {problem}" for problem in own.file.problems)]
    if count[KNOWLEDGE]:
        lines += ["", "## Rows that are knowledge", ""]
        lines += [f"- {d.row.where}: {d.row.question}" for d in decided if d.kind == KNOWLEDGE]
    return "\n".join(lines) + "\n"
