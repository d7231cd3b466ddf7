"""More clients by base URL and key alone: a chat with each, and fifty texts to embed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import ROOT, node_packages
from tests.kit.command import environment
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server

pytestmark = pytest.mark.slow

TEXTS = [f"第 {number} 句话" for number in range(50)]
DIMENSIONS = 384
SAID = Script().text
"""What the scripted upstream answers to whatever is no script."""
CHATS = ("haystack", "llama_index", "qianfan", "semantic_kernel", "smolagents")
EMBEDDERS = ("haystack", "langchain", "llama_index")
NODE = ROOT / "tests/clients/programs/ai_sdk.mjs"
PACKAGES = [
    "ai@6", "@ai-sdk/openai@3", "@ai-sdk/openai-compatible@2", "@ai-sdk/anthropic@3", "zod@4",
]  # fmt: skip


def report(command: list[str], folder: Path, server: Server, token: str) -> dict[str, Any]:
    of_qianfan = {
        "QIANFAN_CONSOLE_API_BASE_URL": server.url,
        "QIANFAN_BEARER_TOKEN": token,
    }
    task = {"url": server.url, "key": token, "model": CHAT, "texts": TEXTS}
    result = subprocess.run(
        command, input=json.dumps(task), capture_output=True, text=True, cwd=folder,
        env=environment(of_qianfan), timeout=240, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def test_python_clients(server: Server, token: str) -> None:
    python = ROOT / ".venv-clients/others/bin/python"
    assert python.exists(), f"{python} is missing: `make test-all` installs it"
    command = [str(python), "-m", "tests.clients.programs.others"]
    found = report(command, ROOT, server, token)
    assert found["chats"] == dict.fromkeys(CHATS, SAID)
    assert found["dimensions"] == dict.fromkeys(EMBEDDERS, [DIMENSIONS] * len(TEXTS))


def test_vercels_ai(server: Server, token: str, tmp_path: Path) -> None:
    shutil.copy(NODE, tmp_path)
    with node_packages(tmp_path, *PACKAGES):
        found = report(["node", NODE.name], tmp_path, server, token)
    assert found.pop("embeddings") == [DIMENSIONS] * len(TEXTS)
    each = {"text": SAID, "tokens": 3, "streamed": SAID, "finish": "stop"}
    assert found == {"openai": each, "compatible": each, "anthropic": each}
