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


# query line | wordings of the row | other words of it | answer: {x} the figure, {n} the first row's name, {all} the list
_KINDS = r"""
runs | batter={p} || How many runs did {p} make in IPL {y}?; What was {p}'s aggregate of runs in IPL {y}? || {p} run tally {y}; tell me the total {p} got with the bat || {x}; {p} made {x} runs.
balls | batter={p} || How many deliveries did {p} face in IPL {y}? || number of balls faced by {p} || {x}
highest_score | batter={p} || What was {p}'s top score in IPL {y}?; What was the highest individual score of {p} in IPL {y}? || {p} best knock of the season || {x}; His best was {x}.
strike_rate | batter={p} || At what strike rate did {p} bat in IPL {y}?; What was the batting strike rate of {p} in IPL {y}? || how quick was {p}, strike rate? || {x}; {x} runs per 100 balls
average | batter={p} || What batting average did {p} finish IPL {y} with? || {p} batting avg || {x}
fours | batter={p} || How many times did {p} find the boundary for four in IPL {y}?; How many fours came from {p}'s bat in IPL {y}? || {p} count of 4s || {x}; {x} fours
sixes | batter={p} || How many maximums did {p} strike in IPL {y}?; How many sixes did {p} clear the ropes for in IPL {y}? || {p} no of 6s || {x}; {p} hit {x} sixes.
fifties | batter={p} || How many half-centuries did {p} register in IPL {y}? || {p} 50s || {x}
ducks | batter={p} || How many times was {p} out for nought in IPL {y}? || {p} ducks this year || {x}
innings | batter={p} || In how many innings did {p} bat in IPL {y}? || {p} innings batted || {x}
dots | batter={p} || How many dot balls did {p} play out in IPL {y}? || {p} dots faced || {x}
runs | batter={p} phase=powerplay || How many runs did {p} score inside the powerplay in IPL {y}? || {p} powerplay runs || {x}; {x} runs
runs | batter={p} phase=death || How many runs did {p} score at the death in IPL {y}?; How many runs did {p} take off the death overs in IPL {y}? || {p} runs in the last five overs || {x}
strike_rate | batter={p} phase=death || What was {p}'s strike rate at the death in IPL {y}? || {p} death overs sr || {x}
runs | batter={p} opponent={t} || How many runs did {p} score against {t} in IPL {y}? || {p} vs {t} runs || {x}; {x} runs
runs | batter={p} bowling=spin || How many runs did {p} score off spin bowling in IPL {y}? || {p} against spinners, runs || {x}
wickets | bowler={b} || How many wickets did {b} claim in IPL {y}?; How many batters did {b} dismiss in IPL {y}? || wicket count of {b}; {b} wkts {y} || {x}; {b} claimed {x} wickets.
economy | bowler={b} || What economy did {b} return in IPL {y}?; How many runs per over did {b} go for in IPL {y}? || {b} econ || {x}; {x} runs an over
best_figures | bowler={b} || What were {b}'s best bowling figures in IPL {y}? || best spell of {b} || {x}
bowling_average | bowler={b} || What was the bowling average of {b} in IPL {y}? || {b} bowling avg || {x}
bowling_strike_rate | bowler={b} || What bowling strike rate did {b} have in IPL {y}? || {b} balls per wicket || {x}
overs_bowled | bowler={b} || How many overs did {b} send down in IPL {y}? || {b} overs bowled in total || {x}; {x} overs
dots_bowled | bowler={b} || How many dot balls did {b} deliver in IPL {y}? || dots by {b} || {x}
runs_conceded | bowler={b} || How many runs did {b} leak in IPL {y}? || {b} runs given away || {x}
wickets | bowler={b} phase=death || How many wickets did {b} claim in the death overs of IPL {y}? || {b} death wickets || {x}
economy | bowler={b} phase=powerplay || What was {b}'s economy rate in the powerplay in IPL {y}? || {b} powerplay econ || {x}
wickets | bowler={b} opponent={t} || How many wickets did {b} get against {t} in IPL {y}? || {b} wkts v {t} || {x}
sixes_conceded | bowler={b} || How many sixes were hit off {b} in IPL {y}? || sixes {b} conceded || {x}
runs | batter={p} bowler={b} || How many runs did {p} score off {b} in IPL {y}? || {p} v {b} runs || {x}
catches | fielder={p} || How many catches did {p} hold in IPL {y}? || {p} catches || {x}
awards | player={p} || How many player of the match awards did {p} collect in IPL {y}? || {p} mom awards || {x}
runs by batter | top 1 || Who topped the run charts in IPL {y}?; Which batter made the most runs in IPL {y}? || leading run getter of {y} || {n}; {n} ({x} runs)
wickets by bowler | top 1 || Who was the highest wicket-taker of IPL {y}? || most wkts in {y}, who? || {n}; {n} with {x} wickets
sixes by batter | top 1 || Which batter cleared the ropes most often in IPL {y}? || most sixes, which player || {n}; {n}, {x} sixes
fours by batter | top 1 || Who hit the most fours in IPL {y}? || most 4s by a batter || {n}
highest_score by batter | top 1 || Who played the highest individual innings of IPL {y}? || highest individual score of {y} || {n}; {x} by {n}
catches by fielder | top 1 || Which fielder held the most catches in IPL {y}? || most catches {y} || {n}; {n} ({x})
fifties by batter | top 1 || Who made the most half-centuries in IPL {y}? || most 50s || {n}; {n} with {x}
dots_bowled by bowler | top 1 || Which bowler delivered the most dot balls in IPL {y}? || most dots by a bowler || {n}
runs by batter | top 3 || Name the three highest run scorers of IPL {y}. || top 3 run getters || {all}
wickets by bowler | top 5 || List the five leading wicket-takers of IPL {y}. || top five bowlers by wickets || {all}
runs by batter | team={t} | top 1 || Who was {t}'s leading run scorer in IPL {y}?; Which {t} batter made the most runs in IPL {y}? || {t} top run scorer || {n}; {n} with {x}
wickets by bowler | team={t} | top 1 || Who took the most wickets for {t} in IPL {y}? || {t} leading wicket taker || {n}; {n} ({x} wickets)
sixes by batter | team={t} | top 1 || Which {t} player hit the most sixes in IPL {y}? || most sixes for {t} || {n}
wins | team={t} || How many matches did {t} win in IPL {y}?; How many victories did {t} record in IPL {y}? || {t} wins || {x}; {t} won {x} matches.
losses | team={t} || How many matches did {t} lose in IPL {y}? || {t} defeats || {x}
points | team={t} || How many points did {t} finish with in IPL {y}? || {t} points tally || {x}; {x} points
position | team={t} || Where did {t} finish in the points table of IPL {y}? || {t} table position || {x}
highest_total | team={t} || What was the highest total of {t} in IPL {y}? || {t} biggest score || {x}
lowest_total | team={t} || What was the lowest total of {t} in IPL {y}? || {t} smallest score || {x}
team_sixes | team={t} || How many sixes did {t} hit in IPL {y}? || sixes by {t} in total || {x}
tosses_won | team={t} || How many tosses did {t} win in IPL {y}? || {t} tosses won || {x}
run_rate | team={t} phase=powerplay || What was {t}'s run rate in the powerplay in IPL {y}? || {t} powerplay run rate || {x}
wins | team={t} opponent={o} || How many times did {t} beat {o} in IPL {y}? || {t} wins over {o} || {x}
matches | venue={v} || How many matches were hosted by {v} in IPL {y}? || games at {v} || {x}
average_total | venue={v} innings=1 || What was the average first-innings total at {v} in IPL {y}? || {v} avg first innings score || {x}
highest_total | venue={v} || What was the highest total at {v} in IPL {y}? || biggest score at {v} || {x}
winner | match={m} || Who won match {m} of IPL {y}?; Which side came out on top in match {m} of IPL {y}? || match {m} winner || {x}; {x} won it.
margin | match={m} || By what margin was match {m} of IPL {y} won?; What was the margin of victory in match {m} of IPL {y}? || match {m} won by how much || {x}
player_of_match | match={m} || Who was named player of the match in match {m} of IPL {y}? || mom in match {m} || {x}; {x} won the award.
toss | match={m} || Who won the toss in match {m} of IPL {y}? || match {m} toss || {x}
venue | match={m} || Where was match {m} of IPL {y} played? || venue of match {m} || {x}
total | match={m} team={side} || How many runs did {side} put on the board in match {m} of IPL {y}? || {side} score in match {m} || {x}
runs by batter | match={m} | top 1 || Who top-scored in match {m} of IPL {y}? || match {m} top scorer || {n}; {n} ({x})
wickets by bowler | match={m} | top 1 || Who took the most wickets in match {m} of IPL {y}? || match {m} best wicket taker || {n}; {n} ({x})
total | match={m} team={side} phase=powerplay || How many runs did {side} make in the powerplay of match {m} of IPL {y}? || {side} powerplay score in match {m} || {x}
team_sixes | match={m} || How many sixes were hit in match {m} of IPL {y}? || match {m} sixes || {x}
winner | stage=final || Which team lifted the trophy in IPL {y}? || champions of {y} || {x}
player_of_match | stage=final || Who was the player of the match in the final of IPL {y}? || mom of the final || {x}
team_sixes || How many sixes were struck in the whole of IPL {y}? || overall sixes in the season || {x}
hundreds || How many centuries were scored in IPL {y}? || number of hundreds in the tournament || {x}
""".strip()

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
        kinds = [[part.strip() for part in kind.split("||")] for kind in _KINDS.split("\n")]
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
        if not texts or texts[0][asked] in ("–", "") or table.more_tied or (" by " in line and len(texts) != _top(line)):
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
