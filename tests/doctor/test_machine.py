"""The machine and its Python, by real causes where one can be made."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doctor.kit import options
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
