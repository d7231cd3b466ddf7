"""The preflight as `make run` runs it: a shell script and the system's Python."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.kit.pace import allowed

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "preflight.sh"


def preflight(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHON": sys.executable, **environ},
    )


def test_a_fit_machine_hears_nothing_and_loses_no_time(tmp_path: Path) -> None:
    arguments = ("--data", str(tmp_path / "data"), "--port", "0", "--model", "small")
    environ = {"NO_PROXY": "*", "no_proxy": "*", "XINGHE_WEIGHTS__CACHE": str(tmp_path)}
    preflight(*arguments, **environ)
    started = time.process_time(), time.monotonic()
    result = preflight(*arguments, **environ)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert time.monotonic() - started[1] < allowed(2)
    assert os.listdir(tmp_path) == []


def test_no_python_at_all() -> None:
    result = preflight(PYTHON="python-that-is-not-here")
    assert result.returncode == 1
    assert "there is no python-that-is-not-here" in result.stderr
    assert "->" in result.stderr


def test_a_taken_port_stops_make_run_before_it_installs(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        result = subprocess.run(
            [
                *("make", "run", f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}"),
                f"ARGS=--port {port} --host 127.0.0.1 --data {tmp_path / 'data'}",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode != 0
    assert f"127.0.0.1:{port} is taken" in result.stderr
    assert os.listdir(tmp_path) == []


def test_the_findings_as_json(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "src" / "xinghe" / "doctor"), "--json", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "XINGHE_DATA": str(tmp_path),
            "XINGHE_WEIGHTS__CACHE": str(tmp_path),  # without weights no engine is measured
        },
    )
    answer = json.loads(result.stdout)
    assert answer["ok"] == (result.returncode == 0)
    names = {check["name"] for check in answer["checks"]}
    assert {"python", "port", "engine", "threads", "database", "service"} <= names
