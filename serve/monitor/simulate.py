"""A simulated month of traffic in the service's own formats, to try the report on: `simulate(folder, days=30)`.

Questions are the season's validation records. Their log fields are made by `serve.telemetry.log_fields` and written by
`serve.telemetry.logs`. Simulated are times and frequencies, failures of the model, and judgements. Days differ as real
ones do: in volume, in what is asked about and in the rate of failures.
"""

from __future__ import annotations

import json
import logging
import random
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.phrasing.composer import Phrasebook
from data.query import parse
from data.season import SEASONS
from serve.monitor.records import MonitorError
from serve.telemetry.feedback import FeedbackStore
from serve.telemetry.log_fields import shape, words_of
from serve.telemetry.logs import JsonFormatter

DRIFTS = {
    "none": "nothing changes",
    "kinds": "bowling and team questions are asked two and a half times as often",
    "words": "three questions in ten have words that no training phrasing has",
    "names": "one question in eight names somebody who is not in the season",
    "model": "the model's sentences and query lines fail more often",
    "accuracy": "one judged answer in four is judged wrong",
}
_NEW_WORDS = ("superover", "podcast", "retention", "auction", "mukabla", "zabardast", "swipe", "ekdum", "fanbase",
              "reels", "orakkam", "sixer-fest", "clutchness", "jhakaas")  # fmt: skip
_KINDS_ASKED_MORE = ("bowling", "team", "results")


@dataclass(frozen=True)
class Rates:
    """Shares of questions (judged_wrong: of judged answers)."""

    redrawn: float = 0.06
    left_out: float = 0.02
    plain: float = 0.08
    unknown_name: float = 0.03
    new_words: float = 0.05
    judged: float = 0.08
    judged_wrong: float = 0.07


_DRIFTED = {
    "words": Rates(new_words=0.3),
    "names": Rates(unknown_name=0.125),
    "model": Rates(redrawn=0.14, left_out=0.05, plain=0.18),
    "accuracy": Rates(judged_wrong=0.25),
}


@dataclass(frozen=True)
class Month:
    """The files that were written, and how much they hold."""

    log: Path
    feedback: Path
    questions: int
    judgements: int


def simulate(
    folder: Path,
    days: int = 30,
    per_day: int = 200,
    drift: str = "none",
    drift_days: int = 7,
    season: str = "ipl_2024",
    seed: int = 0,
    texts: bool = False,
    last: date = date(2024, 6, 30),
) -> Month:
    """Write `log.jsonl` and `feedback.sqlite` to `folder`; the last `drift_days` have the drift.

    Raises MonitorError where one of the files exists or the drift is unknown.
    """
    if drift not in DRIFTS:
        raise MonitorError(f"no drift {drift!r}: one of {', '.join(DRIFTS)}")
    log, feedback = folder / "log.jsonl", folder / "feedback.sqlite"
    for path in (log, feedback):
        if path.exists():
            raise MonitorError(f"{path} exists: give --out another folder")
    folder.mkdir(parents=True, exist_ok=True)
    users = _Users(season, random.Random(seed), texts)
    judgements: list[tuple[str, ...]] = []
    questions = 0
    with log.open("w", encoding="utf-8") as out:
        for i in range(days):
            drifting = drift if i >= days - drift_days else "none"
            for line, judgement in users.day(last - timedelta(days=days - 1 - i), per_day, drifting):
                out.write(line + "\n")
                questions += 1
                if judgement:
                    judgements.append(judgement)
    _store(feedback, judgements)
    return Month(log, feedback, questions, len(judgements))


class _Users:
    """Simulated users: what they ask on a day, and how they judge the answers."""

    def __init__(self, season: str, rng: random.Random, texts: bool) -> None:
        path = SEASONS / season / "qa" / "validation.jsonl"
        if not path.is_file():
            raise MonitorError(f"no {path}: make it with `python -m data qa {season}`")
        self.rng, self.texts = rng, texts
        self.rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        self.lexicon = _lexicon()
        self.new_words = [word for word in _NEW_WORDS if word not in self.lexicon]
        planned = [row["query"] if row["kind"] != "absent" else "" for row in self.rows]  # absent names need no plan
        self.shapes = [shape(parse(line)) if line else {} for line in planned]
        self.unknown_words = [_unknown(row["linked"], self.lexicon) for row in self.rows]
        self.formatter = JsonFormatter()

    def day(self, day: date, per_day: int, drift: str) -> list[tuple[str, tuple[str, ...] | None]]:
        rng = self.rng
        rates = _DRIFTED.get(drift, Rates())
        rates = Rates(**{name: rate * rng.lognormvariate(0, 0.15) for name, rate in vars(rates).items()})
        popularity: dict[str, float] = {}  # by kind of question
        weights = []
        for row in self.rows:
            weight = popularity.setdefault(row["kind"], rng.lognormvariate(0, 0.2))
            weights.append(weight * (2.5 if drift == "kinds" and row["kind"] in _KINDS_ASKED_MORE else 1))
        volume = max(1, round(per_day * (1.4 if day.weekday() >= 5 else 1) * rng.lognormvariate(0, 0.2)))
        seconds = sorted(rng.uniform(0, 86_400) for _ in range(volume))
        midnight = datetime.combine(day, time(), UTC)
        rows = rng.choices(range(len(self.rows)), weights, k=volume)
        return [self._asked(i, midnight + timedelta(seconds=s), rates) for i, s in zip(rows, seconds, strict=True)]

    def _asked(self, i: int, at: datetime, rates: Rates) -> tuple[str, tuple[str, ...] | None]:
        rng, row = self.rng, self.rows[i]
        words, unknown = self.unknown_words[i]
        outcome, question = row["outcome"], row["question"]
        if rng.random() < rates.new_words:
            added = rng.sample(self.new_words, rng.randint(1, 3))
            question, words, unknown = " ".join([question, *added]), words + len(added), unknown + len(added)
        word, _, why = row["query"].partition(" ")
        reason = {"ask_back": "ambiguous_name", "declined": why if word == "decline" else "absent_name"}.get(outcome)
        if rng.random() < rates.unknown_name:
            outcome, reason = "declined", "unknown_name"
        plain = outcome != "answered" or rng.random() < rates.plain
        request_id = f"{rng.getrandbits(64):016x}"
        fields: dict[str, Any] = {
            "request_id": request_id,
            "method": "POST",
            "path": "/infer",
            "status": 200,
            "duration_ms": round(rng.lognormvariate(4.6, 0.4), 2),
            "question_chars": len(question),
            "outcome": outcome,
            "reason": reason if outcome != "answered" else None,
            "worded_by": "plain" if plain else "model",
            **self.shapes[i],
            "names": len(row["names"]),
            "names_unknown": int(reason == "unknown_name"),
            "words": words,
            "words_unknown": unknown,
            "plan_left_out": int(rng.random() < rates.left_out),
            "plan_redrawn": rng.random() < rates.redrawn,
            "plain_because": "runs of row 1 is not stated" if plain and outcome == "answered" else None,
        }
        if self.texts:
            fields |= {"question": question, "answer": row["answer"], "query": row["query"]}
        judgement = None
        if rng.random() < rates.judged:
            verdict = "wrong" if rng.random() < rates.judged_wrong else "right" if rng.random() < 0.95 else "unsure"
            when = (at + timedelta(minutes=rng.uniform(0, 30))).isoformat(timespec="milliseconds")
            judgement = (when, request_id, verdict, question, row["answer"], row["query"])
        return self._line(at, fields), judgement

    def _line(self, at: datetime, fields: dict[str, Any]) -> str:
        record = logging.LogRecord("serve.api.middleware", logging.INFO, "", 0, "request", None, None)
        record.created = at.timestamp()
        vars(record).update(fields)
        return self.formatter.format(record)


@lru_cache(maxsize=1)
def _lexicon() -> frozenset[str]:
    return Phrasebook.load().words()


def _unknown(linked: str, lexicon: Collection[str]) -> tuple[int, int]:
    words = words_of(linked)
    return len(words), sum(word not in lexicon for word in words)


def _store(path: Path, judgements: list[tuple[str, ...]]) -> None:
    """Write the judgements, with their times, to a table that the service's own store creates."""
    if not judgements:
        return
    FeedbackStore(path).store(request_id="for the table", verdict="unsure")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM feedback")
        connection.executemany(
            "INSERT INTO feedback (at, request_id, verdict, question, answer, query) VALUES (?, ?, ?, ?, ?, ?)",
            judgements,
        )
