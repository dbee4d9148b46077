"""The data card of a season's questions and answers, with figures counted from the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from data.dataset.record import HELD_OUT_SHARE, Record, held_out
from data.query import parse
from data.query.language import MEASURES
from data.wording.sheet import MODEL_ROWS


def card(made: Mapping[str, Sequence[Record]], season: str, seed: int, near: float) -> str:
    """The card in Markdown; `near` is the word overlap from which the leakage guard excludes a question."""
    kinds = sorted({r.kind for records in made.values() for r in records})
    counts = {split: Counter(r.kind for r in records) for split, records in made.items()}
    rows = "\n".join(f"| {kind} | " + " | ".join(str(counts[s][kind]) for s in made) + " |" for kind in kinds)
    total = " | ".join(str(len(made[s])) for s in made)
    measures = {m for records in made.values() for r in records for q in parse(r.query).queries for m in q.measures}
    unseen = sum(any(map(held_out, r.players)) for r in made["test"])
    about = sum(bool(r.players) for r in made["test"])
    return f"""# Questions and answers about {season}

Made by `python -m data qa --season {season} --seed {seed}`, the same bytes every time. JSONL, one record a line:

| field | what it is |
|---|---|
| `id`, `split`, `kind` | a hash of the question; train, validation or test; the family of what is asked |
| `question` | as somebody types it, with names in the forms people use |
| `linked` | what the model reads: names found and replaced by placeholders |
| `names`, `players` | what the placeholders stand for; the ids of the players named |
| `query` | the query line over placeholders, what the model writes first |
| `table` | computed by the statistics engine (the first {MODEL_ROWS} rows, `of` says how many there are) |
| `cells`, `wording` | the table as the model reads it, the sentence it writes second; empty: worded plainly |
| `answer`, `outcome` | the sentence with values filled in; answered, ask_back or declined |

## Counts by kind

| kind | train | validation | test |
|---|---:|---:|---:|
{rows}
| **all** | {total} |

{len(measures)} of the {len(MEASURES)} measures of the query line occur.

## Splits

- train and validation: phrasings composed from `data/phrases/` (hand-written pairs, parts, frames, typing errors), with
  names drawn from the season's deliveries so that most questions have an answer. No question of validation is in train.
- test: only phrasings of `data/dataset/exams/test.txt`, written by an author who saw no training phrasing, that share
  less than {near:.0%} of their words with any hand-written training phrasing. {HELD_OUT_SHARE:.0%} of the players (by a
  hash of their id) are never named in a training question; {unseen} of the {about} test questions that name a player
  name such a one.
- Leakage guard: a training question that shares {near:.0%} or more of its words with a test question or with a
  question of `data/dataset/exams/fan_questions.jsonl` is left out, here and in the base's pre-training;
  `tests/test_qa.py` proves it.

## Limits

Phrasings are written by the project's authors and composed by rules, not collected from users. Answers are worded from
templates. Every figure is the statistics engine's, so an error there is an error here.

## Source

Ball-by-ball data: Cricsheet (https://cricsheet.org), Open Data Commons Attribution License (ODC-BY 1.0).
This dataset is derived from it and carries the same attribution.
"""
