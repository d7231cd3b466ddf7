"""Agents that speak `/v1/responses`, unmodified: openai-agents calls a tool, codex edits a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT
from tests.clients.connected import command, settings
from tests.kit.api import STRICT
from tests.kit.books import Books
from tests.kit.command import environment
from tests.kit.models import ABLE
from tests.kit.script import Call, Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream

pytestmark = pytest.mark.slow

CODEX = "@openai/codex@0.171.0"
UNASKED = ["-c", 'approval_policy="never"', "-c", 'sandbox_mode="danger-full-access"']
"""Nobody is there to be asked."""


def story(tool: str, **arguments: str) -> Script:
    """A thought, a word, a call; and, when that was answered, the end."""
    return Script(
        thoughts=["先", "想"],
        pieces=["我", "来。"],
        calls=[Call(tool, [json.dumps(arguments)], id="call_1")],
        finish="tool_calls",
        again=[Script(pieces=["好", "了。"])],
    )


def test_openai_agents(server: Server, token: str, books: Books) -> None:
    python = ROOT / ".venv-clients/openai/bin/python"
    assert python.exists(), f"{python} is missing: `make clients` installs it"
    task = {
        "base_url": server.url + STRICT,
        "key": token,
        "model": ABLE,
        "whole": story("weather", city="西安").prompt,
        "stream": story("weather", city="成都").prompt,
    }
    command = [str(python), "-m", "tests.clients.programs.openai_agents"]
    result = subprocess.run(
        command, input=json.dumps(task), capture_output=True, text=True, cwd=ROOT,
        env=environment({}), timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["answers"] == ["好了。", "好了。"]
    assert "".join(report["pieces"]) == "我来。好了。"
    assert report["cities"] == ["西安", "成都"]
    assert report["tokens"] > 0
    books.settled()


def test_codex(
    server: Server, token: str, upstream: Upstream, books: Books, tmp_path: Path
) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on PATH")
    install = [npm, "install", "--no-save", "--no-audit", "--no-fund", CODEX]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    config, start = settings(server, "codex", token, ABLE)
    (home / "config.toml").write_text(config, "utf-8")
    (work / "notes.txt").write_text("old\n", "utf-8")
    script = story("exec_command", cmd="echo new > notes.txt")
    options = ["exec", *UNASKED, "--skip-git-repo-check", "--json", script.prompt]
    path = f"{tmp_path}/node_modules/.bin{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command(start, *options), cwd=work, stdin=subprocess.DEVNULL,
        env=environment({"CODEX_HOME": str(home), "PATH": path}), capture_output=True,
        text=True, timeout=120, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert (work / "notes.txt").read_text("utf-8") == "new\n"
    events = [json.loads(line) for line in result.stdout.splitlines()]
    items = [each["item"] for each in events if each["type"] == "item.completed"]
    said = [item["text"] for item in items if item["type"] in {"agent_message", "reasoning"}]
    assert said == ["先想", "我来。", "好了。"]
    assert events[-1]["type"] == "turn.completed"
    # What it thought came back with what it called.
    *_, called, returned = upstream.attempts(script)[1].body["messages"]
    assert called["reasoning_content"] == "先想"
    assert called["tool_calls"][0]["id"] == returned["tool_call_id"] == "call_1"
    books.settled()
