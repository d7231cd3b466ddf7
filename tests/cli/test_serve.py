"""`xinghe serve` on the command line: what it prints, and which options it refuses."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import QUICK
from tests.kit.api import Api
from tests.kit.command import XINGHE, environment
from tests.kit.expect import answered
from tests.kit.models import ALL_SCRIPTED, CHAT, models_toml
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream
from xinghe.cli.common import called


def test_quickstart_prints_a_token_that_works(upstream: Upstream, tmp_path: Path) -> None:
    models = models_toml(upstream.url, free_port(), ALL_SCRIPTED)
    with Server(tmp_path, "--quickstart", models=models, settings=QUICK) as server:
        told = (tmp_path / "test.stdout").read_text("utf-8")
        found = re.search(r"access token +(\S+)", told)
        assert found
        assert f"{server.url}/llm/lmapi/v3" in told
        answered(Api(server.url, found[1]).chat(model=CHAT, messages=Script().messages))
        # Shown this once: neither the log nor the database holds it.
        kept = [
            file for file in tmp_path.rglob("*") if file.is_file() and file.name != "test.stdout"
        ]
        assert not any(found[1].encode() in file.read_bytes() for file in kept)


@pytest.mark.parametrize(
    "options", [["--port", "65536"], ["--port", "-1"], ["--port", "x"], ["--prot", "1"], ["extra"]]
)
def test_wrong_command_line_is_a_usage_error(options: list[str], tmp_path: Path) -> None:
    result = subprocess.run(
        [*XINGHE, "serve", "--data", str(tmp_path / "data"), *options],
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(),
        check=False,
    )
    assert result.returncode == 2
    assert options[-1] in result.stderr or options[0] in result.stderr
    assert not (tmp_path / "data").exists()


def test_commands_are_told_as_they_were_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "my environment"
    folder.mkdir()
    command = folder / "xinghe"
    command.touch(0o755)
    monkeypatch.setattr("sys.argv", [str(command), "serve"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert called() == f"'{command}'"  # nobody would find `xinghe`
    monkeypatch.setenv("PATH", str(folder))
    assert called() == "xinghe"
