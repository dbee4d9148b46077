"""What the engine benchmark asks: raw prompts of a set length, and plan and answer requests as the service makes them.

Knows nothing about servers; serve/bench/engine.py sends it. Everything is made from a seed. `recorded` is the traffic
that questions of the test split make on a fine-tuned model; `service` imitates it for models with random weights.
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
class Ask:
    """One request of the benchmark: a prompt as text or tokens, how many tokens to make, perhaps a grammar."""

    prompt: str | list[int]
    n_predict: int
    grammar: str | None = None


def raw(n: int, seed: int = 0) -> list[Ask]:
    """`n` prompts of about 256 tokens, the first 200 of them the same, 48 tokens to make whatever they say."""
    rng = random.Random(seed)
    shared = " ".join(random.Random(99).choices(WORDS, k=200))
    return [Ask(f"{shared} {' '.join(rng.choices(WORDS, k=56))}", 48) for _ in range(n)]


def service(n: int, seed: int = 0) -> list[Ask]:
    """`n` requests, plans and answers by turns, with their grammars: what one question costs, twice over."""
    rng = random.Random(seed)
    asks = []
    for i in range(n):
        names = [f"P{k + 1}" for k in range(rng.randint(1, 3))]
        if i % 2 == 0:
            question = " ".join(rng.choices(WORDS, k=rng.randint(6, 14)))
            grammar = PLAN_GRAMMAR.replace("@NAMES@", " | ".join(f'"{name}"' for name in names))
            asks.append(Ask(f"{SYSTEM} Question: {question} Plan:", 32, grammar))
        else:
            figures = [str(rng.randint(10, 700)) for _ in range(4)]
            player = " ".join(rng.sample(["Jasprit Bumrah", "Virat Kohli", "Rohit Sharma"], 1))
            table = f"batter | runs | balls | average\n{player} | {' | '.join(figures[:3])}"
            grammar = (
                'root ::= who " scored " figure " runs" (" at an average of " figure)? (" off " figure " balls")? "."\n'
                f'who ::= "{player}" | "He"\nfigure ::= {" | ".join(chr(34) + f + chr(34) for f in figures)}\n'
            )
            asks.append(Ask(f"{SYSTEM} Table:\n{table}\nAnswer:", 48, grammar))
    return asks


def recorded(n: int, part: int, tokens: Callable[[list[dict[str, str]]], list[int]]) -> list[Ask]:
    """`n` requests, plan and answer by turns, of questions of the test split, with their own prompts and grammars.

    `tokens` renders messages as the model reads them. Records that no model words are left out. Parts that follow one
    another ask other questions, as long as there are any.
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
    asks: list[Ask] = []
    for record in records[begin:] + records[:begin]:
        linked = retriever.link(record["question"])
        found = retriever.retrieve(Planned(linked, plain(linked.text), parse(record["query"])))
        if not isinstance(found, Retrieved) or max((laid := sheet(found.tables)).rows) > MODEL_ROWS:
            continue
        line = str(found.planned.plan)
        places = [p for p in linked.by_placeholder() if p[0] in "PTVD"]
        asks += [
            Ask(tokens(plan_messages(found.planned.text)), MAX_PLAN_TOKENS, gbnf(places)),
            Ask(
                tokens(answer_messages(found.planned.text, line, laid.text)),
                analyst.MAX_ANSWER_TOKENS,
                analyst.gbnf(wordings(found.tables, laid)),
            ),
        ]
        if len(asks) >= n:
            break
    return asks[:n]
