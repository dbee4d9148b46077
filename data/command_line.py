"""What the command lines of all stages share: options, errors as one line, and tables as text, JSON or CSV.

Every stage has its `app` in its `__main__.py`; `python -m <stage>` and `cricket <stage>` run the same one.
"""

from __future__ import annotations

import csv
import inspect
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from data.text_table import columns

INTERRUPTED = 130  # exit status of a program that Ctrl-C ended: 128 + SIGINT

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Csv = Annotated[bool, typer.Option("--csv", help="print tables as CSV, with raw values")]


def command_line(about: str = "", **options: Any) -> typer.Typer:
    """A typer app as all stages have it: without completion, which `cricket` has, and with Python's own tracebacks."""
    return typer.Typer(
        help=about or None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run a command line; its exit status. A SystemExit with a message passes through, for Python to print."""
    try:
        app(arguments if arguments is None else list(arguments))
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        return ended.code or 0
    return 0


@contextmanager
def reported(
    *errors: type[Exception], text: Callable[[str], str] = str, interrupted: str = "interrupted"
) -> Iterator[None]:
    """Decorates a command: an error of these types becomes one line and exit status 1, Ctrl-C the text `interrupted`.

    `text` is applied to the error's message, to take secrets out.
    """
    try:
        yield
    except errors as error:
        print(f"error: {text(str(error))}", file=sys.stderr)
        raise typer.Exit(1) from None
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if error.name != package or package in ("agents", "convert", "data", "serve", "train"):
            raise
        print(f"error: the package {package} is not installed; training and conversion need requirements-train.txt: "
              "pip install -r requirements-train.txt, or 'cricket-inference[train]'", file=sys.stderr)  # fmt: skip
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # such as `| head`, which has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@dataclass(frozen=True)
class Setting:
    """One field of a configuration that becomes an option; `kind` is its type, `default` is shown and not passed on."""

    name: str
    kind: Any
    default: Any
    help: str
    negatable: bool = False


def command_of(settings: Iterable[Setting], call: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """A command with one option for each setting. `call` gets the values that the command line gives, by name."""

    def command(**values: Any) -> None:
        call({name: value for name, value in values.items() if value is not None})

    parameters = []
    for setting in settings:
        flag = f"--{setting.name.replace('_', '-')}"
        names = (f"{flag}/--no-{flag[2:]}",) if setting.negatable else (flag,)
        plain = setting.default is None or setting.default is False or setting.default == ""
        shown = "" if plain else f" (default: {setting.default})"
        option = typer.Option(*names, help=f"{setting.help}{shown}".strip(), show_default=False)
        parameters.append(
            inspect.Parameter(
                setting.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[setting.kind | None, option],
            )
        )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


# -- tables


def output_form(as_json: bool, as_csv: bool) -> Literal["text", "json", "csv"]:
    """Which form --json and --csv ask for; a usage error for both."""
    if as_json and as_csv:
        raise typer.BadParameter("give --json or --csv, not both")
    return "json" if as_json else "csv" if as_csv else "text"


def colour() -> bool:
    """Whether standard output is a terminal whose user has not said no (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def heading(text: str) -> str:
    """A heading or an answer, bold on a terminal."""
    return typer.style(text, bold=True) if colour() else text


def aside(text: str) -> str:
    """What is less important, dim on a terminal."""
    return typer.style(text, dim=True) if colour() else text


def as_csv(labels: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV (RFC 4180, but for line feeds): numbers as they are, dates by ISO 8601, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(labels)
    writer.writerows(rows)
    return text.getvalue()


def as_json(value: Any) -> str:
    """Indented JSON; what JSON does not have, such as dates, as text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def print_records(records: Sequence[Mapping[str, Any]], form: Literal["text", "json", "csv"]) -> None:
    """Records with the same keys, as a table with a row for each or as a JSON list."""
    if form == "json":
        print(as_json(list(records)))
    elif records and form == "csv":
        print(as_csv(list(records[0]), (list(record.values()) for record in records)), end="")
    elif records:
        cells = [["" if value is None else str(value) for value in record.values()] for record in records]
        labels, *lines = columns(list(records[0]), cells).split("\n")
        print("\n".join([heading(labels), *lines]))
