"""What others can do with a published model: the shipped pipeline's folder, pushed to the test hub, loaded by others.

Loading runs in one process of its own, as a stranger's program would: transformers, peft and llama-cpp-python read the
repository over HTTP, without this project's code.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from convert import hub
from convert.hub.publication import data_set_id, is_generated, marked, without_paths
from convert.manifest import Adapter, Base, Data, Manifest, entry_for, load, save
from convert.run_folder import read_run
from tests.support.hub_server import READ_TOKEN, STRANGER_TOKEN, WRITE_TOKEN, Hub, StoredFile
from tests.support.xet_store import XetStore
from tests.test_hub import REPOSITORY, command, make_folder

# huggingface_hub 2.4 uploads in a way that its HTTP client will not have for ever
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
ROOT = Path(__file__).resolve().parent.parent

LOAD = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from peft import AutoPeftModelForCausalLM
from llama_cpp import Llama

repository, file = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(repository)
merged = AutoModelForCausalLM.from_pretrained(repository, dtype=torch.float32)
adapted = AutoPeftModelForCausalLM.from_pretrained(repository, revision="adapter", dtype=torch.float32)
text = tokenizer.apply_chat_template(
    [{"role": "user", "content": "top 5 run scorers"}], add_generation_prompt=True, tokenize=False
)
ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
with torch.inference_mode():
    first, second = merged(ids).logits, adapted(ids).logits
    with adapted.disable_adapter():
        base = adapted(ids).logits
llm = Llama.from_pretrained(repository, filename=file, verbose=False, n_ctx=256, logits_all=True)
llm.eval(ids[0].tolist())
print(json.dumps({
    "merged_to_adapted": float((first - second).abs().max()),
    "adapted_to_base": float((base - second).abs().max()),
    "next": int(first[0, -1].argmax()),
    "next_in_llama_cpp": int(llm.scores[ids.shape[1] - 1].argmax()),
}))
"""


@pytest.fixture(scope="module")
def hub_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, dict[str, str]]]:
    home = tmp_path_factory.mktemp("home")
    with Hub() as running:
        yield (
            running,
            {
                "HF_ENDPOINT": running.url,
                "HF_HOME": str(home),
                "HF_TOKEN": WRITE_TOKEN,
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            },
        )


@pytest.fixture(scope="module")
def published(hub_of_module: tuple[Hub, dict[str, str]], demo_model: Path, trained: None) -> tuple[Hub, dict[str, str]]:
    """The demo's model in alice/demo, pushed by the command under its bare name."""
    running, environment = hub_of_module
    result = command("push", str(demo_model), "--to", "demo", "--force", **environment)
    assert result.returncode == 0, result.stderr
    assert "alice/demo: commit" in result.stdout
    return running, environment


def test_transformers_peft_and_llama_cpp_load_a_published_repository(published, demo_model: Path):
    running, environment = published
    result = subprocess.run(
        [sys.executable, "-c", LOAD, "alice/demo", load(demo_model).default_file],
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, **environment, "HF_TOKEN": READ_TOKEN},
        timeout=300,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["merged_to_adapted"] < 1e-2 < found["adapted_to_base"]
    assert found["next"] == found["next_in_llama_cpp"]


def test_a_published_repository_has_the_models_and_names_no_path_of_this_machine(published, demo_model: Path):
    running, _ = published
    main, adapter, base = (running.files("alice/demo", branch) for branch in ("main", "adapter", "base"))
    assert {"config.json", "model.safetensors", "tokenizer.json", "manifest.json", "README.md"} <= set(main)
    assert {name for name in main if name.endswith(".gguf")} == {p.name for p in demo_model.glob("*.gguf")}
    assert "adapter_config.json" not in main  # transformers would load the adapter's base instead of the merged weights
    assert set(adapter) == {"adapter_config.json", "adapter_model.safetensors"}
    settings = json.loads(adapter["adapter_config.json"].data)
    assert settings["base_model_name_or_path"] == "alice/demo"
    assert running.repositories["alice/demo"].commits[settings["revision"]] == base
    assert yaml.safe_load(main["README.md"].data.split(b"---")[1])["library_name"] == "transformers"
    everything = b"".join(file.data for branch in (main, adapter, base) for file in branch.values())
    for path in (ROOT, demo_model.resolve(), Path.home()):
        assert len(str(path)) < 3 or str(path).encode() not in everything


def test_pushing_a_published_model_again_sends_nothing_to_any_branch(published, demo_model: Path):
    running, environment = published
    before = dict(running.repositories["alice/demo"].refs)
    again = command("push", str(demo_model), "--to", "alice/demo", "--force", **environment)
    assert "nothing was sent" in again.stdout, again.stderr
    assert running.repositories["alice/demo"].refs == before


def test_merged_weights_that_are_not_those_of_the_model_are_left_out(
    hub_of_module, demo_model: Path, trained: None, tmp_path: Path
):
    running, environment = hub_of_module
    folder = tmp_path / "model"
    shutil.copytree(demo_model, folder)
    weights = folder / ".work" / "merged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    result = command("push", str(folder), "--to", "alice/other", "--force", **environment)
    assert result.returncode == 0 and "the merged weights are left out" in result.stdout, result.stderr
    assert "model.safetensors" not in running.files("alice/other")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with Hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        yield running


def edit(server: Hub, **files: bytes | None) -> None:
    """Commit files to main as somebody else would; None deletes one."""
    repository = server.repositories[REPOSITORY]
    content = dict(server.files(REPOSITORY))
    for name, data in files.items():
        if data is None:
            del content[name]
        else:
            content[name] = StoredFile(data, None)
    commit = f"{len(repository.commits):040x}"
    repository.commits[commit], repository.refs["main"] = content, commit


def test_other_files_of_a_repository_are_left_alone_and_our_old_ones_removed(server: Hub, tmp_path: Path):
    hub.push(make_folder(tmp_path / "model"), REPOSITORY)
    edit(server, **{"notes.txt": b"mine", "demo.ipynb": b"{}"})
    folder = make_folder(tmp_path / "model", b"other")
    manifest = load(folder)
    save(replace(manifest, files={k: v for k, v in manifest.files.items() if k != "model-f16.gguf"}), folder)
    hub.push(folder, REPOSITORY)
    assert set(server.files(REPOSITORY)) == {
        "notes.txt",
        "demo.ipynb",
        "model-q8_0.gguf",
        "README.md",
        "manifest.json",
    }
    assert server.files(REPOSITORY)["notes.txt"].data == b"mine"


def test_a_card_that_was_changed_by_hand_is_kept_and_the_model_can_still_be_fetched_whole(server: Hub, tmp_path: Path):
    hub.push(make_folder(tmp_path / "model"), REPOSITORY)
    generated = server.files(REPOSITORY)["README.md"].data.decode()
    assert is_generated(generated) and "Llama.from_pretrained" in generated
    edit(server, **{"README.md": generated.replace("# cricket", "# My cricket").encode()})
    pushed = hub.push(make_folder(tmp_path / "model", b"other"), REPOSITORY)
    assert "was written by hand and is kept" in pushed.line() and "README.md" not in pushed.sent
    assert b"# My cricket" in server.files(REPOSITORY)["README.md"].data
    assert (hub.pull(REPOSITORY, file="all") / "model-q8_0.gguf").is_file()


def test_a_generated_card_is_replaced_by_the_next_one(server: Hub, tmp_path: Path):
    folder = make_folder(tmp_path / "model")
    hub.push(folder, REPOSITORY)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# cricket, second version\n")
    manifest = load(folder)
    save(replace(manifest, files={**manifest.files, "README.md": entry_for(folder / "README.md")}), folder)
    assert "README.md" in hub.push(folder, REPOSITORY).sent
    assert b"second version" in server.files(REPOSITORY)["README.md"].data


def test_a_name_without_an_owner_is_in_the_namespace_of_the_token(server: Hub, tmp_path: Path):
    assert hub.push(make_folder(tmp_path / "model"), "cricket").target == REPOSITORY
    assert (hub.pull("cricket") / "model-q8_0.gguf").is_file()


def test_a_name_without_an_owner_needs_a_token(server: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(hub.HubError, match="cricket needs a token"):
        hub.pull("cricket")


def test_the_token_of_a_login_is_used_and_hf_token_goes_before_it(
    server: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("HF_TOKEN")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(f"{WRITE_TOKEN}\n")
    hub.push(make_folder(tmp_path / "model"), REPOSITORY)
    assert hub.without_token(f"Bearer {WRITE_TOKEN}") == "Bearer <token>"
    monkeypatch.setenv("HF_TOKEN", STRANGER_TOKEN)
    with pytest.raises(hub.HubError, match="is not found"):
        hub.pull(REPOSITORY)


def test_a_half_pushed_repository_is_refused_in_one_sentence(server: Hub, tmp_path: Path):
    hub.push(make_folder(tmp_path / "model"), REPOSITORY)
    edit(server, **{"model-q8_0.gguf": None})
    with pytest.raises(hub.HubError, match="is only half published, it lacks model-q8_0.gguf: run the push again"):
        hub.pull(REPOSITORY)
    hub.push(tmp_path / "model", REPOSITORY)
    assert (hub.pull(REPOSITORY) / "model-q8_0.gguf").is_file()
    edit(server, **{"manifest.json": None})
    with pytest.raises(hub.HubError, match="has no file 'manifest.json'.* published in part or by hand") as caught:
        hub.pull(REPOSITORY)
    assert "\n" not in str(caught.value)


def test_a_mark_holds_for_the_text_it_was_made_for_alone():
    card = marked("---\nlicense: mit\n---\n# Cricket\n")
    assert is_generated(card) and not is_generated(card.replace("mit", "gpl-3.0"))
    assert not is_generated("# Cricket\n") and not is_generated(card + "More.\n")


def test_a_published_training_configuration_names_no_path_and_no_private_file():
    config = {"base": "/opt/models/base", "data": "/opt/club.csv", "season": "ipl_2024", "steps": [1, "~/x"]}
    cleaned = without_paths(yaml.safe_dump(config).encode())
    assert yaml.safe_load(cleaned) == {"base": "base", "data": "(own file)", "season": "ipl_2024", "steps": [1, "x"]}
    assert yaml.safe_load(without_paths(b"data: ann/club-questions")) == {"data": "ann/club-questions"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [("ann/club-questions", "ann/club-questions"), ("files/club.csv", None), ("club.csv", None), ("train/base", None)],
)
def test_a_hub_data_set_is_told_from_a_file(data: str, expected: str | None):
    assert data_set_id(data) == expected


# Xet: transfers in chunks, of which the store keeps each once


def random_folder(folder: Path) -> Path:
    """A model folder whose large files cannot be compressed, which the test store needs."""
    make_folder(folder)
    rng = random.Random(7)
    for name in ("model-q8_0.gguf", "model-f16.gguf"):
        (folder / name).write_bytes(rng.randbytes(300_000))
    manifest = load(folder)
    files = {name: entry_for(folder / name, entry.quantisation) for name, entry in manifest.files.items()}
    save(replace(manifest, files=files), folder)
    return folder


@pytest.fixture
def xet(tmp_path: Path) -> Iterator[tuple[Hub, dict[str, str]]]:
    with Hub(xet=XetStore()) as running:
        environment = {"HF_ENDPOINT": running.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": WRITE_TOKEN}
        yield running, {**environment, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_XET": ""}


def test_a_hub_that_offers_xet_gets_and_sends_large_files_by_it(xet, tmp_path: Path):
    running, environment = xet
    folder = random_folder(tmp_path / "model")
    assert command("push", str(folder), "--to", REPOSITORY, **environment).returncode == 0
    assert running.xet.requests == {"xorb": 1, "shard": 1} and not running.requests("PUT", "/upload/")
    pulled = command("pull", REPOSITORY, **environment)
    fetched = Path(pulled.stdout.strip()) / "model-q8_0.gguf"
    assert fetched.read_bytes() == (folder / "model-q8_0.gguf").read_bytes(), pulled.stderr
    assert running.xet.requests["reconstruction"] == 1 and not running.requests("GET", "/large/")


def test_a_file_that_the_xet_store_does_not_have_is_fetched_by_http(xet, tmp_path: Path):
    running, environment = xet
    folder = random_folder(tmp_path / "model")
    assert command("push", str(folder), "--to", REPOSITORY, **environment).returncode == 0
    running.xet.files.clear()
    pulled = command("pull", REPOSITORY, **environment)
    fetched = Path(pulled.stdout.strip()) / "model-q8_0.gguf"
    assert fetched.read_bytes() == (folder / "model-q8_0.gguf").read_bytes(), pulled.stderr
    assert running.requests("GET", "/large/")


def test_a_hub_without_xet_gets_large_files_by_lfs(xet, tmp_path: Path):
    running, environment = xet
    running.xet = None
    pushed = command("push", str(random_folder(tmp_path / "model")), "--to", REPOSITORY, **environment)
    assert pushed.returncode == 0, pushed.stderr
    assert len(running.requests("PUT", "/upload/")) == 2


# the card


def card_of(base: Base, data: Data) -> tuple[dict, str]:
    """The metadata and the text of the card of a model with such a base and data."""
    from convert.card import card

    manifest = Manifest(
        name="club",
        created="2026-01-01T00:00:00+00:00",
        base=base,
        data=data,
        adapter=Adapter(None),
        prompt_version="1",
        llama_cpp_commit="0" * 40,
        default_file="model-q8_0.gguf",
        files={},
    )
    text = card(manifest, None, {})
    return yaml.safe_load(text.split("---")[1]), text


def test_the_card_of_a_model_of_private_data_credits_nobody_else_for_them():
    head, text = card_of(Base("train/base", None, "0" * 64), Data("ipl_2024", "0" * 64))
    assert "Cricsheet" not in text and "own data, which are not part of this repository" in text
    assert head["license"] == "apache-2.0" and "datasets" not in head


def test_the_card_credits_the_source_of_the_season_and_the_data_set_of_the_hub():
    _, text = card_of(Base("train/base", None, "0" * 64), Data("ipl_2024", "0" * 64, "Cricsheet (ODC-BY 1.0)"))
    assert "Match data: Cricsheet (ODC-BY 1.0)." in text
    head, text = card_of(Base("org/base", "a" * 40, "0" * 64, "mit"), Data(None, None, None, "ann/questions"))
    assert head["datasets"] == ["ann/questions"] and head["base_model"] == "org/base" and head["license"] == "mit"
    assert "Cricsheet" not in text


@pytest.mark.parametrize(
    ("config", "source", "data_set"),
    [
        ({"season": "ipl_2024"}, "Cricsheet", None),
        ({"season": "ipl_2024", "data": "club.csv"}, None, None),
        ({"season": "ipl_2024", "data": "ann/questions"}, None, "ann/questions"),
        ({"season": "club_2031"}, None, None),
    ],
)
def test_a_run_says_whose_the_data_and_under_which_licence_the_base_is(tmp_path: Path, config, source, data_set):
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "base" / "README.md").write_text("---\nlicense: mit\n---\n# A base\n")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"base": str(tmp_path / "base"), **config}))
    run = read_run(tmp_path)
    assert run.base_licence == "mit" and run.data_set == data_set
    assert run.data_source.startswith(source) if source else run.data_source is None
