"""Agents at `/v1`, unmodified: frameworks call a tool, codex edits a file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT, node_packages
from tests.clients.connected import command, settings
from tests.kit.api import STRICT
from tests.kit.books import Books
from tests.kit.command import environment
from tests.kit.models import ABLE
from tests.kit.script import Call, Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream

pytestmark = pytest.mark.slow

FRAMEWORKS = [
    ("openai", "openai_agents"),
    *(("openai", f"pydantic_ai_agent {kind}") for kind in ("responses", "chat")),
    *(("others", f"agent_framework_agent {kind}") for kind in ("responses", "chat")),
]
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


@pytest.mark.parametrize(("client", "program"), FRAMEWORKS)
def test_a_framework_calls_a_tool(
    server: Server, token: str, books: Books, client: str, program: str
) -> None:
    python = ROOT / ".venv-clients" / client / "bin/python"
    assert python.exists(), f"{python} is missing: `make clients more-clients` installs it"
    task = {
        "base_url": server.url + STRICT,
        "key": token,
        "model": ABLE,
        "whole": story("weather", city="西安").prompt,
        "stream": story("weather", city="成都").prompt,
    }
    asked = [str(python), "-m", *f"tests.clients.programs.{program}".split()]
    result = subprocess.run(
        asked, input=json.dumps(task), capture_output=True, text=True, cwd=ROOT,
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
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    config, start = settings(server, "codex", token, ABLE)
    (home / "config.toml").write_text(config, "utf-8")
    (work / "notes.txt").write_text("old\n", "utf-8")
    script = story("exec_command", cmd="echo new > notes.txt")
    options = ["exec", *UNASKED, "--skip-git-repo-check", "--json", script.prompt]
    with node_packages(tmp_path, CODEX) as programs:
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
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
