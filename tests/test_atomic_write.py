"""Files and folders are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.atomic_write import atomic_link, atomic_write, remove_leftovers, temporary_file, temporary_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path):
    target = tmp_path / "manifest.json"
    atomic_write(target, "old")
    with pytest.raises(UnicodeEncodeError):
        atomic_write(target, "half \ud800")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["manifest.json"]


def test_the_old_file_stays_until_the_new_one_is_complete_and_anyone_may_read_the_new_one(tmp_path: Path):
    target = tmp_path / "new" / "loss.png"
    atomic_write(target, b"old")
    with temporary_file(target) as part:
        part.write_bytes(b"new")
        assert part.suffix == ".png" and target.read_bytes() == b"old"
    assert target.read_bytes() == b"new" and target.stat().st_mode & 0o777 == 0o644


def test_a_folder_is_replaced_as_a_whole_or_stays_as_it_was(tmp_path: Path):
    target = tmp_path / "merged"
    with temporary_folder(target) as part:
        (part / "a").write_text("1")
    with pytest.raises(KeyboardInterrupt), temporary_folder(target) as part:
        (part / "b").write_text("2")
        raise KeyboardInterrupt
    assert names(target) == ["a"] and names(tmp_path) == ["merged"]
    with temporary_folder(target) as part:
        (part / "b").write_text("2")
    assert names(target) == ["b"] and names(tmp_path) == ["merged"]


def test_a_link_replaces_a_file_and_falls_back_to_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source, target = tmp_path / "blob", tmp_path / "model.gguf"
    source.write_bytes(b"weights")
    source.chmod(0o600)
    target.write_bytes(b"old")
    for _ in range(2):  # the second time it is the same file already
        atomic_link(source, target)
        assert target.samefile(source) and source.stat().st_mode & 0o777 == 0o600
    target.unlink()
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    atomic_link(source, target)
    assert not target.samefile(source) and target.read_bytes() == b"weights"
    assert names(tmp_path) == ["blob", "model.gguf"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path):
    with temporary_file(tmp_path / "model.gguf") as part, temporary_folder(tmp_path / "merged") as folder:
        left = [tmp_path / f"{path.name}" for path in (part, folder)]
    left[0].write_text("half")
    left[1].mkdir()
    (left[1] / "half").write_text("")
    (tmp_path / ".work").mkdir()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".work", "merged", "model.gguf"]
