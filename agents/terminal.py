"""A conversation in a terminal: a prompt with history and editing, tables with every row, a pager for long ones."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from data.command_line import aside, heading
from data.text_table import columns

HELP = (
    "a question; /new begins a new conversation, /run LINE computes a query line (alone: what was suggested last), "
    "/csv and /json print the last answer again, an empty line ends"
)
KEPT = 1000  # questions in the history file


def interactive() -> bool:
    """Whether a person types: questions are asked for with a prompt."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def lines() -> Iterator[str]:
    """Questions, typed or piped, until an empty line or the end. Typed ones are kept for the next time."""
    if not interactive():
        for line in sys.stdin:
            if not line.strip():
                return
            yield line.strip()
        return
    print(HELP, file=sys.stderr)
    with _history():
        while True:
            try:
                line = input("? ").strip()
            except EOFError:
                print(file=sys.stderr)
                return
            if not line:
                return
            yield line


def history_file() -> Path:
    """Where typed questions are kept: $XDG_STATE_HOME/cricket/history."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "cricket" / "history"


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Arrow keys recall what was typed, also before; without readline (Windows) nothing is kept."""
    try:
        import readline
    except ImportError:
        yield
        return
    file = history_file()
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(KEPT)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            readline.write_history_file(file)


def show(text: str) -> None:
    """Print the text; where it is longer than the terminal of a person, by the pager (PAGER)."""
    if sys.stdout.isatty() and text.count("\n") + 2 > shutil.get_terminal_size().lines:
        click.echo_via_pager(text + "\n")
    else:
        print(text, flush=True)


def shown(reply: dict[str, Any]) -> str:
    """Answer, candidates, suggestions, tables with every row, and how it was computed."""
    found = [heading(reply["answer"])] if reply["answer"] else []
    if reply["outcome"] == "ask_back":
        found += [f"  - {name}" for name in reply["candidates"]]
    for line in reply.get("suggestions", ()):
        of = f" --season {reply['season']}" if "season" in reply else ""
        how = "/run" if interactive() else f"cricket data ask{of} {shlex.quote(line)}"
        found.append(f"  can be computed: {line} {aside(f'({how})')}")
    for table in reply["tables"]:
        kinds = zip(*table["rows"], strict=True) if table["rows"] else [()] * len(table["columns"])
        align = "".join("r" if _numeric(values) else "l" for values in kinds)
        cells = [
            [_cell(v, c.get("decimals", 0)) for v, c in zip(row, table["columns"], strict=True)]
            for row in table["rows"]
        ]
        labels, *rows = columns([c["label"] for c in table["columns"]], cells, align).split("\n")
        found += [f"  {heading(labels)}", *(f"  {row}" for row in rows)]
        if table.get("qualification"):
            found.append(f"  {aside('(' + table['qualification'] + ')')}")
    if reply["query"]:
        how = "computed from the line"
        if "worded_by" in reply:
            how = f"{reply['latency_ms']['total']:.0f} ms, worded by the {reply['worded_by']}"
        found.append(f"  {aside('[' + reply['query'] + '; ' + how + ']')}")
    elif source := reply.get("source"):
        where = f"[not computed: row {source['row']} of your file {source['file']}]"
        found.append(f"  {aside(where)}")
    for step in reply.get("trace", ()):
        found.append(f"  {json.dumps(step, ensure_ascii=False, default=str)}")
    return "\n".join(found)


def _numeric(values: tuple[Any, ...]) -> bool:
    return bool(values) and all(isinstance(value, int | float | None) for value in values)


def _cell(value: Any, decimals: int) -> str:
    if value is None:
        return "–"
    return f"{value:.{decimals}f}" if isinstance(value, float) and decimals else str(value)
