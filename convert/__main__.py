"""Command line of the conversion.

`python -m convert --run runs/<name>` makes models/<name>: merged, converted, quantised, gated, with manifest and card.
`python -m convert merge|gguf|lora|imatrix|quantise|gate --run runs/<name>` goes only so far.
`python -m convert verify models/<name>` checks a folder; `push` and `pull` move it to and from the hub or a folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

from convert import hub
from convert.errors import ConvertError
from convert.manifest import ManifestError, verify

_STEPS = ("all", "merge", "gguf", "lora", "imatrix", "quantise", "gate")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for step in _STEPS:
        about = "every step (the default command)" if step == "all" else f"the steps up to {step}"
        one = commands.add_parser(step, help=about)
        one.add_argument("--run", type=Path, required=True, help="training run: runs/<name>")
        one.add_argument("--out", type=Path, help="model folder to write, default models/<name>")
        one.add_argument("--base", help="base model folder or hub id, default: the one the run names")
        one.add_argument(
            "--examples",
            type=Path,
            help=(
                "held-out examples for proofs and gate (JSONL with messages and "
                "completion), default data/seasons/<season>/qa/validation.jsonl"
            ),
        )
        one.add_argument(
            "--imatrix-examples",
            type=Path,
            help=("examples for the importance matrix, default train.jsonl beside --examples, or --examples itself"),
        )
        one.add_argument("--count", type=int, default=200, help="how many examples, default 200")
        one.add_argument("--quantisations", help="comma-separated, default all: F16,Q8_0,Q6_K,Q5_K_M,Q4_K_M,IQ4_XS")
        one.add_argument(
            "--min-accuracy",
            type=float,
            default=0.2,
            help="share of right answers below which the gate fails, default 0.2",
        )
        one.add_argument(
            "--accuracy-command",
            help=(
                "task accuracy by a command: {gguf} is replaced by the file, the last "
                'line it prints is {"accuracy": 0.97}'
            ),
        )
        one.add_argument("--force", action="store_true", help="exit 0 although the gate failed")
    check = commands.add_parser("verify", help="check a model folder against its manifest")
    check.add_argument("folder", type=Path)
    push = commands.add_parser("push", help="publish a model folder, privately")
    push.add_argument("folder", type=Path)
    push.add_argument(
        "--to",
        help=(
            "hub repository (owner/name, with HF_TOKEN set) or a local folder; default MODEL_REPO, "
            "or models/published/<name>"
        ),
    )
    push.add_argument("--tag", help="version to tag, default the next of v1, v2, ...")
    push.add_argument("--force", action="store_true", help="publish although the gate failed; the card says so")
    pull = commands.add_parser("pull", help="fetch a published model and check it")
    pull.add_argument("repository", nargs="?", help="hub repository or local folder, default MODEL_REPO")
    pull.add_argument("--revision", help="commit, tag or branch, default MODEL_REVISION; a commit pins the files")
    pull.add_argument(
        "--file", help="which model file, default MODEL_FILE or the manifest's default; 'all' for all files"
    )
    return parser


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0].startswith("--") and arguments[0] != "--help":
        arguments = ["all", *arguments]
    options = _parser().parse_args(arguments)
    try:
        if options.command == "verify":
            manifest = verify(options.folder)
            print(
                f"{options.folder}: {len(manifest.files)} files are as the manifest says, default"
                f" {manifest.default_file}"
            )
            return 0
        if options.command == "push":
            print(
                hub.push(
                    options.folder,
                    options.to or _repository_from_environment(),
                    tag=options.tag,
                    force=options.force,
                ).line()
            )
            return 0
        if options.command == "pull":
            return _pull(options)
        return _convert(options)
    except (ConvertError, ManifestError, hub.HubError) as error:
        print(f"error: {hub.without_token(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing half-written is left, run the same command to go on", file=sys.stderr)
        return 130


def _repository_from_environment() -> str | None:
    """MODEL_REPO where a token is there to use it; without one a push goes to a local folder."""
    repository = os.environ.get("MODEL_REPO")
    if repository and not hub.is_local(repository) and not hub.token_from_environment():
        print(f"HF_TOKEN is not set: publishing to a local folder instead of {repository}", file=sys.stderr)
        return None
    return repository or None


def _pull(options: argparse.Namespace) -> int:
    repository = options.repository or os.environ.get("MODEL_REPO")
    if not repository:
        raise hub.HubError("which repository? Name it (python -m convert pull owner/name) or set MODEL_REPO")
    folder = hub.pull(
        repository,
        options.revision or os.environ.get("MODEL_REVISION") or None,
        options.file or os.environ.get("MODEL_FILE") or None,
    )
    print(folder)
    return 0


def _default_examples(run: Path, season: str | None) -> Path:
    """The validation split that the run itself kept, if it did, else the season's."""
    kept = [run / "examples" / "validation.jsonl", run / "validation.jsonl"]
    ours = Path("data/seasons") / (season or "ipl_2024") / "qa" / "validation.jsonl"
    return next((path for path in kept if path.is_file()), ours)


def _convert(options: argparse.Namespace) -> int:
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
    run = read_run(options.run, options.base)
    examples = options.examples or _default_examples(options.run, run.season)
    beside = examples.with_name("train.jsonl")
    names = [name.strip() for name in options.quantisations.split(",")] if options.quantisations else None
    if names and (unknown := [name for name in names if name not in quantise.QUANTISATIONS]):
        raise ConvertError(f"unknown quantisation {unknown[0]!r}: choose among {', '.join(quantise.QUANTISATIONS)}")
    settings = Settings(
        examples=examples,
        imatrix_examples=options.imatrix_examples or (beside if beside.is_file() else examples),
        count=options.count,
        quantisations=tuple(names or quantise.QUANTISATIONS),
        min_accuracy=options.min_accuracy,
        accuracy_command=options.accuracy_command,
    )
    out = options.out or Path("models") / options.run.name
    result = Pipeline(run, out, settings).until("manifest" if options.command == "all" else options.command)
    if result is not None:
        print(gate_report.text_table(result))
    print(f"{out} in {time.monotonic() - begin:.1f} s")
    if result is not None and not result.passed and not options.force:
        print(
            f"error: the gate failed, so `push` will refuse {out}: {'; '.join(result.reasons)}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
