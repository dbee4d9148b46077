"""What a question was about and how sure its reading was, without its words or names: fields of the log line.

    understanding(reply, lexicon) -> {"measures": [...], "names_unknown": 0, "words_unknown": 1, ...}

`serve.monitor` reads these fields for drift. Knows nothing about HTTP or logging.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from agents.coverage import left_out
from agents.messages import Reply
from data.query import Plan, QueryError, parse
from data.text import PLACEHOLDER, plain

_WORD = re.compile(r"[a-z][a-z'-]*[a-z]|[a-z]")


def understanding(reply: Reply, lexicon: Collection[str] = ()) -> dict[str, Any]:
    """Fields of an answered question. `lexicon`: the words of the phrasings that the model was trained on."""
    steps = {step["step"]: step for step in reply.trace}
    link, plan = steps.get("link", {}), steps.get("plan", {})
    mentions = link.get("mentions", {})
    words = words_of(link.get("text", ""))
    return {
        **(shape(parse(reply.query)) if reply.query else {}),
        "names": len(mentions),
        "names_unknown": sum(not found for found in mentions.values()),
        "words": len(words),
        "words_unknown": sum(word not in lexicon for word in words) if lexicon else None,
        **_sureness(plan),
        "plain_because": steps.get("answer", {}).get("why") or None,
    }


def shape(plan: Plan) -> dict[str, Any]:
    """What a query line asks for, without whom: its measures, dimensions and the keys of its filters."""
    return {
        "measures": sorted({m for q in plan.queries for m in q.measures}),
        "by": sorted({d for q in plan.queries for d in q.by}),
        "filters": sorted({f.key for q in plan.queries for f in q.filters}),
    }


def words_of(linked: str) -> list[str]:
    """The words of a linked question as the model reads it, placeholders and numbers left out."""
    return _WORD.findall(PLACEHOLDER.sub(" ", plain(linked)))


def _sureness(plan: dict[str, Any]) -> dict[str, Any]:
    """`plan_left_out`: names and numbers of the question that the chosen line does not use. `plan_redrawn`: the
    model's first line was cut off or left something out, so that others were drawn and the best one taken."""
    text, line, first = plan.get("text"), plan.get("line"), plan.get("generated")
    if text is None or line is None:
        return {}
    try:
        redrawn = left_out(parse(first or ""), text) > 0
    except QueryError:
        redrawn = True
    return {"plan_left_out": left_out(parse(line), text), "plan_redrawn": redrawn}
