"""Every command and program of the documentation does what it says, on the real server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.docs.desk import PRINTED_METRICS, PRINTED_URL, Desk, prints
from tests.docs.pages import ALL, CHINESE, ROOT, Page, page
from tests.kit.books import Books
from tests.kit.command import environment
from tests.kit.server import METRICS, READY, Server, free_port

RUN_BY_MAKE = "test_make_run_does_what_the_readme_says runs `make run`"
STAND_INS = "names a server of the reader's: tests/sources/test_documented.py has stand-ins"
ELSEWHERE = dict.fromkeys(
    (
        "xinghe models use deepseek-v3 http://127.0.0.1:9000/v1",
        "export DEEPSEEK_API_KEY=sk-...\n"
        "xinghe models use deepseek-v3 https://api.deepseek.com/v1#deepseek-chat "
        "--key-env DEEPSEEK_API_KEY",
        "xinghe models use deepseek-v3 ollama:qwen3",
        "xinghe models use deepseek-v3 modelscope:Qwen/Qwen3-8B-GGUF",
        "xinghe models use deepseek-v3 huggingface:Qwen/Qwen3-8B-GGUF:Q8_0",
        "xinghe models use deepseek-v3 /srv/models/qwen3-8b-q4_k_m.gguf",
        "xinghe models use bge-large-zh http://127.0.0.1:9001/v1#bge-large-zh-v1.5",
    ),
    STAND_INS,
)
ELSEWHERE |= {
    block.text: "a program of its own: tests/sales/payment/test_bridge.py runs it"
    for block in page("docs/payment.md").blocks
    if block.language == "python"
}
ELSEWHERE |= {
    block.text: "sets up a machine: tests/deploy runs its files, and the upgrade"
    for block in page("docs/deployment.md").blocks
    if block.language == "bash"
}
"""Blocks that run in a test of their own."""
NOT_PASTED = {
    **ELSEWHERE,
    "xinghe models use deepseek-v3 small": "loads weights: tests/sources/test_documented.py has it",
    "apt-get update && apt-get install -y make python3-venv libgomp1 git": (
        "changes the system that it runs on"
    ),
    "git clone <repository> xinghe && cd xinghe\nmake run": RUN_BY_MAKE,
    'make run ARGS="--model small --port 8080"': RUN_BY_MAKE,
    'make run ARGS="--postgres"': "tests/supervisor/test_postgres.py starts such a service",
    "export XINGHE_DATABASE__URL='postgresql://xinghe:password@db.example.edu/xinghe'": (
        "names a server of the reader's"
    ),
    "xinghe migrate to-postgres 'postgresql://xinghe:password@db.example.edu/xinghe'": (
        "names a server of the reader's: tests/moving has one"
    ),
    "xinghe migrate confirm": "after a move: tests/moving/test_command.py",
    "xinghe migrate undo": "after a move, while no service runs: tests/moving/test_command.py",
    "git clone <repository> xinghe && cd xinghe\nmake test": "this is what CI runs: .ci/run",
    "python -m pip download --require-hashes -r requirements.lock -d wheels": (
        "downloads every dependency anew"
    ),
    "export PIP_NO_INDEX=1 PIP_FIND_LINKS=$PWD/wheels XINGHE_WEIGHTS__PATH=$PWD/models\n"
    "make run": "needs the folder of the block above",
    ".venv/bin/xinghe serve": "stays in the foreground: every fixture here starts it",
}
"""Blocks that cannot run here, and why."""

# The programs name no `max_completion_tokens`: the operator keeps the answers of this test short.
SHORT = """
[models."ernie-3.5-8k"]
output_default = 24
"""


@pytest.fixture(scope="module")
def documented(small_weights: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of the reader; the books must agree when he is done."""
    data = tmp_path_factory.mktemp("documented")
    quick = {"XINGHE_SEARCH__EMBEDDED_BUDGET": "150"}  # reading takes longer than answering
    with Server(data, "--model", small_weights, models=SHORT, settings=quick) as running:
        yield running
        Books(running).settled()


@pytest.mark.embedded
@pytest.mark.parametrize("chinese", CHINESE, ids=lambda each: each.name)
def test_a_reader_who_pastes_every_block_gets_what_the_page_says(
    chinese: Page, documented: Server, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, documented, documented.token())
    for block in chinese.blocks:
        if block.language in {"bash", "python"} and block.text not in NOT_PASTED:
            printed = desk.run(block)
            if block.language == "python":
                assert printed.strip() not in {"", "None"}


ABILITIES = {
    "tools": "tools=",
    "structured output": "response_format=",
    "reasoning": "reasoning_content",
    "web search": "web_search",
    "pictures": "image_url",
    "embeddings": "embeddings.create",
    "rerank": "/rerank",
    "images": "images.generate",
}
"""What of a program shows that it is about an ability."""


@pytest.mark.parametrize("ability", ABILITIES)
def test_the_readme_shows_every_ability_in_ten_lines(ability: str) -> None:
    programs = [
        block.text.splitlines()
        for block in page("README.md").blocks
        if block.language in {"bash", "python"} and ABILITIES[ability] in block.text
    ]
    assert programs
    assert max(map(len, programs)) <= 10


def test_every_exception_still_stands_in_the_documentation() -> None:
    blocks = {block.text for each in ALL for block in each.blocks}
    assert set(NOT_PASTED) <= blocks


@pytest.mark.embedded
def test_make_run_does_what_the_readme_says(small_weights: str, tmp_path: Path) -> None:
    # The tests' own environment, marked as installed: to install it anew would disturb the others.
    environment_folder = tmp_path / "venv"
    environment_folder.mkdir()
    (environment_folder / "bin").symlink_to(f"{sys.prefix}/bin")
    (environment_folder / ".run").touch()
    port = free_port()
    options = f"--data {tmp_path} --port {port} --model {small_weights}"
    told = tmp_path / "told"
    with told.open("wb") as out:
        # A session of its own, so that the interrupt reaches what a terminal's Ctrl-C reaches.
        make = subprocess.Popen(
            ["make", "run", f"VENV={environment_folder}", f"ARGS={options}"],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment({"LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8"}),
            start_new_session=True,
        )
    family = [psutil.Process(make.pid)]
    try:
        end = time.monotonic() + 60
        while not READY.search(told.read_text("utf-8")):
            assert make.poll() is None, told.read_text("utf-8")
            assert time.monotonic() < end, told.read_text("utf-8")
            time.sleep(0.1)
        family += family[0].children(recursive=True)
    finally:
        os.killpg(make.pid, signal.SIGINT)
        make.wait(30)
    _, left = psutil.wait_procs(family, timeout=10)
    assert not left
    promised = next(block.text for block in page("README.md").blocks if block.language == "text")
    printed = told.read_text("utf-8")
    # The port after the API's; any other if that is taken.
    metrics = METRICS.search(printed)
    assert metrics, printed
    promised = promised.replace(PRINTED_METRICS, metrics[1].removesuffix("/metrics"))
    prints(printed, promised.replace(PRINTED_URL, f"http://127.0.0.1:{port}"))
    assert re.search(r"(?:access token  |访问令牌      )xh-\w+-\w+", printed)
