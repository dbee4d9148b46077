"""The quality gate: what each quantisation costs in size and keeps in fidelity, speed and right answers.

Every quantisation reads the same examples with their right answers. Divergence is measured against the F16 file, task
accuracy against the merged model in transformers. `python -m convert gate --run runs/<name>`.

An example counts as right where every token of the right answer, EOS included, is the model's first choice after the
tokens before it: then, and only then, greedy decoding writes that answer, so one pass replaces 200 generations.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import ConvertError
from convert.gate.accuracy import merged_accuracy
from convert.gate.own_file import OwnFile
from convert.gate.proofs import log_softmax
from convert.gguf.runtime import Runtime, Sequence, Speed, threads_for, usable_threads
from data.dataset.encoding import EncodedExample

MAX_LOSS_POINTS = 1.0  # of task accuracy, in points of 100
REFERENCE_BYTES = 256 * 2**20  # of F16 log-probabilities kept; a large vocabulary leaves room for fewer positions


__all__ = ["GateResult", "OwnFile", "Score", "accuracy_by_command", "decide", "measure", "merged_accuracy"]


@dataclass(frozen=True)
class Score:
    """One quantisation. KL in nats per token, accuracy 0 to 1, speeds in tokens a second on this machine."""

    quantisation: str
    file: str
    size: int  # bytes
    kl_mean: float
    kl_p99: float
    top1_agreement: float
    perplexity: float
    accuracy: float
    prefill_tokens_s: float
    decode_tokens_s: float
    passed: bool


@dataclass(frozen=True)
class GateResult:
    """The scores and the verdict."""

    scores: list[Score]
    reference_accuracy: float
    reference: str  # what the accuracy is compared with
    examples: int
    positions: int  # tokens on which divergence was measured
    default: str | None  # quantisation to serve
    passed: bool
    reasons: list[str]  # why it did not pass
    own: OwnFile | None = None  # of a model that was trained on a user's file

    def to_json(self) -> str:
        """The result as JSON text."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> GateResult:
        """The result that `to_json` wrote."""
        raw = json.loads(text)
        own = OwnFile(**raw["own"]) if raw.get("own") else None
        return cls(**{**raw, "scores": [Score(**score) for score in raw["scores"]], "own": own})

    def with_own_file(self, own: OwnFile) -> GateResult:
        """The result with what was found about a user's file, whose reasons count too."""
        reasons = [*self.reasons, *own.reasons()]
        return replace(self, own=own, reasons=reasons, passed=not reasons)


@dataclass(frozen=True)
class _Pass:
    """What reading all examples with one file gave."""

    log_probabilities: np.ndarray | None  # float32 [kept positions, vocabulary]
    kl: np.ndarray  # per kept position
    top1: np.ndarray
    perplexity: float
    accuracy: float


def measure(
    files: dict[str, Path],
    examples: list[EncodedExample],
    *,
    reference_accuracy: float,
    min_accuracy: float = 0.0,
    accuracy_of: Callable[[Path], float] | None = None,
) -> GateResult:
    """Score files (quantisation → GGUF, F16 first) and pick one that loses at most MAX_LOSS_POINTS (`decide`).

    accuracy_of replaces the exact match by another measure of a GGUF's task accuracy, compared with F16's.
    """
    if next(iter(files), None) != "F16":
        raise ConvertError("the gate needs the F16 file first: run `python -m convert gguf` before it")
    f16 = _read(files["F16"], examples, None)
    others = [path for name, path in files.items() if name != "F16"]
    # a small model is read by one thread, so several are read at once; a large one uses every core
    workers = max(1, usable_threads() // threads_for(files["F16"]))
    with ThreadPoolExecutor(workers) as pool:
        read = list(pool.map(lambda path: _read(path, examples, f16.log_probabilities), others))
    passes = dict(zip(files, [f16, *read], strict=True))
    speeds = {name: _speed(path, examples) for name, path in files.items()}  # one at a time, as speed is measured
    accuracies = {name: accuracy_of(path) if accuracy_of else passes[name].accuracy for name, path in files.items()}
    reference = accuracies["F16"] if accuracy_of else reference_accuracy
    scores = [
        Score(
            quantisation=name,
            file=path.name,
            size=path.stat().st_size,
            kl_mean=float(passes[name].kl.mean()),
            kl_p99=float(np.percentile(passes[name].kl, 99)),
            top1_agreement=float(passes[name].top1.mean()),
            perplexity=passes[name].perplexity,
            accuracy=accuracies[name],
            prefill_tokens_s=speeds[name].prefill_tokens_s,
            decode_tokens_s=speeds[name].decode_tokens_s,
            passed=_loss(reference, accuracies[name]) <= MAX_LOSS_POINTS,
        )
        for name, path in files.items()
    ]
    return decide(
        scores,
        reference,
        "F16 by the given measure" if accuracy_of else "merged model, exact match",
        len(examples),
        len(passes["F16"].kl),
        min_accuracy,
    )


def _loss(reference: float, accuracy: float) -> float:
    return round(100 * (reference - accuracy), 6)  # rounded: 0.80 - 0.79 is not to be 1.0000000000000009 points


def decide(
    scores: list[Score],
    reference_accuracy: float,
    reference: str,
    examples: int,
    positions: int,
    min_accuracy: float,
) -> GateResult:
    """The verdict: which quantisation is the default, and the reasons for which none may be published.

    The default is the smallest that passed, an i-quant (IQ...) only where nothing else did: it is unpacked through a
    table, which makes it slow on a CPU (decode_tokens_s).
    """
    passing = [score for score in scores if score.passed]
    reasons = []
    if reference_accuracy < min_accuracy:
        reasons.append(
            f"the model answers {100 * reference_accuracy:.1f} % of {examples} examples right, at least "
            f"{100 * min_accuracy:.1f} % is asked"
        )
    f16 = scores[0]
    if not f16.passed:
        reasons.append(
            f"F16 loses {_loss(reference_accuracy, f16.accuracy):.1f} points against the {reference}, so the "
            "conversion itself is at fault"
        )
    if not passing:
        reasons.append(f"every quantisation loses more than {MAX_LOSS_POINTS:g} point of task accuracy")
    by_preference = sorted(passing, key=lambda score: (score.quantisation.startswith("IQ"), score.size))
    default = by_preference[0].quantisation if passing else None
    return GateResult(scores, reference_accuracy, reference, examples, positions, default, not reasons, reasons)


def _read(path: Path, examples: list[EncodedExample], f16: np.ndarray | None) -> _Pass:
    """Read the examples with a file; `f16` has the log-probabilities to compare with, None where this is F16."""
    longest = max(len(example.ids) for example in examples)
    kept: list[np.ndarray] = []
    kls: list[np.ndarray] = []
    agreements: list[np.ndarray] = []
    surprise, tokens, right, position = 0.0, 0, 0, 0
    with Runtime(path, n_ctx=max(2048, longest), n_seqs=16) as runtime:
        room = max(1, REFERENCE_BYTES // (4 * runtime.n_vocab))
        # the last token of the prompt predicts the first of the answer
        sequences = [Sequence(example.ids[:-1], example.prompt_length - 1) for example in examples]
        for example, logits in zip(examples, runtime.logits(sequences), strict=True):
            answer = np.array(example.ids[example.prompt_length :])
            ours = log_softmax(logits)
            surprise -= float(ours[np.arange(len(answer)), answer].sum())
            tokens += len(answer)
            right += bool((logits.argmax(-1) == answer).all())
            ours = ours[: max(0, room - position)]
            theirs = ours if f16 is None else f16[position : position + len(ours)]
            kls.append((np.exp(theirs) * (theirs - ours)).sum(-1))
            agreements.append(theirs.argmax(-1) == ours.argmax(-1))
            position += len(ours)
            if f16 is None:
                kept.append(ours)
    return _Pass(
        np.concatenate(kept) if kept else None,
        np.concatenate(kls),
        np.concatenate(agreements),
        float(np.exp(surprise / tokens)),
        right / len(examples),
    )


def _speed(path: Path, examples: list[EncodedExample]) -> Speed:
    prompt = [token for example in examples for token in example.ids]
    with Runtime(path, n_ctx=1024) as runtime:
        return runtime.speed((prompt * (512 // len(prompt) + 1))[:512])


def accuracy_by_command(command: str) -> Callable[[Path], float]:
    """A measure that runs command with {gguf} replaced and reads {"accuracy": 0..1} from its last line."""
    if "{gguf}" not in command:
        raise ConvertError(f"--accuracy-command {command!r} has no {{gguf}}: it stands where the file's path goes")

    def measure_one(path: Path) -> float:
        words = [word.replace("{gguf}", str(path)) for word in shlex.split(command)]
        result = subprocess.run(words, capture_output=True, text=True)
        try:
            record: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
            accuracy = float(record["accuracy"])
        except (ValueError, KeyError, IndexError, TypeError):
            accuracy = float("nan")
        if result.returncode != 0 or not 0 <= accuracy <= 1:
            said = (result.stderr.strip() or result.stdout.strip() or "nothing").splitlines()[-1]
            raise ConvertError(
                f"{' '.join(words)} gave no accuracy (exit {result.returncode}; it said: {said}): its last "
                'line must be {"accuracy": <0 to 1>}'
            )
        return accuracy

    return measure_one
