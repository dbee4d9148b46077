"""The analyst: words a computed table with the model, under a grammar that admits only sentences true of this table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.messages import Retrieved, Worded
from agents.model import TextModel
from agents.verifier import missing
from data.prompts import answer_messages
from data.wording.sentence import sentence, wordings
from data.wording.sheet import MODEL_ROWS, Sheet, fill, sheet

MAX_ANSWER_TOKENS = 160


class AnalystAgent:
    """Words tables with a model, and plainly where the model's sentence does not pass the verifier."""

    async def answer(self, retrieved: Retrieved, model: TextModel, deadline_s: float | None = None) -> Worded:
        """The model's sentence if it states what was asked, the plain sentence otherwise."""
        laid = sheet(retrieved.tables)
        values = {**retrieved.names, **laid.values}
        if max(laid.rows) > MODEL_ROWS or set(retrieved.names) & set(laid.values):
            return Worded(self.plain(retrieved, laid), "plain", "a long table")
        line = str(retrieved.planned.plan)
        generation = await model.generate(
            answer_messages(retrieved.planned.text, line, laid.text),
            grammar=gbnf(wordings(retrieved.tables, laid)),
            max_tokens=MAX_ANSWER_TOKENS,
            deadline_s=deadline_s,
        )
        lacking = missing(generation.text, retrieved.tables, laid, line)
        if generation.finish_reason != "stop" or lacking:
            return Worded(self.plain(retrieved, laid), "plain", lacking or generation.finish_reason, generation)
        return Worded(_tidy(fill(generation.text, values)), "model", generation=generation)

    def plain(self, retrieved: Retrieved, laid: Sheet | None = None) -> str:
        """The sentence that is made from the tables without a model."""
        laid = laid or sheet(retrieved.tables)
        values = {**retrieved.names, **laid.values}
        return _tidy(fill(sentence(retrieved.tables, laid), values))


def gbnf(parts: Sequence[Sequence[str]]) -> str:
    """The grammar (GBNF) of one text of each part, joined by spaces."""
    rules = [f"part-{i} ::= " + " | ".join(map(_literal, texts)) for i, texts in enumerate(parts, 1)]
    root = ' " " '.join(f"part-{i}" for i in range(1, len(parts) + 1))
    return "\n".join([f"root ::= {root}", *rules]) + "\n"


def _literal(text: str) -> str:
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text[0].upper() + text[1:]
