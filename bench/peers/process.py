"""Programs that run while they are measured."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.kit.raw import Connection

from bench.peers.load import Missing

SECONDS = 300.0
"""How long one may take to start: LiteLLM takes minutes where others keep the machine busy."""


@contextmanager
def running(
    command: list[str], folder: Path, port: int = 0, variables: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A program, and its process id once it listens on `port` (0: at once). Raises `Missing`.

    What it says is in the file `log` of its folder.
    """
    log, surroundings = folder / "log", {**os.environ, **(variables or {})}
    with (
        log.open("wb") as file,
        subprocess.Popen(command, stdout=file, stderr=file, env=surroundings) as process,
    ):
        try:
            if port:
                _listens(process, port, log)
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def said(folder: Path, what: re.Pattern[str]) -> str:
    """The first group of `what`, once the program of this folder has said it."""
    log, until = folder / "log", time.monotonic() + SECONDS
    while time.monotonic() < until:
        if found := what.search(log.read_text("utf-8", "replace")):
            return found[1]
        time.sleep(0.1)
    raise Missing(f"not started within {SECONDS:.0f} s{_last(log)}")


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            with Connection(f"http://127.0.0.1:{port}"):
                return
        except OSError:
            time.sleep(0.1)
        if process.poll() is not None:
            raise Missing(f"it ended with exit code {process.returncode}{_last(log)}")
    raise Missing(f"not started within {SECONDS:.0f} s{_last(log)}")


def _last(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    return f": {lines[-1].strip()}" if lines else ""
