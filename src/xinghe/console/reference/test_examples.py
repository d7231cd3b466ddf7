"""The examples are programs: each is taken from its page and run against the service."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.kit.command import environment
from tests.kit.server import Server
from tests.kit.visitor import Visitor

from xinghe.console.reference.programs import KEY_FROM

RUN = (
    "chat", "chat_check", "responses", "messages", "count_tokens",
    "completions", "moderations",
    "embeddings", "rerank", "images", "models", "model",
    "account", "entries", "usage", "requests", "request", "bill",
    "subscription", "billing_usage",
)  # fmt: skip
OTHERS = ("auth.ways", "auth.join", "members.create", "tokens.create", "tokens.revoke")
SHOWS = {
    "chat": "你",
    "chat_check": r'"taken": ?true',
    "responses": "你",
    "messages": "你",
    "count_tokens": r'"input_tokens": ?\d',
    "completions": "你",
    "moderations": r'"flagged": ?false|False|false',
    "embeddings": r'"embedding"|\d+ \[\s*-?\d',
    "rerank": '"relevance_score"',
    "images": "/images/",
    "models": "ernie-3.5-8k",
    "model": "ernie-3.5-8k",
    "account": '"available"',
    "entries": "usage",
    "usage": '"data"',
    "requests": '"has_more"',
    "request": '"outcome":"charged"',
    "bill": '"closing"|,closing,',
    "subscription": '"hard_limit_usd"',
    "billing_usage": '"total_usage"',
}
"""What each program prints, among other things."""


@pytest.fixture(scope="module")
def token(service: Server) -> str:
    return service.token("--scope", "model.call", "--scope", "account.read")


@pytest.fixture(scope="module")
def request_id(service: Server, token: str) -> str:
    """A request that there was, in the place of the one of the example."""
    command = [
        "curl", "-sD", "-", "-o", os.devnull, f"{service.url}/v1/embeddings",
        "-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json",
        "-d", '{"input": "你好"}',
    ]  # fmt: skip
    head = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return next(
        line.split(": ")[1] for line in head.splitlines() if line.startswith("x-request-id")
    )


def programs(visitor: Visitor, name: str, language: str, request_id: str = "") -> list[str]:
    """Those of an operation's page in one language."""
    texts = visitor.get(f"/docs/{name}").all(f"code[id^=example-][id$=-{language}]")
    assert texts
    return [each.text_content().replace("as-0123456789", request_id) for each in texts]


@pytest.mark.parametrize("name", RUN)
def test_python(
    nobody: Visitor, name: str, token: str, request_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_FROM, token)
    for program in programs(nobody, name, "python", request_id):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, f"{name}.py", "exec"), {})
        assert re.search(SHOWS[name], printed.getvalue()), program


@pytest.mark.parametrize("name", RUN)
def test_curl(nobody: Visitor, name: str, token: str, request_id: str) -> None:
    for program in programs(nobody, name, "curl", request_id):
        result = run(["bash", "-c", program.replace("curl", "curl -sS --fail-with-body", 1)], token)
        assert re.search(SHOWS[name], result), program


def test_every_python_example_is_a_program(nobody: Visitor) -> None:
    for name in OTHERS:
        for program in programs(nobody, name, "python"):
            compile(program, f"{name}.py", "exec")


def test_every_node_example_is_a_program(nobody: Visitor, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH")
    texts = [text for name in RUN + OTHERS for text in programs(nobody, name, "node")]
    # One start of node for all: each is a module, whose text is compiled and not run.
    checks = tmp_path / "check.mjs"
    checks.write_text(
        'import { SourceTextModule } from "node:vm";\nimport { readFileSync } from "node:fs";\n'
        "for (const path of process.argv.slice(2)) "
        'new SourceTextModule(readFileSync(path, "utf8"), { identifier: path });\n'
    )
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.mjs")
        paths[-1].write_text(text, "utf-8")
    run([node, "--no-warnings", "--experimental-vm-modules", str(checks), *map(str, paths)], "")


@pytest.mark.slow
def test_node(nobody: Visitor, token: str, request_id: str, tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not on PATH")
    install = [npm, "install", "--no-save", "--no-audit", "--no-fund", "openai@latest"]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    for name in RUN:
        for number, text in enumerate(programs(nobody, name, "node", request_id)):
            program = tmp_path / f"{name}-{number}.mjs"
            program.write_text(text, "utf-8")
            assert re.search(SHOWS[name], run([node, str(program)], token)), text


def run(command: list[str], token: str) -> str:
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environment({KEY_FROM: token}),
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
