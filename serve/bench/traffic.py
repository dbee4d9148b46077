"""Requests of the engine benchmark: raw prompts of a fixed length, and plan and answer requests like the service's.

All are generated from a seed. `recorded` are the requests that questions of the test split cause with a fine-tuned
model; `service` imitates them for models with random weights.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from serve.bench.random_model import WORDS

PLAN_GRAMMAR = r"""root ::= measure (" by " group)? (" | " filter (" " filter){0,3})? (" | top " [1-9])?
measure ::= "runs" | "wickets" | "economy" | "average" | "strike rate" | "fours" | "sixes" | "catches" | "best figures"
group ::= "batter" | "bowler" | "team" | "venue" | "over" | "phase"
filter ::= "batter=" name | "bowler=" name | "phase=" ("powerplay" | "middle" | "death") | "innings=" [12]
name ::= @NAMES@
"""
SYSTEM = (
    "The season's statistics answer questions. A plan is one query line: a measure, a group, filters and a limit. "
    "Measures: runs wickets economy average strike rate fours sixes catches best figures. "
)


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """One request of the benchmark: a prompt as text or token ids, tokens to generate, and GBNF or None."""

    prompt: str | list[int]
    n_predict: int
    grammar: str | None = None


def raw(n: int, seed: int = 0) -> list[BenchRequest]:
    """`n` prompts of about 256 tokens with the first 200 in common; 48 tokens to generate."""
    rng = random.Random(seed)
    shared = " ".join(random.Random(99).choices(WORDS, k=200))
    return [BenchRequest(f"{shared} {' '.join(rng.choices(WORDS, k=56))}", 48) for _ in range(n)]


def service(n: int, seed: int = 0) -> list[BenchRequest]:
    """`n` requests, plans and answers in turn, with their grammars: both model calls of n / 2 questions."""
    rng = random.Random(seed)
    requests = []
    for i in range(n):
        names = [f"P{k + 1}" for k in range(rng.randint(1, 3))]
        if i % 2 == 0:
            question = " ".join(rng.choices(WORDS, k=rng.randint(6, 14)))
            grammar = PLAN_GRAMMAR.replace("@NAMES@", " | ".join(f'"{name}"' for name in names))
            requests.append(BenchRequest(f"{SYSTEM} Question: {question} Plan:", 32, grammar))
        else:
            figures = [str(rng.randint(10, 700)) for _ in range(4)]
            player = " ".join(rng.sample(["Jasprit Bumrah", "Virat Kohli", "Rohit Sharma"], 1))
            table = f"batter | runs | balls | average\n{player} | {' | '.join(figures[:3])}"
            grammar = (
                'root ::= who " scored " figure " runs" (" at an average of " figure)? (" off " figure " balls")? "."\n'
                f'who ::= "{player}" | "He"\nfigure ::= {" | ".join(chr(34) + f + chr(34) for f in figures)}\n'
            )
            requests.append(BenchRequest(f"{SYSTEM} Table:\n{table}\nAnswer:", 48, grammar))
    return requests


def recorded(n: int, part: int, tokens: Callable[[list[dict[str, str]]], list[int]]) -> list[BenchRequest]:
    """`n` requests, plan and answer in turn, of questions of the test split, with their own prompts and grammars.

    `tokens` renders messages as token ids. Records whose answer no model words are skipped. Consecutive parts use
    different questions while there are any.
    """
    from agents import analyst
    from agents.messages import Planned, Retrieved
    from agents.retriever import MAX_PLAN_TOKENS, RetrieverAgent
    from data.prompts import answer_messages, plan_messages
    from data.query import parse
    from data.query.grammar import gbnf
    from data.season import SEASONS, load
    from data.text import plain
    from data.wording.sentence import wordings
    from data.wording.sheet import MODEL_ROWS, sheet

    retriever = RetrieverAgent(load("ipl_2024"))
    lines = (SEASONS / "ipl_2024" / "qa" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if record["wording"]]
    random.Random(0).shuffle(records)
    begin = part * n // 2 % len(records)
    requests: list[BenchRequest] = []
    for record in records[begin:] + records[:begin]:
        linked = retriever.link(record["question"])
        found = retriever.retrieve(Planned(linked, plain(linked.text), parse(record["query"])))
        if not isinstance(found, Retrieved) or max((laid := sheet(found.tables)).rows) > MODEL_ROWS:
            continue
        line = str(found.planned.plan)
        places = [p for p in linked.by_placeholder() if p[0] in "PTVD"]
        requests += [
            BenchRequest(tokens(plan_messages(found.planned.text)), MAX_PLAN_TOKENS, gbnf(places)),
            BenchRequest(
                tokens(answer_messages(found.planned.text, line, laid.text)),
                analyst.MAX_ANSWER_TOKENS,
                analyst.gbnf(wordings(found.tables, laid)),
            ),
        ]
        if len(requests) >= n:
            break
    return requests[:n]
