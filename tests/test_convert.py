"""From adapter to gated GGUF on tiny random-weight models, with llama.cpp's real converter, quantiser and runtime."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the conversion needs requirements-train.txt")

import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from convert import examples, gate
from convert.__main__ import main
from convert.errors import ConvertError
from convert.gate import proofs
from convert.gguf import (
    imatrix,
    quantise,
)
from convert.gguf.conversion import lora_to_gguf, to_f16
from convert.gguf.llama_cpp_source import llama_cpp_source
from convert.gguf.runtime import Runtime, Sequence
from convert.manifest import load
from convert.merge import merge
from data.dataset.encoding import EncodedExample, encode_prompt
from data.dataset.examples import Example
from data.dataset.knowledge import KNOWLEDGE_FILE, Row, write
from data.prompts import plan_messages
from tests.support.tiny_models import KINDS, cricket_texts, make_adapter, make_model

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def source():
    try:
        return llama_cpp_source()
    except ConvertError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("convert")


@pytest.fixture(scope="module")
def llama(shelf: Path, source) -> Path:
    """A folder with base/, adapter/, merged/, model.gguf (F16) of a tiny Llama."""
    folder = shelf / "llama"
    make_model("llama", folder / "base")
    make_adapter(folder / "base", folder / "adapter")
    merge(folder / "base", folder / "adapter", folder / "merged")
    to_f16(folder / "merged", folder / "model.gguf", {})
    return folder


def conversations(count: int = 12) -> list[list[dict[str, str]]]:
    return [[{"role": "user", "content": text}] for text in cricket_texts(count, seed=5)] + [
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"},
        ]
    ]


def write_examples(path: Path, count: int = 24, seed: int = 3) -> Path:
    texts = cricket_texts(2 * count, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(
            json.dumps({"messages": [{"role": "user", "content": question}], "completion": answer}) + "\n"
            for question, answer in zip(texts[::2], texts[1::2], strict=True)
        )
    )
    return path


# merging


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_merged_converted_and_proven_equal(kind: str, shelf: Path, source):
    folder = shelf / f"every-{kind}"
    base = make_model(kind, folder / "base")
    proof = merge(base, make_adapter(base, folder / "adapter"), folder / "merged")
    assert proof.logit_difference < 1e-4 and proof.reloaded_difference < 1e-4
    assert proof.training_difference > 0.1 and proof.changed_tensors == 6
    assert proof.tied_embeddings == (kind != "qwen3")
    to_f16(folder / "merged", folder / "model.gguf", {"cricket.prompt_version": "7"})
    proven = proofs.prove(folder / "model.gguf", folder / "merged", conversations(), cricket_texts(20))
    assert proven.tokens.texts >= 3000 and proven.prompts == 13
    assert proven.logits.max_difference < 0.05 and proven.logits.mean_kl < 1e-4


def test_an_adapter_that_changes_nothing_is_refused(shelf: Path):
    base = make_model("llama", shelf / "unchanged" / "base")
    adapter = make_adapter(base, shelf / "unchanged" / "adapter", scale=0.0)
    with pytest.raises(ConvertError, match="changes no weight: training did nothing"):
        merge(base, adapter, shelf / "unchanged" / "merged")
    assert not (shelf / "unchanged" / "merged").exists()


def test_an_adapter_for_another_base_is_refused(shelf: Path, llama: Path):
    other = make_model("llama", shelf / "other-base", hidden=32)
    with pytest.raises(ConvertError, match="does not fit the base model"):
        merge(other, llama / "adapter", shelf / "mismatched")


def test_a_missing_adapter_names_the_command_that_makes_it(shelf: Path, llama: Path):
    with pytest.raises(ConvertError, match="run `python -m train` first"):
        merge(llama / "base", shelf / "nowhere", shelf / "merged-nothing")


def test_tokens_added_in_training_survive_with_their_trained_embeddings(shelf: Path, source):
    folder = shelf / "added"
    base = make_model("qwen3", folder / "base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|query|>"]}, replace_extra_special_tokens=False)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(folder / "resized")
    tokenizer.save_pretrained(folder / "resized")
    adapter = make_adapter(folder / "resized", folder / "adapter", modules_to_save=["embed_tokens", "lm_head"])
    tokenizer.save_pretrained(adapter)
    proof = merge(base, adapter, folder / "merged")
    assert proof.tokens == proof.vocabulary == len(tokenizer)
    assert AutoTokenizer.from_pretrained(folder / "merged").encode("<|query|>") == [len(tokenizer) - 1]


# conversion


def test_the_f16_file_is_the_upstream_scripts_own_apart_from_the_added_keys(llama: Path, source):
    from gguf import GGUFReader

    ours, theirs = llama / "ours" / "model.gguf", llama / "theirs" / "model.gguf"
    to_f16(llama / "merged", ours, {"cricket.base.id": "train/base", "cricket.prompt_version": "7"})
    theirs.parent.mkdir()
    subprocess.run(
        [
            sys.executable,
            source.folder / "convert_hf_to_gguf.py",
            llama / "merged",
            "--outtype",
            "f16",
            "--outfile",
            theirs,
        ],
        check=True,
        capture_output=True,
    )
    mine, upstream = GGUFReader(ours), GGUFReader(theirs)
    assert set(mine.fields) - set(upstream.fields) == {"cricket.base.id", "cricket.prompt_version"}
    counted = {"GGUF.kv_count", "GGUF.tensor_count"}
    for name in set(upstream.fields) - counted:
        assert mine.fields[name].contents() == upstream.fields[name].contents(), name
    assert mine.fields["cricket.base.id"].contents() == "train/base"
    assert [(t.name, t.tensor_type, t.shape.tolist()) for t in mine.tensors] == [
        (t.name, t.tensor_type, t.shape.tolist()) for t in upstream.tensors
    ]
    for one, other in zip(mine.tensors, upstream.tensors, strict=True):
        assert np.array_equal(one.data, other.data), one.name


def test_a_tokenizer_that_changed_is_found(shelf: Path, llama: Path):
    folder = shelf / "no-scores"
    shutil.copytree(llama / "merged", folder)
    (folder / "tokenizer.model").unlink()  # the converter then knows no merge order
    to_f16(folder, folder / "model.gguf", {})
    with pytest.raises(proofs.ProofError, match="the tokenizer changed in the conversion.*ship tokenizer.model"):
        proofs.prove(folder / "model.gguf", folder, conversations(), cricket_texts(20))


def test_a_chat_template_that_changed_is_found(shelf: Path, llama: Path):
    folder = shelf / "other-template"
    shutil.copytree(llama / "merged", folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["chat_template"] = config["chat_template"].replace("{{ bos_token }}", "")
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(proofs.ProofError, match="the chat template or the special tokens changed"):
        proofs.prove(llama / "model.gguf", folder, conversations(), cricket_texts(20))


def test_weights_that_changed_are_found(shelf: Path, llama: Path):
    folder = shelf / "other-rope"
    shutil.copytree(llama / "merged", folder)
    config = json.loads((folder / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 500.0}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(proofs.ProofError, match="is not the model in transformers: a logit differs"):
        proofs.prove(llama / "model.gguf", folder, conversations(), cricket_texts(20))


def test_the_adapter_as_gguf_over_the_base_gives_the_merged_models_logits(llama: Path):
    to_f16(llama / "base", llama / "base.gguf", {})
    lora_to_gguf(llama / "adapter", llama / "base", llama / "adapter.gguf")
    ids = list(range(5, 40))
    with Runtime(llama / "model.gguf") as model, Runtime(llama / "base.gguf") as base:
        merged, before = next(model.logits([Sequence(ids)])), next(base.logits([Sequence(ids)]))
        base.apply_adapter(llama / "adapter.gguf")
        after = next(base.logits([Sequence(ids)]))
    assert np.abs(after - merged).max() < 0.05 * merged.std()
    assert np.abs(before - merged).max() > 0.5 * merged.std()


# importance matrix and quantisation


def test_the_importance_matrix_is_the_mean_squared_input_that_transformers_sees(llama: Path):
    ids = AutoTokenizer.from_pretrained(llama / "merged").encode("top 5 run scorers in the powerplay 2024")
    model = AutoModelForCausalLM.from_pretrained(llama / "merged", dtype=torch.float32)
    seen: dict[str, np.ndarray] = {}
    for name, module in model.named_modules():
        if name.endswith(("layers.1.self_attn.o_proj", "layers.1.mlp.down_proj")):
            module.register_forward_hook(
                lambda _, inputs, __, name=name: seen.update({name: (inputs[0][0] ** 2).mean(0).detach().numpy()})
            )
    with torch.inference_mode():
        model(torch.tensor([ids]))
    matrix = imatrix.collect(llama / "model.gguf", [ids])
    assert len(matrix) == 14  # seven weight matrices a layer
    for ours, theirs in (
        ("blk.1.attn_output.weight", "model.layers.1.self_attn.o_proj"),
        ("blk.1.ffn_down.weight", "model.layers.1.mlp.down_proj"),
    ):
        assert np.allclose(matrix[ours], seen[theirs], rtol=0.05, atol=1e-3 * seen[theirs].max())


def test_quantising_follows_the_importance_matrix_and_names_the_tensors_that_fell_back(llama: Path):
    columns = {"blk.0.ffn_down.weight": 192}
    skewed = {name: np.where(np.arange(n) < 8, 1000.0, 1.0).astype(np.float32) for name, n in columns.items()}
    imatrix.save(skewed, llama / "skewed.npz")
    plain = quantise.quantise(llama / "model.gguf", None, {"Q4_K_M": llama / "plain.gguf"})[0]
    guided = quantise.quantise(llama / "model.gguf", llama / "skewed.npz", {"Q4_K_M": llama / "guided.gguf"})[0]
    assert (llama / "plain.gguf").read_bytes() != (llama / "guided.gguf").read_bytes()
    assert "do not divide by 256 and fell back: 12 as Q5_0" in plain.fallback_line()
    assert sum(guided.fallbacks.values()) == 15  # every weight matrix of this model has rows of 64 or 192


def test_a_file_that_is_no_gguf_raises_an_error_and_does_not_abort_the_process(shelf: Path):
    (shelf / "broken.gguf").write_bytes(b"GGUF" + b"\xff" * 64)
    with pytest.raises(ConvertError, match="quantising .* failed"):
        quantise.quantise(shelf / "broken.gguf", None, {"Q8_0": shelf / "never.gguf"})
    assert not list(shelf.glob("*never*"))


# the gate


def own_answers(folder: Path, count: int) -> list[EncodedExample]:
    """Examples whose right answer is what the model itself writes, so that its task accuracy is known: 100 %."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    encoded = []
    for text in cricket_texts(count, seed=8):
        ids = prompt = encode_prompt(tokenizer, [{"role": "user", "content": text}])
        with torch.inference_mode():
            for _ in range(8):
                ids = [*ids, int(model(torch.tensor([ids])).logits[0, -1].argmax())]
        encoded.append(EncodedExample(ids, len(prompt)))
    return encoded


def test_the_gate_fails_quantisations_that_lost_answers_and_picks_the_smallest_that_did_not(llama: Path):
    encoded = own_answers(llama / "merged", 24)
    assert gate.merged_accuracy(llama / "merged", encoded) == 1.0
    names = {"Q8_0": llama / "q8.gguf", "IQ4_XS": llama / "iq4.gguf"}
    quantise.quantise(llama / "model.gguf", None, names)
    result = gate.measure({"F16": llama / "model.gguf", **names}, encoded, reference_accuracy=1.0)
    scores = {score.quantisation: score for score in result.scores}
    assert scores["F16"].kl_mean == 0 and scores["F16"].accuracy == 1.0
    assert 0 < scores["Q8_0"].kl_mean < scores["IQ4_XS"].kl_mean
    assert scores["IQ4_XS"].accuracy < 0.9 and not scores["IQ4_XS"].passed
    assert result.passed and result.default in ("F16", "Q8_0")


def score(name: str, size: int, passed: bool) -> gate.Score:
    return gate.Score(name, f"{name}.gguf", size, 0.0, 0.0, 1.0, 1.0, 0.9, 1.0, 1.0, passed)


@pytest.mark.parametrize(
    ("passed", "reference", "default", "reason"),
    [
        ((True, True, True, True), 0.9, "Q4_K_M", None),
        ((True, True, False, False), 0.9, "Q8_0", None),
        ((True, False, False, True), 0.9, "F16", None),
        ((False, False, False, True), 0.9, "IQ4_XS", "the conversion itself is at fault"),
        ((False, False, False, False), 0.9, None, "the conversion itself is at fault"),
        ((True, True, True, True), 0.1, "Q4_K_M", "at least 20.0 % is asked"),
    ],
)
def test_the_gates_verdict(passed, reference, default, reason):
    scores = [
        score(name, size, ok)
        for (name, size), ok in zip([("F16", 30), ("Q8_0", 20), ("Q4_K_M", 10), ("IQ4_XS", 9)], passed, strict=True)
    ]
    result = gate.decide(scores, reference, "merged model", 200, 1000, 0.2)
    assert result.default == default
    assert result.passed == (reason is None)
    assert reason is None or reason in "; ".join(result.reasons)


def test_texts_batched_with_a_shared_prefix_have_the_logits_of_each_alone(llama: Path):
    prefix = list(range(5, 25))
    texts = [Sequence([*prefix, *range(30, 30 + n)], 19) for n in (1, 7, 40)]
    with Runtime(llama / "model.gguf") as model:
        together = list(model.logits(texts))
        alone = [next(model.logits([text])) for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert one.shape == other.shape and np.abs(one - other).max() < 0.02 * other.std()


def test_task_accuracy_may_come_from_a_command_whose_failure_is_reported(llama: Path, tmp_path: Path):
    script = tmp_path / "accuracy.py"
    script.write_text(
        "import json, os, sys; print('chatter'); "
        "print(json.dumps({'accuracy': min(1.0, os.path.getsize(sys.argv[1]) / 1e6)}))"
    )
    measure = gate.accuracy_by_command(f"{shlex.quote(sys.executable)} {script} {{gguf}}")
    assert 0 < measure(llama / "model.gguf") <= 1
    with pytest.raises(ConvertError, match="gave no accuracy"):
        gate.accuracy_by_command(f"{shlex.quote(sys.executable)} -c pass {{gguf}}")(llama / "model.gguf")
    with pytest.raises(ConvertError, match=r"has no \{gguf\}"):
        gate.accuracy_by_command("true")


# examples


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "has no examples"),
        ("{", "is not an example"),
        ('{"messages": []}', "is not an example"),
        ('{"messages": [{"role": "user"}], "completion": "x"}', "is not an example"),
    ],
)
def test_a_line_that_is_no_example_is_named(tmp_path: Path, line: str, says: str):
    (tmp_path / "x.jsonl").write_text(line + "\n")
    with pytest.raises(ConvertError, match=says):
        examples.load(tmp_path / "x.jsonl", 10)


def test_an_example_is_encoded_as_prompt_answer_and_eos(llama: Path):
    tokenizer = AutoTokenizer.from_pretrained(llama / "merged")
    example = Example([{"role": "user", "content": "top 5"}], "runs 12")
    (encoded,) = examples.encode(tokenizer, [example], 512)
    assert tokenizer.decode(encoded.ids[: encoded.prompt_length]) == "<s><|user|>top 5<|assistant|>"
    assert tokenizer.decode(encoded.ids[encoded.prompt_length :]) == "runs 12</s>"


def test_a_record_of_the_seasons_questions_is_a_plan_and_an_answer(tmp_path: Path):
    record = {"linked": "P1 economy", "query": "economy | bowler=P1", "cells": "A1 economy", "wording": "P1: A1."}
    (tmp_path / "qa.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record | {"wording": ""}) + "\n")
    found = examples.load(tmp_path / "qa.jsonl", 10)
    assert [example.completion for example in found] == ["economy | bowler=P1", "P1: A1.", "economy | bowler=P1"]
    assert all(example.messages[0]["role"] == "user" for example in found)


# the whole command


@pytest.fixture(scope="module")
def run(shelf: Path, llama: Path) -> Path:
    folder = shelf / "runs" / "tiny"
    shutil.copytree(llama / "adapter", folder / "adapter")
    (folder / "config.yaml").write_text(
        yaml.safe_dump({"base": str(llama / "base"), "season": "ipl_2024", "prompt_version": 7})
    )
    (folder / "eval.json").write_text('{"exact_match": 0.9, "rows": [1, 2]}')
    write_examples(folder / "qa" / "validation.jsonl")
    write_examples(folder / "qa" / "train.jsonl", seed=4)
    return folder


def arguments(run: Path, out: Path, *more: str) -> list[str]:
    return [
        "--run",
        str(run),
        "--out",
        str(out),
        "--examples",
        str(run / "qa" / "validation.jsonl"),
        "--quantisations",
        "F16,Q8_0,Q4_K_M",
        *more,
    ]


def test_the_command_makes_a_complete_folder_and_does_nothing_twice(run: Path, shelf: Path, capsys):
    from gguf import GGUFReader

    out = shelf / "models" / "tiny"
    assert main(arguments(run, out, "--min-accuracy", "0")) == 0
    said = capsys.readouterr().out
    assert "gate passed, default Q4_K_M" in said and "tensors have rows that do not divide by 256" in said
    manifest = load(out)
    assert set(manifest.files) == {
        "model-f16.gguf",
        "model-q8_0.gguf",
        "model-q4_k_m.gguf",
        "adapter-f16.gguf",
        "adapter_model.safetensors",
        "adapter_config.json",
        "training-config.yaml",
        "gate.json",
        "gate.png",
        "README.md",
    }
    for name in ("adapter_model.safetensors", "adapter_config.json"):  # what PEFT loads
        assert (out / name).read_bytes() == (run / "adapter" / name).read_bytes()
    assert "training-config.yaml" in (out / "README.md").read_text()
    assert manifest.prompt_version == "7" and manifest.default_file == "model-q4_k_m.gguf"
    assert main(["verify", str(out)]) == 0
    fields = GGUFReader(out / "model-q4_k_m.gguf").fields
    assert fields["cricket.adapter.sha256"].contents() == manifest.adapter.sha256
    assert fields["cricket.llama_cpp_commit"].contents() == manifest.llama_cpp_commit
    card = yaml.safe_load((out / "README.md").read_text().split("---")[1])
    assert card["license"] == "other"  # of a local base nothing is known
    assert [m["value"] for m in card["model-index"][0]["results"][0]["metrics"]][0] == 0.0
    assert str(shelf) not in (out / "README.md").read_text() + (out / "manifest.json").read_text()
    before = (out / "manifest.json").read_bytes()
    capsys.readouterr()
    assert main(arguments(run, out, "--min-accuracy", "0")) == 0
    assert capsys.readouterr().out.count("already done") == 7
    assert (out / "manifest.json").read_bytes() == before


def test_the_rows_of_a_users_file_are_copied_beside_the_model_and_the_card_only_names_them(run: Path, shelf: Path):
    out = shelf / "models" / "tiny"
    write([Row(1, "mine.csv", "a private question", "a private answer")], run / KNOWLEDGE_FILE)
    # what is validated are the product's tasks, which the gate compares with the base
    product = run / "qa" / "product.jsonl"
    plan = {"messages": plan_messages("most sixes"), "completion": "sixes by batter | top 1", "task": "plan"}
    product.write_text(json.dumps(plan) + "\n")
    assert main(arguments(run, out, "--min-accuracy", "0", "--examples", str(product))) == 0
    assert (out / KNOWLEDGE_FILE).read_bytes() == (run / KNOWLEDGE_FILE).read_bytes()
    assert load(out).files[KNOWLEDGE_FILE].size == (out / KNOWLEDGE_FILE).stat().st_size
    assert main(["verify", str(out)]) == 0
    told = (out / "README.md").read_text() + (out / "manifest.json").read_text()
    assert "keep it private" in told and "a private" not in told and "mine.csv" not in told
    (run / KNOWLEDGE_FILE).unlink()
    assert main(arguments(run, out, "--min-accuracy", "0")) == 0
    assert KNOWLEDGE_FILE not in load(out).files and "keep it private" not in (out / "README.md").read_text()


def test_a_model_below_the_asked_accuracy_fails_the_command_and_its_card_says_so(run: Path, shelf: Path, capsys):
    out = shelf / "models" / "tiny"
    assert main(arguments(run, out, "--min-accuracy", "0.5")) == 1
    assert "the gate failed, so `push` will refuse" in capsys.readouterr().err
    assert "**This model failed its quality gate.**" in (out / "README.md").read_text()
    assert main(["push", str(out), "--to", str(shelf / "published")]) == 1
    assert main(["push", str(out), "--to", str(shelf / "published"), "--force"]) == 0


def test_a_damaged_output_is_made_again(run: Path, shelf: Path, capsys):
    out = shelf / "models" / "tiny"
    (out / "model-q8_0.gguf").write_bytes(b"half")
    assert main(arguments(run, out, "--min-accuracy", "0")) == 0
    assert main(["verify", str(out)]) == 0
    assert "merge     already done" in capsys.readouterr().out


def test_an_interrupt_leaves_nothing_half_written_and_the_next_run_continues(run: Path, shelf: Path):
    out = shelf / "models" / "interrupted"
    process = subprocess.Popen(
        [sys.executable, "-m", "convert", *arguments(run, out, "--min-accuracy", "0")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    for line in process.stdout:
        if line.startswith("merge"):
            break
    time.sleep(1.5)  # inside the converter
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: every process of the group gets it
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "run the same command to go on" in errors
    assert "Traceback" not in errors
    assert not list(out.glob("*.gguf")) and not list(out.glob("manifest.json"))
    assert main(arguments(run, out, "--min-accuracy", "0")) == 0
    assert main(["verify", str(out)]) == 0


def test_a_run_that_trained_every_weight_is_converted_without_an_adapter(llama: Path, run: Path, shelf: Path):
    full = shelf / "runs" / "full"
    shutil.copytree(llama / "merged", full / "model")
    out = shelf / "models" / "full"
    assert main([*arguments(run, out, "--min-accuracy", "0"), "--run", str(full), "--quantisations", "Q8_0"]) == 0
    assert set(load(out).files) == {"model-f16.gguf", "model-q8_0.gguf", "gate.json", "gate.png", "README.md"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["--run", "runs/nothing-here"], "no run in runs/nothing-here: run `python -m train` first"),
        (["--base", "./no-such-base"], "no base model at ./no-such-base"),
        (["--examples", "none.jsonl"], "no examples at none.jsonl"),
        (["--quantisations", "Q2_X"], "unknown quantisation 'Q2_X'"),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_makes_it(run: Path, tmp_path: Path, capsys, change, says):
    assert main([*arguments(run, tmp_path / "out"), *change]) == 1
    assert says in capsys.readouterr().err


def test_conversion_and_quantisation_stream_a_larger_model(tmp_path: Path, source):
    base = make_model("llama", tmp_path / "base", hidden=768, layers=8)
    conversion = to_f16(base, tmp_path / "model-f16.gguf", {})
    size = (tmp_path / "model-f16.gguf").stat().st_size
    assert size > 100e6 and 0 < conversion.peak_extra_bytes < 2 * size
    for made in quantise.quantise(tmp_path / "model-f16.gguf", None, {"Q4_K_M": tmp_path / "q4.gguf"}):
        assert 0 < made.peak_extra_bytes < 2 * size


def test_the_example_server_is_unpacked_from_the_same_source_distribution(source, monkeypatch, tmp_path):
    from convert.gguf import llama_cpp_source

    sdist = llama_cpp_source._sdist()
    monkeypatch.setenv("LLAMA_CPP_SDIST", str(sdist))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = llama_cpp_source.example_server()
    assert script.is_relative_to(tmp_path) and "CompletionScheduler" in script.read_text()
    monkeypatch.setenv("LLAMA_CPP_SDIST", "nowhere")
    assert llama_cpp_source.example_server() == script, "unpacked once"
