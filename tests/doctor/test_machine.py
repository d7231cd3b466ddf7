"""The machine, its Python, its folders and disks, by real causes where one can be made."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doctor.kit import as_other_user, open_folder, options
from xinghe import doctor
from xinghe.doctor import machine
from xinghe.doctor.finding import FAIL, OK, WARN

FOLDER = Path(doctor.__file__).parent


def test_this_machine_is_fit() -> None:
    for check in (machine.python, machine.venv, machine.libgomp, machine.cpu):
        assert check(options()).status == OK


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.name)
def test_every_file_can_be_read_by_python_3_7(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"), feature_version=(3, 7))
    imported = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        (node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 0
    }
    assert imported <= sys.stdlib_module_names


def test_an_old_python_is_told_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    finding = machine.python(options())
    assert finding.status == FAIL
    assert "3.11 or newer" in finding.text


def test_a_python_without_ensurepip(tmp_path: Path) -> None:
    # As Debian ships it: venv is there, ensurepip comes with python3-venv.
    code = (
        "import importlib.util, sys; find = importlib.util.find_spec;"
        "importlib.util.find_spec = lambda name: None if name == 'ensurepip' else find(name);"
        "from xinghe.doctor.run import main; sys.exit(main(['--preflight', '--port', '0']))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "no module ensurepip" in result.stderr
    assert "python3-venv" in result.stderr


def test_an_environment_that_is_there_needs_no_venv(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("pip", "python"):
        (tmp_path / "bin" / name).touch()
    finding = machine.venv(options("--environment", str(tmp_path)))
    assert finding.text == f"{tmp_path} is there"
    (tmp_path / "bin" / "python").unlink()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "gone")
    finding = machine.venv(options("--environment", str(tmp_path)))
    assert finding.status == FAIL
    assert finding.mend == "make clean run"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="other processors have no AVX2")
def test_a_processor_without_avx2(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu sse4_2 avx\n")
    assert machine.cpu(options(), str(cpuinfo)).status == FAIL
    (tmp_path / "models.toml").write_text(
        '[defaults]\ndeployment = "far"\n[deployments.far]\nengine = "upstream"\n'
        'url = "http://127.0.0.1:1/v1"\nmodel = "m"\n'
    )
    without = options("--data", str(tmp_path))
    assert machine.cpu(without, str(cpuinfo)).status == OK


@pytest.mark.parametrize(
    ("limit", "model", "status"),
    [("3000000000", "default", WARN), ("3000000000", "small", OK), ("1000000000", "small", WARN)],
)
def test_little_memory_advises_the_small_model(
    tmp_path: Path, limit: str, model: str, status: str
) -> None:
    cgroup = tmp_path / "memory.max"
    cgroup.write_text(limit + "\n")
    finding = machine.memory(options("--model", model), str(cgroup))
    assert finding.status == status
    assert ("--model small" in finding.mend) == (model == "default")


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
