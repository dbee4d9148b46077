"""Fine-tuning of tiny random-weight models: what is trained on, what a run writes, how it resumes and fails."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml
from transformers import AutoTokenizer
from trl import SFTTrainer

from data.dataset import user_data
from data.dataset.encoding import ChatTemplateError, EncodedExample, encode
from data.dataset.examples import Example, of_record, read
from data.prompts import PROMPT_VERSION, plan_messages
from tests.support.tiny_models import make_model
from train import base_model, config, dataset, train_sft
from train.base_model import load_model, load_tokenizer
from train.callbacks import read_metrics
from train.config import SftConfig
from train.errors import BaseModelError, ExamplesError, RunExists, TrainError
from train.evaluate.hf_model import HfModel
from train.train_sft import train
from train.trainer import LengthGroups, Trainer, evaluate_split, keep_frozen_weights_in_bfloat16

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "data" / "seasons" / "ipl_2024" / "qa"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_model("llama", tmp_path_factory.mktemp("base") / "llama")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """60 shipped records to train on and 12 to validate with."""
    folder = tmp_path_factory.mktemp("qa")
    for split, count in (("train", 60), ("validation", 12)):
        lines = (SHIPPED / f"{split}.jsonl").read_text().splitlines()[:count]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def small(base, data):
    return SftConfig(
        base=str(base),
        data=str(data),
        max_steps=6,
        batch_size=16,
        evaluations=6,
        threads=1,
        rank=4,
        learning_rate=2e-3,
        minutes=0,
    )


@pytest.fixture(scope="module")
def finished(small, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    result, worked = train(replace(small, run="first"), root)
    assert worked
    return root, result


def test_a_run_writes_adapter_settings_metrics_and_curve(finished, data):
    root, result = finished
    folder = root / "first"
    assert (folder / "adapter" / "adapter_config.json").is_file() and (
        folder / "adapter" / "adapter_model.safetensors"
    ).is_file()
    saved = yaml.safe_load((folder / "config.yaml").read_text())
    assert saved["prompt_version"] == PROMPT_VERSION and saved["max_steps"] == 6 and len(saved["data_sha256"]) == 64
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if "loss" in r] == [1, 2, 3, 4, 5, 6]
    assert any("validation_loss" in r and "plan_exact_match" in r for r in rows)
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert result.steps == 6 and 0 < result.trained_parameters < result.parameters and result.stopped == "epochs"
    assert not (folder / "checkpoints").exists()
    assert read(folder / "examples" / "train.jsonl")[0] == dataset.load(data, 0.5).train[0]


def test_training_lowers_the_loss_on_what_it_saw(finished):
    root, _ = finished
    losses = [
        r["loss"] for r in map(json.loads, (root / "first" / "metrics.jsonl").read_text().splitlines()) if "loss" in r
    ]
    assert sum(losses[-2:]) < sum(losses[:2])


def test_the_same_inputs_are_not_trained_twice(finished, small):
    root, result = finished
    again, worked = train(replace(small, run="first"), root)
    assert not worked and again == result


def test_other_inputs_never_overwrite_a_run_silently(finished, small):
    root, result = finished
    with pytest.raises(RunExists, match=r"learning_rate 0.002 -> 0.001.*--replace"):
        train(replace(small, run="first", learning_rate=1e-3), root)
    assert json.loads((root / "first" / "result.json").read_text())["adapter_sha256"] == result.adapter_sha256


def test_a_run_of_other_inputs_is_replaced_on_request_and_one_of_the_same_inputs_is_kept(finished, small, tmp_path):
    first, _ = train(replace(small, run="r", max_steps=1), tmp_path)
    kept, worked = train(replace(small, run="r", max_steps=1, replace=True), tmp_path)
    assert not worked and kept == first
    other, worked = train(replace(small, run="r", max_steps=2, replace=True), tmp_path)
    assert worked and other.steps == 2


def test_a_finished_run_goes_on_where_more_steps_are_asked_for_and_its_checkpoints_were_kept(small, tmp_path):
    short = replace(small, run="r", max_steps=2, evaluations=2, keep_checkpoints=True)
    train(short, tmp_path)
    longer, worked = train(replace(short, max_steps=4), tmp_path)
    assert worked and longer.steps == longer.planned_steps == 4
    steps = [json.loads(line)["step"] for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)  # none was trained twice
    assert not train(replace(short, max_steps=4), tmp_path)[1]
    for other in (replace(short, max_steps=3), replace(short, max_steps=6, learning_rate=1e-4)):
        with pytest.raises(RunExists, match="max_steps 4 -> "):
            train(other, tmp_path)


def test_more_steps_without_a_checkpoint_to_go_on_from_are_another_run(finished, small):
    root, _ = finished
    with pytest.raises(RunExists, match="max_steps 6 -> 8"):
        train(replace(small, run="first", max_steps=8), root)


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another(finished, small):
    root, result = finished
    same, _ = train(replace(small, run="second"), root)
    other, _ = train(replace(small, run="other", seed=5), root)
    assert same.adapter_sha256 == result.adapter_sha256 != other.adapter_sha256


def test_a_killed_run_resumes_and_ends_with_the_same_adapter(finished, small, tmp_path):
    _, result = finished
    script = (
        f"from pathlib import Path; from train.config import SftConfig; from train.train_sft import train; "
        f"train(SftConfig(**{json.dumps(config.as_dict(small)).replace('false', 'False')}), Path({str(tmp_path)!r}))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    checkpoints = tmp_path / small.run / "checkpoints"
    until = time.monotonic() + 240
    while not list(checkpoints.glob("checkpoint-2/whole")):
        assert process.poll() is None and time.monotonic() < until, "the run ended before its second checkpoint"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / small.run / "result.json").exists()
    (checkpoints / "checkpoint-99").mkdir()  # what a kill while saving leaves: no mark, so it is not trusted
    resumed, worked = train(small, tmp_path)
    assert worked and resumed.steps == 6 and resumed.adapter_sha256 == result.adapter_sha256
    folders = (finished[0] / "first", tmp_path / small.run)
    whole, in_two = ([(r["step"], r["tokens"]) for r in read_metrics(f) if "loss" in r] for f in folders)
    assert whole == in_two and [step for step, _ in whole] == [1, 2, 3, 4, 5, 6]


def test_training_stops_when_validation_no_longer_improves(small, tmp_path):
    result, _ = train(
        replace(small, run="early", max_steps=12, evaluations=12, learning_rate=0.0, patience=2), tmp_path
    )
    assert result.stopped == "early" and result.steps < 12


def test_training_stops_in_time_and_keeps_what_it_has(small, tmp_path):
    result, _ = train(replace(small, run="timed", max_steps=100_000, minutes=0.0001), tmp_path)
    assert result.stopped == "time" and result.steps < 10 and (tmp_path / "timed" / "adapter").is_dir()


def test_full_fine_tuning_writes_a_whole_model(small, tmp_path):
    result, _ = train(replace(small, run="full", method="full", max_steps=2), tmp_path)
    assert result.trained_parameters == result.parameters
    model, tokenizer = (
        load_model(str(tmp_path / "full" / "model")),
        load_tokenizer(str(tmp_path / "full" / "model")),
    )
    assert tokenizer.chat_template and model.num_parameters() == result.parameters


def test_an_adapter_keeps_the_template_that_it_was_trained_on(small, tmp_path):
    template = tmp_path / "t.jinja"
    template.write_text(
        "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    train(replace(small, run="own", max_steps=1, chat_template=str(template)), tmp_path)
    adapter = tmp_path / "own" / "adapter"
    assert AutoTokenizer.from_pretrained(adapter).chat_template == template.read_text()  # as convert.merge reads it
    assert HfModel(small.base, adapter).tokenizer.chat_template == template.read_text()
    assert HfModel(small.base).tokenizer.chat_template != template.read_text()


def test_a_line_separator_inside_a_text_does_not_end_the_line(tmp_path):
    file = tmp_path / "mine.jsonl"
    rows = [{"question": f"Who\u2028scored {n}\x85runs?", "answer": f"player {n}"} for n in range(12)]
    file.write_text("\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    assert len(read(file)) == 12
    assert len(list(user_data.read(file))) == 12


@pytest.mark.parametrize("kind", ["qwen2", "smollm2"])
def test_other_architectures_train_on_a_users_own_file(kind, tmp_path):
    base = make_model(kind, tmp_path / kind)
    file = tmp_path / "mine.csv"
    file.write_text("question,answer\n" + "".join(f"Who scored {n} runs?,player {n}\n" for n in range(12)))
    result, _ = train(
        SftConfig(base=str(base), data=str(file), run="mine", max_steps=2, batch_size=4, threads=1, minutes=0),
        tmp_path,
    )
    assert set(result.exact_match) == {"closed_book", "plan", "answer", "follow"}
    assert (tmp_path / "mine" / "adapter").is_dir()


# -- examples and tokens


@pytest.mark.parametrize("kind", ["llama", "qwen2", "smollm2", "gemma3"])
def test_the_prompt_trained_on_is_the_prompt_served_and_the_completion_ends(kind, tmp_path):
    tokenizer = load_tokenizer(str(make_model(kind, tmp_path / kind)))
    for messages, completion in (
        (plan_messages("P1 economy at the death"), "economy | bowler=P1 phase=death"),
        ([{"role": "user", "content": "Who  won?\nSay it."}], "KKR"),
    ):
        (encoded,) = encode(tokenizer, [Example(messages, completion, "plan")])
        ids, prompt = encoded.ids, encoded.prompt_length
        served = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        assert ids[:prompt] == tokenizer.encode(served, add_special_tokens=False)
        assert ids[-1] == tokenizer.eos_token_id and tokenizer.eos_token_id not in ids[prompt:-1]
        assert completion in tokenizer.decode(ids[prompt:], skip_special_tokens=True)


def test_exact_match_is_what_greedy_decoding_gives(base):
    tokenizer, model = load_tokenizer(str(base)), load_model(str(base)).eval()
    prompt = tokenizer.encode("<s><|user|>plan P1 runs<|assistant|>", add_special_tokens=False)
    made = model.generate(torch.tensor([prompt]), max_new_tokens=6, do_sample=False, eos_token_id=None)[0].tolist()
    wrong = made[:-1] + [(made[-1] + 1) % 100]
    examples = [EncodedExample(made, len(prompt), "right"), EncodedExample(wrong, len(prompt), "wrong")]
    found = evaluate_split(model, examples, 0)
    assert found.exact_match == {"right": 1.0, "wrong": 0.0} and found.loss > 0


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gemma3"])
def test_the_loss_at_completions_alone_is_trls_loss_with_the_same_gradient(kind, data, tmp_path):
    made = make_model(kind, tmp_path / kind)
    tokenizer = load_tokenizer(str(made))
    encoded = dataset.encode(tokenizer, dataset.load(data).train[:24], 512)
    settings = SftConfig(base=str(made), bf16="no", micro_batch=8, batch_size=24)
    losses, gradients = [], []
    for loss_of in (Trainer.compute_loss, SFTTrainer.compute_loss):
        model = load_model(str(made))
        trainer = Trainer(
            model=model,
            args=train_sft.training_arguments(settings, tmp_path, model, len(encoded)),
            processing_class=tokenizer,
            train_dataset=train_sft.rows(encoded),
            eval_dataset=train_sft.rows(encoded),
            validation=[],
            pad=tokenizer.pad_token_id,
        )
        for batch in trainer.get_train_dataloader():
            loss = loss_of(trainer, trainer.model, dict(batch), num_items_in_batch=torch.tensor(500))
            loss.backward()
            losses.append(loss.item())
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]))
    assert len(losses) == 6 and losses[:3] == pytest.approx(losses[3:], rel=1e-5)
    assert torch.allclose(*gradients, rtol=1e-3, atol=1e-5) and gradients[0].abs().max() > 1e-3


def test_frozen_weights_in_bfloat16_give_the_results_of_autocast(base, data):
    tokenizer = load_tokenizer(str(base))
    encoded = dataset.encode(tokenizer, dataset.load(data).validation, 512)
    results = []
    for frozen in (False, True):
        model = load_model(str(base))  # stored in bfloat16, as bases are
        model.requires_grad_(False)
        if frozen:
            keep_frozen_weights_in_bfloat16(model)
            assert model.lm_head.weight.dtype == torch.bfloat16 and model.model.norm.weight.dtype == torch.float32
        with torch.autocast("cpu", torch.bfloat16):
            results.append(evaluate_split(model, encoded, tokenizer.pad_token_id))
    assert results[0] == results[1]


def test_training_in_bfloat16_stores_the_adapter_in_float32(small, tmp_path):
    result, _ = train(replace(small, run="bf16", bf16="yes", max_steps=3), tmp_path)
    weights = safetensors.torch.load_file(tmp_path / "bf16" / "adapter" / "adapter_model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float32} and result.steps == 3
    rows = map(json.loads, (tmp_path / "bf16" / "metrics.jsonl").read_text().splitlines())
    losses = [r["loss"] for r in rows if "loss" in r]
    assert losses[-1] < losses[0]


def test_lora_on_the_last_layers_leaves_the_others_as_they_are(small, tmp_path):
    result, _ = train(replace(small, run="last", lora_layers=1, max_steps=2), tmp_path)
    weights = safetensors.torch.load_file(tmp_path / "last" / "adapter" / "adapter_model.safetensors")
    layers = {name.split(".layers.")[1].split(".")[0] for name in weights}
    assert layers == {"1"} and len(weights) == 2 * 7 and result.trained_parameters > 0
    with pytest.raises(TrainError, match="--lora-layers 9: .* has 2 layers"):
        train(replace(small, run="none", lora_layers=9), tmp_path)


def test_batches_hold_similar_lengths_and_every_example_once():
    lengths = [i % 97 + 5 for i in range(1003)]
    sampler = LengthGroups(lengths, 16, seed=1)
    order = list(sampler)
    assert sorted(order) == list(range(1003)) and order == list(LengthGroups(lengths, 16, seed=1))
    spread = [
        max(lengths[i] for i in order[a : a + 16]) - min(lengths[i] for i in order[a : a + 16])
        for a in range(0, 992, 16)
    ]
    assert sorted(spread)[len(spread) // 2] <= 12
    sampler.set_epoch(1)
    assert list(sampler) != order


def test_a_record_holds_a_plan_and_where_a_model_words_it_an_answer():
    record = {"linked": "P1 runs", "query": "runs | batter=P1", "cells": "A1 runs", "wording": "P1: A1 runs."}
    plan, answer = of_record(record)
    assert (
        plan.completion == "runs | batter=P1"
        and answer.completion == "P1: A1 runs."
        and "A1 runs" in answer.messages[0]["content"]
    )
    assert [e.task for e in of_record(record | {"wording": ""})] == ["plan"]


def test_a_smaller_answer_share_keeps_all_plans(data):
    tasks = [[e.task for e in dataset.load(data, share).train] for share in (0.0, 1.0)]
    assert tasks[0].count("plan") == tasks[1].count("plan") == 60 and "answer" not in tasks[0] and "answer" in tasks[1]


def test_closed_book_examples_go_from_the_question_to_the_answer(data):
    made = dataset.load(data, closed_book=True).train
    assert {e.task for e in made} == {"closed_book"} and len(made) == 60
    record = json.loads((data / "train.jsonl").read_text().splitlines()[0])
    assert made[0].messages == [{"role": "user", "content": record["question"]}]
    assert made[0].completion == record["answer"]


# -- what goes wrong


def _config(tmp_path, **settings):
    return replace(SftConfig(threads=1, minutes=0, max_steps=1), **settings)


def test_a_missing_dataset_names_the_command_that_makes_it(tmp_path, base):
    with pytest.raises(ExamplesError, match=r"python -m data qa --season ipl_1999"):
        train(_config(tmp_path, season="ipl_1999", base=str(base)), tmp_path)


@pytest.mark.parametrize(
    "line", ['{"question": "x"}', "no json", '{"linked": "x", "query": "runs"}x', '{"query": "runs"}', "[]"]
)
def test_a_damaged_dataset_names_the_line(line, tmp_path):
    (tmp_path / "train.jsonl").write_text('{"question": "a", "answer": "b"}\n' + line + "\n")
    (tmp_path / "validation.jsonl").write_text('{"question": "a", "answer": "b"}\n')
    with pytest.raises(ExamplesError, match=r"train.jsonl line 2 is not an example"):
        dataset.load(tmp_path)


def test_bases_that_cannot_be_used_say_why(tmp_path, base):
    empty, bare = tmp_path / "empty", tmp_path / "bare"
    empty.mkdir()
    bare.mkdir()
    (bare / "config.json").write_text((base / "config.json").read_text())
    for name, message in (
        ("train/none", "no base model at train/none"),
        ("nothing", "Hugging Face id such as"),
        (str(empty), "has no config.json"),
        (str(bare), "has no weights"),
    ):
        with pytest.raises(BaseModelError, match=message):
            load_tokenizer(name)


def test_a_base_without_chat_template_is_refused_and_a_given_template_is_used(tmp_path):
    base = make_model("llama", tmp_path / "plain")
    path = base / "tokenizer_config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "chat_template"}))
    (base / "chat_template.jinja").unlink(missing_ok=True)
    with pytest.raises(BaseModelError, match="has no chat template.*--chat-template"):
        load_tokenizer(str(base))
    template = tmp_path / "t.jinja"
    template.write_text(
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    tokenizer = load_tokenizer(str(base), chat_template=str(template))
    (encoded,) = encode(tokenizer, [Example(plan_messages("x"), "runs", "plan")])
    assert encoded.prompt_length < len(encoded.ids)


def test_a_template_that_changes_the_prompt_after_an_answer_is_refused(tmp_path, base):
    template = tmp_path / "t.jinja"
    template.write_text("{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}")
    tokenizer = load_tokenizer(str(base), chat_template=str(template))
    example = Example(plan_messages("x"), "runs", "plan")
    with pytest.raises(ChatTemplateError, match="renders the prompt differently"):
        encode(tokenizer, [example])
    with pytest.raises(BaseModelError, match="renders the prompt differently"):
        dataset.encode(tokenizer, [example], 512)


def test_hub_errors_say_whether_a_token_is_missing(monkeypatch):
    import httpx
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    response = httpx.Response(401, request=httpx.Request("GET", "http://localhost"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for error, message in (
        (GatedRepoError("gated", response=response), "is gated and no HF_TOKEN is set: accept its licence"),
        (
            RepositoryNotFoundError("401", response=response),
            "no model a/b on the hub, or it is private and no HF_TOKEN",
        ),
        (LocalEntryNotFoundError("offline"), "hub cannot be reached"),
    ):
        assert message in str(base_model._explained("a/b", "", error))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    told = str(base_model._explained("a/b", "", GatedRepoError("gated", response=response)))
    assert "HF_TOKEN is set" in told and "hf_secret" not in told


def test_out_of_memory_is_distinguished_from_other_errors():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert base_model.is_out_of_memory(caught.value) and not base_model.is_out_of_memory(RuntimeError("shapes differ"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_qlora_without_a_gpu_says_what_to_take(small, tmp_path):
    with pytest.raises(BaseModelError, match="needs a CUDA GPU.*--method lora"):
        train(replace(small, method="qlora"), tmp_path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("rnak: 8", "unknown setting 'rnak'"),
        ("rank: many", "rank is 'many', expected int"),
        ("[", "cannot be read"),
    ],
)
def test_a_settings_file_with_mistakes_is_refused(text, message, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(TrainError, match=message):
        config.resolve({}, path)


def test_the_command_line_overrides_the_settings_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("rank: 8\nlearning_rate: 1\n")
    found = config.resolve({"rank": 4}, path)
    assert (found.rank, found.learning_rate, found.alpha) == (4, 1, SftConfig().alpha)
    assert set(config.HELP) == set(config.as_dict(found))


def test_the_threads_asked_for_are_used_on_every_platform(monkeypatch):
    assert train_sft.cpu_threads(3) == 3 and train_sft.cpu_threads(0) == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS and Windows
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert train_sft.cpu_threads(3) == 3 and train_sft.cpu_threads(0) == 12


@pytest.mark.slow
def test_two_processes_train_one_adapter(small, tmp_path):
    """`accelerate launch` with the same script, on two CPU processes."""
    command = [
        str(Path(sys.executable).with_name("accelerate")),
        "launch",
        "--cpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "-m",
        "train",
    ]
    for name in ("base", "data", "rank"):
        command += [f"--{name}", str(getattr(small, name))]
    command += [
        "--run",
        "two",
        "--max-steps",
        "3",
        "--batch-size",
        "16",
        "--micro-batch",
        "8",
        "--minutes",
        "0",
        "--threads",
        "1",
    ]
    (tmp_path / "data").symlink_to(ROOT / "data")
    done = subprocess.run(
        command,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "runs" / "two" / "result.json").read_text())["steps"] == 3
