"""Start the service: `python -m serve`. All settings come from the environment; options go over it.

The settings are in serve/settings.py, the server's life in serve/server.py.
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from pydantic import SecretStr, ValidationError

from data.command_line import Setting, command_line, command_of, reported, run
from serve.settings import Settings

_SECRETS = [
    name for name, field in Settings.model_fields.items() if SecretStr in getattr(field.annotation, "__args__", ())
]
_HELP = f"""Start the service.

Every option is also an environment variable or a line in .env: --model-path is MODEL_PATH. Secrets are no options:
{", ".join(name.upper() for name in _SECRETS)}."""


def _settings(given: dict[str, Any]) -> Settings:
    """Settings of the environment under what was given; exit status 2 with a line for each that is wrong."""
    try:
        return Settings(**given)
    except ValidationError as error:
        for e in error.errors(include_input=False, include_url=False):
            print(f"setting {'.'.join(map(str, e['loc'])).upper()}: {e['msg']}", file=sys.stderr)
        raise typer.Exit(2) from None


def _serve(given: dict[str, Any]) -> None:
    settings = _settings(given)
    from serve.server import CannotListen, serve  # imported here: --help needs neither the engine nor the web framework

    with reported(CannotListen, interrupted=""):
        status = serve(settings)
    raise typer.Exit(status)


app = command_line()
app.command(help=_HELP)(
    command_of(
        (
            Setting(name, str, field.default, field.description or "")  # as text: Settings checks and converts
            for name, field in Settings.model_fields.items()
            if name not in _SECRETS
        ),
        _serve,
    )
)


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
