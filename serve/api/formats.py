"""An answer or tables as JSON, CSV or Markdown: by `format=` in the address, else by the Accept header."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from fastapi import Request
from fastapi.responses import Response

from data.command_line import as_csv
from data.text_table import markdown
from serve.api.problems import Problem
from serve.api.schemas import Answer, Stats, Table

Format = Literal["json", "csv", "md"]
MEDIA_TYPES: dict[str, Format] = {"application/json": "json", "text/csv": "csv", "text/markdown": "md"}
_CONTENT_TYPES: dict[Format, str] = {fmt: kind for kind, fmt in MEDIA_TYPES.items()}
# For /openapi.json: the other forms of a reply.
FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "text/markdown": {"schema": {"type": "string"}},
        }
    }
}


def format_of(request: Request) -> Format:
    """The form that is asked for; JSON where the request accepts anything. Raises Problem 406 for an unknown one."""
    given = request.query_params.get("format")
    if given is None:
        accepted = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
        return next((MEDIA_TYPES[kind] for kind in accepted if kind in MEDIA_TYPES), "json")
    if given not in _CONTENT_TYPES:
        raise Problem(406, "format", f"no format {given[:20]!r} here: send format=json, csv or md")
    return given


def rendered(reply: Answer | Stats, form: Format, left_out: set[str] | None = None) -> Response:
    """The reply in that form; `left_out` names fields that JSON does without."""
    sentence = reply.answer if isinstance(reply, Answer) else None
    if form == "csv":
        text = csv_of(reply.tables) if reply.tables else as_csv(*_refusal(reply))
    elif form == "md":
        offered = reply.suggestions if isinstance(reply, Answer) else []
        text = markdown_of(sentence, reply.tables, reply.query, offered)
    else:
        text = reply.model_dump_json(exclude=left_out)
    return Response(text, media_type=_CONTENT_TYPES[form], headers={"Vary": "Accept"})


def csv_of(tables: Sequence[Table]) -> str:
    """The tables with raw values, an empty line between two."""
    return "\n".join(as_csv([c.label for c in table.columns], table.rows) for table in tables)


def markdown_of(
    sentence: str | None, tables: Sequence[Table], line: str | None, suggestions: Sequence[str] = ()
) -> str:
    """The sentence, the tables as people read them, and the query line; the lines that can be computed instead."""
    parts = [_escaped(sentence)] if sentence else []
    for table in tables:
        align = "".join("r" if _is_numeric(table, i) else "l" for i in range(len(table.columns)))
        head = [_escaped(column.label) for column in table.columns]
        parts.append(markdown(head, [[_escaped(text) for text in row] for row in shown(table)], align))
        if table.qualification:
            parts.append(f"({_escaped(table.qualification)})")
    parts += [f"`{line}`"] * bool(line) + [f"Can be computed: `{line}`" for line in suggestions]
    return "\n\n".join(parts) + "\n"


def shown(table: Table) -> list[list[str]]:
    """The cells as people read them: rounded, a dash for what is undefined."""
    return [
        [_cell(value, column.decimals) for value, column in zip(row, table.columns, strict=True)] for row in table.rows
    ]


def _cell(value: Any, decimals: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{decimals}f}" if isinstance(value, float) and decimals else str(value)


def _is_numeric(table: Table, column: int) -> bool:
    return all(isinstance(row[column], int | float | None) for row in table.rows)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _refusal(reply: Answer | Stats) -> tuple[list[str], list[list[str | None]]]:
    """A row that says why there are no figures, so that a spreadsheet is not just empty."""
    if isinstance(reply, Answer):
        return ["outcome", "reason", "answer"], [[reply.outcome, reply.reason, reply.answer]]
    return ["query"], [[reply.query]]
