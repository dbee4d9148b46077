"""The prompts, in one place for training and serving.

One model does three tasks. A plan turns a question with linked names into a query line; a follow-up turns new words
into one, given the line before; an answer words a computed table, whose cells are named like a spreadsheet's (A1, B1,
A2 ...) and stand in the sentence for their values.
"""

from __future__ import annotations

PROMPT_VERSION = "4"  # to be raised with every change of the prompts: models know only the one they were trained on

Messages = list[dict[str, str]]


def plan_messages(question: str) -> Messages:
    """The plan's prompt for a question in the form of `data.text.plain`, names linked: "P1 economy at the death"."""
    return [{"role": "user", "content": f"plan {question}"}]


def follow_up_messages(previous: str, leaders: str, words: str) -> Messages:
    """The follow-up's prompt: the line before, the placeholders of what its answer named ("-": none), the new words."""
    return [{"role": "user", "content": f"follow {previous} > {leaders} > {words}"}]


def answer_messages(question: str, line: str, cells: str) -> Messages:
    """The answer's prompt; `cells` is the text of a `data.wording.Sheet`: "A1 runs B1 balls"."""
    return [{"role": "user", "content": f"say {question} = {line} = {cells}"}]
