"""The source's own programs, run as a reader would: the base URL and the key are all that differ.

The programs stand in `programs/` as the document prints them, with the indentation that its
rendering lost.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.api import DOCUMENTED
from tests.kit.server import Server

PROGRAMS = Path(__file__).parent / "programs"
SOURCE_URL = "https://aistudio.baidu.com/llm/lmapi/v3"
CHINESE = re.compile(r"[\u4e00-\u9fff]")

# The programs name no `max_completion_tokens`: the operator keeps the answers of this test short.
SHORT = """
[models."ernie-3.5-8k"]
output_default = 24
[models."ernie-4.5-8k-preview"]
output_default = 24
"""


@pytest.fixture(scope="module")
def short_server(small_weights: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("examples")
    with Server(data, "--model", small_weights, models=SHORT) as running:
        yield running


@pytest.fixture(scope="module")
def key(short_server: Server) -> str:
    return short_server.token()


def command(name: str, server: Server) -> list[str]:
    """The program with our base URL: that alone must differ, and no variable could set it."""
    text = (PROGRAMS / f"{name}.py").read_text("utf-8")
    assert text.count(f'"{SOURCE_URL}"') == 1
    return [sys.executable, "-u", "-c", text.replace(SOURCE_URL, server.url + DOCUMENTED)]


def environment(key: str) -> dict[str, str]:
    return {**os.environ, "AI_STUDIO_API_KEY": key, "PYTHONIOENCODING": "utf-8"}


def run(name: str, server: Server, key: str, typed: str = "") -> str:
    """Run a program that must succeed; gives what it printed."""
    result = subprocess.run(
        command(name, server),
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(key),
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_2_7_lists_the_models(short_server: Server, key: str) -> None:
    lines = run("section_2_7_models", short_server, key).split()
    assert {"ernie-3.5-8k", "deepseek-r1", "ernie-4.5-8k-preview"} <= set(lines)


@pytest.mark.embedded
@pytest.mark.parametrize(
    "name",
    [
        "section_4_1_1_chat",
        "section_5_2_stream",
        "section_5_3_async",
        "section_5_8_1_multimodal_text",
    ],
)
def test_prints_an_answer(short_server: Server, key: str, name: str) -> None:
    printed = run(name, short_server, key).strip()
    assert printed != "None"
    assert len(printed) > 5
    assert CHINESE.search(printed) or "AI Studio" in printed


@pytest.mark.embedded
def test_5_2_prints_while_the_answer_is_made(short_server: Server, key: str) -> None:
    with subprocess.Popen(
        command("section_5_2_stream", short_server), stdout=subprocess.PIPE, env=environment(key)
    ) as process:
        assert process.stdout is not None
        reads = []
        while data := os.read(process.stdout.fileno(), 4096):
            reads.append(data)
        assert process.wait(120) == 0
    assert len(reads) > 3
    assert b"".join(reads).decode().strip()


@pytest.mark.embedded
def test_5_1_holds_a_conversation(short_server: Server, key: str) -> None:
    printed = run("section_5_1_rounds", short_server, key, typed="你好\n你能做什么?\n结束\n")
    # The greeting of the program itself, two rounds, and the round that ends it.
    answers = printed.split("模型输出:")[1:]
    assert len(answers) == 4
    for answer in answers[1:]:
        assert answer.replace("请输入:", "").strip()


def test_4_3_1_prints_two_vectors(short_server: Server, key: str) -> None:
    printed = run("section_4_3_1_embeddings", short_server, key)
    assert "object='embedding_list'" in printed
    assert printed.count("object='embedding'") == 2
    assert "prompt_tokens=12" in printed
