"""Examples of what the service asks of every model: query lines, follow-ups, sentences over tables.

They are mixed with the rows of a user's file, so that learning these does not cost the product's own tasks, and they
validate such a run: nothing that only the file can tell has to be held out.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from data.dataset.examples import Example
from data.dataset.leakage import LeakageGuard
from data.dataset.pretraining import follow_up_example
from data.phrasing.composer import Phrasebook
from data.phrasing.followups import FollowUps
from data.season import SEASONS
from train import dataset

SHIPPED = "ipl_2024"  # whose questions and answers are taken where the season has none: names are placeholders in both
ANSWER_SHARE = 0.4  # answers to word, for each plan to write
FOLLOW_UPS, VALIDATION_FOLLOW_UPS = 900, 60


def product_tasks(season: str, seed: int, folder: Path = SEASONS) -> tuple[list[Example], list[Example]]:
    """Examples to train on and others to validate with, in random order. Raises ExamplesError."""
    own = folder / season / "qa"
    data = dataset.load(own if (own / "train.jsonl").is_file() else folder / SHIPPED / "qa", ANSWER_SHARE)
    follow_ups = _follow_ups(seed)
    validation = list(data.validation) + [next(follow_ups) for _ in range(VALIDATION_FOLLOW_UPS)]
    held_out = {str(example.messages) for example in validation}
    train = list(data.train)
    while len(train) < len(data.train) + FOLLOW_UPS:
        if str((example := next(follow_ups)).messages) not in held_out:
            train.append(example)
    rng = random.Random(seed)
    return rng.sample(train, len(train)), rng.sample(validation, len(validation))


def _follow_ups(seed: int) -> Iterator[Example]:
    """Endless follow-ups, none near a question of the exams."""
    rng = random.Random(seed)
    exams, follow_ups = LeakageGuard.of_exams(), FollowUps.load(Phrasebook.load())
    while True:
        if not exams.is_near((made := follow_ups.sample(rng)).words):
            yield follow_up_example(made)
