"""Command line of the embedded base's pre-training: `python -m train.pretrain`. `--help` lists all settings."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from data.command_line import Setting, command_line, command_of, reported, run
from data.errors import DataError
from train.pretrain.config import HELP, PretrainConfig


@reported(DataError, interrupted="interrupted: the same command goes on from the last checkpoint")
def _pretrain(given: dict[str, Any]) -> None:
    from train.pretrain.training import pretrain  # imported here: --help needs no torch

    pretrain(PretrainConfig(**given))


app = command_line()
app.command(help="Train the embedded base from random weights, on composed questions.")(
    command_of(
        (
            Setting(f.name, type(f.default), f.default, HELP[f.name], negatable=isinstance(f.default, bool))
            for f in dataclasses.fields(PretrainConfig)
        ),
        _pretrain,
    )
)


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
