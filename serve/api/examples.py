"""A reply of POST /infer for each outcome, as /openapi.json and /docs show them; tests compare them with the service's.

Times, ids and tokens are those of one run.
"""

from __future__ import annotations

from typing import Any

QUESTIONS = {
    "answered": "Who scored the most runs?",
    "ask_back": "How many runs did Pandya score?",
    "declined": "Who will win IPL 2031?",
}
_MODEL = {"name": "demo", "file": "model-q8_0.gguf", "quantisation": "Q8_0"}
_TABLE = {
    "columns": [
        {"name": "batter", "label": "batter", "role": "dimension", "decimals": 0},
        {"name": "runs", "label": "runs", "role": "asked", "decimals": 0},
        {"name": "balls", "label": "balls faced", "role": "shown", "decimals": 0},
        {"name": "innings", "label": "innings", "role": "shown", "decimals": 0},
    ],
    "rows": [["Virat Kohli", 741, 479, 15]],
    "totals": {},
    "qualification": None,
    "more_tied": False,
}


def _reply(answer: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {
        "answer": answer,
        "outcome": outcome,
        "query": None,
        "table": None,
        "tables": [],
        "worded_by": "plain",
        "reason": None,
        "candidates": [],
        "suggestions": [],
        "model": _MODEL,
        "season": "ipl_2024",
        "source": None,
        "latency_ms": {"queue": 0.0, "link": 1.1, "plan": 21.4, "total": 22.5},
        "usage": {"prompt_tokens": 9, "completion_tokens": 8, "cached_tokens": 1},
        "conversation_id": "5f0c...",
        "request_id": "4c1d...",
    } | more


REPLIES: dict[str, dict[str, Any]] = {
    "answered": {
        "summary": f"Answered, with the figures: {QUESTIONS['answered']}",
        "value": _reply(
            "Virat Kohli scored the most runs: 741 off 479 balls in 15 innings.",
            "answered",
            query="runs by batter | top 1",
            table=_TABLE,
            tables=[_TABLE],
            latency_ms={"queue": 0.0, "link": 1.1, "plan": 21.4, "retrieve": 2.9, "answer": 18.2, "total": 43.6},
        ),
    },
    "ask_back": {
        "summary": f"Asked back, since several people are meant: {QUESTIONS['ask_back']}",
        "value": _reply(
            "Which Pandya do you mean? I can't tell from the name alone: it could be Hardik Pandya (Mumbai Indians) or "
            "Krunal Pandya (Lucknow Super Giants).",
            "ask_back",
            reason="ambiguous_name",
            candidates=["Hardik Pandya", "Krunal Pandya"],
        ),
    },
    "declined": {
        "summary": f"Declined, with the reason: {QUESTIONS['declined']}",
        "value": _reply(
            "I can't predict: I only know what happened in IPL 2024.",
            "declined",
            reason="prediction",
            latency_ms={"queue": 0.0, "link": 0.5, "total": 0.6},
            usage={"prompt_tokens": 0, "completion_tokens": 0, "cached_tokens": 0},
        ),
    },
}
