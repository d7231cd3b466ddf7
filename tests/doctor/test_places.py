"""Folders that cannot be written, and disks that are full."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.doctor.kit import as_other_user, open_folder, options
from xinghe.doctor import machine
from xinghe.doctor.finding import FAIL, OK


def test_a_folder_still_to_be_made_is_fine_and_not_made(tmp_path: Path) -> None:
    finding = machine.data_directory(options("--data", str(tmp_path / "a" / "b")))
    assert finding.status == OK
    assert "will be made" in finding.text
    assert not (tmp_path / "a").exists()


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    finding = machine.data_directory(options("--data", str(tmp_path / "data")))
    assert (finding.status, finding.text) == (FAIL, f"{tmp_path / 'data'} is not a folder")


def test_a_folder_that_is_not_writable() -> None:
    with open_folder() as folder:
        folder.chmod(0o555)
        finding = as_other_user(machine.data_directory, options("--data", str(folder / "data")))
        folder.chmod(0o755)
    assert finding.status == FAIL
    assert "is not writable" in finding.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_what_a_run_with_sudo_left_is_to_be_given_back() -> None:
    with open_folder() as folder:
        folder.chmod(0o777)
        (folder / "xinghe.db").touch()
        finding = as_other_user(machine.weights_cache, options(XINGHE_WEIGHTS__CACHE=str(folder)))
        assert finding.status == FAIL
        assert "belongs to another user" in finding.text
        assert f'chown -R "$(id -un)" {folder}' in finding.mend


def test_a_disk_that_is_too_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "DATA_SIZE", 10**16)
    finding = machine.disk(options("--data", str(tmp_path)))
    assert finding.status == FAIL
    assert "needed" in finding.text


def test_weights_that_are_here_need_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "FETCH_FACTOR", 10**9)
    asked = options("--data", str(tmp_path), XINGHE_WEIGHTS__CACHE=str(tmp_path))
    assert machine.disk(asked).status == FAIL
    (tmp_path / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf").touch()
    assert machine.disk(asked).status == OK
