"""Clients that run with nothing but what `xinghe connect` prints: one question, and its answer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT
from tests.clients.connected import command, settings
from tests.kit.command import environment
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server

pytestmark = pytest.mark.slow

OPENCODE = "opencode-ai@1.18.33"
DIMENSIONS = 384


def said(arguments: list[str], folder: Path, extra: Mapping[str, str]) -> str:
    """What it prints."""
    home = folder / "home"
    home.mkdir()
    at = {"HOME": str(home), "PWD": str(folder)}  # as a shell says where it is
    result = subprocess.run(
        arguments, cwd=folder, env=environment({**at, **extra}),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize(("name", "client"), [("langchain", "openai"), ("llamaindex", "others")])
def test_a_program_runs_as_it_is_printed(
    server: Server, token: str, tmp_path: Path, name: str, client: str
) -> None:
    python = ROOT / ".venv-clients" / client / "bin/python"
    assert python.exists(), f"{python} is missing: `make clients more-clients` installs it"
    (program,) = settings(server, name, token, CHAT)
    assert said([str(python), "-c", program], tmp_path, {}) == f"{Script().text}\n{DIMENSIONS}\n"


def test_aider_edits_a_file(server: Server, token: str, tmp_path: Path) -> None:
    folder = ROOT / ".venv-clients/aider/bin"
    if not folder.exists():
        pytest.skip("aider has no environment here")
    (tmp_path / "hello.txt").write_text("hello world\n", "utf-8")
    script = Script(["hello.txt\n```\n", "hello 星河\n", "```\n"])
    (part,) = settings(server, "aider", token, CHAT)
    options = ["--yes-always", "--no-git", "--no-check-update", "--no-analytics"]
    options += ["--message", script.prompt, "hello.txt"]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    extra = {"PATH": path, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    said(command(part, *options), tmp_path, extra)
    assert (tmp_path / "hello.txt").read_text("utf-8") == "hello 星河\n"


def test_opencode_answers(server: Server, token: str, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on PATH")
    install = [npm, "install", "--no-save", "--no-audit", "--no-fund", OPENCODE]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    (part,) = settings(server, "opencode", token, CHAT)
    work = tmp_path / "work"
    work.mkdir()
    (work / "opencode.json").write_text(part, "utf-8")
    opencode = tmp_path / "node_modules/.bin/opencode"
    assert Script().text in said([str(opencode), "run", "你好"], work, {})
    shutil.rmtree(tmp_path / "node_modules")  # 350 MB
