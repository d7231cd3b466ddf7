"""The guide's upgrade and rollback, from the data directory that an older commit really made."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.image import ROOT
from tests.docs.pages import page
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.script import Script
from tests.kit.server import Server, free_port
from tests.kit.upstream import Upstream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

OLD = "fb176f2fbb55"
"""Of 29 November 2026: accounts were not yet members, and nine migrations are younger."""

MODELS = """
[defaults]
deployment = "up"

[deployments.up]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "scripted"
context = 32768
"""

BEFORE, AFTER, BACK = (
    block.text
    for block in page("docs/deployment.md").blocks
    if block.language == "bash" and block.text.startswith(("xinghe ", "mkdir newer"))
)


@dataclass(frozen=True)
class Version:
    """A program and the data directory that it works on."""

    source: Path
    data: Path

    def paste(self, block: str) -> tuple[int, str]:
        """Run lines of the guide as a shell does; the exit code, and what was said."""
        tools = self.data.parent / f"bin-{self.source.parent.name}"
        tools.mkdir(exist_ok=True)
        (tools / "xinghe").write_text(f'#!/bin/sh\nexec {sys.executable} -m xinghe "$@"\n')
        (tools / "xinghe").chmod(0o755)
        environ = {**self.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-euc", block],
            cwd=self.data.parent,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    def did(self, block: str) -> str:
        code, told = self.paste(block)
        assert code == 0, told
        return told

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XINGHE_")}
        return {**kept, "PYTHONPATH": str(self.source), "XINGHE_DATA": str(self.data)}

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The service of this version, as a process; it must end well."""
        port = str(free_port())
        url = f"http://127.0.0.1:{port}"
        log = self.data.parent / "old.log"
        command = [sys.executable, "-m", "xinghe", "serve", "--port", port]
        with log.open("ab") as out:
            process = subprocess.Popen(command, env=self.environ, stdout=out, stderr=out)
        try:
            end = time.monotonic() + 120
            while not _is_ready(url):
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < end, log.read_text("utf-8")
                time.sleep(0.1)
            yield url
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text("utf-8")
        finally:
            process.kill()
            process.wait()


def _is_ready(url: str) -> bool:
    try:
        return Api(url, None, mount="").get("/readyz").status == 200
    except (OSError, EOFError):
        return False


@pytest.fixture
def old(tmp_path: Path, upstream: Upstream) -> Version:
    archive = ["git", "archive", "--format=tar", OLD, "src"]
    done = subprocess.run(archive, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"commit {OLD} is not here: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as files:
        files.extractall(tmp_path / "old", filter="data")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models.toml").write_text(MODELS.format(url=upstream.url), "utf-8")
    return Version(tmp_path / "old" / "src", tmp_path / "data")


def test_forward_and_back_as_the_guide_says(old: Version) -> None:
    new = Version(ROOT / "src", old.data)
    token = old.did("xinghe token create 2>/dev/null").strip()
    revoked = old.did("xinghe token create 2>/dev/null").strip()
    with old.serving() as url:
        for _ in range(3):
            _chat(url, token)
        old.did(f"xinghe token revoke {revoked.split('-')[1]}")
        saved, _ = BEFORE.splitlines()
        assert "saved to before.backup" in old.did(saved)
        for _ in range(2):
            _chat(url, token)  # after the backup: lost when going back

    server = Server(old.data)
    with server:
        assert "the books agree" in new.did(AFTER.splitlines()[0])
        assert "fail" not in new.did(AFTER.splitlines()[1])
        assert _charges(server) == 5
        _chat(server.url, token)
        assert Api(server.url, revoked).get("/models").status == 401
        Books(server).settled()
        assert _charges(server) == 6

    assert old.paste("xinghe ledger check")[0] == 1
    assert "use the newer program" in old.paste("xinghe ledger check")[1]
    assert "the books agree" in old.did(BACK)
    with old.serving() as url:
        _chat(url, token)
        assert Api(url, revoked).get("/models").status == 401
    shown = json.loads(old.did("xinghe ledger entries --account default --json"))
    assert sum(entry["kind"] == "usage" for entry in shown) == 3 + 1


def _chat(url: str, token: str) -> None:
    answered(Api(url, token).chat(model="ernie-3.5-8k", messages=Script().messages))


def _charges(server: Server) -> int:
    entries = Books(server).entries()
    return sum(entry["kind"] == "usage" for entry in entries)
