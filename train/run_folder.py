"""The folder of a training run, runs/<name>/: what it was made from, its checkpoints and its result.

config.yaml is written first, result.json last: a folder with both is a finished run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import yaml
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from data.atomic_write import atomic_write, temporary_folder
from data.dataset import knowledge
from data.dataset.examples import read, write
from data.prompts import PROMPT_VERSION
from train.base_model import fingerprint
from train.callbacks import DONE_MARK
from train.config import UNHASHED, SftConfig, as_dict
from train.dataset import SPLITS, Dataset
from train.errors import RunExists

OWN_EXAMPLES = "own.jsonl"  # each row of a user's file once
KNOWN_LOSS = 0.01  # nats a token, below which a model knows the rows already


@dataclass(frozen=True)
class Result:
    """What a run produced: result.json."""

    inputs_sha256: str
    steps: int
    seconds: float  # of training in the last process of the run
    stopped: str  # epochs | early (no better validation loss) | time
    validation_loss: float  # nats a token
    exact_match: dict[str, float]  # share of validation examples reproduced exactly, by task
    base_exact_match: dict[str, float]  # the same before training
    trained_parameters: int
    parameters: int
    tokens_per_second: float
    adapter_sha256: str
    minutes: float = 0.0  # the limit that the run had
    planned_steps: int = 0
    # of a user's file: nats a token of its rows before training and after it; None of other data
    own_loss_before: float | None = None
    own_loss: float | None = None

    @property
    def learned_nothing(self) -> bool:
        """Whether the loss on a user's file did not fall, although there was something to learn."""
        if self.own_loss is None or self.own_loss_before is None:
            return False
        return self.own_loss >= self.own_loss_before and self.own_loss_before > KNOWN_LOSS


def inputs_hash(config: SftConfig, data_sha256: str) -> str:
    """A hash of everything that decides the result: settings, data, base, prompts."""
    kept = {k: v for k, v in as_dict(config).items() if k not in UNHASHED}
    template = Path(config.chat_template)
    if config.chat_template and template.is_file():
        kept["chat_template"] = template.read_text(encoding="utf-8")
    kept |= {
        "data": data_sha256,
        "base": fingerprint(config.base, config.base_revision),
        "prompt": PROMPT_VERSION,
    }
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def finished_result(folder: Path, inputs: str, config: SftConfig) -> Result | None:
    """The result of a finished run of these inputs, None where there is none or it is given more time or steps.

    Raises RunExists where the folder is of other inputs; with `config.replace` it is deleted instead.
    """
    if not (folder / "config.yaml").is_file():
        return None
    found = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) or {}
    if found.get("inputs_sha256") != inputs:
        if _is_shorter(found, inputs, config) and last_checkpoint(folder) and not config.replace:
            (folder / "result.json").unlink(missing_ok=True)
            return None
        if config.replace:
            if is_main_process():
                print(f"{folder} was made from other inputs: replacing it", flush=True)
                shutil.rmtree(folder)
            return None
        now = as_dict(config)
        differ = [
            f"{k} {found[k]!r} -> {now[k]!r}" for k in now if k not in UNHASHED and k in found and found[k] != now[k]
        ]
        raise RunExists(
            f"{folder} was made from other inputs ({'; '.join(differ) or 'the data or the base changed'}): name "
            "another run with --run, or replace this one with --replace"
        )
    if not (folder / "result.json").is_file() or not weights_folder(folder, config).is_dir():
        return None
    result = read_result(folder)
    more_time = config.minutes == 0 or config.minutes > result.minutes
    return None if result.stopped == "time" and more_time and last_checkpoint(folder) else result


def _is_shorter(found: dict, inputs: str, config: SftConfig) -> bool:
    """Whether the run of the settings `found` differs from one with `config` and `inputs` by fewer steps alone."""
    steps, data = found.get("max_steps", 0), found.get("data_sha256", "")
    shorter = inputs_hash(replace(config, max_steps=steps), data)
    same = inputs_hash(config, data) == inputs and found.get("inputs_sha256") == shorter
    return same and 0 < steps < config.max_steps


def read_result(folder: Path) -> Result:
    """The result that the run wrote."""
    return Result(**json.loads((folder / "result.json").read_text(encoding="utf-8")))


def finish(folder: Path, result: Result, keep_checkpoints: bool = False) -> None:
    """Write the result, and delete the checkpoints that nothing will go on from, unless all are kept."""
    atomic_write(folder / "result.json", json.dumps(asdict(result), indent=2) + "\n")
    if keep_checkpoints:
        return
    keep = last_checkpoint(folder) if result.stopped == "time" else None
    for checkpoint in (folder / "checkpoints").glob("*"):
        if checkpoint != keep:
            shutil.rmtree(checkpoint, ignore_errors=True)
    if keep is None:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def prepare(folder: Path, config: SftConfig, data: Dataset, inputs: str, model: PreTrainedModel) -> None:
    """Write config.yaml, and the examples as the conversion reads them."""
    about = as_dict(config) | {
        "base_revision": config.base_revision or getattr(model.config, "_commit_hash", None) or "",
        "base_sha256": fingerprint(config.base, config.base_revision),
        "data_sha256": data.sha256,
        "prompt_version": PROMPT_VERSION,
        "inputs_sha256": inputs,
    }
    for split in SPLITS:
        write(getattr(data, split), folder / "examples" / f"{split}.jsonl")
    if data.report and Path(config.data).is_file():
        about["data"] = Path(config.data).name  # the record is published, and a path tells about its owner
    if data.report:
        write(data.own, folder / "examples" / OWN_EXAMPLES)
        knowledge.write(data.rows, folder / knowledge.KNOWLEDGE_FILE)
        atomic_write(folder / "data-report.md", data.report)
        print(
            "\n".join(line for line in data.report.split("\n## ")[0].splitlines() if line.startswith("- ")), flush=True
        )
    atomic_write(folder / "config.yaml", yaml.safe_dump(about, sort_keys=False))


def prepared(folder: Path, inputs: str) -> Dataset | None:
    """The dataset of a user's file as `prepare` wrote it for these inputs; None where there is none."""
    about = folder / "config.yaml"
    if not about.is_file() or not (folder / "data-report.md").is_file():
        return None
    saved = yaml.safe_load(about.read_text(encoding="utf-8")) or {}
    if saved.get("inputs_sha256") != inputs:
        return None
    splits = {split: read(folder / "examples" / f"{split}.jsonl") for split in SPLITS}
    return Dataset(
        **splits,
        sha256=saved["data_sha256"],
        report=(folder / "data-report.md").read_text(encoding="utf-8"),
        own=tuple(read(folder / "examples" / OWN_EXAMPLES)),
        rows=tuple(knowledge.read(folder / knowledge.KNOWLEDGE_FILE)),
    )


def weights_folder(folder: Path, config: SftConfig) -> Path:
    """Where the trained weights go: adapter/, or model/ where every weight is trained."""
    return folder / ("model" if config.method == "full" else "adapter")


def save_weights(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, target: Path, base: str, with_tokenizer: bool
) -> str:
    """Write the adapter or model, which names its base as the settings do; returns a hash of its weights."""
    with temporary_folder(target) as part:
        model.save_pretrained(part)
        about = part / "adapter_config.json"
        if about.is_file():  # it names the folder that the base was loaded from, which may be in this user's cache
            named = json.loads(about.read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
            about.write_text(json.dumps(named, indent=2, sort_keys=True), encoding="utf-8")
        if with_tokenizer:
            tokenizer.save_pretrained(part)
            source = Path(model.config._name_or_path)
            if (source / "tokenizer.model").is_file():  # llama.cpp's converter takes the order of merges from it
                shutil.copyfile(source / "tokenizer.model", part / "tokenizer.model")
    digest = hashlib.sha256()
    for path in sorted(target.glob("*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def last_checkpoint(folder: Path) -> Path | None:
    """The latest checkpoint that was written completely."""
    complete = [mark.parent for mark in (folder / "checkpoints").glob(f"checkpoint-*/{DONE_MARK}")]
    return max(complete, key=checkpoint_step, default=None)


def checkpoint_step(checkpoint: Path | None) -> int:
    """The step at which a checkpoint was saved; 0 without one."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def is_main_process() -> bool:
    """Whether this process writes files, of several that train together."""
    return int(os.environ.get("RANK", 0)) == 0
