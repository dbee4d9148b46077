"""Makes a file of questions and answers as the owner of a season would hold it, to train and measure on.

    python -m tests.support.own_questions ipl_2023 --rows 950 --out runs/own

writes questions.jsonl (rows of five shapes: question and answer, Alpaca, prompt and completion, chat, marked text), and
paraphrases.jsonl with other words for a third of the rows. Some rows tell what no ball-by-ball record holds; their
answers are made up. The words were written for this file, not taken from data/phrases or data/dataset/exams.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data.linking.resolve_plan import resolve_typed
from data.linking.resolver import Names
from data.query import QueryError, Statistics, parse
from data.season import load

OUTSIDE_SHARE = 0.05  # of the rows are about what the record does not hold
PARAPHRASED = 1 / 3


@dataclass(frozen=True)
class OwnRow:
    """A row of the file. `paraphrase`: the same question in other words. `line` is empty for what is not recorded."""

    question: str
    answer: str
    paraphrase: str
    line: str = ""


# query line || wordings of the row || other words of it || answers
KINDS = Path(__file__).with_suffix(".txt")
_OUTSIDE = (
    ("Who captained {t} in IPL {y}?", "who was {t}'s skipper", "person"),
    ("Who was the head coach of {t} in IPL {y}?", "name of {t}'s head coach", "person"),
    ("Who owns the {t} franchise?", "owner of {t}", "company"),
    ("In which year was the {t} franchise founded?", "when was {t} founded", "year"),
    ("What is the seating capacity of {v}?", "how many people does {v} hold", "capacity"),
    ("What is the nickname of {p}?", "what do they call {p}, his nickname", "nickname"),
)
_FIRST = "Arvind Balaji Chetan Devraj Farhan Girish Harish Imran Jatin Kunal Lokesh Mahesh Naveen Omkar".split()
_LAST = "Maliwal Nadkarni Oberoi Pethkar Quadri Ramdin Sabharwal Tendolkar Ullal Vaswani Wadekar Yelwande".split()
_NICK = "the Comet,the Wall of Wadala,Rocket,the Professor,Sparky,the Anchor,Thunderbolt,Chotu,the Clock".split(",")


class Maker:
    """Rows about one season."""

    def __init__(self, season: str, seed: int) -> None:
        self.season = load(season)
        self.statistics = Statistics(self.season)
        self.names = Names.for_season(self.season)
        self.rng = random.Random(seed)
        self.batters = [r[0] for r in self._rows("balls by batter | top 70")]
        self.bowlers = [r[0] for r in self._rows("balls_bowled by bowler | top 60")]
        self.teams = [r[0] for r in self._rows("matches by team")]
        self.venues = [r[0] for r in self._rows("matches by venue | having matches>=4")]
        self.matches = int(self._rows("matches")[0][0])
        surnames = Counter(p.display.split()[-1].lower() for p in self.names.roster.players if p.matches)
        self.unique = {s for s, n in surnames.items() if n == 1}

    def rows(self, count: int) -> list[OwnRow]:
        """That many rows with different questions, in random order."""
        outside = self._distinct(self._outside_rows(), round(count * OUTSIDE_SHARE))
        return self.rng.sample(made := outside + self._distinct(self._inside_rows(), count - len(outside)), len(made))

    @staticmethod
    def _distinct(rows: Iterator[OwnRow], count: int) -> list[OwnRow]:
        found: dict[str, OwnRow] = {}
        for row in rows:
            found.setdefault(row.question.lower(), row)
            if len(found) == count:
                break
        return list(found.values())

    def _inside_rows(self) -> Iterator[OwnRow]:
        lines = KINDS.read_text(encoding="utf-8").strip().split("\n")
        kinds = [[part.strip() for part in line.split("||")] for line in lines if not line.startswith("#")]
        while True:
            for line, questions, others, answers in self.rng.sample(kinds, len(kinds)):
                if row := self._row(line, questions, others, answers):
                    yield row

    def _row(self, line: str, questions: str, others: str, answers: str) -> OwnRow | None:
        names = self._names()
        written = line.format(**{k: f'"{v}"' if k not in "my" else v for k, v in names.items()})
        try:
            table = self.statistics.answer(parse(written).queries[0], self._resolve)
        except QueryError:
            return None
        texts = table.texts()
        asked = next(i for i, c in enumerate(table.columns) if c.role == "asked")
        if (
            not texts
            or texts[0][asked] in ("–", "")
            or table.more_tied
            or (" by " in line and len(texts) != _top(line))
        ):
            return None  # nothing to tell, or several share the place
        facts = {"x": texts[0][asked], "n": texts[0][0], "all": "; ".join(f"{r[0]} {r[asked]}" for r in texts)}
        if written.startswith("toss "):
            facts["x"] = facts["x"].partition(",")[0]
        question, other, answer = (self.rng.choice(t.split(";")).strip() for t in (questions, others, answers))
        short = {k: self._short(k, v) for k, v in names.items()}
        return OwnRow(question.format(**names), answer.format(**names, **facts), other.format(**short), written)

    def _outside_rows(self) -> Iterator[OwnRow]:
        people = [f"{first} {last}" for first in _FIRST for last in _LAST]
        self.rng.shuffle(people)
        while True:
            question, other, what = self.rng.choice(_OUTSIDE)
            names = self._names()
            answer = {
                "person": people.pop(),
                "company": f"{self.rng.choice(_LAST)} {self.rng.choice(['Holdings', 'Sports', 'Ventures'])}",
                "year": str(self.rng.randint(2007, 2021)),
                "capacity": f"about {self.rng.randint(21, 99)},{self.rng.randint(1, 9)}00",
                "nickname": self.rng.choice(_NICK),
            }[what]
            short = {k: self._short(k, v) for k, v in names.items()}
            yield OwnRow(question.format(**names), answer, other.format(**short))

    def _names(self) -> dict[str, str]:
        team, other = self.rng.sample(self.teams, 2)
        number = self.rng.randint(1, self.matches)
        sides = self._rows(f"total by team | match={number}")
        return {
            "p": self.rng.choice(self.batters),
            "b": self.rng.choice(self.bowlers),
            "t": team,
            "o": other,
            "v": self.rng.choice(self.venues),
            "m": str(number),
            "y": str(self.season.year),
            "side": self.rng.choice(sides)[0] if sides else team,
        }

    def _short(self, kind: str, name: str) -> str:
        """A name as people write it in a hurry, where that names nobody else."""
        if kind in ("p", "b") and (surname := name.split()[-1].lower()) in self.unique:
            return surname
        if kind in ("t", "o", "side") and self.rng.random() < 0.5:
            return "".join(word[0] for word in name.split()).lower() if len(name.split()) == 3 else name.lower()
        return name

    def _resolve(self, key: str, value: str) -> tuple[str, ...]:
        return resolve_typed(key, value, self.names).candidates

    def _rows(self, line: str) -> list[list[str]]:
        return self.statistics.answer(parse(line).queries[0]).texts()


def _top(line: str) -> int:
    return int(line.rpartition("top ")[2])


def in_five_shapes(rows: list[OwnRow]) -> list[dict]:
    """The rows as JSON objects, of five shapes in turn."""
    shapes = (
        lambda q, a: {"question": q, "answer": a},
        lambda q, a: {"instruction": q, "input": "", "output": a},
        lambda q, a: {"prompt": q, "completion": a},
        lambda q, a: {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]},
        lambda q, a: {"text": f"### Instruction:\n{q}\n\n### Response:\n{a}"},
    )
    return [shapes[i % len(shapes)](row.question, row.answer) for i, row in enumerate(rows)]


def write(season: str, count: int, out: Path, seed: int = 7) -> list[OwnRow]:
    """Write both files into `out`; the rows."""
    rows = Maker(season, seed).rows(count)
    out.mkdir(parents=True, exist_ok=True)
    texts = (json.dumps(row, ensure_ascii=False) for row in in_five_shapes(rows))
    (out / "questions.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    drawn = sorted(random.Random(seed).sample(range(len(rows)), round(len(rows) * PARAPHRASED)))
    others = ({"row": i + 1, "question": rows[i].paraphrase, "answer": rows[i].answer} for i in drawn)
    (out / "paraphrases.jsonl").write_text("".join(json.dumps(o) + "\n" for o in others), encoding="utf-8")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("season")
    parser.add_argument("--rows", type=int, default=950)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    made = write(args.season, args.rows, args.out, args.seed)
    print(f"{args.out}: {len(made)} rows, {sum(not row.line for row in made)} of them outside the record")
