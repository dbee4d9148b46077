"""The steps of the conversion in order: merge, F16 GGUF with proofs, LoRA GGUF, imatrix, quantisations, gate, manifest.

A step that was done before for the same inputs is skipped. `python -m convert --run runs/<name>`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from convert import examples, gate, manifest
from convert.card import card
from convert.errors import ConvertError
from convert.gate import own_file, proofs
from convert.gate import report as gate_report
from convert.gguf import imatrix, quantise
from convert.gguf.conversion import lora_to_gguf, to_f16
from convert.gguf.llama_cpp_source import LLAMA_CPP_COMMIT
from convert.merge import merge
from convert.run_folder import Run
from convert.stages import Stages
from data.atomic_write import atomic_write
from data.dataset.encoding import EncodedExample
from data.dataset.examples import Example
from data.dataset.knowledge import KNOWLEDGE_FILE

STEPS = ("merge", "gguf", "lora", "imatrix", "quantise", "gate", "manifest")
ADAPTER_FILE = "adapter-f16.gguf"
MOST_EXAMPLES = 2000  # to compare a model that was trained on a user's file with its base
MAX_TOKENS = 1024  # of an example; those of the task have a few hundred at most


@dataclass(frozen=True)
class Settings:
    """What the conversion is asked to do."""

    examples: Path  # for proofs and gate: held out from training
    imatrix_examples: Path  # for the importance matrix: what training saw
    count: int = 200  # examples of each
    quantisations: tuple[str, ...] = tuple(quantise.QUANTISATIONS)
    min_accuracy: float = 0.2  # share of right answers below which the gate fails
    accuracy_command: str | None = None  # that measures the task accuracy of a GGUF, see gate.accuracy_by_command


class Pipeline:
    """The conversion of one run into the model folder `out`; `report` is called with a line about each step."""

    def __init__(self, run: Run, out: Path, settings: Settings, report: Callable[[str], None] = print) -> None:
        self.run, self.out, self.settings, self.report = run, out, settings, report
        self.stages = Stages(out, report)
        self.merged = self.stages.work / "merged"
        self.imatrix = self.stages.work / "imatrix.npz"
        self.f16 = out / quantise.file_name("F16")
        # what the steps measured, for the manifest
        self._merge_proof: dict[str, Any] = {}
        self._proofs: dict[str, Any] = {}
        self._fallbacks: dict[str, dict[str, int]] = {}
        self._lora_made = False
        self._gate_result: gate.GateResult | None = None

    def until(self, last: str) -> gate.GateResult | None:
        """Run the steps up to `last`; the gate's result, None where the gate was not reached. Raises ConvertError."""
        for step in STEPS[: STEPS.index(last) + 1]:
            getattr(self, f"_{step}")()
        return self._gate_result

    def _merge(self) -> None:
        def make() -> tuple[dict[str, Any], str]:
            proof = merge(self.run.base, self.run.adapter, self.merged)
            return (
                proof.as_dict(),
                (
                    f"{proof.parameters / 1e6:.2f} M parameters; largest logit difference"
                    f" {proof.logit_difference:.1e} merged, {proof.reloaded_difference:.1e} read back"
                    f" (training made {proof.training_difference:.2g}); {proof.changed_tensors} tensors"
                    f" changed by up to {proof.largest_weight_change:.2g}; {proof.tokens}"
                    f" tokens{', embeddings tied' if proof.tied_embeddings else ''}"
                ),
            )

        self._merge_proof = self.stages.run(
            "merge", {"base": self.run.base_sha256, "adapter": self.run.adapter_sha256}, [self.merged], make
        )

    def _gguf(self) -> None:
        provenance = self.run.provenance(LLAMA_CPP_COMMIT)

        def make() -> tuple[dict[str, Any], str]:
            staged = self.stages.work / "unproven-f16.gguf"  # renamed once the proofs have passed
            conversion = to_f16(self.merged, staged, provenance)
            drawn = self._examples(self.settings.examples)
            texts = [m["content"] for e in drawn for m in e.messages] + [e.completion for e in drawn]
            proof = proofs.prove(staged, self.merged, [e.messages for e in drawn], texts)
            staged.replace(self.f16)
            size = self.f16.stat().st_size
            return (
                proof.as_dict(),
                (
                    f"{size / 1e6:.2f} MB, peak memory {conversion.peak_extra_bytes / size:.2f} x that;"
                    f" {proof.tokens.texts} texts and {proof.prompts} prompts have equal tokens; largest"
                    f" logit difference {proof.logits.max_difference:.4f} of {proof.logits.bound} allowed on"
                    f" {proof.logits.positions} positions"
                ),
            )

        self._proofs = self.stages.run(
            "gguf",
            {
                "merged": self._done("merge"),
                "keys": provenance,
                "examples": self._hash(self.settings.examples),
            },
            [self.f16],
            make,
        )

    def _lora(self) -> None:
        target = self.out / ADAPTER_FILE

        def make() -> tuple[dict[str, Any], str]:
            if self.run.adapter is None:
                return {"made": False}, "not made: every weight was trained, there is no adapter"
            try:
                lora_to_gguf(self.run.adapter, self.run.base, target)
            except ConvertError as error:  # such as trained embeddings; the merged model does not need the file
                target.unlink(missing_ok=True)
                return {"made": False}, f"not made: {error}"
            return {"made": True}, f"{target.name}, {target.stat().st_size / 1e6:.2f} MB"

        inputs = {"base": self.run.base_sha256, "adapter": self.run.adapter_sha256}
        self._lora_made = self.stages.run("lora", inputs, [target], make)["made"]

    def _imatrix(self) -> None:
        def make() -> tuple[dict[str, Any], str]:
            encoded = self._encoded(self.settings.imatrix_examples)
            matrix = imatrix.collect(self.f16, [example.ids for example in encoded])
            imatrix.save(matrix, self.imatrix)
            tokens = sum(len(e.ids) for e in encoded)
            return {"matrices": len(matrix)}, f"{len(matrix)} weight matrices over {tokens} tokens"

        self.stages.run(
            "imatrix",
            {
                "f16": manifest.sha256_file(self.f16),
                "count": self.settings.count,
                "examples": self._hash(self.settings.imatrix_examples),
            },
            [self.imatrix],
            make,
        )

    def _quantise(self) -> None:
        targets = {name: self.out / quantise.file_name(name) for name in self.settings.quantisations if name != "F16"}

        def make() -> tuple[dict[str, Any], str]:
            made = quantise.quantise(self.f16, self.imatrix, targets)
            for one in made:
                if line := one.fallback_line():
                    self.report(f"          {line}")
            peak = max((one.peak_extra_bytes for one in made), default=0) / self.f16.stat().st_size
            return (
                {"fallbacks": {one.quantisation: one.fallbacks for one in made}},
                f"{', '.join(targets)}; peak memory {peak:.2f} x the F16 file",
            )

        self._fallbacks = self.stages.run(
            "quantise",
            {
                "f16": manifest.sha256_file(self.f16),
                "imatrix": manifest.sha256_file(self.imatrix),
                "names": list(targets),
            },
            list(targets.values()),
            make,
        )["fallbacks"]

    def _gate(self) -> None:
        files = {
            name: self.out / quantise.file_name(name)
            for name in quantise.QUANTISATIONS
            if name in ("F16", *self.settings.quantisations)
        }
        json_path, picture_path = self.out / "gate.json", self.out / "gate.png"

        def make() -> tuple[dict[str, Any], str]:
            encoded = self._encoded(self.settings.examples)
            command = self.settings.accuracy_command
            self.report(f"gate      reading {len(encoded)} examples with {', '.join(files)}")
            result = gate.measure(
                files,
                encoded,
                reference_accuracy=gate.merged_accuracy(self.merged, encoded),
                min_accuracy=self.settings.min_accuracy,
                accuracy_of=gate.accuracy_by_command(command) if command else None,
            )
            if rows := self.run.record.get(KNOWLEDGE_FILE):
                result = result.with_own_file(self._own_file(result, files, rows))
            atomic_write(json_path, result.to_json())
            gate_report.picture(result, picture_path)
            return asdict(result), gate_report.summary(result)

        self.stages.run(
            "gate",
            {
                "files": {name: manifest.sha256_file(path) for name, path in files.items()},
                "count": self.settings.count,
                "examples": self._hash(self.settings.examples),
                "least": self.settings.min_accuracy,
                "command": self.settings.accuracy_command,
                **({"rows": manifest.sha256_file(own)} if (own := self.run.record.get(KNOWLEDGE_FILE)) else {}),
            },
            [json_path, picture_path],
            make,
        )
        self._gate_result = gate.GateResult.from_json(json_path.read_text(encoding="utf-8"))

    def _own_file(self, result: gate.GateResult, files: dict[str, Path], rows: Path) -> gate.OwnFile:
        """What the gate finds about the user's file whose `rows` the run took."""
        from transformers import AutoTokenizer

        every = examples.load(self.settings.examples, MOST_EXAMPLES)
        return own_file.examine(
            self.run.base,
            self.merged,
            examples.encode(AutoTokenizer.from_pretrained(self.merged), every, MAX_TOKENS),
            files[result.default or "F16"],
            rows,
            self.run.season or "",
            self.run.recall,
        )

    def _manifest(self) -> None:
        result, run = self._gate_result, self.run
        assert result is not None, "the gate is the step before"
        card_path, path = self.out / "README.md", self.out / manifest.MANIFEST_NAME
        names = {score.file: score.quantisation for score in result.scores}
        if self._lora_made:
            names[ADAPTER_FILE] = "LoRA F16"

        def make() -> tuple[dict[str, Any], str]:
            files = {name: manifest.entry_for(self.out / name, kind) for name, kind in names.items()}
            for name, source in run.record.items():
                atomic_write(self.out / name, source.read_bytes())
            files |= {name: manifest.entry_for(self.out / name) for name in ("gate.json", "gate.png", *run.record)}
            default = next((s for s in result.scores if s.quantisation == result.default), result.scores[0])
            record = manifest.Manifest(
                name=self.out.name,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                base=manifest.Base(run.base_id, run.base_revision, run.base_sha256, run.base_licence),
                data=manifest.Data(run.season, run.data_sha256, run.data_source, run.data_set),
                adapter=manifest.Adapter(run.adapter_sha256),
                prompt_version=run.prompt_version,
                llama_cpp_commit=LLAMA_CPP_COMMIT,
                default_file=default.file,
                files=files,
                evaluation={
                    **run.evaluation,
                    "task_accuracy": default.accuracy,
                    "perplexity": default.perplexity,
                    "merge": self._merge_proof,
                    "conversion": self._proofs,
                },
                gate={
                    "passed": result.passed,
                    "default": result.default,
                    "reasons": result.reasons,
                    "reference_accuracy": result.reference_accuracy,
                    "examples": result.examples,
                    "fallbacks": self._fallbacks,
                },
            )
            atomic_write(card_path, card(record, result, run.evaluation))
            record.files["README.md"] = manifest.entry_for(card_path)
            manifest.save(record, self.out)
            return {}, f"{path}: {len(record.files)} files, default {default.file}"

        self.stages.run(
            "manifest",
            {
                "name": self.out.name,
                "run": asdict(run),
                "record": {name: manifest.sha256_file(path) for name, path in run.record.items()},
                "lora": self._done("lora"),
                "gate": self._done("gate"),
                "proofs": [self._merge_proof, self._proofs],
            },
            [path, card_path, *(self.out / name for name in run.record)],
            make,
        )

    def _done(self, stage: str) -> str:
        """A hash of a stage's record, which changes when the stage is done anew."""
        return manifest.sha256_file(self.stages.work / f"{stage}.json")

    @staticmethod
    def _hash(path: Path) -> str | None:
        return manifest.sha256_file(path) if path.is_file() else None

    def _examples(self, path: Path) -> list[Example]:
        return examples.load(path, self.settings.count)

    def _encoded(self, path: Path) -> list[EncodedExample]:
        from transformers import AutoTokenizer

        return examples.encode(AutoTokenizer.from_pretrained(self.merged), self._examples(path), MAX_TOKENS)
