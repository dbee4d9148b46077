"""Asks what people ask, and says how much is right, honestly declined and confidently wrong, by set and kind.

    python -m train.evaluate.people --model models/demo

The sets lie in data/dataset/exams: questions of fans, questions that real people ask (public), questions on order,
streaks and shares (language), questions over all seasons, conditions that are easy to drop, and conversations. They are
development sets: errors on them were read while the training phrasings were written. The blind sets are by writers who
knew nothing of this project, with gold query lines: of `blind` and `blind_talks` the errors were read before the agents
were last changed, of `unread` and `unread_talks` by nobody. Writes people.md.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from tqdm import tqdm

from agents.messages import Reply
from data import text_table
from data.atomic_write import atomic_write
from data.command_line import command_line, reported, run
from data.dataset.leakage import FAN_QUESTIONS
from data.errors import DataError
from train.errors import TrainError
from train.evaluate.gold_lines import gold_tables, holds
from train.evaluate.scoring import judge, numbers
from train.evaluate.systems import Agents, of_gguf

EXAMS = FAN_QUESTIONS.parent
SETS = ("fan_questions", "public_questions", "language_questions", "all_seasons", "conditions", "conversations")
BLIND_SETS = ("blind", "blind_talks", "unread", "unread_talks")
TALKS = ("conversations", "blind_talks", "unread_talks")
ALL_SEASONS = "ipl"
Z = 1.96  # of a 95 % interval
Said = Literal["right", "declined", "wrong"]

app = command_line()


@dataclass(frozen=True)
class Verdict:
    """What a reply was: right, honestly declined although there is an answer, or wrong."""

    id: str
    kind: str
    question: str
    said: Said
    why: str
    answer: str
    line: str


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share by E. B. Wilson (1927), as two shares; (0, 1) of nothing."""
    if not total:
        return 0.0, 1.0
    share, z = hits / total, Z * Z / total
    middle = (share + z / 2) / (1 + z)
    half = Z / (1 + z) * math.sqrt(share * (1 - share) / total + z / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def verdict(expect: Mapping[str, Any], question: str, answer: str, declined: bool) -> tuple[Said, str]:
    """What a reply to a question with these expectations was, and why. A decline that gives a figure is wrong."""
    if expect.get("chat"):
        figures = numbers(answer, in_words=False)
        return ("wrong", "figures in small talk") if figures or not answer.strip() else ("right", "")
    found = judge(expect, question, answer, declined)
    if found.right:
        return "right", found.why
    honest = declined and not expect.get("refuse") and judge({"refuse": True}, question, answer, True).right
    return ("declined" if honest else "wrong"), found.why


def judged(system: Agents, expect: Mapping[str, Any], question: str, reply: Reply) -> tuple[Said, str]:
    """The verdict on a reply: by the rows of its gold query lines where there are some, otherwise by its words."""
    declined = reply.outcome != "answered"
    if not (lines := expect.get("gold")):
        return verdict(expect, question, reply.answer, declined)
    if declined:
        return ("right" if expect.get("either_decline") else "declined"), "declined a question that has an answer"
    retriever = system.agents.retriever
    alternatives = gold_tables(lines, retriever.statistics, retriever.names)
    right = any(holds(reply, tables) for tables in alternatives)
    return ("right", "") if right else ("wrong", f"lacks rows of {lines[0]}")


def read_set(name: str, exams: Path = EXAMS) -> list[dict[str, Any]]:
    """The rows of a set. Raises TrainError where there is no such file."""
    path = exams / f"{name}.jsonl"
    if not path.is_file():
        raise TrainError(f"no {path}: give the folder of the sets with --exams, or other --sets")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


async def ask_set(system: Agents, rows: Iterable[Mapping[str, Any]], name: str) -> list[Verdict]:
    """Ask the rows of one set in order, the turns of a conversation after each other."""
    found = []
    for row in tqdm(list(rows), desc=name, mininterval=1):
        turns = row.get("turns") or [row]
        for number, turn in enumerate(turns, 1):
            reply = await system.agents.ask(turn["question"], f"{name}/{row['id']}" if len(turns) > 1 else None)
            said, why = judged(system, turn["expect"], turn["question"], reply)
            mark = f"{row['id']}.{number}" if len(turns) > 1 else row["id"]
            found.append(Verdict(mark, row["kind"], turn["question"], said, why, reply.answer, reply.query or ""))
    return found


def report(title: str, sets: Mapping[str, list[Verdict]]) -> str:
    """The verdicts as Markdown: a table of the sets, one of the kinds of each set, and the errors."""
    heads = ["set", "asked", "right", "95 % interval", "declined though answerable", "confidently wrong"]
    rows = [[name, *_counts(found)] for name, found in sets.items()]
    single = [v for name, found in sets.items() if name not in TALKS for v in found]
    rows.append(["all single questions", *_counts(single)])
    parts = [f"# What people ask: {title}", "", text_table.markdown(heads, rows), ""]
    for name in (name for name in TALKS if name in sets):
        whole = Counter(v.id.split(".")[0] for v in sets[name])
        right = Counter(v.id.split(".")[0] for v in sets[name] if v.said == "right")
        wholly = sum(right[t] == n for t, n in whole.items())
        parts += [f"{name.capitalize().replace('_', ' ')} wholly right: {wholly} of {len(whole)}.", ""]
    for name, found in sets.items():
        kinds = sorted({v.kind for v in found})
        table = [[kind, *_counts([v for v in found if v.kind == kind])] for kind in kinds]
        parts += [f"## {name}", "", text_table.markdown(["kind", *heads[1:]], table), ""]
        parts += [
            f"- {v.said}: {v.question} | {v.answer[:160]} | `{v.line or 'no line'}` ({v.why})"
            for v in found
            if v.said != "right"
        ]
        parts.append("")
    return "\n".join(parts)


def _counts(found: list[Verdict]) -> list[str]:
    said = Counter(v.said for v in found)
    low, high = wilson(said["right"], len(found))
    shares = [f"{said[what]} ({100 * said[what] / max(1, len(found)):.0f} %)" for what in ("declined", "wrong")]
    right = f"{said['right']} ({100 * said['right'] / max(1, len(found)):.0f} %)"
    return [str(len(found)), right, f"{100 * low:.0f} to {100 * high:.0f} %", *shares]


@app.command()
@reported(TrainError, DataError)
def people(
    model: Annotated[Path, typer.Option(help="a .gguf file or a model folder")] = Path("models/demo"),
    season: Annotated[str, typer.Option(help="of all sets but all_seasons")] = "ipl_2024",
    sets: Annotated[str, typer.Option(help="names of sets, with commas")] = ",".join(SETS),
    exams: Annotated[Path, typer.Option(help="folder of the sets")] = EXAMS,
    out: Annotated[Path | None, typer.Option(help="file to write, default runs/<model>/people.md")] = None,
    threads: Annotated[int, typer.Option(help="of the engine; 0: as many as the service would take")] = 0,
) -> None:
    """Ask what people ask, and report what is right, declined and confidently wrong."""
    chosen = sets.split(",")
    if unknown := [name for name in chosen if name not in (*SETS, *BLIND_SETS)]:
        raise typer.BadParameter(f"{', '.join(unknown)}: there are {', '.join((*SETS, *BLIND_SETS))}")

    async def measure() -> dict[str, list[Verdict]]:
        found = {}
        for name in chosen:
            rows = read_set(name, exams)
            found[name] = []
            usual = ALL_SEASONS if name == "all_seasons" else season
            for asked_in in sorted({row.get("season", usual) for row in rows}):
                system = of_gguf(model, asked_in, threads)
                try:
                    found[name] += await ask_set(system, (r for r in rows if r.get("season", usual) == asked_in), name)
                finally:
                    await system.close()
        return found

    found = asyncio.run(measure())
    text = report(str(model), found)
    file = out or Path("runs") / model.stem / "people.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, text)
    print(text.partition("\n## ")[0])
    print(f"kinds and errors: {file}")


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
