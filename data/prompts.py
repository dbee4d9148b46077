"""The prompts, once: what the model is trained on and what it is served. Knows nothing about tokenizers or models.

Two tasks share one model. A plan turns a linked question into a query line; an answer words a computed table, in which
cells are named like a spreadsheet's (A1, B1, A2 ...) and stand in the sentence for their values.
"""

from __future__ import annotations

PROMPT_VERSION = "3"

Messages = list[dict[str, str]]


def plan_messages(question: str) -> Messages:
    """`question` in the plain form of `data.text.plain`, names linked: "P1 economy at the death"."""
    return [{"role": "user", "content": f"plan {question}"}]


def answer_messages(question: str, line: str, cells: str) -> Messages:
    """`cells` as `data.wording.cells` writes them: "A1 runs B1 balls"."""
    return [{"role": "user", "content": f"say {question} = {line} = {cells}"}]
