"""Publishing and fetching with the real huggingface_hub client, over HTTP to tests/support/hub_server.py, and locally.

Pushes run as `python -m convert push` in a process of their own: the client reads its settings when it is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from convert import hub
from convert.hub.download import MAX_MANIFEST_BYTES
from convert.hub.publication import compose
from convert.manifest import (
    Adapter,
    Base,
    Data,
    Manifest,
    ManifestError,
    entry_for,
    load,
    save,
    verified_model_file,
)
from data.dataset.knowledge import KNOWLEDGE_FILE, Row, read, write
from serve.process import wait_for
from tests.support.hub_server import READ_TOKEN, STRANGER_TOKEN, WRITE_TOKEN, Hub, Repository, StoredFile

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "alice/cricket"


def make_folder(folder: Path, content: bytes = b"weights", *, passed: bool = True) -> Path:
    """A model folder as the conversion leaves it, with a large file that stands for a GGUF."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model-q8_0.gguf").write_bytes(content * 40_000)
    (folder / "model-f16.gguf").write_bytes(b"full precision" * 1000)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# cricket\n")
    files = {
        "model-q8_0.gguf": entry_for(folder / "model-q8_0.gguf", "Q8_0"),
        "model-f16.gguf": entry_for(folder / "model-f16.gguf", "F16"),
        "README.md": entry_for(folder / "README.md"),
    }
    save(
        Manifest(
            name="cricket",
            created="2026-01-01T00:00:00+00:00",
            base=Base("train/base", None, "0" * 64),
            data=Data("ipl_2024", None),
            adapter=Adapter(None),
            prompt_version="1",
            llama_cpp_commit="0" * 40,
            default_file="model-q8_0.gguf",
            files=files,
            gate={"passed": passed, "reasons": [] if passed else ["it answers nothing right"]},
        ),
        folder,
    )
    return folder


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with Hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_TOKEN", WRITE_TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield running


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {k: v for k, v in {**os.environ, **environment}.items() if v}
    return subprocess.run(
        [sys.executable, "-m", "convert", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=settings,
        timeout=60,
    )


@pytest.fixture
def published(server: Hub, tmp_path: Path) -> Hub:
    result = command("push", str(make_folder(tmp_path / "model")), "--to", REPOSITORY)
    assert result.returncode == 0, result.stderr
    return server


def test_a_push_makes_a_private_repository_with_every_file_a_tag_and_a_printed_commit(server: Hub, tmp_path: Path):
    result = command("push", str(make_folder(tmp_path / "model")), "--to", REPOSITORY)
    repository = server.repositories[REPOSITORY]
    assert result.returncode == 0, result.stderr
    assert repository.private
    assert set(server.files(REPOSITORY)) == {
        "model-q8_0.gguf",
        "model-f16.gguf",
        "README.md",
        "manifest.json",
    }
    assert repository.refs["v1"] == repository.refs["main"]
    assert repository.refs["main"] in result.stdout
    assert len(server.requests("POST", "/commit/")) == 1


def test_pushing_the_same_again_sends_nothing_and_a_changed_file_is_sent_alone(published: Hub, tmp_path: Path):
    again = command("push", str(tmp_path / "model"), "--to", REPOSITORY)
    assert "nothing was sent" in again.stdout
    assert len(published.requests("POST", "/commit/")) == 1
    uploads = len(published.requests("PUT", "/upload/"))
    changed = command("push", str(make_folder(tmp_path / "model", b"other")), "--to", REPOSITORY)
    assert "sent model-q8_0.gguf, manifest.json" in changed.stdout and "tag v2" in changed.stdout
    assert len(published.requests("PUT", "/upload/")) == uploads + 1


def test_a_pull_brings_the_default_file_and_a_server_may_open_it(published: Hub):
    folder = hub.pull(REPOSITORY)
    assert verified_model_file(folder).read_bytes() == b"weights" * 40_000
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "model-q8_0.gguf"]
    assert (hub.pull(REPOSITORY, file="model-f16.gguf") / "model-f16.gguf").is_file()


def test_the_token_is_not_sent_to_the_host_that_large_files_come_from(published: Hub):
    hub.pull(REPOSITORY)
    assert published.requests("GET", "/large/")
    assert {host for host, _ in published.tokens_seen} == {"127.0.0.1"}


def test_a_tag_and_a_commit_pin_the_files_that_were_published_then(published: Hub, tmp_path: Path):
    first = published.repositories[REPOSITORY].refs["main"]
    assert command("push", str(make_folder(tmp_path / "model", b"other")), "--to", REPOSITORY).returncode == 0
    for revision in ("v1", first):
        assert (hub.pull(REPOSITORY, revision) / "model-q8_0.gguf").read_bytes().startswith(b"weights")
    assert (hub.pull(REPOSITORY) / "model-q8_0.gguf").read_bytes().startswith(b"other")


def test_a_pinned_commit_that_is_cached_needs_no_request(published: Hub):
    commit = hub.pull(REPOSITORY).name
    published.log.clear()
    hub.pull(REPOSITORY, commit)
    assert published.log == []


def test_a_file_changed_at_the_hub_is_refused_and_nothing_of_it_is_kept(published: Hub, tmp_path: Path):
    published.corrupt = True
    with pytest.raises(hub.HubError, match="not what its manifest says"):
        hub.pull(REPOSITORY)
    assert not list((tmp_path / "home").rglob("*.gguf"))
    published.corrupt = False
    assert (hub.pull(REPOSITORY) / "model-q8_0.gguf").is_file()


def test_a_cached_file_that_was_damaged_is_fetched_again(published: Hub):
    path = hub.pull(REPOSITORY) / "model-q8_0.gguf"
    path.write_bytes(b"X" + path.read_bytes()[1:])
    assert (hub.pull(REPOSITORY) / "model-q8_0.gguf").read_bytes() == b"weights" * 40_000


def test_an_interrupted_download_resumes_where_it_stopped(published: Hub, tmp_path: Path):
    entry = load(tmp_path / "model").files["model-q8_0.gguf"]
    folder = tmp_path / "home" / "checked-models" / "alice--cricket" / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{entry.sha256}.part").write_bytes((b"weights" * 40_000)[:100_000])
    assert verified_model_file(hub.pull(REPOSITORY)).is_file()
    assert [status for _, path, status in published.log if "/large/" in path] == [206]


def test_a_broken_connection_is_resumed_in_the_same_call(published: Hub):
    published.break_off_after = 150_000
    assert verified_model_file(hub.pull(REPOSITORY)).is_file()


def test_a_partial_file_with_wrong_bytes_is_deleted_and_fetched_again(published: Hub, tmp_path: Path):
    entry = load(tmp_path / "model").files["model-q8_0.gguf"]
    folder = tmp_path / "home" / "checked-models" / "alice--cricket" / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{entry.sha256}.part").write_bytes(b"garbage")
    assert verified_model_file(hub.pull(REPOSITORY)).is_file()


def test_the_cache_is_used_when_the_hub_is_unreachable(published: Hub):
    folder = hub.pull(REPOSITORY)
    published.unavailable = True
    assert hub.pull(REPOSITORY) == folder


@pytest.mark.parametrize(
    ("token", "repository", "revision", "file", "says"),
    [
        ("", REPOSITORY, None, None, "needs a token: set HF_TOKEN"),
        ("hf_revoked999", REPOSITORY, None, None, "does not accept the token in HF_TOKEN"),
        (STRANGER_TOKEN, REPOSITORY, None, None, "is not found: check the name"),
        (READ_TOKEN, "alice/nothing", None, None, "is not found: check the name"),
        (READ_TOKEN, REPOSITORY, "v9", None, "has no revision 'v9'"),
        (
            READ_TOKEN,
            REPOSITORY,
            None,
            "model-q2.gguf",
            "has no file 'model-q2.gguf': it has model-q8_0.gguf",
        ),
    ],
)
def test_a_pull_that_fails_says_in_one_sentence_what_to_do(
    published: Hub, monkeypatch: pytest.MonkeyPatch, token, repository, revision, file, says
):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(hub.HubError) as caught:
        hub.pull(repository, revision, file)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message and (not token or token not in message)


def test_a_gated_repository_says_to_ask_for_access(published: Hub):
    published.repositories[REPOSITORY].gated = True
    with pytest.raises(hub.HubError, match="is gated: ask for access"):
        hub.pull(REPOSITORY)


def test_a_repository_without_a_manifest_says_so(server: Hub):
    server.repositories["alice/bare"] = Repository(True, {"main": "a" * 40}, {"a" * 40: {}})
    with pytest.raises(hub.HubError, match="has no file 'manifest.json'"):
        hub.pull("alice/bare")


def test_a_hub_that_is_down_or_unreachable_is_reported(published: Hub, monkeypatch: pytest.MonkeyPatch):
    published.unavailable = True
    with pytest.raises(hub.HubError, match="the hub answered 503"):
        hub.pull(REPOSITORY)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(hub.HubError, match="the hub cannot be reached"):
        hub.pull(REPOSITORY)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which only Linux has")
def test_a_full_disk_says_to_free_space(published: Hub, tmp_path: Path):
    entry = load(tmp_path / "model").files["model-q8_0.gguf"]
    folder = tmp_path / "home" / "checked-models" / "alice--cricket" / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{entry.sha256}.part").symlink_to("/dev/full")
    with pytest.raises(hub.HubError, match="the disk is full: free space"):
        hub.pull(REPOSITORY)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("", "needs a token: set HF_TOKEN"),
        ("hf_revoked999", "does not accept the token"),
        (READ_TOKEN, "may not write to alice/new"),
        (STRANGER_TOKEN, "may not write to alice/new"),
    ],
)
def test_a_forbidden_push_says_what_to_do_and_never_shows_the_token(server: Hub, tmp_path: Path, token, says):
    result = command("push", str(make_folder(tmp_path / "model")), "--to", "alice/new", HF_TOKEN=token)
    assert result.returncode == 1
    assert says in result.stderr and "Traceback" not in result.stderr
    assert not token or token not in result.stdout + result.stderr
    assert "alice/new" not in server.repositories


def test_of_many_simultaneous_pulls_none_fails_and_each_file_is_fetched_once(published: Hub):
    with ThreadPoolExecutor(24) as threads:
        folders = list(threads.map(lambda _: hub.pull(REPOSITORY), range(24)))
    assert len(set(folders)) == 1 and verified_model_file(folders[0]).is_file()
    fetched = [path for method, path, status in published.log if method == "GET" and status in (200, 206)]
    assert sum("/resolve/" in path and "manifest.json" in path for path in fetched) == 1
    assert sum("/large/" in path for path in fetched) == 1


@pytest.mark.parametrize("name", ["manifest.json", "model-q8_0.gguf"])
def test_a_pull_waits_for_another_process_that_fetches_and_says_which_lock_it_waits_for(
    published: Hub, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
):
    store = tmp_path / "home" / "checked-models" / REPOSITORY.replace("/", "--")
    lock = store / f"{published.repositories[REPOSITORY].refs['main']}.manifest.json.lock"
    if name != "manifest.json":
        lock = store / "blobs" / f"{load(tmp_path / 'model').files[name].sha256}.lock"
    lock.parent.mkdir(parents=True)
    hold = "import sys; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire(); print(1); input()"
    other = subprocess.Popen(
        [sys.executable, "-u", "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other, ThreadPoolExecutor(1) as threads:
        assert other.stdout.readline() == "1\n"
        pulled = threads.submit(hub.pull, REPOSITORY)
        wait_for(lambda: f"another process fetches {name} of {REPOSITORY}" in caplog.text)
        assert str(lock) in caplog.text and not pulled.done()
        other.communicate("\n")
        assert verified_model_file(pulled.result(60)).is_file()


def test_a_manifest_that_is_too_large_is_refused_before_it_is_fetched(published: Hub, tmp_path: Path):
    repository = published.repositories[REPOSITORY]
    files = repository.commits[repository.refs["main"]]
    files["manifest.json"] = StoredFile(files["manifest.json"].data + b" " * MAX_MANIFEST_BYTES, None)
    with pytest.raises(hub.HubError, match="and a manifest at most 1048576"):
        hub.pull(REPOSITORY)
    assert not [path for method, path, _ in published.log if method == "GET" and "manifest.json" in path]
    assert not list((tmp_path / "home").rglob("manifest.json*.part"))


def test_a_file_that_goes_on_beyond_its_size_is_given_up_there(published: Hub, tmp_path: Path):
    published.longer_by = 4 * MAX_MANIFEST_BYTES
    with pytest.raises(hub.HubError, match="manifest.json is longer than 1048576 bytes"):
        hub.pull(REPOSITORY)
    assert all(part.stat().st_size <= MAX_MANIFEST_BYTES for part in (tmp_path / "home").rglob("*.part"))
    published.longer_by = 0
    hub.pull(REPOSITORY, file="README.md")
    published.longer_by = 1
    size = load(tmp_path / "model").files["model-q8_0.gguf"].size
    with pytest.raises(hub.HubError, match=f"model-q8_0.gguf is longer than {size} bytes"):
        hub.pull(REPOSITORY)


def test_a_push_into_a_public_repository_is_refused(published: Hub, tmp_path: Path):
    published.repositories[REPOSITORY].private = False
    result = command("push", str(make_folder(tmp_path / "model", b"other")), "--to", REPOSITORY)
    assert result.returncode == 1 and "is public: make it private" in result.stderr


def test_what_a_users_file_says_goes_into_a_private_repository_alone_and_is_fetched_with_the_model(
    server: Hub, tmp_path: Path
):
    folder = make_folder(tmp_path / "model")
    write([Row(1, "mine.csv", "a private question", "a private answer")], folder / KNOWLEDGE_FILE)
    manifest = load(folder)
    save(replace(manifest, files=manifest.files | {KNOWLEDGE_FILE: entry_for(folder / KNOWLEDGE_FILE)}), folder)
    result = command("push", str(folder), "--to", REPOSITORY)
    assert result.returncode == 0 and "private question" not in result.stdout + result.stderr
    assert KNOWLEDGE_FILE in server.files(REPOSITORY) and b"private" not in server.files(REPOSITORY)["README.md"].data
    fetched = hub.pull(REPOSITORY)
    assert read(fetched / KNOWLEDGE_FILE)[0].answer == "a private answer" and not (fetched / "model-f16.gguf").exists()
    public = compose(folder, load(folder), REPOSITORY, private=False)
    assert KNOWLEDGE_FILE not in {**public.files, **public.manifest.files}
    assert f"{KNOWLEDGE_FILE} is left out" in "".join(public.notes)
    assert compose(folder, load(folder), REPOSITORY, private=True).notes == []


def test_a_model_that_failed_its_gate_is_published_only_by_force(server: Hub, tmp_path: Path):
    folder = make_folder(tmp_path / "model", passed=False)
    refused = command("push", str(folder), "--to", REPOSITORY)
    assert refused.returncode == 1 and "its gate failed (it answers nothing right)" in refused.stderr
    assert server.log == []
    assert command("push", str(folder), "--to", REPOSITORY, "--force").returncode == 0


def test_a_damaged_folder_is_not_pushed(server: Hub, tmp_path: Path):
    folder = make_folder(tmp_path / "model")
    (folder / "model-f16.gguf").write_bytes(b"something else")
    result = command("push", str(folder), "--to", REPOSITORY)
    assert result.returncode == 1 and "model-f16.gguf has 14 bytes" in result.stderr
    assert server.log == []


def test_without_a_token_the_same_commands_publish_to_a_folder_and_fetch_from_it(tmp_path: Path):
    model, shelf = make_folder(tmp_path / "model"), str(tmp_path / "published")
    first = command("push", str(model), "--to", shelf, HF_TOKEN="")
    assert first.returncode == 0 and "tag v1" in first.stdout, first.stderr
    assert "nothing was sent" in command("push", str(model), "--to", shelf, HF_TOKEN="").stdout
    second = command("push", str(make_folder(model, b"other")), "--to", shelf, HF_TOKEN="")
    assert "sent model-q8_0.gguf, manifest.json" in second.stdout and "tag v2" in second.stdout
    pulled = command("pull", shelf, HF_TOKEN="")
    assert verified_model_file(Path(pulled.stdout.strip())).read_bytes().startswith(b"other")
    assert (hub.pull(shelf, "v1") / "model-q8_0.gguf").read_bytes().startswith(b"weights")
    assert verified_model_file(Path(shelf)).is_file()


def test_a_flipped_byte_in_a_published_folder_makes_the_pull_refuse_it(tmp_path: Path):
    hub.push(make_folder(tmp_path / "model"), str(tmp_path / "published"))
    path = tmp_path / "published" / "model-q8_0.gguf"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(hub.HubError, match="model-q8_0.gguf has sha256"):
        hub.pull(str(tmp_path / "published"))


def test_a_tag_is_never_moved_to_another_version(tmp_path: Path):
    shelf = str(tmp_path / "published")
    hub.push(make_folder(tmp_path / "model"), shelf, tag="season-1")
    with pytest.raises(hub.HubError, match="has the tag 'season-1' for another commit"):
        hub.push(make_folder(tmp_path / "model", b"other"), shelf, tag="season-1")


def test_nothing_published_and_an_unknown_revision_name_the_remedy(tmp_path: Path):
    with pytest.raises(hub.HubError, match="nothing is published in"):
        hub.pull(str(tmp_path / "published"))
    hub.push(make_folder(tmp_path / "model"), str(tmp_path / "published"))
    with pytest.raises(hub.HubError, match="has no revision 'v7': it has main, v1"):
        hub.pull(str(tmp_path / "published"), "v7")


def test_the_hub_and_the_manifest_load_neither_torch_nor_transformers_nor_llama_cpp():
    code = (
        "import sys, convert.hub, convert.manifest; "
        "print([m for m in ('torch', 'transformers', 'llama_cpp', 'huggingface_hub') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip() == "[]"


def test_pushing_a_folder_without_a_manifest_names_the_command_that_makes_it(tmp_path: Path):
    with pytest.raises(ManifestError, match="python -m convert --run"):
        hub.push(tmp_path, str(tmp_path / "published"))
