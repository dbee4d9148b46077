"""Command line of the conversion.

`python -m convert --run runs/<name>` makes models/<name>: merged, converted, quantised, gated, with manifest and card.
`python -m convert merge|gguf|lora|imatrix|quantise|gate --run runs/<name>` goes only so far.
`python -m convert verify models/<name>` checks a folder; `push` and `pull` move it to and from the hub or a folder.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from convert import hub
from convert.errors import ConvertError
from convert.manifest import ManifestError, verify
from data.command_line import command_line, reported, run

_STEPS = ("all", "merge", "gguf", "lora", "imatrix", "quantise", "gate")


class _Conversion(TyperGroup):
    """Options without a command are those of `all`; an error never shows a token."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["all", *args]
        return super().parse_args(ctx, args)

    @reported(
        ConvertError,
        ManifestError,
        hub.HubError,
        text=hub.without_token,
        interrupted="interrupted: nothing half-written is left, run the same command to go on",
    )
    def invoke(self, ctx: Any) -> Any:
        return super().invoke(ctx)


app = command_line(
    "From a training run to a published model. Without a command: all steps, `convert --run runs/<name>`.",
    cls=_Conversion,
)


def _until(step: str) -> Callable[..., None]:
    """The command that runs the steps up to this one."""

    def command(
        run: Annotated[Path, typer.Option(help="training run: runs/<name>")],
        out: Annotated[Path | None, typer.Option(help="model folder to write, default models/<name>")] = None,
        base: Annotated[
            str | None, typer.Option(help="base model folder or hub id, default: the one the run names")
        ] = None,
        examples: Annotated[
            Path | None,
            typer.Option(
                help="held-out examples for proofs and gate (JSONL with messages and completion), default "
                "data/seasons/<season>/qa/validation.jsonl"
            ),
        ] = None,
        imatrix_examples: Annotated[
            Path | None,
            typer.Option(
                help="examples for the importance matrix, default train.jsonl beside --examples, or --examples itself"
            ),
        ] = None,
        count: Annotated[int, typer.Option(help="how many examples")] = 200,
        quantisations: Annotated[
            str | None, typer.Option(help="comma-separated, default all: F16,Q8_0,Q6_K,Q5_K_M,Q4_K_M,IQ4_XS")
        ] = None,
        min_accuracy: Annotated[float, typer.Option(help="share of right answers below which the gate fails")] = 0.2,
        accuracy_command: Annotated[
            str | None,
            typer.Option(
                help="task accuracy by a command: {gguf} is replaced by the file, the last line it prints is "
                '{"accuracy": 0.97}'
            ),
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="exit 0 although the gate failed")] = False,
    ) -> None:
        # imported here: verify, push and pull need neither torch nor transformers
        import transformers

        from convert.gate import report as gate_report
        from convert.gguf import quantise
        from convert.pipeline import Pipeline, Settings
        from convert.run_folder import read_run

        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        warnings.simplefilter("ignore", FutureWarning)  # of peft and transformers about each other
        begin = time.monotonic()
        training = read_run(run, base)
        held_out = examples or _default_examples(run, training.season)
        beside = held_out.with_name("train.jsonl")
        names = [name.strip() for name in quantisations.split(",")] if quantisations else None
        if names and (unknown := [name for name in names if name not in quantise.QUANTISATIONS]):
            raise ConvertError(f"unknown quantisation {unknown[0]!r}: choose among {', '.join(quantise.QUANTISATIONS)}")
        settings = Settings(
            examples=held_out,
            imatrix_examples=imatrix_examples or (beside if beside.is_file() else held_out),
            count=count,
            quantisations=tuple(names or quantise.QUANTISATIONS),
            min_accuracy=min_accuracy,
            accuracy_command=accuracy_command,
        )
        folder = out or Path("models") / run.name
        result = Pipeline(training, folder, settings).until("manifest" if step == "all" else step)
        if result is not None:
            print(gate_report.text_table(result))
        print(f"{folder} in {time.monotonic() - begin:.1f} s")
        if result is not None and not result.passed and not force:
            raise ConvertError(f"the gate failed, so `push` will refuse {folder}: {'; '.join(result.reasons)}")

    return command


for _step in _STEPS:
    app.command(_step, help="Every step (the default command)." if _step == "all" else f"The steps up to {_step}.")(
        _until(_step)
    )


@app.command("verify")
def _verify(folder: Annotated[Path, typer.Argument(help="model folder")]) -> None:
    """Check a model folder against its manifest."""
    manifest = verify(folder)
    print(f"{folder}: {len(manifest.files)} files are as the manifest says, default {manifest.default_file}")


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(help="model folder")],
    to: Annotated[
        str | None,
        typer.Option(
            help="hub repository (owner/name, or name for your own; with HF_TOKEN set or after `hf auth login`) or a "
            "local folder such as ./name; default MODEL_REPO, or models/published/<name>"
        ),
    ] = None,
    tag: Annotated[str | None, typer.Option(help="version to tag, default the next of v1, v2, ...")] = None,
    force: Annotated[bool, typer.Option("--force", help="publish although the gate failed; the card says so")] = False,
) -> None:
    """Publish a model folder, privately."""
    print(hub.push(folder, to or _repository_from_environment(), tag=tag, force=force).line())


@app.command()
def pull(
    repository: Annotated[str | None, typer.Argument(help="hub repository or local folder, default MODEL_REPO")] = None,
    revision: Annotated[
        str | None, typer.Option(help="commit, tag or branch, default MODEL_REVISION; a commit pins the files")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(help="which model file, default MODEL_FILE or the manifest's default; 'all' for all files"),
    ] = None,
) -> None:
    """Fetch a published model and check it."""
    found = repository or os.environ.get("MODEL_REPO")
    if not found:
        raise hub.HubError("which repository? Name it (python -m convert pull owner/name) or set MODEL_REPO")
    print(
        hub.pull(
            found,
            revision or os.environ.get("MODEL_REVISION") or None,
            file or os.environ.get("MODEL_FILE") or None,
        )
    )


def _repository_from_environment() -> str | None:
    """MODEL_REPO where a token is there to use it; without one a push goes to a local folder."""
    repository = os.environ.get("MODEL_REPO")
    if repository and not hub.is_local(repository) and not hub.token_from_environment():
        print(
            f"no token (HF_TOKEN, `hf auth login`): publishing to a local folder instead of {repository}",
            file=sys.stderr,
        )
        return None
    return repository or None


def _default_examples(run: Path, season: str | None) -> Path:
    """The validation split that the run itself kept, if it did, else the season's."""
    from data.season import SEASONS

    kept = [run / "examples" / "validation.jsonl", run / "validation.jsonl"]
    ours = SEASONS / (season or "ipl_2024") / "qa" / "validation.jsonl"
    return next((path for path in kept if path.is_file()), ours)


def main(arguments: list[str] | None = None) -> int:
    return run(app, arguments)


if __name__ == "__main__":
    sys.exit(main())
