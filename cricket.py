"""The `cricket` command: `cricket ask "most sixes?"`, `cricket data names kohli`, `cricket serve`, ...

Every command is the command line of one stage, which `python -m <stage>` runs too; its module is loaded when it is
called, so that `cricket --help` loads none of them.
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import importlib.util
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

DISTRIBUTION = "cricket-inference"
PACKAGES = ("agents", "convert", "data", "serve", "train")
# Command -> the module whose `app` it is, and its line in the help.
STAGES = {
    "ask": ("agents.__main__", "Ask a question, or hold a conversation."),
    "data": ("data.__main__", "Import seasons, ask query lines, look names up, make questions and answers."),
    "train": ("train.__main__", "Fine-tune a base model on questions and answers."),
    "evaluate": ("train.evaluate.__main__", "Measure what share of the answers is right."),
    "convert": ("convert.__main__", "Merge, convert, quantise and gate a trained model; publish and fetch it."),
    "serve": ("serve.__main__", "Start the service."),
    "mcp": ("serve.mcp", "Serve the tools of MCP over standard input and output, for desktop clients."),
    "monitor": ("serve.monitor.__main__", "Report on accuracy and drift, from the service's log and feedback."),
    "pretrain": ("train.pretrain.__main__", "Train the embedded base from random weights."),
}


class _Stages(TyperGroup):
    """The stages as commands: in the help by their line here, loaded when one is called or completed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name=name, help=line) for name, (_, line) in STAGES.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, known, rest = super().resolve_command(ctx, args)
        if name is None or known is None:
            return name, known, rest
        command = get_command(importlib.import_module(STAGES[name][0]).app)
        command.name = name
        return name, command, rest


app = typer.Typer(
    cls=_Stages,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from data.version import version

        print(f"cricket-inference {version()}")
        raise typer.Exit


@app.callback(help="Questions about a cricket season, answered with figures that are computed and never guessed.")
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def namesakes() -> list[str]:
    """Packages that would not be this project's: found elsewhere first, or overwritten by another distribution."""
    here = Path(__file__).resolve().parent
    found = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or origin.parent.parent != here:
            found.append(f"`{name}` is {origin or 'not there'}")
    return found or _overwritten()


def _overwritten() -> list[str]:
    """Packages here whose __init__.py is not the one that was installed, by the hashes in the installation's record."""
    here = Path(__file__).resolve().parent
    try:
        files = metadata.distribution(DISTRIBUTION).files or []
    except metadata.PackageNotFoundError:  # a checkout
        return []
    found = []
    for file in files:
        ours = len(file.parts) == 2 and file.parts[0] in PACKAGES and file.name == "__init__.py"
        if ours and file.hash and Path(file.locate()).resolve().parent.parent == here:
            digest = hashlib.new(file.hash.mode, file.read_binary()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
                found.append(f"`{file.parts[0]}` ({file.locate()}) was overwritten")
    return found


def main() -> None:
    """Run the command. Exit status 1 where another project's package of the same name would be loaded."""
    if wrong := namesakes():
        sys.exit(
            f"error: {', '.join(wrong)}: another project has a package of that name. Install this one in an "
            "environment of its own: `pipx install .`, or pip in a fresh virtual environment"
        )
    app(prog_name="cricket")


if __name__ == "__main__":
    main()
