"""What a start tells of the console, and to whom."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.kit.command import environment
from tests.kit.models import ALL_SCRIPTED, models_toml
from tests.kit.server import Server, free_port
from tests.kit.visitor import Visitor

LINK = re.compile(r"console at (http\S+/console/link\?code=\S+)")
READY = re.compile(r"(?:ready at |已就绪：)(http://\S+)")


def address(told: str) -> str:
    """Where a service that is ready says that it is."""
    found = READY.search(told)
    assert found, told
    return found[1]


@contextmanager
def started(
    data: Path, *options: str, terminal: bool, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """All that `xinghe serve` has printed on standard output when it says that it is ready."""
    data.mkdir(exist_ok=True)
    (data / "models.toml").write_text(models_toml("http://127.0.0.1:9", 9, ALL_SCRIPTED))
    command = [sys.executable, "-m", "xinghe", "serve", "--data", str(data), *options]
    outer, inner = pty.openpty() if terminal else os.pipe()
    with (data / "stderr").open("wb") as log:
        process = subprocess.Popen(command, stdout=inner, stderr=log, env=environment(settings))
    os.close(inner)
    told = b""
    end = time.monotonic() + 120
    try:
        while not READY.search(told.decode("utf-8", "replace")):
            assert time.monotonic() < end, told
            told += os.read(outer, 4096)
        yield told.decode()
    finally:
        process.terminate()
        process.wait(60)
        os.close(outer)


def test_a_terminal_is_told_a_link_that_the_next_start_ends(tmp_path: Path) -> None:
    data = tmp_path / "data"
    links = []
    for _ in range(2):
        with started(data, "--port", str(free_port()), terminal=True) as told:
            found = LINK.search(told)
            assert found, told
            links.append(found[1])
            if len(links) == 2:
                visitor = Visitor(address(told))
                first, second = (link[link.index("/console/") :] for link in links)
                assert visitor.submit(visitor.get(first), "/console/link").status == 401
                assert visitor.submit(visitor.get(second), "/console/link").status == 200
    log = (data / "stderr").read_text()
    assert not any(link.partition("code=")[2] in log for link in links)


def test_a_pipe_is_told_where_the_pages_are(service: Server) -> None:
    told = (service.data / "test.stdout").read_text("utf-8")
    assert f"console at {service.url}/\n" in told
    assert "code=" not in told


def test_whoever_listens_to_others_shows_no_link_that_may_lead_elsewhere(tmp_path: Path) -> None:
    port = ("--port", str(free_port()), "--host", "0.0.0.0")
    with started(tmp_path, *port, terminal=True) as told:
        assert "code=" not in told


@pytest.mark.slow
def test_a_public_url_is_told_wherever_it_listens(tmp_path: Path) -> None:
    settings = {"XINGHE_SERVER__PUBLIC_URL": "https://llm.example.edu"}
    port = ("--port", str(free_port()), "--host", "0.0.0.0")
    with started(tmp_path, *port, terminal=True, settings=settings) as told:
        assert "console at https://llm.example.edu/console/link?code=" in told


@pytest.mark.slow
def test_without_the_console_there_is_nothing_to_tell(tmp_path: Path) -> None:
    settings = {"XINGHE_CONSOLE__ENABLED": "false"}
    with started(tmp_path, "--port", str(free_port()), terminal=True, settings=settings) as told:
        assert "console" not in told
        visitor = Visitor(address(told))
        assert visitor.get("/").reply.json["error"]
        assert visitor.get("/docs").status == 404
