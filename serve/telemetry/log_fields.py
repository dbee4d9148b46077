"""What a question was about and how well it was understood, without its words or names: fields of the log line.

    understanding(reply, lexicon) -> {"measures": [...], "names_unknown": 0, "words_unknown": 1, ...}

`serve.monitor` looks for drift in these fields.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from agents.coverage import left_out
from agents.messages import Reply
from agents.trace import PlanStep
from data.query import Plan, parse
from data.text import PLACEHOLDER, plain

_WORD = re.compile(r"[a-z][a-z'-]*[a-z]|[a-z]")


def understanding(reply: Reply, lexicon: Collection[str] = ()) -> dict[str, Any]:
    """Fields of an answered question. `lexicon`: the words of the phrasings that the model was trained on."""
    link, plan, answer = reply.trace.link, reply.trace.plan, reply.trace.answer
    mentions = link.mentions if link else {}
    words = words_of(link.text) if link else []
    return {
        **(shape(parse(reply.query)) if reply.query else {}),
        "names": len(mentions),
        "names_unknown": sum(not found for found in mentions.values()),
        "words": len(words),
        "words_unknown": sum(word not in lexicon for word in words) if lexicon else None,
        **(_plan_quality(plan) if isinstance(plan, PlanStep) else {}),
        "plain_because": (answer.why if answer else None) or None,
    }


def shape(plan: Plan) -> dict[str, Any]:
    """What a query line asks for, without names: its measures, dimensions and the keys of its filters."""
    return {
        "measures": sorted({m for q in plan.queries for m in q.measures}),
        "by": sorted({d for q in plan.queries for d in q.by}),
        "filters": sorted({f.key for q in plan.queries for f in q.filters}),
    }


def words_of(linked: str) -> list[str]:
    """The words of a linked question as the model reads it, without placeholders and numbers."""
    return _WORD.findall(PLACEHOLDER.sub(" ", plain(linked)))


def _plan_quality(plan: PlanStep) -> dict[str, Any]:
    """`plan_left_out`: names and numbers of the question that the chosen line does not use. `plan_redrawn`: the model's
    first line was in doubt, so that others were sampled and the best one was taken."""
    return {"plan_left_out": len(left_out(parse(plan.line), plan.text)), "plan_redrawn": plan.drafts > 1}
