"""Clients that run with nothing but what `xinghe connect` prints: an answer, an edited file."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.conftest import ROOT, node_packages
from tests.clients.connected import command, settings
from tests.kit.command import environment
from tests.kit.models import CHAT
from tests.kit.script import Call, Script
from tests.kit.server import Server
from tests.kit.upstream import Upstream

pytestmark = pytest.mark.slow

OPENCODE = "opencode-ai@1.18.33"
DIMENSIONS = 384


def said(arguments: list[str], folder: Path, extra: Mapping[str, str], prompt: str = "") -> str:
    """What it prints, where its standard input is the prompt."""
    home = folder / "home"
    home.mkdir()
    at = {"HOME": str(home), "PWD": str(folder)}  # as a shell says where it is
    result = subprocess.run(
        arguments, cwd=folder, env=environment({**at, **extra}),
        input=prompt, capture_output=True, text=True, timeout=240, check=False,
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
    assert folder.exists(), f"{folder} is missing: `make more-clients` installs it"
    (tmp_path / "hello.txt").write_text("hello world\n", "utf-8")
    script = Script(["hello.txt\n```\n", "hello 星河\n", "```\n"])
    (part,) = settings(server, "aider", token, CHAT)
    options = ["--yes-always", "--no-git", "--no-check-update", "--no-analytics"]
    options += ["--message", script.prompt, "hello.txt"]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    extra = {"PATH": path, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    said(command(part, *options), tmp_path, extra)
    assert (tmp_path / "hello.txt").read_text("utf-8") == "hello 星河\n"


def test_opencode_edits_a_file(
    server: Server, token: str, upstream: Upstream, tmp_path: Path
) -> None:
    (part,) = settings(server, "opencode", token, CHAT)
    (tmp_path / "opencode.json").write_text(part, "utf-8")
    file = tmp_path / "hello.txt"
    file.write_text("hello world\n", "utf-8")
    edit = {"filePath": str(file), "oldString": "world", "newString": "星河"}
    script = Script(
        ["我先看看。"],
        calls=[Call("read", [json.dumps({"filePath": str(file)})], id="call_read")],
        again=[
            Script(["改。"], calls=[Call("edit", [json.dumps(edit)], id="call_edit")]),
            Script(["改好了。"]),
        ],
    )
    with node_packages(tmp_path, OPENCODE) as programs:
        # Without a title it would have the model find one; an argument with spaces it would quote.
        asked = [str(programs / "opencode"), "run", "--title", "hello"]
        assert "改好了。" in said(asked, tmp_path, {}, script.prompt)
    assert file.read_text("utf-8") == "hello 星河\n"
    attempts = upstream.attempts(script)
    assert len(attempts) == 3
    roles = [message["role"] for message in attempts[-1].body["messages"]]
    assert roles.count("tool") == 2
