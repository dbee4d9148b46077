"""The analyst: words a computed table with the model, under a grammar whose only names and numerals are the table's
cells, the question's names and the query line's numbers. Knows nothing about planning or HTTP.
"""

from __future__ import annotations

import re

from agents.messages import Retrieved, Worded
from agents.model import TextModel
from agents.verifier import missing
from data.prompts import answer_messages
from data.wording import MODEL_ROWS, Sheet, fill, sentence, sheet

MAX_ANSWER_TOKENS = 160


class AnalystAgent:
    async def answer(self, retrieved: Retrieved, model: TextModel, deadline_s: float | None = None) -> Worded:
        """The model's sentence if it states what was asked, the plain sentence otherwise."""
        laid = sheet(retrieved.tables)
        values = {**retrieved.names, **laid.values}
        if max(laid.rows) > MODEL_ROWS or set(retrieved.names) & set(laid.values):
            return Worded(self.plain(retrieved, laid), "plain", "a long table")
        line = str(retrieved.planned.plan)
        generation = await model.generate(
            answer_messages(retrieved.planned.text, line, laid.text),
            grammar=gbnf(laid, list(retrieved.names), line),
            max_tokens=MAX_ANSWER_TOKENS,
            deadline_s=deadline_s,
        )
        lacking = missing(generation.text, retrieved.tables, laid, line)
        if generation.finish_reason != "stop" or lacking:
            return Worded(self.plain(retrieved, laid), "plain", lacking or generation.finish_reason, generation)
        return Worded(_tidy(fill(generation.text, values)), "model", generation=generation)

    def plain(self, retrieved: Retrieved, laid: Sheet | None = None) -> str:
        laid = laid or sheet(retrieved.tables)
        values = {**retrieved.names, **laid.values}
        return _tidy(fill(sentence(retrieved.tables, laid), values))


def gbnf(laid: Sheet, names: list[str], line: str) -> str:
    """Lower-case words, this table's cells, the question's names and the numbers of the query line; nothing else."""
    cells = sorted(
        {cell for cell in laid.values if int(re.sub(r"\D", "", cell)) <= MODEL_ROWS}
        | {n for n in names if n[0] in "PTVD"}
    )
    numbers = sorted(set(re.findall(r"(?<![A-Z\d.])\d+(?:-\d+|\.\d+)?", re.sub(r"\b[A-Z]\d\b", "", line))))
    references = " | ".join(f'"{c}"' for c in [*cells, *numbers]) or '"-"'
    return (
        'root ::= start rest* "."\n'
        "start ::= [A-Z]? word | reference\n"
        "rest ::= gap (word | reference) tail?\n"
        'gap ::= " " | ", " | "; " | ": " | " (" | "), " | ") " | "). "\n'
        "word ::= [a-z] [a-z'-]*\n"
        'tail ::= "\'s" | ")" \n'
        f"reference ::= {references}\n"
    )


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text[0].upper() + text[1:]
