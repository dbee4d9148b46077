"""The manifest: what it accepts and refuses, and the check of a folder, which says which file differs and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convert.__main__ import main
from convert.manifest import (
    MANIFEST_NAME,
    Adapter,
    Base,
    Data,
    Manifest,
    ManifestError,
    entry_for,
    load,
    save,
    verified_model_file,
    verify,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model-q8_0.gguf").write_bytes(b"0123456789")
    (tmp_path / "README.md").write_text("# card\n")
    save(
        Manifest(
            name="m",
            created="2026-01-01T00:00:00+00:00",
            base=Base("train/base", None, "0" * 64),
            data=Data("ipl_2024", "1" * 64),
            adapter=Adapter("2" * 64),
            prompt_version="3",
            llama_cpp_commit="4" * 40,
            default_file="model-q8_0.gguf",
            files={
                "model-q8_0.gguf": entry_for(tmp_path / "model-q8_0.gguf", "Q8_0"),
                "README.md": entry_for(tmp_path / "README.md"),
            },
            gate={"passed": True},
        ),
        tmp_path,
    )
    return tmp_path


def test_a_manifest_survives_writing_and_reading(folder: Path):
    manifest = load(folder)
    assert manifest.files["model-q8_0.gguf"].size == 10
    assert manifest.files["model-q8_0.gguf"].quantisation == "Q8_0"
    assert Manifest.from_json(manifest.to_json(), "here") == manifest


def test_the_file_to_serve_is_checked_before_its_path_is_given(folder: Path):
    assert verified_model_file(folder) == folder / "model-q8_0.gguf"
    (folder / "model-q8_0.gguf").write_bytes(b"0123456780")
    with pytest.raises(ManifestError, match="model-q8_0.gguf has sha256"):
        verified_model_file(folder)


def changed(folder: Path, **entry) -> None:
    """Write other things about the first file into the manifest."""
    raw = json.loads((folder / MANIFEST_NAME).read_text())
    next(iter(raw["files"].values())).update(entry)
    (folder / MANIFEST_NAME).write_text(json.dumps(raw))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "model-q8_0.gguf").write_bytes(b"0123456780"), "has sha256"),
        (lambda f: (f / "model-q8_0.gguf").write_bytes(b"01234"), "has 5 bytes, the manifest says 10"),
        (lambda f: (f / "README.md").unlink(), "README.md is missing but the manifest lists it"),
        (lambda f: (f / MANIFEST_NAME).unlink(), "no manifest.json"),
        (lambda f: (f / MANIFEST_NAME).write_text("{"), "is not a manifest of this project"),
        (lambda f: (f / MANIFEST_NAME).write_text("[]"), "is not a manifest of this project"),
        (lambda f: changed(f, sha256="../../elsewhere"), "has no sha256 and size for"),
        (lambda f: changed(f, size="10"), "has no sha256 and size for"),
    ],
)
def test_verify_exits_non_zero_and_names_the_difference(folder: Path, capsys, damage, says):
    assert main(["verify", str(folder)]) == 0
    damage(folder)
    assert main(["verify", str(folder)]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../outside.gguf", "/etc/passwd", "a/b.gguf", "..", ""])
def test_a_manifest_that_names_files_outside_its_folder_is_refused(folder: Path, name: str):
    raw = json.loads((folder / MANIFEST_NAME).read_text())
    raw["files"][name] = raw["files"]["README.md"]
    (folder / MANIFEST_NAME).write_text(json.dumps(raw))
    with pytest.raises(ManifestError, match="only plain file names"):
        load(folder)


def test_a_default_that_is_not_among_the_files_is_refused(folder: Path):
    raw = json.loads((folder / MANIFEST_NAME).read_text())
    raw["default_file"] = "model-q2.gguf"
    (folder / MANIFEST_NAME).write_text(json.dumps(raw))
    with pytest.raises(ManifestError, match="default file 'model-q2.gguf'"):
        load(folder)


def test_asking_for_a_file_the_manifest_lacks_lists_what_it_has(folder: Path):
    with pytest.raises(ManifestError, match="it has: model-q8_0.gguf, README.md"):
        verify(folder, ["model-q2.gguf"])
