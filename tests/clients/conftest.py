"""Runs the client programs, each in the environment that holds its newest client."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs.task import Task
from tests.kit.api import DOCUMENTED, STRICT
from tests.kit.command import environment
from tests.kit.models import CHAT
from tests.kit.script import Script
from tests.kit.server import Server

ROOT = Path(__file__).parents[2]
SCRIPT = Script(pieces=[f"{number}、" for number in range(12)])
MAX_TOKENS = 16
QUESTIONS = ["用一句话介绍北京。", "再说一遍。"]

Ask = Callable[[str, str, str], Any]


@pytest.fixture(scope="session")
def tasks(server: Server, token: str) -> dict[str, Task]:
    """The task at each mount."""
    return {
        mount: Task(
            base_url=server.url + mount,
            key=token,
            model="ernie-3.5-8k",
            questions=QUESTIONS,
            max_tokens=MAX_TOKENS,
            scripted_model=CHAT,
            script=SCRIPT.prompt,
        )
        for mount in (DOCUMENTED, STRICT)
    }


@pytest.fixture(scope="session")
def ask(tasks: dict[str, Task]) -> Ask:
    """`ask(environment, program, mount)`: the program's report; each program is run once."""

    @cache
    def reports(client: str, program: str) -> dict[str, Any]:
        python = ROOT / ".venv-clients" / client / "bin" / "python"
        assert python.exists(), f"{python} is missing: `make clients` installs it"
        command = [str(python), "-m", f"tests.clients.programs.{program}"]
        return execute(command, ROOT, tasks)

    return lambda client, program, mount: reports(client, program)[mount]


@contextmanager
def node_packages(folder: Path, *packages: str) -> Iterator[Path]:
    """Packages of npm in a folder, while they are used, and where their programs stand.

    They go at the end, as some take hundreds of megabytes. Skips the test where there is no npm.
    """
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on PATH")
    install = [npm, "install", "--no-save", "--no-audit", "--no-fund", *packages]
    try:
        subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=300)
        yield folder / "node_modules/.bin"
    finally:
        shutil.rmtree(folder / "node_modules", ignore_errors=True)


def execute(command: list[str], folder: Path, tasks: Mapping[str, Task]) -> dict[str, Any]:
    """Run one program to its end and give its report on each task."""
    # litellm would fetch its price list from the internet at every start.
    extra = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    result = subprocess.run(
        command,
        input=json.dumps([asdict(task) for task in tasks.values()]),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(extra),
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    # Some clients print advice of their own around an error.
    reports = json.loads(result.stdout.splitlines()[-1])
    return dict(zip(tasks, reports, strict=True))
