"""Claude Code as npm has it: by what `xinghe connect` prints alone, one turn edits a file."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import node_packages
from tests.clients.connected import command, settings
from tests.conftest import QUICK
from tests.kit.books import Books
from tests.kit.command import environment
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.script import Call, Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

pytestmark = pytest.mark.slow

PACKAGE = "@anthropic-ai/claude-code@2.1"
MODEL = """
[models.coder]
kind = "chat"
context = 131072
max_input = 98304
output_max = 8192
output_default = 4096
deployment = "scripted"
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the program stands; its package is 235 MB."""
    with node_packages(tmp_path_factory.mktemp("claude"), PACKAGE) as folder:
        yield folder


@pytest.fixture
def server(upstream: Upstream, tmp_path: Path) -> Iterator[Server]:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED) + MODEL
    with Server(tmp_path / "data", models=models, settings=QUICK) as running:
        yield running
        Books(running).settled()


def test_it_edits_a_file(
    programs: Path, server: Server, upstream: Upstream, tmp_path: Path
) -> None:
    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    file = work / "hello.txt"
    file.write_text("hello world\n", "utf-8")
    edit = {"file_path": str(file), "old_string": "world", "new_string": "星河"}
    script = Script(
        ["我先看看。"],
        calls=[Call("Read", [json.dumps({"file_path": str(file)})], id="toolu_read")],
        again=[
            Script(["改。"], calls=[Call("Edit", [json.dumps(edit)], id="toolu_edit")]),
            Script(["改好了。"]),
        ],
    )
    told = {"HOME": str(home), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    options = ["-p", script.prompt, "--output-format", "json", "--allowedTools", "Read,Edit"]
    (part,) = settings(server, "claude-code", server.token(), "coder")
    result = subprocess.run(
        command(part, *options), cwd=work, env=environment(told), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    assert file.read_text("utf-8") == "hello 星河\n"
    assert json.loads(result.stdout)["result"] == "改好了。"
    attempts = upstream.attempts(script)
    assert len(attempts) == 3
    roles = [message["role"] for message in attempts[-1].body["messages"]]
    assert roles.count("tool") == 2
