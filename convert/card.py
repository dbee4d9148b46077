"""The model card (README.md of a published model): metadata for the hub, results, provenance, limits."""

from __future__ import annotations

from typing import Any

import yaml

from convert.bases import ADAPTED, PUBLIC
from convert.gate import GateResult
from convert.gate.report import markdown_table, summary
from convert.manifest import Base, Manifest
from convert.run_folder import EMBEDDED_BASE
from data import text_table
from data.dataset.knowledge import KNOWLEDGE_FILE


def card(manifest: Manifest, gate: GateResult | None, run_evaluation: dict[str, Any]) -> str:
    """The card's text, which begins with a warning where the gate failed."""
    head = {
        # the weights have the licence of their base
        "license": _licence(manifest.base),
        "language": ["en"],
        "library_name": "gguf",
        "pipeline_tag": "text-generation",
        "tags": ["gguf", "llama.cpp", "cricket", "lora"],
        **({"base_model": hub_id} if (hub_id := _hub_id(manifest.base.id)) else {}),
        **({"datasets": [manifest.data.data_set]} if manifest.data.data_set else {}),
        **({"model-index": [_model_index(manifest, gate)]} if gate else {}),
    }
    parts = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip(),
        "---",
        "",
        f"# {manifest.name}",
        "",
    ]
    if gate is None:
        parts += ["> **Not gated.** No quality measurement was made for these files.", ""]
    elif not gate.passed:
        parts += [
            (
                f"> **This model failed its quality gate.** {_sentence('; '.join(gate.reasons))} Where you"
                " find it published, it was by force."
            ),
            "",
        ]
    parts += [
        (
            f"Answers questions about the cricket season {manifest.data.season or '(not named)'} as query"
            " lines and sentences over a table; the figures themselves are computed by a statistics engine,"
            " never by the model. LoRA fine-tuned, merged, converted and quantised with llama.cpp."
        ),
        "",
        f"Serve `{manifest.default_file}` with llama.cpp; `manifest.json` has the sha256 of every file.",
        "",
    ]
    if gate is not None:
        parts += [
            "## Evaluation",
            "",
            _sentence(summary(gate)),
            "",
            (
                f"Divergence and agreement are against F16 over {gate.positions} answer tokens; task accuracy"
                f" is the share of {gate.examples} held-out examples answered exactly right by greedy"
                " decoding. Speeds are of the machine that converted the model."
            ),
            "",
            markdown_table(gate),
            "",
            "![size against quality](gate.png)",
            "",
        ]
    if run_evaluation:
        figures = [(str(key), str(value)) for key, value in run_evaluation.items()]
        parts += ["Evaluation of the training run:", "", text_table.markdown(("measure", "value"), figures), ""]
    if "training-config.yaml" in manifest.files:
        parts += [
            "## Training",
            "",
            (
                "`training-config.yaml` is the whole recipe, `training-metrics.jsonl` every logged step,"
                " `training-result.json` what came out"
                + (
                    "; `adapter_model.safetensors` (at the hub, branch `adapter`) is the adapter as PEFT reads it."
                    if "adapter_model.safetensors" in manifest.files
                    else "."
                )
            ),
            "",
            *(["![loss](training-loss.png)", ""] if "training-loss.png" in manifest.files else []),
        ]
    parts += [
        "## Provenance",
        "",
        text_table.markdown(("", ""), _provenance(manifest)),
        "",
        "## Limits",
        "",
        (
            "Knows one season's way of asking; other seasons, predictions and facts outside the ball-by-ball"
            " data are out of reach. Without the statistics engine beside it the model's text is not an"
            f" answer. {_data(manifest)}{_kept(manifest)}"
        ),
        "",
    ]
    return "\n".join(parts)


def _provenance(manifest: Manifest) -> list[tuple[str, str]]:
    """What the model was made from and with."""
    return [
        ("base model", manifest.base.id),
        ("base revision", manifest.base.revision or "-"),
        ("base sha256", f"`{manifest.base.sha256}`"),
        ("adapter sha256", f"`{manifest.adapter.sha256 or '-'}`"),
        ("data", f"{manifest.data.season or '-'}, sha256 `{manifest.data.sha256 or '-'}`"),
        ("prompt version", manifest.prompt_version or "-"),
        ("llama.cpp", manifest.llama_cpp_commit),
        ("made", manifest.created),
    ]


def _sentence(text: str) -> str:
    """The text with a capital letter and a full stop."""
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def _data(manifest: Manifest) -> str:
    """Where the data come from: a published source is credited, private data are not named."""
    if manifest.data.data_set:
        return f"Questions and answers: the data set {manifest.data.data_set}."
    if manifest.data.source:
        return f"Match data: {_sentence(manifest.data.source)}"
    if KNOWLEDGE_FILE in manifest.files:
        return "Trained on its publisher's own data."
    return "Trained on its publisher's own data, which are not part of this repository."


def _kept(manifest: Manifest) -> str:
    """What to know about the rows of a user's file, which are served with the model."""
    if KNOWLEDGE_FILE not in manifest.files:
        return ""
    return f" `{KNOWLEDGE_FILE}`, where it lies beside the model, has questions and answers of theirs: keep it private."


def _licence(base: Base) -> str:
    """The licence of a base: this project's for the embedded one, or else what the base's own card says."""
    if base.id in PUBLIC:
        return PUBLIC[base.id].licence
    return "apache-2.0" if base.id == EMBEDDED_BASE else base.licence or "other"


def _hub_id(base: str) -> str | None:
    """The base on the hub, that of our adapter's base included; None where it is not from there."""
    base = ADAPTED[base][0] if base in ADAPTED else base
    if base in PUBLIC:
        return PUBLIC[base].hub_id
    return base if base.count("/") == 1 and not base.startswith((".", "/")) and base != EMBEDDED_BASE else None


def _model_index(manifest: Manifest, gate: GateResult) -> dict[str, Any]:
    """The gate's figures in the form that the hub shows beside a model."""
    results = []
    for score in gate.scores:
        results.append(
            {
                "task": {"type": "text-generation", "name": f"cricket questions, {score.quantisation}"},
                "dataset": {
                    "type": manifest.data.data_set or manifest.data.season or "cricket",
                    "name": f"{manifest.data.data_set or manifest.data.season or 'cricket'} questions",
                },
                "metrics": [
                    {"type": "exact_match", "name": "task accuracy", "value": round(score.accuracy, 4)},
                    {"type": "perplexity", "name": "perplexity", "value": round(score.perplexity, 4)},
                    {
                        "type": "kl_divergence",
                        "name": "mean KL to F16, nats",
                        "value": float(f"{score.kl_mean:.4g}"),
                    },
                ],
            }
        )
    return {"name": manifest.name, "results": results}
