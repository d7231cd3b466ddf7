"""A reader at his desk: pastes a page's commands and programs, and compares what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, Block
from tests.kit.command import environment
from tests.kit.server import Server

PRINTED_URL = "http://127.0.0.1:8000"
"""The address in the documentation; the test's own server stands elsewhere."""
PRINTED_METRICS = "http://127.0.0.1:8001"
TIMEOUT = 300
"""Seconds for a block: a small model that reads search results on a busy machine takes a while."""


class Desk:
    """Works in what looks like a checkout with the environment of the tests in its `.venv`, beside
    a running server."""

    def __init__(self, folder: Path, server: Server, token: str) -> None:
        self._folder = folder
        self._server = server
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "docs").symlink_to(ROOT / "docs")
        self._environment = environment(
            {
                "AI_STUDIO_API_KEY": token,
                "PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}",
                "PYTHONIOENCODING": "utf-8",
                "XINGHE_DATA": str(server.data),
                "XINGHE_EMBEDDED__MODEL": "small",
                "XINGHE_SERVER__PORT": server.url.rsplit(":", 1)[1],
            }
        )

    def run(self, block: Block) -> str:
        """Run a block that must succeed; gives all that it printed."""
        text = self._here(block.text)
        shell = ["bash", "-euo", "pipefail", "-c", text]
        command = shell if block.language == "bash" else [sys.executable, "-c", text]
        result = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert result.returncode == 0, f"{block.text}\n{result.stdout}"
        if block.output is not None:
            prints(result.stdout, self._here(block.output))
        return result.stdout

    def _here(self, text: str) -> str:
        metrics = self._server.metrics_url.removesuffix("/metrics")
        return text.replace(PRINTED_URL, self._server.url).replace(PRINTED_METRICS, metrics)


def prints(printed: str, promised: str) -> None:
    """Every promised line was printed, in this order; `…` stands for anything."""
    lines = iter(printed.splitlines())
    for promise in promised.splitlines():
        pattern = _pattern(promise.strip())
        if pattern not in {"", ".*"}:
            found = any(re.fullmatch(pattern, line.strip()) for line in lines)
            assert found, f"not printed: {promise}\nin:\n{printed}"


def _pattern(promise: str) -> str:
    def piece(text: str) -> str:
        if text == "…":
            return ".*"
        return r"\s+" if text.isspace() else re.escape(text)

    return "".join(piece(text) for text in re.split(r"(…|\s+)", promise) if text)
